"""oauth2.googleapis.com: codes and refresh tokens in, access tokens out; and their end."""

import base64
import binascii
import secrets
from typing import Any
from urllib.parse import unquote

from flask import Blueprint, Response, request

from kakaoauth.sandbox.accounts.errors import OAuthError
from kakaoauth.sandbox.accounts.proofs import equal, verifier_fits
from kakaoauth.sandbox.google.login import SCOPES
from kakaoauth.sandbox.google.oidc import make_id_token
from kakaoauth.sandbox.pages.responses import json_answer
from kakaoauth.sandbox.state.account_model import AccountCode
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.state.state import State

bp = Blueprint("google_token", __name__, url_prefix="/google")


@bp.post("/token")
def token() -> Response:
    """Answer with tokens. :raise OAuthError:"""
    state, sent = current_state(), request.form.to_dict()
    client_id = _client(sent, state)
    grant_type = sent.get("grant_type")
    with state.changing():
        if grant_type == "authorization_code":
            return json_answer(_exchange(sent, client_id, state))
        if grant_type == "refresh_token":
            return json_answer(_refresh(sent, client_id, state))
    raise OAuthError("unsupported_grant_type", f"Invalid grant_type: {(grant_type or '')[:40]}")


@bp.post("/revoke")
def revoke() -> Response:
    """End the consent that a token stands for: every scope, for every client of the project."""
    state = current_state()
    value = request.form.get("token", request.args.get("token", ""))
    store = state.accounts["google"]
    with state.changing():
        found = store.find_token(value, "access") or store.find_token(value, "refresh")
        if found is None:
            raise OAuthError("invalid_token", "Token expired or revoked")
        store.remove(found.person)
    return json_answer({})


def _client(sent: dict[str, str], state: State) -> str:
    """Return the client that proves who it is, in the form or by Basic. :raise OAuthError: 401."""
    settings = state.settings.google
    client_id, secret = sent.get("client_id", ""), sent.get("client_secret", "")
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            text = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, ValueError):
            text = ""
        client_id, secret = (unquote(part) for part in text.partition(":")[::2])
    if client_id in settings.app_client_ids:  # apps have no secret
        return client_id
    if client_id != settings.client_id:
        raise OAuthError("invalid_client", "The OAuth client was not found.", status=401)
    if not equal(secret, settings.client_secret):
        raise OAuthError("invalid_client", "Unauthorized", status=401)
    return client_id


def _exchange(sent: dict[str, str], client_id: str, state: State) -> dict[str, Any]:
    code = state.accounts["google"].codes.get(sent.get("code", ""))
    if code is None or code.used or code.expires_at <= state.clock.now() or code.request.client_id != client_id:
        raise OAuthError("invalid_grant", "Malformed auth code." if code is None else "Bad Request")
    if sent.get("redirect_uri") != code.request.redirect_uri:
        raise OAuthError("redirect_uri_mismatch", "Bad Request")
    code.used = True
    if not verifier_fits(sent.get("code_verifier"), code.request.code_challenge, plain=code.request.plain):
        raise OAuthError("invalid_grant", "Invalid code verifier.")
    return answer_exchange(code, state)


def answer_exchange(code: AccountCode, state: State) -> dict[str, Any]:
    """Return the body for a code that is spent. The caller holds the lock."""
    store, asked = state.accounts["google"], code.request
    consent = store.consents[code.person]
    granted = [name for name in asked.scopes if name in consent.given]
    shared: dict[str, Any] = {
        **{"login": secrets.token_hex(8), "client_id": asked.client_id, "person": code.person},
        **{"subject": consent.subject, "scopes": granted},
    }
    access = store.add_token(
        "access", f"ya29.a0{secrets.token_urlsafe(120)}", shared, state.settings.google.token_seconds
    )
    body: dict[str, Any] = {"access_token": access.value, "expires_in": state.settings.google.token_seconds}
    # At the first consent only, or when consent was asked for again
    if asked.offline and (code.first or "consent" in asked.prompts):
        body["refresh_token"] = store.add_token("refresh", f"1//0{secrets.token_urlsafe(70)}", shared, 0).value
    body |= {"scope": " ".join(SCOPES[name][0] for name in granted), "token_type": "Bearer"}
    if "openid" in granted:
        body["id_token"] = make_id_token(state, access, nonce=asked.nonce)
    return body


def _refresh(sent: dict[str, str], client_id: str, state: State) -> dict[str, Any]:
    store = state.accounts["google"]
    found = store.find_token(sent.get("refresh_token", ""), "refresh")
    if found is None or found.client_id != client_id:
        raise OAuthError("invalid_grant", "Token has been expired or revoked.")
    shared = {name: getattr(found, name) for name in ("login", "client_id", "person", "subject", "scopes")}
    access = store.add_token(
        "access", f"ya29.a0{secrets.token_urlsafe(120)}", shared, state.settings.google.token_seconds
    )
    body: dict[str, Any] = {"access_token": access.value, "expires_in": state.settings.google.token_seconds}
    body |= {"scope": " ".join(SCOPES[name][0] for name in found.scopes), "token_type": "Bearer"}
    return body | ({"id_token": make_id_token(state, access)} if "openid" in found.scopes else {})
