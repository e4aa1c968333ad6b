"""Index of open sessions in Redis: one list for each user, and one set of all for counting.

A user's list is a sorted set, `sessions-of:<user id>`: session names by last use, in tenths of a second. It only helps
to find sessions; a session is open if Redis has it and the database agrees. So the list may be lost or late: a stale
name is removed at the next look, a missing session adds itself within a minute of use, and the key expires with its
last session.

`open-sessions` is one sorted set for all users: shortened names by the time each session ends unused. It is only
counted. Entries whose time is over are removed with an entry once a minute, sessions that end earlier by `strike` or
`strike_all`.

No command and no script touches two keys, as Redis Cluster requires. There `open-sessions` is 16 keys, each with the
sessions of one part: it is written at each login and once a minute by each session in use.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from redis import Redis
from redis.client import Pipeline

from kakaoauth.models import SESSION_USER_ID
from kakaoauth.storage.redis import all_spread, ask, is_due, named, spread

#: Sessions of one person. One more login ends the one that was unused for longest: nobody has so many devices, but
#: a script that never logs out has.
MOST = 100
OPEN = "open-sessions"
#: Characters of a name in there: 78 bits, so that no two are the same, and less memory. An older version's names are in
#: hexadecimal digits, of which it has kept 20.
SHORT, FORMERLY = 13, 20


def key_of(user_id: int) -> str:
    """Return the Redis key of a user's list."""
    return named(f"sessions-of:{user_id}")


def owner_of(data: Mapping[str, Any]) -> int | None:
    """Return the user id in a session's data; None for an anonymous session."""
    match = SESSION_USER_ID.fullmatch(str(data.get("_user_id", "")))
    return int(match[1]) if match else None


def enter(commands: Pipeline, user_id: int, name: str, *, seen: float, until: float, seconds: int) -> list[Any]:
    """Run `commands` and add or refresh a session in the index, in one round trip. Return all answers, for `beyond`.

    :param seen: last use, in unix seconds. :param until: when it ends if it is not used again.
    :param seconds: the longest that a session lives unused.
    """
    counted = spread(OPEN, name)
    commands.zadd(counted, {_short(name): until})
    if is_due(counted):
        commands.zremrangebyscore(counted, "-inf", time.time())
        commands.expire(counted, seconds)
    key = key_of(user_id)
    commands.zadd(key, {name: round(seen * 10)})  # a whole number takes half the memory
    commands.expire(key, seconds)
    commands.zrange(key, 0, -MOST - 1)
    return commands.execute()


def beyond(answers: Sequence[Any]) -> list[str]:
    """Return the names beyond MOST, which the caller ends. :param answers: from `enter`."""
    return [name.decode() for name in answers[-1]]


def names_of(redis: Redis, user_id: int) -> list[str]:
    """Return the names of a user's sessions, the last used first, at most MOST."""
    found = cast("list[bytes]", ask(redis, "ZREVRANGE", key_of(user_id), 0, MOST - 1))
    return [name.decode("ascii", "replace") for name in found]


def strike(redis: Redis, user_id: int, names: Sequence[str]) -> None:
    """Remove sessions from their owner's list and from the count."""
    if names:
        redis.zrem(key_of(user_id), *names)
        _strike_counted(redis, names)


def strike_all(redis: Redis, user_id: int) -> None:
    """Take all sessions of a user out of the count. They stay on the user's list until they are deleted."""
    names = names_of(redis, user_id)
    _strike_counted(redis, names)


def _strike_counted(redis: Redis, names: Sequence[str]) -> None:
    parts: dict[str, list[str]] = {}
    for name in names:
        parts.setdefault(spread(OPEN, name), []).append(_short(name))
    for key, shortened in parts.items():
        redis.zrem(key, *shortened)


def _short(name: str) -> str:
    return name[: FORMERLY if len(name) == 64 else SHORT]


def number_open(redis: Redis) -> int:
    """Return how many sessions of all users are open."""
    return sum(redis.zcount(key, f"({time.time()}", "+inf") for key in all_spread(OPEN))
