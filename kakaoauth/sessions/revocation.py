"""Sessions that the database ends, and the number of those that are open, which does not decide whether one is."""

import logging
from typing import Any, cast

from flask import current_app
from sqlalchemy import update
from sqlalchemy.engine import CursorResult

from kakaoauth.models import User
from kakaoauth.sessions import index as session_index
from kakaoauth.storage.database import db
from kakaoauth.storage.redis import REDIS_ERRORS, get_redis

log = logging.getLogger("kakaoauth.presence")


def revoke_sessions(user: User) -> None:
    """End every session and token of this user. Inside another verb's transaction.

    The database counts up: of two that end them at the same moment, each with the number that it has read, the second
    would otherwise write what the first has written, and bring a session back that goes on with that number.
    """
    user.session_version = User.session_version + 1
    db.session.flush()  # What is read from now on is what stands in the database.
    uncount_sessions(user.id)


def revoke_all(user_id: int) -> bool:
    """End every session and token of the user with that number, by one statement. Inside a transaction. False: there is
    no such user."""
    raised = update(User).where(User.id == user_id).values(session_version=User.session_version + 1)
    if not cast("CursorResult[Any]", db.session.execute(raised)).rowcount:
        return False
    uncount_sessions(user_id)
    return True


def uncount_sessions(user_id: int) -> None:
    """For a verb that ends them by a statement of its own: they count no more.

    Should its transaction fail, each counts again within a minute of use; while Redis is away they go on counting until
    they would have ended unused.
    """
    try:
        session_index.strike_all(get_redis(current_app), user_id)
    except REDIS_ERRORS as error:
        log.warning("ended sessions go on counting as open: %s", type(error).__name__)
