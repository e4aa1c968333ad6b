"""Password login of superusers, for the day the provider is down. No page links to it.

Showing the form stores an anonymous session for an hour: it holds the form's CSRF token.
"""

import time

from flask import Blueprint, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from kakaoauth import sessions
from kakaoauth.accounts import password_login
from kakaoauth.counting import counters
from kakaoauth.errors import AccountClosing, InvalidCredentials
from kakaoauth.login import closed
from kakaoauth.web import guards, rate_limits
from kakaoauth.web.mounting import home
from kakaoauth.web.parameters import only
from kakaoauth.web.redirects import safe_next

bp = Blueprint("local", __name__)
bp.before_request(guards.anyone)
bp.before_request(guards.form)

#: Longest e-mail address (RFC 5321, section 4.5.3.1).
EMAIL_LENGTH = 254


@bp.get("/login/")
@guards.guarded(guards.visitor, rate_limits.per_address("login"))
def show() -> ResponseReturnValue:
    """Show the form; redirect a visitor who is logged in."""
    target = _target(request.args)
    if current_user.is_authenticated:
        return redirect(target)
    return render_template("kakaoauth/auth/password.html", next=target)


@bp.post("/login/")
@guards.guarded(rate_limits.per_address("password"))
def log_in() -> ResponseReturnValue:
    """Log in and go to `next`; or show the form again, without saying whether address or password was wrong.

    :raises RateLimited: too many attempts. :raises AccountDisabled: the right password of a suspended account.
    """
    target = _target(request.form)
    if current_user.is_authenticated:
        return redirect(target)
    email, password = request.form.get("email", "")[:EMAIL_LENGTH], request.form.get("password", "")
    try:
        user = rate_limits.by_password(email, lambda: password_login.log_in_with_password(email, password))
    except InvalidCredentials as error:
        page = render_template("kakaoauth/auth/password.html", next=target, email=email, error=error)
        return make_response(page, error.status)
    except AccountClosing as error:
        login = {"provider": "password", "next": target, "mode": "", "proven_at": time.time()}
        return redirect(closed.offer(error, login))
    sessions.begin(user, proven_at=time.time())
    counters.count_entry("password", "page")
    return redirect(target)


def _target(values: MultiDict[str, str]) -> str:
    """A page of this site only: the Content-Security-Policy keeps a form from leading a browser to a front end."""
    target = safe_next(only(values, "next"))
    return target if target.startswith("/") else home()
