"""Whose sessions are open: the only file that keeps the list of each person's sessions.

It is one sorted set in Redis for each user, `sessions-of:<user id>`: the names that sessions are kept under, by when
they were last seen. The list is there for finding, and decides nothing: a session is open if it stands in Redis and the
database agrees. So it may be lost or late. A name that leads nowhere is struck off at the next look, a session that is
missing enters itself within a minute of use, and the list goes by itself when the last session on it must be over.

Beside these lists stands one sorted set for everybody, `open-sessions`: shortened names, by when each session ends
unused. It is only ever counted. What is over by then counts no more and goes with the next entry; what ends earlier is
struck off, here or by the flow that ends it in the database (`strike_all`).

Every key stands alone, as a Cluster needs: no command and no script touches two of them.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from redis import Redis
from redis.client import Pipeline

from kakaoauth.models import SESSION_USER_ID

#: Sessions of one person. One more login ends the one that was unused for longest: nobody has so many devices, but
#: a script that logs in and forgets does.
MOST = 100
OPEN = "open-sessions"
#: Characters of a name in there: 80 bits, so that no two are the same, and a third of the memory.
SHORT = 20


def key_of(user_id: int) -> str:
    return f"sessions-of:{user_id}"


def owner_of(data: Mapping[str, Any]) -> int | None:
    """Whose session holds this `data`; None: nobody has logged in there."""
    match = SESSION_USER_ID.fullmatch(str(data.get("_user_id", "")))
    return int(match[1]) if match else None


def enter(commands: Pipeline, user_id: int, name: str, *, seen: float, until: float, seconds: int) -> list[str]:
    """Run `commands`, and what puts a session on its owner's list or higher on it, in one round trip.

    Return the names beyond MOST.

    :param until: when it ends if it is not used again. :param seconds: the longest that a session lives unused.
    """
    commands.zadd(OPEN, {name[:SHORT]: until})
    commands.zremrangebyscore(OPEN, "-inf", time.time())
    commands.expire(OPEN, seconds)
    key = key_of(user_id)
    commands.zadd(key, {name: seen})
    commands.expire(key, seconds)
    commands.zrange(key, 0, -MOST - 1)
    return [beyond.decode() for beyond in commands.execute()[-1]]


def names_of(redis: Redis, user_id: int) -> list[str]:
    """The last seen first."""
    found = cast("list[bytes]", redis.zrange(key_of(user_id), 0, MOST - 1, desc=True))
    return [name.decode("ascii", "replace") for name in found]


def strike(redis: Redis, user_id: int, names: Sequence[str]) -> None:
    if names:
        redis.zrem(key_of(user_id), *names)
        redis.zrem(OPEN, *(name[:SHORT] for name in names))


def strike_all(redis: Redis, user_id: int) -> None:
    """For sessions that the database ends: they count no more. They stay on their owner's list, for the sweep."""
    names = names_of(redis, user_id)
    if names:
        redis.zrem(OPEN, *(name[:SHORT] for name in names))


def number_open(redis: Redis) -> int:
    """Everybody's, in one command."""
    return redis.zcount(OPEN, f"({time.time()}", "+inf")
