"""Which refused logins get a row in the audit trail, and which are counted and logged only.

A script can send any number of requests, and must not fill the table. A row is written:

- for a login that was begun here and came back: one row, however often its callback is sent;
- for an error about a known person: see ABOUT_SOMEBODY;
- at most `refusals_stored` rows by address, or by account where one is known.
"""

from contextlib import suppress
from hashlib import sha256

from flask import current_app

from kakaoauth.audit import refusals
from kakaoauth.errors import (
    AccountClosing,
    AccountDisabled,
    AccountUnusable,
    AppError,
    CodeRefused,
    EmailInUse,
    EmailRequired,
    RateLimited,
    RejoinBlocked,
    SessionsUnavailable,
    UnderAge,
)
from kakaoauth.providers.login_state import REMEMBERED
from kakaoauth.providers.values import PendingLogin
from kakaoauth.signals import login_refused
from kakaoauth.storage.redis import best_effort, get_redis, named
from kakaoauth.storage.transaction import tell
from kakaoauth.web import rate_limits

#: Raised only after the provider has said who it is.
ABOUT_SOMEBODY = (
    *(AccountClosing, AccountDisabled, AccountUnusable, EmailInUse, EmailRequired),
    *(RejoinBlocked, UnderAge),
)


def record_refusal(
    error: AppError, provider: str, *, pending: PendingLogin | None = None, action: str = "login"
) -> None:
    """Count and log a refused login, link or confirmation, and write an audit row if the rules above allow one.

    :param pending: the login that came back; None for the API, and for a callback without one.
    """
    stored = bool(_is_first(pending)) if pending else isinstance(error, ABOUT_SOMEBODY)
    if pending and stored and isinstance(error, CodeRefused):
        with suppress(RateLimited, SessionsUnavailable):  # those that come next are refused
            rate_limits.hit_address("callback_refused")
    refusals.record_refusal(error, provider, action=action, stored=stored and _has_room(error))
    if action == "login":
        tell(login_refused, error=error, provider=provider)


@best_effort
def _is_first(pending: PendingLogin) -> bool:
    """Whether this is the first refusal of that login: several equal callbacks can come at the same moment.

    None while Redis is away: the log has the refusal in any case.
    """
    key = named(f"login-refused:{sha256(pending.state.encode()).hexdigest()}")
    return bool(get_redis(current_app).set(key, 1, nx=True, ex=REMEMBERED))


def _has_room(error: AppError) -> bool:
    """A script can begin and cancel hundreds of logins a minute, and each of them may write a row."""
    try:
        if error.user_id is not None:
            rate_limits.hit("refusals_stored", f"user {error.user_id}")
        else:
            rate_limits.hit_address("refusals_stored")
    except (RateLimited, SessionsUnavailable):
        return False
    return True
