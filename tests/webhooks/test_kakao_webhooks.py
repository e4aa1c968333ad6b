"""What Kakao tells us about people: who is believed, what each message does, and none is lost or acted on twice."""

import base64
import json
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import RSAKey
from redis import Redis
from sqlalchemy import text
from support import CLIENT_ID, KAUTH, FakeKakao, begin_login, come_back, is_logged_in, log_in, person, run_jobs
from support.concurrency import ask_at_once, until
from support.neighbours import Neighbours, side_by_side
from support.ports import free_port
from support.programs import Program
from support.redis_server import RedisServer
from support.stopwatch import Stopwatch
from support.webhooks import (
    ADMIN_KEY,
    APP_ID,
    MINJI,
    STATUS,
    UNLINK,
    a_moment_later,
    claims,
    post,
    signed,
    tell,
    unlink,
)
from support.wire import Wire
from werkzeug.test import TestResponse

from kakaoauth import jobs
from kakaoauth.accounts import provider_events
from kakaoauth.audit import labels
from kakaoauth.models import Identity, User, find_identity
from kakaoauth.sandbox.kakao.security_events import EVENTS, REFERRERS
from kakaoauth.storage.database import db
from kakaoauth.tokens.provider_tokens import ProviderToken
from kakaoauth.webhooks import deferred, effects

#: Written out, so that a kind that is missing in the code is noticed.
KINDS_THAT_END_A_LOGIN = (
    *("user-unlinked", "account-purged", "account-disabled"),
    *("sessions-revoked", "tokens-revoked", "credential-compromise"),
)
#: Kakao waits no longer for an answer (seconds).
PATIENCE = 3.0
TABLES = ("users", "identities", "provider_tokens", "provider_events", "unlink_jobs")
#: "Nothing happens" apart from the message being remembered.
PEOPLE = ("users", "identities", "provider_tokens")


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(KAKAO_ADMIN_KEY=ADMIN_KEY, KAKAO_APP_ID=APP_ID)


def rows(app: Flask, tables: tuple[str, ...] = TABLES) -> dict[str, list[Any]]:
    """Everything the database holds."""
    with app.app_context():
        return {
            name: [tuple(row) for row in db.session.execute(text(f"SELECT * FROM {name} ORDER BY 1"))]
            for name in tables
        }


def tokens_of(app: Flask, user_id: int) -> int:
    with app.app_context():
        return db.session.query(ProviderToken).join(Identity).where(Identity.user_id == user_id).count()


def user_of(app: Flask, subject: str) -> int | None:
    with app.app_context():
        identity = find_identity("kakao", subject)
        return identity.user_id if identity else None


def fields_of(app: Flask, user_id: int) -> dict[str, Any]:
    with app.app_context():
        user = db.session.get(User, user_id)
        made_from_others = {"search_text", "nickname_key"}
        names = {column.name for column in User.__table__.columns} - made_from_others
        return {} if user is None else {name: getattr(user, name) for name in names}


def add_person(app: Flask, subject: str = MINJI, **fields: Any) -> int:
    with app.app_context():
        user = User.objects.create_user(f"p{subject}@example.kr", provider="kakao", **fields)
        db.session.add(Identity(provider="kakao", subject=subject, user=user))
        db.session.commit()
        return user.id


ClientAs = Callable[[str], FlaskClient]
People = dict[str, int]


# Unlink: whom we believe


