"""The plain records that are kept for Facebook."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class DialogRequest:
    """One accepted GET /dialog/oauth."""

    redirect_uri: str
    scopes: tuple[str, ...]
    state: str | None = None
    rerequest: bool = False  # ask again for what was declined
    reauthenticate: bool = False  # ask for the person again
    code_challenge: str | None = None
    plain: bool = False  # the challenge is the verifier itself


@dataclass
class PendingDialog:
    """A dialog waiting for a person: kept here, not in form fields that could be altered."""

    id: str
    browser: str
    created_at: float
    request: DialogRequest
    person: str | None = None
    location: str | None = None  # where it ended
    ended_at: float = 0.0


@dataclass
class Installation:
    """A person who uses the app, with the permissions: True granted, False declined."""

    person: str
    user_id: str
    since: float
    permissions: dict[str, bool] = field(default_factory=dict)

    @property
    def granted(self) -> list[str]:
        """The permissions that were granted."""
        return [name for name, granted in self.permissions.items() if granted]


@dataclass
class Code:
    """An authorization code. A spent one is kept for a while: Facebook tells it apart from one that never was."""

    value: str
    person: str
    request: DialogRequest
    expires_at: float
    used: bool = False


@dataclass
class Token:
    """An access token. `app_id` may be another app's, `user_id` a page's."""

    value: str
    type: str  # USER, PAGE or APP
    app_id: str
    user_id: str
    person: str | None
    scopes: list[str]
    issued_at: int
    expires_at: int  # 0: never
    ended: int = 0  # the subcode that says why
