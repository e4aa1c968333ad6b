"""Naver, Google and Apple as their documents and other people's reports describe them, in shapes the sandbox lacks."""

import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256, sha512
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
import requests_mock as rm
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import RSAKey
from support import is_logged_in
from support.provider_app import make_key, public, sign

from kakaoauth.accounts import leaving
from kakaoauth.accounts.unlink_jobs import UnlinkJob
from kakaoauth.config.sandbox import SANDBOX_APPLE_PRIVATE_KEY
from kakaoauth.models import Identity, User
from kakaoauth.providers.values import AccountEvent, TokenSet
from kakaoauth.storage.database import db
from kakaoauth.tokens import provider_tokens
from kakaoauth.webhooks import effects

NID, OPENAPI = "https://nid.naver.com", "https://openapi.naver.com"
GOOGLE, GOOGLE_OAUTH, GOOGLE_KEYS = (
    "https://accounts.google.com",
    "https://oauth2.googleapis.com",
    "https://www.googleapis.com/oauth2/v3/certs",
)
APPLE = "https://appleid.apple.com"
SETTINGS: dict[str, Any] = {
    "KAKAOAUTH_EMAIL_REQUIRED": False,
    "NAVER_CLIENT_ID": "naver-client",
    "NAVER_CLIENT_SECRET": "naver-secret",
    "GOOGLE_CLIENT_ID": "123-abc.apps.googleusercontent.com",
    "GOOGLE_CLIENT_SECRET": "google-secret",
    "APPLE_CLIENT_ID": "kr.example.web",
    "APPLE_TEAM_ID": "TEAM000001",
    "APPLE_KEY_ID": "KEY0000001",
    "APPLE_PRIVATE_KEY": SANDBOX_APPLE_PRIVATE_KEY,
    "APPLE_ID_TOKEN_AUDIENCES": "kr.example.app",
}
TOKEN = {"access_token": "AAAAPx3+q/7Zk=", "token_type": "bearer"}
PERSON = {"id": "Kx2-yQ8mB7", "nickname": "미나"}
FINE = {"resultcode": "00", "message": "success", "response": PERSON}


class FromNow(NamedTuple):
    """A time in a claim: cases are collected long before they run."""

    seconds: int


def now_in(said: dict[str, Any]) -> dict[str, Any]:
    """Return claims with times for each `FromNow`."""
    return {name: int(time.time()) + one.seconds if isinstance(one, FromNow) else one for name, one in said.items()}


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(**SETTINGS)


@pytest.fixture
def mock() -> Iterator[rm.Mocker]:
    with rm.Mocker() as mock:
        yield mock


def begin(client: FlaskClient, provider: str) -> dict[str, str]:
    location = client.get(f"/{provider}/login/").location
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def back(client: FlaskClient, provider: str, **query: str) -> Any:
    return client.get(f"/{provider}/login/callback/", query_string=query)


def claims(key: RSAKey, provider: str, **changes: Any) -> str:
    now = int(time.time())
    said = {
        "google": {"iss": GOOGLE, "aud": SETTINGS["GOOGLE_CLIENT_ID"], "sub": "112233445566778899001", "name": "Mina"},
        "apple": {"iss": APPLE, "aud": "kr.example.web", "sub": "000123.0123456789abcdef0123456789abcdef.0456"},
    }[provider]
    told = {"email": "mina@gmail.com", "email_verified": "true", "iat": now, "exp": now + 600}
    return sign(key, now_in({**said, **told, **changes}))


# Naver


