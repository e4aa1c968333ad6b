"""The page about Facebook: how to point a site at it, who uses the app, the callbacks."""

from flask import Blueprint, Response, request

from kakaoauth.sandbox.control.console_facebook import read_form
from kakaoauth.sandbox.errors import PageError
from kakaoauth.sandbox.facebook.callbacks import (
    CallbackError,
    person_asks_for_deletion,
    person_removes_app,
    send_callback,
)
from kakaoauth.sandbox.loopback import is_webhook_address
from kakaoauth.sandbox.pages.responses import go_to, page
from kakaoauth.sandbox.people.facebook import FacebookPerson
from kakaoauth.sandbox.signing.signed_request import FLAWS
from kakaoauth.sandbox.state.context import browser_id, check_form_token, current_state, facebook_key, leave_facebook

bp = Blueprint("facebook_page", __name__, url_prefix="/sandbox/facebook")

PATH = "/sandbox/facebook"


@bp.get("")
def show() -> Response:
    """The page with the settings for a client, the people and the callbacks."""
    return _page()


@bp.post("/app")
def change_app() -> Response:
    """Take over the two switches."""
    check_form_token()
    state = current_state()
    state.change_facebook(**read_form(request.form))
    return go_to(PATH)


@bp.post("/remove")
def remove() -> Response:
    """What the person does under "Apps and websites"."""
    check_form_token()
    person_removes_app(current_state(), _person("person").key)
    return go_to(PATH)


@bp.post("/delete-data")
def delete_data() -> Response:
    """What the person does in Facebook's settings: have the app delete their data."""
    check_form_token()
    try:
        person_asks_for_deletion(current_state(), _person("delete").key)
    except CallbackError as error:
        return _page(problem=str(error), status=422)
    return go_to(PATH)


@bp.post("/leave")
def leave() -> Response:
    """Log this browser out of Facebook: the next dialog asks who it is."""
    check_form_token()
    leave_facebook()
    return go_to(PATH)


@bp.post("/send")
def send() -> Response:
    """Send a sample; nobody's state changes."""
    check_form_token()
    person, kind = _person("person"), request.form.get("kind", "")
    try:
        send_callback(current_state(), kind, person.user_id, request.form.getlist("flaw"))
    except CallbackError as error:
        return _page(problem=str(error), status=422)
    return go_to(PATH)


def _person(field: str) -> FacebookPerson:
    person = current_state().facebook.people.get(request.form.get(field, ""))
    if person is None:
        raise PageError(None)
    return person


def _page(problem: str | None = None, status: int = 200) -> Response:
    state = current_state()
    key = facebook_key()
    return page(
        "facebook",
        status=status,
        problem=problem,
        app=state.settings.facebook,
        origin=state.settings.issuer,
        people=list(state.facebook.people.values()),
        consents=dict(state.facebook.installed),
        current=state.facebook.people.get(key or ""),
        deliveries=[one.describe() for one in state.outbox.newest() if one.message.kind == "facebook"],
        is_local=is_webhook_address,
        flaws=FLAWS,
        token=browser_id(),
    )
