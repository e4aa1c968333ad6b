"""How we talk to the database: the only file that knows what SQLite and PostgreSQL need on each connection."""

from typing import Any

import psycopg
from sqlalchemy import Engine, event

#: Seconds to wait for the pool's "are you there?", which psycopg sends outside a transaction, ...
PING_SECONDS = 0.8
#: ... and for any other answer: a little more than the server's own statement_timeout, which speaks first if it can.
ANSWER_SECONDS = 2.8


class DatabaseSilent(psycopg.OperationalError):
    """A network that swallows packets, a frozen machine: no limit of libpq or the kernel covers a read."""


class BoundedConnection(psycopg.Connection[Any]):
    """Waits for no answer longer than a page may take."""

    #: False for work that takes its time on purpose: migrations.
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


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """WAL lets readers go on while somebody writes; SQLite checks foreign keys only when told to."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _connect_bounded(_dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> BoundedConnection:
    return BoundedConnection.connect(*arguments, **options)
