"""Facebook's side of a login, and of the two callbacks it sends."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests_mock
from flask.testing import FlaskClient

APP_ID = "604160514253221"
SECRET = "canary0fb0fb0fb0fb0fb0fb0fb0fb0f"
DIALOG = "https://www.facebook.com/v24.0/dialog/oauth"
GRAPH = "https://graph.facebook.com/v24.0"
TOKEN_URL = f"{GRAPH}/oauth/access_token"
ME_URL = f"{GRAPH}/me"
DEBUG_URL = f"{GRAPH}/debug_token"
ACCESS_TOKEN = "EAAcanaryAccessToken"
#: Facebook's own codes have a few hundred characters.
CODE = f"AQCcanaryCode-{'x' * 300}_end"
SUBJECT = "122093481726354987"
SETTINGS = {"FACEBOOK_CLIENT_ID": APP_ID, "FACEBOOK_CLIENT_SECRET": SECRET}
#: What must stand in no log, page, address or exception.
CANARIES = (SECRET, ACCESS_TOKEN, CODE, "canary-message")


class FakeFacebook:
    """The Graph API's answers: change the attributes, or register something else on `mock`."""

    def __init__(self, mock: requests_mock.Mocker) -> None:
        self.mock = mock
        self.token: dict[str, Any] = {"access_token": ACCESS_TOKEN, "token_type": "bearer", "expires_in": 5183944}
        self.me: dict[str, Any] = person()
        self.debug: dict[str, Any] = {"app_id": APP_ID, "type": "USER", "is_valid": True, "user_id": SUBJECT}
        self.debug |= {"application": "A", "expires_at": 0, "scopes": ["email", "public_profile"]}
        headers = {"facebook-api-version": "v24.0"}
        mock.post(TOKEN_URL, json=lambda *_: self.token, headers=headers)
        mock.get(ME_URL, json=lambda *_: self.me, headers=headers)
        mock.get(DEBUG_URL, json=lambda *_: {"data": self.debug}, headers=headers)
        mock.delete(f"{GRAPH}/{SUBJECT}/permissions", json={"success": True}, headers=headers)

    def fails(self, url: str, error: dict[str, Any], status: int = 400) -> None:
        """Answer this Graph error from now on."""
        self.mock.request(requests_mock.ANY, url, json=graph_error(**error), status_code=status)

    def calls(self, url: str = "") -> list[Any]:
        return [call for call in self.mock.request_history if not url or call.url.split("?")[0] == url]

    def form(self) -> dict[str, str]:
        (call,) = self.calls(TOKEN_URL)
        return {name: values[0] for name, values in parse_qs(call.text).items()}


def person(subject: str = SUBJECT, **changes: Any) -> dict[str, Any]:
    """A /me body; a value of None removes."""
    url = "https://platform-lookaside.fbsbx.com/platform/profilepic/?asid=1&height=200"
    whole = {"id": subject, "name": "민지 Kim", "email": f"f{subject}@example.kr"}
    whole |= {"picture": {"data": {"url": url, "is_silhouette": False}}, **changes}
    return {name: value for name, value in whole.items() if value is not None}


def graph_error(code: int, subcode: int | None = None, **more: Any) -> dict[str, Any]:
    error = {"message": "canary-message", "type": "OAuthException", "code": code, "fbtrace_id": "A1", **more}
    return {"error": error if subcode is None else {**error, "error_subcode": subcode}}


def proof(access_token: str = ACCESS_TOKEN) -> str:
    return hmac.new(SECRET.encode(), access_token.encode(), sha256).hexdigest()


def signed_request(secret: str = SECRET, **changes: Any) -> str:
    """What a callback brings; a value of None removes."""
    content = {"algorithm": "HMAC-SHA256", "issued_at": int(time.time()), "user_id": SUBJECT, **changes}
    return sign(json.dumps({name: value for name, value in content.items() if value is not None}), secret)


def sign(payload: str, secret: str = SECRET) -> str:
    body = urlsafe_b64encode(payload.encode()).rstrip(b"=")
    signature = urlsafe_b64encode(hmac.new(secret.encode(), body, sha256).digest()).rstrip(b"=")
    return f"{signature.decode()}.{body.decode()}"


def begin_login(client: FlaskClient, **query: str) -> dict[str, str]:
    """Press the button; return the authorization request's parameters."""
    response = client.get("/facebook/login/", query_string=query)
    assert response.status_code == 302, response.text
    return {name: values[0] for name, values in parse_qs(urlsplit(response.location).query).items()}


def come_back(client: FlaskClient, state: str, **query: str) -> Any:
    return client.get("/facebook/login/callback/", query_string={"state": state, "code": CODE, **query})


def log_in(client: FlaskClient, **query: str) -> Any:
    return come_back(client, begin_login(client, **query)["state"])


def mocked() -> Iterator[FakeFacebook]:
    """The body of a fixture."""
    with requests_mock.Mocker() as mock:
        yield FakeFacebook(mock)
