"""The JSON control API: people, and the webhooks about them."""

from flask import Blueprint, Response, request

from kakaoauth.sandbox.control.requests import ControlError, check_header, flag_of, read_body, refuse, text_of, texts_of
from kakaoauth.sandbox.delivery.outbox import Delivery
from kakaoauth.sandbox.kakao.security_events import REFERRERS
from kakaoauth.sandbox.kakao.webhooks import WebhookError, person_leaves, send_event, send_unlink
from kakaoauth.sandbox.pages.responses import json_answer
from kakaoauth.sandbox.people.forms import MOST_PEOPLE, FormError
from kakaoauth.sandbox.people.from_json import describe_person, person_from_json
from kakaoauth.sandbox.people.kakao import Person
from kakaoauth.sandbox.state.context import current_state

bp = Blueprint("api_people", __name__, url_prefix="/sandbox/api")
bp.before_request(check_header)
for error in (ControlError, WebhookError):
    bp.register_error_handler(error, refuse)

LONGEST_WAIT = 60.0  # seconds for what is on its way


@bp.get("/people")
def people() -> Response:
    """Every person, and whether and to what they have agreed."""
    state = current_state()
    return json_answer([describe_person(person, state.links.get(person.key)) for person in list(state.people.values())])


@bp.post("/people")
def set_person() -> Response:
    """Make a person, or change the one with this key; who is linked stays linked."""
    state, body = current_state(), read_body()
    before = state.people.get(text_of(body, "key"))
    with state.changing():
        if before is None and sum(person.made for person in state.people.values()) >= MOST_PEOPLE:
            raise ControlError("too many people were made")
        if before is not None and body.get("user_id", before.user_id) != before.user_id:
            raise ControlError("user_id: it never changes")
        try:
            person = person_from_json(body, before, {person.user_id for person in state.people.values()})
        except FormError as error:
            raise ControlError(f"{error.field}: missing, unknown or odd") from error
        state.add_person(person)
    return json_answer(describe_person(person, state.links.get(person.key)), 200 if before else 201)


@bp.post("/people/<key>/unlink")
def unlink(key: str) -> Response:
    """Unlink as the person does; `referrer_type` says how, `wait` waits for the webhooks."""
    body = read_body("referrer_type", "wait")
    referrer, wait = text_of(body, "referrer_type", REFERRERS[0]), flag_of(body, "wait")
    if referrer not in REFERRERS:
        raise ControlError(f"unknown referrer_type: {referrer[:40]}")
    person_leaves(current_state(), _find_person(key).key, referrer)
    return _sent(wait=wait)


@bp.delete("/people/<key>")
def delete_person(key: str) -> Response:
    """Delete the Kakao account itself; `wait` waits for the webhooks."""
    wait = flag_of(read_body("wait"), "wait")
    person_leaves(current_state(), _find_person(key).key, "ACCOUNT_DELETE", delete=True)
    return _sent(wait=wait)


@bp.get("/webhooks")
def webhooks() -> Response:
    """What was sent, the newest first; with `wait=1`, once nothing is on its way any more."""
    return _sent(wait=request.args.get("wait") == "1")


@bp.post("/webhooks/send")
def send() -> Response:
    """Send a sample; nobody's state changes."""
    body = read_body("kind", "person", "user_id", "event", "referrer_type", "scopes", "flaws", "wait")
    state = current_state()
    user_id = text_of(body, "user_id") or str(_find_person(text_of(body, "person")).user_id)
    kind, flaws, wait = text_of(body, "kind", "account-status"), texts_of(body, "flaws"), flag_of(body, "wait")
    referrer = text_of(body, "referrer_type", REFERRERS[0])
    if kind == "unlink":
        sent = send_unlink(state, user_id, referrer, flaws)
    elif kind == "account-status":
        scopes = texts_of(body, "scopes") or [item.id for item in state.settings.consent_items]
        sent = send_event(state, text_of(body, "event"), user_id, reason=referrer, scopes=scopes, flaws=flaws)
    else:
        raise ControlError("kind must be unlink or account-status")
    return _answer(sent, wait=wait)


@bp.post("/webhooks/<int:number>/again")
def again(number: int) -> Response:
    """Send a webhook once more, the same to the byte."""
    wait = flag_of(read_body("wait"), "wait")
    delivery = current_state().outbox.again(number)
    if delivery is None:
        raise ControlError("no such webhook")
    return _answer([delivery], wait=wait)


def _find_person(key: str) -> Person:
    person = current_state().people.get(key)
    if person is None:
        raise ControlError(f"unknown person: {key[:40]}")
    return person


def _sent(*, wait: bool) -> Response:
    outbox = current_state().outbox
    if wait:
        outbox.join(LONGEST_WAIT)
    return json_answer([delivery.describe() for delivery in outbox.newest()])


def _answer(sent: list[Delivery], *, wait: bool) -> Response:
    if wait:
        current_state().outbox.join(LONGEST_WAIT)
    return json_answer([delivery.describe() for delivery in sent])
