"""What providers give and take: profile, tokens, a pending login, a message about an account."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any

#: Seconds a login may take.
PENDING_SECONDS = 600

#: Seconds since an id_token was issued in which an app may bring it: as long as a login may take. A client that comes
#: later refreshes its token at the provider, and with that gets a new one.
ID_TOKEN_SECONDS = PENDING_SECONDS

#: What to ask a provider for where the e-mail is missing, in Kakao's word; each provider has its own for it.
CONSENT_FOR_EMAIL = ("account_email",)

#: Seconds before its end from which on an access token is renewed, so that none ends on its way.
RENEWAL_SECONDS = 60

#: The site's terms that a person has agreed to on the provider's own page: by the tag there, and when, if it says.
AgreedTerms = Mapping[str, datetime | None]


class EmailState(Enum):
    """Why a profile carries no e-mail we may trust, or that it does."""

    TRUSTED = "trusted"
    #: The app at the provider has no e-mail to ask for: asking would end on an error page of the provider's.
    NOT_CONFIGURED = "not_configured"
    #: What the provider said leaves open why there is none; asking may help.
    NOT_SAID = "not_said"
    #: The person has not agreed to share it; asking again helps.
    NOT_AGREED = "not_agreed"
    #: Agreed, but the account has no e-mail.
    ABSENT = "absent"
    #: The account's owner has not confirmed it.
    UNVERIFIED = "unverified"
    #: The provider does not say whether it is the person's, of nobody.
    NOT_VOUCHED = "not_vouched"
    #: It has passed to another account.
    EXPIRED = "expired"
    #: Masked, or no address at all.
    UNUSABLE = "unusable"


@dataclass(frozen=True)
class TokenSet:
    """A provider's tokens as they are used. Never in a repr, a log or a page."""

    access_token: str = field(repr=False)
    expires_at: datetime
    refresh_token: str | None = field(default=None, repr=False)
    refresh_expires_at: datetime | None = None

    @classmethod
    def from_authlib(cls, token: Mapping[str, Any]) -> "TokenSet":
        """From a token in Authlib's words, times in unix seconds."""
        refresh_ends = token.get("refresh_expires_at")
        return cls(
            access_token=token["access_token"],
            expires_at=datetime.fromtimestamp(token["expires_at"], UTC),
            refresh_token=token.get("refresh_token"),
            refresh_expires_at=datetime.fromtimestamp(refresh_ends, UTC) if refresh_ends else None,
        )

    def is_ending(self) -> bool:
        """Whether the access token ends within RENEWAL_SECONDS."""
        return (self.expires_at - datetime.now(UTC)).total_seconds() < RENEWAL_SECONDS


@dataclass(frozen=True)
class Profile:
    """Who logged in. `None` means "not said in this answer", never "erase it".

    `subject` is the provider's user id exactly as text. `email` is set only if `email_state` is TRUSTED.
    `profile_image` is https, or the local sandbox's. `age` is in years.
    """

    provider: str
    subject: str
    email: str | None = None
    email_state: EmailState = EmailState.NOT_CONFIGURED
    name: str | None = None
    nickname: str | None = None
    profile_image: str | None = None
    age: int | None = None
    age_range: str | None = None
    gender: str | None = None
    #: Whether the name fills a gap only: it was not the provider itself that said it.
    name_fills_gap: bool = False
    #: Whether this e-mail may open an account that was made on the command line and waits for its owner's first login.
    email_opens_waiting_account: bool = True
    #: When the provider said so: at this moment the person was linked.
    confirmed_at: datetime = field(default_factory=lambda: datetime.now(UTC), compare=False)
    #: When the person last proved to the provider who they are, in unix seconds; None where it does not say.
    auth_time: int | None = None
    #: All that an id_token has said of somebody who is known: the provider's page about them was not read.
    is_brief: bool = False
    #: The tokens of this login, to be stored encrypted.
    tokens: TokenSet | None = field(default=None, repr=False, compare=False)
    #: What the person has typed into the host's form of the sign-up step, by field; not said by the provider.
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


def _no_opinion(_brief: Profile) -> bool | None:
    return None


@dataclass(frozen=True)
class PendingLogin:
    """A login that was begun in this browser and waits in its session for the callback (RFC 6749, section 4.1.1)."""

    provider: str
    state: str
    client_id: str
    redirect_uri: str
    #: None only for a login that an app has begun by itself, without one.
    nonce: str | None
    code_verifier: str | None
    next: str
    expires_at: float
    #: `jwt`: ends with our tokens in cookies instead of a session; empty otherwise.
    mode: str = ""
    #: `User.get_id` of the person who wants to link this provider; empty for a login.
    link_to: str = ""
    #: `User.get_id` of the person who is to confirm that it is still them; empty for a login.
    confirms: str = ""
    #: The consent item that the person wants to share, beyond logging in.
    consent: str = ""
    #: Set if nobody has pressed anything: the provider was to show no page (`prompt=none`).
    silent: str = ""
    #: What the browser brought beside the code, unsigned.
    said: str = field(default="", repr=False)
    #: An app brings the code to the API; `nonce` is the one it names, if any.
    by_app: bool = False
    #: Asked with what an id_token says: True, that is all that is new; False, the rest must be read as well; None,
    #: whoever asks may decide.
    is_enough_of: Callable[[Profile], bool | None] = field(default=_no_opinion, repr=False, compare=False)

    @property
    def is_login(self) -> bool:
        """False for a linking and a confirmation."""
        return not (self.link_to or self.confirms)

    @property
    def asked_as(self) -> str:
        """`User.get_id` of who has begun it, if it is no login."""
        return self.link_to or self.confirms

    @property
    def begun_at(self) -> datetime:
        """When the person pressed the button."""
        return datetime.fromtimestamp(self.expires_at - PENDING_SECONDS, UTC)

    def is_late(self) -> bool:
        """Whether the login has taken longer than PENDING_SECONDS."""
        return time.time() > self.expires_at

    def __repr__(self) -> str:
        return f"<PendingLogin {self.provider}>"  # the rest are secrets, and a repr ends in logs


#: How the id of a message begins that has none of its own, and no time: `happened_at` is when it came, which may be
#: long after it happened.
UNTIMED = "unlink-"


@dataclass(frozen=True)
class AccountEvent:
    """What happened to a person's account at the provider."""

    jti: str
    #: Last part of the event's URI, e.g. `user-unlinked`.
    kind: str
    subject: str
    happened_at: datetime
    #: Consent items, in scope events. In one about a token: how it is named (`token_identifier_alg`), and its name.
    scopes: tuple[str, ...] = ()
    #: The address that the message is about, if it names one.
    email: str = ""

    @property
    def is_timed(self) -> bool:
        """Whether `happened_at` is the provider's word, not the moment of arrival."""
        return not self.jti.startswith(UNTIMED)