@pytest.mark.parametrize(
    "token",
    [
        TOKEN,
        {**TOKEN, "expires_in": "3600", "refresh_token": "mQ9hVb2c"},
        {**TOKEN, "expires_in": 3600, "token_type": "Bearer"},
        {**TOKEN, "expires_in": "soon"},
    ],
)
def test_naver_tokens_of_every_shape(app: Flask, mock: rm.Mocker, token: dict[str, Any]) -> None:
    mock.post(f"{NID}/oauth2.0/token", json=token)
    asked = mock.get(f"{OPENAPI}/v1/nid/me", json=FINE)
    client = app.test_client()
    assert back(client, "naver", state=begin(client, "naver")["state"], code="naver-code").location == "/"
    assert asked.last_request.headers["Authorization"] == "Bearer AAAAPx3+q/7Zk="
    assert is_logged_in(client)


@pytest.mark.parametrize(
    ("status", "body", "shown"),
    [
        (401, {"resultcode": "024", "message": "Authentication failed (인증 실패하였습니다.)"}, 400),
        # The gateway before the API has names of its own.
        (401, {"errorMessage": "Authentication failed (인증에 실패했습니다.)", "errorCode": "024"}, 400),
        (403, {"errorMessage": "Scope Status Invalid", "errorCode": "40801"}, 500),
        (403, {"resultcode": "403", "message": "Forbidden"}, 500),
        (429, {"errorMessage": "Rate limit exceeded. (속도 제한을 초과했습니다.)", "errorCode": "012"}, 503),
        (500, {"errorMessage": "System error", "errorCode": "900"}, 503),
        (200, {"errorMessage": "Authentication failed", "errorCode": "024"}, 400),
        (200, {"resultcode": "00", "message": "success"}, 503),
    ],
)
def test_naver_refuses_the_profile(app: Flask, mock: rm.Mocker, status: int, body: dict[str, Any], shown: int) -> None:
    mock.post(f"{NID}/oauth2.0/token", json=TOKEN)
    mock.get(f"{OPENAPI}/v1/nid/me", status_code=status, json=body)
    client = app.test_client()
    assert back(client, "naver", state=begin(client, "naver")["state"], code="naver-code").status_code == shown
    assert not is_logged_in(client)


@pytest.mark.parametrize(
    ("person", "status"),
    [
        ({"id": "3902187744"}, 302),
        ({"id": 12345678901234567890}, 302),
        ({"id": True}, 503),
        ({"id": 1.5}, 503),
        ({"id": "Kx2-yQ8mB7", "age": "60-", "gender": "U", "birthday": "13-40", "birthyear": "0000", "mobile": 5}, 302),
        ({"id": "Kx2-yQ8mB7", "name": None, "nickname": ["x"], "profile_image": "http://x.kr/y.png"}, 302),
        ({"id": "x" * 64, "enc_id": "internal"}, 302),
        ({"id": "x" * 65}, 503),
        ({"id": ""}, 503),
        ({"name": "미나"}, 503),
    ],
)
def test_naver_says_little_or_odd_things(app: Flask, mock: rm.Mocker, person: dict[str, Any], status: int) -> None:
    mock.post(f"{NID}/oauth2.0/token", json=TOKEN)
    mock.get(f"{OPENAPI}/v1/nid/me", json={**FINE, "response": person})
    client = app.test_client()
    assert back(client, "naver", state=begin(client, "naver")["state"], code="naver-code").status_code == status


@pytest.mark.parametrize(
    ("error", "status"),
    [("access_denied", 200), ("server_error", 503), ("temporarily_unavailable", 503), ("invalid_request", 500)],
)
def test_naver_sends_people_back_with_an_error(app: Flask, mock: rm.Mocker, error: str, status: int) -> None:
    client = app.test_client()
    sent = begin(client, "naver")
    mock.post(f"{NID}/oauth2.0/token", json=TOKEN)
    told = back(client, "naver", state=sent["state"], error=error, error_description="Canceled By User")
    assert "Canceled By User" not in told.text
    assert mock.call_count == 0
    assert told.status_code == status


# Leaving


