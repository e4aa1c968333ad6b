"""One's own page: what it says after each action, the nickname, and the word that is typed to leave."""

import html
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import FakeKakao, csrf_token, is_logged_in, log_in, person

from kakaoauth.models import User
from kakaoauth.storage.database import db


@pytest.fixture
def minji(client: FlaskClient, kakao: FakeKakao) -> FlaskClient:
    kakao.me = person(7, profile={"nickname": "민지"})
    log_in(client, kakao)
    return client


def post(client: FlaskClient, path: str, **form: str) -> Any:
    return client.post(path, data={"csrf_token": csrf_token(client), **form})


def told(client: FlaskClient, path: str = "/users/me/?lang=ko") -> list[str]:
    found = re.findall(r'<p class="message good" role="status">(.*?)</p>', client.get(path).text)
    return [html.unescape(text) for text in found]


def nickname(app: Flask) -> str | None:
    with app.app_context():
        return db.session.scalars(db.select(User)).one().nickname


def test_own_nickname_stays_through_logins_until_it_is_given_back(
    app: Flask, minji: FlaskClient, kakao: FakeKakao
) -> None:
    assert post(minji, "/users/me/profile/", nickname="  달빛\u202e토끼 ").location == "/users/me/"
    assert told(minji) == ["닉네임을 바꿨어요: 달빛토끼"]
    assert told(minji) == [], "once"
    log_in(app.test_client(), kakao)
    assert nickname(app) == "달빛토끼"
    post(minji, "/users/me/profile/", nickname=" ")
    log_in(app.test_client(), kakao)
    assert nickname(app) == "민지"


def test_nickname_in_a_message_is_only_text(minji: FlaskClient) -> None:
    post(minji, "/users/me/profile/", nickname="<b>x</b>")
    assert "<b>x</b>" not in minji.get("/users/me/").text


def test_each_action_says_what_happened(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    log_in(app.test_client(), kakao)
    post(minji, "/users/me/devices/end-others/")
    assert told(minji) == ["다른 모든 기기에서 로그아웃했어요."]


@pytest.mark.parametrize(
    ("path", "form", "words"),
    [
        ("/kakao/logout/", {}, "로그아웃했어요."),
        ("/users/me/logout-everywhere/", {}, "모든 기기에서 로그아웃했어요."),
        ("/users/me/withdraw/", {"typed": "탈퇴"}, "탈퇴가 완료됐어요."),
    ],
)
def test_farewell_is_told_once_without_a_session(
    minji: FlaskClient, path: str, form: dict[str, str], words: str
) -> None:
    post(minji, path, **form)
    assert told(minji, "/?lang=ko") == [words]
    assert told(minji, "/?lang=ko") == []
    assert minji.get_cookie("session") is None


def test_farewell_that_somebody_made_up_is_not_told(client: FlaskClient) -> None:
    client.set_cookie("kakaoauth_told", "<b>your account is at evil.example</b>")
    assert told(client, "/?lang=ko") == []
    assert "evil.example" not in client.get("/").text


@pytest.mark.parametrize(("typed", "status"), [("", 400), ("탈퇴하", 400), ("delet", 400), (" DELETE ", 302)])
def test_nobody_leaves_without_the_word(minji: FlaskClient, typed: str, status: int) -> None:
    answer = post(minji, "/users/me/withdraw/", typed=typed)
    assert answer.status_code == status
    assert is_logged_in(minji) == (status == 400)


def test_this_machines_address_is_in_words(minji: FlaskClient) -> None:
    for address in ("::1", "127.0.0.1"):
        minji.environ_base["REMOTE_ADDR"] = address
        minji.get("/")
        page = minji.get("/users/me/?lang=ko").text
        assert "::x" not in page
        assert "이 네트워크" in page
