"""What every schema of the API has in common: unknown fields are refused, a text under a field describes it."""

from pydantic import BaseModel, ConfigDict


class Incoming(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Outgoing(BaseModel):
    model_config = ConfigDict(
        extra="forbid", use_attribute_docstrings=True, json_schema_serialization_defaults_required=True
    )
