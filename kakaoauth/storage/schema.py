"""Our tables' migrations, by Alembic: a history of its own, with a version table of its own, beside the app's."""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app
from sqlalchemy import Connection, String, Table, event, inspect, text

from kakaoauth.storage import host_database
from kakaoauth.storage.database import Base, db

MIGRATIONS = Path(__file__).parents[1] / "migrations"
VERSION_TABLE = "kakaoauth_version"
#: Where the site kept its level before it had a version table of its own: the table that every Alembic has by default,
#: so it may be the app's.
FORMER_VERSION_TABLE = "alembic_version"
#: What no other app's tables have at any level of ours: see `_is_ours`.
OUR_COLUMNS = {"users": {"email_key", "session_version"}, "identities": {"provider", "subject", "user_id"}}
#: All that the migrations make: a test compares them.
TABLES = frozenset(
    (
        *("audit_events", "daily_counts", "data_deletions", "ended_sessions", "failed_events", "former_identities"),
        *("identities", "provider_events", "provider_tokens", "saved_filters", "signing_keys", "staff_notes"),
        *("suspensions", "token_families", "unlink_jobs", "user_consents", "user_tags", "users", VERSION_TABLE),
        # SQLite's search index, which is a table and three more.
        *("user_search", "user_search_config", "user_search_data", "user_search_idx"),
    )
)


def include_object(thing: Any, name: str | None, kind: str, *_: Any) -> bool:
    """Alembic's `include_object` for the app's own env.py: False for our tables, which its models do not describe."""
    return not (kind == "table" and name in TABLES and getattr(thing, "schema", None) is None)


def compare_type(context: Any, _found: Any, _wanted: Any, found_type: Any, wanted_type: Any) -> bool | None:
    """Alembic's `compare_type`: SQLite keeps a text of any length in a column, so a longer one needs no new table."""
    are_texts = isinstance(found_type, String) and isinstance(wanted_type, String)
    return False if context.dialect.name == "sqlite" and are_texts else None


def upgrade(revision: str = "head") -> None:
    """Bring the current app's database to this version's schema. :raises CommandError: Alembic cannot."""
    with _alone() as connection:
        _take_over(connection)
        command.upgrade(_config(connection), revision)


def downgrade(revision: str = "-1") -> None:
    """Go back to an older level, or by so many. :raises CommandError: Alembic cannot."""
    with _alone() as connection:
        _take_over(connection)
        command.downgrade(_config(connection), revision)


def check() -> None:
    """:raises CommandError: the tables are not what the models say, or at an older level."""
    with _alone() as connection:
        command.check(_config(connection))


@cache
def wanted() -> str:
    """The newest revision of the migrations in this package."""
    return str(_scripts().get_current_head())


def is_behind(found: str) -> bool:
    """Whether a level is older than this code. One that is unknown belongs to a newer version, which may be gone back
    from: its tables hold all that ours do.
    """
    return found != wanted() and (not found or found in _known())


def level(connection: Connection) -> str:
    """The level of our tables; "" where there are none."""
    inspector = inspect(connection)
    if inspector.has_table(VERSION_TABLE):
        return _level_in(connection, VERSION_TABLE)
    return _former_level(connection) or ""


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(MIGRATIONS))


@cache
def _known() -> frozenset[str]:
    return frozenset(script.revision for script in _scripts().walk_revisions())


def _level_in(connection: Connection, table: str) -> str:
    return str(connection.execute(text(f"SELECT version_num FROM {table}")).scalar() or "")  # noqa: S608


def _former_level(connection: Connection) -> str | None:
    """None if that table is not there, or the app's: a number alone does not tell, the tables do."""
    inspector = inspect(connection)
    if not inspector.has_table(FORMER_VERSION_TABLE):
        return None
    for table, columns in OUR_COLUMNS.items():
        if not inspector.has_table(table) or not columns <= {one["name"] for one in inspector.get_columns(table)}:
            return None
    levels = connection.execute(text(f"SELECT version_num FROM {FORMER_VERSION_TABLE}")).scalars().all()  # noqa: S608
    return levels[0] if len(levels) == 1 and levels[0] in _known() else None


def _take_over(connection: Connection) -> None:
    """Once: move the level out of the table that the app's own migrations would take for theirs."""
    with connection.begin():
        if not inspect(connection).has_table(VERSION_TABLE) and (found := _former_level(connection)):
            _stamp(connection, found)
            connection.execute(text(f"DROP TABLE {FORMER_VERSION_TABLE}"))


def _stamp(connection: Connection, found: str) -> None:
    MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).stamp(_scripts(), found)


@event.listens_for(Base.metadata, "after_create")
def _say_level(_metadata: Any, connection: Connection, tables: Collection[Table], **_: Any) -> None:
    """Tables that were made from the models just now are at this version's level."""
    if Base.metadata.tables["users"] in tables:
        _stamp(connection, wanted())


@event.listens_for(Base.metadata, "after_drop")
def _forget_level(_metadata: Any, connection: Connection, **_: Any) -> None:
    connection.execute(text(f"DROP TABLE IF EXISTS {VERSION_TABLE}"))


@contextmanager
def _alone() -> Iterator[Connection]:
    """A connection for work that takes its time, while nobody else migrates.

    :raises ConfigError: the app has tables that ours cannot stand beside.
    """
    host_database.check_tables(current_app.extensions["kakaoauth_database"], Base.metadata)
    with db.engine.connect() as connection:
        on_postgresql = connection.dialect.name == "postgresql"
        try:
            if on_postgresql:
                _take_time(connection)
                _wait_for_turn(connection)
            yield connection
        finally:
            if on_postgresql:
                # The lock and the settings end with the connection, so it does not go back into the pool.
                connection.invalidate()


def _take_time(connection: Connection) -> None:
    driver: Any = connection.connection.dbapi_connection
    if hasattr(driver, "bounded"):
        driver.bounded = False
    with connection.begin():
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql("SET lock_timeout = 0")


def _wait_for_turn(connection: Connection) -> None:
    """Two deployments at once: the second waits here, then finds nothing left to do.

    It asks again and again, because a waiting statement would be waited for in turn by an index that is built
    CONCURRENTLY, and PostgreSQL would end one of the two as a deadlock.
    """
    while True:
        with connection.begin():
            if connection.exec_driver_sql("SELECT pg_try_advisory_lock(7091311)").scalar():
                return
        time.sleep(0.2)
