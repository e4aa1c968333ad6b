"""Who was here, as a number: the only file that counts people.

A day's people are one HyperLogLog in Redis, at most 12 kB for however many there are. It knows how many different
numbers it was given, to about one percent (exactly while they are few), and lists none of them. People are noted
when a session is begun, and at most once a minute while it is used; an app's when it logs in or refreshes its tokens.
Each day's number goes into the table with the other counts; what only Redis can say is how many different people
several days had together.
"""

import logging
from collections.abc import Sequence
from datetime import date, timedelta

from flask import current_app
from redis.client import Pipeline

from kakaoauth.counting import counters
from kakaoauth.storage.days import today
from kakaoauth.storage.redis import REDIS_ERRORS, get_redis

log = logging.getLogger("kakaoauth.presence")

#: What `daily_counts` calls the number of a day's people.
NAME = "people"


def mark_active(commands: Pipeline, user_id: int) -> None:
    """This person is here today."""
    day = today()
    commands.pfadd(_key(day), user_id)
    commands.expire(_key(day), counters.KEPT)


def mark_active_app(user_id: int) -> None:
    """The same for somebody who has no session. While Redis is away nobody is."""
    try:
        commands = get_redis(current_app).pipeline(transaction=False)
        mark_active(commands, user_id)
        commands.execute()
    except REDIS_ERRORS as error:
        log.debug("not counted: %s", type(error).__name__)


def number_on(day: date) -> int:
    return _count([day])


def active_in_last(days: int) -> int:
    """How many different people were here on the last so many days, today included; 40 days back at most."""
    return _count([today() - timedelta(days=back) for back in range(days)])


def note_many(day: date, user_ids: Sequence[int]) -> None:
    """For a house that is filled to try it out."""
    redis = get_redis(current_app)
    redis.pfadd(_key(day), *user_ids)
    redis.expire(_key(day), counters.KEPT)


def _count(days: Sequence[date]) -> int:
    return get_redis(current_app).pfcount(*(_key(day) for day in days))


def _key(day: date) -> str:
    # The braces keep all days in one slot of a Cluster: several are counted together.
    return f"{{people}}:{day.isoformat()}"
