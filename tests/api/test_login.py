"""An app logs somebody in with what Kakao gave it: whose token that is, and every way it can be refused."""

import base64
import hmac
import json
import logging
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import requests_mock
import time_machine
from flask import Flask
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from support import CLIENT_ID, KAPI, KAUTH, FakeKakao, api_client, base64url, person, problem
from support.facebook import ACCESS_TOKEN, SETTINGS, FakeFacebook
from werkzeug.test import TestResponse

from kakaoauth.accounts import roles
from kakaoauth.models import Identity, User
from kakaoauth.providers.values import AccountEvent
from kakaoauth.storage.database import db
from kakaoauth.tokens.provider_tokens import ProviderToken
from kakaoauth.webhooks import effects

APP_ID = 654321
NATIVE_KEY = "11112222333344445555666677778888"
INFO = f"{KAPI}/v1/user/access_token_info"
ADDRESS = "/api/auth/kakao/"
REDIRECT = "https://app.example.kr/oauth"
TOKEN = {"access_token": "canary-access-token"}
CODE = {"code": "canary-code", "redirect_uri": REDIRECT}
#: What must be nowhere but in the request.
CANARIES = ("canary-access-token", "canary-code", "canary-refresh-token", "canary-description")

MakeApp = Callable[..., Flask]


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app(KAKAO_APP_ID=APP_ID, KAKAO_ID_TOKEN_AUDIENCES=NATIVE_KEY)


@pytest.fixture
def kakao(kakao_key: RSAKey) -> Iterator["Kakao"]:
    with requests_mock.Mocker() as mock:
        yield Kakao(mock, kakao_key)


@pytest.fixture(autouse=True)
def nothing_leaks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert not [canary for canary in CANARIES if canary in caplog.text]


class Kakao(FakeKakao):
    """With the address that tells whose an access token is."""

    def __init__(self, mock: requests_mock.Mocker, key: RSAKey) -> None:
        super().__init__(mock, key)
        self.info: dict[str, Any] = {"expires_in": 20874, "app_id": APP_ID}
        mock.get(INFO, json=lambda *_: {"id": self.me["id"], **self.info})

    def fails_info(self, **arguments: Any) -> None:
        self.mock.get(INFO, **arguments)

    def id_token(self, key: Any = None, header: dict[str, Any] | None = None, **claims: Any) -> dict[str, str]:
        """A login by id_token; a value of None leaves a claim out."""
        now = int(time.time())
        whole = {"iss": KAUTH, "aud": CLIENT_ID, "sub": str(self.me["id"]), "iat": now, "exp": now + 21599}
        whole |= {"nonce": "n", "auth_time": now, "email": "minji@example.kr", "nickname": "민지"}
        whole |= {"jti": secrets.token_hex(8), **claims}  # no two that Kakao issues are alike
        head = {"alg": "RS256", "kid": "test-key-1", "typ": "JWT", **(header or {})}
        body = {name: value for name, value in whole.items() if value is not None}
        return {"id_token": jwt.encode(head, body, key or self.key, algorithms=[head["alg"]])}


def log_in(app: Flask, body: dict[str, Any]) -> TestResponse:
    return app.test_client().post(ADDRESS, json=body)


def refuse(app: Flask, body: dict[str, Any], status: int, code: str) -> dict[str, Any]:
    """Say no, and store nobody."""
    answer = log_in(app, body)
    found = problem(answer, status, code)
    assert not [canary for canary in CANARIES if canary in answer.text]
    assert ("Retry-After" in answer.headers) == (status == 503)
    with app.app_context():
        assert db.session.query(Identity).count() == db.session.query(ProviderToken).count() == 0
        assert db.session.query(User).filter(User.provider.is_not(None)).count() == 0
    return found


def kapi(status: int, code: int, **more: Any) -> dict[str, Any]:
    return {"status_code": status, "json": {"msg": "canary-description", "code": code}, **more}


def koe(status: int, code: str, error: str = "invalid_grant") -> dict[str, Any]:
    return {"status_code": status, "json": {"error": error, "error_description": "canary-code", "error_code": code}}


# The answer


@pytest.mark.parametrize("kind", ["access_token", "code", "id_token"])
def test_new_person_is_201_and_a_known_one_200(app: Flask, kakao: Kakao, kind: str) -> None:
    kakao.me = person(3902187744, email="Minji@example.kr")
    body = {"access_token": TOKEN, "code": CODE, "id_token": kakao.id_token(email="Minji@example.kr")}[kind]
    first = log_in(app, body)
    assert first.status_code == 201, first.text
    found = first.get_json()
    assert sorted(found) == ["access_token", "expires_in", "refresh_token", "token_type", "user"]
    assert (found["token_type"], found["expires_in"]) == ("Bearer", 300)
    assert first.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in first.headers
    user = found["user"]
    assert set(user) == {
        *("id", "provider", "name", "nickname", "email", "age", "age_range", "gender", "profile_image"),
        *("is_active", "is_staff", "is_superuser", "date_joined", "last_login"),
    }
    assert (user["provider"], user["email"], user["nickname"]) == ("kakao", "Minji@example.kr", "민지")
    assert (user["is_active"], user["is_staff"], user["is_superuser"]) == (True, False, False)
    for moment in ("date_joined", "last_login"):
        assert user[moment].endswith("Z")
        assert abs((datetime.now(UTC) - datetime.fromisoformat(user[moment])).total_seconds()) < 10
    assert api_client(app, found["access_token"]).get("/api/users/me/").get_json() == user
    second = log_in(app, body if kind != "id_token" else kakao.id_token(email="Minji@example.kr"))
    assert second.status_code == 200
    assert second.get_json()["user"]["id"] == user["id"]
    assert second.get_json()["refresh_token"] != found["refresh_token"]


