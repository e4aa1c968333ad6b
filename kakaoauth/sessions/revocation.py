"""End all sessions and tokens of a user in the database, by raising their session version."""

import logging
from typing import Any, cast

from flask import current_app
from sqlalchemy import ColumnExpressionArgument, update
from sqlalchemy.engine import CursorResult

from kakaoauth.models import User
from kakaoauth.sessions import index as session_index
from kakaoauth.storage.database import db
from kakaoauth.storage.redis import REDIS_ERRORS, get_redis

log = logging.getLogger("kakaoauth.presence")


def revoke_sessions(user: User) -> None:
    """End every session and token of this user, within the caller's transaction.

    The database increments the version. With a number computed here, the second of two calls at the same moment would
    write the same version as the first, and sessions begun between them would stay open.
    """
    user.session_version = User.session_version + 1
    db.session.flush()  # From now on the attribute is read from the database.
    uncount_sessions(user.id)


def revoke_all(user_id: int, *as_known: ColumnExpressionArgument[bool]) -> bool:
    """End every session and token of a user by one statement, within the caller's transaction.

    :param as_known: what must still be true of the user. False: it is not, or there is no such user.
    """
    raised = update(User).where(User.id == user_id, *as_known).values(session_version=User.session_version + 1)
    if not cast("CursorResult[Any]", db.session.execute(raised)).rowcount:
        return False
    uncount_sessions(user_id)
    return True


def uncount_sessions(user_id: int) -> None:
    """Take a user's sessions out of the number of open sessions.

    If the transaction fails, a session counts again within a minute of use. While Redis is away, the sessions go on
    counting until they would have ended unused.
    """
    try:
        session_index.strike_all(get_redis(current_app), user_id)
    except REDIS_ERRORS as error:
        log.warning("ended sessions go on counting as open: %s", type(error).__name__)
