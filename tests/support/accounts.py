"""Naver, Google and Apple as the sandbox plays them: a browser that logs in, and the site's own calls."""

import base64
import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet
from werkzeug.test import TestResponse

from kakaoauth.sandbox.signing.keys import KeyRing
from support.sandbox import Sandbox, page_of, request_id

SITE = "http://localhost:8000"
ORIGIN = "http://127.0.0.1:8001"
#: Made once: two RSA keys for each provider and test would be slow.
RINGS = {name: KeyRing() for name in ("naver", "google", "apple")}
VERIFIER = "v" * 43
CHALLENGE = "7w_YNF9DSfIdPf_pRjSq646_kPr-2-o9NAl16JGghdM"  # S256 of the verifier


class AccountSandbox(Sandbox):
    """A sandbox seen as one of the three providers."""

    provider = ""

    def __init__(self, **changes: Any) -> None:
        super().__init__(keyrings=RINGS, **changes)
        self.callback = f"{SITE}/{self.provider}/login/callback/"
        self.change(redirect_uris=(self.callback,))

    @property
    def app_settings(self) -> Any:
        return getattr(self.state.settings, self.provider)

    def change(self, **changes: Any) -> None:
        self.state.change_account_settings(self.provider, **changes)

    def path(self, path: str) -> str:
        return f"/{self.provider}{path}"

    def begin(self, path: str, query: dict[str, str | None], **more: Any) -> TestResponse:
        sent = {name: value for name, value in query.items() if value is not None}
        return self.browser.get(self.path(path), query_string=sent, **more)

    def be(self, chooser: TestResponse, person: str) -> TestResponse:
        """Choose and take the step that follows."""
        assert page_of(chooser) == "account_chooser", chooser.text
        data = {"request": request_id(chooser), "person": person}
        step = self.browser.post(self.path("/login/person"), data=data)
        assert step.status_code == 303, step.text
        return self.browser.get(step.location)

    def decide(self, consent: TestResponse, *items: str, decision: str = "agree", **form: str) -> TestResponse:
        assert page_of(consent) == "account_consent", consent.text
        data = {"request": request_id(consent), "item": list(items), "decision": decision, **form}
        return self.browser.post(self.path("/login/consent"), data=data)

    def walk(self, answer: TestResponse, person: str, *items: str, **form: str) -> TestResponse:
        """Walk through every page that comes, and return what leads to the site."""
        if page_of(answer) == "account_chooser":
            answer = self.be(answer, person)
        return self.decide(answer, *items, **form) if page_of(answer) == "account_consent" else answer

    def post(self, path: str, **form: str | None) -> TestResponse:
        """Call as the site's server does."""
        return self.server.post(
            self.path(path), data={name: value for name, value in form.items() if value is not None}
        )

    def control(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        answer = self.api(method, f"{self.provider}/{path}".rstrip("/"), body, **more)
        assert answer.status_code in (200, 201), answer.text
        return answer.json

    def keys(self) -> KeySet:
        return KeySet.import_key_set({"keys": self.state.keys(self.provider).public()})

    def claims(self, token: str) -> dict[str, Any]:
        """Read an id_token or event whose signature is good."""
        return dict(jwt.decode(token, self.keys(), algorithms=["RS256"]).claims)


def error_of(answer: TestResponse) -> str:
    """Return what the provider's own error page says."""
    assert page_of(answer) == "account_error", answer.text
    found = re.search(r'data-error="([^"]+)"', answer.text)
    assert found
    return found[1]


def came_back(answer: TestResponse, callback: str) -> dict[str, str]:
    """Return the query of the redirect to the site."""
    assert answer.status_code == 302, answer.text
    assert answer.location.startswith(callback)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.location).query).items()}


def posted(answer: TestResponse, callback: str) -> dict[str, str]:
    """Return the fields of the form that goes to the site by itself."""
    assert page_of(answer) == "account_form_post", answer.text
    assert f'action="{callback}"' in answer.text
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', answer.text)
    return {name: unescape(value) for name, value in fields}


def unsigned(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


def apple_secret(sandbox: AccountSandbox, key: ECKey | None = None, kid: str | None = None, **changes: Any) -> str:
    """Sign a client secret as Apple wants it; a value of None removes."""
    settings = sandbox.app_settings
    now = int(sandbox.state.clock.now())
    claims = {
        "iss": settings.team_id,
        "sub": settings.client_id,
        "aud": "https://appleid.apple.com",
        "iat": now,
        "exp": now + 300,
    }
    claims = {name: value for name, value in (claims | changes).items() if value is not None}
    header = {"alg": "ES256", "kid": kid or settings.key_id}
    key = key or ECKey.import_key(settings.private_key)
    return jws.serialize_compact(header, json.dumps(claims), key, algorithms=["ES256"])