@pytest.mark.parametrize("subject", [1376016924429759228, 9007199254740993, 10**30 + 1])
def test_long_ids_are_kept_exactly(app: Flask, kakao: Kakao, subject: int) -> None:
    kakao.me = person(subject)
    bodies = (TOKEN, CODE, kakao.id_token(email=f"p{subject}@example.kr"))
    assert [log_in(app, body).status_code for body in bodies] == [201, 200, 200]
    with app.app_context():
        assert db.session.scalars(db.select(Identity.subject)).all() == [str(subject)]


def test_login_of_an_app_and_of_a_browser_are_one_person(
    app: Flask, kakao: Kakao, client_as: Callable[[str], Any], people: dict[str, int]
) -> None:
    client_as("minji")
    assert log_in(app, TOKEN).get_json()["user"]["id"] == people["minji"]


def test_login_is_written_down(app: Flask, kakao: Kakao, caplog: pytest.LogCaptureFixture) -> None:
    user_id = log_in(app, TOKEN).get_json()["user"]["id"]
    lines = [record.getMessage() for record in caplog.records if record.name == "kakaoauth.audit"]
    assert [line for line in lines if "login" in line and f"user={user_id}" in line]


def test_apps_own_tokens_stay_with_the_app(app: Flask, kakao: Kakao) -> None:
    """What an app brings is its own; what we exchanged a code for is ours to keep, encrypted."""
    for body, kept in ((TOKEN, 0), (kakao.id_token(), 0), (CODE, 1)):
        log_in(app, body)
        with app.app_context():
            assert db.session.query(ProviderToken).count() == kept


# Access tokens


def test_token_of_another_app_is_refused(app: Flask, kakao: Kakao) -> None:
    """A malicious app's user is ours as well, and its tokens name them."""
    kakao.info["app_id"] = APP_ID + 1
    refuse(app, TOKEN, 401, "FOREIGN_ACCESS_TOKEN")
    assert "GET /v2/user/me" not in kakao.calls


def test_token_that_changes_its_owner_is_refused(app: Flask, kakao: Kakao) -> None:
    """Kakao contradicts itself, which says nothing about the token: apps throw bad tokens away."""
    kakao.info["id"] = 1000
    refuse(app, TOKEN, 502, "UNTRUSTED_IDENTITY")


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (kapi(400, -2), 401, "INVALID_ACCESS_TOKEN"),
        (kapi(401, -401), 401, "INVALID_ACCESS_TOKEN"),
        (kapi(400, -1), 503, "PROVIDER_UNAVAILABLE"),
        (kapi(400, -7), 503, "PROVIDER_UNAVAILABLE"),
        (kapi(503, -9798), 503, "PROVIDER_UNAVAILABLE"),
        (kapi(429, -10), 503, "PROVIDER_UNAVAILABLE"),
        (kapi(400, -10), 503, "PROVIDER_UNAVAILABLE"),
        (kapi(403, -5), 500, "MISCONFIGURED"),
        (kapi(400, -101), 403, "ACCOUNT_UNUSABLE"),
        (kapi(401, -406), 403, "UNDER_AGE"),
        ({"status_code": 500, "text": "canary-description"}, 503, "PROVIDER_UNAVAILABLE"),
        ({"status_code": 502, "text": "<html>Bad gateway</html>"}, 503, "PROVIDER_UNAVAILABLE"),
        ({"text": "<html>Kakao</html>", "headers": {"Content-Type": "text/html"}}, 503, "PROVIDER_UNAVAILABLE"),
        ({"text": ""}, 503, "PROVIDER_UNAVAILABLE"),
        ({"json": []}, 503, "PROVIDER_UNAVAILABLE"),
        ({"text": "[" * 100_000}, 503, "PROVIDER_UNAVAILABLE"),
        ({"exc": requests.ConnectTimeout}, 503, "PROVIDER_UNAVAILABLE"),
        ({"exc": requests.ReadTimeout}, 503, "PROVIDER_UNAVAILABLE"),
        ({"exc": requests.ConnectionError}, 503, "PROVIDER_UNAVAILABLE"),
    ],
)
def test_each_answer_of_kakaos_has_its_meaning(
    app: Flask, kakao: Kakao, answer: dict[str, Any], status: int, code: str
) -> None:
    """A fault of Kakao's is never read as a bad token: apps throw bad tokens away."""
    kakao.fails(me=answer)
    refuse(app, TOKEN, status, code)
    kakao.fails_info(**answer)
    refuse(app, TOKEN, status, code)


