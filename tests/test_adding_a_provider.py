"""The walk-through in docs/adding-a-provider.md is true: its file, added to a site, logs a person in."""

import ast
import re
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests_mock
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import RSAKey
from support import FakeKakao, csrf_token, set_cookie
from support import log_in as log_in_by_kakao
from support.provider_app import public, sign

from kakaoauth import providers
from kakaoauth.models import Identity, User, find_identity
from kakaoauth.storage.database import db

PAGE = Path(__file__).resolve().parent.parent / "docs/adding-a-provider.md"
FILE, OPENID_FILE, SETTINGS, _USE = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
TOKEN_URL = "https://github.com/login/oauth/access_token"
ME_URL = "https://api.github.com/user"
GIVEN = {"GITHUB_CLIENT_ID": "github-id", "GITHUB_CLIENT_SECRET": "canary-github-secret"}


@pytest.fixture(scope="module")
def github() -> ModuleType:
    module = ModuleType("github")
    exec(compile(FILE, "docs/adding-a-provider.md", "exec"), module.__dict__)
    return module


@pytest.fixture
def kakao(kakao_key: Any) -> Iterator[FakeKakao]:
    person = {"id": 583231, "login": "민지", "email": "m@mail.test", "avatar_url": "https://pstatic.test/p.jpg"}
    token = {"access_token": "canary-github-token", "token_type": "bearer", "expires_in": "3600", "refresh_token": "r"}
    with requests_mock.Mocker() as mock:
        mock.post(TOKEN_URL, json=token)
        mock.get(ME_URL, json=person)
        yield FakeKakao(mock, kakao_key)


@pytest.fixture
def make_site(make_app: Callable[..., Flask], kakao: FakeKakao, github: ModuleType) -> Callable[..., Flask]:
    def make(**settings: Any) -> Flask:
        app = make_app(**GIVEN, **settings)
        providers.add(app, github.GitHub)
        return app

    return make


def log_in(client: FlaskClient, begun: Any = None) -> Any:
    begun = begun or client.get("/github/login/?next=/users/me/")
    assert begun.location.startswith("https://github.com/login/oauth/authorize?")
    sent = parse_qs(urlsplit(begun.location).query)
    assert sent["client_id"] == ["github-id"]
    assert sent["code_challenge_method"] == ["S256"]
    return client.get("/github/login/callback/", query_string={"state": sent["state"][0], "code": "canary-code"})


def test_person_logs_in(make_site: Callable[..., Flask], kakao: FakeKakao, caplog: Any) -> None:
    caplog.set_level("DEBUG")
    app = make_site(KAKAOAUTH_EMAIL_REQUIRED=False)
    client = app.test_client()
    assert 'class="login github" href="/github/login/"' in client.get("/").text
    answer = log_in(client)
    assert (answer.status_code, answer.location) == (302, "/users/me/")
    page = client.get("/users/me/?lang=en").text
    assert "민지" in page
    assert "Github" in page
    assert client.get("/github/logout/?lang=en").text.count("Your Github account stays logged in") == 1
    with app.app_context():
        user = find_identity("github", "583231").user
        assert (user.provider, user.email, user.profile_image) == ("github", None, "https://pstatic.test/p.jpg")
    (form,) = [parse_qs(call.text) for call in kakao.mock.request_history if call.method == "POST"]
    assert (form["client_secret"], form["grant_type"]) == (["canary-github-secret"], ["authorization_code"])
    assert "canary" not in caplog.text


def test_untrusted_email_lets_nobody_sign_up_and_linking_works(
    make_site: Callable[..., Flask], kakao: FakeKakao
) -> None:
    app = make_site()
    client = app.test_client()
    client.get("/?lang=en")
    answer = log_in(client)
    assert answer.status_code == 403
    assert "The e-mail address of your Github account is not confirmed yet" in answer.text
    log_in_by_kakao(client, kakao)
    page = client.get("/users/me/")
    assert "https://github.com" in page.headers["Content-Security-Policy"]
    begun = client.post("/users/me/link/github/", data={"csrf_token": csrf_token(client)})
    assert log_in(client, begun).location == "/users/me/"
    with app.app_context():
        assert (db.session.query(User).count(), db.session.query(Identity).count()) == (1, 2)


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ({"json": {"error": "invalid_grant", "error_description": "canary"}}, 400, "Github says that this login was"),
        ({"json": {"error": "invalid_client"}, "status_code": 401}, 500, "Login does not work at the moment"),
        ({"json": {"error": "odd"}, "status_code": 400}, 503, "Github does not answer at the moment"),
        ({"text": "<html>", "status_code": 502}, 503, "Github does not answer at the moment"),
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


