"""What the doctor says of a good set-up and of every broken one, and what it must never do."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import requests_mock
from click.testing import Result
from flask import Flask
from joserfc.jwk import RSAKey
from redis import Redis
from sqlalchemy import inspect, text
from support import CLIENT_ID, CLIENT_SECRET, KAPI, KAUTH
from support.ports import free_port
from support.programs import Ended, run_program
from support.stopwatch import Stopwatch

from kakaoauth.cli.doctor import machine, show
from kakaoauth.cli.doctor.findings import TITLES, Report
from kakaoauth.config.embedded import SANDBOX_CLIENT_ID
from kakaoauth.config.settings import NAMES, ROOT
from kakaoauth.providers.values import AccountEvent
from kakaoauth.sandbox import ConsentItem, SandboxSettings, bind, create_sandbox
from kakaoauth.storage import schema
from kakaoauth.storage.database import db
from kakaoauth.translation import in_language
from kakaoauth.webhooks import receiving

ADMIN_KEY = "7d6c5b4a39281706f5e4d3c2b1a09f8e"
SITE = "https://login.example.kr"
CALLBACK = f"{SITE}/kakao/login/callback/"
AFTER_LOGOUT = f"{SITE}/kakao/logout/callback/"
HTML = {"Content-Type": "text/html;charset=UTF-8"}
GOOD = {
    "PUBLIC_URL": SITE,
    "KAKAO_ADMIN_KEY": ADMIN_KEY,
    "KAKAOAUTH_PRIVACY_URL": "https://example.kr/privacy",
    "KAKAO_APP_ID": 654321,
    "TRUSTED_PROXIES": 1,
}

Doctor = Callable[..., "Diagnosis"]


def page(code: str, detail: str = "") -> str:
    return f"<!doctype html><html><h1>앱 관리자 설정 오류 ({code})</h1><p>{detail}</p></html>"


class Console:
    """Kakao as an app's console makes it: change what is set, then ask the doctor."""

    def __init__(self, mock: requests_mock.Mocker, key: RSAKey) -> None:
        self.mock = mock
        self.token: tuple[int, dict[str, Any]] = (400, {"error": "invalid_grant", "error_code": "KOE320"})
        #: A KOE code for every authorization request, and one for those that name an item that is not configured.
        self.authorize = ""
        self.items = {"account_email", "profile_nickname", "openid"}
        self.page_status = 400
        self.login_page = False
        self.logout = ""
        self.ids: dict[str, Any] = {"json": {"elements": [1], "before_url": None, "after_url": None}}
        self.seconds_ahead = 0.0
        mock.get(f"{KAUTH}/.well-known/openid-configuration", json={"issuer": KAUTH}, headers={"Date": self._date()})
        mock.get(f"{KAUTH}/.well-known/jwks.json", json={"keys": [key.as_dict(private=False)]})
        mock.post(f"{KAUTH}/oauth/token", json=self._token)
        mock.get(f"{KAUTH}/oauth/authorize", text=self._authorize)
        mock.get(f"{KAUTH}/oauth/logout", text=self._logout)

    def _date(self) -> str:
        return format_datetime(datetime.fromtimestamp(time.time() + self.seconds_ahead, UTC), usegmt=True)

    def _token(self, _request: Any, context: Any) -> dict[str, Any]:
        context.status_code, body = self.token
        context.headers["Date"] = self._date()
        return body

    def _authorize(self, request: Any, context: Any) -> str:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
        assert query["prompt"] == "none"
        assert query["response_type"] == "code"
        context.headers.update(HTML)
        unknown = [item for item in query.get("scope", "").split(",") if item and item not in self.items]
        code = self.authorize or ("KOE205" if unknown else "")
        if code:
            context.status_code = self.page_status
            return page(code, f"설정하지 않은 동의 항목: {', '.join(unknown)}")
        context.status_code = 302
        if self.login_page:
            context.headers["Location"] = "https://accounts.kakao.com/login/?continue=x"
        else:
            context.headers["Location"] = f"{query['redirect_uri']}?error=login_required&state={query['state']}"
        return ""

    def _logout(self, _request: Any, context: Any) -> str:
        context.headers.update(HTML)
        if self.logout:
            context.status_code = self.page_status
            return page(self.logout)
        return "<html>로그아웃 하시겠어요?</html>"

    @property
    def calls(self) -> list[str]:
        return [f"{call.method} {urlsplit(call.url).path}" for call in self.mock.request_history]


class Diagnosis:
    def __init__(self, result: Result) -> None:
        self.code = result.exit_code
        self.output = result.output
        self.rows = {row["id"]: row for row in json.loads(result.output)} if result.output.startswith("[") else {}

    def __getitem__(self, check: str) -> str:
        return str(self.rows[check]["status"])

    def cure(self, check: str) -> str:
        return str(self.rows[check]["cure"])

    def detail(self, check: str) -> str:
        return str(self.rows[check]["detail"])

    @property
    def crosses(self) -> set[str]:
        return {check for check, row in self.rows.items() if row["status"] == "failed"}


@pytest.fixture(autouse=True)
def no_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def console(kakao_key: RSAKey) -> Iterator[Console]:
    with requests_mock.Mocker() as mock:
        console = Console(mock, kakao_key)
        mock.get(f"{KAPI}/v1/user/ids", [console.ids])
        yield console


