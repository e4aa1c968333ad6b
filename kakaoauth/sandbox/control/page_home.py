"""The front page: what this is, how to point a site at it, who is linked."""

from flask import Blueprint, Response, request

from kakaoauth.sandbox.kakao.webhooks import person_leaves
from kakaoauth.sandbox.pages.responses import go_to, page
from kakaoauth.sandbox.state.context import browser_id, check_form_token, current_state, signed_in

bp = Blueprint("home", __name__)


@bp.get("/")
def home() -> Response:
    """The front page."""
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
    """What the person does under "connected services"."""
    check_form_token()
    person_leaves(current_state(), request.form.get("person", ""), "UNLINK_FROM_APPS")
    return go_to("/")


@bp.post("/delete-account")
def delete_account() -> Response:
    """What the person does when they delete their Kakao account."""
    check_form_token()
    person_leaves(current_state(), request.form.get("delete", ""), "ACCOUNT_DELETE", delete=True)
    return go_to("/")


@bp.post("/forget")
def forget() -> Response:
    """Drop the people who were made, all links and all tokens."""
    check_form_token()
    current_state().forget_everything()
    return go_to("/")