def test_what_plain_oauth_does_not_have_is_refused(make_site: Callable[..., Flask], github: ModuleType) -> None:
    client = make_site(KAKAOAUTH_EMAIL_REQUIRED=False).test_client()
    for body, status in (
        ({"access_token": "x"}, 403),
        ({"id_token": "a.b.c"}, 401),
        ({"code": "canary-code", "redirect_uri": "https://app.test/cb"}, 201),
    ):
        assert client.post("/api/auth/github/", json=body).status_code == status, body


def test_without_an_id_it_is_not_offered(make_app: Callable[..., Flask], github: ModuleType) -> None:
    app = make_app()
    providers.add(app, github.GitHub)
    assert app.test_client().get("/github/login/").status_code == 404


def test_settings_block_is_what_the_provider_looks_for() -> None:
    block = ast.parse(textwrap.dedent(SETTINGS)).body
    names = [line.target.id for line in block if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)]
    assert names == ["GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET", "GITHUB_REDIRECT_URI"]
    assert len(FILE.splitlines()) < 50


# OpenID Connect

ISSUER = "https://gitlab.com"
GITLAB = {"GITLAB_CLIENT_ID": "gitlab-id", "GITLAB_CLIENT_SECRET": "canary-gitlab-secret"}


class FakeGitLab:
    """What GitLab answers: change `claims`, `tokens` and `document`."""

    def __init__(self, mock: requests_mock.Mocker, key: RSAKey) -> None:
        self.mock, self.key, self.claims, self.tokens = mock, key, dict[str, Any](), dict[str, Any]()
        self.document: dict[str, Any] = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/oauth/authorize",
            "token_endpoint": f"{ISSUER}/oauth/token",
            "jwks_uri": f"{ISSUER}/oauth/discovery/keys",
            "userinfo_endpoint": f"{ISSUER}/oauth/userinfo",
        }
        self.userinfo: dict[str, Any] = {
            "sub": "a|Subject-of:any/text",
            "name": "민지",
            "picture": "https://p.test/a.png",
        }
        mock.get(f"{ISSUER}/.well-known/openid-configuration", json=lambda *_: self.document)
        mock.get(f"{ISSUER}/oauth/discovery/keys", json={"keys": [public(key)]})
        mock.get(f"{ISSUER}/oauth/userinfo", json=lambda *_: self.userinfo)
        mock.post(f"{ISSUER}/oauth/token", json=lambda *_: self.token())

    def token(self) -> dict[str, Any]:
        now = int(time.time())
        whole = {"iss": ISSUER, "aud": "gitlab-id", "sub": "a|Subject-of:any/text", "iat": now, "exp": now + 120}
        whole |= {"email": "minji@mail.test", "email_verified": True, **self.claims}
        id_token = sign(self.key, {name: value for name, value in whole.items() if value is not None})
        answer = {"access_token": "canary-token", "token_type": "Bearer", "expires_in": 7200, "id_token": id_token}
        return answer | self.tokens

    def log_in(self, client: FlaskClient) -> Any:
        begun = client.get("/gitlab/login/?next=/users/me/")
        assert begun.location.startswith(f"{ISSUER}/oauth/authorize?")
        sent = {name: values[0] for name, values in parse_qs(urlsplit(begun.location).query).items()}
        assert sent["scope"] == "openid email profile"
        self.claims.setdefault("nonce", sent["nonce"])
        return client.get("/gitlab/login/callback/", query_string={"state": sent["state"], "code": "canary-code"})


@pytest.fixture
def gitlab(kakao: FakeKakao, kakao_key: RSAKey) -> FakeGitLab:
    return FakeGitLab(kakao.mock, kakao_key)


