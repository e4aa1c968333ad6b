"""Sessions that were ended one by one, by name: what was ended stays ended when Redis comes back with older data.

A logout deletes its session in Redis. After a restart from a snapshot, a failover to a replica that lagged behind, or a
restored backup, Redis has it again. So the database remembers it until it would have ended anyway, and the statement
that loads a session's user (`models.find_session_user`) looks here. What ends all sessions of a user needs no row: it
raises their session version.

While the database takes no writes, what is to be remembered waits in Redis: `keep`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from flask import current_app
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from kakaoauth.models import EndedSession
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db
from kakaoauth.storage.redis import get_redis

#: Rows removed in one transaction.
BATCH = 5000
#: How much longer than needed a row stays, for machines whose clocks differ.
MARGIN = timedelta(hours=1)
KEY = "ends:waiting"
#: Those of a long outage. Beyond it an end is refused, so that whoever asked for it knows.
MOST = 10_000
#: Seconds they wait at most: by then every session of that time is over.
LONGEST = 90 * 86400


def remember(names: Iterable[str], until: datetime) -> None:
    """In the caller's transaction. One that is remembered already stays as it is."""
    rows = [{"name": name, "until": until} for name in sorted(set(names))]
    if rows:
        insert = postgresql.insert if db.engine.dialect.name == "postgresql" else sqlite.insert
        db.session.execute(insert(EndedSession).values(rows).on_conflict_do_nothing())


def among(names: Sequence[str]) -> set[str]:
    """Those of the names that are remembered."""
    if not names:
        return set()
    return set(db.session.scalars(select(EndedSession.name).where(EndedSession.name.in_(names))))


def forget_old() -> int:
    """Remove a batch of those that would be over by now. Return how many: less than BATCH means all."""
    over = EndedSession.until < now() - MARGIN
    names = db.session.scalars(select(EndedSession.name).where(over).order_by(EndedSession.until).limit(BATCH)).all()
    db.session.execute(delete(EndedSession).where(EndedSession.name.in_(names)))
    return len(names)


# What waits until the database takes writes again


def keep(end: Mapping[str, Any]) -> None:
    """:param end: JSON values. :raises RedisError: Redis takes no writes either. :raises OverflowError: too many."""
    redis = get_redis(current_app)
    if redis.llen(KEY) >= MOST:
        raise OverflowError
    redis.rpush(KEY, json.dumps(end))
    redis.expire(KEY, LONGEST)


def first() -> bytes | None:
    """The oldest, left where it is: it goes only when it has been done."""
    return cast("bytes | None", get_redis(current_app).lindex(KEY, 0))


def read(raw: bytes) -> dict[str, Any]:
    """:raises ValueError: not what `keep` has written."""
    end = json.loads(raw)
    if not isinstance(end, dict):
        raise ValueError("not an object")
    return end


def drop(raw: bytes) -> None:
    """By its content: another worker may have dropped it already, and the oldest is another one by now."""
    get_redis(current_app).lrem(KEY, 1, cast(str, raw))