def leaves(app: Flask, mock: rm.Mocker, provider: str, **answer: Any) -> int:
    """Leave as somebody whose token is kept; how many unlinks wait afterwards."""
    address = {"naver": f"{NID}/oauth2.0/revoke", "google": f"{GOOGLE_OAUTH}/revoke", "apple": f"{APPLE}/auth/revoke"}
    mock.post(address[provider], **answer)
    with app.app_context():
        user = User.objects.create_user(None, provider=provider)
        identity = Identity(provider=provider, subject="x", user=user)
        db.session.add(identity)
        db.session.flush()
        tokens = TokenSet("canary-token", datetime.now(UTC), "canary-refresh", datetime.now(UTC))
        db.session.add(provider_tokens.put(identity, tokens))
        db.session.commit()
        assert leaving.delete_user(user.id)
        return db.session.query(UnlinkJob).count()


@pytest.mark.parametrize("provider", ["naver", "google", "apple"])
def test_revoke_is_done_with_an_empty_answer(app: Flask, mock: rm.Mocker, provider: str) -> None:
    assert leaves(app, mock, provider, status_code=200, text="") == 0


@pytest.mark.parametrize(
    ("provider", "answer"),
    [
        # Naver's other token address says everything with 200.
        ("naver", {"json": {"error": "server_error", "error_description": "try later"}}),
        ("naver", {"text": "<html>maintenance</html>", "headers": {"Content-Type": "text/html"}}),
        ("naver", {"status_code": 401, "json": {"error": "unauthorized_client"}}),
        ("google", {"status_code": 503, "text": ""}),
        ("apple", {"status_code": 400, "json": {"error": "invalid_client"}}),
    ],
)
def test_revoke_that_was_not_done_is_tried_again(
    app: Flask, mock: rm.Mocker, provider: str, answer: dict[str, Any]
) -> None:
    assert leaves(app, mock, provider, **answer) == 1


# Google


def google_answers(mock: rm.Mocker, key: RSAKey, nonce: str, **changes: Any) -> None:
    mock.get(GOOGLE_KEYS, json={"keys": [public(key)]})
    token = {"access_token": "ya29.a0Xy", "expires_in": 3599, "token_type": "Bearer", "scope": "openid"}
    mock.post(f"{GOOGLE_OAUTH}/token", json={**token, "id_token": claims(key, "google", nonce=nonce, **changes)})


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 302),
        ({"iss": GOOGLE, "authuser": "0", "prompt": "consent", "hd": "x.kr", "scope": "openid"}, 302),
        ({"iss": "https://issuer.invalid"}, 400),
        ({"iss": ""}, 302),
    ],
)
def test_google_names_itself_in_the_answer(
    app: Flask, mock: rm.Mocker, kakao_key: RSAKey, query: dict[str, str], status: int
) -> None:
    """RFC 9207: an answer of another issuer is not exchanged."""
    client = app.test_client()
    sent = begin(client, "google")
    google_answers(mock, kakao_key, sent["nonce"])
    assert back(client, "google", state=sent["state"], code="4/0Ab-code", **query).status_code == status
    assert is_logged_in(client) == (status == 302)
    assert (mock.call_count > 0) == (status == 302)


@pytest.mark.parametrize(
    ("said", "email"),
    [
        ({"email_verified": True}, "mina@gmail.com"),
        ({"email_verified": "true"}, "mina@gmail.com"),
        ({"email_verified": "false"}, None),
        ({"email_verified": False}, None),
        ({"email_verified": 1}, None),
        ({"email_verified": None}, None),
        ({"email": None}, None),
        ({"iss": "accounts.google.com"}, "mina@gmail.com"),
        ({"aud": [SETTINGS["GOOGLE_CLIENT_ID"]]}, "mina@gmail.com"),
        ({"azp": SETTINGS["GOOGLE_CLIENT_ID"], "hd": "gmail.com", "at_hash": "x"}, "mina@gmail.com"),
        ({"exp": FromNow(-20)}, "mina@gmail.com"),
        ({"iat": FromNow(40)}, "mina@gmail.com"),
        ({"sub": "a" * 255}, "mina@gmail.com"),
    ],
)
def test_google_id_tokens_of_every_shape(
    app: Flask, mock: rm.Mocker, kakao_key: RSAKey, said: dict[str, Any], email: str | None
) -> None:
    client = app.test_client()
    sent = begin(client, "google")
    google_answers(mock, kakao_key, sent["nonce"], **said)
    mock.get("https://openidconnect.googleapis.com/v1/userinfo", json={"sub": "112233445566778899001"})
    answer = back(client, "google", state=sent["state"], code="4/0Ab-code")
    assert answer.location == "/", answer.text
    with app.app_context():
        assert db.session.query(User.email).one()[0] == email


