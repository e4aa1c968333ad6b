"""The schema of everything that is held about a person."""

from datetime import datetime
from typing import Any

from pydantic import ConfigDict

from kakaoauth.api.schemas import Outgoing


class OwnDataOut(Outgoing):
    """Everything that is held about a person; what the site's own app holds is under `site`."""

    model_config = ConfigDict(extra="allow")

    made_at: datetime
    profile: dict[str, Any]
    sign_in_methods: list[dict[str, Any]]
    events: list[dict[str, Any]]
