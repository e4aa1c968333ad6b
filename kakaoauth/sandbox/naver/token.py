"""Naver's token addresses, the older ones and those of OpenID Connect, and the end of a token."""

import secrets
from typing import Any

from flask import Blueprint, Response, request

from kakaoauth.sandbox.accounts.errors import OAuthError
from kakaoauth.sandbox.accounts.proofs import equal, half_hash, verifier_fits
from kakaoauth.sandbox.pages.responses import json_answer
from kakaoauth.sandbox.signing.tokens import sign
from kakaoauth.sandbox.state.account_model import AccountCode, AccountToken
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.state.state import State

bp = Blueprint("naver_token", __name__, url_prefix="/naver")


@bp.route("/oauth2.0/token", methods=["GET", "POST"])
def token() -> Response:
    """The older address. Its errors come with status 200."""
    sent = request.values.to_dict()
    try:
        return json_answer(_answer(sent, oidc=False))
    except OAuthError as error:
        error.status = 200
        raise


@bp.post("/oauth2/token")
def oidc_token() -> Response:
    """The address of OpenID Connect."""
    return json_answer(_answer(request.form.to_dict(), oidc=True))


@bp.post("/oauth2.0/revoke")
def revoke() -> Response:
    """End a token with its twin and take the app away from the person; 200 with nothing, also for unknown tokens."""
    state, sent = current_state(), request.form
    if not sent.get("token") or not sent.get("client_id"):
        raise OAuthError("invalid_request", "Required parameter is missing.")
    settings = state.settings.naver
    if sent["client_id"] != settings.client_id or not equal(sent.get("client_secret", ""), settings.client_secret):
        raise OAuthError("unauthorized_client", "Client authentication failed.", status=401)
    with state.changing():
        found = state.accounts["naver"].tokens.get(sent["token"])
        if found is not None and found.client_id == settings.client_id:
            state.accounts["naver"].remove(found.person)
    return Response(status=200)


def _answer(sent: dict[str, str], *, oidc: bool) -> dict[str, Any]:
    state = current_state()
    settings = state.settings.naver
    known = sent.get("client_id") == settings.client_id
    if not known or not equal(sent.get("client_secret", ""), settings.client_secret):
        if oidc:
            raise OAuthError("invalid_client", status=401)
        raise OAuthError("unauthorized_client", "wrong client id / client secret pair.")
    grant_type = sent.get("grant_type")
    with state.changing():
        if grant_type == "authorization_code":
            return _exchange(sent, state, oidc=oidc)
        if grant_type == "refresh_token":
            return _refresh(sent, state)
        if grant_type == "delete" and not oidc:
            return _delete(sent, state)
    raise OAuthError("invalid_request", "grant_type is missing or not supported.")


def _exchange(sent: dict[str, str], state: State, *, oidc: bool) -> dict[str, Any]:
    if not sent.get("code") or (state.settings.naver.state_required and not sent.get("state")):
        raise OAuthError("invalid_request", "Required parameter is missing.")
    code = state.accounts["naver"].codes.get(sent["code"])
    over = code is None or code.used or code.expires_at <= state.clock.now() or code.request.oidc != oidc
    # The state belongs to the code: Naver keeps both together
    if code is None or over or ("state" in sent and sent["state"] != code.request.state):
        raise OAuthError("invalid_request", "no valid data in session")
    code.used = True
    if sent.get("redirect_uri", code.request.redirect_uri) != code.request.redirect_uri:
        raise OAuthError("invalid_request", "wrong redirect_uri")
    # On the older address PKCE is not known, and a verifier is ignored
    if oidc and not verifier_fits(sent.get("code_verifier"), code.request.code_challenge):
        raise OAuthError("invalid_grant", "code_verifier does not match.")
    return answer_exchange(code, state)


def answer_exchange(code: AccountCode, state: State) -> dict[str, Any]:
    """Return the body for a code that is spent. The caller holds the lock."""
    settings, store = state.settings.naver, state.accounts["naver"]
    consent = store.consents[code.person]
    shared: dict[str, Any] = {
        **{"login": secrets.token_hex(8), "client_id": settings.client_id, "person": code.person},
        **{"subject": consent.subject, "scopes": consent.given, "with_id_token": code.request.oidc},
    }
    access = _add_access_token(state, shared)
    refresh = store.add_token("refresh", secrets.token_urlsafe(40), shared, settings.refresh_seconds)
    body = {"access_token": access.value, "refresh_token": refresh.value, "token_type": "bearer"}
    body["expires_in"] = str(settings.token_seconds)  # a text, as in Naver's own sample
    if code.request.oidc:
        body["id_token"] = make_id_token(state, access, code.request.nonce)
    return body


def _refresh(sent: dict[str, str], state: State) -> dict[str, Any]:
    found = state.accounts["naver"].find_token(sent.get("refresh_token", ""), "refresh")
    if found is None:
        raise OAuthError("invalid_request", "invalid refresh_token")
    shared = {
        name: getattr(found, name) for name in ("login", "client_id", "person", "subject", "scopes", "with_id_token")
    }
    access = _add_access_token(state, shared)
    # Without a new refresh token
    body = {"access_token": access.value, "token_type": "bearer", "expires_in": str(state.settings.naver.token_seconds)}
    return body | ({"id_token": make_id_token(state, access, None)} if found.with_id_token else {})


def _delete(sent: dict[str, str], state: State) -> dict[str, Any]:
    """The older way to end a link: it needs a living access token."""
    value = sent.get("access_token", "").replace(" ", "+")  # what was not encoded
    found = state.accounts["naver"].find_token(value, "access")
    if found is None:
        raise OAuthError("invalid_request", "invalid access_token")
    state.accounts["naver"].remove(found.person)
    return {"access_token": found.value, "result": "success"}


def _add_access_token(state: State, shared: dict[str, Any]) -> AccountToken:
    # The + / = in it are Naver's: whoever sends it in a query has to encode it
    value = f"AAAA{secrets.token_hex(20)}+{secrets.token_hex(8)}/{secrets.token_hex(4)}="
    return state.accounts["naver"].add_token("access", value, shared, state.settings.naver.token_seconds)


def make_id_token(state: State, access: AccountToken, nonce: str | None) -> str:
    """Sign an id_token: no e-mail and no names are in it."""
    now = int(state.clock.now())
    sub = f"{access.subject[::-1]}" if state.settings.naver.own_sub else access.subject
    claims: dict[str, Any] = {
        **{"iss": f"{state.settings.issuer}/naver", "aud": access.client_id, "azp": access.client_id, "sub": sub},
        **{"jti": secrets.token_hex(16), "iat": now, "exp": now + state.settings.naver.token_seconds},
        **{"at_hash": half_hash(access.value)},
    }
    if nonce is not None:
        claims["nonce"] = nonce
    return sign(state.keys("naver"), "JWT", claims)
