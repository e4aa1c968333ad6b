"""Who may come in. A guard takes nothing, returns None to let pass, and returns a response or raises to refuse.

It serves as `bp.before_request(guard)` at module scope, and through `guarded` on a single view.
"""

import hmac
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from flask import current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError

from kakaoauth import sessions
from kakaoauth.config.checks import is_loopback
from kakaoauth.errors import Forbidden, ForgedForm, FreshLoginRequired, MissingToken, NotFound
from kakaoauth.sessions.csrf_tokens import csrf
from kakaoauth.storage import health, transaction
from kakaoauth.storage.columns import now
from kakaoauth.storage.redis import REDIS_ERRORS
from kakaoauth.tokens import cookies
from kakaoauth.tokens import flows as token_flows
from kakaoauth.web import form_drafts

P = ParamSpec("P")
Guard = Callable[[], ResponseReturnValue | None]

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def anyone() -> None:
    """Openness is a decision, and this is how it is written down."""


def visitor() -> None:
    """Anyone, on a page that offers to log in: which is pointless while what a login needs is away."""
    if not current_user.is_authenticated:
        health.require()


def login() -> ResponseReturnValue | None:
    """Logged in; others go to the first page and come back here afterwards."""
    if current_user.is_authenticated:
        return None
    health.require()
    target = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("auth.index", next=target))


def leaver() -> ResponseReturnValue | None:
    """As `login`, for the forms that end logins: they work while the database is away. The session itself says then
    whose it is (`sessions.holder`), and `g.database_away` is set.
    """
    try:
        return login()
    except SQLAlchemyError:
        if sessions.holder() is None:
            raise
        transaction.forget_transaction()
        sessions.go_on_without_user()
        g.database_away = True
        return None


def leaver_by_cookie() -> ResponseReturnValue | None:
    """As `leaver`, for the logout of this browser, which works while Redis is away as well: the form's own token says
    that it belongs to this cookie, whoever that is.
    """
    try:
        return leaver()
    except REDIS_ERRORS:
        if not sessions.stand_in():
            raise
        return None


def fresh_login() -> ResponseReturnValue | None:
    """Whoever changes something has proved within 5 minutes who they are; others are asked to, and come back to the
    page they were on with what they had typed. Goes behind `form`: it keeps what was typed."""
    refusal = login()
    if refusal is not None or request.method in SAFE_METHODS:
        return refusal
    if sessions.is_fresh():
        form_drafts.drop()
        return None
    return redirect(url_for("confirm.show", next=form_drafts.keep()))


def staff() -> ResponseReturnValue | None:
    refusal = login()
    if refusal is None and not current_user.is_staff:
        raise Forbidden("not staff")
    return refusal


def superuser() -> ResponseReturnValue | None:
    refusal = login()
    if refusal is None and not current_user.is_superuser:
        raise Forbidden("not a superuser")
    return refusal


def bearer() -> None:
    """The API: an access token, in the Authorization header or in its cookie. Sets `g.bearer`, the
    person, and `g.bearer_since`, when they logged in.

    A token in the address is not looked at: addresses end in histories and logs (RFC 6750, section 2.3).

    :raises MissingToken: none. :raises InvalidAccessToken: none that is good now.
    :raises InvalidFields: a cookie nobody can answer for.
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
    """As `fresh_login`. The age counts from the login that the token belongs to, however often it was refreshed.

    :raises FreshLoginRequired:
    """
    age = (now() - g.bearer_since).total_seconds()
    if not -sessions.LEEWAY <= age <= sessions.FRESH_SECONDS:
        raise FreshLoginRequired(sessions.FRESH_SECONDS)


def bearer_staff() -> None:
    """:raises Forbidden:"""
    if not g.bearer.is_staff:
        raise Forbidden("not staff")


def bearer_superuser() -> None:
    """:raises Forbidden:"""
    if not g.bearer.is_superuser:
        raise Forbidden("not a superuser")


def operator() -> None:
    """This machine itself, or whoever has METRICS_TOKEN; for others the address does not exist.

    A request that a proxy has forwarded is not this machine's own, also where nobody counts that proxy.

    :raises NotFound:
    """
    token: str = current_app.config["METRICS_TOKEN"]
    sent = request.headers.get("Authorization", "")
    if token and hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
        return
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    if forwarded or not is_loopback(request.remote_addr):
        raise NotFound


def form() -> None:
    """Every unsafe request carries the session's CSRF token and comes from a page of ours.

    The token is the wall; Origin and Sec-Fetch-Site are a second one, for a browser that sends the cookie along from
    a sister sub-domain.

    :raises ForgedForm:
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site not in (None, "same-origin", "none"):
        raise ForgedForm("from another site")
    if origin not in (None, "null") and origin.partition("://")[2] != request.host:
        raise ForgedForm("from another origin")
    if origin == "null" and site is None:
        raise ForgedForm("from nowhere")
    csrf.protect()


def guarded(*guards: Guard) -> Callable[[Callable[P, ResponseReturnValue]], Callable[P, ResponseReturnValue]]:
    """Put guards on one view, first to last. Goes under the route decorator."""

    def decorate(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
        @wraps(view)
        def inner(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            for guard in guards:
                refusal = guard()
                if refusal is not None:
                    return refusal
            return view(*args, **kwargs)

        return inner

    return decorate
