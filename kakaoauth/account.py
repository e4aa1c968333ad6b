"""The door to one's own page."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from kakaoauth import guards

bp = Blueprint("account", __name__, url_prefix="/users/me")
bp.before_request(guards.login)
bp.before_request(guards.form)


@bp.get("/")
def show() -> ResponseReturnValue:
    user = current_user._get_current_object()
    return render_template("account/show.html", user=user)
