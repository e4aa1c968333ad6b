"""Re-authentication: people who are logged in prove again who they are, before they do what cannot be undone.

`guards.fresh_login` sends them here from a form; afterwards they return to it (`web.form_drafts`).
"""

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from kakaoauth import providers, sessions
from kakaoauth.accounts import password_login
from kakaoauth.errors import InvalidCredentials, SessionOver
from kakaoauth.login import completion
from kakaoauth.models import User
from kakaoauth.providers.base import Provider
from kakaoauth.web import form_drafts, guards, rate_limits
from kakaoauth.web.parameters import only
from kakaoauth.web.redirects import callback_address, safe_next

bp = Blueprint("confirm", __name__, url_prefix="/users/me/confirm")
bp.before_request(guards.login)
bp.before_request(guards.form)

#: Makes a provider ask for a new login even if somebody is logged in there (OpenID Connect Core, section 3.1.2.1).
PROMPT = "login"


@bp.get("/")
def show() -> ResponseReturnValue:
    """Show the page: the providers and the password by which this person can confirm."""
    target = _target(request.args)
    return redirect(target) if sessions.is_fresh() else _page(target)


@bp.post("/password/")
@guards.guarded(rate_limits.per_address("password"))
def with_password() -> ResponseReturnValue:
    """Confirm by password. :raises RateLimited: too many wrong passwords."""
    target, user = _target(request.form), _user()
    password = request.form.get("password", "")
    asked_as, account = user.get_id(), user.email or f"user {user.id}"
    try:
        rate_limits.by_password(account, lambda: password_login.confirm_password(user.id, password, asked_as=asked_as))
    except InvalidCredentials as error:
        return make_response(_page(target, error=error), error.status)
    except SessionOver:
        return redirect(target)  # The page's guard decides what comes next.
    if sessions.confirm(asked_as):
        completion.tell_confirmed(target)
    return redirect(target)


@bp.post("/<provider>/")
@guards.guarded(rate_limits.per_address("login"), rate_limits.per_session("login_session"))
def with_provider(provider: str) -> ResponseReturnValue:
    """Begin a login at the provider that only confirms this person; its callback logs nobody in.

    :raise 404: the person has no identity there, or the provider does not know `prompt=login`.
    """
    chosen = next((one for one in _able(_user()) if one.name == provider), None)
    if chosen is None:
        abort(404)
    address = chosen.begin(
        callback_address(chosen.name), _target(request.form), prompt=PROMPT, confirms=current_user.get_id()
    )
    return redirect(address)


def _page(target: str, error: InvalidCredentials | None = None) -> str:
    user = _user()
    return render_template(
        "kakaoauth/account/confirm.html",
        next=target,
        error=error,
        providers=_able(user),
        has_password=bool(user.is_superuser and user.password_hash),
        is_kept=form_drafts.holds_text(target),
    )


def _able(user: User) -> list[Provider]:
    theirs = {identity.provider for identity in user.identities}
    return [one for one in providers.all_providers() if one.name in theirs and PROMPT in one.prompts]


def _target(values: MultiDict[str, str]) -> str:
    """A page of this site only."""
    target = safe_next(only(values, "next"), default=url_for("kakaoauth.account.show"))
    return target if target.startswith("/") else url_for("kakaoauth.account.show")


def _user() -> User:
    user: User = current_user._get_current_object()
    return user
