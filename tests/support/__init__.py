"""What the tests speak in: a Kakao of our own making, and what a browser does in a login."""

import time
from base64 import urlsafe_b64encode
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests_mock
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import RSAKey

from kakaoauth import jobs, providers
from kakaoauth.models import User
from kakaoauth.providers.kakao import Kakao
from kakaoauth.providers.values import PendingLogin, Profile
from kakaoauth.storage.database import db
from kakaoauth.tokens import flows as token_flows
from kakaoauth.tokens.flows import TokenPair

KAUTH = "https://kauth.kakao.com"
KAPI = "https://kapi.kakao.com"
CLIENT_ID = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
CLIENT_SECRET = "Xy7Qm2Lr9Kd4Tn6Wb8Zc1Vf3Hs5Jg0Pe"
PERSONAS = ("anonymous", "minji", "sora", "hana", "gone")


class FakeKakao:
    """Kakao's side of a login. Change `me`, `token`, `id_claims` before a login; read `calls` after it."""

    def __init__(self, mock: requests_mock.Mocker, key: RSAKey) -> None:
        self.mock = mock
        self.key = key
        self.kauth, self.kapi = KAUTH, KAPI
        self.me: dict[str, Any] = person(3902187744)
        #: None: OpenID Connect is off.
        self.id_claims: dict[str, Any] | None = None
        self.nonce = ""
        self.token: dict[str, Any] = {}
        #: What the admin key is told of anybody. Asked only when Kakao has said that somebody is unlinked.
        self.is_linked = False
        #: Kakao Sync: what was agreed to there, as Kakao lists it.
        self.service_terms: list[dict[str, Any]] = []
        mock.post(f"{KAUTH}/oauth/token", json=self._token)
        mock.get(f"{KAPI}/v2/user/me", json=self._me)
        mock.get(
            f"{KAPI}/v2/user/service_terms", json=lambda *_: {"id": self.me["id"], "service_terms": self.service_terms}
        )
        mock.post(f"{KAPI}/v1/user/logout", json=lambda *_: {"id": self.me["id"]})
        mock.post(f"{KAPI}/v1/user/unlink", json=lambda *_: {"id": self.me["id"]})
        mock.get(f"{KAUTH}/.well-known/jwks.json", json={"keys": [key.as_dict(private=False)]})

    def _token(self, request: Any, context: Any) -> dict[str, Any]:
        answer = {
            "token_type": "bearer",
            "access_token": "canary-access-token",
            "expires_in": 21599,
            "refresh_token": "canary-refresh-token",
            "refresh_token_expires_in": 5183999,
            "scope": "account_email profile_nickname",
        }
        if self.id_claims is not None:
            now = int(time.time())
            claims = {
                "iss": KAUTH,
                "aud": CLIENT_ID,
                "sub": str(self.me["id"]),
                "iat": now,
                "exp": now + 21599,
                "auth_time": now,
                "nonce": self.nonce,
                **self.id_claims,
            }
            answer["id_token"] = jwt.encode({"alg": "RS256", "kid": "test-key-1", "typ": "JWT"}, claims, self.key)
            answer["scope"] = "openid account_email profile_nickname"
        return {**answer, **self.token}

    def _me(self, request: Any, context: Any) -> dict[str, Any]:
        if not request.headers["Authorization"].startswith("KakaoAK "):
            return self.me
        if self.is_linked:
            return {"id": int(parse_qs(urlsplit(request.url).query)["target_id"][0])}
        context.status_code = 400
        return {"msg": "NotRegisteredUserException", "code": -101}

    def _agreed_terms(self, request: Any, context: Any) -> dict[str, Any]:
        return {"id": self.me["id"], "service_terms": self.service_terms}

    def fails(self, *, token: dict[str, Any] | None = None, me: dict[str, Any] | None = None) -> None:
        """Answer the token call or /v2/user/me with these requests-mock arguments from now on."""
        if token is not None:
            self.mock.post(f"{KAUTH}/oauth/token", **token)
        if me is not None:
            self.mock.get(f"{KAPI}/v2/user/me", **me)

    @property
    def calls(self) -> list[str]:
        return [f"{call.method} {urlsplit(call.url).path}" for call in self.mock.request_history]

    def form(self, number: int = -1) -> dict[str, str]:
        """What the token call with that number sent."""
        posts = [call for call in self.mock.request_history if call.method == "POST"]
        return {name: values[0] for name, values in parse_qs(posts[number].text, keep_blank_values=True).items()}


