"""What an action did, told once on the next page.

People who are logged in: in their session. After a logout or for a host's first page there is none, and one is not made
for a sentence: then a cookie for a minute, which holds no more than a name of PARTING.
"""

from typing import Any, NamedTuple

from flask import after_this_request, g, request, session
from werkzeug.wrappers import Response

from kakaoauth.sessions.store import current_session
from kakaoauth.translation import lazy_gettext

_ = lazy_gettext

KEY = "_told"
COOKIE = "kakaoauth_told"
#: Seconds that the cookie lives: the next page comes at once.
COOKIE_SECONDS = 60
#: More would be a page of its own.
MOST = 5
KINDS = ("good", "grave", "warn", "")
#: What can be told after the session has ended, by name.
PARTING = {
    "logged-out": _("You are logged out."),
    "logged-out-everywhere": _("You are logged out on all devices."),
}


class Message(NamedTuple):
    """`kind` is one of KINDS, which is a class of `.message` in the style sheet."""

    text: str
    kind: str = "good"


def tell(text: str, kind: str = "good") -> None:
    """Tell this on the visitor's next page. :param text: plain text in their language. :param kind: one of KINDS."""
    session[KEY] = [*_kept(), [str(text), kind]][-MOST:]


def tell_parting(response: Response, name: str) -> None:
    """Tell something of PARTING after this response, which ends the session."""
    is_secure = request.scheme == "https"
    response.set_cookie(COOKIE, name, max_age=COOKIE_SECONDS, secure=is_secure, httponly=True, samesite="Lax")


def take() -> list[Message]:
    """Return what has not been shown yet, and forget it. The second call of a request gets nothing."""
    if "told" in g:
        return []
    g.told = True
    found = [Message(text, kind) for text, kind in _kept()]
    if found:
        session.pop(KEY, None)
    parting = request.cookies.get(COOKIE)
    if parting is not None:
        after_this_request(_forget)
        if parting in PARTING:
            found.append(Message(str(PARTING[parting])))
    return found


def are_waiting() -> bool:
    """Whether this page has something to tell."""
    return COOKIE in request.cookies or bool(_kept())


def _forget(response: Response) -> Response:
    response.delete_cookie(COOKIE, secure=request.scheme == "https", httponly=True, samesite="Lax")
    return response


def _kept() -> list[list[Any]]:
    """What the session holds, if it looks as we write it."""
    found = current_session().load().get(KEY)  # `session.get` would raise and catch an exception for almost every page
    if not isinstance(found, list):
        return []
    return [one for one in found if isinstance(one, list) and len(one) == 2 and one[1] in KINDS]
