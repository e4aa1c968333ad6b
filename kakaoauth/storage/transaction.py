"""All or nothing: commits, and what happens after a commit."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from blinker import Signal
from flask import current_app
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm.exc import StaleDataError

from kakaoauth.storage.database import db, sqlstate
from kakaoauth.storage.quick_read import join

log = logging.getLogger("kakaoauth.signals")

P = ParamSpec("P")
R = TypeVar("R")

#: Two people racing for one row need one repetition; a crowd at one first login needs few more.
TRIES = 4


def transaction(verb: Callable[P, R]) -> Callable[P, R]:
    """Commit what `verb` did, or nothing of it. A lost race (unique key, deadlock, row gone) is run again."""

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, TRIES + 1):
            try:
                _signals().clear()
                _kept().clear()
                result = verb(*args, **kwargs)
                _commit()
                _send()
                return result
            except (IntegrityError, OperationalError, StaleDataError) as error:
                db.session.rollback()
                if attempt == TRIES or not lost_a_race(error):
                    raise
            except BaseException:
                db.session.rollback()
                raise
        raise AssertionError("unreachable")

    return run


def commit_on(connection: Connection) -> None:
    """Commit what was done on a connection that is no session's: see `database.each_by_itself`."""
    connection.commit()


def keep_as_stored(one: object) -> None:
    """Spare the statement that reads an object again when it is looked at after the commit."""
    _kept().append(one)


def _kept() -> list[object]:
    kept: list[object] = db.session.info.setdefault("kakaoauth_kept", [])
    return kept


def _commit() -> None:
    """Every member of the session is read again after a commit: what is kept is none meanwhile."""
    session, kept = db.session(), _kept()
    if kept:
        session.flush()
    for one in kept:
        session.expunge(one)
    session.commit()
    for one in kept:
        join(session, one)  # `add` would begin the next transaction


def after_commit(signal: Signal, **values: Any) -> None:
    """Send `signal` once the transaction that runs is committed, with the app as its sender; never if it is not."""
    _signals().append((signal, values))


def _signals() -> list[tuple[Signal, dict[str, Any]]]:
    waiting: list[tuple[Signal, dict[str, Any]]] = db.session.info.setdefault("kakaoauth_signals", [])
    return waiting


def _send() -> None:
    waiting = list(_signals())
    _signals().clear()
    for signal, values in waiting:
        tell(signal, **values)


def tell(signal: Signal, **values: Any) -> None:
    """Send `signal` now. A host's receiver that fails undoes nothing: what it was told of has happened."""
    try:
        signal.send(current_app._get_current_object(), **values)  # type: ignore[attr-defined]
    except Exception:
        log.exception("a receiver of the signal %s failed", getattr(signal, "name", ""))


def forget_transaction() -> None:
    """Give back a connection that a failure has left in the middle of something."""
    db.session.remove()


def lost_a_race(error: IntegrityError | OperationalError | StaleDataError) -> bool:
    """Whether another transaction was faster: the same once more may succeed."""
    if isinstance(error, IntegrityError | StaleDataError):
        return True
    # 40P01 deadlock_detected, 40001 serialization_failure (PostgreSQL, appendix A).
    return sqlstate(error) in ("40P01", "40001")