def ask(app: Flask, *arguments: str) -> Diagnosis:
    result = app.test_cli_runner().invoke(args=["kakao", "doctor", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    for secret in (CLIENT_SECRET, CLIENT_ID, ADMIN_KEY, "a secret for tests", *canaries(app)):
        assert secret not in result.output
    return Diagnosis(result)


def canaries(app: Flask) -> list[str]:
    names = ("SECRET_KEY", "KAKAO_CLIENT_ID", "KAKAO_CLIENT_SECRET", "KAKAO_ADMIN_KEY", "DATABASE_URL", "REDIS_URL")
    return [app.config[name] for name in names if len(app.config[name]) > 4]


@pytest.fixture
def doctor(make_app: Callable[..., Flask], console: Console) -> Doctor:
    """`flask kakao doctor --json` with further settings; everything else is right."""

    def run(*arguments: str, **settings: Any) -> Diagnosis:
        app = make_app(**{**GOOD, **settings})
        return ask(app, *(arguments or ("--json",)))

    return run


# A good set-up


def test_good_setup_has_no_cross(doctor: Doctor) -> None:
    found = doctor()
    assert (found.code, found.crosses) == (0, set())
    # SQLite, and a Redis without persistence: warnings, which do not count.
    assert {check for check, row in found.rows.items() if row["status"] != "ok"} <= {"machine.database"}


def test_json_has_its_shape(doctor: Doctor) -> None:
    found = doctor()
    assert list(found.rows) == list(TITLES)
    for row in found.rows.values():
        assert set(row) == {"id", "status", "title", "cure", "detail"}
        assert all(isinstance(value, str) for value in row.values())
        assert row["title"]
        assert row["status"] in ("ok", "warning", "failed", "skipped")
        assert bool(row["cure"]) == (row["status"] in ("warning", "failed"))


def test_kakao_is_asked_less_than_ten_times_and_nothing_of_a_person(doctor: Doctor, console: Console) -> None:
    doctor()
    assert len(console.calls) < 10
    assert set(console.calls) == {
        "GET /.well-known/openid-configuration",
        "GET /.well-known/jwks.json",
        "POST /oauth/token",
        "GET /oauth/authorize",
        "GET /oauth/logout",
        "GET /v1/user/ids",
    }


def test_login_page_counts_as_fine(doctor: Doctor, console: Console) -> None:
    console.login_page = True
    assert doctor().crosses == set()
    assert "accounts.kakao.com" not in {call.hostname for call in console.mock.request_history}


def test_nothing_is_written(doctor: Doctor, redis: Redis, settings: dict[str, Any], make_app: Any) -> None:
    redis.set("kept", "1")
    app = make_app()

    def everything() -> Any:
        with app.app_context(), db.engine.connect() as connection:
            # SQLite's search index gives nothing out; its own tables beside it do.
            tables = sorted(set(inspect(connection).get_table_names()) - {"user_search"})
            rows = {name: connection.execute(text(f"SELECT * FROM {name}")).all() for name in tables}
        return redis.dbsize(), sorted(redis.keys()), rows

    before = everything()
    doctor()
    assert everything() == before


def test_database_file_is_not_made(make_app: Any, console: Console, tmp_path: Path) -> None:
    app = make_app(**GOOD)
    with app.app_context():
        db.engine.dispose()
        file = Path(db.engine.url.database)
    for left in tmp_path.glob("test.db*"):
        left.unlink()
    found = ask(app, "--json")
    assert (found["machine.database"], found["machine.schema"]) == ("failed", "skipped")
    assert "kakaoauth upgrade" in found.cure("machine.database")
    assert not file.exists()


# Settings


@pytest.mark.parametrize(
    "value", ["undefined", "None", "your_key", "YOUR_REST_API_KEY", "<key>", "xxxx", "여기에 입력"]
)
def test_placeholder_is_a_cross(doctor: Doctor, value: str) -> None:
    found = doctor(KAKAO_CLIENT_ID=value, KAKAO_CLIENT_SECRET=value)
    assert found["settings.client_id"] == found["settings.client_secret"] == "failed"
    assert "placeholder" in found.detail("settings.client_id")
    assert found.code == 1


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (ADMIN_KEY, "KAKAO_ADMIN_KEY"),
        ("1234567", "number"),
        (CLIENT_SECRET[::-1], "client secret"),
        ('"' + CLIENT_ID, "quotation"),
        ("0a1b 2c3d", "blank"),
        ("카카오", "blank"),
    ],
)
def test_other_things_than_a_rest_key(doctor: Doctor, value: str, word: str) -> None:
    found = doctor(KAKAO_CLIENT_ID=value)
    assert found["settings.client_id"] == "failed"
    assert word in found.detail("settings.client_id")
    assert "REST API key" in found.cure("settings.client_id")


def test_odd_lengths_are_warnings_because_kakao_decides(doctor: Doctor) -> None:
    found = doctor(KAKAO_CLIENT_ID=CLIENT_ID[:31], KAKAO_CLIENT_SECRET=CLIENT_SECRET[:31], KAKAO_ADMIN_KEY="9f8e")
    for name in ("client_id", "client_secret", "admin_key"):
        assert found[f"settings.{name}"] == "warning"
    assert found.code == 0


def test_missing_link_to_the_privacy_policy_is_a_warning(doctor: Doctor) -> None:
    found = doctor(KAKAOAUTH_PRIVACY_URL="")
    assert found["settings.privacy"] == "warning"
    assert found.code == 0


def test_app_key_as_secret(doctor: Doctor) -> None:
    assert doctor(KAKAO_CLIENT_SECRET=CLIENT_ID[::-1])["settings.client_secret"] == "failed"


def test_keys_are_shown_by_four_characters_at_most(doctor: Doctor) -> None:
    found = doctor()
    assert found.detail("settings.client_id") == "0a1b…"
    assert found.detail("settings.client_secret") == "Xy7Q…"
    assert found.detail("settings.admin_key") == "7d6c…"


