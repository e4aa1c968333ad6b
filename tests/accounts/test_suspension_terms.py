"""Suspensions with an end date and words for the person: they end by themselves, with the next request."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import FakeKakao, csrf_token, is_logged_in, log_in, person

from kakaoauth.accounts import leaving, roles, suspensions
from kakaoauth.audit import AuditEvent
from kakaoauth.models import User
from kakaoauth.retention import forget_old_rows
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db

ClientAs = Callable[[str], FlaskClient]
ENGLISH = {"Accept-Language": "en"}
WORDS = "Please read our rules on advertising."


@pytest.fixture
def clock(time_machine: Any) -> Any:
    time_machine.move_to(datetime(2026, 11, 29, 3, tzinfo=UTC))
    return time_machine


@pytest.fixture
def member(app: Flask, kakao: FakeKakao) -> int:
    """Somebody who has logged in once."""
    kakao.me = person(77)
    assert log_in(app.test_client(), kakao).status_code == 302
    with app.app_context():
        return db.session.query(User.id).filter_by(email="p77@example.kr").scalar()


def suspend(app: Flask, user_id: int, days: int, text: str | None = None) -> None:
    with app.app_context():
        roles.change_user(user_id, is_active=False, suspended_until=now() + timedelta(days=days), suspension_text=text)


def events(app: Flask, action: str) -> list[AuditEvent]:
    with app.app_context():
        return list(db.session.scalars(db.select(AuditEvent).filter_by(action=action)))


def test_suspension_ends_by_itself_and_the_person_is_told_until_then(
    app: Flask, kakao: FakeKakao, clock: Any, member: int
) -> None:
    suspend(app, member, 3, WORDS)
    client = app.test_client()
    refused = log_in(client, kakao)
    assert refused.status_code == 403
    assert WORDS in refused.text
    assert not is_logged_in(client)
    clock.shift(3 * 86400 + 1)
    assert log_in(client, kakao).status_code == 302
    with app.app_context():
        user = db.session.get(User, member)
        assert user
        assert (user.is_active, user.suspended_until, user.suspension_text) == (True, None, None)
    assert [event.target_id for event in events(app, "suspension over")] == [member]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("ko", "이용 정지는 2026. 12. 31.까지예요(한국 시간). 그 뒤에는"),
        ("en", "You are suspended through Dec 31, 2026 (Korean time)."),
    ],
)
def test_person_is_told_the_last_day_that_is_included(
    app: Flask, kakao: FakeKakao, clock: Any, member: int, language: str, said: str
) -> None:
    with app.app_context():
        end = datetime(2026, 12, 31, 15, tzinfo=UTC)  # midnight in Korea
        roles.change_user(member, is_active=False, suspended_until=end)
    client = app.test_client()
    client.set_cookie("lang", language)
    assert said in log_in(client, kakao).text


def test_suspension_that_is_over_counts_as_none_everywhere_before_the_next_login(
    app: Flask, client_as: ClientAs, clock: Any, member: int
) -> None:
    suspend(app, member, 1)
    clock.shift(86401)
    sora = client_as("sora")
    assert "p77@example.kr" not in sora.get("/users/?state=suspended").text
    assert "p77@example.kr" in sora.get("/users/?state=active").text
    hana = client_as("hana")
    assert f"/users/{member}/suspend/" in hana.get(f"/users/{member}/").text
    with app.app_context():
        assert leaving.delete_user(member)
        assert suspensions.number() == 0


def test_suspension_of_an_erased_person_ends_at_its_time_too(
    app: Flask, kakao: FakeKakao, clock: Any, member: int
) -> None:
    suspend(app, member, 2)
    with app.app_context():
        assert leaving.delete_user(member)
    client = app.test_client()
    assert log_in(client, kakao).status_code == 403
    clock.shift(2 * 86400 + 1)
    with app.app_context():
        assert suspensions.number() == 0
        forget_old_rows()
        assert db.session.query(suspensions.Suspension).count() == 0
    assert log_in(client, kakao).status_code == 302


def test_superuser_chooses_the_last_day_and_the_words(app: Flask, client_as: ClientAs, clock: Any, member: int) -> None:
    hana = client_as("hana")
    form = {"csrf_token": csrf_token(hana), "reason": "asked for it", "text": WORDS}
    for wrong in ("2020-01-01", "tomorrow", "9999-12-31", "2026-02-30"):
        answer = hana.post(f"/users/{member}/suspend/", data={**form, "until": wrong}, headers=ENGLISH)
        assert answer.status_code == 400
        assert "Please choose an end date" in answer.text
    too_long = hana.post(f"/users/{member}/suspend/", data={**form, "text": "x" * 301}, headers=ENGLISH)
    assert too_long.status_code == 400
    day = (now() + timedelta(hours=9)).date() + timedelta(days=6)
    assert hana.post(f"/users/{member}/suspend/", data={**form, "until": day.isoformat()}).status_code == 302
    with app.app_context():
        user = db.session.get(User, member)
        assert user
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1) - timedelta(hours=9)
        assert (user.suspended_until, user.suspension_text) == (midnight, WORDS)
    page = hana.get(f"/users/{member}/", headers=ENGLISH).text
    assert WORDS in page
    assert page.count(f"through {day:%b} {day.day}, {day.year}<") == 2  # the state, and what was done
    assert f"suspended through {day:%b} {day.day}, {day.year}" in page
    assert hana.post(f"/users/{member}/reactivate/", data=form).status_code == 302
    with app.app_context():
        user = db.session.get(User, member)
        assert user
        assert (user.is_active, user.suspended_until, user.suspension_text) == (True, None, None)


def test_api_suspends_with_an_end_and_tells_staff_of_it(api_as: ClientAs, people: dict[str, int], clock: Any) -> None:
    client = api_as("hana")
    address = f"/api/users/{people['minji']}/"
    until = (now() + timedelta(days=2)).replace(microsecond=0)
    body = {"is_active": False, "suspended_until": until.isoformat(), "suspension_text": WORDS}
    answer = client.patch(address, json=body)
    assert answer.status_code == 200, answer.text
    told = answer.get_json()
    assert datetime.fromisoformat(told["suspended_until"]) == until
    assert (told["is_active"], told["suspension_text"]) == (False, WORDS)
    longer = client.patch(address, json={"is_active": False}).get_json()
    assert (longer["is_active"], longer["suspended_until"], longer["suspension_text"]) == (False, None, None)
    later = client.patch(address, json={"suspended_until": until.isoformat()}).get_json()
    assert datetime.fromisoformat(later["suspended_until"]) == until
    assert client.patch(address, json={"is_active": True}).get_json().get("suspended_until") is None
    assert client.patch(address, json={"suspended_until": until.isoformat()}).get_json()["is_active"] is True
    for wrong in (
        {"is_active": False, "suspended_until": "2020-01-01T00:00:00Z"},
        {"is_active": False, "suspended_until": "2030-01-01T00:00:00"},
        {"is_active": False, "suspended_until": "9999-12-31T23:59:59-23:59"},
        {"is_active": False, "suspended_until": "9999-12-31T23:00:00Z"},
        {"is_active": False, "suspension_text": "x" * 301},
    ):
        assert client.patch(address, json=wrong).status_code == 400, wrong
    for text, kept in (("한\0국\u202e \n 말", "한국 말"), (" \0 ", None)):
        odd = client.patch(address, json={"is_active": False, "suspension_text": text})
        assert (odd.status_code, odd.get_json()["suspension_text"]) == (200, kept)
