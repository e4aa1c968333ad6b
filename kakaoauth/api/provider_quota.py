"""How often an app's login may ask a provider, so that nobody can use up the app's quota there (Kakao: three million
calls a month, 69 a minute).

A login at `POST /api/auth/<provider>/` costs up to two calls, and an access token can be made up. Four bounds:

- what the provider said of an access token is remembered for a minute, under a keyed hash of it; of equal requests at
  one moment only a few ask (`token_asked`);
- one address may bring so many tokens and codes a minute that the provider refuses (`provider_refused`);
- one person may log in so many times a minute (`api_person`);
- and the whole site asks PROVIDER_CALLS_PER_MINUTE times at most. Logins on pages are not among them: a flood of
  apps' tokens must not close those. They are bounded by address (`callback_refused`).

A refusal is remembered as it is; that a provider could not be asked never is. That a token is good is remembered only
once its login has ended well, with the account it led to, and counts only while the database still says the same: the
account is linked as it was, none of its sessions were ended since, and no message about the person has come. Otherwise
the provider is asked again. So unlinking, leaving, a suspension, logging out everywhere and `tokens-revoked` need no
list of tokens to forget, and count at once also if Redis has lost a command.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from flask import current_app

from kakaoauth.accounts import provider_events
from kakaoauth.counting import counters
from kakaoauth.errors import (
    AccountUnusable,
    AppError,
    InvalidAccessToken,
    Misconfigured,
    RateLimited,
    SessionsUnavailable,
    Unavailable,
    UnderAge,
    from_dict,
)
from kakaoauth.models import User, find_identity
from kakaoauth.providers.base import Provider
from kakaoauth.providers.values import EmailState, Profile
from kakaoauth.storage import encryption, keys, transaction
from kakaoauth.storage.redis import best_effort, get_redis, named
from kakaoauth.web import rate_limits

#: Seconds that what a provider said of a token is remembered.
REMEMBERED = 60
#: Calls that one login may cost: whose token it is and for which app, and the profile; or the code, and the profile.
CALLS = 2
#: What a login counts for by person while the one before it, with the same token, was refused here: nothing is
#: remembered of it but whose it is, so that a person who has just shared their e-mail address gets in, and each costs
#: calls again.
AGAIN = 3
#: Whatever else an app brings, the same token will be refused again.
FINAL = (AccountUnusable, InvalidAccessToken, UnderAge)

Verdict = dict[str, Any]


def profile_of_access_token(provider: Provider, access_token: str) -> Profile:
    """Find out whose access token it is, from memory if that is good, or by asking.

    :raises RateLimited: too many, see the module's head. :raises AppError: as Provider.profile_of_access_token.
    """
    key = _key(provider.name, access_token)
    verdict = _recall(key) or {}
    if "error" in verdict:
        raise from_dict(verdict["error"])
    profile = _confirmed(provider.name, verdict)
    if verdict:
        _count_person(provider.name, verdict["subject"], cost=1 if profile else AGAIN)
    if profile:
        return profile
    profile = _ask(provider, access_token, key)
    if not verdict:
        count_person(profile)
    return profile


def _ask(provider: Provider, access_token: str, key: str) -> Profile:
    rate_limits.hit("token_asked", key)
    with asking(provider):
        try:
            profile = provider.profile_of_access_token(access_token)
        except Unavailable:
            rate_limits.give_back("token_asked", key)  # nothing is known of the token, and its owner tries again
            raise
        except FINAL as error:
            error.provider = provider.name
            _remember(key, {"error": error.to_dict()})
            raise
    _remember(key, {"subject": profile.subject})
    return profile


def remember_login(access_token: str, profile: Profile, user: User, begun_at: datetime) -> None:
    """The login with that token has ended well: the next one within the minute need not ask.

    :param begun_at: when this login began, so before the provider was asked.
    """
    fields = asdict(profile) | {
        "tokens": None,
        "email_state": profile.email_state.value,
        "confirmed_at": profile.confirmed_at.isoformat(),
    }
    verdict = {
        "subject": profile.subject,
        "user": user.get_id(),
        "begun_at": begun_at.timestamp(),
        "profile": fields,
    }
    # The minute is the first login's: a memory that each login prolonged would never be compared with the provider's.
    _remember(_key(profile.provider, access_token), verdict, again=True)


@contextmanager
def asking(provider: Provider) -> Iterator[None]:
    """Ask a provider something for an app.

    :raises RateLimited: this address has brought too much that was refused, or the site's budget is spent.
    """
    rate_limits.require_room("provider_refused")
    try:
        rate_limits.hit("provider_calls", "api", cost=CALLS)
    except RateLimited:
        counters.count("provider_budget_spent", provider.name)
        raise
    counters.count("provider_asked", provider.name)
    try:
        yield
    except AppError as error:
        if not isinstance(error, Misconfigured | Unavailable):
            with suppress(RateLimited, SessionsUnavailable):
                rate_limits.hit_address("provider_refused")
        raise


def count_person(profile: Profile) -> None:
    """:raises RateLimited: this person has logged in too often."""
    _count_person(profile.provider, profile.subject)


def _count_person(provider: str, subject: str, *, cost: int = 1) -> None:
    rate_limits.hit("api_person", rate_limits.disguised(f"{provider}|{subject}"), cost=cost)


def _confirmed(provider: str, verdict: Verdict) -> Profile | None:
    """The remembered profile, if nothing has happened here that might have made it untrue."""
    if "profile" not in verdict:
        return None
    begun_at = datetime.fromtimestamp(verdict["begun_at"], UTC)
    try:
        identity = find_identity(provider, verdict["subject"])
        is_same = identity is not None and identity.user.is_active and identity.user.get_id() == verdict["user"]
        # A minute earlier: the two moments may be of different machines' clocks.
        told = provider_events.any_since(provider, verdict["subject"], begun_at - timedelta(seconds=REMEMBERED))
    finally:
        transaction.forget_transaction()  # the login reads for itself, in its own transaction
    if not is_same or told:
        return None
    fields = verdict["profile"]
    fields |= {
        "email_state": EmailState(fields["email_state"]),
        "confirmed_at": datetime.fromisoformat(fields["confirmed_at"]),
    }
    return Profile(**fields)


def _key(provider: str, access_token: str) -> str:
    return named(f"token-verdict:{keys.mac('token verdict', f'{provider}|{access_token}').hex()}")


@best_effort
def _recall(key: str) -> Verdict | None:
    raw = cast("bytes | None", get_redis(current_app).get(key))
    opened = encryption.decrypt(raw.decode()) if raw else None
    return cast(Verdict, json.loads(opened)) if opened else None


@best_effort
def _remember(key: str, verdict: Verdict, *, again: bool = False) -> None:
    """:param again: say more of what is remembered already, for no longer."""
    text = encryption.encrypt(json.dumps(verdict))  # it names somebody who may have agreed to nothing yet
    get_redis(current_app).set(key, text, ex=None if again else REMEMBERED, keepttl=again, xx=again)
