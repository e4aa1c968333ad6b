"""A session's data: its keys, its form, and when the session ends.

_user_id        who (User.get_id: id and session version)          Flask-Login
_fresh, _id     Flask-Login's own marks
_begun, _seen   unix seconds of the login and of the last request, the latter exact to a minute
_confirmed      unix seconds of the last login or confirmation
_draft          forms that wait for a confirmation: page -> fields      web.form_drafts
_staff          true while staff's shorter limits hold
_agent          browser of the last request, shortened                  audit.visitors
_address        network of the last request, shortened                  audit.visitors
_token          id of the provider_tokens row of this login
finished_logins the last finished logins: state -> next                 sessions.finished_logins
finished_with_tokens  the same for logins that ended in tokens
_sign_up        people who have not agreed yet, encrypted               login.waiting_sign_up
_state_*        logins that wait for their callback                     providers.login_state
_logout_state   state of a logout at the provider
_closing        whose closed account this visitor may restore           sessions.notes
_left           what the page after a withdrawal tells                  login.closed
_silent         no login without a press, and why                       web.silent_login
_told           what the last actions did, until it is shown            web.messages
csrf_token      Flask-WTF
_host           what the host's pages keep                              sessions.host_data
"""

import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

#: Keys whose values are used without a further check of their type.
TEXTS = ("_user_id", "_agent", "_address")
TIMES = ("_begun", "_seen", "_confirmed")
#: The year 2128: a later time was not written by us.
LAST_TIME = 5e9


def is_ours(data: dict[str, Any]) -> bool:
    """Whether a JSON object has the types of a session that we wrote."""
    for key in TEXTS:
        if key in data and not isinstance(data[key], str):
            return False
    for key in TIMES:
        if key in data and not (isinstance(data[key], (int, float)) and 0 <= data[key] < LAST_TIME):
            return False
    return True


def ends_unused(data: Mapping[str, Any], config: Mapping[str, Any], *, is_staff: bool) -> float:
    """Return when a session that holds `data` ends if it is not used again, in unix seconds."""
    idle, longest = config["KAKAOAUTH_SESSION_IDLE_SECONDS"], config["KAKAOAUTH_SESSION_MAX_SECONDS"]
    if is_staff:
        idle = min(idle, config["KAKAOAUTH_STAFF_SESSION_IDLE_SECONDS"])
        longest = min(longest, config["KAKAOAUTH_STAFF_SESSION_MAX_SECONDS"])
    return float(min(data.get("_seen", 0) + idle, data.get("_begun", 0) + longest))


def ends_at_last(data: Mapping[str, Any], config: Mapping[str, Any]) -> datetime:
    """Return the latest time at which a session that is ended now would have ended anyway, for any role.

    :param data: the session's data; empty if unknown.
    """
    last = time.time() + config["KAKAOAUTH_SESSION_IDLE_SECONDS"] if data else math.inf
    return datetime.fromtimestamp(
        min(last, data.get("_begun", time.time()) + config["KAKAOAUTH_SESSION_MAX_SECONDS"]), UTC
    )