def test_answer_that_does_not_say_which_app_or_who_is_no_answer(app: Flask, kakao: Kakao) -> None:
    whole = {"id": 3902187744, **kakao.info}
    odd: list[dict[str, Any]] = [{"app_id": value} for value in (None, str(APP_ID), float(APP_ID), True, [APP_ID])]
    odd += [{"app_id": value} for value in (0, -APP_ID)]
    odd += [{"id": value} for value in (None, "3902187744", True, 1.5, 3902187744.0, [], 0, -1, -3902187744, 10**40)]
    for change in [*odd, {"appId": APP_ID, "app_id": None}]:
        kakao.fails_info(json={name: value for name, value in (whole | change).items() if value is not None})
        refuse(app, TOKEN, 503, "PROVIDER_UNAVAILABLE")


def test_token_without_seconds_left_has_expired(app: Flask, kakao: Kakao) -> None:
    kakao.info["expires_in"] = 0
    refuse(app, TOKEN, 401, "EXPIRED_TOKEN")


def test_token_that_cannot_stand_in_a_header_goes_nowhere(app: Flask, kakao: Kakao) -> None:
    for token in ("x" * 4097, "a b", "a\r\nX: y", "é", "", "tab\t", "nul\0", "\ud800", 7, None, ["x"], True):
        found = refuse(app, {"access_token": token}, 400, "INVALID_REQUEST")
        assert found["fields"]
    assert kakao.calls == []


def test_token_longer_than_any_of_kakaos_is_not_sent(app: Flask, kakao: Kakao) -> None:
    refuse(app, {"access_token": "x" * 1001}, 401, "INVALID_ACCESS_TOKEN")
    assert kakao.calls == []


def test_kakao_gets_the_token_and_nothing_of_ours(app: Flask, kakao: Kakao) -> None:
    log_in(app, TOKEN)
    assert kakao.calls == ["GET /v1/user/access_token_info", "GET /v2/user/me"]
    for call in kakao.mock.request_history:
        assert call.headers["Authorization"] == "Bearer canary-access-token"
        assert "canary" not in call.url


