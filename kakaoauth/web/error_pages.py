"""Error handlers: an exception becomes a page or a problem document (RFC 9457), and a log line."""

import logging
import secrets
from typing import Any

from flask import Blueprint, Flask, Response, g, has_request_context, jsonify, make_response, render_template, request
from flask.globals import request_ctx
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, InternalServerError

from kakaoauth.config.checks import ConfigError
from kakaoauth.errors import (
    AppError,
    DatabaseUnavailable,
    ForgedForm,
    FreshLoginRequired,
    InvalidAccessToken,
    InvalidRequest,
    NotFound,
    SessionsUnavailable,
    one_line,
)
from kakaoauth.storage.database import in_words
from kakaoauth.storage.redis import REDIS_ERRORS
from kakaoauth.translation import gettext
from kakaoauth.web.mounting import here_with, own_path
from kakaoauth.web.template_helpers import NOT_AGAIN

log = logging.getLogger("kakaoauth.errors")


def init_blueprint(bp: Blueprint) -> None:
    """Handle every exception of our own pages."""
    bp.register_error_handler(Exception, render)


def init_app(app: Flask) -> None:
    """Handle every exception of a whole site: also an address that does not exist."""
    app.register_error_handler(Exception, render)
    app.register_error_handler(AppError, render)
    # Flask's own line would carry the exception's text, and with it what a database or a provider was told.
    app.log_exception = lambda exc_info: None  # type: ignore[method-assign]


def translate(error: Exception) -> AppError | HTTPException:
    """Return the AppError for a library's exception; a plain AppError for an unforeseen one."""
    if isinstance(error, InternalServerError) and isinstance(error.original_exception, Exception):
        error = error.original_exception
    if isinstance(error, AppError):
        return error
    if isinstance(error, ConfigError):
        return AppError(str(error))
    if isinstance(error, CSRFError):
        return ForgedForm("csrf")
    if isinstance(error, REDIS_ERRORS):
        return SessionsUnavailable(type(error).__name__)
    # A value that does not fit is our bug; trying again does not help.
    is_our_bug = isinstance(error, IntegrityError | DataError)
    if isinstance(error, PoolTimeout) or (isinstance(error, DBAPIError) and not is_our_bug):
        return DatabaseUnavailable(in_words(error))
    if isinstance(error, HTTPException):
        return NotFound() if error.code == 404 else error
    return AppError(type(error).__name__)


def as_app_error(error: Exception, provider: str) -> AppError:
    """Return `error` as an AppError about `provider`, for the second of two equal callbacks."""
    told = translate(error)
    if not isinstance(told, AppError):
        return AppError(type(error).__name__)
    told.provider = provider
    return told


def render(error: Exception) -> Response:
    """The last-resort handler: one log line with a reference, then a page, or a problem document under /api/."""
    ours = translate(error)
    if isinstance(ours, HTTPException):
        if ours.code is None or ours.code < 400:
            return make_response(ours.get_response())
        return _render_http(ours)
    reference = secrets.token_hex(4)
    unforeseen = type(ours) is AppError
    log.log(
        logging.ERROR if unforeseen else ours.level,
        "refused code=%s provider_code=%s reason=%s endpoint=%s ref=%s",
        ours.code,
        one_line(ours.provider_code) or "-",
        one_line(ours.reason) or "-",
        request.endpoint if has_request_context() else "-",
        reference,
        exc_info=_without_message(error) if unforeseen else None,
        extra={"reference": reference},
    )
    wants_json = has_request_context() and (_wants_json() or g.get("problem_wanted"))
    response = _as_problem(ours, reference) if wants_json else _as_page(ours, reference)
    if ours.retry_after:
        response.headers["Retry-After"] = str(ours.retry_after)
    return response


def _without_message(error: Exception) -> tuple[type, Exception, Any]:
    """Return exc_info without the exception's text: database and HTTP errors quote their input."""
    if isinstance(error, InternalServerError) and isinstance(error.original_exception, Exception):
        error = error.original_exception
    return (type(error), RuntimeError(f"{type(error).__name__} (message withheld)"), error.__traceback__)


def _wants_json() -> bool:
    return own_path().startswith(("/api/", "/webhooks/", "/.well-known/"))


def _render_http(error: HTTPException) -> Response:
    shown = InvalidRequest()
    shown.status = error.code or 500
    shown.code = error.name.upper().replace(" ", "_")
    shown.can_retry = False
    response = _as_problem(shown, "") if _wants_json() else _as_page(shown, "")
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            response.headers[name] = value
    return response


def _as_problem(error: AppError, reference: str) -> Response:
    """Return a problem document (RFC 9457), with WWW-Authenticate for a refused token (RFC 6750)."""
    body = {"type": "about:blank", "title": error.heading(), "status": error.status, "code": error.code}
    body |= {"detail": error.describe(), **error.details()}
    if reference:
        body["instance"] = f"urn:kakaoauth:{reference}"
    response = jsonify(body)
    response.status_code = error.status
    response.content_type = "application/problem+json"
    if isinstance(error, InvalidAccessToken):
        why = f', error="{error.token_error}"' if error.token_error else ""
        if isinstance(error, FreshLoginRequired):  # RFC 9470, section 3
            why += f", max_age={error.max_age}"
        response.headers["WWW-Authenticate"] = f'Bearer realm="api"{why}'
    return response


def _actions(error: AppError) -> list[tuple[str, str]]:
    """Return the error's buttons, or one that asks for the same page again, unless it was a form, or begins or ends
    something."""
    is_away = isinstance(error, SessionsUnavailable | DatabaseUnavailable) and request.url_rule is not None
    if error.actions or not is_away or request.method not in ("GET", "HEAD") or request.endpoint in NOT_AGAIN:
        return error.actions
    return [(gettext("Try again"), here_with(request.args.items(multi=True)))]


def _as_page(error: AppError, reference: str) -> Response:
    # Without the visitor's name: loading the user may be what failed.
    g.bare_page = True
    if request_ctx.url_adapter is None:
        # The Host is not valid, so no URL can be built, not even the style sheet's.
        text = f"{error.heading()}\n{error.describe()}\n"
        return make_response(text, error.status, {"Content-Type": "text/plain; charset=utf-8"})
    shown = {"error": error, "actions": _actions(error), "reference": reference}
    try:
        page = render_template("kakaoauth/error.html", **shown)
    except Exception as failure:
        # KAKAOAUTH_LAYOUT is a host's: it may need what has just failed, or be broken itself.
        log.warning("KAKAOAUTH_LAYOUT cannot be rendered (%s): the error page has our own", type(failure).__name__)
        g.plain_layout = True
        try:
            page = render_template("kakaoauth/error.html", **shown)
        finally:
            g.plain_layout = False
    return make_response(page, error.status)