def test_without_admin_key_and_app_id(doctor: Doctor, console: Console) -> None:
    found = doctor(KAKAO_ADMIN_KEY="", KAKAO_APP_ID=0)
    assert found["settings.admin_key"] == found["settings.app_id"] == found["kakao.webhooks"] == "warning"
    assert found["kakao.admin_key"] == "skipped"
    assert "GET /v1/user/ids" not in console.calls
    assert found.code == 0


@pytest.mark.parametrize(
    "address",
    [
        f"{SITE}/kakao/login/callback",
        f"{SITE}/other/",
        f"{CALLBACK}?x=1",
        f"{CALLBACK}#x",
        "https://www.example.kr/kakao/login/callback/",
    ],
)
def test_form_of_the_redirect_address(doctor: Doctor, address: str) -> None:
    found = doctor(KAKAO_REDIRECT_URI=address)
    assert found["settings.redirect_uri"] == "failed"
    assert address in found.detail("settings.redirect_uri")
    assert "KAKAO_REDIRECT_URI" in found.cure("settings.redirect_uri")


def test_redirect_address_that_is_right(doctor: Doctor) -> None:
    assert doctor(KAKAO_REDIRECT_URI=CALLBACK)["settings.redirect_uri"] == "ok"
    found = doctor(PUBLIC_URL="", TRUSTED_PROXIES=0)
    assert found["settings.redirect_uri"] == "ok"
    assert found.detail("settings.redirect_uri") == "http://localhost:8000/kakao/login/callback/"
    assert found["settings.site"] == "ok"
    assert found["kakao.webhooks"] == "warning"


def test_address_that_only_the_proxy_knows(doctor: Doctor, console: Console) -> None:
    found = doctor(PUBLIC_URL="")
    assert (found["settings.redirect_uri"], found["settings.site"]) == ("warning", "ok")
    assert found["kakao.login"] == found["kakao.redirect_uri"] == found["kakao.logout_uri"] == "skipped"
    assert (found["kakao.client_id"], found.code) == ("ok", 0)


def test_proxy_that_nobody_trusts(doctor: Doctor) -> None:
    assert doctor(PUBLIC_URL="", TRUSTED_PROXIES=0, KAKAO_REDIRECT_URI=CALLBACK)["settings.site"] == "warning"


def test_plain_http_on_a_public_host(make_app: Any, console: Console) -> None:
    app = make_app(**GOOD)
    # `config` refuses it at start already.
    app.config.update(PUBLIC_URL="http://login.example.kr", KAKAO_REDIRECT_URI="http://login.example.kr/x/")
    found = ask(app, "--json")
    assert found["settings.site"] == found["settings.redirect_uri"] == "failed"


def test_scope(doctor: Doctor) -> None:
    assert doctor(KAKAO_SCOPE="openid,account_email profile_nickname")["settings.scope"] == "ok"
    found = doctor(KAKAO_SCOPE="email")
    assert (found["settings.scope"], found.detail("settings.scope")) == ("warning", "unknown: email")
    assert found["kakao.consent"] == "failed"


# What Kakao says


@pytest.mark.parametrize(
    ("code", "status", "check"),
    [
        ("KOE010", 401, "kakao.client_secret"),
        ("KOE101", 401, "kakao.client_id"),
        ("KOE101", 400, "kakao.client_id"),
        ("KOE008", 400, "kakao.client_id"),
        ("KOE009", 400, "kakao.client_id"),
        ("KOE303", 400, "kakao.redirect_uri"),
    ],
)
def test_code_of_the_token_call(doctor: Doctor, console: Console, code: str, status: int, check: str) -> None:
    console.token = status, {"error": "invalid_client", "error_description": "canary", "error_code": code}
    found = doctor()
    assert (found.crosses, found.code) == ({check}, 1)
    assert code in found.detail(check)
    assert found.cure(check)
    assert "canary" not in found.output
    if check == "kakao.client_id":
        assert found["kakao.client_secret"] == found["kakao.login"] == found["kakao.logout_uri"] == "skipped"
        assert console.calls.count("GET /oauth/authorize") == 0
    else:
        assert found["kakao.client_id"] == found["kakao.login"] == "ok"


def test_client_error_without_a_number(doctor: Doctor, console: Console) -> None:
    console.token = 401, {"error": "invalid_client"}
    assert doctor().crosses == {"kakao.client_id"}
    console.token = 400, {"error": "invalid_grant"}
    assert doctor().crosses == set()


def test_secret_is_only_sent_when_set(doctor: Doctor, console: Console) -> None:
    found = doctor(KAKAO_CLIENT_SECRET="")
    assert (found["kakao.client_secret"], found.code) == ("warning", 0)
    posts = [call for call in console.mock.request_history if call.method == "POST"]
    assert "client_secret" not in posts[0].text
    console.token = 401, {"error": "invalid_client", "error_code": "KOE010"}
    assert doctor(KAKAO_CLIENT_SECRET="")["kakao.client_secret"] == "failed"


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize(
    ("code", "check", "word"),
    [
        ("KOE004", "kakao.login", "Switch Kakao Login on"),
        ("KOE006", "kakao.redirect_uri", "Register exactly this address"),
        ("KOE008", "kakao.client_id", "REST API key"),
        ("KOE101", "kakao.client_id", "REST API key"),
        ("KOE005", "kakao.login", "test app"),
        ("KOE204", "kakao.login", "docs/kakao-setup.md"),
    ],
)
def test_code_on_the_authorization_page(
    doctor: Doctor, console: Console, code: str, check: str, word: str, status: int
) -> None:
    console.authorize, console.page_status = code, status
    found = doctor()
    assert found.crosses == {check}
    assert code in found.detail(check)
    assert word in found.cure(check)
    assert found["kakao.consent"] == found["kakao.openid"] == "skipped"