def test_without_an_app_id_nobody_logs_in_and_the_operator_is_told(
    make_app: MakeApp, kakao: Kakao, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app()
    told = refuse(app, TOKEN, 403, "FORBIDDEN")
    assert "이 사이트에 아직 설정되어 있지 않아요" in told["detail"]
    assert kakao.calls == []
    # Anybody may send one: a warning, not an alarm.
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    (line,) = [record.getMessage() for record in caplog.records if record.name == "kakaoauth.providers.kakao"]
    assert "KAKAO_APP_ID" in line
    # The other two ways need no app id.
    assert log_in(app, CODE).status_code == 201
    assert log_in(app, kakao.id_token()).status_code == 200


# Codes


def test_code_is_exchanged_with_what_the_app_began_with(app: Flask, kakao: Kakao) -> None:
    assert log_in(app, {**CODE, "code_verifier": "v" * 43}).status_code == 201
    form = kakao.form()
    assert form["code"] == "canary-code"
    assert form["redirect_uri"] == REDIRECT
    assert form["code_verifier"] == "v" * 43
    assert form["client_id"] == CLIENT_ID


def test_verifier_is_left_out_where_there_is_none(app: Flask, kakao: Kakao) -> None:
    assert log_in(app, CODE).status_code == 201
    assert "code_verifier" not in kakao.form()


def test_native_apps_address_is_a_redirect_uri(app: Flask, kakao: Kakao) -> None:
    address = f"kakao{NATIVE_KEY}://oauth"
    assert log_in(app, {"code": "canary-code", "redirect_uri": address}).status_code == 201
    assert kakao.form()["redirect_uri"] == address


def test_nonce_is_compared_when_one_is_given(app: Flask, kakao: Kakao) -> None:
    kakao.id_claims, kakao.nonce = {"email": "minji@example.kr"}, "of-this-login"
    refuse(app, {**CODE, "nonce": "of-another"}, 401, "INVALID_ACCESS_TOKEN")
    refuse(app, CODE, 401, "INVALID_ACCESS_TOKEN")
    assert log_in(app, {**CODE, "nonce": "of-this-login"}).status_code == 201
    kakao.id_claims = {"email": "minji@example.kr", "nonce": None}
    assert log_in(app, CODE).status_code == 200, "an app may have sent none"


def test_named_nonce_that_nothing_can_be_compared_with_is_refused(app: Flask, kakao: Kakao) -> None:
    """Without `openid` in its request a code brings no id_token: injected into this app's login, it shall not pass."""
    refuse(app, {**CODE, "nonce": "of-this-login"}, 401, "INVALID_ACCESS_TOKEN")


@pytest.mark.parametrize("nonce", [1, True, ["of-this-login"], {"a": 1}])
def test_nonce_that_is_no_text_is_one_nobody_has_named(app: Flask, kakao: Kakao, nonce: Any) -> None:
    kakao.id_claims, kakao.nonce = {"email": "minji@example.kr"}, nonce
    refuse(app, CODE, 401, "INVALID_ACCESS_TOKEN")


#: Settings, host of the API call, spellings of this site's own callback.
OWN_CALLBACKS: list[tuple[dict[str, str], str, list[str]]] = [
    (
        {},
        "localhost",
        [
            "http://localhost/kakao/login/callback/",
            "http://localhost/kakao/login/callback",
            "http://localhost:8000/kakao/login/callback/",
            "http://127.0.0.1/kakao/login/callback/",
            "https://another.example.kr/kakao/login/callback/",
            "http://LOCALHOST:80/kakao/login/callback/?a=1#b",
            "http://localhost/kakao/./login/x/../%63allback/",
            "http://user@localhost/kakao/login/callback/",
            "http://localhost/facebook/login/callback/",
            "http://[localhost/kakao/login/callback/",
        ],
    ),
    (
        {"PUBLIC_URL": "https://login.example.kr"},
        "127.0.0.1",
        [
            "https://login.example.kr/kakao/login/callback/",
            "https://login.example.kr/facebook/login/callback/",
            "https://LOGIN.example.kr:443/kakao/login/callback/",
            "http://login.example.kr./kakao/login/callback",
        ],
    ),
    (
        {"KAKAO_REDIRECT_URI": "https://front.example.kr/oauth/kakao", "PUBLIC_URL": "https://login.example.kr"},
        "localhost",
        [
            "https://front.example.kr/oauth/kakao",
            "https://front.example.kr/oauth/kakao/",
            "https://login.example.kr/kakao/login/callback/",
        ],
    ),
    (
        {"FACEBOOK_REDIRECT_URI": "https://front.example.kr/oauth/facebook"},
        "localhost",
        ["https://front.example.kr/oauth/facebook", "http://localhost/kakao/login/callback/"],
    ),
]


@pytest.mark.parametrize(("settings_", "host", "addresses"), OWN_CALLBACKS)
def test_code_of_a_browsers_login_is_not_for_the_api(
    make_app: MakeApp, kakao: Kakao, settings_: dict[str, str], host: str, addresses: list[str]
) -> None:
    """A thief who has seen the address that the browser was sent back to has the code, and lacks nonce and verifier."""
    app = make_app(**{**SETTINGS, **settings_})
    for provider in ("kakao", "facebook"):
        for address in addresses:
            answer = app.test_client().post(
                f"/api/auth/{provider}/",
                json={"code": "canary-code", "redirect_uri": address, "code_verifier": "v" * 43},
                base_url=f"http://{host}",
            )
            assert list(problem(answer, 400, "INVALID_REQUEST")["fields"]) == ["redirect_uri"], address
    assert kakao.calls == []


def test_redirect_uri_cannot_be_left_out(app: Flask, kakao: Kakao) -> None:
    for body in ({"code": "canary-code"}, {"code": "canary-code", "redirect_uri": None}):
        refuse(app, body, 400, "INVALID_REQUEST")
    assert kakao.calls == []


def test_address_of_an_app_beside_the_site_is_its_own(make_app: MakeApp, kakao: Kakao) -> None:
    app = make_app(PUBLIC_URL="https://login.example.kr")
    addresses = ("https://login.example.kr/app/oauth", "https://app.example.kr/kakao/login/callback/")
    assert [log_in(app, {**CODE, "redirect_uri": address}).status_code for address in addresses] == [201, 200]


def test_id_token_that_comes_with_a_code_is_checked(app: Flask, kakao: Kakao) -> None:
    for claims in ({"aud": "another"}, {"iss": "https://evil.example"}, {"exp": 1}):
        kakao.id_claims = {"email": None, **claims}
        refuse(app, CODE, 401, "INVALID_ACCESS_TOKEN")
    kakao.id_claims = {"email": None, "sub": "1"}
    refuse(app, CODE, 502, "UNTRUSTED_IDENTITY")


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (koe(400, "KOE320"), 401, "INVALID_ACCESS_TOKEN"),
        (koe(401, "KOE010", "invalid_client"), 500, "MISCONFIGURED"),
        (koe(401, "KOE101", "invalid_client"), 500, "MISCONFIGURED"),
        (koe(400, "KOE237", "invalid_request"), 503, "PROVIDER_UNAVAILABLE"),
        (koe(429, "KOE237", "invalid_request"), 503, "PROVIDER_UNAVAILABLE"),
        (koe(400, "KOE003", "server_error"), 503, "PROVIDER_UNAVAILABLE"),
        ({"status_code": 400, "json": {"msg": "canary-description", "code": -10}}, 503, "PROVIDER_UNAVAILABLE"),
        ({"status_code": 500, "text": ""}, 503, "PROVIDER_UNAVAILABLE"),
        ({"text": "<html>", "headers": {"Content-Type": "text/html"}}, 503, "PROVIDER_UNAVAILABLE"),
        ({"json": {"token_type": "bearer"}}, 503, "PROVIDER_UNAVAILABLE"),
        ({"exc": requests.ReadTimeout}, 503, "PROVIDER_UNAVAILABLE"),
    ],
)
def test_each_answer_to_a_code_has_its_meaning(
    app: Flask, kakao: Kakao, answer: dict[str, Any], status: int, code: str
) -> None:
    kakao.fails(token=answer)
    refuse(app, CODE, status, code)
    assert kakao.calls.count("POST /oauth/token") == 1, "a code is never tried twice"


