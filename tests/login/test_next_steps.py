"""The main button of a refused login is what helps, and nothing is offered that cannot help."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import FakeKakao, log_in, person

from kakaoauth.models import Identity, User
from kakaoauth.storage.database import db

CONTACT = "help@example.kr"
AGAIN, OTHER, HOME = "다시 시도하기", "다른 계정으로 로그인", "홈으로"
ABSENT = {"email": None, "is_email_valid": None, "is_email_verified": None}


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(KAKAOAUTH_CONTACT=CONTACT)


def buttons(answer: Any) -> list[tuple[str, str]]:
    """Labels and addresses, the main one first: the only one that is not quiet."""
    found = re.findall(r'<a class="button( quiet)?" href="([^"]*)"[^>]*>(.*?)</a>', answer.text)
    assert [bool(quiet) for quiet, _, _ in found] == [False, *[True] * (len(found) - 1)]
    return [(label, html.unescape(address)) for _, address, label in found]


def owner(app: Flask, email: str, **fields: Any) -> None:
    with app.app_context():
        user = User.objects.create_user(email, provider="kakao", **fields)
        db.session.add(Identity(provider="kakao", subject="1", user=user))
        db.session.commit()


def test_address_of_another_kakao_account_leads_to_that_account(
    app: Flask, client: FlaskClient, kakao: FakeKakao
) -> None:
    owner(app, "minji@example.kr")
    kakao.me = person(7, email="minji@example.kr")
    answer = log_in(client, kakao, lang="ko")
    assert answer.status_code == 409
    assert "다른 카카오계정으로 가입하셨어요" in answer.text
    (main, address), *rest = buttons(answer)
    assert (main, [label for label, _ in rest]) == (OTHER, [HOME])
    assert "prompt=select_account" in address


@pytest.mark.parametrize("account", [ABSENT, {"is_email_verified": False}, {"is_email_valid": False}])
def test_address_that_is_mended_at_kakao_leads_there_and_back(
    client: FlaskClient, kakao: FakeKakao, account: dict[str, Any]
) -> None:
    kakao.me = person(7, **account)
    (main, address), *rest = buttons(log_in(client, kakao, next="/users/me/"))
    assert (main, address) == ("카카오계정 열기", "https://accounts.kakao.com")
    assert [label for label, _ in rest] == [AGAIN, OTHER, HOME]
    assert rest[0][1] == "/kakao/login/?next=/users/me/"


def test_suspended_person_can_ask_and_is_not_sent_round(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    owner(app, "minji@example.kr", is_active=False)
    kakao.me = person(1, email="minji@example.kr")
    answer = log_in(client, kakao)
    assert answer.status_code == 403
    assert buttons(answer) == [("문의하기", f"mailto:{CONTACT}"), (HOME, "/")]


def test_what_the_owner_has_to_mend_says_so_and_claims_nothing(client: FlaskClient, kakao: FakeKakao) -> None:
    kakao.fails(token={"status_code": 401, "json": {"error": "invalid_client", "error_code": "KOE010"}})
    answer = log_in(client, kakao)
    assert buttons(answer)[0] == ("문의하기", f"mailto:{CONTACT}")
    assert AGAIN not in answer.text
    assert "알렸어요" not in answer.text
