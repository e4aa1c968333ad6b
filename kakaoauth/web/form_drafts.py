"""Drafts: what people had typed into a form when they were asked to confirm who they are.

A draft is in the session for 15 minutes. The form is shown again filled in; the person presses its button again.
"""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import request, session, url_for

from kakaoauth.web.redirects import safe_next

KEY = "_draft"
#: Drafts of one session, one for each page. A session is read with each request, so they are few.
MOST = 3
#: Seconds that a draft lives: longer than a confirmation may take.
SECONDS = 900
#: Characters of one draft, names included.
LONGEST = 2000
#: Fields that are never kept.
LEFT_OUT = ("csrf_token", "password")


def keep() -> str:
    """Keep the form of this request, and return the path of its page. A form that is too long is kept empty."""
    target = _page()
    form = {name: value for name, value in request.form.items() if name not in LEFT_OUT}
    if sum(len(name) + len(value) for name, value in form.items()) > LONGEST:
        form = {}
    others = {page: draft for page, draft in _drafts().items() if page != target}
    kept = [*others.items(), (target, {"at": int(time.time()), "form": form})]
    session[KEY] = dict(kept[-MOST:])
    return target


def drop() -> None:
    """Forget the draft of this request's page, and drafts whose time is over."""
    target = _page()
    left = {page: draft for page, draft in _drafts().items() if page != target}
    if left:
        session[KEY] = left
    else:
        session.pop(KEY, None)


def waits(target: str) -> bool:
    """Whether there is a draft for the page `target`."""
    return target in _drafts()


def holds_text(target: str) -> bool:
    """Whether there is anything in it: a form may be empty, or too long to be kept."""
    return any(_drafts().get(target, {}).get("form", {}).values())


def typed() -> Mapping[str, str]:
    """Return the draft of the requested page, field by field; empty if there is none."""
    draft: dict[str, str] = _drafts().get(_path(), {}).get("form", {})
    return draft


def _path() -> str:
    return f"{request.script_root}{request.path}"


def _page() -> str:
    """Return the page of this request's form: the requested path if it is a page, else the referring page."""
    referrer = urlsplit(request.referrer or "")
    stood = referrer.path if f"{referrer.scheme}://{referrer.netloc}/" == request.host_url else ""
    own_page = url_for("kakaoauth.account.show")
    return safe_next(_path(), default="") or safe_next(stood, default=own_page)


def _drafts() -> dict[str, Any]:
    late = time.time() - SECONDS
    found = session.get(KEY)
    found = found if isinstance(found, dict) else {}
    return {page: draft for page, draft in found.items() if isinstance(draft, dict) and draft.get("at", 0) > late}
