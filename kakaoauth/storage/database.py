"""How we talk to the database, the host's or our own: what SQLite and PostgreSQL need on each connection."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import psycopg
import sqlalchemy
from flask import Flask, current_app
from sqlalchemy import Connection, Engine, MetaData, event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, scoped_session

from kakaoauth.config.checks import ConfigError
from kakaoauth.storage import host_database, quick_read, sqlite
from kakaoauth.storage.host_database import HostDatabase
from kakaoauth.storage.own_database import OwnDatabase, SeparateDatabase

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
    #: Outside a transaction, the pool's ping is all that is waited for; not so in `each_by_itself`.
    only_pings = True

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """:raises DatabaseSilent: no answer in time; the connection is closed."""
        if timeout is None and self.bounded:
            timeout = PING_SECONDS if self.autocommit and self.only_pings else ANSWER_SECONDS
        try:
            return super().wait(gen, interval, timeout)
        except psycopg.errors._WaitTimeout:
            self.close()
            raise DatabaseSilent("no answer in time") from None


def sqlstate(error: DBAPIError) -> str | None:
    """PostgreSQL's code, as psycopg or as psycopg2 calls it."""
    state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    return state if isinstance(state, str) else None


def in_words(error: Exception) -> str:
    """What the driver calls it, like `OperationalError SQLITE_READONLY`. Its text can hold what was asked."""
    driver = getattr(error, "orig", None)
    code = getattr(driver, "sqlite_errorname", None) or (type(driver).__name__ if driver else "")
    return " ".join(dict.fromkeys(filter(None, (type(error).__name__, code))))


def is_away(error: BaseException) -> bool:
    """Whether no statement would succeed at present: no connection, read-only, full, locked. What is tried again later
    then succeeds by itself; whatever else the database refuses, it goes on refusing.
    """
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    state = sqlstate(error)
    if state:
        return error.connection_invalidated or state == READ_ONLY or state[:2] in STATE_OF_SERVER
    code = getattr(error.orig, "sqlite_errorcode", None)
    if isinstance(code, int):
        return code & 0xFF not in ABOUT_STATEMENT
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)


def prepare(engine: Engine, instance: Path) -> None:
    """Have each new connection of our own engine set up. `instance` is the folder whose files are ours alone."""
    if engine.dialect.name == "sqlite":
        sqlite.prepare(engine, instance)
    if engine.dialect.name == "postgresql":
        event.listen(engine, "do_connect", _connect_bounded)
    quick_read.spare_the_ping(engine)


@contextmanager
def unhurried(connection: Connection) -> Iterator[None]:
    """Let this transaction take its time, and use the memory that takes."""
    if connection.dialect.name != "postgresql":
        yield
        return
    bounded: Any = connection.connection.dbapi_connection
    was_bounded = getattr(bounded, "bounded", False)
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '256MB'")
    if was_bounded:
        bounded.bounded = False
    try:
        yield
    finally:
        if was_bounded:
            bounded.bounded = True


def begin_to_write(connection: Connection) -> None:
    """Have the whole of what follows in one transaction, dropped indexes and triggers included.

    Python's SQLite begins one before rows are changed, but not before that.
    """
    driver: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite" and not driver.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def each_by_itself(engine: Engine) -> Connection:
    """Return a connection on which each statement is a transaction: one round trip for each. SQLite, on this machine,
    keeps to one transaction that the caller commits.
    """
    connection = engine.connect()
    if engine.dialect.name != "postgresql":
        return connection
    connection = connection.execution_options(isolation_level="AUTOCOMMIT")
    _set_only_pings(connection, False)
    return connection


def give_back(connection: Connection) -> None:
    """Give a connection of `each_by_itself` back to the pool."""
    if not (connection.closed or connection.invalidated):
        _set_only_pings(connection, True)
    connection.close()


def _set_only_pings(connection: Connection, so: bool) -> None:
    bounded: Any = connection.connection.dbapi_connection
    if isinstance(bounded, BoundedConnection):
        bounded.only_pings = so


def _connect_bounded(_dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> BoundedConnection:
    return BoundedConnection.connect(*arguments, **options)


class Base(DeclarativeBase):
    """Our models. They belong to no app: each app has its own database, which `db` finds."""

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


class Database:
    """The current app's database: the host's, or our own where the host has given none."""

    metadata = Base.metadata
    #: SQLAlchemy's words, as Flask-SQLAlchemy has them.
    select = staticmethod(sqlalchemy.select)
    insert = staticmethod(sqlalchemy.insert)
    update = staticmethod(sqlalchemy.update)
    delete = staticmethod(sqlalchemy.delete)
    inspect = staticmethod(sqlalchemy.inspect)
    text = staticmethod(sqlalchemy.text)
    func = sqlalchemy.func

    @property
    def session(self) -> scoped_session[Any]:
        """The session of this app context, which is the host's too: one connection, one transaction."""
        return _of_app().session

    @property
    def engine(self) -> Engine:
        """The engine of the current app."""
        return _of_app().engine

    def create_all(self) -> None:
        """Make our tables as the models have them: for tests."""
        self.metadata.create_all(self.engine)

    def drop_all(self) -> None:
        """Drop our tables."""
        self.metadata.drop_all(self.engine)


db = Database()


def _of_app() -> HostDatabase:
    database: HostDatabase = current_app.extensions["kakaoauth_database"]
    return database


def init_app(app: Flask, host: HostDatabase | Literal[False] | None = None) -> None:
    """Bind our models to the host's database, or to one of our own; no connection is opened yet.

    :param host: the app's Flask-SQLAlchemy; False for a database of our own beside it.
    :raises ConfigError: it is not set up for this app, or a table of the app has the name of one of ours.
    """
    if host is None and "sqlalchemy" in app.extensions:
        raise ConfigError(
            "the app has a database already: give it to kakaoauth as KakaoAuth(app, db=db); with db=False kakaoauth"
            " keeps its tables in a database of its own, DATABASE_URL"
        )
    if not host:
        own = OwnDatabase(app) if host is None else SeparateDatabase(app)
        with app.app_context():
            prepare(own.engine, Path(app.config["INSTANCE_PATH"]))
        app.extensions["kakaoauth_database"] = own
        return
    with app.app_context():
        engine = host_database.engine_of(host)
    host_database.check_tables(host, Base.metadata)
    if engine.dialect.name == "sqlite":
        sqlite.prepare_host(engine, Base.metadata.tables)
    quick_read.spare_the_ping(engine)
    app.extensions["kakaoauth_database"] = host
