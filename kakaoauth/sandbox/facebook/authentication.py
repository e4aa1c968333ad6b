"""Who calls the Graph API: which token was sent, is it still good, and does the caller know the app secret."""

import hmac
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

from flask import request

from kakaoauth.sandbox.facebook.errors import GraphError
from kakaoauth.sandbox.facebook.routing import parameters
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.state.facebook_model import Token
from kakaoauth.sandbox.state.facebook_settings import FacebookSettings

PROOF_SECONDS = 300  # a proof with a time in it
PACIFIC = timezone(timedelta(hours=-8), "PST")  # whose time Facebook's texts are in
ENDED = {
    452: "Session does not match current stored session. This may be because the user changed the password since the"
    " time the session was created or Facebook has changed the session for security reasons.",
    458: "The user has not authorized application {app_id}.",
    459: "The user is enrolled in a blocking, logged-in checkpoint.",
    460: "The session has been invalidated because the user changed their password or Facebook has changed the session"
    " for security reasons.",
    464: "The user is not a confirmed user.",
    467: "The session is invalid because the user logged out.",
}


def find_caller() -> Token:
    """Return the living token the call was made with. :raise GraphError:"""
    sent = _sent_token()
    if not sent:
        raise GraphError(2500, "An active access token must be used to query information about the current user.")
    token = find_token(sent)
    reason = why_over(token)
    if reason is not None:
        raise _invalid(*reason)
    _check_proof(token)
    return token


def find_token(value: str) -> Token:
    """Return the token with that text, alive or not. :raise GraphError: there is none."""
    state = current_state()
    app = state.settings.facebook
    if value.startswith(f"{app.client_id}|"):
        if any(
            hmac.compare_digest(value.encode(), known.encode()) for known in (app_token(app), _plain_app_token(app))
        ):
            return Token(value, "APP", app.client_id, "", None, [], 0, 0)
        raise _invalid("Invalid OAuth access token signature.", None)
    with state.reading():
        token = state.facebook.tokens.get(value)
    if token is not None:
        return token
    if value.startswith("EAA"):
        # As with Facebook, this text repeats the token: a client must not log it
        raise _invalid(f"Malformed access token {value[:300]}", None)
    raise _invalid("Invalid OAuth access token - Cannot parse access token", None)


def why_over(token: Token) -> tuple[str, int] | None:
    """Return the message and the subcode with which a token is refused, or None while it is good."""
    state = current_state()
    now = state.clock.now()
    if token.ended:
        text = ENDED[token.ended].replace("{app_id}", token.app_id)
        return f"Error validating access token: {text}", token.ended
    if token.expires_at and token.expires_at <= now:
        ended, today = (_pacific(moment) for moment in (token.expires_at, now))
        text = f"Session has expired on {ended}. The current time is {today}."
        return f"Error validating access token: {text}", 463
    return None


def app_token(app: FacebookSettings) -> str:
    """The one that grant_type=client_credentials gives; it does not show the secret."""
    return f"{app.client_id}|{hmac.new(app.client_secret.encode(), b'app token', sha256).hexdigest()[:27]}"


def scopes_of(token: Token) -> list[str]:
    """What the person grants today, or what was written into a token that no dialog made."""
    state = current_state()
    installation = state.facebook.installed.get(token.person or "")
    if token.type == "USER" and token.app_id == state.settings.facebook.client_id and installation is not None:
        return installation.granted
    return token.scopes


def _plain_app_token(app: FacebookSettings) -> str:
    return f"{app.client_id}|{app.client_secret}"


def _sent_token() -> str:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() in ("bearer", "oauth"):
        return credentials.strip()
    return parameters().get("access_token", "")


def _check_proof(token: Token) -> None:
    """Check appsecret_proof. A token with the secret in it needs none; another app's has another secret."""
    state = current_state()
    app = state.settings.facebook
    sent = parameters()
    ours = token.app_id == app.client_id
    if "appsecret_proof" not in sent:
        if ours and app.require_app_secret and token.value != _plain_app_token(app):
            raise _proof_error("API calls from the server require an appsecret_proof argument")
        return
    text, moment = token.value, sent.get("appsecret_time")
    if moment is not None:
        fresh = moment.isdecimal() and len(moment) < 12 and abs(int(moment) - state.clock.now()) <= PROOF_SECONDS
        text = f"{text}|{moment}" if fresh else ""
    expected = hmac.new(app.client_secret.encode(), text.encode(), sha256).hexdigest()
    if not (ours and text and hmac.compare_digest(sent["appsecret_proof"].encode(), expected.encode())):
        raise _proof_error("Invalid appsecret_proof provided in the API argument")


def _proof_error(message: str) -> GraphError:
    return GraphError(100, message, type="GraphMethodException")


def _invalid(message: str, subcode: int | None) -> GraphError:
    return GraphError(190, message, subcode, challenge="invalid_token")


def _pacific(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).astimezone(PACIFIC).strftime("%A, %d-%b-%y %H:%M:%S %Z")
