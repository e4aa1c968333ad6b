"""A plain Flask app with Kakao as its only provider, and Kakao's side of the conversation."""

import json
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests_mock as rm
from flask import Flask, session
from joserfc.jwk import RSAKey
from joserfc.jws import serialize_compact

from kakaoauth import config, providers
from kakaoauth.providers.kakao import Kakao
from kakaoauth.providers.values import PendingLogin, TokenSet

CLIENT_ID = "c0ffee00c0ffee00c0ffee00c0ffee00"
CLIENT_SECRET = "CanarySecretNeverToBeSeen0000001"
KAUTH = "https://kauth.kakao.com"
KAPI = "https://kapi.kakao.com"
TOKEN_URL = f"{KAUTH}/oauth/token"
ME_URL = f"{KAPI}/v2/user/me"
JWKS_URL = f"{KAUTH}/.well-known/jwks.json"
ACCESS_TOKEN = "canary-access-token"
CODE = "canary-code"
REDIRECT_URI = "https://site.test/kakao/login/callback/"
SUBJECT = 4815162342


class NoTokens:
    """Nobody is logged in, so nobody's tokens are kept."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []

    def fetch_token(self, provider: str) -> TokenSet | None:
        return None

    def update_token(self, provider: str, tokens: TokenSet) -> None:
        raise AssertionError("nothing to renew")

    def forget_token(self, provider: str) -> None:
        self.forgotten.append(provider)

    def renewing(self, provider: str) -> AbstractContextManager[TokenSet | None]:
        return nullcontext(None)


def make_app(**settings: Any) -> Flask:
    app = Flask("providers_under_test")
    given = {"SECRET_KEY": "k" * 40, "KAKAO_CLIENT_ID": CLIENT_ID, "KAKAO_CLIENT_SECRET": CLIENT_SECRET}
    app.config.update(config.load({**given, "REDIS_URL": "redis://127.0.0.1:1", **settings}))
    providers.init_app(app, NoTokens())
    return app


def kakao_of(app: Flask) -> Kakao:
    with app.app_context():
        found = providers.find_provider("kakao")
    assert isinstance(found, Kakao)
    return found


class Visitor:
    """A browser with a pending login."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.kakao = kakao_of(app)
        with app.test_request_context():
            address = self.kakao.begin(REDIRECT_URI, "/here")
            self.session = dict(session)
        self.query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        self.pending = self.find(self.query["state"])

    def find(self, state: str) -> PendingLogin:
        with self.app.test_request_context():
            session.update(self.session)
            found = self.kakao.find_pending(state)
        assert found is not None
        return found

    def finish(self) -> Any:
        with self.app.test_request_context():
            return self.kakao.fetch_profile(self.pending, CODE)


class FakeKakao:
    """Kakao's answers: change the attributes, or register something else on `mock`."""

    def __init__(self, mock: rm.Mocker, key: RSAKey) -> None:
        self.mock = mock
        self.key = key
        self.token: dict[str, Any] = {"access_token": ACCESS_TOKEN, "token_type": "bearer", "expires_in": 21599}
        self.me: dict[str, Any] = {"id": SUBJECT}
        self.jwks: Any = {"keys": [public(key)]}
        mock.post(TOKEN_URL, json=lambda *_: self.token)
        mock.get(ME_URL, json=lambda *_: self.me)
        mock.get(JWKS_URL, json=lambda *_: self.jwks)

    def calls(self, url: str) -> list[Any]:
        return [call for call in self.mock.request_history if call.url.split("?")[0] == url]

    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.calls(TOKEN_URL)[0].text, keep_blank_values=True)

    def give_id_token(self, nonce: str, /, scope: str = "openid account_email", **changes: Any) -> None:
        self.token["id_token"] = sign(self.key, claims(nonce, **changes))
        self.token["scope"] = scope


def public(key: RSAKey, **changes: Any) -> dict[str, Any]:
    return {**key.as_dict(private=False), "kid": key.kid, "alg": "RS256", "use": "sig", **changes}


def claims(nonce: str, /, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    whole = {"iss": KAUTH, "aud": CLIENT_ID, "sub": str(SUBJECT), "iat": now, "exp": now + 21599, "nonce": nonce}
    whole |= {"auth_time": now, "email": "byul@mail.test", **changes}
    return {name: value for name, value in whole.items() if value is not None}


def sign(key: RSAKey, body: dict[str, Any], **header: Any) -> str:
    return serialize_compact({"alg": "RS256", "kid": key.kid, "typ": "JWT", **header}, json.dumps(body), key)


def make_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid})
