"""Names of ended sessions in the database: they stay ended when Redis comes back with older data.

A logout deletes its session in Redis. After a restart from a snapshot, a failover to a replica that lagged behind, or a
restored backup, Redis has it again. So the database remembers it until it would have ended anyway, and the statement
that loads a session's user (`models.find_session_user`) looks here. What ends all sessions of a user needs no row: it
raises their session version.

While the database takes no writes, ended sessions wait in a Redis list (`keep`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from flask import current_app
from sqlalchemy import String, any_, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from kakaoauth.models import EndedSession
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db
from kakaoauth.storage.quick_read import QuickRead
from kakaoauth.storage.quick_reads import Asked
from kakaoauth.storage.redis import get_redis, named

#: Rows removed in one transaction.
BATCH = 5000
#: A row stays this much longer than needed, because clocks of machines differ.
MARGIN = timedelta(hours=1)
KEY = "ends:waiting"
#: Entries in the list, enough for a long outage. Beyond it a logout fails with an error.
MOST = 10_000
#: Seconds that the list lives: by then every session of that time is over.
LONGEST = 90 * 86400

_LISTED = EndedSession.name.in_(bindparam("names", expanding=True))
#: As PostgreSQL takes a list.
_IN_ARRAY = EndedSession.name == any_(bindparam("names", type_=postgresql.ARRAY(String)))
_AMONG, _AMONG_ARRAY = (QuickRead(EndedSession, select(EndedSession).where(where)) for where in (_LISTED, _IN_ARRAY))


def remember(names: Iterable[str], until: datetime) -> None:
    """Add names within the caller's transaction; a known name stays as it is.

    :param until: when the session would have ended anyway; the row is not needed after that.
    """
    rows = [{"name": name, "until": until} for name in sorted(set(names))]
    if rows:
        insert = postgresql.insert if db.engine.dialect.name == "postgresql" else sqlite.insert
        db.session.execute(insert(EndedSession).values(rows).on_conflict_do_nothing())


def among(names: Sequence[str]) -> set[str]:
    """Return those of `names` that were ended."""
    return {row.name for row in asked(names).all(db.session())} if names else set()


def asked(names: Sequence[str]) -> Asked:
    """Ask which of `names` were ended: for their rows."""
    is_postgres = db.session.get_bind().dialect.name == "postgresql"
    return Asked(_AMONG_ARRAY if is_postgres else _AMONG, {"names": list(names)})


def forget_old() -> int:
    """Delete a batch of rows that are not needed any more. Return how many; less than BATCH: there are no more."""
    over = EndedSession.until < now() - MARGIN
    names = db.session.scalars(select(EndedSession.name).where(over).order_by(EndedSession.until).limit(BATCH)).all()
    db.session.execute(delete(EndedSession).where(EndedSession.name.in_(names)))
    return len(names)


# What waits until the database takes writes again


def keep(end: Mapping[str, Any]) -> None:
    """Append an end to the list. :param end: JSON values.

    :raises RedisError: Redis takes no writes either. :raises OverflowError: the list is full.
    """
    redis = get_redis(current_app)
    if redis.llen(named(KEY)) >= MOST:
        raise OverflowError
    redis.rpush(named(KEY), json.dumps(end))
    redis.expire(named(KEY), LONGEST)


def first() -> bytes | None:
    """Return the oldest entry and leave it in the list; `drop` removes it after it is done."""
    return cast("bytes | None", get_redis(current_app).lindex(named(KEY), 0))


def read(raw: bytes) -> dict[str, Any]:
    """Decode an entry. :raises ValueError: `keep` has not written it."""
    end = json.loads(raw)
    if not isinstance(end, dict):
        raise ValueError("not an object")
    return end


def drop(raw: bytes) -> None:
    """Remove an entry by its content: another worker may have removed it already."""
    get_redis(current_app).lrem(named(KEY), 1, cast(str, raw))
