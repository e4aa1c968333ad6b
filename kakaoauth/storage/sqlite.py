"""What an SQLite file needs: settings for each connection, a file for its owner alone, and no trace of what was erased.

SQLite leaves what was deleted in three places. In pages: `secure_delete` overwrites it. In the write-ahead log, which
holds every page of the last transactions: it is cut off after a transaction that deleted or replaced something. In the
search index, whose words stay in old segments until these are merged: they are, after a user was deleted or renamed.
"""

import contextlib
import os
import re
import sqlite3
import stat
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

#: What a file of SQLite's may have beside it.
SUFFIXES = ("", "-wal", "-shm", "-journal")
#: In any statement, also in the middle of one (`ON CONFLICT DO UPDATE`, `WITH ... DELETE`).
_ERASES = r"\b(?:DELETE|UPDATE|REPLACE|DROP)\b"
#: What the triggers of listing/indexes.py answer by taking words out of the search index.
_UNINDEXES = re.compile(r"\s*(?:DELETE\s+FROM\s+users\b|UPDATE\s+users\b.*\bsearch_text\b)", re.IGNORECASE | re.DOTALL)
#: Seconds before the next try, where somebody was reading or writing: each try costs a write to the disk.
PAUSE = 1.0
#: Pages of the search index that one transaction merges: some milliseconds, then others may write again.
MERGED_PAGES = 500


def prepare(engine: Engine, instance: Path) -> None:
    """Listen to an engine. Files in `instance` are ours: there an old file's mode is corrected as well."""
    traces = _Traces()
    event.listen(engine, "do_connect", lambda _dialect, _record, arguments, _options: keep_private(arguments, instance))
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "before_cursor_execute", traces.note)
    event.listen(engine, "checkin", traces.remove)


def prepare_host(engine: Engine, tables: Collection[str]) -> None:
    """Listen to an engine of the host's, which may have open connections. Its file, its journal and its durability are
    the host's; without the check of foreign keys a person's identities and tokens would outlive them.

    :param tables: names of ours: whatever is erased elsewhere, the host cares for.
    """
    traces = _Traces(tables)
    event.listen(engine, "checkout", _set_up_for_host)
    event.listen(engine, "before_cursor_execute", traces.note)
    event.listen(engine, "checkin", traces.remove)


def keep_private(arguments: list[Any], instance: Path) -> None:
    """Make the file for its owner alone, before SQLite makes it for everybody; its companions take over its mode."""
    name = str(arguments[0]) if arguments else ""
    if not name or name.startswith((":", "file:")):
        return
    with contextlib.suppress(OSError):  # SQLite itself says what is wrong with the folder
        os.close(os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    if not Path(name).resolve().is_relative_to(instance.resolve()):
        return
    for suffix in SUFFIXES:
        with contextlib.suppress(OSError):  # not there, or somebody else's
            mode = stat.S_IMODE(os.stat(name + suffix).st_mode)
            if mode & 0o077:
                os.chmod(name + suffix, mode & 0o700)


def _set_up(connection: Any, _record: Any) -> None:
    """WAL lets readers go on while somebody writes; SQLite checks foreign keys only when told to."""
    with contextlib.suppress(sqlite3.OperationalError):  # a file that cannot be written can be read
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")


def _set_up_for_host(connection: Any, record: Any, _proxy: Any) -> None:
    if "kakaoauth" not in record.info:
        record.info["kakaoauth"] = True
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")


class _Traces:
    """Whether the log and the search index of one engine may still hold what was erased.

    :param tables: those that matter; all of them if not given.
    """

    def __init__(self, tables: Collection[str] = ()) -> None:
        named = rf"[^;]*\b(?:{'|'.join(map(re.escape, tables))})\b" if tables else ""
        self._erases = re.compile(_ERASES + named, re.IGNORECASE | re.DOTALL)
        self._in_log = True  # a process may have been killed before it came to it
        self._in_index = False
        self._next_try = 0.0

    def note(
        self, connection: Connection, _cursor: Any, statement: str, _parameters: Any, _context: Any, _many: bool
    ) -> None:
        """Remember that this connection's transaction erases something."""
        if self._erases.search(statement):
            connection.info["erased"] = True
            if _UNINDEXES.match(statement):
                connection.info["unindexed"] = True

    def remove(self, connection: sqlite3.Connection | None, record: Any) -> None:
        """When a connection comes back to the pool, its transaction is over.

        Nothing waits here: while somebody reads or writes, it is left to a connection that comes back later.
        """
        self._in_log |= bool(record.info.pop("erased", False))
        self._in_index |= bool(record.info.pop("unindexed", False))
        if connection is None or not (self._in_log or self._in_index):
            return
        if time.monotonic() < self._next_try:
            return
        in_index = self._in_index
        self._in_log = self._in_index = False
        try:
            done = _remove_traces(connection, in_index)
        except sqlite3.Error:
            done = False
        if not done:
            self._in_log, self._in_index = True, self._in_index or in_index
            self._next_try = time.monotonic() + PAUSE


def _remove_traces(connection: sqlite3.Connection, in_index: bool) -> bool:
    """False if a reader still needs the log."""
    (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout=0")
    try:
        if in_index:
            _merge_index(connection)
        (busy, _in_log, _moved) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy
    finally:
        connection.rollback()
        connection.execute(f"PRAGMA busy_timeout={int(patience)}")


def _merge_index(connection: sqlite3.Connection) -> None:
    """Merge every segment of every full-text index, a few pages at a time (https://sqlite.org/fts5.html, 6.8)."""
    tables = connection.execute("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE % USING fts5%'")
    for (table,) in tables.fetchall():
        pages, changes = -MERGED_PAGES, 2
        while changes > 1:
            before = connection.total_changes
            with connection:
                connection.execute(f"INSERT INTO {table} ({table}, rank) VALUES ('merge', ?)", (pages,))  # noqa: S608
            pages, changes = MERGED_PAGES, connection.total_changes - before