def test_redirect_that_names_a_code(doctor: Doctor, console: Console) -> None:
    where = {"Location": "https://kauth.kakao.com/oauth/error?code=KOE006"}
    console.mock.get(f"{KAUTH}/oauth/authorize", status_code=302, headers=where)
    assert doctor().crosses == {"kakao.redirect_uri"}


def test_json_that_names_a_code(doctor: Doctor, console: Console) -> None:
    console.mock.get(f"{KAUTH}/oauth/authorize", status_code=400, json={"error_code": "KOE004", "error": "x"})
    assert doctor().crosses == {"kakao.login"}


def test_email_that_is_not_configured(doctor: Doctor, console: Console) -> None:
    console.items = {"profile_nickname", "openid"}
    found = doctor()
    assert found.crosses == {"kakao.consent"}
    assert found.detail("kakao.consent") == "account_email; KOE205"
    assert "KAKAOAUTH_EMAIL_REQUIRED=false" in found.cure("kakao.consent")


def test_only_the_items_that_are_missing_are_named(doctor: Doctor, console: Console) -> None:
    found = doctor(KAKAO_SCOPE="account_email,gender,profile_nickname")
    assert found.detail("kakao.consent") == "gender; KOE205"


def test_site_that_asks_for_nothing(doctor: Doctor, console: Console) -> None:
    console.items = {"openid"}
    found = doctor(KAKAOAUTH_EMAIL_REQUIRED=False)
    assert (found["kakao.consent"], found.code) == ("ok", 0)
    assert console.calls.count("GET /oauth/authorize") == 2


def test_openid_connect_that_is_off(doctor: Doctor, console: Console) -> None:
    console.items = {"account_email"}
    found = doctor()
    assert (found["kakao.openid"], found.code) == ("warning", 0)
    assert "two calls" in found.detail("kakao.openid")
    found = doctor(KAKAO_SCOPE="openid,account_email")
    assert (found.crosses, found.code) == ({"kakao.openid"}, 1)


@pytest.mark.parametrize("error", ["invalid_client", "unauthorized_client", "misconfigured", "invalid_request"])
def test_refusal_that_comes_back_to_us(doctor: Doctor, console: Console, error: str) -> None:
    where = {"Location": f"{CALLBACK}?error={error}&state=x"}
    console.mock.get(f"{KAUTH}/oauth/authorize", status_code=302, headers=where)
    found = doctor()
    assert len(found.crosses) == 1
    assert error in found.detail(found.crosses.pop())


@pytest.mark.parametrize("error", ["login_required", "consent_required", "interaction_required", "access_denied"])
def test_answer_that_comes_back_to_us(doctor: Doctor, console: Console, error: str) -> None:
    where = {"Location": f"{CALLBACK}?error={error}&state=x"}
    console.mock.get(f"{KAUTH}/oauth/authorize", status_code=302, headers=where)
    assert doctor().crosses == set()


@pytest.mark.parametrize(
    "answer",
    [
        {"text": "<html>hello</html>", "headers": HTML},
        {"text": page("KOE004") + page("KOE006"), "headers": HTML, "status_code": 400},
        {"text": page("KOE999"), "headers": HTML, "status_code": 400},
        {"status_code": 302, "headers": {"Location": "https://elsewhere.example/"}},
        {"status_code": 302, "headers": {"Location": "https://[/"}},
        {"status_code": 302, "headers": {"Location": f"{CALLBACK}?error=something_new"}},
        {"status_code": 404, "json": {}},
    ],
)
def test_page_that_nobody_knows_is_a_warning(doctor: Doctor, console: Console, answer: dict[str, Any]) -> None:
    console.mock.get(f"{KAUTH}/oauth/authorize", **answer)
    found = doctor()
    assert (found["kakao.login"], found["kakao.redirect_uri"], found.code) == ("warning", "skipped", 0)
    assert "browser" in found.cure("kakao.login")


def test_logout_address(doctor: Doctor, console: Console) -> None:
    found = doctor()
    assert (found["kakao.logout_uri"], found.detail("kakao.logout_uri")) == ("ok", AFTER_LOGOUT)
    console.logout = "KOE007"
    found = doctor()
    assert found.crosses == {"kakao.logout_uri"}
    assert found.detail("kakao.logout_uri") == f"{AFTER_LOGOUT}; KOE007"
    console.mock.get(f"{KAUTH}/oauth/logout", status_code=404, text="?", headers=HTML)
    assert doctor()["kakao.logout_uri"] == "warning"


def test_issuer(doctor: Doctor, console: Console) -> None:
    console.mock.get(f"{KAUTH}/.well-known/openid-configuration", json={"issuer": "https://other.example\x1b[31m"})
    found = doctor()
    assert found.crosses == {"kakao.issuer"}
    assert found.detail("kakao.issuer") == "https://other.example?[31m"


def test_discovery_that_is_not_there(doctor: Doctor, console: Console) -> None:
    console.mock.get(f"{KAUTH}/.well-known/openid-configuration", status_code=404, text="no", headers=HTML)
    found = doctor()
    assert (found["kakao.reachable"], found["kakao.issuer"], found["kakao.client_id"]) == ("ok", "warning", "ok")


@pytest.mark.parametrize("keys", [[], [{"kty": "EC", "kid": "x"}], "?"])
def test_keys_that_cannot_be_used(doctor: Doctor, console: Console, keys: Any) -> None:
    console.mock.get(f"{KAUTH}/.well-known/jwks.json", json={"keys": keys})
    assert doctor().crosses == {"kakao.keys"}


