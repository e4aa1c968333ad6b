"""What a login provider offers, in words that fit every provider. Knows no provider, no request and no database."""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Protocol

from requests import Response

from kakaoauth.errors import AppError

#: Seconds a login may take.
PENDING_SECONDS = 600

#: Seconds since an id_token was issued in which an app may bring it: as long as a login may take. A client that comes
#: later refreshes its token at the provider, and with that gets a new one.
ID_TOKEN_SECONDS = PENDING_SECONDS

#: What to ask a provider for where the e-mail is missing, in Kakao's word; each provider has its own for it.
CONSENT_FOR_EMAIL = ("account_email",)


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
        """From a token in Authlib's words, times in unix seconds.

        Authlib puts the old refresh token back where an answer has none: without `refresh_expires_at` it is not new.
        """
        refresh_ends = token.get("refresh_expires_at")
        return cls(
            access_token=token["access_token"],
            expires_at=datetime.fromtimestamp(token["expires_at"], UTC),
            refresh_token=token.get("refresh_token") if refresh_ends else None,
            refresh_expires_at=datetime.fromtimestamp(refresh_ends, UTC) if refresh_ends else None,
        )


@dataclass(frozen=True)
class Profile:
    """Who logged in. `None` means "not said in this answer", never "erase it".

    `subject` is the provider's user id exactly as text. `email` is set only if `email_state` is TRUSTED.
    `profile_image` is https. `age` is in years.
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
    #: Whether this e-mail may open an account that was made on the command line and waits for its owner's first login.
    email_opens_waiting_account: bool = True
    #: When the provider said so: at this moment the person was linked.
    confirmed_at: datetime = field(default_factory=lambda: datetime.now(UTC), compare=False)
    #: When the person last proved to the provider who they are, in unix seconds; None where it does not say.
    auth_time: int | None = None
    #: The tokens of this login, for the vault.
    tokens: TokenSet | None = field(default=None, repr=False, compare=False)


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
    #: An app brings the code to the API; `nonce` is the one it names, if any.
    by_app: bool = False

    @property
    def is_login(self) -> bool:
        return not (self.link_to or self.confirms)

    @property
    def asked_as(self) -> str:
        """`User.get_id` of who has begun it, if it is no login."""
        return self.link_to or self.confirms

    @property
    def begun_at(self) -> datetime:
        return datetime.fromtimestamp(self.expires_at - PENDING_SECONDS, UTC)

    def is_late(self) -> bool:
        return time.time() > self.expires_at

    def __repr__(self) -> str:
        return f"<PendingLogin {self.provider}>"  # the rest are secrets, and a repr ends in logs


class SetRefused(Exception):
    """A message that is not acted upon. `err` is a code of RFC 8935, section 2.4."""

    def __init__(self, err: str, description: str) -> None:
        super().__init__(f"{err}: {description}")
        self.err = err
        self.description = description


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
    #: Consent items, in scope events.
    scopes: tuple[str, ...] = ()

    @property
    def is_timed(self) -> bool:
        return not self.jti.startswith(UNTIMED)


class TokenKeeper(Protocol):
    """Where the current user's tokens come from and go to; each call names the provider."""

    def fetch_token(self, provider: str) -> dict[str, Any] | None: ...

    def update_token(self, provider: str, token: dict[str, Any], **old: Any) -> None: ...

    def forget_token(self, provider: str) -> None: ...

    def renewing(self, provider: str) -> AbstractContextManager[dict[str, Any] | None]: ...


