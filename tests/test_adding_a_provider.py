"""The walk-through in docs/adding-a-provider.md is true: its file, added to a site, logs a person in."""

import ast
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests_mock
from flask import Flask
from flask.testing import FlaskClient
from support import FakeKakao, csrf_token
from support import log_in as log_in_by_kakao

from kakaoauth import providers
from kakaoauth.models import Identity, User, find_identity
from kakaoauth.storage.database import db

PAGE = Path(__file__).resolve().parent.parent / "docs/adding-a-provider.md"
FILE, SETTINGS, _USE = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
TOKEN_URL = "https://nid.naver.com/oauth2.0/token"
ME_URL = "https://openapi.naver.com/v1/nid/me"
GIVEN = {"NAVER_CLIENT_ID": "naver-id", "NAVER_CLIENT_SECRET": "canary-naver-secret"}


@pytest.fixture(scope="module")
def naver() -> ModuleType:
    module = ModuleType("naver")
    exec(compile(FILE, "docs/adding-a-provider.md", "exec"), module.__dict__)
    return module


@pytest.fixture
def kakao(kakao_key: Any) -> Iterator[FakeKakao]:
    person = {"id": "Xy_-12", "nickname": "민지", "email": "m@naver.com", "profile_image": "https://pstatic.test/p.jpg"}
    token = {"access_token": "canary-naver-token", "token_type": "bearer", "expires_in": "3600", "refresh_token": "r"}
    with requests_mock.Mocker() as mock:
        mock.post(TOKEN_URL, json=token)
        mock.get(ME_URL, json={"resultcode": "00", "message": "success", "response": person})
        yield FakeKakao(mock, kakao_key)


@pytest.fixture
def make_site(make_app: Callable[..., Flask], kakao: FakeKakao, naver: ModuleType) -> Callable[..., Flask]:
    def make(**settings: Any) -> Flask:
        app = make_app(**GIVEN, **settings)
        providers.add(app, naver.Naver)
        return app

    return make


def log_in(client: FlaskClient, begun: Any = None) -> Any:
    begun = begun or client.get("/naver/login/?next=/users/me/")
    assert begun.location.startswith("https://nid.naver.com/oauth2.0/authorize?")
    sent = parse_qs(urlsplit(begun.location).query)
    assert sent["client_id"] == ["naver-id"]
    assert sent["code_challenge_method"] == ["S256"]
    return client.get("/naver/login/callback/", query_string={"state": sent["state"][0], "code": "canary-code"})


def test_person_logs_in(make_site: Callable[..., Flask], kakao: FakeKakao, caplog: Any) -> None:
    caplog.set_level("DEBUG")
    app = make_site(KAKAOAUTH_EMAIL_REQUIRED=False)
    client = app.test_client()
    assert 'class="login naver" href="/naver/login/"' in client.get("/").text
    answer = log_in(client)
    assert (answer.status_code, answer.location) == (302, "/users/me/")
    page = client.get("/users/me/?lang=en").text
    assert "민지" in page
    assert "Naver" in page
    assert client.get("/naver/logout/?lang=en").text.count("Your Naver account stays logged in") == 1
    with app.app_context():
        user = find_identity("naver", "Xy_-12").user
        assert (user.provider, user.email, user.profile_image) == ("naver", None, "https://pstatic.test/p.jpg")
    (form,) = [parse_qs(call.text) for call in kakao.mock.request_history if call.method == "POST"]
    assert (form["client_secret"], form["grant_type"]) == (["canary-naver-secret"], ["authorization_code"])
    assert "canary" not in caplog.text


def test_untrusted_email_lets_nobody_sign_up_and_linking_works(
    make_site: Callable[..., Flask], kakao: FakeKakao
) -> None:
    app = make_site()
    client = app.test_client()
    client.get("/?lang=en")
    answer = log_in(client)
    assert answer.status_code == 403
    assert "The e-mail address of your Naver account is not confirmed yet" in answer.text
    log_in_by_kakao(client, kakao)
    page = client.get("/users/me/")
    assert "https://nid.naver.com" in page.headers["Content-Security-Policy"]
    begun = client.post("/users/me/link/naver/", data={"csrf_token": csrf_token(client)})
    assert log_in(client, begun).location == "/users/me/"
    with app.app_context():
        assert (db.session.query(User).count(), db.session.query(Identity).count()) == (1, 2)


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ({"json": {"error": "invalid_grant", "error_description": "canary"}}, 400, "Naver says that this login was"),
        ({"json": {"error": "invalid_client"}, "status_code": 401}, 500, "Login does not work at the moment"),
        ({"json": {"error": "odd"}, "status_code": 400}, 503, "Naver does not answer at the moment"),
        ({"text": "<html>", "status_code": 502}, 503, "Naver does not answer at the moment"),
    ],
)
def test_error_pages_name_it(
    make_site: Callable[..., Flask], kakao: FakeKakao, answer: dict[str, Any], status: int, words: str
) -> None:
    kakao.mock.post(TOKEN_URL, **answer)
    client = make_site().test_client()
    client.get("/?lang=en")
    page = log_in(client)
    assert (page.status_code, words in page.text, "canary" in page.text) == (status, True, False)


def test_what_plain_oauth_does_not_have_is_refused(make_site: Callable[..., Flask], naver: ModuleType) -> None:
    client = make_site(KAKAOAUTH_EMAIL_REQUIRED=False).test_client()
    for body, status in (
        ({"access_token": "x"}, 403),
        ({"id_token": "a.b.c"}, 401),
        ({"code": "canary-code", "redirect_uri": "https://app.test/cb"}, 201),
    ):
        assert client.post("/api/auth/naver/", json=body).status_code == status, body


def test_without_an_id_it_is_not_offered(make_app: Callable[..., Flask], naver: ModuleType) -> None:
    app = make_app()
    providers.add(app, naver.Naver)
    assert app.test_client().get("/naver/login/").status_code == 404


def test_settings_block_is_what_the_provider_looks_for() -> None:
    block = ast.parse(textwrap.dedent(SETTINGS)).body
    names = [line.target.id for line in block if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)]
    assert names == ["NAVER_CLIENT_ID", "NAVER_CLIENT_SECRET", "NAVER_REDIRECT_URI"]
    assert len(FILE.splitlines()) < 50
