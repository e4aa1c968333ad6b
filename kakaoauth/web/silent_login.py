"""Logging in inside KakaoTalk's browser without a press (`prompt=none`), where KAKAOAUTH_KAKAOTALK_AUTO_LOGIN is on.

It is tried once: the session remembers that, and that somebody has logged out. A browser that sends a cookie of a
session which is over tries nothing either: somebody may have ended that session from another device.
"""

import re

from flask import current_app, request, session

from kakaoauth import sessions
from kakaoauth.sessions.store import current_session
from kakaoauth.web.parameters import only

#: KakaoTalk's browser: `... KAKAOTALK 10.4.5 (INAPP)`, `... KAKAOTALK/25.2.1 ...`. The one that fetches previews of
#: links says `kakaotalk-scrap/1.0`.
KAKAOTALK = re.compile(r"\bKAKAOTALK[ /]")
#: The session's mark.
KEY = "_silent"
#: What Kakao answers where it would have to show a page.
NEEDS_A_PRESS = ("login_required", "consent_required", "interaction_required", "auto_login")


def is_wanted() -> bool:
    """Whether this browser is KakaoTalk's, and the operator has switched it on."""
    wanted = current_app.config["KAKAOAUTH_KAKAOTALK_AUTO_LOGIN"]
    return bool(wanted and KAKAOTALK.search(request.headers.get("User-Agent", "")))


def may_try() -> bool:
    """Whether the first page may try it now; from then on it may not. `?silent=no` is for browsers without cookies."""
    if request.method != "GET" or not is_wanted() or only(request.args, "silent") or session.get(KEY):
        return False
    session[KEY] = "tried"
    return not sessions.has_cookie() or current_session().sid is not None


def leave_alone() -> None:
    """Keep for a while, after the session has ended, that this person has logged out."""
    if is_wanted():
        sessions.store_for_anonymous(KEY, "logged out")


def failed_without_cookie() -> bool:
    """Whether this callback says that a page must be shown, in a browser that keeps no cookie to know it by."""
    return is_wanted() and not sessions.has_cookie() and only(request.args, "error") in NEEDS_A_PRESS
