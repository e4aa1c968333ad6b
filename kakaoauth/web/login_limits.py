"""The rate limits of a login's pages: all that is counted there is one round trip to Redis, and reads the session too.

By plain commands and no script, because a Cluster's pipeline takes no script. The numbers are those of `rate_limits`.
"""

from typing import Any, NamedTuple

from flask import current_app
from limits import RateLimitItem
from limits.strategies import FixedWindowRateLimiter

from kakaoauth.errors import SessionsUnavailable
from kakaoauth.sessions.store import current_session
from kakaoauth.storage.redis import REDIS_ERRORS, add, get_redis
from kakaoauth.web import rate_limits
from kakaoauth.web.guards import Guard


class Check(NamedTuple):
    """One number to look at. :ivar stored: its key in Redis. :ivar counts: this request is counted, too."""

    name: str
    key: str
    item: RateLimitItem
    stored: str
    counts: bool


def of_login(counted: str, *, room: str = "", by_session: str = "") -> Guard:
    """Return a guard.

    :param counted: the limit that counts by address. :param room: one that addresses must not have reached, and that
        counts nothing here. :param by_session: one that counts by browser session, where there is a cookie.
    """

    def guard() -> None:
        limiter: FixedWindowRateLimiter | None = current_app.extensions["kakaoauth_rate_limits"]
        if limiter is None:
            return
        is_here, networks = rate_limits.is_this_machine(), rate_limits.networks()
        checks = [
            _check(limiter, name, key, times=times, counts=name == counted)
            for name in (counted, room)
            if name and not (is_here and rate_limits.LIMITS[name].spares_this_machine)
            for key, times in networks
        ]
        if by_session and (cookie := current_session().cookie):
            checks.append(_check(limiter, by_session, rate_limits.disguised(cookie), counts=True))
        if checks:
            _require(limiter, checks)

    return guard


def _check(limiter: FixedWindowRateLimiter, name: str, key: str, *, counts: bool, times: int = 1) -> Check:
    item = rate_limits.item_of(name, times)
    storage: Any = limiter.storage
    return Check(name, key, item, storage.prefixed_key(item.key_for(name, key)), counts)


def _require(limiter: FixedWindowRateLimiter, checks: list[Check]) -> None:
    """:raises RateLimited: too many. :raises SessionsUnavailable: Redis is away, or full."""
    try:
        numbers = _ask(checks)
        for position, (check, number) in enumerate(zip(checks, numbers, strict=True)):
            if number > check.item.amount - (not check.counts):
                _give_back(checks[position + 1 :])
                raise rate_limits.refusal(limiter, check.item, check.name, check.key)
    except REDIS_ERRORS as error:
        raise SessionsUnavailable(f"limit {checks[0].name}: {type(error).__name__}") from None


def _ask(checks: list[Check]) -> list[int]:
    """Count, and read the session. Return each number, this request included where it is counted."""
    redis, numbers = get_redis(current_app), []
    commands = redis.pipeline(transaction=False)
    for check in checks:
        if check.counts:
            add(commands, "SET", check.stored, 0, "EX", check.item.get_expiry(), "NX")
            commands.incrby(check.stored, 1)
        else:
            commands.get(check.stored)
    session = current_session()
    asks = session.ask_ahead(commands)
    answers = commands.execute()
    if asks:
        session.take(answers.pop())
    rest = iter(answers)
    for check in checks:
        is_new = next(rest) if check.counts else True
        numbers.append(int(next(rest) or 0))
        if not is_new and numbers[-1] == 1:  # the window has ended between the two commands: the number has no end
            redis.expire(check.stored, check.item.get_expiry())
    return numbers


def _give_back(checks: list[Check]) -> None:
    """What is refused counts in no wider network: a flood from one network would shut out its neighbours."""
    commands = get_redis(current_app).pipeline(transaction=False)
    for check in checks:
        if check.counts:
            commands.decrby(check.stored, 1)
    commands.execute()