def person(subject: Any, **account: Any) -> dict[str, Any]:
    """A /v2/user/me body; `account` changes kakao_account, a value of None removes."""
    kakao_account = {
        "profile_nickname_needs_agreement": False,
        "profile": {"nickname": "민지", "is_default_nickname": False},
        "email_needs_agreement": False,
        "is_email_valid": True,
        "is_email_verified": True,
        "email": f"p{subject}@example.kr",
        **account,
    }
    return {"id": subject, "kakao_account": {k: v for k, v in kakao_account.items() if v is not None}}


class Second(Kakao):
    """A second provider, which answers as Kakao does and knows the same people."""

    name = "second"

    def fetch_profile(self, pending: PendingLogin, code: str) -> Profile:
        return replace(super().fetch_profile(pending, code), provider=self.name)


def add_second(app: Flask) -> Flask:
    app.config.update(SECOND_CLIENT_ID=CLIENT_ID, SECOND_CLIENT_SECRET=CLIENT_SECRET)
    providers.add(app, Second)
    return app


def begin_login(client: FlaskClient, **query: str) -> dict[str, str]:
    """Press the button; return the authorization request's parameters."""
    response = client.get("/kakao/login/", query_string=query)
    assert response.status_code == 302, response.text
    return {name: values[0] for name, values in parse_qs(urlsplit(response.location).query).items()}


def come_back(client: FlaskClient, state: str, code: str = "canary-code", **query: str) -> Any:
    return client.get("/kakao/login/callback/", query_string={"state": state, "code": code, **query})


def press_confirm(client: FlaskClient, target: str = "/users/me/", provider: str = "kakao") -> dict[str, str]:
    """Press the button that proves who it is; the authorization request's parameters."""
    form = {"csrf_token": csrf_token(client), "next": target}
    answer = client.post(f"/users/me/confirm/{provider}/", data=form)
    assert answer.status_code == 302, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.location).query).items()}


def confirm(client: FlaskClient, kakao: FakeKakao, target: str = "/users/me/") -> Any:
    """Prove who it is, as the person whom Kakao knows by then."""
    sent = press_confirm(client, target)
    kakao.nonce = sent["nonce"]
    return come_back(client, sent["state"])


def log_in(client: FlaskClient, kakao: FakeKakao, **query: str) -> Any:
    sent = begin_login(client, **query)
    kakao.nonce = sent["nonce"]
    return come_back(client, sent["state"])


def is_logged_in(client: FlaskClient) -> bool:
    return client.get("/users/me/").status_code == 200


def token_calls(kakao: FakeKakao) -> int:
    """How often Kakao was asked for tokens."""
    return kakao.calls.count("POST /oauth/token")


def run_jobs(app: Flask, **how: Any) -> tuple[int, int]:
    """What the running site does by itself now and then; what `jobs.run_once` returns."""
    with app.app_context():
        return jobs.run_once(**how)


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def set_cookie(client: FlaskClient, name: str = "session") -> str:
    cookie = client.get_cookie(name)
    return cookie.value if cookie else ""


def csrf_token(client: FlaskClient, page: str = "/users/me/") -> str:
    text = client.get(page).text
    return text.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]


def profile(subject: str = "1", **fields: Any) -> Profile:
    return Profile(provider="kakao", subject=subject, **fields)


def new_user(app: Flask, email: str, **fields: Any) -> int:
    """The number of a user who is made and stored."""
    with app.app_context():
        user_id: int = User.objects.create_user(email, **fields).id
        db.session.commit()
    return user_id


def tokens_of(app: Flask, user_id: int) -> TokenPair:
    """The tokens of a login of that user that has just been made."""
    with app.app_context():
        user = db.session.get(User, user_id)
        assert user
        return token_flows.issue_tokens(user)


def api_client(app: Flask, access_token: str) -> FlaskClient:
    """An app that sends this token with every request."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {access_token}"
    return client


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The problem document (RFC 9457) that a refusal of the API must be."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    found: dict[str, Any] = answer.get_json(force=True)
    assert (found["status"], found["code"]) == (status, code)
    assert found["title"]
    assert found["detail"]
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert answer.headers["Cache-Control"] == "no-store"
    return found


def readable_tables() -> list[str]:
    """All tables; of SQLite's search index, which gives nothing out, those that it keeps its content in."""
    return sorted(set(db.inspect(db.engine).get_table_names()) - {"user_search"})
