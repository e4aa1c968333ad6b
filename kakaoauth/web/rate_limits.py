"""Rate limits.

A limit counts in a window that opens with the first request and has a fixed length: one number in Redis, one round
trip. Around the end of a window twice the number can pass; no number below is so tight that this matters.

A school, an office or a phone network can share one address. So logins have a high limit by address and another by
browser session, and password guesses are counted by account, from all addresses together.

While Redis is away nothing is counted. Requests that hand out or test credentials are refused then (503 with
Retry-After), or an outage would allow unlimited guesses. Others pass, see `Limit.closed`.
"""

import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import TypeVar

from flask import Flask, current_app, request
from limits import RateLimitItem, parse
from limits.storage import RedisStorage
from limits.storage.base import Storage
from limits.strategies import FixedWindowRateLimiter

from kakaoauth.audit.visitors import UNKNOWN, plain_address
from kakaoauth.config.checks import is_loopback
from kakaoauth.errors import InvalidCredentials, RateLimited, SessionsUnavailable
from kakaoauth.sessions.store import current_session
from kakaoauth.storage import keys
from kakaoauth.storage.redis import REDIS_ERRORS, get_redis, is_full, named
from kakaoauth.text import normal_form
from kakaoauth.web.guards import Guard

T = TypeVar("T")

log = logging.getLogger("kakaoauth.audit")


@dataclass(frozen=True)
class Limit:
    """One rate limit. `rate`: in the notation of the library `limits`."""

    rate: str
    #: Refuse while Redis is away; open ones are then not counted.
    closed: bool = True
    #: The setting that says the number; `rate` then only the time.
    setting: str = ""
    #: Log only the first refusal of each window.
    told_once: bool = False
    #: Let pass while Redis is at its `maxmemory` and takes no writes, for people who are in already.
    open_while_full: bool = False
    #: Do not count requests from this machine. They are load tests, or all visitors together behind a proxy that
    #: TRUSTED_PROXIES does not count, where one visitor could lock out everybody.
    spares_this_machine: bool = False


#: Logout and revocation have no limit: they must always work.
LIMITS = {
    # A large school that logs in when the lesson begins is let in. A script can leave 600 small sessions a minute,
    # for an hour each: about 30 MB, not the memory.
    "login": Limit("600 per minute", spares_this_machine=True),
    # A hundred logins begun in one browser within a minute are odd, and harmless: ten of them wait at most.
    "login_session": Limit("200 per minute"),
    # Twice the logins: people go back and reload. Each may cost a call to Kakao, which are bounded on their own.
    "callback": Limit("1200 per minute", spares_this_machine=True),
    # Each asks the provider. The phones of one network share few addresses, so not fewer.
    "api_login": Limit("300 per minute"),
    # Of these, what the provider refuses. Each costs a call, and anybody can make a token up: 30 a minute, day and
    # night, are less than half of Kakao's quota, and honest apps bring tokens that are minutes old.
    "provider_refused": Limit("30 per minute"),
    # One token, while its verdict is not known yet: a crowd of equal requests would all ask, once a minute.
    "token_asked": Limit("5 per minute"),
    # By person, whatever address their apps call from.
    "api_person": Limit("30 per minute"),
    # Calls to all providers for the whole site's apps. Kakao's quota is 69 a minute on average; a busy hour has more.
    "provider_calls": Limit("1 per minute", setting="PROVIDER_CALLS_PER_MINUTE", told_once=True),
    # Codes on pages that the provider refuses: a made-up one with a login that was begun here costs a call as well. A
    # school's whole class with codes that have expired passes.
    "callback_refused": Limit("60 per minute", spares_this_machine=True),
    # Few people have a password at all, and each attempt costs a hash (passwords.AT_ONCE).
    "password": Limit("60 per minute"),
    # Failures only. 960 guesses a day at most, against 12 characters; and an owner who was
    # locked out by somebody else's guesses has ten attempts after a quarter of an hour.
    "password_account": Limit("10 per 15 minutes"),
    # A front end with many tabs refreshes every five minutes; one address may be a whole office of them.
    "refresh": Limit("300 per minute", open_while_full=True),
    # Services that ask about every request should verify by themselves, with the public keys.
    "verify": Limit("300 per minute", open_while_full=True),
    # By user: an export reads the whole table.
    "export": Limit("6 per hour", open_while_full=True),
    # Callers that prove nothing. The providers do not repeat a message, so one that is genuine is never counted, and
    # none is refused because Redis is away.
    "webhook_refused": Limit("1200 per minute", closed=False),
    # Rows of refused logins in the audit trail (refusals): beyond it they are counted and logged only. Half a kilobyte
    # each, so one address leaves a megabyte a day at most.
    "refusals_stored": Limit("100 per hour"),
}
#: IPv6 networks by the length of their prefix. One customer gets a /64 at least, often a /56 and at most a /48 (RFC
#: 6177), and may use a new address for each request. The wider ones may hold several customers, hence the higher
#: numbers, four times each step.
NETWORKS = ((64, 1), (56, 4), (48, 16))
ITEMS: dict[str, RateLimitItem] = {name: parse(limit.rate) for name, limit in LIMITS.items()}