@pytest.mark.parametrize(
    "said",
    [
        {"iss": "https://accounts.google.com.example.kr"},
        {"aud": [SETTINGS["GOOGLE_CLIENT_ID"], "another"]},
        {"aud": "another"},
        {"azp": "456-phone.apps.googleusercontent.com"},
        {"sub": 112233445566778899001},
        {"sub": ""},
        {"exp": FromNow(-600)},
        {"iat": FromNow(600)},
        {"exp": str(2**32)},
        {"nonce": ""},
    ],
)
def test_google_id_tokens_that_let_nobody_in(
    app: Flask, mock: rm.Mocker, kakao_key: RSAKey, said: dict[str, Any]
) -> None:
    client = app.test_client()
    sent = begin(client, "google")
    google_answers(mock, kakao_key, **{"nonce": sent["nonce"], **said})
    assert back(client, "google", state=sent["state"], code="4/0Ab-code").status_code == 502
    assert not is_logged_in(client)


def test_google_changes_its_keys(app: Flask, mock: rm.Mocker, kakao_key: RSAKey) -> None:
    for key in (kakao_key, make_key("another")):
        client = app.test_client()
        sent = begin(client, "google")
        google_answers(mock, key, sent["nonce"])
        assert back(client, "google", state=sent["state"], code="4/0Ab-code").location == "/"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"status_code": 400, "json": {"error": "invalid_token", "error_description": "Invalid Value"}}, 401),
        ({"status_code": 400, "json": {"error_description": "Invalid Value"}}, 401),
        ({"status_code": 400, "json": {"error": "invalid_request"}}, 401),
        ({"status_code": 400, "text": "<html>maintenance</html>", "headers": {"Content-Type": "text/html"}}, 503),
        ({"status_code": 503, "json": {"error_description": "Invalid Value"}}, 503),
    ],
)
def test_googles_word_about_a_token_that_is_over(
    app: Flask, mock: rm.Mocker, answer: dict[str, Any], status: int
) -> None:
    mock.post(f"{GOOGLE_OAUTH}/tokeninfo", **answer)
    told = app.test_client().post("/api/auth/google/", json={"access_token": "ya29.over"})
    assert told.status_code == status, told.text


# Apple


def apple_comes_back(app: Flask, mock: rm.Mocker, key: RSAKey, user: str = "", **changes: Any) -> Any:
    client = app.test_client()
    return comes_back(client, mock, key, begin(client, "apple"), user, **changes)