@pytest.mark.parametrize("code", ["KOE303", "KOE006", "KOE310"])
def test_other_redirect_uri_is_named_as_the_field(app: Flask, kakao: Kakao, code: str) -> None:
    kakao.fails(token=koe(400, code))
    found = refuse(app, CODE, 400, "INVALID_REQUEST")
    assert list(found["fields"]) == ["redirect_uri"]


def test_operators_fault_is_the_operators_alarm(app: Flask, kakao: Kakao, caplog: pytest.LogCaptureFixture) -> None:
    kakao.fails(token=koe(401, "KOE010", "invalid_client"))
    refuse(app, CODE, 500, "MISCONFIGURED")
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.CRITICAL]
    assert any("KAKAO_CLIENT_SECRET" in line for line in lines)


# id_tokens


def test_id_token_of_the_native_app_key_is_ours(app: Flask, kakao: Kakao) -> None:
    assert log_in(app, kakao.id_token(aud=NATIVE_KEY)).status_code == 201


def test_id_token_needs_no_further_call(app: Flask, kakao: Kakao) -> None:
    log_in(app, kakao.id_token())
    assert kakao.calls == ["GET /.well-known/jwks.json"]


def test_nonce_of_an_id_token_is_compared_when_one_is_given(app: Flask, kakao: Kakao) -> None:
    refuse(app, {**kakao.id_token(nonce="of-this"), "nonce": "of-another"}, 401, "INVALID_ACCESS_TOKEN")
    refuse(app, {**kakao.id_token(nonce=None), "nonce": "of-this"}, 401, "INVALID_ACCESS_TOKEN")
    assert log_in(app, {**kakao.id_token(nonce="of-this"), "nonce": "of-this"}).status_code == 201
    assert log_in(app, kakao.id_token(nonce=None)).status_code == 200


def test_id_token_that_is_not_for_us_is_refused(app: Flask, kakao: Kakao, subtests: pytest.Subtests) -> None:
    refused: dict[str, list[dict[str, Any]]] = {
        "FOREIGN_ACCESS_TOKEN": [
            *({"aud": aud} for aud in ("ffffffffffffffffffffffffffffffff", None, "", [CLIENT_ID, "another"], 1)),
            {"azp": "another"},
        ],
        "EXPIRED_TOKEN": [{"exp": 1000}],
        "INVALID_ACCESS_TOKEN": [
            *({"iss": iss} for iss in ("https://evil.example", f"{KAUTH}/", None, 1)),
            *({"sub": sub} for sub in (None, 3902187744, "1; DROP", "", "0")),
            *({"exp": exp} for exp in (None, "2100000000", 2e9)),
            *({"iat": iat} for iat in (None, "1", 2**40)),
        ],
    }
    for code, claims in ((code, claims) for code, many in refused.items() for claims in many):
        with subtests.test(code, **claims):
            refuse(app, kakao.id_token(**claims), 401, code)


def test_id_token_that_is_not_kakaos_is_refused(app: Flask, kakao: Kakao) -> None:
    other = RSAKey.generate_key(2048, {"kid": "test-key-1"})
    genuine = kakao.id_token()["id_token"]
    head, claims, signature = genuine.split(".")
    none, hs256 = (base64url(json.dumps({"alg": alg, "kid": "test-key-1"}).encode()) for alg in ("none", "HS256"))
    public = kakao.key.as_pem(private=False)
    forged = {
        "another key": kakao.id_token(other)["id_token"],
        "an unknown key id": kakao.id_token(other, {"kid": "unknown"})["id_token"],
        "alg none": f"{none}.{claims}.",
        "alg none, signature kept": f"{none}.{claims}.{signature}",
        "the public key as a secret": f"{hs256}.{claims}."
        + base64url(hmac.digest(public, f"{hs256}.{claims}".encode(), "sha256")),
        "HS256 with a made-up secret": kakao.id_token(OctKey.generate_key(256), {"alg": "HS256"})["id_token"],
        "no signature": f"{head}.{claims}.",
        "two parts": f"{head}.{claims}",
        "no JWT": "canary",
    }
    for token in forged.values():
        refuse(app, {"id_token": token}, 401, "INVALID_ACCESS_TOKEN")


