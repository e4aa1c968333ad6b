"""Sessions that the database ends, and the number of those that are open, which does not decide whether one is."""

import logging

from flask import current_app

from kakaoauth import session_index
from kakaoauth.extensions import REDIS_ERRORS, db, redis_of
from kakaoauth.models import User

log = logging.getLogger("kakaoauth.presence")


def end_sessions(user: User) -> None:
    """End every session and token of this user. Inside another verb's transaction.

    The database counts up: of two that end them at the same moment, each with the number that it has read, the second
    would otherwise write what the first has written, and bring a session back that goes on with that number.
    """
    user.session_version = User.session_version + 1
    db.session.flush()  # What is read from now on is what stands in the database.
    sessions_ended(user.id)


def sessions_ended(user_id: int) -> None:
    """For a verb that ends them by a statement of its own: they count no more.

    Should its transaction fail, each counts again within a minute of use; while Redis is away they go on counting until
    they would have ended unused.
    """
    try:
        session_index.strike_all(redis_of(current_app), user_id)
    except REDIS_ERRORS as error:
        log.warning("ended sessions go on counting as open: %s", type(error).__name__)
