"""POST /oauth/token: codes and refresh tokens in, access tokens out."""

import hashlib
import hmac
from typing import Any

from flask import Blueprint, Response, request
from itsdangerous import base64_encode
from werkzeug.datastructures import MultiDict

from kakaoauth.sandbox.errors import KauthError
from kakaoauth.sandbox.kakao.oidc import make_id_token
from kakaoauth.sandbox.pages.responses import json_answer
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.state.grants import ACCESS_SECONDS, REFRESH_SECONDS
from kakaoauth.sandbox.state.model import Code, Grant
from kakaoauth.sandbox.state.state import State

bp = Blueprint("token", __name__)

ISSUE_WINDOW_SECONDS = 600
REFRESH_WINDOW_SECONDS = 3600


@bp.post("/oauth/token")
def token() -> Response:
    """Answer with tokens. :raise KauthError:"""
    state = current_state()
    form = _read_parameters(state)
    _authenticate_client(form, state)
    if not state.settings.login_enabled:
        raise KauthError("misconfigured", "Kakao Login is not activated", "KOE004")
    grant_type = form.get("grant_type")
    # One change from the first look at the code to the saved token: two equal requests can't both win
    with state.changing():
        if grant_type == "authorization_code":
            return json_answer(_exchange(form, state))
        if grant_type == "refresh_token":
            return json_answer(_refresh(form, state))
    raise KauthError("unsupported_grant_type", f"unsupported grant_type: {grant_type or 'null'}", "KOE310")


def _read_parameters(state: State) -> dict[str, str]:
    """Return the form body and, unless the sandbox is strict, the query; JSON and multipart count as nothing.

    :raise KauthError: a parameter came twice, or from two places that contradict each other.
    """
    places: list[MultiDict[str, str]] = (
        [request.form] if request.mimetype == "application/x-www-form-urlencoded" else []
    )
    if state.settings.allows_token_parameters_in_query:
        places.append(request.args)
    found: dict[str, str] = {}
    for place in places:
        for name, values in place.lists():
            if len(values) > 1 or found.setdefault(name, values[0]) != values[0]:
                raise KauthError("invalid_request", f"duplicated parameter: {name}")
    return found


def _authenticate_client(form: dict[str, str], state: State) -> None:
    client_id = form.get("client_id")
    if client_id != state.settings.client_id:
        raise KauthError("invalid_client", f"Not exist client_id [{client_id or 'null'}]", "KOE101", status=401)
    secret = state.settings.client_secret
    if secret is not None and not _equal(form.get("client_secret", ""), secret):
        raise KauthError("invalid_client", "Bad client credentials", "KOE010", status=401)


def _exchange(form: dict[str, str], state: State) -> dict[str, Any]:
    value = form.get("code", "")
    code = state.grants.peek_code(value, form["client_id"])
    if code is None or code.person not in state.links:
        raise KauthError("invalid_grant", f"authorization code not found for code={value or 'null'}", "KOE320")
    # Spent before the remaining checks: a wrong verifier or address gets one guess, not many
    state.grants.spend_code(code)
    sent_uri = form.get("redirect_uri")
    if sent_uri is None and not state.settings.requires_token_redirect_uri:
        sent_uri = code.request.redirect_uri
    if sent_uri != code.request.redirect_uri:
        raise KauthError("invalid_grant", "Redirect URI mismatch.", "KOE303")
    _check_verifier(form.get("code_verifier"), code)
    _count(state, f"issue:{code.person}", state.settings.issue_limit, ISSUE_WINDOW_SECONDS)
    return answer_exchange(code, state)


def answer_exchange(code: Code, state: State) -> dict[str, Any]:
    """Return the body for a code that is spent: tokens, lifetimes in seconds, scope. The caller holds the lock."""
    # With OpenID Connect ON the plain code grant always carries an id_token; an additional-consent request
    # (one with a scope) only when it names openid
    with_id_token = state.settings.oidc and (code.request.items is None or code.request.openid)
    grant, access = state.grants.open(code, with_id_token=with_id_token)
    body: dict[str, Any] = {"access_token": access.value, "token_type": "bearer", "refresh_token": grant.refresh_token}
    if with_id_token:
        body["id_token"] = make_id_token(state, grant, nonce=code.request.nonce)
    scope = sorted([*state.links[code.person].agreed, *(["openid"] if with_id_token else [])])
    body["expires_in"] = ACCESS_SECONDS
    if scope:
        body["scope"] = " ".join(scope)
    body["refresh_token_expires_in"] = REFRESH_SECONDS
    return body


def _refresh(form: dict[str, str], state: State) -> dict[str, Any]:
    value = form.get("refresh_token")
    if not value:
        raise KauthError("invalid_grant", "refresh_token is missing", "KOE319")
    grant = state.grants.find_by_refresh_token(value)
    if grant is None or grant.person not in state.links:
        raise KauthError("invalid_grant", "expired_or_invalid_refresh_token", "KOE322")
    _count(state, f"refresh:{grant.person}", state.settings.refresh_limit, REFRESH_WINDOW_SECONDS)
    return _answer_refresh(grant, state)


def _answer_refresh(grant: Grant, state: State) -> dict[str, Any]:
    rotated = state.grants.rotate_if_old(grant)
    access = state.grants.add_access_token(grant)
    body: dict[str, Any] = {"access_token": access.value, "token_type": "bearer", "expires_in": ACCESS_SECONDS}
    if grant.with_id_token and state.settings.oidc:
        # Without the nonce: it belonged to the login that is long over (OpenID Connect 12.2)
        body["id_token"] = make_id_token(state, grant, nonce=None)
    if rotated:
        body["refresh_token"] = grant.refresh_token
        body["refresh_token_expires_in"] = REFRESH_SECONDS
    return body


def _check_verifier(verifier: str | None, code: Code) -> None:
    """Compare the PKCE verifier. Kakao's number for a mismatch is unknown, so none is given.

    A verifier without a challenge is refused, too: somebody may have taken the challenge out of the
    authorization request (RFC 9700, 4.8.2).
    """
    challenge = code.request.code_challenge
    if challenge is None and verifier is None:
        return
    digest = hashlib.sha256((verifier or "").encode()).digest()
    computed = base64_encode(digest).decode()
    if challenge is None or verifier is None or not _equal(computed, challenge):
        raise KauthError("invalid_grant", "code_verifier does not match code_challenge")


def _count(state: State, key: str, limit: int, seconds: int) -> None:
    if not state.limiter.allow(key, limit=limit, seconds=seconds):
        raise KauthError("invalid_request", "token request rate limit exceeded", "KOE237")


def _equal(sent: str, expected: str) -> bool:
    return hmac.compare_digest(sent.encode(), expected.encode())
