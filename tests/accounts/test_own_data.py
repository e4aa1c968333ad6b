"""Everything that is held about a person, as a file for them: complete, and nothing of others."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from support import FakeKakao, api_client, csrf_token, log_in, person, problem, tokens_of

from kakaoauth.accounts import own_data, provider_events, roles
from kakaoauth.accounts.unlink_jobs import UnlinkJob
from kakaoauth.models import User
from kakaoauth.retention import RULES
from kakaoauth.storage.database import db
from kakaoauth.tokens.refresh_tokens import TokenFamily
from kakaoauth.webhooks.failed import FailedEvent

MINJI = 3902187744
#: Table -> the part that tells of its rows about a person; None: it holds none that can be found by the person.
TOLD = {
    "users": "profile",
    "identities": "sign_in_methods",
    "former_identities": "former_sign_in_methods",
    "provider_tokens": "provider_tokens",
    "token_families": "apps",
    "user_consents": "consents",
    "suspensions": "suspensions",
    "staff_notes": "staff_notes",
    "user_tags": "staff_tags",
    "saved_filters": "saved_filters",
    "unlink_jobs": "pending_disconnects",
    "provider_events": "provider_messages",
    "failed_events": "messages_not_applied",
    "audit_events": "events",
    "ended_sessions": None,
    "data_deletions": None,
    "signing_keys": None,
    "daily_counts": None,
}


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


def enter(app: Flask, kakao: FakeKakao, subject: int = MINJI) -> FlaskClient:
    kakao.me = person(subject, name="김민지")
    client = app.test_client()
    log_in(client, kakao)
    return client


def download(client: FlaskClient) -> Any:
    return client.post("/users/me/data/", data={"csrf_token": csrf_token(client)})


def test_every_table_has_its_part() -> None:
    assert {name for name in RULES if name not in TOLD} == set(), "add its part to accounts/own_data.py"
    assert {part for part in TOLD.values() if part} <= own_data.PARTS.keys()


def test_the_file_has_all_of_oneself(app: Flask, kakao: FakeKakao) -> None:
    client = enter(app, kakao)
    tokens_of(app, 1)
    moment = datetime.now(UTC)
    about = {"provider": "kakao", "subject": str(MINJI)}
    with app.app_context():
        provider_events.remember(jti="one", kind="user-linked", happened_at=moment, **about)
        db.session.add(FailedEvent(jti="two", kind="user-unlinked", happened_at=moment, error="X", **about))
        db.session.add(UnlinkJob(user_id=1, provider="facebook", subject="77"))
        db.session.commit()
    answer = download(client)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="my-data-20')
    assert answer.headers["Cache-Control"] == "no-store"
    found = json.loads(answer.text)
    assert found["profile"]["name"] == "김민지"
    assert found["profile"]["email"] == f"p{MINJI}@example.kr"
    assert found["sign_in_methods"][0]["subject"] == str(MINJI)
    assert found["sessions"][0]["address"] == "127.0.0.x"
    for part in ("apps", "provider_tokens", "provider_messages", "messages_not_applied", "pending_disconnects"):
        assert len(found[part]) == 1, part
    assert [event["action"] for event in found["events"]] == ["login"]
    again = json.loads(download(client).text)
    assert again["events"][-1]["action"] == "own data exported"


def test_nothing_of_others_and_nothing_that_opens_anything(app: Flask, kakao: FakeKakao) -> None:
    client = enter(app, kakao)
    enter(app, kakao, 5)
    with app.app_context():
        hana = roles.create_superuser("hana@example.kr", "a long password of hers")
        roles.promote(db.session.get_one(User, 1), superuser=True)
        roles.change_user(2, by=1, is_active=False, reason="spam of user 2")
        roles.change_user(1, by=hana.id, is_superuser=False, reason="asked")
    client = enter(app, kakao)
    pair = tokens_of(app, 1)
    answer = download(client).text
    with app.app_context():
        family = db.session.scalars(db.select(TokenFamily)).first()
        assert family
        secrets = [family.token_hash, family.salt, pair.refresh_token, pair.access_token, "canary-access-token"]
    cookie = client.get_cookie("session")
    assert cookie
    for secret in (*secrets, "canary-refresh-token", cookie.value, "p5@example.kr", "hana@", "spam", "$argon2"):
        assert secret not in answer, secret
    events = json.loads(answer)["events"]
    assert [event["by"] for event in events if event.get("reason") == "asked"] == ["the people who run this site"]


def test_it_wants_a_fresh_login_and_a_form_of_ours(app: Flask, kakao: FakeKakao) -> None:
    client = enter(app, kakao)
    assert client.get("/users/me/data/").status_code == 405
    assert client.post("/users/me/data/").status_code == 400
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=301)):
        answer = download(client)
        assert (answer.status_code, answer.location) == (302, "/users/me/confirm/?next=/users/me/")


def test_an_app_reads_the_same(app: Flask, kakao: FakeKakao) -> None:
    enter(app, kakao)
    phone = api_client(app, tokens_of(app, 1).access_token)
    answer = phone.get("/api/users/me/data/")
    assert (answer.status_code, answer.json["profile"]["id"]) == (200, 1)
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=290)):
        assert phone.get("/api/users/me/data/").status_code == 200
    problem(app.test_client().get("/api/users/me/data/"), 401, "INVALID_ACCESS_TOKEN")


def test_a_host_adds_what_it_holds(app: Flask, kakao: FakeKakao) -> None:
    @app.extensions["kakaoauth"].export
    def books(user: User) -> list[dict[str, Any]]:
        return [{"title": "토지", "of": user.id, "lent": datetime(2026, 11, 1, tzinfo=UTC)}]

    found = json.loads(download(enter(app, kakao)).text)
    assert found["site"] == {"books": [{"title": "토지", "of": 1, "lent": "2026-11-01T00:00:00+00:00"}]}
