"""The plain records that are kept for Naver, Google and Apple."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class LoginRequest:
    """One accepted authorization request."""

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...] = ()
    state: str | None = None
    nonce: str | None = None
    code_challenge: str | None = None
    plain: bool = False  # the challenge is the verifier itself
    oidc: bool = True  # False: Naver's older addresses
    mode: str = "query"  # how the answer travels: query, fragment, form_post
    with_id_token: bool = False  # Apple's `code id_token`
    prompts: frozenset[str] = frozenset()  # Google's prompt, Naver's auth_type
    offline: bool = False  # Google's access_type
    hint: str = ""


@dataclass
class PendingLogin:
    """A login waiting for a person: kept here, not in form fields that could be altered."""

    id: str
    browser: str
    created_at: float
    request: LoginRequest
    person: str | None = None
    auth_time: int = 0
    answer: dict[str, str] | None = None  # how it ended
    ended_at: float = 0.0


@dataclass
class Consent:
    """A person who uses the app, with what they agreed to: True given, False kept to themselves."""

    person: str
    subject: str
    since: float
    items: dict[str, bool] = field(default_factory=dict)
    relay: bool = False  # Apple: the address is hidden
    forwards: bool = True  # Apple: the relay forwards mail

    @property
    def given(self) -> list[str]:
        """What was agreed to."""
        return [name for name, given in self.items.items() if given]


@dataclass
class AccountCode:
    """An authorization code. A spent one is kept for a while: it is told apart from one that never was."""

    value: str
    person: str
    request: LoginRequest
    auth_time: int
    expires_at: float
    first: bool = False  # the first login of this person
    used: bool = False


@dataclass
class AccountToken:
    """An access or refresh token. `subject` is another one for another app of the same person, where it is so."""

    value: str
    kind: str  # access, refresh
    login: str  # all tokens of one login die together
    client_id: str
    person: str
    subject: str
    scopes: list[str]
    issued_at: int
    expires_at: int  # 0: never
    with_id_token: bool = True