@pytest.mark.parametrize(
    ("status", "body", "expected", "word"),
    [
        (401, {"msg": "invalid app key.", "code": -401}, "failed", "primary admin key"),
        (
            401,
            {"msg": "ip mismatched! callerIp=1.2.3.4. check out registered ips.", "code": -401},
            "failed",
            "allowed IPs",
        ),
        (403, {"msg": "x", "code": -3}, "warning", "Allow this admin key"),
        (403, {"msg": "x", "code": -5}, "warning", "Allow this admin key"),
        (403, {"msg": "x", "code": -12}, "failed", "sanctioned"),
        (400, {"msg": "x", "code": -1}, "failed", "says nothing about your settings"),
        (429, {"msg": "x", "code": -10}, "failed", "says nothing about your settings"),
        (503, {"msg": "x", "code": -9798}, "failed", "says nothing about your settings"),
        (500, {"msg": "x", "code": -401}, "failed", "says nothing about your settings"),
        (400, {"msg": "x", "code": -777}, "warning", "could not be understood"),
        (200, {"msg": "x"}, "warning", "could not be understood"),
    ],
)
def test_admin_key(
    doctor: Doctor, console: Console, status: int, body: dict[str, Any], expected: str, word: str
) -> None:
    console.mock.get(f"{KAPI}/v1/user/ids", status_code=status, json=body)
    found = doctor()
    assert found["kakao.admin_key"] == expected
    assert word in found.cure("kakao.admin_key")
    assert "1.2.3.4" not in found.output
    assert found.crosses <= {"kakao.admin_key"}


def test_admin_key_goes_to_kakao_only_and_not_after_a_redirect(doctor: Doctor, console: Console) -> None:
    console.mock.get(f"{KAPI}/v1/user/ids", status_code=302, headers={"Location": "https://evil.example/"})
    found = doctor()
    assert found["kakao.admin_key"] == "failed"
    with_key = [call.url for call in console.mock.request_history if "Authorization" in call.headers]
    assert with_key == [f"{KAPI}/v1/user/ids?limit=1"]


def test_webhooks_are_named(doctor: Doctor) -> None:
    detail = doctor().detail("kakao.webhooks")
    assert f"{SITE}/webhooks/kakao/unlink/" in detail
    assert f"{SITE}/webhooks/kakao/account-status/" in detail


@pytest.mark.parametrize(
    ("seconds", "expected", "word"),
    [
        (0, "ok", ""),
        (5, "ok", ""),
        (-5, "ok", ""),
        (20, "warning", "behind"),
        (-20, "warning", "ahead"),
        (300, "failed", "behind"),
        (-86400, "failed", "ahead"),
    ],
)
def test_clock(doctor: Doctor, console: Console, seconds: int, expected: str, word: str) -> None:
    console.mock.get(f"{KAUTH}/.well-known/openid-configuration", json={"issuer": KAUTH})
    console.seconds_ahead = seconds
    found = doctor()
    assert found["kakao.clock"] == expected
    assert word in found.detail("kakao.clock")


@pytest.mark.parametrize("headers", [{}, {"Date": "nonsense"}, {"Date": "Thu, 01 Jan 2015 00:00:00 GMT", "Age": "9"}])
def test_clock_that_cannot_be_told(doctor: Doctor, console: Console, headers: dict[str, str]) -> None:
    for address in ("/.well-known/openid-configuration", "/.well-known/jwks.json"):
        console.mock.get(f"{KAUTH}{address}", json={"issuer": KAUTH}, headers=headers)
    console.mock.post(f"{KAUTH}/oauth/token", status_code=400, json={"error_code": "KOE320"}, headers=headers)
    assert doctor()["kakao.clock"] == "skipped"


# Kakao is away


DOWN = {
    "no answer": {"exc": requests.ConnectionError},
    "slow": {"exc": requests.ReadTimeout},
    "503": {"status_code": 503, "text": "<html>점검 중</html>", "headers": HTML},
    "429": {"status_code": 429, "json": {}},
    "HTML": {"text": "<html>점검 중</html>", "headers": HTML},
    "redirect": {"status_code": 302, "headers": {"Location": "https://elsewhere.example/"}},
    "list": {"json": []},
}


@pytest.mark.parametrize("answer", DOWN.values(), ids=DOWN)
def test_kakao_is_down(doctor: Doctor, console: Console, answer: dict[str, Any]) -> None:
    console.mock.get(requests_mock.ANY, **answer)
    console.mock.post(requests_mock.ANY, **answer)
    found = doctor()
    assert found.crosses == {"kakao.reachable", "kakao.admin_key"}
    assert found["kakao.client_id"] == found["kakao.login"] == found["kakao.logout_uri"] == "skipped"
    assert "says nothing about your settings" in found.cure("kakao.reachable")
    assert "Kakao answers" in found.detail("kakao.client_id")
    assert len(console.calls) == 2


@pytest.mark.parametrize("answer", DOWN.values(), ids=DOWN)
def test_token_call_goes_unanswered(doctor: Doctor, console: Console, answer: dict[str, Any]) -> None:
    console.mock.post(f"{KAUTH}/oauth/token", **answer)
    found = doctor()
    assert found.crosses == {"kakao.client_id"}
    assert "says nothing about your settings" in found.cure("kakao.client_id")
    assert "GET /oauth/authorize" not in console.calls


@pytest.mark.parametrize("code", ["KOE003", "KOE237"])
def test_temporary_code_is_no_wrong_setting(doctor: Doctor, console: Console, code: str) -> None:
    console.token = 400, {"error": "x", "error_code": code}
    assert "says nothing about your settings" in doctor().cure("kakao.client_id")
    console.token = 400, {"error": "x", "error_code": "KOE320"}
    console.authorize = code
    assert "says nothing about your settings" in doctor().cure("kakao.login")


