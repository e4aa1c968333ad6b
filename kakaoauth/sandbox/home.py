"""The front page: what this is, how to point a site at it, who is linked."""

from flask import Blueprint, Response, request

from kakaoauth.sandbox.context import browser_id, check_form_token, current_state, signed_in
from kakaoauth.sandbox.pages import go_to, page

bp = Blueprint("home", __name__)


@bp.get("/")
def home() -> Response:
    state = current_state()
    account = signed_in()
    return page(
        "home",
        settings=state.settings,
        people=list(state.people.values()),
        links=dict(state.links),
        current=account[0] if account else None,
        token=browser_id(),
    )


@bp.post("/unlink")
def unlink() -> Response:
    check_form_token()
    current_state().unlink(request.form.get("person", ""))
    return go_to("/")


@bp.post("/forget")
def forget() -> Response:
    check_form_token()
    current_state().forget_everything()
    return go_to("/")
