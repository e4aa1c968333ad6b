"""Guards for a host's views and blueprints.

Each serves as a decorator below the route, as `bp.before_request(staff_required)` for a whole blueprint, and as
`app.before_request(login_required)` for all pages of the host's. Whom it refuses gets the host's own error page, by
status; an app gets a problem document (RFC 9457).
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast, overload

import flask_login
from flask import Flask, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import default_exceptions

from kakaoauth import sessions
from kakaoauth.config.mounting import BLUEPRINT
from kakaoauth.errors import AppError
from kakaoauth.models import User
from kakaoauth.storage.redis import REDIS_ERRORS
from kakaoauth.tokens import cookies
from kakaoauth.web import error_pages, guards
from kakaoauth.web.mounting import here

#: Flask-Login's, with a type. For an anonymous visitor `is_authenticated` is False, and the user's fields are missing.
current_user = cast(User, flask_login.current_user)

View = TypeVar("View", bound=Callable[..., Any])


class HostGuard:
    """A guard that can be put on one view or on a whole blueprint."""

    def __init__(self, check: guards.Guard, doc: str) -> None:
        self._check = check
        self.__doc__ = doc
        self.__name__ = check.__name__

    @overload
    def __call__(self) -> ResponseReturnValue | None: ...

    @overload
    def __call__(self, view: View) -> View: ...

    def __call__(self, view: View | None = None) -> Any:
        """Guard `view`; without one, this request, if it is for a page of the host's: ours have guards of their own,
        and nobody could log in if the login wanted one."""
        if view is None:
            return None if BLUEPRINT in request.blueprints else self._check()
        return cast(View, guards.guarded(self._check)(view))


def _fresh_login() -> ResponseReturnValue | None:
    refusal = guards.login()
    if refusal is not None or sessions.is_fresh():
        return refusal
    if request.method in cookies.SAFE_METHODS:
        return redirect(url_for("kakaoauth.confirm.show", next=here()))
    return guards.fresh_login()


def _bearer() -> None:
    g.problem_wanted = True
    try:
        guards.bearer()
    except (SQLAlchemyError, *REDIS_ERRORS) as error:
        raise error_pages.translate(error) from None
    g._login_user = g.bearer  # for current_user: a session's cookie decides nothing here


login_required = HostGuard(
    guards.login, "Require a login. Others are asked to log in, and return to the page they wanted."
)
staff_required = HostGuard(guards.staff, "Require a login of staff; 403 for others.")
superuser_required = HostGuard(guards.superuser, "Require a login of a superuser; 403 for others.")
fresh_login_required = HostGuard(
    _fresh_login,
    "Require a login not older than five minutes. Others confirm who they are, and return to the page; what they had"
    " typed into a form is kept.",
)
bearer_required = HostGuard(
    _bearer, "Require an access token of ours: for APIs. `current_user` is its user; a session does not count."
)


def init_app(app: Flask) -> None:
    """Answer our errors on the host's pages."""
    app.register_error_handler(AppError, answer)


def answer(error: AppError) -> ResponseReturnValue:
    """Show the host's error page for our error; a problem document where a token was asked for, and what the host
    itself has refused in words of its own."""
    kind = default_exceptions.get(error.status)
    if g.get("problem_wanted") or kind is None:
        return error_pages.render(error)
    page = current_app.make_response(current_app.handle_user_exception(kind(description=error.describe())))
    if error.retry_after:
        page.headers.setdefault("Retry-After", str(error.retry_after))
    return page