@pytest.mark.parametrize(
    "key",
    [
        *(None, "", "KakaoAK", "KakaoAK ", "KakaoAK  " + ADMIN_KEY, f"KakaoAK {ADMIN_KEY} ", f"KakaoAK {ADMIN_KEY}0"),
        *(f"KakaoAK {ADMIN_KEY[:-1]}", f"KakaoAK {ADMIN_KEY.upper()}", f"kakaoak {ADMIN_KEY}", f"Bearer {ADMIN_KEY}"),
        *(ADMIN_KEY, "KakaoAK " + "0" * 32, "KakaoAK é", f"KakaoAK {CLIENT_ID}"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unlink_without_the_admin_key_is_refused(app: Flask, people: People, key: str | None, method: str) -> None:
    before = rows(app)
    # What stands before and after a header's value is no part of it (RFC 9110, 5.5); werkzeug's test client keeps it.
    assert unlink(app, key=key, method=method).status_code == 401
    assert rows(app) == before


@pytest.mark.parametrize("key", [None, "", "KakaoAK", "KakaoAK ", "KakaoAK None"])
@pytest.mark.parametrize("setting", ["", "  "])
def test_key_that_is_not_set_equals_nothing(make_app: Callable[..., Flask], key: str | None, setting: str) -> None:
    app = make_app(KAKAO_ADMIN_KEY=setting)
    add_person(app)
    before = rows(app)
    assert unlink(app, key=key).status_code == 401
    assert rows(app) == before


@pytest.mark.parametrize("app_id", ["654322", "", None, "654321 ", "0", "６５４３２１"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unlink_for_another_app_is_refused(app: Flask, people: People, app_id: str | None, method: str) -> None:
    before = rows(app)
    assert unlink(app, app_id=app_id, method=method).status_code == 400
    assert rows(app) == before


def test_without_an_app_id_in_the_settings_the_key_alone_counts(make_app: Callable[..., Flask]) -> None:
    app = make_app(KAKAO_ADMIN_KEY=ADMIN_KEY)
    add_person(app)
    assert unlink(app, app_id="1").status_code == 200
    assert user_of(app, MINJI) is None


@pytest.mark.parametrize(
    "user_id", ["4711", None, "", "0", "01000", "-1000", "1000 ", "1000\n", "１０００", "9" * 41, "1" * 5000, "x'--"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unlink_of_nobody_we_know_is_answered_and_changes_nobody(
    app: Flask, people: People, user_id: str | None, method: str
) -> None:
    before = rows(app, PEOPLE)
    assert unlink(app, user_id, method=method).status_code == 200
    assert rows(app, PEOPLE) == before


@pytest.mark.parametrize("referrer", [*REFERRERS, "NEVER_HEARD_OF", "", None])
def test_every_reason_unlinks(app: Flask, people: People, referrer: str | None) -> None:
    assert unlink(app, referrer_type=referrer).status_code == 200
    assert user_of(app, MINJI) is None


def test_user_id_in_the_address_of_a_post_does_not_count(app: Flask, people: People) -> None:
    query = {"app_id": APP_ID, "user_id": MINJI}
    answer = app.test_client().post(UNLINK, query_string=query, headers={"Authorization": f"KakaoAK {ADMIN_KEY}"})
    assert answer.status_code == 400
    assert user_of(app, MINJI) is not None


# Unlink: what it does


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unlink_ends_everything_by_the_very_next_request(
    app: Flask, people: People, client_as: ClientAs, method: str, redis: Redis
) -> None:
    minji, phone, sora = client_as("minji"), client_as("minji"), client_as("sora")
    assert is_logged_in(minji)
    assert is_logged_in(phone)
    assert tokens_of(app, people["minji"]) == 2
    answer = unlink(app, method=method)
    assert (answer.status_code, answer.data) == (200, b"")
    assert not is_logged_in(minji)
    assert not is_logged_in(phone)
    assert is_logged_in(sora)
    assert fields_of(app, people["minji"]) == {}, "it was the only way in: the account goes with it"
    assert user_of(app, MINJI) is None
    with app.app_context():
        assert db.session.query(ProviderToken).count() == 1, "sora's"


def test_repeated_unlink_is_answered_like_the_first(app: Flask, people: People) -> None:
    assert unlink(app).status_code == 200
    after = rows(app, PEOPLE)
    assert [unlink(app).status_code for _ in range(3)] == [200] * 3
    assert rows(app, PEOPLE) == after


def test_account_with_another_way_in_stays(app: Flask, people: People, client_as: ClientAs) -> None:
    minji = client_as("minji")
    with app.app_context():
        db.session.add(Identity(provider="facebook", subject="77", user_id=people["minji"]))
        db.session.commit()
    assert unlink(app).status_code == 200
    assert not is_logged_in(minji)
    assert fields_of(app, people["minji"])["provider"] == "facebook"
    assert user_of(app, MINJI) is None
    with app.app_context():
        assert db.session.query(ProviderToken).count() == 0


def test_last_superusers_account_stays_and_a_command_opens_it_again(
    app: Flask, people: People, client_as: ClientAs, kakao: FakeKakao
) -> None:
    hana = client_as("hana")
    assert unlink(app, "1002").status_code == 200
    assert not is_logged_in(hana)
    assert user_of(app, "1002") is None
    assert tokens_of(app, people["hana"]) == 0
    assert fields_of(app, people["hana"])["is_superuser"]
    with a_moment_later():
        assert log_in(app.test_client(), kakao).status_code == 409
        app.test_cli_runner().invoke(args=["users", "promote", "hana@example.kr", "--superuser"])
        assert is_logged_in(client_as("hana"))
    assert user_of(app, "1002") == people["hana"]
    assert fields_of(app, people["hana"])["is_superuser"]


def test_superuser_who_is_not_the_last_is_erased(app: Flask, people: People) -> None:
    add_person(app, "2000", is_staff=True, is_superuser=True)
    assert unlink(app, "1002").status_code == 200
    assert fields_of(app, people["hana"]) == {}


def test_person_who_left_may_come_again_as_a_new_person(app: Flask, people: People, client_as: ClientAs) -> None:
    client_as("minji")
    unlink(app)
    with a_moment_later():
        assert is_logged_in(client_as("minji"))
    assert user_of(app, MINJI) not in (None, people["minji"])


# Both addresses


def test_body_of_5_mb_is_refused_unread(app: Flask, people: People, kakao: FakeKakao) -> None:
    before = rows(app)
    assert unlink(app, group_user_token="x" * 5_000_000).status_code == 413
    assert post(app, "x" * 5_000_000).status_code == 413
    assert post(app, "x" * 70_000).status_code == 413
    assert rows(app) == before
    assert kakao.calls == []


def test_no_cookie_is_set_and_none_is_needed_nor_any_csrf_token(
    app: Flask, people: People, client_as: ClientAs, kakao: FakeKakao, redis: Redis
) -> None:
    browser = client_as("sora")
    stored = {key: redis.dump(key) for key in redis.keys()}
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    form = {"app_id": str(APP_ID), "user_id": MINJI}
    answers = [
        browser.post(UNLINK, data=form, headers={**headers, "Authorization": f"KakaoAK {ADMIN_KEY}"}),
        browser.post(STATUS, data=signed(kakao, claims(subject="1003")), headers=headers),
        browser.post(STATUS, data="nonsense", headers=headers),
        browser.post(UNLINK, data=form, headers=headers),
        unlink(app),
        tell(app, kakao),
    ]
    assert [answer.status_code for answer in answers] == [200, 202, 400, 401, 200, 202]
    assert [answer.headers.getlist("Set-Cookie") for answer in answers] == [[]] * 6
    # The two that were refused are counted.
    assert {key: redis.dump(key) for key in redis.keys() if not key.startswith(b"rate:")} == stored
    assert user_of(app, MINJI) is None
    assert user_of(app, "1003") is None


def test_session_opens_neither_address(app: Flask, client_as: ClientAs) -> None:
    hana = client_as("hana")
    assert hana.get(UNLINK).status_code == 401
    assert hana.post(STATUS).status_code == 400
    assert hana.get(STATUS).status_code == 405


def test_neither_key_nor_token_is_logged(
    app: Flask, people: People, client_as: ClientAs, kakao: FakeKakao, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client_as("minji")
    token = signed(kakao, claims("sessions-revoked"))
    assert post(app, token).status_code == 202
    assert post(app, token[:-8] + "AAAAAAAA").status_code == 400
    assert unlink(app, key="KakaoAK canary-of-somebody").status_code == 401
    assert unlink(app, method="GET").status_code == 200
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("kakaoauth"))
    assert "kind=sessions-revoked" in ours
    assert "kind=user-unlinked effect=unlinked" in ours
    for secret in (ADMIN_KEY, *token.split("."), "canary"):
        assert secret not in caplog.text


# Account status: what each event does

ENDS_EVERYTHING = {"user-unlinked", "account-purged"}
LOGS_OUT = {
    *("account-disabled", "sessions-revoked", "tokens-revoked", "credential-compromise", "credential-change"),
    *("account-credential-change-required", "identifier-changed", "identifier-recycled"),
}


def test_every_event_of_kakaos_list_has_a_written_effect() -> None:
    written = [
        *(*provider_events.ENDS_LINK, *effects.ENDS_SESSIONS, *effects.ENDS_TOKENS, *effects.ENDS_EMAIL),
        *(*effects.ENDS_CONSENT, *effects.NO_EFFECT),
    ]
    assert sorted(written) == sorted(EVENTS)
    assert set(written) - set(labels.VALUES) == set(), "the audit trail has words for each"


@pytest.mark.parametrize("kind", EVENTS)
def test_event_does_what_is_written(
    app: Flask, people: People, client_as: ClientAs, kakao: FakeKakao, kind: str
) -> None:
    minji, sora = client_as("minji"), client_as("sora")
    before = fields_of(app, people["minji"])
    answer = tell(app, kakao, kind, body={"scopes": ["profile_nickname"]} if "scope" in kind else {})
    assert (answer.status_code, answer.data) == (202, b"")
    assert is_logged_in(minji) == (kind not in ENDS_EVERYTHING | LOGS_OUT)
    assert is_logged_in(sora)
    keeps_tokens = kind not in ENDS_EVERYTHING | LOGS_OUT | {"token-revoked"}
    assert tokens_of(app, people["minji"]) == keeps_tokens
    assert (user_of(app, MINJI) is None) == (kind in ENDS_EVERYTHING)
    changes: dict[str, Any] = {"session_version": before["session_version"] + 1} if kind in LOGS_OUT else {}
    if kind == "identifier-recycled":
        changes |= {"email": None, "email_key": None}
    if kind == "user-scope-withdraw":
        changes |= {"nickname": None}
    assert fields_of(app, people["minji"]) == ({} if kind in ENDS_EVERYTHING else before | changes)


def test_withdrawn_consents_erase_what_they_covered_and_nothing_else(app: Flask, kakao: FakeKakao) -> None:
    whole = {
        "name": "민지",
        "nickname": "민",
        "profile_image": "https://x/1",
        "age": 30,
        "age_range": "30~39",
        "gender": "female",
    }
    user = add_person(app, **whole)
    tell(app, kakao, "user-scope-withdraw", body={"scopes": ["gender", "birthyear", "friends", 5]})
    assert {name: fields_of(app, user)[name] for name in whole} == {**whole, "gender": None, "age": None}
    tell(app, kakao, "user-scope-withdraw", body={"scopes": ["profile", "name", "age_range"]})
    assert {name: fields_of(app, user)[name] for name in whole} == dict.fromkeys(whole)
    assert fields_of(app, user)["email"]


def test_withdrawn_email_is_erased_and_asked_for_at_the_next_login(
    app: Flask, people: People, client_as: ClientAs, kakao: FakeKakao
) -> None:
    minji = client_as("minji")
    assert tell(app, kakao, "user-scope-withdraw", body={"scopes": ["account_email"]}).status_code == 202
    assert not is_logged_in(minji)
    assert fields_of(app, people["minji"])["email"] is None
    assert fields_of(app, people["minji"])["email_key"] is None
    kakao.me = person(1000, email=None, email_needs_agreement=True)
    assert log_in(app.test_client(), kakao).status_code == 403


def test_unknown_event_is_accepted_logged_and_does_nothing(
    app: Flask, people: People, kakao: FakeKakao, caplog: pytest.LogCaptureFixture
) -> None:
    before = rows(app, PEOPLE)
    assert tell(app, kakao, "never-heard-of").status_code == 202
    assert rows(app, PEOPLE) == before
    assert "kind=never-heard-of effect=none (unknown kind)" in caplog.text


def test_event_about_nobody_we_know_is_accepted(app: Flask, people: People, kakao: FakeKakao) -> None:
    before = rows(app, PEOPLE)
    assert tell(app, kakao, "user-unlinked", "4711").status_code == 202
    assert rows(app, PEOPLE) == before


def test_name_of_an_event_forges_no_log_line(
    app: Flask, people: People, kakao: FakeKakao, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    odd = "x\r\n2026-01-01 CRITICAL forged\x1b[2J\u2028\u202e\x00"
    assert tell(app, kakao, odd).status_code == 202
    for record in caplog.records:
        assert record.getMessage().isprintable()
    assert any("kind=x??2026-01-01?CRITICAL?forged" in record.getMessage() for record in caplog.records)


# Account status: whom we believe


@pytest.fixture
def refused(app: Flask, people: People, kakao: FakeKakao) -> Callable[[str], str]:
    """Send, and return `err` of the refusal; nothing may have changed."""

    def refuse(token: str) -> str:
        before = rows(app)
        answer = post(app, token)
        assert answer.status_code == 400, answer.text
        assert answer.mimetype == "application/json"
        assert answer.json is not None
        assert set(answer.json) == {"err", "description"}
        assert answer.json["description"]
        assert rows(app) == before
        return str(answer.json["err"])

    return refuse


Refused = Callable[[str], str]


def part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def test_set_without_a_genuine_signature_is_refused(refused: Refused, kakao: FakeKakao) -> None:
    token = signed(kakao, claims())
    head, body, _ = token.split(".")
    header = {"alg": "none", "kid": "test-key-1", "typ": "secevent+jwt"}
    assert refused(f"{head}.{body}.") == "authentication_failed"
    assert refused(f"{head}.{body}") == "invalid_request"
    assert refused("") == "invalid_request"
    assert refused(f"{part(header)}.{body}.") == "authentication_failed"
    assert refused(signed(kakao, claims(), kid="never-published")) == "invalid_key"


@pytest.mark.parametrize(
    ("err", "changes"),
    [
        ("invalid_issuer", {"iss": "https://issuer.invalid"}),
        ("invalid_audience", {"aud": "somebody-elses-key"}),
        ("invalid_audience", {"app_id": "654322"}),
        ("invalid_request", {"events": None}),
        ("invalid_request", {"events": [EVENTS["user-unlinked"]]}),
        ("invalid_request", {"events": {EVENTS["user-unlinked"]: {}, EVENTS["tokens-revoked"]: {}}}),
        ("invalid_request", {"body": {"subject": {"sub": "1001"}}}),
        ("invalid_request", {"jti": None}),
        ("invalid_request", {"iat": None}),
        ("invalid_request", {"iat": "yesterday"}),
        ("invalid_request", {"iat": int(time.time()) + 86400}),
        ("invalid_request", {"iat": int(time.time()) - 31 * 86400}),
    ],
)
def test_set_that_is_not_for_us_is_refused(
    refused: Refused, kakao: FakeKakao, err: str, changes: dict[str, Any]
) -> None:
    assert refused(signed(kakao, claims(**changes))) == err


def test_id_token_is_no_set_and_a_set_is_no_id_token(refused: Refused, app: Flask, kakao: FakeKakao) -> None:
    now = int(time.time())
    id_token = {"iss": KAUTH, "aud": CLIENT_ID, "sub": MINJI, "iat": now, "exp": now + 600, "nonce": "n"}
    assert refused(signed(kakao, id_token, typ="JWT")) == "invalid_request"
    assert refused(signed(kakao, claims(), typ="JWT")) == "invalid_request"
    kakao.me = person(1000)
    kakao.token = {"id_token": signed(kakao, claims()), "scope": "openid account_email"}
    assert log_in(app.test_client(), kakao).status_code == 502


@pytest.mark.parametrize("aud", [CLIENT_ID, str(APP_ID)])
def test_rest_key_and_app_id_are_both_our_audience(app: Flask, people: People, kakao: FakeKakao, aud: str) -> None:
    assert tell(app, kakao, aud=aud).status_code == 202
    assert user_of(app, MINJI) is None


# Once


def version(app: Flask, user_id: int) -> int:
    return int(fields_of(app, user_id)["session_version"])


def test_replayed_message_has_no_second_effect_also_not_after_a_restart(
    make_app: Callable[..., Flask], kakao: FakeKakao, database_url: str
) -> None:
    app = make_app(DATABASE_URL=database_url)
    user = add_person(app)
    token = signed(kakao, claims("sessions-revoked", jti="only-once"))
    assert post(app, token).status_code == 202
    assert version(app, user) == 1
    assert post(app, token).status_code == 202
    restarted = make_app(DATABASE_URL=database_url)
    assert post(restarted, token).status_code == 202
    assert version(app, user) == 1
    assert post(restarted, signed(kakao, claims("sessions-revoked", jti="another"))).status_code == 202
    assert version(app, user) == 2


def test_ten_at_once_are_acted_upon_once(make_app: Callable[..., Flask], kakao: FakeKakao, database_url: str) -> None:
    apps = [make_app(DATABASE_URL=database_url), make_app(DATABASE_URL=database_url)]
    user = add_person(apps[0])
    token = signed(kakao, claims("tokens-revoked"))
    line = threading.Barrier(10)

    def send(number: int) -> TestResponse:
        line.wait(10)
        return post(apps[number % 2], token)

    ended = ask_at_once({str(number): (lambda number=number: send(number)) for number in range(10)})
    assert [answer.status_code for answer, _ in ended.values()] == [202] * 10
    assert version(apps[0], user) == 1
    assert len(rows(apps[0])["provider_events"]) == 1


def test_unlink_told_at_both_addresses_at_once_is_one_unlink(
    make_app: Callable[..., Flask], kakao: FakeKakao, database_url: str, redis: Redis
) -> None:
    app = make_app(DATABASE_URL=database_url, KAKAO_ADMIN_KEY=ADMIN_KEY, KAKAO_APP_ID=APP_ID)
    user = add_person(app)
    line = threading.Barrier(8)
    tokens = [signed(kakao, claims(jti=f"j{number}")) for number in range(8)]

    def send(number: int) -> TestResponse:
        line.wait(10)
        return post(app, tokens[number]) if number % 2 else unlink(app)

    ended = ask_at_once({str(number): (lambda number=number: send(number)) for number in range(8)})
    assert sorted(answer.status_code for answer, _ in ended.values()) == [200] * 4 + [202] * 4
    assert fields_of(app, user) == {}
    assert redis.llen(deferred.KEY) == 0, "nothing had to wait"


# Order


def linked_at(app: Flask, moment: datetime, subject: str = MINJI) -> None:
    with app.app_context():
        identity = find_identity("kakao", subject)
        assert identity is not None
        identity.date_linked = moment
        db.session.commit()


@pytest.mark.parametrize("kind", ["user-unlinked", "sessions-revoked", "token-revoked"])
def test_message_from_before_a_relink_does_nothing(
    app: Flask, people: People, client_as: ClientAs, kakao: FakeKakao, kind: str
) -> None:
    minji = client_as("minji")
    before = rows(app, PEOPLE)
    assert tell(app, kakao, kind, toe=int(time.time()) - 100).status_code == 202
    assert rows(app, PEOPLE) == before
    assert is_logged_in(minji)


def test_unlink_in_the_second_of_the_linking_counts(app: Flask, people: People, kakao: FakeKakao) -> None:
    now = int(time.time())
    linked_at(app, datetime.fromtimestamp(now + 0.9, UTC))
    assert tell(app, kakao, iat=now, toe=now).status_code == 202
    assert user_of(app, MINJI) is None


def test_late_linked_after_unlinked_changes_nothing(app: Flask, people: People, kakao: FakeKakao) -> None:
    now = int(time.time())
    linked_at(app, datetime.fromtimestamp(now - 500, UTC))
    assert tell(app, kakao, "user-unlinked", toe=now - 10).status_code == 202
    after = rows(app, PEOPLE)
    assert tell(app, kakao, "user-linked", toe=now - 20).status_code == 202
    assert rows(app, PEOPLE) == after
    assert user_of(app, MINJI) is None


@pytest.mark.parametrize("how", [*KINDS_THAT_END_A_LOGIN, "unlink webhook"])
def test_message_that_comes_before_the_first_login_is_stored_refuses_that_login_alone(
    app: Flask, kakao: FakeKakao, how: str
) -> None:
    browser = app.test_client()
    kakao.me = person(9, email="new@example.kr")
    with time_machine.travel(datetime.now(UTC).replace(microsecond=250_000), tick=False) as clock:
        state = begin_login(browser)["state"]
        clock.shift(3)
        answer = unlink(app, "9") if how == "unlink webhook" else tell(app, kakao, how, "9")
        assert answer.status_code == (200 if how == "unlink webhook" else 202)
        clock.shift(3)
        refusal = come_back(browser, state)
        assert refusal.status_code == 403
        assert 'data-code="ACCOUNT_UNUSABLE"' in refusal.text
        assert user_of(app, "9") is None
        assert not is_logged_in(browser)
        clock.shift(3)
        assert log_in(browser, kakao).status_code == 302
    assert user_of(app, "9") is not None


def test_message_of_the_very_moment_in_which_the_first_login_began_refuses_it(app: Flask, kakao: FakeKakao) -> None:
    browser = app.test_client()
    kakao.me = person(9, email="new@example.kr")
    with time_machine.travel(datetime.now(UTC).replace(microsecond=0), tick=False) as clock:
        state = begin_login(browser)["state"]
        assert tell(app, kakao, "user-unlinked", "9").status_code == 202
        clock.shift(3)
        assert come_back(browser, state).status_code == 403
        assert user_of(app, "9") is None


def test_password_changed_on_the_way_in_does_not_refuse_the_login(app: Flask, kakao: FakeKakao) -> None:
    browser = app.test_client()
    kakao.me = person(9, email="new@example.kr")
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        state = begin_login(browser)["state"]
        clock.shift(3)
        assert tell(app, kakao, "credential-change", "9").status_code == 202
        clock.shift(3)
        assert come_back(browser, state).status_code == 302


# Kakao's keys


def test_unpublished_keys_are_our_trouble_and_no_refusal(app: Flask, people: People, kakao: FakeKakao) -> None:
    before = rows(app)
    kakao.mock.get(f"{KAUTH}/.well-known/jwks.json", status_code=500, text="oops")
    answer = tell(app, kakao)
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert '"err"' not in answer.text
    assert rows(app) == before


def test_silent_jwks_is_a_503_in_time(make_app: Callable[..., Flask], kakao_key: RSAKey) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        app = make_app(KAKAO_KAUTH_URL=url)
        head = {"alg": "RS256", "kid": "test-key-1", "typ": "secevent+jwt"}
        token = jwt.encode(head, claims(iss=url), kakao_key, algorithms=["RS256"])
        watch = Stopwatch()
        assert post(app, token).status_code == 503
        assert watch.seconds() < PATIENCE


def test_message_signed_with_a_new_key_counts_at_once(app: Flask, people: People, kakao: FakeKakao) -> None:
    assert tell(app, kakao, "user-linked").status_code == 202
    kakao.key = RSAKey.generate_key(2048, {"kid": "test-key-2", "use": "sig", "alg": "RS256"})
    kakao.mock.get(f"{KAUTH}/.well-known/jwks.json", json={"keys": [kakao.key.as_dict(private=False)]})
    assert post(app, signed(kakao, claims(), kid="test-key-2")).status_code == 202
    assert user_of(app, MINJI) is None


# Outages


@pytest.fixture
def server(start_redis: Callable[..., RedisServer]) -> RedisServer:
    return start_redis()


@pytest.fixture
def site(make_app: Callable[..., Flask], wire: Wire, postgres_url: str, server: RedisServer, kakao: FakeKakao) -> Flask:
    """A site whose database and Redis a test may take away; the keys are known already."""
    url = f"postgresql://postgres@127.0.0.1:{wire.port}{urlsplit(postgres_url).path}"
    app = make_app(DATABASE_URL=url, REDIS_URL=server.url, KAKAO_ADMIN_KEY=ADMIN_KEY, KAKAO_APP_ID=APP_ID)
    add_person(app)
    add_person(app, "1001")
    assert tell(app, kakao, "user-linked", "1").status_code == 202
    return app


def in_time(send: Callable[[], TestResponse]) -> TestResponse:
    watch = Stopwatch()
    answer = send()
    assert watch.seconds() < PATIENCE
    return answer


def acted(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Which messages were acted upon, in order."""
    return re.findall(r"webhook (?:user=[0-9]+ )?provider=kakao kind=(\S+) effect=", caplog.text)


def waiting(server: RedisServer) -> int:
    return int(server.client.llen(deferred.KEY))


def test_messages_wait_in_redis_while_the_database_is_away(
    site: Flask, wire: Wire, server: RedisServer, kakao: FakeKakao, caplog: pytest.LogCaptureFixture
) -> None:
    wire.cut()
    token = signed(kakao, claims("sessions-revoked", "1001"))
    sent = [
        lambda: tell(site, kakao, "token-revoked", "1001"),
        lambda: post(site, token),
        lambda: unlink(site),
        lambda: post(site, token),
        lambda: tell(site, kakao, "user-profile-changed", "1001"),
    ]
    assert [in_time(send).status_code for send in sent] == [202, 202, 200, 202, 202]
    assert waiting(server) == 5
    assert "webhook kept for later provider=kakao kind=user-unlinked" in caplog.text
    caplog.clear()
    wire.mend()
    until(lambda: site.test_client().get("/healthz").status_code == 200)
    assert run_jobs(site) == (4, 0)
    assert acted(caplog) == ["token-revoked", "sessions-revoked", "user-unlinked", "user-profile-changed"]
    assert user_of(site, MINJI) is None
    other = user_of(site, "1001")
    assert other is not None
    assert version(site, other) == 1
    assert waiting(server) == 0
    assert run_jobs(site) == (0, 0)
    assert post(site, token).status_code == 202
    assert version(site, other) == 1, "Kakao's own repetition comes too late"


def test_messages_go_on_waiting_while_the_database_stays_away(site: Flask, wire: Wire, server: RedisServer) -> None:
    wire.cut()
    assert unlink(site).status_code == 200
    for _ in range(2):
        with pytest.raises(Exception, match=r"connection"):
            run_jobs(site)
    assert waiting(server) == 1
    wire.mend()
    assert run_jobs(site) == (1, 0)
    assert user_of(site, MINJI) is None


def test_database_that_went_silent_keeps_kakao_waiting_no_longer_than_it_waits(
    site: Flask, wire: Wire, server: RedisServer, kakao: FakeKakao
) -> None:
    wire.deaden()
    assert in_time(lambda: unlink(site)).status_code == 200
    assert in_time(lambda: tell(site, kakao, "sessions-revoked", "1001")).status_code == 202
    assert waiting(server) == 2
    wire.enliven()
    until(lambda: run_jobs(site) == (0, 0) or waiting(server) == 0)
    assert user_of(site, MINJI) is None


def test_retry_command_acts_on_what_waits(site: Flask, wire: Wire, kakao: FakeKakao) -> None:
    wire.cut()
    unlink(site)
    tell(site, kakao, "sessions-revoked", "1001")
    wire.mend()
    result = site.test_cli_runner().invoke(args=["kakao", "retry"])
    assert (result.exit_code, result.output) == (0, "2 done, 0 could not be done yet.\n")
    assert user_of(site, MINJI) is None


def test_running_site_acts_on_what_waits_by_itself(
    site: Flask, wire: Wire, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(jobs, "PAUSE", 0.01)
    wire.cut()
    unlink(site)
    ended = jobs.start(site)
    try:
        until(lambda: "retries put off" in caplog.text)
        wire.mend()
        until(lambda: user_of(site, MINJI) is None)
    finally:
        ended.set()
        for thread in threading.enumerate():
            if thread.name == "retries":
                thread.join(10)


def test_without_database_and_redis_the_sender_is_told_and_the_operator_too(
    site: Flask, wire: Wire, server: RedisServer, kakao: FakeKakao, caplog: pytest.LogCaptureFixture
) -> None:
    wire.cut()
    server.stop()
    for send in (lambda: unlink(site), lambda: tell(site, kakao, "sessions-revoked")):
        caplog.clear()
        answer = in_time(send)
        assert answer.status_code == 503
        assert "Retry-After" in answer.headers
        [line] = [record for record in caplog.records if record.levelno == logging.CRITICAL]
        assert f"subject={MINJI}" in line.getMessage()
        assert ADMIN_KEY not in caplog.text
    wire.mend()
    assert user_of(site, MINJI) is not None


def test_redis_is_not_needed_while_the_database_is_there(site: Flask, server: RedisServer, kakao: FakeKakao) -> None:
    server.stop()
    assert in_time(lambda: tell(site, kakao, "user-unlinked", "1001")).status_code == 202
    assert in_time(lambda: unlink(site)).status_code == 200
    assert user_of(site, MINJI) is None
    assert user_of(site, "1001") is None


def test_worker_that_was_overtaken_drops_its_own_message_and_no_other(
    site: Flask, wire: Wire, server: RedisServer, kakao: FakeKakao
) -> None:
    """Every worker looks every 30 seconds, so two of them often look at the same message."""
    wire.cut()
    tell(site, kakao, "sessions-revoked", "1001")
    with site.app_context():
        seen = deferred.first()
        assert seen is not None
    wire.mend()
    assert run_jobs(site) == (1, 0)
    wire.cut()
    unlink(site)
    with site.app_context():
        deferred.drop(seen)
    assert waiting(server) == 1
    wire.mend()
    assert run_jobs(site) == (1, 0)
    assert user_of(site, MINJI) is None


@pytest.mark.parametrize("odd", [b"nonsense", b"[]", b"{}", b'{"provider": 1}', b"\xff\xfe", b"null"])
def test_what_nobody_can_read_holds_up_no_message(
    site: Flask, wire: Wire, server: RedisServer, caplog: pytest.LogCaptureFixture, odd: bytes
) -> None:
    server.client.rpush(deferred.KEY, odd)
    wire.cut()
    unlink(site)
    wire.mend()
    assert run_jobs(site) == (1, 0)
    assert user_of(site, MINJI) is None
    assert [record.levelname for record in caplog.records if "cannot be read" in record.getMessage()] == ["CRITICAL"]


def test_more_than_can_wait_is_told_to_the_sender(
    site: Flask, wire: Wire, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deferred, "MOST", 1)
    wire.cut()
    assert [unlink(site).status_code for _ in range(2)] == [200, 503]
    assert waiting(server) == 1


def test_old_messages_are_forgotten_after_they_could_not_be_accepted_any_more(app: Flask, kakao: FakeKakao) -> None:
    tell(app, kakao, "user-linked", jti="old")
    with time_machine.travel(datetime.now(UTC) + timedelta(days=61)):
        tell(app, kakao, "user-linked", jti="new")
    with app.app_context():
        assert list(db.session.scalars(text("SELECT jti FROM provider_events"))) == ["new"]


# The real sandbox


@pytest.fixture
def neighbours(make_app: Callable[..., Flask]) -> Iterator[Neighbours]:
    def console(site: str) -> dict[str, str]:
        return {"unlink_webhook_url": f"{site}{UNLINK}", "account_status_webhook_url": f"{site}{STATUS}"}

    with side_by_side("kakao", make_app, console) as found:
        yield found


def statuses(neighbours: Neighbours, **body: Any) -> list[int]:
    """Have the sandbox send something about haneul; what came back."""
    return [sent["status"] for sent in neighbours.order("webhooks/send", person="haneul", wait=True, **body)]


def test_site_and_sandbox_end_to_end(neighbours: Neighbours) -> None:
    app = neighbours.app
    haneul = neighbours.enter_by_kakao("haneul")
    assert is_logged_in(haneul)
    user = user_of(app, "3902187701")
    assert user is not None

    assert statuses(neighbours, event="sessions-revoked", flaws=["bad_signature"]) == [400]
    assert statuses(neighbours, kind="unlink", flaws=["wrong_key"]) == [401]
    assert statuses(neighbours, kind="unlink", flaws=["wrong_app"]) == [400]
    assert is_logged_in(haneul)
    assert statuses(neighbours, event="sessions-revoked", flaws=["duplicate"]) == [202, 202]
    assert not is_logged_in(haneul)
    assert version(app, user) == 1

    haneul = neighbours.enter_by_kakao("haneul")
    assert is_logged_in(haneul)
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=90)):
        # Sooner, the site would ask, and hear that nobody was unlinked: this sends the message only.
        assert statuses(neighbours, kind="unlink") == [200]
    assert not is_logged_in(haneul)
    assert fields_of(app, user) == {}

    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=100)):
        haneul = neighbours.enter_by_kakao("haneul")
        assert is_logged_in(haneul)
        neighbours.order("people/haneul/unlink", wait=True, referrer_type="ACCOUNT_DELETE")
        assert not is_logged_in(haneul)
    assert user_of(app, "3902187701") is None


@pytest.mark.parametrize("flaw", ["alg_none", "hs256", "unknown_key", "wrong_typ", "wrong_audience", "wrong_issuer"])
def test_flawed_sets_of_the_sandbox_are_refused(neighbours: Neighbours, flaw: str) -> None:
    add_person(neighbours.app, "3902187701")
    before = rows(neighbours.app)
    assert statuses(neighbours, event="user-unlinked", flaws=[flaw]) == [400]
    assert rows(neighbours.app) == before


def test_sandbox_of_the_command_line_knows_the_sites_addresses(tmp_path: Path) -> None:
    port = free_port()
    env = {**os.environ, "INSTANCE_PATH": str(tmp_path), "PORT": "8765"}
    command = ("flask", "--app", "wsgi", "kakao", "sandbox", "--port", str(port))
    process = Program(*command, env=env, stdout=tmp_path / "log")
    try:
        console = until(lambda: console_of(port), 20)
    finally:
        process.terminate()
        process.wait(10)
    assert console["unlink_webhook_url"] == f"http://localhost:8765{UNLINK}"
    assert console["account_status_webhook_url"] == f"http://localhost:8765{STATUS}"


def console_of(port: int) -> Any:
    try:
        return requests.get(f"http://127.0.0.1:{port}/sandbox/api/console", timeout=5).json()
    except requests.ConnectionError:
        return None


def test_genuine_message_under_a_new_key_is_not_refused_because_of_made_up_ones(
    app: Flask, people: People, kakao: FakeKakao
) -> None:
    """Anybody can make us ask for keys; the next 30 seconds nobody can. What comes then is put off, not refused."""
    assert tell(app, kakao).status_code == 202  # the keys are known and fresh
    assert post(app, signed(kakao, claims("user-linked", MINJI), kid="made-up-1")).status_code == 400
    answer = post(app, signed(kakao, claims("user-linked", MINJI), kid="made-up-2"))
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