def test_kakao_falls_silent_midway(doctor: Doctor, console: Console) -> None:
    console.mock.get(f"{KAUTH}/oauth/authorize", exc=requests.ReadTimeout)
    found = doctor()
    assert found.crosses == {"kakao.login"}
    assert found["kakao.client_id"] == "ok"
    assert found["kakao.logout_uri"] == "skipped"
    assert "GET /oauth/logout" not in console.calls


def test_kakao_that_swallows_every_call_costs_one_deadline(site: Doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        watch = Stopwatch()
        found = site(**GOOD, KAKAO_KAUTH_URL=address, KAKAO_KAPI_URL=address, PROVIDER_DEADLINE_SECONDS=0.3)
    assert found.crosses == {"kakao.reachable"}
    assert watch.seconds() < 3


def test_no_key_ends_in_a_log(doctor: Doctor, console: Console, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        doctor()
        console.mock.get(requests_mock.ANY, exc=requests.ConnectionError(CLIENT_SECRET))
        doctor()
    ours = " ".join(record.getMessage() for record in caplog.records if not record.name.startswith("requests_mock"))
    assert not any(secret in ours for secret in (CLIENT_ID, CLIENT_SECRET, ADMIN_KEY))


# Redis and the database


def test_redis_is_away(doctor: Doctor) -> None:
    found = doctor(REDIS_URL="redis://:canary-redis@127.0.0.1:1/0")
    assert found.crosses == {"machine.redis"}
    assert found["machine.redis_version"] == found["machine.redis_persistence"] == "skipped"
    assert "canary" not in found.output


@pytest.mark.parametrize(
    ("policy", "expected"), [("noeviction", "ok"), ("volatile-lru", "ok"), ("allkeys-lru", "failed")]
)
def test_redis_eviction(doctor: Doctor, redis: Redis, policy: str, expected: str) -> None:
    redis.config_set("maxmemory-policy", policy)
    try:
        found = doctor()
    finally:
        redis.config_set("maxmemory-policy", "noeviction")
    assert found["machine.redis_eviction"] == expected
    assert policy in found.detail("machine.redis_eviction")


def test_redis_persistence(doctor: Doctor, redis: Redis) -> None:
    assert doctor()["machine.redis_persistence"] == "ok"
    redis.config_set("appendonly", "no")
    try:
        found = doctor()
        assert (found["machine.redis_persistence"], found.code) == ("warning", 0)
        redis.config_set("save", "3600 1")
        assert doctor()["machine.redis_persistence"] == "ok"
    finally:
        redis.config_set("save", "")
        redis.config_set("appendonly", "yes")


def test_redis_that_may_not_be_asked(doctor: Doctor, redis: Redis, redis_url: str) -> None:
    redis.execute_command("ACL", "SETUSER", "narrow", "on", ">pw", "~*", "+@all", "-info", "-config")
    try:
        found = doctor(REDIS_URL=redis_url.replace("unix://", "unix://narrow:pw@"))
    finally:
        redis.execute_command("ACL", "DELUSER", "narrow")
    for name in ("version", "eviction", "persistence"):
        assert found[f"machine.redis_{name}"] == "warning"
    assert (found["machine.redis"], found.code) == ("ok", 0)


@pytest.mark.parametrize(
    ("version", "expected"),
    [("6.0.16", "failed"), ("5.0.7", "failed"), ("6.2.0", "ok"), ("7.2.4", "ok"), ("10.0", "ok"), ("?", "warning")],
)
def test_redis_version(app: Flask, version: str, expected: str) -> None:
    with app.app_context(), in_language("en"):
        report = Report()
        nodes = [{"redis_version": version}, {"redis_version": "8.0.0"}] if version != "?" else []
        machine._check_version(nodes, report)
        assert {found.id: found.status.value for found in report.findings()}["machine.redis_version"] == expected


def test_each_node_that_answered_counts(app: Flask) -> None:
    with app.app_context(), in_language("en"):
        report = Report()
        machine._check_eviction([{"maxmemory_policy": "noeviction"}, {"maxmemory_policy": "allkeys-lfu"}], report)
        assert report.has_failed("machine.redis_eviction")


def test_schema_is_old(make_app: Any, console: Console) -> None:
    app = make_app(**GOOD)
    with app.app_context():
        db.session.execute(text("UPDATE kakaoauth_version SET version_num = '0003'"))
        db.session.commit()
    found = ask(app, "--json")
    assert found.crosses == {"machine.schema"}
    assert "flask kakaoauth upgrade" in found.cure("machine.schema")
    assert schema.wanted() in found.detail("machine.schema")


def test_postgresql(doctor: Doctor, postgres_url: str) -> None:
    found = doctor(DATABASE_URL=postgres_url)
    assert (found["machine.database"], found["machine.schema"], found.code) == ("ok", "ok", 0)


def test_sqlite_in_production_is_a_warning(doctor: Doctor) -> None:
    found = doctor()
    assert found["machine.database"] == "warning"
    assert "PostgreSQL" in found.cure("machine.database")


@pytest.mark.parametrize("ours", ["users", "identities"])
@pytest.mark.parametrize(
    ("rule", "status"), [("", "warning"), ("ON DELETE RESTRICT", "warning"), ("ON DELETE CASCADE", "ok")]
)
def test_tables_that_keep_users_rows_are_named(
    make_app: Any, console: Console, database_url: str, rule: str, status: str, ours: str
) -> None:
    app = make_app(**GOOD, DATABASE_URL=database_url)
    with app.app_context():
        db.session.execute(text(f"CREATE TABLE orders (id INTEGER, buyer BIGINT REFERENCES {ours} (id) {rule})"))
        db.session.commit()
    found = ask(app, "--json")
    assert found["machine.host_tables"] == status
    assert ("orders" in found.detail("machine.host_tables")) == (status == "warning")
    with app.app_context():
        db.session.execute(text("DROP TABLE orders"))
        db.session.commit()


def test_what_was_left_undone_is_a_warning(make_app: Any, console: Console) -> None:
    app = make_app(**GOOD)
    assert ask(app, "--json")["machine.backlog"] == "ok"
    with app.app_context():
        receiving.keep_event("kakao", AccountEvent("j", "user-unlinked", "1", datetime.now(UTC)), RuntimeError())
    found = ask(app, "--json")
    assert found["machine.backlog"] == "warning"
    assert "could not be applied: 1" in found.detail("machine.backlog")
    assert "kakao retry" in found.cure("machine.backlog")


def test_database_is_away(make_app: Any, console: Console) -> None:
    app = make_app(**GOOD)
    with app.app_context():
        db.engine.dispose()
        file = Path(db.engine.url.database)
    file.unlink()
    file.mkdir()
    found = ask(app, "--json")
    assert (found["machine.database"], found["machine.schema"]) == ("failed", "skipped")


# How it is said


def test_text_has_marks_and_cures(doctor: Doctor, console: Console) -> None:
    console.token = 401, {"error": "invalid_client", "error_code": "KOE101"}
    found = doctor("--lang", "en")
    assert found.code == 1
    lines = found.output.splitlines()
    assert "  ✗ Kakao knows the REST API key: KOE101" in lines
    assert lines[lines.index("  ✗ Kakao knows the REST API key: KOE101") + 1].startswith(
        "      → Copy the REST API key"
    )
    assert any(line.startswith("  – Kakao accepts the client secret: not checked") for line in lines)
    assert any(line.startswith("  ✓ Kakao answers") for line in lines)
    assert lines[-1].startswith("1 failed, ")


def test_text_in_korean(doctor: Doctor, console: Console) -> None:
    console.authorize = "KOE004"
    found = doctor("--lang", "ko")
    assert found.code == 1
    assert "✗ 카카오 로그인 켜짐: KOE004" in found.output
    assert "요." in found.output
    assert "Switch" not in found.output
    assert "Register" not in found.output


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LC_ALL": "ko"}, "ko"),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "ko_KR"}, "ko"),
        ({"LANG": "kok_IN"}, "en"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LC_ALL": "", "LANG": "ko_KR"}, "ko"),
        ({}, "en"),
    ],
)
def test_language_is_the_terminals(environ: dict[str, str], expected: str) -> None:
    assert show.language(None, environ) == expected
    assert show.language("ko", environ) == "ko"
    assert show.language("en", environ) == "en"


def test_language_of_the_environment(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    assert doctor().rows["settings.start"]["title"] == "시작할 때 받아들여지는 설정"


def test_help_names_it(app: Flask) -> None:
    assert "doctor" in app.test_cli_runner().invoke(args=["kakao", "--help"]).output


def test_unknown_language_is_a_question_of_usage(app: Flask, console: Console) -> None:
    assert app.test_cli_runner().invoke(args=["kakao", "doctor", "--lang", "fr"]).exit_code == 2
    assert console.calls == []


@pytest.mark.parametrize("encoding", ["ascii", "cp949", "latin-1", "utf-8"])
def test_every_terminal_can_show_it(encoding: str) -> None:
    shown = show.for_terminal("✓ ✗ – → … 카카오", encoding)
    shown.encode(encoding)
    assert shown == ("✓ ✗ – → … 카카오" if encoding == "utf-8" else shown)
    if encoding == "ascii":
        assert shown.startswith("v x - > .")


# A configuration that is refused at start


MODULE = ("kakaoauth.cli.doctor",)
COMMAND = ("flask", "--app", "wsgi", "kakao", "doctor")


def environment(tmp_path: Path, **settings: str) -> dict[str, str]:
    environ = {name: value for name, value in os.environ.items() if name not in NAMES}
    return environ | {"INSTANCE_PATH": str(tmp_path / "instance"), **settings}


def run_module(tmp_path: Path, *arguments: str, called: tuple[str, ...] = MODULE, **settings: str) -> Ended:
    return run_program(*called, *arguments, env=environment(tmp_path, **settings))


def test_refused_configuration_is_a_cross(tmp_path: Path) -> None:
    command = [sys.executable, "-m", *MODULE, "--json"]
    environ = environment(tmp_path, KAKAO_CLIENT_SECRET="canary-secret")
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    rows = {row["id"]: row for row in json.loads(ended.stdout)}
    assert (ended.returncode, ended.stderr) == (1, "")
    assert list(rows) == list(TITLES)
    assert rows["settings.start"]["status"] == "failed"
    assert rows["settings.start"]["detail"] == "KAKAO_CLIENT_SECRET is set but KAKAO_CLIENT_ID is not"
    assert "set KAKAO_CLIENT_ID" in rows["settings.start"]["cure"]
    assert {row["status"] for name, row in rows.items() if name != "settings.start"} == {"skipped"}
    assert "canary" not in ended.stdout


@pytest.mark.parametrize("called", [MODULE, COMMAND], ids=["module", "command"])
@pytest.mark.parametrize(
    ("name", "quote"), [("KAKAO_CLIENT_ID", '"'), ("KAKAO_ADMIN_KEY", "'"), ("KAKAO_CLIENT_ID", "”")]
)
def test_quotes_around_a_key_are_json_as_well(tmp_path: Path, called: tuple[str, ...], name: str, quote: str) -> None:
    whole = {"KAKAO_CLIENT_ID": CLIENT_ID, "SECRET_KEY": "s" * 40, "REDIS_URL": "redis://127.0.0.1:1/0"}
    whole |= {"KAKAO_KAUTH_URL": "http://127.0.0.1:1", "KAKAO_KAPI_URL": "http://127.0.0.1:1"}
    quoted = {name: f"{quote}canary0canary0canary0canary0cana{quote}"}
    ended = run_module(tmp_path, "--lang", "ko", "--json", called=called, **(whole | quoted))
    rows = {row["id"]: row for row in json.loads(ended.stdout)}
    assert (ended.returncode, ended.stderr) == (1, "")
    assert list(rows) == list(TITLES)
    assert "canary0" not in ended.stdout
    if quote != "”":
        assert rows["settings.start"]["detail"] == f"{name} is wrapped in quotation marks"


def test_other_commands_still_say_it_in_one_line(tmp_path: Path) -> None:
    called = ("flask", "--app", "wsgi", "kakao", "retry")
    ended = run_module(tmp_path, "doctor", called=called, KAKAO_CLIENT_ID='"x"')
    expected = "kakaoauth: KAKAO_CLIENT_ID is wrapped in quotation marks: remove them\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "", expected)


def test_configuration_that_only_a_library_refuses(tmp_path: Path) -> None:
    ended = run_module(tmp_path, "--lang", "ko", REDIS_URL="redis://:canary@h:port/0")
    assert (ended.returncode, ended.stderr) == (1, "")
    assert "✗ 시작할 때 받아들여지는 설정: REDIS_URL" in ended.stdout
    assert "canary" not in ended.stdout


def test_bare_machine_is_told_to_start(tmp_path: Path) -> None:
    ended = run_module(tmp_path, "--json", "--lang", "en", SANDBOX_PORT="1")
    rows = {row["id"]: row for row in json.loads(ended.stdout)}
    assert (ended.returncode, ended.stderr) == (1, "")
    assert "make run" in rows["kakao.reachable"]["cure"]
    assert "make run" in rows["machine.redis"]["cure"]
    assert rows["settings.client_id"]["detail"] == f"{SANDBOX_CLIENT_ID[:4]}…"


# Against the sandbox, as it is served


@pytest.fixture
def sandbox() -> Iterator[Callable[..., dict[str, Any]]]:
    """Serve a Kakao with these console settings; return what a site must set for it."""
    ends: list[Callable[[], None]] = []

    def serve(**console: Any) -> dict[str, Any]:
        usual = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "admin_key": ADMIN_KEY,
            "app_id": 654321,
            "redirect_uris": (CALLBACK,),
            "logout_redirect_uris": (AFTER_LOGOUT,),
        }
        port = free_port()
        settings = SandboxSettings(**{**usual, "issuer": f"http://127.0.0.1:{port}", **console})
        server = bind(create_sandbox(settings), port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        ends.extend((thread.join, server.server_close, server.shutdown))
        return {"KAKAO_KAUTH_URL": settings.issuer, "KAKAO_KAPI_URL": settings.issuer, **GOOD}

    yield serve
    for end in reversed(ends):
        end()


@pytest.fixture
def site(make_app: Callable[..., Flask]) -> Doctor:
    def run(**settings: Any) -> Diagnosis:
        app = make_app(**settings)
        return ask(app, "--json")

    return run


def test_sandbox_that_is_right(sandbox: Any, site: Doctor) -> None:
    found = site(**sandbox())
    assert (found.crosses, found.code) == (set(), 0)
    assert {check for check in TITLES if check.startswith("kakao.") and found[check] != "ok"} == set()


@pytest.mark.parametrize(
    ("console", "wrong", "cross", "code"),
    [
        ({}, {"KAKAO_CLIENT_SECRET": CLIENT_SECRET[::-1]}, "kakao.client_secret", "KOE010"),
        ({}, {"KAKAO_CLIENT_SECRET": ""}, "kakao.client_secret", "KOE010"),
        ({}, {"KAKAO_CLIENT_ID": CLIENT_ID[::-1]}, "kakao.client_id", "KOE101"),
        ({"redirect_uris": ("https://other.example.kr/x/",)}, {}, "kakao.redirect_uri", "KOE006"),
        ({"logout_redirect_uris": ()}, {}, "kakao.logout_uri", "KOE007"),
        ({"consent_items": (ConsentItem("profile_nickname"),)}, {}, "kakao.consent", "account_email; KOE205"),
        ({}, {"KAKAO_SCOPE": "account_email,gender"}, "kakao.consent", "gender; KOE205"),
        ({"admin_key": "another"}, {}, "kakao.admin_key", "-401"),
        ({"oidc": False}, {"KAKAO_SCOPE": "openid"}, "kakao.openid", "KOE205"),
    ],
)
def test_sandbox_that_is_not(
    sandbox: Any, site: Doctor, console: dict[str, Any], wrong: dict[str, Any], cross: str, code: str
) -> None:
    found = site(**{**sandbox(**console), **wrong})
    assert (found.crosses, found.code) == ({cross}, 1)
    assert code in found.detail(cross)


def test_sandbox_that_ends(sandbox: Any, site: Doctor) -> None:
    found = site(**GOOD, KAKAO_KAUTH_URL="http://127.0.0.1:1", KAKAO_KAPI_URL="http://127.0.0.1:1")
    assert found.crosses == {"kakao.reachable"}
    assert found["kakao.admin_key"] == "skipped"
