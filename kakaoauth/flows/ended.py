"""Sessions that the database ends, for the number of those that are open. Whether one is open it does not decide."""

import logging

from flask import current_app

from kakaoauth import session_index
from kakaoauth.extensions import REDIS_ERRORS, redis_of

log = logging.getLogger("kakaoauth.presence")


def sessions_ended(user_id: int) -> None:
    """This user's sessions end with the transaction that is going on. Should it fail, each counts again within a minute
    of use; while Redis is away they go on counting until they would have ended unused."""
    try:
        session_index.strike_all(redis_of(current_app), user_id)
    except REDIS_ERRORS as error:
        log.warning("ended sessions go on counting as open: %s", type(error).__name__)
