"""The user list's indexes: one for each order, one for each rare filter, one for the search.

The search index holds each text's trigrams: of "민지" they are "민지\\n" and "지\\n\\n". Two line ends at the end make
every character begin one, so a search of one or two characters is a search for trigrams that begin so. Nothing has to
be installed: on PostgreSQL it is a GIN index over a function, on SQLite a full-text table kept by triggers. Migrations
0004, 0008 and 0017 make the same.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Index, event, true
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DatabaseError

from kakaoauth.models import Identity, User
from kakaoauth.staff.listing import triggers

log = logging.getLogger(__name__)

Index("ix_users_email_key_id", User.email_key, User.id)
Index("ix_users_nickname_key_id", User.nickname_key, User.id)
Index("ix_users_last_login_id", User.last_login, User.id)
Index("ix_users_provider_date_joined_id", User.provider, User.date_joined, User.id)
Index("ix_identities_subject", Identity.subject)


def _partial(name: str, condition: ColumnElement[bool]) -> None:
    Index(name, User.date_joined, User.id, postgresql_where=condition, sqlite_where=condition)


_partial("ix_users_superusers", User.is_superuser == true())
_partial("ix_users_staff", User.is_staff & ~User.is_superuser)
#: All who are not active: for the version before this one.
_partial("ix_users_suspended", ~User.is_active)


def _in_each_order(state: str, condition: ColumnElement[bool]) -> None:
    for key in (User.date_joined, User.email_key, User.nickname_key, User.last_login):
        name = f"ix_users_{state}_{key.key}_id"
        Index(name, key, User.id, postgresql_where=condition, sqlite_where=condition)


# Few, and many in a million: too many to be sorted for a page, and too few to be met on the way.
_in_each_order("kept_out", ~User.is_active & User.closed_at.is_(None) & User.erased_at.is_(None))
_in_each_order("closed", ~User.is_active & User.closed_at.is_not(None))
#: The empty rows of those who have left: looked for to be left out.
_ERASED = User.erased_at.is_not(None)
Index("ix_users_erased", User.id, postgresql_where=_ERASED, sqlite_where=_ERASED)
ARE_STALE = User.keys_are_stale == true()
Index("ix_users_keys_are_stale", User.id, postgresql_where=ARE_STALE, sqlite_where=ARE_STALE)

#: In plpgsql, because SQL would be inlined and so lose its cost, which keeps the planner from calling it on every row.
POSTGRESQL_FUNCTION = r"""
CREATE OR REPLACE FUNCTION search_grams(t text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS $$
BEGIN
  RETURN array_to_tsvector(array_remove(string_to_array(
    regexp_replace(t || E'\n\n', '(...)', E'\\1\x1f', 'g') || E'\x1f' ||
    regexp_replace(substr(t, 2) || E'\n\n', '(...)', E'\\1\x1f', 'g') || E'\x1f' ||
    regexp_replace(substr(t, 3) || E'\n\n', '(...)', E'\\1\x1f', 'g'), E'\x1f'), ''));
END $$"""
#: With fastupdate, it would keep a list of what is not sorted in yet: each search would read it, some login sort it.
POSTGRESQL_INDEX = "CREATE INDEX ix_users_search ON users USING gin (search_grams(search_text)) WITH (fastupdate = off)"

_ADD = (
    "INSERT INTO user_search (rowid, grams) VALUES (new.id,"
    " (WITH RECURSIVE at(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM at WHERE n < length(new.search_text))"
    " SELECT group_concat(substr(new.search_text || char(10, 10), n, 3), char(31)) FROM at));"
)
_REMOVE = _ADD.replace("(rowid", "(user_search, rowid").replace("(new.id", "('delete', old.id").replace("new.", "old.")
#: Every character belongs to a word; only U+001F parts them.
SQLITE_TABLE = (
    "CREATE VIRTUAL TABLE user_search USING fts5(grams, content='', detail='none', columnsize=0, prefix='1 2',"
    " tokenize=\"unicode61 remove_diacritics 0 categories 'L* M* N* P* S* Z* C*' separators '\x1f'\")"
)
SQLITE_TRIGGERS = (
    f"CREATE TRIGGER user_search_insert AFTER INSERT ON users BEGIN {_ADD}{triggers.SQLITE_AFTER_INSERT} END",
    f"CREATE TRIGGER user_search_delete AFTER DELETE ON users BEGIN {_REMOVE} END",
    "CREATE TRIGGER user_search_update AFTER UPDATE OF search_text ON users"
    f" WHEN old.search_text <> new.search_text BEGIN {_REMOVE} {_ADD} END",
)


def is_in_models(thing: Any, name: str | None, kind: str, *_: Any) -> bool:
    """Alembic's `include_object`: False for what makes up the search index, which no model describes."""
    return not (kind == "table" and (name or "").startswith("user_search")) and name != "ix_users_search"


@event.listens_for(User.__table__, "after_create")
def _create(_table: Any, connection: Connection, **_: Any) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(POSTGRESQL_FUNCTION)
        connection.exec_driver_sql(POSTGRESQL_INDEX)
        for statement in (triggers.POSTGRESQL_FUNCTION, *triggers.POSTGRESQL_TRIGGERS):
            connection.exec_driver_sql(statement)
    if connection.dialect.name == "sqlite":
        _create_on_sqlite(connection)


@event.listens_for(User.__table__, "after_drop")
def _drop(_table: Any, connection: Connection, **_: Any) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("DROP FUNCTION IF EXISTS search_grams(text)")
        connection.exec_driver_sql("DROP FUNCTION IF EXISTS keep_list_keys()")
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("DROP TABLE IF EXISTS user_search")


def _create_on_sqlite(connection: Connection) -> None:
    """Or go on without an index: then a search looks at users one after another, which is slow but right."""
    connection.exec_driver_sql(triggers.SQLITE_UPDATE)
    try:
        connection.exec_driver_sql(SQLITE_TABLE)
    except DatabaseError as error:
        log.warning("this SQLite cannot index the search (%s): it will be slow", error.orig)
        connection.exec_driver_sql(triggers.SQLITE_INSERT)
        return
    for trigger in SQLITE_TRIGGERS:
        connection.exec_driver_sql(trigger)


@contextmanager
def filled_at_once_on_postgresql(connection: Connection) -> Iterator[None]:
    """Add the rows inserted inside to the search index all at once at the end, in a third of the time.

    The setting is back before the transaction ends, so nobody else sees it. Only the index's owner may do that.
    """
    owned = connection.exec_driver_sql(
        "SELECT pg_has_role(relowner, 'MEMBER') FROM pg_class WHERE oid = to_regclass('ix_users_search')"
    ).scalar()
    if owned:
        connection.exec_driver_sql("ALTER INDEX ix_users_search SET (fastupdate = on)")
    yield
    if owned:
        connection.exec_driver_sql("SELECT gin_clean_pending_list('ix_users_search')")
        connection.exec_driver_sql("ALTER INDEX ix_users_search SET (fastupdate = off)")


@contextmanager
def filled_by_hand_on_sqlite(connection: Connection) -> Iterator[None]:
    """Switch off the insert trigger: the caller calls `fill_on_sqlite`. The transaction hides that from others."""
    watched = connection.dialect.has_table(connection, "user_search")
    if watched:
        connection.exec_driver_sql("DROP TRIGGER user_search_insert")
    yield
    if watched:
        connection.exec_driver_sql(SQLITE_TRIGGERS[0])


def fill_on_sqlite(connection: Connection, texts: Iterable[tuple[int, str]]) -> None:
    """Do for many users what the trigger does for one. :param texts: ids with their `search_text`."""
    if connection.dialect.has_table(connection, "user_search"):
        rows = [(user_id, "\x1f".join(_trigrams(f"{text}\n\n"))) for user_id, text in texts]
        connection.exec_driver_sql("INSERT INTO user_search (rowid, grams) VALUES (?, ?)", rows)


def _trigrams(text: str) -> list[str]:
    """One for each character, also if there is none, and repeated: what the trigger removes must be what was added."""
    return [text[start : start + 3] for start in range(max(1, len(text) - 2))]
