"""Sharing the e-mail address later, where none is needed: what can be asked for, and what happens if it is taken."""

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from support import FakeKakao, begin_login, come_back, log_in, person

from kakaoauth.models import Identity, User
from kakaoauth.storage.database import db

#: What Kakao says of the e-mail where the console has it and the person has not agreed; and where it has none.
NOT_AGREED = {"email_needs_agreement": True, "email": None, "is_email_valid": None, "is_email_verified": None}
NOT_CONFIGURED = {**NOT_AGREED, "email_needs_agreement": None}
ASK = "consent=account_email"


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(KAKAOAUTH_EMAIL_REQUIRED=False)


@pytest.fixture
def minji(app: Flask, kakao: FakeKakao) -> FlaskClient:
    """Logged in without an e-mail address."""
    kakao.me = person(7, **NOT_AGREED)
    client = app.test_client()
    assert log_in(client, kakao).status_code == 302
    return client


def owner(app: Flask, email: str, provider: str | None) -> None:
    with app.app_context():
        user = User.objects.create_user(email, provider=provider)
        if provider:
            db.session.add(Identity(provider=provider, subject="99", user=user))
        db.session.commit()


def share(client: FlaskClient, kakao: FakeKakao, email: str) -> Any:
    sent = begin_login(client, consent="account_email", next="/users/me/")
    kakao.me = person(7, email=email)
    return come_back(client, sent["state"])


def alarms(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.CRITICAL]


# The address is taken


@pytest.mark.parametrize(("provider", "label"), [("facebook", "페이스북"), ("kakao", "카카오")])
def test_taken_address_is_told_with_the_provider_of_its_account(
    app: Flask, minji: FlaskClient, kakao: FakeKakao, provider: str, label: str
) -> None:
    owner(app, "sora@example.kr", provider)
    answer = share(minji, kakao, "Sora@Example.kr")
    assert answer.status_code == 409
    assert 'data-code="EMAIL_IN_USE"' in answer.text
    assert f"{label}" in answer.text.split("<h1>")[1].split("buttons")[0]
    assert 'href="/users/me/"' in answer.text
    assert minji.get("/users/me/").status_code == 200, "the person is still logged in"
    with app.app_context():
        assert db.session.query(User).filter_by(email=None).count() == 1


def test_address_of_an_account_that_waits_is_not_taken_either(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    owner(app, "boss@example.kr", None)
    assert share(minji, kakao, "boss@example.kr").status_code == 409


def test_free_address_is_taken(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    assert share(minji, kakao, "minji@example.kr").location == "/users/me/"
    assert "minji@example.kr" in minji.get("/users/me/").text


def test_ordinary_login_of_the_same_person_goes_on(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    """They have not asked for anything; a login that ended there would lock them out."""
    owner(app, "sora@example.kr", "facebook")
    kakao.me = person(7, email="sora@example.kr")
    assert log_in(minji, kakao).status_code == 302


def test_known_person_whose_address_is_taken_is_told_where_one_is_required(
    make_app: Callable[..., Flask], minji: FlaskClient, kakao: FakeKakao
) -> None:
    """Not let in without an e-mail address, where nobody may be."""
    app = make_app(KAKAOAUTH_EMAIL_REQUIRED=True)
    owner(app, "sora@example.kr", "facebook")
    kakao.me = person(7, email="sora@example.kr")
    assert log_in(app.test_client(), kakao).status_code == 409


def test_first_login_with_a_taken_address_is_told_so(app: Flask, kakao: FakeKakao) -> None:
    owner(app, "sora@example.kr", "facebook")
    kakao.me = person(8, email="sora@example.kr")
    answer = log_in(app.test_client(), kakao)
    assert answer.status_code == 409
    assert "페이스북" in answer.text


# Kakao's console has no such item


@pytest.mark.parametrize("me", [NOT_CONFIGURED, None])
def test_login_without_the_item_says_so_and_has_no_button_into_an_error_page(
    make_app: Callable[..., Flask], kakao: FakeKakao, caplog: pytest.LogCaptureFixture, me: Any
) -> None:
    app = make_app()
    kakao.me = person(7, **me) if me else {"id": 7}
    for language, words in (("ko", "이메일 동의 항목을 설정하지 않았어요"), ("en", "it is not set up at Kakao to ask")):
        client = app.test_client()
        client.get(f"/?lang={language}")
        answer = log_in(client, kakao)
        assert answer.status_code == 403
        assert words in answer.text
        assert ASK not in answer.text
    (line,) = alarms(caplog)
    assert "account_email" in line
    assert "[Consent items]" in line


def test_id_token_without_the_item_says_so_too(make_app: Callable[..., Flask], kakao: FakeKakao) -> None:
    kakao.me, kakao.id_claims = person(7, **NOT_CONFIGURED), {}
    assert ASK not in log_in(make_app().test_client(), kakao).text


def test_button_of_ones_own_page_leads_to_words_instead_of_kakaos_error_page(
    app: Flask, minji: FlaskClient, kakao: FakeKakao, caplog: pytest.LogCaptureFixture
) -> None:
    app.extensions["kakaoauth.providers"].configured["kakao"]._email_item = None  # another worker's memory
    kakao.me = person(7, **NOT_CONFIGURED)
    for _ in range(3):
        answer = minji.get("/kakao/login/", query_string={"consent": "account_email"})
        assert answer.status_code == 409
        assert "아직 이메일 주소를 받을 수 없어요" in answer.text
        assert 'href="/users/me/"' in answer.text
        assert ASK not in answer.text
    assert len(alarms(caplog)) == 1
    assert kakao.calls.count("GET /v2/user/me") == 2, "asked once a minute at most"


def test_item_that_is_configured_meanwhile_is_noticed(app: Flask, kakao: FakeKakao) -> None:
    kakao.me = person(7, **NOT_CONFIGURED)
    client = app.test_client()
    log_in(client, kakao)
    assert client.get("/kakao/login/", query_string={"consent": "account_email"}).status_code == 409
    kakao.me = person(7, **NOT_AGREED)
    log_in(client, kakao)
    answer = client.get("/kakao/login/", query_string={"consent": "account_email"})
    assert parse_qs(urlsplit(answer.location).query)["scope"] == ["account_email"]


def test_kakao_that_is_away_stops_nobody_from_asking(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    app.extensions["kakaoauth.providers"].configured["kakao"]._email_item = None
    kakao.fails(me={"exc": requests.exceptions.ConnectTimeout})
    assert begin_login(minji, consent="account_email")["scope"] == "account_email"


def test_site_that_wants_no_address_has_nothing_to_alarm_about(
    app: Flask, kakao: FakeKakao, caplog: pytest.LogCaptureFixture
) -> None:
    kakao.me = person(7, **NOT_CONFIGURED)
    assert log_in(app.test_client(), kakao).status_code == 302
    assert alarms(caplog) == []
