"""How we talk to the database: what SQLite and PostgreSQL need on each connection."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, MetaData, event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase

from kakaoauth.storage import sqlite

#: Seconds to wait for the pool's "are you there?", which psycopg sends outside a transaction, ...
PING_SECONDS = 0.8
#: ... and for any other answer: a little more than the server's own statement_timeout, which speaks first if it can.
ANSWER_SECONDS = 2.8

#: PostgreSQL's classes of errors (its appendix A) that come from the server's state and not from the statement:
#: connection, rollback by a race, resources (a full disk), an object in use, shutdown and time-out, input and output.
STATE_OF_SERVER = ("08", "40", "53", "55", "57", "58")
#: A replica, or a server that an operator has made read-only.
READ_ONLY = "25006"
#: A statement that was still running at statement_timeout.
TOO_SLOW = "57014"
#: SQLite's result codes that are about the statement (https://sqlite.org/rescode.html): ERROR, TOOBIG, CONSTRAINT,
#: MISMATCH, MISUSE, RANGE. The others are about its file: busy, read-only, full, broken.
ABOUT_STATEMENT = frozenset((1, 18, 19, 20, 21, 25))


class DatabaseSilent(psycopg.OperationalError):
    """A network that swallows packets, a frozen machine: no limit of libpq or the kernel covers a read."""


class BoundedConnection(psycopg.Connection[Any]):
    """Waits for no answer longer than a page may take."""

    #: False for work that takes its time on purpose: migrations, a million users at once.
    bounded = True

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """:raises DatabaseSilent: no answer in time; the connection is closed."""
        if timeout is None and self.bounded:
            timeout = PING_SECONDS if self.autocommit else ANSWER_SECONDS
        try:
            return super().wait(gen, interval, timeout)
        except psycopg.errors._WaitTimeout:
            self.close()
            raise DatabaseSilent("no answer in time") from None


def is_away(error: BaseException) -> bool:
    """Whether no statement would succeed at present: no connection, read-only, full, locked. What is tried again later
    then succeeds by itself; whatever else the database refuses, it goes on refusing.
    """
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(state, str):
        return error.connection_invalidated or state == READ_ONLY or state[:2] in STATE_OF_SERVER
    code = getattr(error.orig, "sqlite_errorcode", None)
    if isinstance(code, int):
        return code & 0xFF not in ABOUT_STATEMENT
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)


def prepare(engine: Engine, instance: Path) -> None:
    """Have each new connection set up. `instance` is the folder whose files are ours alone."""
    if engine.dialect.name == "sqlite":
        sqlite.prepare(engine, instance)
    if engine.dialect.name == "postgresql":
        event.listen(engine, "do_connect", _connect_bounded)


@contextmanager
def unhurried(connection: Connection) -> Iterator[None]:
    """Let this transaction take its time, and use the memory that takes."""
    if connection.dialect.name != "postgresql":
        yield
        return
    bounded: Any = connection.connection.dbapi_connection
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '256MB'")
    bounded.bounded = False
    try:
        yield
    finally:
        bounded.bounded = True


def begin_to_write(connection: Connection) -> None:
    """Have the whole of what follows in one transaction, dropped indexes and triggers included.

    Python's SQLite begins one before rows are changed, but not before that.
    """
    driver: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite" and not driver.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _connect_bounded(_dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> BoundedConnection:
    return BoundedConnection.connect(*arguments, **options)


log = logging.getLogger("kakaoauth.database")


class Base(DeclarativeBase):
    #: Named constraints: SQLite cannot drop an unnamed one in a migration.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Database(SQLAlchemy):
    """Flask-SQLAlchemy, whose last word on a request is not an error: the answer is made by then."""

    def _teardown_session(self, exc: BaseException | None) -> None:
        """Give the connection back, or, if it does not answer any more, up.

        A rollback that fails here would replace the answer, or the page that says the database is away, by the server's
        own bare 500. What was to be stored is committed by now.
        """
        try:
            super()._teardown_session(exc)
        except Exception as error:
            log.warning("a connection is given up after the answer: %s", type(error).__name__)
            with suppress(Exception):
                self.session().invalidate()
            self.session.registry.clear()


db = Database(model_class=Base)
migrate = Migrate()


def init_app(app: Flask) -> None:
    """Bind SQLAlchemy and Alembic to the app; no connection is opened yet."""
    db.init_app(app)
    with app.app_context():
        prepare(db.engine, Path(app.config["INSTANCE_PATH"]))
    migrate.init_app(app, db, directory=str(Path(__file__).parents[1] / "migrations"))