class AppRedis(RedisStorage):
    """The library's counters on the app's own client, and with it REDIS_URL's forms and time-outs. The library itself
    would make a second client with others, and for a Cluster ask for it at start."""

    def __init__(self, app: Flask) -> None:
        Storage.__init__(self)
        self.storage = get_redis(app)
        self.key_prefix = f"{app.config['KAKAOAUTH_REDIS_PREFIX']}rate"
        self.lua_incr_expire = self.storage.register_script(self.SCRIPT_INCR_EXPIRE.decode())

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """Return the exceptions that mean Redis is away."""
        return REDIS_ERRORS


def init_app(app: Flask) -> None:
    """Prepare the limiter; KAKAOAUTH_RATE_LIMITS = False turns it off."""
    limiter = FixedWindowRateLimiter(AppRedis(app)) if app.config["KAKAOAUTH_RATE_LIMITS"] else None
    app.extensions["kakaoauth_rate_limits"] = limiter


def hit(name: str, key: str, *, times: int = 1, cost: int = 1) -> None:
    """Count one request of `key`, which goes to Redis and the log, so it must be neither an e-mail nor a secret.

    :param times: factor on the limit's number. :param cost: what this request counts for.
    :raises RateLimited: too many. :raises SessionsUnavailable: Redis is away, and the limit is `closed`.
    """
    limiter: FixedWindowRateLimiter | None = current_app.extensions["kakaoauth_rate_limits"]
    if limiter is None:
        return
    item = item_of(name, times)
    try:
        if limiter.hit(item, name, key, cost=cost):
            return
        raise refusal(limiter, item, name, key)
    except REDIS_ERRORS as error:
        if LIMITS[name].closed and not (is_full(error) and LIMITS[name].open_while_full):
            raise SessionsUnavailable(f"limit {name}: {type(error).__name__}") from None
        log.warning("limit not counted name=%s: %s", name, type(error).__name__)


def refusal(limiter: FixedWindowRateLimiter, item: RateLimitItem, name: str, key: str) -> RateLimited:
    """Return the error of a limit that is reached, and tell the log."""
    wait = max(1, math.ceil(limiter.storage.get_expiry(item.key_for(name, key)) - time.time()))
    if not LIMITS[name].told_once or get_redis(current_app).set(named(f"limit-told:{name}:{key}"), 1, nx=True, ex=wait):
        log.warning("limit reached name=%s key=%s", name, key)
    return RateLimited(wait)


def require_room(name: str) -> None:
    """Refuse a request whose address has reached the limit, without counting it.

    :raises RateLimited, SessionsUnavailable: as `hit`.
    """
    limiter: FixedWindowRateLimiter | None = current_app.extensions["kakaoauth_rate_limits"]
    if limiter is None:
        return
    try:
        for network, times in networks():
            item = item_of(name, times)
            if not limiter.test(item, name, network):
                raise refusal(limiter, item, name, network)
    except REDIS_ERRORS as error:
        raise SessionsUnavailable(f"limit {name}: {type(error).__name__}") from None


