"""Counters: how often something happened on a day.

One thing counted is one round trip to Redis, which never fails a login: a day's numbers in one hash. From there the
running site moves them into the database every half minute (`daily_counts.store_counts`), where a year of them is a few
thousand rows, however many people there are. Readers add what is still in Redis.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from typing import cast

from flask import current_app
from redis.client import Pipeline
from redis.exceptions import LockError, ResponseError
from sqlalchemy import BigInteger, Date, String, func, select
from sqlalchemy.orm import Mapped, mapped_column

from kakaoauth import providers
from kakaoauth.days import today
from kakaoauth.errors import AppError, is_code
from kakaoauth.storage.database import Base, db
from kakaoauth.storage.redis import REDIS_ERRORS, best_effort, get_redis, is_due, is_full, named

log = logging.getLogger("kakaoauth.counters")
#: Days, and seconds, that numbers wait in Redis at most: if the site that would move them stops for good, they go.
DAYS = 40
KEPT = DAYS * 86400
#: Seconds a worker may need to move a day.
LOCK_SECONDS = 30
#: The channels of a login, and the one login that is no provider's.
WORDS = frozenset(("page", "front-end", "api", "password"))
#: What stands for every word that is not one of ours.
OTHER = "other"
#: The day that stands for all that is too old to be kept day by day: kakaoauth.retention.
EARLIER = date(1970, 1, 1)

#: Name and label.
Key = tuple[str, str]


class DailyCount(Base):
    __tablename__ = "daily_counts"

    #: In Korea.
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    name: Mapped[str] = mapped_column(String(30), primary_key=True)
    #: What the number is about: a provider, a channel, an error code; empty where there is nothing to tell apart.
    label: Mapped[str] = mapped_column(String(100), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)


@best_effort
def count(name: str, label: str = "") -> None:
    """Count one. While Redis is away, or full, nothing is.

    :param label: words of ours, separated by a blank. Any other becomes OTHER: each label is a row a day and a line of
        `/metrics`, so a visitor must not make one up.
    """
    commands = get_redis(current_app).pipeline(transaction=False)
    add(commands, (name, label))
    commands.execute()


def add(commands: Pipeline, *counted: Key) -> None:
    """Count one of each, names and labels as `count` takes them, with the commands of a pipeline."""
    key = _key(today().isoformat())
    for name, label in counted:
        commands.hincrby(key, f"{name}|{known(label)}", 1)
    if is_due(key):
        commands.expire(key, KEPT)


def count_entry(provider: str, channel: str, *, is_new: bool = False) -> None:
    """Count a login that succeeded. :param channel: page, front-end or api."""
    for name, label in entry(provider, channel, is_new=is_new):
        count(name, label)


def entry(provider: str, channel: str, *, is_new: bool = False) -> list[Key]:
    """Return what a login that succeeded counts as."""
    return [("login_in", f"{provider} {channel}"), *([("sign_up", provider)] if is_new else [])]


def count_refusal(error: AppError, provider: str) -> None:
    """With the provider's own code; of one in two parts (Facebook's 190/463) that no table has, with the first part."""
    code = error.provider_code if error.provider_code_counts else ""
    if not providers.is_error_code(code):
        code = code.partition("/")[0]
    count("login_refused", f"{provider} {error.counted_as or error.code} {code}".rstrip())


def known(label: str) -> str:
    """The label with OTHER for each word that is none of ours."""
    return " ".join(word if _is_known(word) else OTHER for word in label.split(" ")) if label else ""


def _is_known(word: str) -> bool:
    return word in WORDS or providers.is_name(word) or is_code(word) or providers.is_error_code(word)


def per_day(since: date) -> dict[date, Counter[Key]]:
    """The numbers of each day from `since` on, moved or not."""
    found: dict[date, Counter[Key]] = {}
    query = select(DailyCount.day, DailyCount.name, DailyCount.label, DailyCount.number)
    for day, name, label, number in db.session.execute(query.where(DailyCount.day >= since)):
        found.setdefault(day, Counter())[(name, label)] += number
    for day, numbers in _waiting().items():
        if day >= since:
            found.setdefault(day, Counter()).update(numbers)
    return found


def totals() -> Counter[Key]:
    """All numbers since counting began."""
    query = select(DailyCount.name, DailyCount.label, func.sum(DailyCount.number))
    found: Counter[Key] = Counter()
    for name, label, number in db.session.execute(query.group_by(DailyCount.name, DailyCount.label)):
        found[(name, label)] = int(number)
    for numbers in _waiting().values():
        found.update(numbers)
    return found


@contextmanager
def taken_day() -> Iterator[tuple[date, Mapping[Key, int]] | None]:
    """Take the numbers of one day out of Redis; they are gone from there when the block ends without an exception.

    None if nothing waits, or another worker is at it. If this process dies between the database's commit and the end of
    the block, that batch is counted twice: half a minute's numbers.
    """
    redis = get_redis(current_app)
    lock = redis.lock(named("counters:lock"), timeout=LOCK_SECONDS, blocking=False)
    name = min(_days(), default=None)
    try:
        is_mine = name is not None and lock.acquire()
    except ResponseError as error:
        if not is_full(error):
            raise
        is_mine = False  # a full Redis takes no lock: the numbers wait
    if name is None or not is_mine:
        yield None
        return
    taken = f"{_key(name)}:taken"
    try:
        if not redis.exists(taken):
            try:
                redis.rename(_key(name), taken)
            except ResponseError:  # another worker has moved it
                pass
        yield date.fromisoformat(name), _read(taken)
        redis.delete(taken)
    finally:
        try:
            lock.release()
        except LockError:
            pass


def _waiting() -> dict[date, Counter[Key]]:
    found: dict[date, Counter[Key]] = {}
    try:
        for day in _days():
            for key in (_key(day), f"{_key(day)}:taken"):
                found.setdefault(date.fromisoformat(day), Counter()).update(_read(key))
    except REDIS_ERRORS as error:
        log.warning("numbers of the last half minute are missing: %s", type(error).__name__)
    return found


def _days() -> list[str]:
    """Days with numbers that were not moved yet."""
    days = [(today() - timedelta(days=back)).isoformat() for back in range(DAYS + 1)]
    commands = get_redis(current_app).pipeline(transaction=False)
    for day in days:
        commands.exists(_key(day))
        commands.exists(f"{_key(day)}:taken")
    found = commands.execute()
    return [day for day, *is_there in zip(days, found[::2], found[1::2], strict=True) if any(is_there)]


def _read(key: str) -> dict[Key, int]:
    found = {}
    for field, number in cast("dict[bytes, bytes]", get_redis(current_app).hgetall(key)).items():
        name, _, label = field.decode("utf-8", "replace").partition("|")
        found[(name[:30], label[:100])] = int(number)
    return found


def _key(day: str) -> str:
    # The braces keep a day's two keys in one slot of a Cluster.
    return named(f"counters:{{{day}}}")
