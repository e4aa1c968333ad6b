"""Guards decide who may make a request. A guard takes nothing, returns None to let pass, returns a response or raises
to refuse.

It serves as `bp.before_request(guard)` at module scope, and through `guarded` on a single view.
"""

import hmac
from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import ParamSpec

from flask import current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError

from kakaoauth import sessions
from kakaoauth.config.checks import is_loopback
from kakaoauth.errors import Forbidden, ForgedForm, FreshLoginRequired, MissingToken, NotFound
from kakaoauth.sessions import outages
from kakaoauth.sessions.csrf_tokens import check_csrf_token
from kakaoauth.storage import health, transaction
from kakaoauth.storage.columns import now
from kakaoauth.storage.redis import REDIS_ERRORS
from kakaoauth.tokens import cookies
from kakaoauth.tokens import flows as token_flows
from kakaoauth.web import form_drafts
from kakaoauth.web.mounting import here

P = ParamSpec("P")
Guard = Callable[[], ResponseReturnValue | None]


def anyone() -> None:
    """Let everybody pass. A blueprint without a guard would look forgotten."""


def visitor() -> None:
    """Let everybody pass to a page that offers a login, but answer 503 while Redis or the database is away."""
    if not current_user.is_authenticated:
        health.require()


def login() -> ResponseReturnValue | None:
    """Require a login. Others are redirected to the first page, and return here after their login."""
    return None if current_user.is_authenticated else ask_to_log_in()


def ask_to_log_in() -> ResponseReturnValue:
    """Redirect an anonymous visitor to the first page."""
    health.require()
    target = here() if request.method == "GET" else None
    return redirect(url_for("kakaoauth.auth.index", next=target))


def login_or_database_away() -> ResponseReturnValue | None:
    """As `login`, for forms that end logins, which work while the database is away.

    Then `g.database_away` is set, and the session tells whose it is (`sessions.holder`).
    """
    try:
        return login()
    except SQLAlchemyError:
        if sessions.holder() is None:
            raise
        transaction.forget_transaction()
        outages.go_on_without_user()
        g.database_away = True
        return None


def login_or_outage() -> ResponseReturnValue | None:
    """As `login_or_database_away`, for the logout of this browser, which works while Redis is away as well: then the
    form's CSRF token must belong to the session cookie.
    """
    try:
        return login_or_database_away()
    except REDIS_ERRORS:
        if not outages.go_on_without_redis():
            raise
        return None


def fresh_login() -> ResponseReturnValue | None:
    """For unsafe requests, require a login or confirmation in the last FRESH_SECONDS (`sessions.is_fresh`).

    Others are redirected to confirm, and return to their form with what they had typed. Use after `form`.
    """
    refusal = login()
    if refusal is not None or request.method in cookies.SAFE_METHODS:
        return refusal
    if sessions.is_fresh():
        form_drafts.drop()
        return None
    return redirect(url_for("kakaoauth.confirm.show", next=form_drafts.keep()))


def staff() -> ResponseReturnValue | None:
    """Require a login of staff. :raises Forbidden: not staff."""
    refusal = _login_at_desk()
    if refusal is None and not current_user.is_staff:
        raise Forbidden("not staff")
    return refusal


def superuser() -> ResponseReturnValue | None:
    """Require a login of a superuser. :raises Forbidden: not a superuser."""
    refusal = _login_at_desk()
    if refusal is None and not current_user.is_superuser:
        raise Forbidden("not a superuser")
    return refusal


def _login_at_desk() -> ResponseReturnValue | None:
    """As `login`. Sets `g.desk`, the rank, by which also an error page knows whose navigation to show."""
    g.desk = ""
    refusal = login()
    if refusal is None and current_user.is_staff:
        g.desk = "superuser" if current_user.is_superuser else "staff"
    return refusal


def bearer() -> None:
    """Require an access token of ours in the Authorization header or the cookie.

    Sets `g.bearer`, the user, and `g.bearer_since`, when they logged in. A token in the URL is ignored: URLs end in
    histories and logs (RFC 6750, section 2.3).

    :raises MissingToken: there is none. :raises InvalidAccessToken: it is not valid now.
    :raises InvalidFields: an unsafe request with the cookie, but not from a script of ours.
    """
    header = request.headers.get("Authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise MissingToken("another authorization scheme")
    else:
        token = cookies.find_access_token() or ""
    if not token:
        raise MissingToken("no access token")
    g.bearer, g.bearer_since = token_flows.authenticate_bearer(token)


def bearer_fresh() -> None:
    """As `fresh_login`, after `bearer`. The age counts from the login, not from a refresh.

    :raises FreshLoginRequired: the login is too old.
    """
    age = (now() - g.bearer_since).total_seconds()
    if not -sessions.LEEWAY <= age <= sessions.FRESH_SECONDS:
        raise FreshLoginRequired(sessions.FRESH_SECONDS)


def bearer_staff() -> None:
    """Require staff, after `bearer`. :raises Forbidden: not staff."""
    if not g.bearer.is_staff:
        raise Forbidden("not staff")


def bearer_superuser() -> None:
    """Require a superuser, after `bearer`. :raises Forbidden: not a superuser."""
    if not g.bearer.is_superuser:
        raise Forbidden("not a superuser")


def operator() -> None:
    """Require METRICS_TOKEN as bearer token, or a request from this machine that no proxy has forwarded.

    :raises NotFound: neither.
    """
    token: str = current_app.config["METRICS_TOKEN"]
    sent = request.headers.get("Authorization", "")
    if token and hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
        return
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    if forwarded or not is_loopback(request.remote_addr):
        raise NotFound


def form() -> None:
    """For unsafe requests, require the session's CSRF token and a page of ours as origin.

    The token is the protection. Origin and Sec-Fetch-Site are a second one: a page on a sibling sub-domain can send the
    cookie along.

    :raises ForgedForm: no token of this session, or another origin.
    """
    if request.method in cookies.SAFE_METHODS:
        return
    if not cookies.is_from_own_page():
        raise ForgedForm("not from a page of ours")
    check_csrf_token()


def guarded(*guards: Guard) -> Callable[[Callable[P, ResponseReturnValue]], Callable[P, ResponseReturnValue]]:
    """Return a decorator that runs guards before one view, first to last. Goes below the route decorator."""

    def decorate(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
        is_async = iscoroutinefunction(view)

        @wraps(view)
        def inner(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            for guard in guards:
                refusal = guard()
                if refusal is not None:
                    return refusal
            answer: ResponseReturnValue = (current_app.ensure_sync(view) if is_async else view)(*args, **kwargs)
            return answer

        return inner

    return decorate
