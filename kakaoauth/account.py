"""The door to one's own page: who one is here, leaving everywhere, leaving for good."""

from flask import Blueprint, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from kakaoauth import flows, guards, sessions
from kakaoauth.errors import LastSuperuserStays

bp = Blueprint("account", __name__, url_prefix="/users/me")
bp.before_request(guards.login)
bp.before_request(guards.form)


@bp.get("/")
def show() -> ResponseReturnValue:
    return render_template("account/show.html", user=current_user._get_current_object())


@bp.post("/logout-everywhere/")
def logout_everywhere() -> ResponseReturnValue:
    """End every session and every provider token of this user, this one included; here first, then at the provider."""
    user_id = current_user.id
    flows.end_all_sessions(user_id)
    held = flows.take_out(user_id=user_id)
    sessions.end()
    flows.end_at_provider(held)
    return _goodbye()


@bp.get("/withdraw/")
def withdraw_page() -> ResponseReturnValue:
    """The question before it happens: what goes, what stays."""
    return render_template("account/withdraw.html", user=current_user._get_current_object())


@bp.post("/withdraw/")
def withdraw() -> ResponseReturnValue:
    """Erase the account here, now; then tell the provider, or leave that to the outbox.

    :raises LastSuperuserStays: nobody could look after the site.
    """
    try:
        jobs = flows.withdraw(current_user.id)
    except flows.LastSuperuser:
        raise LastSuperuserStays from None
    sessions.end()
    for job in jobs:
        flows.try_unlink(job)
    return _goodbye()


def _goodbye() -> ResponseReturnValue:
    response = make_response(redirect(url_for("auth.index")))
    response.headers["Clear-Site-Data"] = '"cache"'
    return response
