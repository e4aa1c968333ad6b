"""Apple's token address, and the end of a token."""

import secrets
from typing import Any

from flask import Blueprint, Response, request

from kakaoauth.sandbox.accounts.errors import OAuthError
from kakaoauth.sandbox.accounts.proofs import verifier_fits
from kakaoauth.sandbox.apple.client_secret import check_client_secret
from kakaoauth.sandbox.apple.oidc import make_id_token
from kakaoauth.sandbox.pages.responses import json_answer
from kakaoauth.sandbox.state.account_model import AccountCode
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.state.state import State

bp = Blueprint("apple_token", __name__, url_prefix="/apple")


@bp.post("/auth/token")
def token() -> Response:
    """Answer with tokens. :raise OAuthError:"""
    state, sent = current_state(), _read_form()
    check_client_secret(state, sent.get("client_id", ""), sent.get("client_secret", ""))
    grant_type = sent.get("grant_type")
    with state.changing():
        if grant_type == "authorization_code":
            return json_answer(_exchange(sent, state))
        if grant_type == "refresh_token":
            return json_answer(_refresh(sent, state))
    raise OAuthError("unsupported_grant_type" if grant_type else "invalid_request")


@bp.post("/auth/revoke")
def revoke() -> Response:
    """End what a token stands for; 200 with nothing, also for a token that is dead already."""
    state, sent = current_state(), _read_form()
    check_client_secret(state, sent.get("client_id", ""), sent.get("client_secret", ""))
    if not sent.get("token"):
        raise OAuthError("invalid_request")
    with state.changing():
        found = state.accounts["apple"].tokens.get(sent["token"])
        if found is not None and found.client_id == sent["client_id"]:
            state.accounts["apple"].remove(found.person)
    return Response(status=200)


def _read_form() -> dict[str, str]:
    for _, values in request.form.lists():
        if len(values) > 1:
            raise OAuthError("invalid_request")
    return request.form.to_dict()


def _exchange(sent: dict[str, str], state: State) -> dict[str, Any]:
    code = state.accounts["apple"].codes.get(sent.get("code", ""))
    if code is None or code.expires_at <= state.clock.now():
        raise OAuthError("invalid_grant", "The code has expired or has been revoked.")
    if code.used:
        raise OAuthError("invalid_grant", "The code has already been used.")
    if code.request.client_id != sent["client_id"]:
        raise OAuthError("invalid_grant", "client_id mismatch. The code was not issued to this client.")
    # A code of a native login has no address, and none may be sent with it
    if sent.get("redirect_uri", "") != code.request.redirect_uri:
        raise OAuthError("invalid_client")
    code.used = True
    if not verifier_fits(sent.get("code_verifier"), code.request.code_challenge):
        raise OAuthError("invalid_grant", "The code_verifier does not match the code_challenge.")
    return answer_exchange(code, state)


def answer_exchange(code: AccountCode, state: State) -> dict[str, Any]:
    """Return the body for a code that is spent. The caller holds the lock."""
    store = state.accounts["apple"]
    consent, person = store.consents[code.person], store.people[code.person]
    shared: dict[str, Any] = {
        **{"login": secrets.token_hex(8), "client_id": code.request.client_id, "person": code.person},
        **{"subject": consent.subject, "scopes": consent.given},
    }
    access = store.add_token("access", _value("a"), shared, state.settings.apple.token_seconds)
    refresh = store.add_token("refresh", _value("r"), shared, 0)
    id_token = make_id_token(
        state, person, consent, code.request, code.auth_time, access_token=access.value, first=code.first
    )
    return {
        **{"access_token": access.value, "token_type": "Bearer", "expires_in": state.settings.apple.token_seconds},
        **{"refresh_token": refresh.value, "id_token": id_token},
    }


def _refresh(sent: dict[str, str], state: State) -> dict[str, Any]:
    """Answer without a new refresh token, and without an id_token: reports differ, so nobody may need it."""
    store = state.accounts["apple"]
    found = store.find_token(sent.get("refresh_token", ""), "refresh")
    if found is None or found.client_id != sent["client_id"]:
        raise OAuthError("invalid_grant", "The refresh token has been revoked.")
    shared = {name: getattr(found, name) for name in ("login", "client_id", "person", "subject", "scopes")}
    access = store.add_token("access", _value("a"), shared, state.settings.apple.token_seconds)
    return {"access_token": access.value, "token_type": "Bearer", "expires_in": state.settings.apple.token_seconds}


def _value(kind: str) -> str:
    return f"{kind}{secrets.token_hex(16)}.0.nrtx.{secrets.token_urlsafe(16)}"
