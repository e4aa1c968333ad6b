"""Ending a login while the database or Redis is away: the request goes on without the user, or without the session."""

from flask import g
from flask_login import AnonymousUserMixin
from flask_wtf.csrf import CSRFError

from kakaoauth.sessions.csrf_tokens import check_csrf_token, csrf_secret
from kakaoauth.sessions.store import current_session


def go_on_without_user() -> None:
    """Treat the visitor as anonymous for the rest of this request, because the database is away."""
    g._login_user = AnonymousUserMixin()


def go_on_without_redis() -> bool:
    """While Redis is away: go on without the stored session, if the form's CSRF token belongs to this cookie.

    False: there is no cookie, or the token is not of its session.
    """
    current = current_session()
    if current.cookie is None:
        return False
    current.use_substitute({"csrf_token": csrf_secret(current.cookie)})
    go_on_without_user()
    try:
        check_csrf_token()
    except CSRFError:
        return False
    return True
