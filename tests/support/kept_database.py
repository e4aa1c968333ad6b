"""One PostgreSQL database for test after test, emptied in between."""

from typing import Any

import psycopg

from kakaoauth.storage import schema
from kakaoauth.storage.database import db

#: Bytes of rows, dead ones too, above which the files are made anew: ten times as slow as deleting a few rows.
MANY = 256 * 1024


class KeptDatabase:
    """Named "kept"; its own connection stays open, as opening one costs as much as ten pages.

    :param server: of the PostgreSQL that the wheel brings.
    """

    def __init__(self, server: Any, admin: psycopg.Connection) -> None:
        self._server, self._admin = server, admin
        self._connection: psycopg.Connection | None = None

    def url(self) -> str:
        """Made if it is not there."""
        if self._connection is None:
            self._admin.execute("CREATE DATABASE kept")
            self._connect()
        return str(self._server.get_uri(database="kept"))

    def empty(self) -> None:
        """Throw everybody out and remove all rows; or the whole database, if a test has left another schema."""
        assert self._connection
        own = self._connection.info.backend_pid
        self._admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'kept' AND pid <> %s", [own]
        )
        try:
            tables = self._tables()
        except psycopg.OperationalError:  # a test has thrown everybody out, us as well
            self._connection.close()
            self._connect()
            tables = self._tables()
        if tables == set(db.metadata.tables):
            self._remove_rows()
        else:
            self.close()

    def close(self) -> None:
        """Drop it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._admin.execute("DROP DATABASE kept WITH (FORCE)")

    def _connect(self) -> None:
        self._connection = psycopg.connect(self._server.get_uri(database="kept"), autocommit=True)

    def _tables(self) -> set[str]:
        assert self._connection
        found = self._connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {name for (name,) in found} - {schema.VERSION_TABLE}

    def _remove_rows(self) -> None:
        assert self._connection
        size = (
            "SELECT sum(pg_relation_size(format('%I', tablename)::regclass)) FROM pg_tables WHERE schemaname = 'public'"
        )
        (used,) = self._connection.execute(size).fetchone() or (0,)
        if used > MANY:
            self._connection.execute(f"TRUNCATE {', '.join(db.metadata.tables)} RESTART IDENTITY")
            return
        # The lock waits for those who are being thrown out. Foreign keys and triggers have nothing to say here.
        lock = f"LOCK TABLE {', '.join(db.metadata.tables)}"
        emptied = "".join(f"DELETE FROM {name};" for name in db.metadata.tables)
        self._connection.execute(f"SET session_replication_role = replica; BEGIN; {lock}; {emptied} COMMIT")
        self._connection.execute(
            "SELECT setval(format('%I', sequencename)::regclass, 1, false) FROM pg_sequences"
            " WHERE schemaname = 'public' AND last_value IS NOT NULL"
        )
