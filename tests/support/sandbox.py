"""What the sandbox's tests share: one sandbox, one browser, one clock that stands still until moved."""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask.testing import FlaskClient
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.test import TestResponse

from kakaoauth.sandbox import Clock, ConsentItem, SandboxSettings, bind, create_sandbox
from kakaoauth.sandbox.signing.keys import KeyRing

START = 1_790_000_000.0
CALLBACK = "http://localhost:8000/kakao/login/callback/"
OTHER_CALLBACK = "http://127.0.0.1:8000/kakao/login/callback/"
AFTER_LOGOUT = "http://localhost:8000/kakao/logout/callback/"
SETTINGS = SandboxSettings(
    client_id="0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    client_secret="sandbox-secret",
    admin_key="sandbox-admin-key",
    app_id=654321,
    redirect_uris=(CALLBACK, OTHER_CALLBACK),
    logout_redirect_uris=(AFTER_LOGOUT,),
)
EVERY_ITEM = (
    ConsentItem("profile_nickname", "required"),
    *(
        ConsentItem(name)
        for name in (
            "profile_image",
            "account_email",
            "name",
            "gender",
            "age_range",
            "birthday",
            "birthyear",
            "phone_number",
            "account_ci",
        )
    ),
)
ALL = ("profile_image", "account_email", *(item.id for item in EVERY_ITEM[3:]))
KEYS = KeyRing()  # made once: two RSA keys per test would be slow


class Compiled(BytecodeCache):
    """Templates compiled once for all the sandboxes of a test run."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


COMPILED = Compiled()


class Sandbox:
    def __init__(
        self, *, keyring: KeyRing = KEYS, keyrings: Mapping[str, KeyRing] | None = None, **changes: Any
    ) -> None:
        self.settings = replace(SETTINGS, **changes)
        self.clock = Clock(lambda: START)
        self.app = create_sandbox(self.settings, clock=self.clock, keyring=keyring, keyrings=keyrings)
        self.app.testing = True
        self.app.jinja_env.bytecode_cache = COMPILED
        self.state = self.app.extensions["kakaoauth_sandbox"]
        self.browser: FlaskClient = self.app.test_client()
        self.server: FlaskClient = self.app.test_client()  # the site's own calls: no cookies

    def authorize(self, **query: str | None) -> TestResponse:
        given = {
            "client_id": self.settings.client_id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "state": "s-1",
        } | query
        return self.browser.get(
            "/oauth/authorize", query_string={name: value for name, value in given.items() if value is not None}
        )

    def choose(self, chooser: TestResponse, person: str) -> TestResponse:
        assert page_of(chooser) == "chooser"
        return self.browser.post(
            "/oauth/authorize/person", data={"request": request_id(chooser), "person": person}, follow_redirects=False
        )

    def enter(self, chooser: TestResponse, person: str) -> TestResponse:
        """Choose and take the step that follows."""
        step = self.choose(chooser, person)
        assert step.status_code == 303
        return self.browser.get(step.location)

    def decide(self, consent: TestResponse, *items: str, decision: str = "agree") -> TestResponse:
        assert page_of(consent) == "consent"
        return self.browser.post(
            "/oauth/authorize/consent", data={"request": request_id(consent), "item": list(items), "decision": decision}
        )

    def log_in(self, person: str = "haneul", items: tuple[str, ...] = ALL, **query: str | None) -> str:
        """Walk through every page and return the code."""
        answer = self.authorize(**query)
        if page_of(answer) == "chooser":
            answer = self.enter(answer, person)
        if page_of(answer) == "consent":
            answer = self.decide(answer, *items)
        return returned(answer)["code"]

    def token(self, **form: str | None) -> TestResponse:
        given = {"client_id": self.settings.client_id, "client_secret": self.settings.client_secret} | form
        return self.server.post(
            "/oauth/token", data={name: value for name, value in given.items() if value is not None}
        )

    def exchange(self, code: str, **form: str | None) -> TestResponse:
        return self.token(**({"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK} | form))

    def refresh(self, refresh_token: str | None, **form: str | None) -> TestResponse:
        return self.token(**({"grant_type": "refresh_token", "refresh_token": refresh_token} | form))

    def tokens(self, person: str = "haneul", items: tuple[str, ...] = ALL, **query: str | None) -> dict[str, Any]:
        answer = self.exchange(self.log_in(person, items, **query))
        assert answer.status_code == 200, answer.text
        return dict(answer.json or {})

    def call(self, method: str, path: str, token: str, **more: Any) -> TestResponse:
        return self.server.open(path, method=method, headers={"Authorization": f"Bearer {token}"}, **more)

    def admin(self, method: str, path: str, target: int | None = None, **more: str) -> TestResponse:
        named = {"target_id_type": "user_id", "target_id": str(target)} if target is not None else {}
        place = "query_string" if method == "GET" else "data"
        return self.server.open(
            path, method=method, headers={"Authorization": f"KakaoAK {SETTINGS.admin_key}"}, **{place: named | more}
        )

    def api(self, method: str, path: str, body: Any = None, **more: Any) -> TestResponse:
        """Use the control API as a script does."""
        headers = {"X-Sandbox": "1"} if method != "GET" else {}
        return self.server.open(f"/sandbox/api/{path}", method=method, json=body, headers=headers, **more)

    def break_(self, endpoint: str, fault: str, **more: Any) -> None:
        answer = self.api("POST", "faults", {"endpoint": endpoint, "fault": fault} | more)
        assert answer.status_code == 200, answer.text

    def me(self, person: str = "haneul", items: tuple[str, ...] = ALL) -> dict[str, Any]:
        return dict(self.call("GET", "/v2/user/me", self.tokens(person, items)["access_token"]).json or {})


class Received:
    """A site's webhook addresses: remembers what came, answers as told."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: bytes | None = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
        self.url = ""


@contextmanager
def receiver() -> Iterator[Received]:
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            received.requests.append((self.command, self.path, dict(self.headers), body))
            if received.answer is None:
                self.rfile.read(1)  # until the other side gives up
            else:
                self.wfile.write(received.answer)

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received.url = f"http://127.0.0.1:{server.server_port}/hook"
        with running(server):
            yield received


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


@contextmanager
def serving(sandbox: Sandbox) -> Iterator[int]:
    """Serve it for real and return the port."""
    with bind(sandbox.app, 0) as server, running(server):
        yield server.server_port


def page_of(answer: TestResponse) -> str | None:
    found = re.search(r'data-page="(\w+)"', answer.text)
    return found[1] if found else None


def request_id(page: TestResponse) -> str:
    found = re.search(r'name="request" value="([^"]+)"', page.text)
    assert found
    return found[1]


def returned(answer: TestResponse) -> dict[str, str]:
    """Return the query of a redirect to the site."""
    assert answer.status_code == 302, answer.text
    assert answer.location.startswith((CALLBACK, AFTER_LOGOUT))
    return {
        name: values[0] for name, values in parse_qs(urlsplit(answer.location).query, keep_blank_values=True).items()
    }


def koe(answer: TestResponse) -> str | None:
    return (answer.json or {}).get("error_code")


def refused(answer: TestResponse, status: int, code: int) -> bool:
    """Check a refusal in kapi's shape."""
    assert answer.status_code == status, answer.text
    assert answer.json is not None
    assert set(answer.json) - {"reason"} == {"msg", "code"}
    return bool(answer.json["code"] == code)