class Provider(Protocol):
    """One way to log in."""

    #: In addresses and in `Identity.provider`.
    name: str

    @property
    def error_codes(self) -> frozenset[str]:
        """Its codes for errors that have a meaning here. Others are not counted by name: a visitor can make them up."""

    @property
    def label(self) -> str:
        """What people call it, in the request's language."""

    @property
    def prompts(self) -> tuple[str, ...]:
        """The `prompt` values (OpenID Connect Core, section 3.1.2.1) it understands. Never `none`: nobody is logged in
        without having wished it."""

    @property
    def page_origins(self) -> tuple[str, ...]:
        """Where a browser passes on its way through a login or logout: a form of ours must be allowed to lead there."""

    @property
    def email_scopes(self) -> tuple[str, ...]:
        """What an app has to ask the provider for where the e-mail is missing, in the provider's own words."""

    @property
    def leaves_fragment(self) -> bool:
        """It appends a fragment to the callback's address, which a browser carries on to where we send it."""

    def begin(
        self,
        redirect_uri: str,
        next_url: str,
        *,
        prompt: str | None = None,
        consent: tuple[str, ...] = (),
        mode: str = "",
        link_to: str = "",
        confirms: str = "",
    ) -> str:
        """Keep a PendingLogin in the session and return the authorization request's address.

        :param prompt: one of the provider's `prompt` values. :param consent: consent items to ask for in addition.
        :param mode: and `link_to`, `confirms`: see PendingLogin.
        """

    def can_ask_for(self, consent: tuple[str, ...]) -> bool:
        """False where asking for these items would end on an error page of the provider's, as far as can be known."""

    def find_pending(self, state: str) -> PendingLogin | None:
        """The pending login of this browser with that state, also one that is late; None if there is none."""

    def forget_pending(self, state: str) -> None:
        """A state works once: drop it, whatever became of it."""

    def refusal(self, error: str, description: str) -> AppError:
        """Say in our words why the authorization endpoint sent the person back with `error`."""

    def fetch_profile(self, pending: PendingLogin, code: str) -> Profile:
        """Exchange the code and find out who it is, with the values that wait in `pending`.

        :raises CodeRefused, Misconfigured, ProviderUnavailable, UntrustedIdentity, AccountUnusable, UnderAge:
        """

    def profile_of_access_token(self, access_token: str) -> Profile:
        """Find out whose access token an app has brought, and that it was made for us.

        :raises InvalidAccessToken: the provider does not know it. :raises ForeignAccessToken: made for another app.
        :raises Forbidden: the settings lack what tells our app from others. :raises AppError: as fetch_profile.
        """

    def profile_of_code(
        self, code: str, redirect_uri: str, *, code_verifier: str | None = None, nonce: str | None = None
    ) -> Profile:
        """Exchange a code that an app has got by itself, with the values of its authorization request.

        :raises InvalidAccessToken: the code is used, expired or unknown, or its id_token carries another nonce than the
        one named here. :raises InvalidFields: another redirect_uri than the request's. :raises AppError: as
        fetch_profile.
        """

    def profile_of_id_token(self, id_token: str, *, nonce: str | None = None) -> Profile:
        """Find out whose id_token an app has brought.

        :raises InvalidAccessToken: not genuine, of another nonce, or of a provider that knows no id_tokens.
        :raises ExpiredToken: :raises ForeignAccessToken: another audience. :raises AppError: as fetch_profile.
        """

    def get(self, path: str, **arguments: Any) -> Response:
        """Call the provider's API as the current user, whose tokens come from the vault and are renewed as needed.

        :raises AppError: no token, or the provider's refusal.
        """

    def end_token(self, access_token: str) -> None:
        """End the tokens of one login at the provider.

        :raises AppError: the provider did not do it.
        """

    def unlink(self, subject: str, tokens: TokenSet | None) -> None:
        """Withdraw the person's consent, with the person's own tokens or, failing that, the site's admin key. A person
        who is not linked any more counts as unlinked.

        :raises AppError: the provider did not do it.
        """

    def is_linked(self, subject: str) -> bool | None:
        """Whether the person has linked the site at present, as the site itself may ask; None: it may not.

        :raises ProviderUnavailable: no answer now.
        """

    def read_event(self, raw: str) -> AccountEvent:
        """Read a signed message about an account.

        :param raw: in the provider's own form: a Security Event Token, a `signed_request`.
        :raises SetRefused: not genuine, or not for us. :raises ProviderUnavailable: cannot be verified now.
        """

    def account_logout_url(self, return_to: str, state: str) -> str | None:
        """Where to send a browser that also leaves the provider's own account; None if there is no such page."""
