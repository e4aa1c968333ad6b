"""How many different people were active on a day, or in the last days.

A day is one HyperLogLog in Redis, at most 12 kB; in a Cluster it is 16, each of its own part of the people. It knows
how many different user ids it was given, to about one percent (exactly while they are few), and lists none of them. A
person is marked when a session is begun, and at most once a minute while it is used; an app's when it logs in or
refreshes its tokens. Each day's number goes into the table with the other counts; what only Redis can say is how many
different people several days had together.
"""

from collections.abc import Sequence
from datetime import date, timedelta

from flask import current_app
from redis.client import Pipeline

from kakaoauth.counting import counters
from kakaoauth.days import today
from kakaoauth.storage.redis import all_spread, best_effort, get_redis, is_due, spread

#: What `daily_counts` calls the number of a day's people.
NAME = "people"


def mark_active(commands: Pipeline, user_id: int) -> None:
    """Mark a user as active today, within a pipeline."""
    key = _key(today(), user_id)
    commands.pfadd(key, user_id)
    if is_due(key):
        commands.expire(key, counters.KEPT)


@best_effort
def mark_active_app(user_id: int) -> None:
    """Mark a user who has no session. Does nothing while Redis is away."""
    commands = get_redis(current_app).pipeline(transaction=False)
    mark_active(commands, user_id)
    commands.execute()


def number_on(day: date) -> int:
    """Return how many different people were active on one day. :raises RedisError:"""
    return _count([day])


def active_in_last(days: int) -> int:
    """How many different people were here on the last so many days, today included; 40 days back at most."""
    return _count([today() - timedelta(days=back) for back in range(days)])


def mark_many_active(day: date, user_ids: Sequence[int]) -> None:
    """Mark many users at once; for `users seed`."""
    redis = get_redis(current_app)
    parts: dict[str, list[int]] = {}
    for user_id in user_ids:
        parts.setdefault(_key(day, user_id), []).append(user_id)
    for key, some in parts.items():
        redis.pfadd(key, *some)
        redis.expire(key, counters.KEPT)


def _count(days: Sequence[date]) -> int:
    """Nobody is in two parts, so their numbers add up."""
    parts = zip(*(all_spread(_name(day)) for day in days), strict=True)
    return sum(get_redis(current_app).pfcount(*part) for part in parts)


def _key(day: date, user_id: int) -> str:
    return spread(_name(day), str(user_id))


def _name(day: date) -> str:
    # The braces keep all days of one part in one slot of a Cluster: several are counted together.
    return f"{{people}}:{day.isoformat()}"