def comes_back(
    client: FlaskClient, mock: rm.Mocker, key: RSAKey, sent: dict[str, str], user: str = "", **changes: Any
) -> Any:
    mock.get(f"{APPLE}/auth/keys", json={"keys": [public(make_or_find("old")), public(key)]})
    token = {"access_token": "a9c1.0.nrtx.Qw", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r4f2.0.Zp"}
    id_token = claims(key, "apple", **{"nonce": sent["nonce"], **changes})
    mock.post(f"{APPLE}/auth/token", json={**token, "id_token": id_token})
    form = {"state": sent["state"], "code": "c1.0.nrtx.code", **({"user": user} if user else {})}
    return client.get(client.application.test_client().post("/apple/login/callback/", data=form).location)


@cache
def make_or_find(kid: str) -> RSAKey:
    return make_key(kid)


@pytest.mark.parametrize(
    ("said", "email"),
    [
        ({"is_private_email": "true", "nonce_supported": True}, "mina@gmail.com"),
        ({"email_verified": True, "is_private_email": False}, "mina@gmail.com"),
        ({"email_verified": "false"}, None),
        ({"email": ""}, None),
        ({"email": None, "email_verified": None}, None),
        ({"real_user_status": 2, "transfer_sub": "x", "org_id": "y", "auth_time": int(time.time())}, "mina@gmail.com"),
    ],
)
def test_apples_id_tokens_of_every_shape(
    app: Flask, mock: rm.Mocker, kakao_key: RSAKey, said: dict[str, Any], email: str | None
) -> None:
    user = '{"name":{"firstName":"미나","lastName":"김"},"email":"mallory@example.kr"}'
    assert apple_comes_back(app, mock, kakao_key, user, **said).location == "/"
    with app.app_context():
        assert db.session.query(User.name, User.email).one() == ("김미나", email)


@pytest.mark.parametrize(
    "said",
    [
        {"iss": "https://account.apple.com"},
        {"aud": "kr.example.app"},
        {"nonce": None, "nonce_supported": True},
        {"exp": FromNow(-600)},
    ],
)
def test_apples_id_tokens_that_let_nobody_in(
    app: Flask, mock: rm.Mocker, kakao_key: RSAKey, said: dict[str, Any]
) -> None:
    assert apple_comes_back(app, mock, kakao_key, **said).status_code == 502
    with app.app_context():
        assert db.session.query(User).count() == 0


@pytest.mark.parametrize(("hashes", "status"), [(False, 201), (True, 201), (None, 401)])
def test_apples_code_of_a_phone_carries_the_nonce_or_its_hash(
    app: Flask, mock: rm.Mocker, kakao_key: RSAKey, hashes: bool | None, status: int
) -> None:
    mock.get(f"{APPLE}/auth/keys", json={"keys": [public(kakao_key)]})
    nonce = {False: "raw-nonce", True: sha256(b"raw-nonce").hexdigest(), None: "of-another"}[hashes]
    token = claims(kakao_key, "apple", aud="kr.example.app", nonce=nonce, nonce_supported=True)
    answer = {"access_token": "a9c1.0.nrtx.Qw", "token_type": "bearer", "expires_in": 3600, "id_token": token}
    asked = mock.post(f"{APPLE}/auth/token", json=answer)
    body = {"code": "c1.0.nrtx", "client_id": "kr.example.app", "nonce": "raw-nonce"}
    told = app.test_client().post("/api/auth/apple/", json=body)
    assert told.status_code == status, told.text
    assert "redirect_uri" not in parse_qs(asked.last_request.text)


def test_of_two_messages_of_one_second_the_last_to_come_decides(app: Flask) -> None:
    address, moment = "k7x2p9@privaterelay.appleid.com", datetime.now(UTC).replace(microsecond=0)
    with app.app_context():
        user = User.objects.create_user(address, provider="apple")
        db.session.add(Identity(provider="apple", subject="x", user=user))
        db.session.commit()
        for number, kind in enumerate(("email-disabled", "email-enabled", "email-disabled", "email-enabled")):
            effects.apply_event("apple", AccountEvent(f"jti-{number}", kind, "x", moment, email=address))
            db.session.expire_all()
            marked = db.session.get_one(User, user.id).email_undeliverable_at
            assert (marked is not None) == (kind == "email-disabled")


# Messages


def message(key: RSAKey, kind: str, **changes: Any) -> dict[str, str]:
    """Apple's message about the person of `claims`, as it comes for real."""
    now = int(time.time())
    event = {"type": kind, "sub": "000123.0123456789abcdef0123456789abcdef.0456", "event_time": now * 1000}
    said = {"iss": APPLE, "aud": "kr.example.web", "iat": now, "jti": f"{kind}-{time.monotonic_ns()}"}
    return {"payload": sign(key, {**said, "events": json.dumps(event), **changes})}


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "text/plain", "application/octet-stream", ""])
def test_apples_message_is_read_whatever_it_calls_itself(
    app: Flask, mock: rm.Mocker, kakao_key: RSAKey, kind: str
) -> None:
    apple_comes_back(app, mock, kakao_key)
    body = json.dumps(message(kakao_key, "consent-revoked"))
    answer = app.test_client().post("/webhooks/apple/notifications/", data=body, content_type=kind)
    assert answer.status_code == 200
    with app.app_context():
        assert db.session.query(User).count() == 0