def add_gitlab(app: Flask) -> Flask:
    module = ModuleType("gitlab")
    exec(compile(OPENID_FILE, "docs/adding-a-provider.md", "exec"), module.__dict__)
    providers.add(app, module.GitLab)
    return app


@pytest.fixture
def gitlab_site(make_app: Callable[..., Flask], gitlab: FakeGitLab) -> Flask:
    return add_gitlab(make_app(**GITLAB))


def test_person_logs_in_by_openid_connect(gitlab_site: Flask, gitlab: FakeGitLab) -> None:
    client = gitlab_site.test_client()
    assert gitlab.log_in(client).location == "/users/me/"
    assert "https://gitlab.com" in client.get("/users/me/").headers["Content-Security-Policy"]
    with gitlab_site.app_context():
        user = find_identity("gitlab", "a|Subject-of:any/text").user
        assert (user.email, user.name, user.profile_image) == ("minji@mail.test", "민지", "https://p.test/a.png")
    asked = [call.url for call in gitlab.mock.request_history if "openid-configuration" in call.url]
    gitlab.claims = {}
    gitlab.log_in(gitlab_site.test_client())
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"nonce": "another"}, 502),
        ({"iss": "https://gitlab.example"}, 502),
        ({"aud": "another-app"}, 502),
        ({"sub": ""}, 502),
        ({"sub": "x" * 65}, 502),
        ({"sub": 7}, 502),
        ({"exp": 1}, 502),
        ({"email_verified": False}, 403),
        ({"email_verified": "true"}, 302),
        ({"email": "no address"}, 403),
    ],
)
def test_claims_are_believed_only_as_far_as_they_go(
    gitlab_site: Flask, gitlab: FakeGitLab, claims: dict[str, Any], status: int
) -> None:
    gitlab.claims = dict(claims)
    assert gitlab.log_in(gitlab_site.test_client()).status_code == status
    with gitlab_site.app_context():
        assert db.session.query(User).count() == (1 if status == 302 else 0)


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://gitlab.example"},
        {"token_endpoint": "http://gitlab.com/oauth/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": 7},
    ],
)
def test_odd_discovery_document_is_not_followed(gitlab_site: Flask, gitlab: FakeGitLab, change: dict[str, Any]) -> None:
    gitlab.document |= change
    assert gitlab_site.test_client().get("/gitlab/login/").status_code == 503


def test_userinfo_of_somebody_else_is_refused(gitlab_site: Flask, gitlab: FakeGitLab) -> None:
    gitlab.userinfo["sub"] = "another"
    assert gitlab.log_in(gitlab_site.test_client()).status_code == 502


def test_app_brings_an_id_token(gitlab_site: Flask, gitlab: FakeGitLab) -> None:
    client = gitlab_site.test_client()
    assert client.post("/api/auth/gitlab/", json={"id_token": gitlab.token()["id_token"]}).status_code == 201
    gitlab.claims = {"aud": "another-app"}
    refused = client.post("/api/auth/gitlab/", json={"id_token": gitlab.token()["id_token"]})
    assert refused.json["code"] == "FOREIGN_ACCESS_TOKEN"
    assert client.post("/api/auth/gitlab/", json={"access_token": "x"}).json["code"] == "FORBIDDEN"


@pytest.mark.parametrize("method", ["get", "post"])
def test_process_that_has_discovered_nothing_yet_renews_a_token(
    make_app: Callable[..., Flask], gitlab_site: Flask, gitlab: FakeGitLab, method: str
) -> None:
    gitlab.tokens = {"expires_in": 0, "refresh_token": "canary-refresh-token"}
    client = gitlab_site.test_client()
    gitlab.log_in(client)
    gitlab.mock.register_uri(method, f"{ISSUER}/api/v4/user", json={"username": "minji"})
    later = add_gitlab(make_app(**GITLAB))

    @later.get("/from-gitlab/")
    def from_gitlab() -> Any:
        return getattr(providers.get_provider("gitlab"), method)(f"{ISSUER}/api/v4/user").json()

    browser = later.test_client()
    browser.set_cookie("session", set_cookie(client))
    assert browser.get("/from-gitlab/").json == {"username": "minji"}


def test_file_of_openid_connect_is_short() -> None:
    assert len([line for line in OPENID_FILE.splitlines() if line.strip()]) <= 10
