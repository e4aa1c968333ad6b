"""The plain records the sandbox keeps."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class AuthorizationRequest:
    """One accepted GET /oauth/authorize. `items` is None when no scope was sent."""

    redirect_uri: str
    items: tuple[str, ...] | None = None
    openid: bool = False
    prompts: frozenset[str] = frozenset()
    state: str | None = None
    nonce: str | None = None
    code_challenge: str | None = None
    login_hint: str | None = None
    terms: tuple[str, ...] | None = None  # tags of Kakao Sync; None when none were sent


@dataclass
class Pending:
    """An authorization request waiting for a person: kept here, not in form fields that could be altered."""

    id: str
    browser: str
    created_at: float
    request: AuthorizationRequest
    person: str | None = None
    auth_time: int = 0
    location: str | None = None  # where it ended
    ended_at: float = 0.0


@dataclass(frozen=True)
class PendingLogout:
    """A logout page waiting for its answer."""

    id: str
    browser: str
    created_at: float
    redirect_uri: str
    state: str | None


@dataclass
class Link:
    """A person linked to the app, with the consents given (item -> when)."""

    person: str
    user_id: int
    connected_at: float
    nickname: str
    picture: bool
    signed_up: bool | None = None  # None: the app links automatically and the field never shows
    agreed: dict[str, float] = field(default_factory=dict)
    terms: dict[str, list[Any]] = field(default_factory=dict)  # Kakao Sync: tag -> when, and by KAUTH or KAPI


@dataclass(frozen=True)
class Code:
    """An authorization code, good for one exchange."""

    value: str
    client_id: str
    person: str
    request: AuthorizationRequest
    auth_time: int
    expires_at: float


@dataclass
class Grant:
    """What one exchanged code gave: a refresh token and the access tokens made from it."""

    id: str
    person: str
    auth_time: int
    with_id_token: bool
    refresh_token: str
    refresh_expires_at: float


@dataclass(frozen=True)
class AccessToken:
    value: str
    grant: str
    person: str
    expires_at: float
