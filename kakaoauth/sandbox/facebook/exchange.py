"""GET and POST /oauth/access_token: codes in, access tokens out."""

import hashlib
import hmac
import re
from typing import Any

from flask import Response
from itsdangerous import base64_encode

from kakaoauth.sandbox.facebook.authentication import app_token, find_token, why_over
from kakaoauth.sandbox.facebook.errors import GraphError
from kakaoauth.sandbox.facebook.routing import graph_blueprint, parameters
from kakaoauth.sandbox.pages.responses import json_answer
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.state.facebook_model import Code
from kakaoauth.sandbox.state.facebook_settings import FacebookSettings
from kakaoauth.sandbox.state.state import State

bp = graph_blueprint("facebook_exchange")

VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
GRANT_TYPES = ("authorization_code", "client_credentials", "fb_exchange_token")


@bp.route("/<graph:version>oauth/access_token", methods=["GET", "POST"])
def access_token() -> Response:
    """Answer with an access token. :raise GraphError: in Graph's words."""
    state = current_state()
    app = state.settings.facebook
    sent = parameters()
    grant_type = sent.get("grant_type", "authorization_code")
    if grant_type not in GRANT_TYPES:
        supported = ", ".join(GRANT_TYPES)
        raise GraphError(100, f"Invalid grant_type: '{grant_type[:40]}'. Supported types: {supported}")
    _check_client_id(sent, app)
    if grant_type == "authorization_code" and not sent.get("redirect_uri"):
        raise GraphError(191, "Missing redirect_uri parameter.")
    if not hmac.compare_digest(sent.get("client_secret", "").encode(), app.client_secret.encode()):
        raise GraphError(1, "Error validating client secret.")
    if grant_type == "client_credentials":
        return json_answer({"access_token": app_token(app), "token_type": "bearer"})
    # One change from the first look at the code to the saved token: two equal requests can't both win
    with state.changing():
        return json_answer(_from_code(sent, state) if grant_type == "authorization_code" else _longer(sent, state))


def _check_client_id(sent: dict[str, str], app: FacebookSettings) -> None:
    if not sent.get("client_id"):
        raise GraphError(101, "Missing client_id parameter.")
    if sent["client_id"] != app.client_id:
        raise GraphError(101, "Error validating application. Cannot get application info due to a system error.")


def _from_code(sent: dict[str, str], state: State) -> dict[str, Any]:
    if not sent.get("code"):
        raise GraphError(1, "Missing authorization code")
    code = state.facebook.codes.get(sent["code"])
    if code is None:
        raise _code_error("Invalid verification code format.", None)
    if code.used:
        raise _code_error("This authorization code has been used.", 36009)
    if code.expires_at <= state.clock.now():
        raise _code_error("This authorization code has expired.", 36007)
    if sent["redirect_uri"] != code.request.redirect_uri:
        words = "Please make sure your redirect_uri is identical to the one you used in the OAuth dialog request"
        raise _code_error(f"Error validating verification code. {words}", 36008)
    _check_verifier(sent.get("code_verifier"), code)
    code.used = True
    return _answer(code.person, state)


def _longer(sent: dict[str, str], state: State) -> dict[str, Any]:
    """Exchange a token for one with a whole lifetime before it."""
    token = find_token(sent.get("fb_exchange_token", ""))
    reason = why_over(token)
    if reason is not None:
        raise GraphError(190, *reason, challenge="invalid_token")
    if token.type != "USER" or token.person is None or token.app_id != state.settings.facebook.client_id:
        raise GraphError(190, "Invalid OAuth access token.", challenge="invalid_token")
    return _answer(token.person, state)


def _answer(person_key: str, state: State) -> dict[str, Any]:
    app, installation = state.settings.facebook, state.facebook.installed[person_key]
    token = state.facebook.add_token(
        "USER", app.client_id, installation.user_id, person_key, installation.granted, app.token_seconds
    )
    return {"access_token": token.value, "token_type": "bearer", "expires_in": app.token_seconds}


def _check_verifier(verifier: str | None, code: Code) -> None:
    """Compare the PKCE verifier (RFC 7636)."""
    challenge = code.request.code_challenge
    if challenge is None:
        if verifier is not None:
            raise GraphError(1, "code_verifier param is provided without a code_challenge in authorization request.")
        return
    if verifier is None or not VERIFIER.fullmatch(verifier):
        raise GraphError(
            1,
            "Invalid code verifier. Code verifier should be a cryptographically random string using the characters A-Z,"
            " a-z, 0-9, and the punctuation characters -._~ (hyphen, period, underscore, and tilde), between 43 and 128"
            " characters long.",
        )
    digest = base64_encode(hashlib.sha256(verifier.encode()).digest()).decode()
    if not hmac.compare_digest((verifier if code.request.plain else digest).encode(), challenge.encode()):
        raise GraphError(1, "Code verifier does not match the code challenge.")


def _code_error(message: str, subcode: int | None) -> GraphError:
    return GraphError(100, message, subcode, challenge="invalid_code")
