"""Erase a user or an identity: delete the row, or empty it where a foreign key of another table forbids that.

The other table is the host's: whatever its foreign key says, a person can leave. Within the caller's transaction.
"""

import logging
import re
from typing import Any, cast

from sqlalchemy import ColumnElement, text
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import DBAPIError

from kakaoauth.accounts import notes, saved_filters
from kakaoauth.accounts.former_identities import FormerIdentity
from kakaoauth.models import Identity, User
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import TOO_SLOW, db, is_away, sqlstate
from kakaoauth.terms.consents import Consent
from kakaoauth.tokens.provider_tokens import ProviderToken
from kakaoauth.tokens.refresh_tokens import TokenFamily

log = logging.getLogger("kakaoauth.audit")

#: Columns that an emptied row keeps; `session_version` only counts up.
KEPT = frozenset(("id", "date_joined", "session_version", "erased_at"))

#: Tables with a foreign key to one, for SQLite, whose errors name none.
_REFERRING = text(
    'SELECT t.name, f."from" FROM sqlite_master t JOIN pragma_foreign_key_list(t.name) f'
    " WHERE t.type = 'table' AND lower(f.\"table\") = :table ORDER BY t.name"
)
_DEFERRED = re.compile(r"INITIALLY\s+DEFERRED", re.IGNORECASE)


class _StillReferredTo(Exception):
    """The row would stay: SQLite would refuse the commit, for a foreign key that is looked at then only, or a trigger
    of the host's has left the row where it is and said nothing."""


def delete_or_empty(user: User) -> bool:
    """Delete the row; if the database refuses for good, empty every column but KEPT.

    False if another request has just done it.
    """
    user_id = user.id
    try:
        with db.session.begin_nested():
            # By statement, not by session.delete: the database's ON DELETE CASCADE takes identities and tokens along.
            gone = _delete(User, user_id, User.erased_at.is_(None))
    except (DBAPIError, _StillReferredTo) as error:
        if isinstance(error, DBAPIError) and _may_succeed_later(error):
            raise
        gone = _empty(user_id)
        if gone:
            blamed = _blamed(error, User, user_id)
            log.warning("user=%s erased; the empty row stays, table=%s refers to it", user_id, blamed)
    db.session.expunge(user)
    return gone


def erase_identity(identity_id: int) -> None:
    """Delete the row with its tokens; if the database refuses for good, leave it without what tells whose it was."""
    try:
        with db.session.begin_nested():
            _delete(Identity, identity_id)
    except (DBAPIError, _StillReferredTo) as error:
        if isinstance(error, DBAPIError) and _may_succeed_later(error):
            raise
        db.session.execute(db.delete(ProviderToken).where(ProviderToken.identity_id == identity_id))
        # No two rows have the same provider and subject.
        nobody = {"provider": "", "subject": f"erased-{identity_id}", "confirmed_at": None}
        _rows(db.update(Identity).where(Identity.id == identity_id).values(nobody))
        blamed = _blamed(error, Identity, identity_id)
        log.warning("identity=%s erased; the empty row stays, table=%s refers to it", identity_id, blamed)


def _delete(model: type[User | Identity], row_id: int, *conditions: ColumnElement[bool]) -> bool:
    before = _deferred_violations()
    found = _rows(db.delete(model).where(model.id == row_id, *conditions))
    if _dialect() == "postgresql":
        # A deferred foreign key would be looked at by the commit only, too late to do anything else.
        db.session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    if _deferred_violations() > before or (not found and _is_there(model, row_id, *conditions)):
        raise _StillReferredTo
    return found == 1


def _is_there(model: type[User | Identity], row_id: int, *conditions: ColumnElement[bool]) -> bool:
    return db.session.scalar(db.select(model.id).where(model.id == row_id, *conditions)) is not None


def _empty(user_id: int) -> bool:
    for identity_id in db.session.scalars(db.select(Identity.id).where(Identity.user_id == user_id)).all():
        erase_identity(identity_id)
    db.session.execute(db.delete(FormerIdentity).where(FormerIdentity.user_id == user_id))
    db.session.execute(db.delete(TokenFamily).where(TokenFamily.user_id == user_id))
    db.session.execute(db.delete(Consent).where(Consent.user_id == user_id))
    notes.erase(user_id)
    saved_filters.erase(user_id)
    blank = {column.key: _blank(column) for column in User.__table__.columns if column.key not in KEPT}
    blank |= {"is_active": False, "search_text": "", "nickname_key": None}
    blank |= {"erased_at": now(), "session_version": User.session_version + 1}
    return _rows(db.update(User).where(User.id == user_id, User.erased_at.is_(None)).values(blank)) == 1


def _blank(column: Any) -> Any:
    """Of every column, also of one that is added later: nothing, or what a new user has."""
    return None if column.nullable or column.default is None else column.default.arg


def _rows(statement: Any) -> int:
    result = db.session.execute(statement.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", result).rowcount


def _may_succeed_later(error: DBAPIError) -> bool:
    """Not a statement that took too long: it looks for the rows that refer to this one, without an index."""
    return is_away(error) and sqlstate(error) != TOO_SLOW


def _deferred_violations() -> int:
    """On SQLite, how many rows refer to nothing at this moment, in tables whose foreign keys the commit looks at."""
    if _dialect() != "sqlite":
        return 0
    found = db.session.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
    tables = [name for name, sql in found if _DEFERRED.search(sql or "")]
    quote = db.session.get_bind().dialect.identifier_preparer.quote_identifier
    return sum(len(db.session.execute(text(f"PRAGMA foreign_key_check({quote(name)})")).all()) for name in tables)


def _blamed(error: Exception, model: type[User | Identity], row_id: int) -> str:
    """The table that refers to the row. No text of the error: it quotes the row."""
    orig = error.orig if isinstance(error, DBAPIError) else None
    table = getattr(getattr(orig, "diag", None), "table_name", None)
    if table:
        return str(table)
    return ",".join(_still_referring(model.__tablename__, row_id)) if _dialect() == "sqlite" else "unknown"


def _still_referring(ours: str, row_id: int) -> list[str]:
    quote = db.session.get_bind().dialect.identifier_preparer.quote_identifier
    found = []
    for table, column in db.session.execute(_REFERRING, {"table": ours}).all():
        query = text(f"SELECT 1 FROM {quote(table)} WHERE {quote(column)} = :row LIMIT 1")  # noqa: S608
        if db.session.execute(query, {"row": row_id}).first():
            found.append(table)
    return found or ["unknown"]


def _dialect() -> str:
    return db.session.get_bind().dialect.name
