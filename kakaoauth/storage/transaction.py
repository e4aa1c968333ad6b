"""All or nothing: the only file that commits."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm.exc import StaleDataError

from kakaoauth.storage.database import db

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
                result = verb(*args, **kwargs)
                db.session.commit()
                return result
            except (IntegrityError, OperationalError, StaleDataError) as error:
                db.session.rollback()
                if attempt == TRIES or not _lost_a_race(error):
                    raise
            except BaseException:
                db.session.rollback()
                raise
        raise AssertionError("unreachable")

    return run


def forget_transaction() -> None:
    """Give back a connection that a failure has left in the middle of something."""
    db.session.remove()


def _lost_a_race(error: IntegrityError | OperationalError | StaleDataError) -> bool:
    if isinstance(error, IntegrityError | StaleDataError):
        return True
    # 40P01 deadlock_detected, 40001 serialization_failure (PostgreSQL, appendix A).
    return getattr(error.orig, "sqlstate", None) in ("40P01", "40001")