def test_id_token_that_was_issued_long_ago_is_refused_while_it_is_good(app: Flask, kakao: Kakao) -> None:
    """It is a proof of a login, and a login takes ten minutes; what leaks later is worth nothing."""
    body = kakao.id_token()
    now = time.time()
    with time_machine.travel(now + 1800, tick=False):
        refuse(app, body, 401, "EXPIRED_TOKEN")
    with time_machine.travel(now + 300, tick=False):
        assert log_in(app, body).status_code == 201


def test_id_token_logs_in_once(app: Flask, kakao: Kakao, redis: Any) -> None:
    body = kakao.id_token()
    assert log_in(app, body).status_code == 201
    head, _, last = body["id_token"].rpartition(".")
    # The last character of 256 bytes in base64url has four bits to spare.
    spelled = [f"{head}.{last[:-1]}{char}" for char in base64.urlsafe_b64encode(bytes(range(192))).decode()]
    for token in {body["id_token"], *spelled}:
        problem(log_in(app, {"id_token": token}), 401, "INVALID_ACCESS_TOKEN")
    assert log_in(app, kakao.id_token()).status_code == 200
    (key, other) = redis.keys("id_token:*")
    assert 600 < redis.ttl(key) <= 800
    assert 600 < redis.ttl(other) <= 800


def test_id_token_that_came_at_the_same_moment_twice_logs_in_once(app: Flask, kakao: Kakao) -> None:
    body = kakao.id_token()
    log_in(app, kakao.id_token())
    with ThreadPoolExecutor(8) as threads:
        answers = [answer.status_code for answer in threads.map(lambda _: log_in(app, body), range(8))]
    assert sorted(answers) == [200] + [401] * 7


def test_id_token_of_a_refused_login_can_be_brought_again(app: Flask, kakao: Kakao) -> None:
    """A 503 says "try again", and a refusal can be cured meanwhile."""
    user_id = log_in(app, TOKEN).get_json()["user"]["id"]
    with app.app_context():
        roles.change_user(user_id, is_active=False)
    body = kakao.id_token()
    for _ in range(2):
        problem(log_in(app, body), 403, "ACCOUNT_DISABLED")
    with app.app_context():
        roles.change_user(user_id, is_active=True)
    assert log_in(app, body).status_code == 200
    problem(log_in(app, body), 401, "INVALID_ACCESS_TOKEN")


def test_forged_id_token_leaves_nothing_behind(app: Flask, kakao: Kakao, redis: Any) -> None:
    other = RSAKey.generate_key(2048, {"kid": "test-key-1"})
    refuse(app, kakao.id_token(other), 401, "INVALID_ACCESS_TOKEN")
    assert redis.keys("id_token:*") == []


def test_id_token_waits_while_nobody_knows_whether_it_was_taken(make_app: MakeApp, kakao: Kakao) -> None:
    app = make_app(REDIS_URL="redis://127.0.0.1:1", KAKAOAUTH_RATE_LIMITS=False)
    refuse(app, kakao.id_token(), 503, "SESSIONS_UNAVAILABLE")


@pytest.mark.parametrize("nbf", [None, "1", 1.5, True, 2**40])
def test_id_token_that_is_not_valid_yet_is_refused(app: Flask, kakao: Kakao, nbf: Any) -> None:
    now = int(time.time())
    body = kakao.id_token()
    claims = json.loads(base64.urlsafe_b64decode(body["id_token"].split(".")[1] + "=="))
    token = jwt.encode({"alg": "RS256", "kid": "test-key-1"}, {**claims, "nbf": nbf}, kakao.key)
    refuse(app, {"id_token": token}, 401, "INVALID_ACCESS_TOKEN")
    refuse(app, kakao.id_token(nbf=now + 100), 401, "INVALID_ACCESS_TOKEN")
    assert log_in(app, kakao.id_token(nbf=now + 30)).status_code == 201, "clocks differ"


def test_our_own_token_is_no_id_token(app: Flask, kakao: Kakao) -> None:
    own = log_in(app, kakao.id_token()).get_json()["access_token"]
    problem(log_in(app, {"id_token": own}), 401, "INVALID_ACCESS_TOKEN")


def test_keys_that_cannot_be_had_are_kakaos_fault(app: Flask, kakao: Kakao) -> None:
    kakao.mock.get(f"{KAUTH}/.well-known/jwks.json", status_code=500)
    refuse(app, kakao.id_token(), 503, "PROVIDER_UNAVAILABLE")


def test_id_token_without_an_email_needs_one(app: Flask, kakao: Kakao) -> None:
    assert refuse(app, kakao.id_token(email=None), 403, "EMAIL_REQUIRED")["required_scopes"] == ["account_email"]


# E-mail


