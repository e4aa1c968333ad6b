"""Checks on a session's data: its form, and when the session ends."""

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
    texts, times = [data.get(key, "") for key in TEXTS], [data.get(key, 0) for key in TIMES]
    are_times = all(isinstance(moment, int | float) and 0 <= moment < LAST_TIME for moment in times)
    return are_times and all(isinstance(text, str) for text in texts)


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
