"""Whether Redis and the database answer, and take writes."""

import logging
import time

from flask import Flask, current_app
from sqlalchemy import column, table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from kakaoauth.errors import DatabaseUnavailable, SessionsUnavailable
from kakaoauth.storage import schema as migrations
from kakaoauth.storage.columns import UtcDateTime, now
from kakaoauth.storage.database import db, each_by_itself, give_back
from kakaoauth.storage.redis import REDIS_ERRORS, get_redis, named

log = logging.getLogger("kakaoauth.database")

#: Where a write is tried: a row that is over already goes with the next tidying (sessions.ended).
ENDED_SESSIONS = table("ended_sessions", column("name"), column("until", UtcDateTime))
#: What a process knows of the schema: nothing yet, that it can be used, or that it was told what to do.
USABLE, TOLD = "usable", "told"
#: Seconds an answer is good for: pages ask too, and a crowd shall not become a crowd of pings.
MEMORY = 1.0


def init_app(app: Flask) -> None:
    """Begin with no remembered answers."""
    app.extensions["kakaoauth_health"] = {"until": 0.0, "error": None, "writable_until": {}, "schema": ""}


def redis_answers() -> bool:
    """Whether Redis answers a PING now."""
    try:
        return bool(get_redis(current_app).ping())
    except REDIS_ERRORS:
        return False


def schema() -> str | None:
    """The database's schema level, "" for an empty one; None while the database is away."""
    try:
        with db.engine.connect() as connection:
            return migrations.level(connection)
    except SQLAlchemyError:
        return None


def schema_is_usable() -> bool:
    """Whether the database answers and has this version's tables; says once in the log what to do if it has not."""
    found = schema()
    if found is None:
        return False
    if not migrations.is_behind(found):
        current_app.extensions["kakaoauth_health"]["schema"] = USABLE
        return True
    if current_app.extensions["kakaoauth_health"]["schema"] != TOLD:
        current_app.extensions["kakaoauth_health"]["schema"] = TOLD
        log.critical(
            "the database has %s of kakaoauth, this version needs %s: run: flask kakaoauth upgrade",
            f"schema {found}" if found else "no tables",
            migrations.wanted(),
        )
    return False


def database_answers() -> bool:
    """Whether the database answers a SELECT now. In no transaction: its ROLLBACK would make psycopg drop the statements
    that are prepared on the connection, and each second another one's."""
    try:
        connection = each_by_itself(db.engine)
        try:
            connection.execute(text("SELECT 1"))
        finally:
            give_back(connection)
    except SQLAlchemyError:
        return False
    return True


def takes_writes(name: str) -> bool:
    """Whether Redis ("redis") or the database ("database") stores something now. With a full disk, as a standby or at
    `maxmemory` they answer, and nobody can log in.

    Only storing tells. What went well is believed for a second, so that a crowd of probes is no crowd of writes.
    """
    until: dict[str, float] = current_app.extensions["kakaoauth_health"]["writable_until"]
    if time.monotonic() < until.get(name, 0.0):
        return True
    store = {"redis": _store_in_redis, "database": _store_in_database}[name]
    if not store():
        return False
    until[name] = time.monotonic() + MEMORY
    return True


def _store_in_redis() -> bool:
    try:
        return bool(get_redis(current_app).set(named("readyz"), "1", ex=60))
    except REDIS_ERRORS:
        return False


def _store_in_database() -> bool:
    """A row that is over already, and so goes with the next tidying. In its own transaction: no flow asks this."""
    insert = postgresql.insert if db.engine.dialect.name == "postgresql" else sqlite.insert
    row = insert(ENDED_SESSIONS).values(name="readyz", until=now())
    try:
        with db.engine.begin() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"until": row.excluded.until}))
            return True
    except SQLAlchemyError:
        return False


def require() -> None:
    """Tell an anonymous visitor at once, instead of after the press of a button that cannot work.

    :raises SessionsUnavailable, DatabaseUnavailable:
    """
    memory = current_app.extensions["kakaoauth_health"]
    if time.monotonic() >= memory["until"]:
        memory["error"] = _find_error()
        memory["until"] = time.monotonic() + MEMORY
    if memory["error"]:
        raise memory["error"]("seen by the health check")


def _find_error() -> type[SessionsUnavailable] | type[DatabaseUnavailable] | None:
    if not redis_answers():
        return SessionsUnavailable
    usable = (
        database_answers() if current_app.extensions["kakaoauth_health"]["schema"] == USABLE else schema_is_usable()
    )
    return None if usable else DatabaseUnavailable