def hit_address(name: str) -> None:
    """Count one request of the client's address. :raises RateLimited, SessionsUnavailable: as `hit`."""
    for network, times in networks():
        hit(name, network, times=times)


def item_of(name: str, times: int) -> RateLimitItem:
    """Return the limit, its number multiplied."""
    setting = LIMITS[name].setting
    return _item(name, times * current_app.config[setting] if setting else times)


@cache
def _item(name: str, times: int) -> RateLimitItem:
    item = ITEMS[name]
    return item if times == 1 else type(item)(item.amount * times, item.multiples)


def give_back(name: str, key: str) -> None:
    """Take one request of `key` off the count again."""
    limiter: FixedWindowRateLimiter | None = current_app.extensions["kakaoauth_rate_limits"]
    if limiter is not None:
        item = ITEMS[name]
        with suppress(*REDIS_ERRORS):  # then one too many is counted, for a while
            limiter.storage.incr(item.key_for(name, key), item.get_expiry(), amount=-1)


def address() -> str:
    """Return the client's address: the peer, or the entry of X-Forwarded-For that TRUSTED_PROXIES selects (`web.edge`).

    IPv6 as a /64, the least that a customer gets (RFC 6177): a laptop can use 2^64 single addresses.
    """
    return _address_of(request.remote_addr or "")


@lru_cache(maxsize=4096)
def _address_of(peer: str) -> str:
    text = plain_address(peer)
    try:
        found = ip_address(text)
    except ValueError:
        return UNKNOWN
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped:  # what a socket for both families calls an IPv4 peer
        return str(found.ipv4_mapped)
    return f"{IPv6Address(int(found) >> 64 << 64)}/64"


def networks() -> list[tuple[str, int]]:
    """Return the keys of the client's address, each with its factor on the limit's number: an IPv4 address, or the
    networks of an IPv6 address (NETWORKS)."""
    return list(_networks_of(address()))


@lru_cache(maxsize=4096)
def _networks_of(name: str) -> tuple[tuple[str, int], ...]:
    try:
        smallest = IPv6Network(name)
    except ValueError:
        return ((name, 1),)
    return tuple((str(smallest.supernet(new_prefix=prefix)), times) for prefix, times in NETWORKS)


def account_key(email: str) -> str:
    """Return a key for an e-mail address: one for all its spellings, and not readable in Redis."""
    return disguised(normal_form(email) or email)


def disguised(text: str) -> str:
    """Return a keyed hash of `text`, which does not reveal it."""
    return keys.mac("rate limit", text).hex()[:32]


# Guards


def per_address(name: str) -> Guard:
    """Return a guard that counts by address."""
    limit = LIMITS[name]

    def guard() -> None:
        if not (limit.spares_this_machine and is_this_machine()):
            hit_address(name)

    return guard


def is_this_machine() -> bool:
    """Whether the client is on this machine; a client of a unix socket, which has no address, is."""
    peer = request.remote_addr
    return not peer or is_loopback(peer)


def per_session(name: str) -> Guard:
    """Return a guard that counts by browser session. It ignores a browser without a cookie."""

    def guard() -> None:
        cookie = current_session().cookie
        if cookie:
            hit(name, disguised(cookie))

    return guard


def by_password(email: str, attempt: Callable[[], T]) -> T:
    """Return `attempt()`, which tries a password, unless too many were wrong. Only wrong ones count.

    Counted before and given back afterwards: otherwise a hundred attempts at the same moment would all pass.

    :raises RateLimited: also for the right password, so that the error reveals nothing.
    """
    key = account_key(email)
    hit("password_account", key)
    try:
        result = attempt()
    except InvalidCredentials:
        raise
    except Exception:
        give_back("password_account", key)
        raise
    give_back("password_account", key)
    return result
