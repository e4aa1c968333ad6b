"""The JSON control API: what an app gets when somebody logs in by Kakao's SDK, without a browser's pages."""

from flask import Blueprint, Response

from kakaoauth.sandbox.control.requests import ControlError, check_header, read_body, refuse, text_of, texts_of
from kakaoauth.sandbox.kakao.token import answer_exchange
from kakaoauth.sandbox.kakao.webhooks import person_consented
from kakaoauth.sandbox.pages.responses import json_answer
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.state.model import AuthorizationRequest, Code
from kakaoauth.sandbox.state.state import State

bp = Blueprint("api_logins", __name__, url_prefix="/sandbox/api")
bp.before_request(check_header)
bp.register_error_handler(ControlError, refuse)


@bp.post("/people/<key>/log-in")
def log_in(key: str) -> Response:
    """Agree to everything that is asked for, but not to `without`, and answer with tokens; with a `redirect_uri`, as a
    code for it."""
    state, body = current_state(), read_body("redirect_uri", "code_challenge", "nonce", "without")
    asked = AuthorizationRequest(
        text_of(body, "redirect_uri"),
        nonce=text_of(body, "nonce") or None,
        code_challenge=text_of(body, "code_challenge") or None,
    )
    if asked.redirect_uri and asked.redirect_uri not in state.settings.redirect_uris:
        raise ControlError("redirect_uri: not registered in the console")
    with state.changing():
        code = _agree(state, key, set(texts_of(body, "without")), asked)
        if asked.redirect_uri:
            return json_answer({"code": code.value})
        state.grants.spend_code(code)
        return json_answer(answer_exchange(code, state))


def _agree(state: State, key: str, without: set[str], asked: AuthorizationRequest) -> Code:
    settings, person = state.settings, state.people.get(key)
    if person is None:
        raise ControlError(f"unknown person: {key[:40]}")
    if person.under_14 and not settings.under_14_allowed:
        raise ControlError("under 14: Kakao does not let this person in")
    before = state.links.get(key)
    agreed = [item.id for item in settings.consent_items if item.required or item.id not in without]
    terms = [term.id for term in settings.service_terms if term.required or term.id not in without]
    link = state.agree(person, agreed, terms)
    if before is None:
        person_consented(state, link, agreed, first=True)
    now = int(state.clock.now())
    return state.grants.add_code(settings.client_id, key, asked, auth_time=now, seconds=settings.code_seconds)
