"""What earlier lines of a file have taken: on disk, because a file may have more lines than memory has room for."""

import hashlib
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from kakaoauth.staff.csv.people import Newcomer, Refused
from kakaoauth.staff.csv.reasons import Why

#: KiB of it that are kept in memory.
CACHE = 16_384


class Seen:
    """Addresses and identities of the lines that were good, as keyed hashes: the disk shall not hold people."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._key = secrets.token_bytes(32)
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(f"PRAGMA cache_size = -{CACHE}")
        connection.execute("CREATE TABLE seen (key BLOB PRIMARY KEY, line INTEGER) WITHOUT ROWID")
        connection.execute("BEGIN")

    def enter(self, person: Newcomer) -> Newcomer | Refused:
        """Refuse them if an earlier line has what is theirs alone."""
        mine = {self._hash(column, text): column for column, text in person.keys()}
        marks = ", ".join("?" * len(mine))
        query = f"SELECT key, line FROM seen WHERE key IN ({marks})"  # noqa: S608
        taken = self._connection.execute(query, list(mine)).fetchall()
        if taken:
            return Refused(
                person.line, tuple((mine[key], Why("the same as on line %(line)s", line=line)) for key, line in taken)
            )
        self._connection.executemany("INSERT INTO seen VALUES (?, ?)", [(key, person.line) for key in mine])
        return person

    def _hash(self, column: str, text: str) -> bytes:
        return hashlib.blake2b(f"{column}:{text}".encode(), digest_size=16, key=self._key).digest()


@contextmanager
def nothing_seen() -> Iterator[Seen]:
    """Open a new, empty `Seen`; its file goes with the block."""
    # An empty name is a file in the temporary folder that nobody else can open, and that goes with the connection.
    connection = sqlite3.connect("", isolation_level=None)
    try:
        yield Seen(connection)
    finally:
        connection.close()