@pytest.mark.parametrize(("aud", "left"), [(["another", "kr.example.web"], 0), (["another"], 1), ([], 1), (None, 1)])
def test_message_for_several_receivers_is_for_each_of_them(
    app: Flask, mock: rm.Mocker, kakao_key: RSAKey, aud: list[str] | None, left: int
) -> None:
    apple_comes_back(app, mock, kakao_key)
    sent = message(kakao_key, "consent-revoked", aud=aud)
    answer = app.test_client().post("/webhooks/apple/notifications/", json=sent)
    assert answer.status_code == (400 if left else 200)
    with app.app_context():
        assert db.session.query(User).count() == left


@pytest.mark.parametrize(("begun", "told", "status"), [(0.7, 0.3, 302), (0.3, 0.7, 403)])
def test_login_in_the_second_of_a_message_counts_if_it_was_begun_after_it(
    app: Flask, mock: rm.Mocker, kakao_key: RSAKey, begun: float, told: float, status: int
) -> None:
    second = datetime.now(UTC).replace(microsecond=0)

    def tell() -> None:
        clock.move_to(second + timedelta(seconds=told))
        assert app.test_client().post("/webhooks/apple/notifications/", json=sent).status_code == 200

    client = app.test_client()
    with time_machine.travel(second - timedelta(seconds=60), tick=False) as clock:
        apple_comes_back(app, mock, kakao_key)
        clock.move_to(second)
        sent = message(kakao_key, "consent-revoked")
        if told < begun:
            tell()
        clock.move_to(second + timedelta(seconds=begun))
        pending = begin(client, "apple")
        if told > begun:
            tell()
        clock.move_to(second + timedelta(seconds=0.9))
        assert comes_back(client, mock, kakao_key, pending).status_code == status


TWICE = b64encode(sha512(sha512(b"1//0of-a-refresh-token").digest()).digest()).decode()


@pytest.mark.parametrize(
    ("named", "left"),
    [
        (("prefix", "1//0of-a-refresh"), ["1//0of-another-one", None]),
        (("hash_base64_sha512_sha512", TWICE), ["1//0of-another-one", None]),
        (("prefix", "1//0of-a"), ["1//0of-a-refresh-token", "1//0of-another-one", None]),
        (("hash_base64_sha512_sha512", "x"), ["1//0of-a-refresh-token", "1//0of-another-one", None]),
        (("never-heard-of", "1//0of-a-refresh"), ["1//0of-a-refresh-token", "1//0of-another-one", None]),
        ((), ["1//0of-a-refresh-token", "1//0of-another-one", None]),
    ],
)
def test_google_names_a_refresh_token_and_nobody(app: Flask, named: tuple[str, ...], left: list[str | None]) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    with app.app_context():
        user = User.objects.create_user(None, provider="google")
        identity = Identity(provider="google", subject="x", user=user)
        for refresh in ("1//0of-a-refresh-token", "1//0of-another-one", None):
            db.session.add(provider_tokens.put(identity, TokenSet("ya29.x", later, refresh, later)))
        db.session.commit()
        assert effects.apply_event("google", AccountEvent("jti", "token-revoked", "", datetime.now(UTC), named))
        kept = [provider_tokens.read(row) for row in reversed(provider_tokens.of_user(user.id))]
        assert [one.refresh_token for one in kept if one] == left
