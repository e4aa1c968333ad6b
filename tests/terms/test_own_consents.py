"""Consents afterwards: on one's own page, on the staff's, and when somebody leaves."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import FakeKakao, csrf_token
from support.terms import TERMS, agree, come_to_step, newer, rows

from kakaoauth.audit import AuditEvent
from kakaoauth.models import User
from kakaoauth.storage.database import db
from kakaoauth.terms import own


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(KAKAOAUTH_TERMS=TERMS)


@pytest.fixture
def client(app: Flask, kakao: FakeKakao) -> FlaskClient:
    """Somebody who has agreed to everything."""
    client = app.test_client()
    assert agree(client, come_to_step(client, kakao), "age", "tos", "news").status_code == 303
    return client


def press(client: FlaskClient, term: str, decision: str = "withdraw", **more: str) -> int:
    form = {"csrf_token": csrf_token(client), "decision": decision, **more}
    return int(client.post(f"/users/me/consents/{term}/", data=form).status_code)


def test_own_page_shows_versions_and_moments(client: FlaskClient) -> None:
    page = client.get("/users/me/", query_string={"lang": "en"}).text
    assert "Terms of service" in page
    assert "version 2026-01" in page
    assert "on this site" in page


def test_optional_one_is_withdrawn_and_given_again(app: Flask, client: FlaskClient) -> None:
    assert press(client, "news") == 302
    assert "철회" in client.get("/users/me/").text
    assert press(client, "news") == 302, "twice is once"
    assert press(client, "news", "agree", version="1") == 302
    with app.app_context():
        (line,) = [line for line in own.lines(1) if line.id == "news"]
        assert [row.withdrawn_at is None for row in line.rows] == [False, True]
        events = [
            (event.action, event.told.get("terms")) for event in db.session.query(AuditEvent).order_by(AuditEvent.id)
        ]
    assert events[1:] == [
        ("consent given", "age 1, tos 2026-01, news 1"),
        ("consent withdrawn", "news 1"),
        ("consent given", "news 1"),
    ]


def test_required_one_is_not_withdrawn(app: Flask, client: FlaskClient) -> None:
    assert press(client, "tos") == 409
    assert press(client, "nothing") == 404
    assert press(client, "tos", "agree", version="2020-01") == 409
    with app.app_context():
        assert all(row.withdrawn_at is None for line in own.lines(1) for row in line.rows)


def test_withdrawing_needs_the_forms_token(app: Flask, client: FlaskClient) -> None:
    assert client.post("/users/me/consents/news/", data={"decision": "withdraw"}).status_code == 400
    assert client.get("/users/me/consents/news/").status_code == 405


def test_new_optional_version_is_shown(make_app: Callable[..., Flask], client: FlaskClient) -> None:
    later = make_app(KAKAOAUTH_TERMS=newer("news")).test_client()
    later.set_cookie("session", client.get_cookie("session").value)  # type: ignore[union-attr]
    assert "새 버전이 있어요" in later.get("/users/me/").text


def test_term_that_is_asked_no_more_is_still_shown(make_app: Callable[..., Flask], client: FlaskClient) -> None:
    later = make_app(KAKAOAUTH_TERMS=TERMS[:2]).test_client()
    later.set_cookie("session", client.get_cookie("session").value)  # type: ignore[union-attr]
    assert "더 이상 묻지 않음" in later.get("/users/me/").text
    assert press(later, "news") == 302


def test_staff_see_who_agreed_to_what(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    with app.app_context():
        user = db.session.get(User, 1)
        user.is_staff = True
        db.session.commit()
    page = client.get("/users/1/").text
    assert "이용약관" in page
    assert "버전 2026-01" in page
    assert "/users/me/consents/" not in page


def test_download_holds_what_was_agreed_to_and_withdrawn(app: Flask, client: FlaskClient) -> None:
    press(client, "news")
    form = {"csrf_token": csrf_token(client)}
    document = client.post("/users/me/data/", data=form, headers={"Accept-Language": "en"}).get_json()
    told = [(one["term"], one["title"], one["version"], one["source"]) for one in document["consents"]]
    assert told == [
        ("age", "I am 14 or older", "1", "page"),
        ("tos", "Terms of service", "2026-01", "page"),
        ("news", "Marketing messages", "1", "page"),
    ]
    moments = [datetime.fromisoformat(one["agreed_at"]) for one in document["consents"]]
    assert max(moments) <= datetime.now(UTC)
    assert [one["withdrawn_at"] is None for one in document["consents"]] == [True, True, False]
    given = [one for one in document["events"] if one["action"] == "consent given"]
    assert [one["terms"] for one in given] == ["age 1, tos 2026-01, news 1"]


def test_consents_go_with_the_account(app: Flask, client: FlaskClient) -> None:
    assert rows(app)["user_consents"] == 3
    client.post("/users/me/withdraw/", data={"csrf_token": csrf_token(client)})
    assert rows(app)["user_consents"] == rows(app)["users"] == 0


def test_without_the_setting_the_page_asks_nothing(
    make_app: Callable[..., Flask], client: FlaskClient, count_statements: Callable[..., int]
) -> None:
    plain = make_app().test_client()
    plain.set_cookie("session", client.get_cookie("session").value)  # type: ignore[union-attr]
    assert 'id="consents"' not in plain.get("/users/me/").text
