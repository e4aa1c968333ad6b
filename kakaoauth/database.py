"""How we talk to the database: the only file that knows what SQLite and PostgreSQL need on each connection."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, event

#: Seconds to wait for the pool's "are you there?", which psycopg sends outside a transaction, ...
PING_SECONDS = 0.8
#: ... and for any other answer: a little more than the server's own statement_timeout, which speaks first if it can.
ANSWER_SECONDS = 2.8


class DatabaseSilent(psycopg.OperationalError):
    """A network that swallows packets, a frozen machine: no limit of libpq or the kernel covers a read."""


class BoundedConnection(psycopg.Connection[Any]):
    """Waits for no answer longer than a page may take."""

    #: False for work that takes its time on purpose: migrations, a million users at once.
    bounded = True

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        if timeout is None and self.bounded:
            timeout = PING_SECONDS if self.autocommit else ANSWER_SECONDS
        try:
            return super().wait(gen, interval, timeout)
        except psycopg.errors._WaitTimeout:
            self.close()
            raise DatabaseSilent("no answer in time") from None


def prepare(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
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


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """WAL lets readers go on while somebody writes; SQLite checks foreign keys only when told to."""
    with suppress(sqlite3.OperationalError):  # a file that cannot be written can be read
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _connect_bounded(_dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> BoundedConnection:
    return BoundedConnection.connect(*arguments, **options)
