"""The schema of every refusal."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from kakaoauth.api.schemas import TermOut


class ProblemOut(BaseModel):
    """RFC 9457, with a code that stays the same in every language."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str | None = None
    """Names the line in the log."""
    fields: dict[str, str] | None = None
    """With INVALID_REQUEST: what is wrong with each field, in English."""
    required_scopes: list[str] | None = None
    """With EMAIL_REQUIRED: what to ask the provider for, in its own words; empty if asking does not help."""
    case: str | None = None
    """With EMAIL_REQUIRED: why there is no e-mail address that may be trusted."""
    provider: str | None = None
    """With EMAIL_IN_USE: how the account with that address logs in."""
    terms: list[TermOut] | None = None
    """With TERMS_REQUIRED: what the person may agree to, and must where `required` is true."""
    erase_at: datetime | None = None
    """With ACCOUNT_CLOSING: when the account is erased. Until then a login with `"restore": true` restores it."""
    until: datetime | None = None
    """With REJOIN_BLOCKED: from then on this person may sign up again."""
