"""The JSON of the sign-up step and of consents."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from kakaoauth.api.base_schemas import Incoming, Outgoing

TermText = Annotated[str, StringConstraints(min_length=1, max_length=100), Field(examples=["terms"])]
Answered = bool | int | float | Annotated[str, StringConstraints(max_length=5000)]


class AgreedTerm(Incoming):
    """With its version, the agreement counts only for that one."""

    id: TermText
    version: TermText


class ProviderLogin(Incoming):
    restore: bool = False
    """After ACCOUNT_CLOSING: restore the account, and log in."""


class SignUpAnswer(ProviderLogin):
    """What a person who is new, or whom a new version was shown, has answered in the app."""

    agreed: Annotated[list[TermText | AgreedTerm], Field(max_length=50)] | None = None
    """The terms that they have agreed to, by `id`: see TERMS_REQUIRED."""
    fields: dict[TermText, Answered | list[Answered]] | None = None
    """What the site asks besides, by name."""


class GivenConsent(Incoming):
    version: TermText | None = None
    """The one that was shown."""


class TermOut(Outgoing):
    id: str
    title: str
    """In the language that the request asks for."""
    url: str | None
    """Where it can be read."""
    version: str
    required: bool


class ConsentRowOut(Outgoing):
    version: str
    agreed_at: datetime
    withdrawn_at: datetime | None
    source: str
    """`page`, `api`, `kakao` (Kakao Sync) or `import`."""


class ConsentOut(Outgoing):
    id: str
    title: str
    url: str | None
    version: str | None
    """Of today; null for a term that the site asks no more."""
    required: bool
    agreed: bool
    """Whether the version of today was agreed to, and not withdrawn."""
    history: list[ConsentRowOut]


class ConsentsOut(Outgoing):
    items: list[ConsentOut]