@pytest.mark.parametrize(
    ("account", "case", "scopes"),
    [
        ({"email": None, "email_needs_agreement": True, "is_email_valid": None}, "not_agreed", ["account_email"]),
        (
            {"email": None, "email_needs_agreement": None, "is_email_valid": None, "is_email_verified": None},
            "not_configured",
            [],
        ),
        ({"email": None, "is_email_valid": None, "is_email_verified": None}, "absent", []),
        ({"is_email_verified": False}, "unverified", []),
        ({"is_email_valid": False}, "expired", []),
        ({"is_email_valid": "true", "is_email_verified": 1}, None, []),
        ({"email": "no address"}, "unusable", []),
    ],
)
def test_email_that_may_not_be_trusted_counts_as_none(
    app: Flask, kakao: Kakao, account: dict[str, Any], case: str | None, scopes: list[str]
) -> None:
    kakao.me = person(7, **account)
    found = refuse(app, TOKEN, 403, "EMAIL_REQUIRED")
    assert found["required_scopes"] == scopes
    if case:
        assert found["case"] == case


def test_without_an_email_one_may_come_in_where_none_is_required(make_app: MakeApp, kakao: Kakao) -> None:
    app = make_app(KAKAO_APP_ID=APP_ID, KAKAOAUTH_EMAIL_REQUIRED=False)
    kakao.me = person(7, is_email_verified=False)
    for body in (TOKEN, kakao.id_token(email=None)):
        user = log_in(app, body).get_json()["user"]
        assert (user["email"], user["provider"]) == (None, "kakao")


def test_email_of_another_account_joins_nobody(app: Flask, kakao: Kakao) -> None:
    kakao.me = person(1, email="minji@example.kr")
    assert log_in(app, TOKEN).status_code == 201
    kakao.me = person(2, email="MINJI@example.kr")
    for body in ({"access_token": "canary-access-token-2"}, CODE, kakao.id_token(email="minji@example.kr")):
        assert problem(log_in(app, body), 409, "EMAIL_IN_USE")["provider"] == "kakao"
    with app.app_context():
        assert db.session.scalars(db.select(Identity.subject)).all() == ["1"]


def test_superuser_of_the_command_line_is_taken_over_by_the_first_login(app: Flask, kakao: Kakao) -> None:
    with app.app_context():
        user_id = roles.create_superuser("hana@example.kr").id
    kakao.me = person(1, email="hana@example.kr", is_email_verified=False)
    refuse(app, TOKEN, 403, "EMAIL_REQUIRED")
    kakao.me = person(1, email="hana@example.kr")
    answer = log_in(app, TOKEN)
    assert answer.status_code == 200, "the account was there"
    assert (answer.get_json()["user"]["id"], answer.get_json()["user"]["is_superuser"]) == (user_id, True)


# The second provider


def test_facebooks_token_logs_in_as_well(make_app: MakeApp, kakao_key: RSAKey) -> None:
    app = make_app(**SETTINGS)
    with requests_mock.Mocker() as mock:
        facebook = FakeFacebook(mock)
        caller = app.test_client()
        answer = caller.post("/api/auth/facebook/", json={"access_token": ACCESS_TOKEN})
        assert answer.status_code == 201, answer.text
        assert answer.get_json()["user"]["provider"] == "facebook"
        assert api_client(app, answer.get_json()["access_token"]).get("/api/users/me/").status_code == 200
        facebook.debug["app_id"] = "1"
        refused = caller.post("/api/auth/facebook/", json={"access_token": f"{ACCESS_TOKEN}2"})
        problem(refused, 401, "FOREIGN_ACCESS_TOKEN")
        # Facebook gives no id_tokens, and nobody else's log anybody in.
        problem(caller.post("/api/auth/facebook/", json=Kakao(mock, kakao_key).id_token()), 401, "INVALID_ACCESS_TOKEN")


def test_facebook_is_asked_in_facebooks_words(make_app: MakeApp) -> None:
    app = make_app(**SETTINGS)
    with requests_mock.Mocker() as mock:
        facebook = FakeFacebook(mock)
        facebook.me.pop("email")
        answer = app.test_client().post("/api/auth/facebook/", json={"access_token": ACCESS_TOKEN})
        assert problem(answer, 403, "EMAIL_REQUIRED")["required_scopes"] == ["email"]


def test_two_answers_of_facebooks_about_different_people_are_facebooks_fault(make_app: MakeApp) -> None:
    app = make_app(**SETTINGS)
    with requests_mock.Mocker() as mock:
        facebook = FakeFacebook(mock)
        facebook.debug["user_id"] = "1"
        answer = app.test_client().post("/api/auth/facebook/", json={"access_token": ACCESS_TOKEN})
        problem(answer, 502, "UNTRUSTED_IDENTITY")


