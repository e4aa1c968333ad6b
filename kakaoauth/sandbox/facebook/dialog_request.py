"""Read the query of GET /dialog/oauth and decide whether it is acceptable."""

import re

from flask import Request

from kakaoauth.sandbox.facebook.errors import DialogError
from kakaoauth.sandbox.facebook.permissions import ALWAYS, PERMISSIONS
from kakaoauth.sandbox.kakao.authorization_request import split_list
from kakaoauth.sandbox.pages.responses import raw_state
from kakaoauth.sandbox.state.facebook_model import DialogRequest
from kakaoauth.sandbox.state.facebook_settings import FacebookSettings

# RFC 7636: the base64url of a SHA-256 has 43 characters, a verifier 43 to 128
CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def read(request: Request, app: FacebookSettings) -> DialogRequest:
    """Check what a developer can get wrong. :raise DialogError: never a redirect."""
    query = {name: values[-1] for name, values in request.args.lists()}
    if query.get("client_id", query.get("app_id")) != app.client_id:
        raise DialogError("app_id", query.get("client_id", ""))
    if not app.live:
        raise DialogError("not_live")
    uri = query.get("redirect_uri", "")
    if uri not in app.redirect_uris:
        raise DialogError("url_blocked", uri)
    if query.get("response_type", "code") != "code":
        raise DialogError("response_type", query["response_type"])
    method = query.get("code_challenge_method")
    return DialogRequest(
        redirect_uri=uri,
        scopes=_read_scopes(query.get("scope", "")),
        state=raw_state(request.query_string),
        rerequest="rerequest" in split_list(query.get("auth_type", "")),
        reauthenticate="reauthenticate" in split_list(query.get("auth_type", "")),
        code_challenge=_read_challenge(query.get("code_challenge")),
        # Whatever is not S256 counts as plain, as with Facebook: a misspelt method goes unnoticed there
        plain=method != "S256",
    )


def _read_scopes(text: str) -> tuple[str, ...]:
    names = split_list(text)
    unknown = [name for name in names if name not in PERMISSIONS]
    if unknown:
        raise DialogError("scopes", ", ".join(unknown))
    return tuple(dict.fromkeys([ALWAYS, *names]))


def _read_challenge(challenge: str | None) -> str | None:
    if challenge is not None and not CHALLENGE.fullmatch(challenge):
        raise DialogError("challenge")
    return challenge
