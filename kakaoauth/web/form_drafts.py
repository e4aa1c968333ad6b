"""What people had typed into a form when they were asked to confirm who they are: the only file that keeps it.

In their session, for a quarter of an hour, and for few forms: a session is read with each request. A form that is shown
again is only filled in: its button has to be pressed again.
"""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import request, session, url_for

from kakaoauth.web.redirects import safe_next

KEY = "_draft"
#: Pages whose forms wait, one form each; the oldest go.
MOST = 3
#: Seconds: longer than a confirmation may take.
SECONDS = 900
#: Characters of one form, names included.
LONGEST = 2000
#: Not what was typed, or nothing to keep.
LEFT_OUT = ("csrf_token", "password")


def keep() -> str:
    """Keep the form of this request, and return the page that it is on. One that is too long is not kept."""
    target = _page()
    form = {name: value for name, value in request.form.items() if name not in LEFT_OUT}
    if sum(len(name) + len(value) for name, value in form.items()) > LONGEST:
        form = {}
    others = {page: draft for page, draft in _drafts().items() if page != target}
    kept = [*others.items(), (target, {"at": int(time.time()), "form": form})]
    session[KEY] = dict(kept[-MOST:])
    return target


def drop() -> None:
    """The form of this request is sent: it waits no longer, nor do those whose time is over."""
    target = _page()
    left = {page: draft for page, draft in _drafts().items() if page != target}
    if left:
        session[KEY] = left
    else:
        session.pop(KEY, None)


def waits(target: str) -> bool:
    """Whether a form of that page waits."""
    return target in _drafts()


def holds_text(target: str) -> bool:
    """Whether there is anything in it: a form may be empty, or too long to be kept."""
    return any(_drafts().get(target, {}).get("form", {}).values())


def typed() -> Mapping[str, str]:
    """What was typed into the form of the page that this request asks for; empty if nothing waits."""
    draft: dict[str, str] = _drafts().get(request.path, {}).get("form", {})
    return draft


def _page() -> str:
    """The address itself if it is a page as well; otherwise where the form stood."""
    referrer = urlsplit(request.referrer or "")
    stood = referrer.path if f"{referrer.scheme}://{referrer.netloc}/" == request.host_url else ""
    own_page = url_for("account.show")
    return safe_next(request.path, default="") or safe_next(stood, default=own_page)


def _drafts() -> dict[str, Any]:
    late = time.time() - SECONDS
    found = session.get(KEY)
    found = found if isinstance(found, dict) else {}
    return {page: draft for page, draft in found.items() if isinstance(draft, dict) and draft.get("at", 0) > late}
