"""The JSON control API, for Naver, Google and Apple: app, people, logins without a browser, tokens, messages, keys."""

from typing import Any

from flask import Blueprint, Response, request

from kakaoauth.sandbox.accounts.app_logins import AppLogin, AppLoginError, foreign_tokens, known_clients, log_in
from kakaoauth.sandbox.accounts.leaving import SENDERS, person_forwards, person_removes_app
from kakaoauth.sandbox.accounts.messages import MessageError
from kakaoauth.sandbox.control.api_people import LONGEST_WAIT
from kakaoauth.sandbox.control.console import ConsoleError
from kakaoauth.sandbox.control.console_accounts import change_app, describe_app
from kakaoauth.sandbox.control.key_actions import ACTIONS, change_keys, describe_keys
from kakaoauth.sandbox.control.requests import ControlError, check_header, flag_of, read_body, refuse, text_of, texts_of
from kakaoauth.sandbox.delivery.outbox import Delivery
from kakaoauth.sandbox.pages.responses import json_answer
from kakaoauth.sandbox.people.accounts import Account, account_from_json, describe_account
from kakaoauth.sandbox.people.forms import FormError
from kakaoauth.sandbox.state.context import current_state

bp = Blueprint("accounts_api", __name__, url_prefix="/sandbox/api/<any(naver, google, apple):provider>")
bp.before_request(check_header)
for error in (ControlError, ConsoleError, MessageError, AppLoginError):
    bp.register_error_handler(error, refuse)


@bp.get("")
def show(provider: str) -> Response:
    """The app's settings, the signing keys, and the people with what they gave."""
    state = current_state()
    people = [_describe(provider, person) for person in list(state.accounts[provider].people.values())]
    keys = describe_keys(state, provider)
    return json_answer({"app": describe_app(state, provider), "keys": keys, "people": people})


@bp.post("/app")
def app(provider: str) -> Response:
    """Change some of the app's settings, all that are named or none."""
    change_app(current_state(), provider, read_body())
    return show(provider)


@bp.post("/keys/<action>")
def keys(provider: str, action: str) -> Response:
    """Do one of `ACTIONS` with the signing keys."""
    if action not in ACTIONS:
        raise ControlError(f"unknown: {action[:40]}; known: {', '.join(ACTIONS)}")
    change_keys(current_state(), action, provider)
    return json_answer(describe_keys(current_state(), provider))


@bp.post("/people")
def set_person(provider: str) -> Response:
    """Make a person, or change the one with this key."""
    state, body = current_state(), read_body()
    store = state.accounts[provider]
    with state.changing():
        before = store.people.get(text_of(body, "key"))
        if before is not None and body.get("subject", before.subject) != before.subject:
            raise ControlError("subject: it never changes")
        try:
            person = account_from_json(provider, body, before, list(store.people.values()))
        except FormError as error:
            raise ControlError(f"{error.field}: missing, unknown or odd") from error
        store.people[person.key] = person
    return json_answer(_describe(provider, person), 200 if before else 201)


@bp.post("/people/<key>/log-in")
def log_in_as(provider: str, key: str) -> Response:
    """Log in as in an app; with a `redirect_uri` or `as_code`, the answer is a code."""
    body = read_body(
        *("client_id", "redirect_uri", "as_code", "nonce", "state", "code_challenge", "without", "oidc", "hide")
    )
    asked = AppLogin(
        client_id=text_of(body, "client_id"),
        redirect_uri=text_of(body, "redirect_uri"),
        nonce=text_of(body, "nonce") or None,
        state=text_of(body, "state") or None,
        code_challenge=text_of(body, "code_challenge") or None,
        without=texts_of(body, "without"),
        oidc=flag_of(body, "oidc"),
        hide=flag_of(body, "hide") if "hide" in body else None,
    )
    as_code = bool(asked.redirect_uri) or flag_of(body, "as_code")
    state, person = current_state(), _find_person(provider, key)
    with state.changing():
        return json_answer(log_in(state, provider, person, asked, as_code=as_code))


@bp.post("/people/<key>/remove")
def remove(provider: str, key: str) -> Response:
    """Take the app away as the person does; `wait` waits for the message."""
    wait = flag_of(read_body("wait"), "wait")
    return _answer(person_removes_app(current_state(), provider, _find_person(provider, key).key), wait=wait)


@bp.delete("/people/<key>")
def delete(provider: str, key: str) -> Response:
    """Delete the account itself; `wait` waits for the message."""
    wait = flag_of(read_body("wait"), "wait")
    person = _find_person(provider, key)
    return _answer(person_removes_app(current_state(), provider, person.key, delete=True), wait=wait)


@bp.post("/people/<key>/relay")
def relay(provider: str, key: str) -> Response:
    """Apple: switch the forwarding of a hidden address `on` or off."""
    body = read_body("on", "wait")
    if provider != "apple":
        raise ControlError("only Apple relays mail")
    person = _find_person(provider, key)
    return _answer(person_forwards(current_state(), person.key, flag_of(body, "on")), wait=flag_of(body, "wait"))


@bp.post("/tokens")
def make_tokens(provider: str) -> Response:
    """Make the tokens that another developer's app gets for this person."""
    body = read_body("person", "client_id", "nonce")
    state, person = current_state(), _find_person(provider, text_of(body, "person"))
    client_id = text_of(body, "client_id", "another-developers-app")
    if client_id in known_clients(state, provider):
        raise ControlError("client_id: it is this app's; use log-in")
    with state.changing():
        return json_answer(foreign_tokens(state, provider, person, client_id, text_of(body, "nonce") or None), 201)


@bp.post("/messages/send")
def send(provider: str) -> Response:
    """Send a sample; nobody's state changes."""
    body = read_body("event", "person", "subject", "flaws", "wait")
    subject = text_of(body, "subject") or _find_person(provider, text_of(body, "person")).subject
    sent = SENDERS[provider](current_state(), text_of(body, "event"), subject, texts_of(body, "flaws"))
    return _answer(sent, wait=flag_of(body, "wait"))


@bp.get("/messages")
def messages(provider: str) -> Response:
    """What was sent, the newest first; with `wait=1`, once nothing is on its way any more."""
    wait = request.args.get("wait") == "1"
    outbox = current_state().outbox
    return _answer([one for one in outbox.newest() if one.message.kind == provider], wait=wait)


def _find_person(provider: str, key: str) -> Account:
    person = current_state().accounts[provider].people.get(key)
    if person is None:
        raise ControlError(f"unknown person: {key[:40]}")
    return person


def _describe(provider: str, person: Account) -> dict[str, Any]:
    consent = current_state().accounts[provider].consents.get(person.key)
    return describe_account(person, provider) | {
        "linked": consent is not None,
        "agreed": sorted(consent.given) if consent else [],
    }


def _answer(sent: list[Delivery], *, wait: bool) -> Response:
    outbox = current_state().outbox
    if wait:
        outbox.join(LONGEST_WAIT)
        numbers = {one.id for one in sent}
        sent = [one for one in outbox.newest() if one.id in numbers]
    return json_answer([one.describe() for one in sent])