@pytest.mark.parametrize("kind", ["access_token", "code", "id_token"])
def test_message_of_the_second_in_which_an_app_logs_in_is_not_missed(app: Flask, kakao: Kakao, kind: str) -> None:
    """Kakao's messages count whole seconds."""
    now = datetime.now(UTC).replace(microsecond=900_000)
    event = AccountEvent("1", "user-unlinked", "3902187744", now.replace(microsecond=0))
    with app.app_context():
        effects.apply_event("kakao", event)
    with time_machine.travel(now, tick=False):
        body = {"access_token": TOKEN, "code": CODE, "id_token": kakao.id_token()}[kind]
        refuse(app, body, 403, "ACCOUNT_UNUSABLE")


@pytest.mark.parametrize(("issued", "status"), [(100, 401), (10, 201)])
def test_id_token_of_before_an_unlink_makes_no_account(app: Flask, kakao: Kakao, issued: int, status: int) -> None:
    """It is genuine for minutes after the person has left; who agrees again gets a new one."""
    now = datetime.now(UTC)
    with app.app_context():
        effects.apply_event("kakao", AccountEvent("1", "user-unlinked", "3902187744", now - timedelta(seconds=50)))
    answer = log_in(app, kakao.id_token(iat=int(now.timestamp()) - issued))
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(("issued", "status"), [(100, 401), (50, 200), (10, 200)])
@pytest.mark.parametrize("kind", ["account-disabled", "sessions-revoked"])
def test_id_token_of_before_a_danger_opens_nothing(
    app: Flask, kakao: Kakao, kind: str, issued: int, status: int
) -> None:
    now = datetime.now(UTC)
    with time_machine.travel(now - timedelta(seconds=300)):
        assert log_in(app, kakao.id_token()).status_code == 201
    with app.app_context():
        effects.apply_event("kakao", AccountEvent("1", kind, "3902187744", now - timedelta(seconds=50)))
    answer = log_in(app, kakao.id_token(iat=int(now.timestamp()) - issued))
    assert answer.status_code == status, answer.text


# Who may not


def test_suspended_person_gets_no_token(app: Flask, kakao: Kakao) -> None:
    user_id = log_in(app, TOKEN).get_json()["user"]["id"]
    with app.app_context():
        roles.change_user(user_id, is_active=False)
    for body in (TOKEN, CODE, kakao.id_token()):
        answer = log_in(app, body)
        problem(answer, 403, "ACCOUNT_DISABLED")
        assert "access_token" not in answer.text


def test_provider_that_is_not_offered_is_not_found(app: Flask, kakao: Kakao) -> None:
    for provider in ("google", "KAKAO", "facebook", "kakao%2F..", "kakao%00"):
        problem(app.test_client().post(f"/api/auth/{provider}/", json=TOKEN), 404, "NOT_FOUND")


#: Not exactly one of the three.
ODD_BODIES: list[dict[str, Any]] = [
    {},
    {"token": "x"},
    {"access_token": "x", "code": "y", "redirect_uri": REDIRECT},
    {"access_token": "x", "id_token": "y"},
    {"access_token": "x", "nonce": "n"},
    {"code": "x"},
    {"code": "x", "redirect_uri": ""},
    {"code": "x", "redirect_uri": "/relative"},
    {"code": "x", "redirect_uri": "https://a b"},
    {"code": "x", "redirect_uri": REDIRECT, "code_verifier": "short"},
    {"code": "x", "redirect_uri": REDIRECT, "client_id": "of an attacker"},
    {"code": "x" * 1001, "redirect_uri": REDIRECT},
    {"code": "x\0", "redirect_uri": REDIRECT},
    {"id_token": "x", "nonce": ""},
    {"access_token": {"value": "x"}},
    {"access_token": "x", "is_superuser": True},
    {"access_token": "x", "email": "hana@example.kr"},
]


def test_body_that_is_not_exactly_one_of_the_three_is_refused(
    app: Flask, kakao: Kakao, subtests: pytest.Subtests
) -> None:
    for body in ODD_BODIES:
        with subtests.test(body=body):
            assert refuse(app, body, 400, "INVALID_REQUEST")["fields"]
    assert kakao.calls == []


# The password


def test_local_password_gives_tokens_and_a_wrong_one_says_nothing(app: Flask) -> None:
    with app.app_context():
        roles.create_superuser("hana@example.kr", "a long enough password")
        User.objects.create_user("minji@example.kr")
        db.session.commit()
    address = "/api/token/"
    answer = app.test_client().post(address, json={"email": "hana@example.kr", "password": "a long enough password"})
    assert answer.status_code == 200, answer.text
    assert answer.get_json()["user"]["is_superuser"]
    assert api_client(app, answer.get_json()["access_token"]).get("/api/users/").status_code == 200
    seen = set()
    for email in ("hana@example.kr", "minji@example.kr", "nul\0@example.kr"):
        answer = app.test_client().post(address, json={"email": email, "password": "not the password"})
        body = problem(answer, 401, "INVALID_CREDENTIALS")
        del body["instance"]
        seen.add((json.dumps(body), answer.headers["WWW-Authenticate"]))
    assert len(seen) == 1, "also in its headers"
