"""What the API's JSON looks like: one schema for each direction. Unknown fields are refused: none is smuggled in.

A text under a field describes it in the published document.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from kakaoauth.api.base_schemas import Incoming, Outgoing
from kakaoauth.staff.listing.ordering import SORTS
from kakaoauth.storage import cursors

#: Visible ASCII (RFC 6750, section 2.1).
VISIBLE = r"^[\x21-\x7e]+$"
Token = Annotated[str, StringConstraints(pattern=VISIBLE, min_length=1, max_length=4096), Field(examples=["eyJ0eXAi"])]
Code = Annotated[str, StringConstraints(pattern=VISIBLE, min_length=1, max_length=1000), Field(examples=["pQ8vY2"])]
Nonce = Annotated[str, StringConstraints(pattern=VISIBLE, min_length=1, max_length=500), Field(examples=["n-0S6_WzA2"])]
#: RFC 7636, section 4.1; the example is that RFC's.
Verifier = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._~-]+$", min_length=43, max_length=128),
    Field(examples=["dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"]),
]
Address = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*:[\x21-\x7e]+$", max_length=2000),
    Field(examples=["https://app.example.kr/oauth"]),
]
Text = Annotated[str, StringConstraints(max_length=100), Field(examples=["하늘다람쥐"])]

#: RFC 3339, with its offset; whether there is such a day is seen when it is read.
Moment = Annotated[
    str,
    StringConstraints(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})$", max_length=40
    ),
    Field(examples=["2027-01-01T00:00:00+09:00"]),
]


class RefreshRequest(Incoming):
    refresh_token: Token | None = None
    """Left out where it comes in its cookie."""


class VerifyRequest(Incoming):
    token: Token


class RevokeRequest(Incoming):
    """RFC 7009, section 2.1, as JSON or as a form."""

    token: Token | None = None
    """An access or refresh token, also one that is over; left out where the access token comes in its cookie."""
    token_type_hint: Text | None = None
    """Not needed: the two kinds look different."""


class ProfileChange(Incoming):
    """null gives a field back to what the provider says."""

    name: Text | None = None
    nickname: Text | None = None


class UserChange(Incoming):
    """Role and state. A superuser is staff."""

    is_active: bool | None = None
    is_staff: bool | None = None
    is_superuser: bool | None = None
    suspended_until: Moment | None = None
    """When the suspension ends by itself, in the future. With `is_active: false`, and left out: it does not."""
    suspension_text: Annotated[str, StringConstraints(max_length=300)] | None = None
    """What the person is told when they try to log in."""


class UserQuery(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    """How many on a page."""
    cursor: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]*$", max_length=cursors.MAX_LENGTH)] = ""
    """`next` of the page before, with the same `sort`; empty for the first page."""
    q: Annotated[str, StringConstraints(max_length=254)] = ""
    """Part of an e-mail address, nickname or name, or a whole id; taken literally."""
    sort: Literal[tuple(SORTS)] = "-date_joined"  # type: ignore[valid-type]


class UserOut(Outgoing):
    id: int
    provider: str | None
    """How they signed up; null for an account made on the command line until its first login."""
    name: str | None
    nickname: str | None
    email: str | None
    age: int | None
    """In years."""
    age_range: str | None
    gender: str | None
    profile_image: str | None
    is_active: Annotated[bool, Field(validation_alias="is_let_in")]
    """false: suspended at this moment."""
    is_staff: bool
    is_superuser: bool
    date_joined: datetime
    last_login: datetime | None


class SuspendedUserOut(UserOut):
    """The last two are there for a user who is suspended."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    suspended_until: datetime | None = None
    """When the suspension ends by itself; null: it does not."""
    suspension_text: str | None = None
    """What the person is told of their suspension."""


class TokensOut(Outgoing):
    """RFC 6749, section 5.1. `expires_in` in seconds."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    expires_in: int


class LoginOut(TokensOut):
    user: UserOut


class CookiesOut(Outgoing):
    """The tokens themselves are in cookies that no script can read."""

    token_type: Literal["Cookie"] = "Cookie"  # noqa: S105
    expires_in: int


class ActiveOut(Outgoing):
    """An access token's claims (RFC 7662, section 2.2); not those that only another version of the site knows."""

    model_config = ConfigDict(extra="ignore")

    active: Literal[True] = True
    sub: str
    exp: int
    iat: int
    iss: str
    aud: str
    jti: str
    sid: str
    """Of the login: every refresh keeps it."""
    token_use: str


class UsersOut(Outgoing):
    items: list[UserOut]
    next: str | None
    """For `?cursor=` of the next page; null on the last one."""


class NothingOut(Outgoing):
    """An empty object."""


class KeysOut(Outgoing):
    """A JWK set (RFC 7517, section 5)."""

    keys: list[dict[str, str]]
