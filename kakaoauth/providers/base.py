"""What a login provider offers, in words that fit every provider. Knows no provider, no request and no database."""

import time
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from kakaoauth.errors import AppError


class EmailState(Enum):
    """Why a profile carries no e-mail we may trust, or that it does."""

    TRUSTED = "trusted"
    #: The app's console does not ask for the e-mail: the provider says nothing of it.
    NOT_CONFIGURED = "not_configured"
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


@dataclass(frozen=True)
class PendingLogin:
    """A login that was begun in this browser and waits in its session for the callback (RFC 6749, section 4.1.1)."""

    provider: str
    state: str
    client_id: str
    redirect_uri: str
    nonce: str
    code_verifier: str
    next: str
    expires_at: float

    def is_late(self) -> bool:
        return time.time() > self.expires_at

    def __repr__(self) -> str:
        return f"<PendingLogin {self.provider}>"  # the rest are secrets, and a repr ends in logs


class Provider(Protocol):
    """One way to log in."""

    #: In addresses and in `Identity.provider`.
    name: str

    @property
    def label(self) -> str:
        """What people call it, in the request's language."""

    def begin(
        self, redirect_uri: str, next_url: str, *, prompt: str | None = None, consent: tuple[str, ...] = ()
    ) -> str:
        """Keep a PendingLogin in the session and return the authorization request's address.

        :param prompt: one of the provider's `prompt` values. :param consent: consent items to ask for in addition.
        """

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

    def account_logout_url(self, return_to: str, state: str) -> str | None:
        """Where to send a browser that also leaves the provider's own account; None if there is no such page."""
