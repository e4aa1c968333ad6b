"""The JSON control API, for Facebook: app, people, tokens, callbacks."""

from flask import Blueprint, Response, request

from kakaoauth.sandbox.control.api_people import LONGEST_WAIT
from kakaoauth.sandbox.control.console import ConsoleError
from kakaoauth.sandbox.control.console_facebook import change_app, describe_app
from kakaoauth.sandbox.control.requests import (
    ControlError,
    check_header,
    flag_of,
    number_of,
    read_body,
    refuse,
    text_of,
    texts_of,
)
from kakaoauth.sandbox.delivery.outbox import Delivery
from kakaoauth.sandbox.facebook.authentication import ENDED, app_token
from kakaoauth.sandbox.facebook.callbacks import (
    CallbackError,
    person_asks_for_deletion,
    person_removes_app,
    send_callback,
)
from kakaoauth.sandbox.facebook.permissions import ALWAYS
from kakaoauth.sandbox.pages.responses import json_answer
from kakaoauth.sandbox.people.facebook import FacebookPerson
from kakaoauth.sandbox.people.facebook_forms import describe_person, person_from_json
from kakaoauth.sandbox.people.forms import FormError
from kakaoauth.sandbox.state.context import current_state

bp = Blueprint("facebook_api", __name__, url_prefix="/sandbox/api/facebook")
bp.before_request(check_header)
for error in (ControlError, ConsoleError, CallbackError):
    bp.register_error_handler(error, refuse)

PAGE_ID = "101234567890123"


@bp.get("")
def show() -> Response:
    """The app's settings, and the people with their permissions."""
    state = current_state()
    store = state.facebook
    people = [describe_person(person, store.installed.get(person.key)) for person in list(store.people.values())]
    return json_answer({"app": describe_app(state.settings.facebook), "people": people})


@bp.post("/app")
def app() -> Response:
    """Change some of the app's settings, all that are named or none."""
    change_app(current_state(), read_body())
    return show()


@bp.post("/people")
def set_person() -> Response:
    """Make a person, or change the one with this key."""
    state, body = current_state(), read_body()
    with state.changing():
        before = state.facebook.people.get(text_of(body, "key"))
        if before is not None and body.get("user_id", before.user_id) != before.user_id:
            raise ControlError("user_id: it never changes")
        try:
            person = person_from_json(body, before, state.facebook)
        except FormError as error:
            raise ControlError(f"{error.field}: missing, unknown or odd") from error
        state.facebook.people[person.key] = person
    return json_answer(describe_person(person, state.facebook.installed.get(person.key)), 200 if before else 201)


@bp.post("/people/<key>/install")
def install(key: str) -> Response:
    """What agreeing in the dialog does: `granted` and `declined` name the permissions."""
    body = read_body("granted", "declined")
    state, person = current_state(), _find_person(key)
    answers = {ALWAYS: True} | dict.fromkeys(texts_of(body, "granted"), True)
    with state.changing():
        installation = state.facebook.install(person, answers | dict.fromkeys(texts_of(body, "declined"), False))
    return json_answer(describe_person(person, installation))


@bp.post("/people/<key>/remove")
def remove(key: str) -> Response:
    """Remove the app as the person does; `wait` waits for the callback."""
    wait = flag_of(read_body("wait"), "wait")
    person_removes_app(current_state(), _find_person(key).key)
    return _answer(current_state().outbox.newest(), wait=wait)


@bp.post("/people/<key>/delete-data")
def delete_data(key: str) -> Response:
    """Ask for the deletion of the person's data, which removes the app first; `wait` waits for the callbacks."""
    wait = flag_of(read_body("wait"), "wait")
    return _answer(person_asks_for_deletion(current_state(), _find_person(key).key), wait=wait)


@bp.post("/people/<key>/end-tokens")
def end_tokens(key: str) -> Response:
    """End the person's tokens with a subcode: 460 is a changed password, 467 a logout, 459 a checkpoint."""
    subcode = number_of(read_body("subcode"), "subcode", 460)
    if subcode not in ENDED:
        raise ControlError(f"subcode must be one of {', '.join(map(str, ENDED))}")
    state = current_state()
    with state.changing():
        ended = state.facebook.end_tokens(_find_person(key).key, subcode)
    return json_answer({"ended": ended})


@bp.post("/tokens")
def make_token() -> Response:
    """Make a token that no dialog gives: of this app, of another one, of a page, of the app itself."""
    body = read_body("person", "type", "app_id", "user_id", "scopes", "seconds")
    state = current_state()
    app, kind = state.settings.facebook, text_of(body, "type", "USER")
    if kind not in ("USER", "PAGE", "APP"):
        raise ControlError("type must be USER, PAGE or APP")
    app_id = text_of(body, "app_id", app.client_id)
    if kind == "APP" and app_id == app.client_id:
        return json_answer({"access_token": app_token(app)}, 201)
    person = _find_person(text_of(body, "person")) if kind != "APP" else None
    own = person.user_id if person and kind == "USER" else PAGE_ID
    scopes = texts_of(body, "scopes") or [ALWAYS, "email"]
    with state.changing():
        if person and kind == "USER" and app_id == app.client_id:
            state.facebook.install(person, dict.fromkeys(scopes, True))
        token = state.facebook.add_token(
            *(kind, app_id, text_of(body, "user_id", own), person.key if person else None, scopes),
            number_of(body, "seconds", app.token_seconds if kind == "USER" else 0),
        )
    return json_answer({"access_token": token.value}, 201)


@bp.post("/callbacks/send")
def send() -> Response:
    """Send a sample; nobody's state changes."""
    body = read_body("kind", "person", "user_id", "flaws", "wait")
    user_id = text_of(body, "user_id") or _find_person(text_of(body, "person")).user_id
    wait = flag_of(body, "wait")
    return _answer(send_callback(current_state(), text_of(body, "kind"), user_id, texts_of(body, "flaws")), wait=wait)


@bp.get("/callbacks")
def callbacks() -> Response:
    """What was sent, the newest first; with `wait=1`, once nothing is on its way any more."""
    wait = request.args.get("wait") == "1"
    return _answer([one for one in current_state().outbox.newest() if one.message.kind == "facebook"], wait=wait)


def _find_person(key: str) -> FacebookPerson:
    person = current_state().facebook.people.get(key)
    if person is None:
        raise ControlError(f"unknown person: {key[:40]}")
    return person


def _answer(sent: list[Delivery], *, wait: bool) -> Response:
    outbox = current_state().outbox
    if wait:
        outbox.join(LONGEST_WAIT)
        numbers = {one.id for one in sent}
        sent = [one for one in outbox.newest() if one.id in numbers]
    return json_answer([one.describe() for one in sent])
