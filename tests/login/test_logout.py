"""Leaving a device, leaving every device: dead here first and for sure, then at Kakao as far as it listens."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from support import KAPI, FakeKakao, csrf_token, is_logged_in, set_cookie
from support.devices import browsers, ended, leave, rows
from support.stopwatch import Stopwatch

#: A page may take no longer (seconds).
PATIENCE = 3.0
AWAY: dict[str, dict[str, Any]] = {
    "refused connection": {"exc": requests.exceptions.ConnectionError},
    "time-out": {"exc": requests.exceptions.ReadTimeout},
    "500": {"status_code": 500, "text": ""},
    "maintenance in HTML": {"status_code": 200, "text": "<html>", "headers": {"Content-Type": "text/html"}},
    "-9798": {"status_code": 503, "json": {"msg": "maintenance", "code": -9798}},
    "-10": {"status_code": 429, "json": {"msg": "API limit has been exceeded.", "code": -10}},
    "-401": {"status_code": 401, "json": {"msg": "this access token does not exist", "code": -401}},
    "-101": {"status_code": 400, "json": {"msg": "NotRegisteredUserException", "code": -101}},
}


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def leave_everywhere(client: FlaskClient) -> Any:
    return client.post("/users/me/logout-everywhere/", data={"csrf_token": csrf_token(client)})


# This device


def test_logout_ends_this_logins_token_and_no_other(site: Flask, kakao: FakeKakao) -> None:
    phone, laptop = browsers(site, kakao, 2)
    copied = set_cookie(phone)
    answer = leave(phone)
    assert (answer.status_code, answer.location) == (302, "/")
    assert ended(kakao) == ["3902187744-0"]
    assert kakao.mock.last_request.method == "POST"
    assert not kakao.mock.last_request.text, "no admin key's target: only this token"
    assert rows(site) == 1
    thief = site.test_client()
    thief.set_cookie("session", copied)
    assert not is_logged_in(thief)
    assert is_logged_in(laptop)


def test_account_logout_ends_the_token_too(site: Flask, kakao: FakeKakao) -> None:
    (phone,) = browsers(site, kakao, 1)
    assert urlsplit(leave(phone, account="1").location).path == "/oauth/logout"
    assert ended(kakao) == ["3902187744-0"]
    assert rows(site) == 0
    assert not is_logged_in(phone)


@pytest.mark.parametrize("case", AWAY)
def test_logout_is_done_whatever_kakao_says(app: Flask, kakao: FakeKakao, case: str) -> None:
    (phone,) = browsers(app, kakao, 1)
    copied = set_cookie(phone)
    kakao.mock.post(f"{KAPI}/v1/user/logout", **AWAY[case])
    answer = leave(phone)
    assert (answer.status_code, answer.location) == (302, "/")
    assert ended(kakao) == ["3902187744-0"], "once, and not again"
    assert rows(app) == 0
    phone.set_cookie("session", copied)
    assert not is_logged_in(phone)


def test_session_is_dead_before_kakao_is_asked(app: Flask, kakao: FakeKakao, redis: Redis) -> None:
    (phone,) = browsers(app, kakao, 1)
    seen: list[tuple[int, int]] = []

    def look(*_: Any) -> dict[str, Any]:
        seen.append((len(redis.keys("session:*")), rows(app)))
        return {"id": 3902187744}

    kakao.mock.post(f"{KAPI}/v1/user/logout", json=look)
    leave(phone)
    assert seen == [(0, 0)]


@pytest.mark.parametrize("everywhere", [False, True], ids=["this device", "everywhere"])
def test_silent_kakao_holds_nobody_up(
    make_app: Callable[..., Flask], kakao: FakeKakao, silent: str, everywhere: bool
) -> None:
    app = make_app(KAKAO_KAPI_URL=silent)
    kakao.mock.get(f"{silent}/v2/user/me", json=lambda *_: kakao.me)
    kakao.mock.post(f"{silent}/v1/user/logout", real_http=True)
    phone, *_ = browsers(app, kakao, 3)
    copied, token = set_cookie(phone), csrf_token(phone)
    watch = Stopwatch()
    address = "/users/me/logout-everywhere/" if everywhere else "/kakao/logout/"
    assert phone.post(address, data={"csrf_token": token}).status_code == 302
    assert watch.seconds() < PATIENCE
    phone.set_cookie("session", copied)
    assert not is_logged_in(phone)
    assert rows(app) == (0 if everywhere else 2)


def test_many_slow_answers_add_up_to_no_more_than_one(app: Flask, kakao: FakeKakao) -> None:
    made = browsers(app, kakao, 8)
    token = csrf_token(made[0])

    def slowly(*_: Any) -> dict[str, Any]:
        threading.Event().wait(0.6)
        return {"id": 3902187744}

    kakao.mock.post(f"{KAPI}/v1/user/logout", json=slowly)
    watch = Stopwatch()
    assert made[0].post("/users/me/logout-everywhere/", data={"csrf_token": token}).status_code == 302
    assert watch.seconds() < PATIENCE
    assert rows(app) == 0


def test_logout_pressed_twice_at_once_is_one(site: Flask, kakao: FakeKakao) -> None:
    (phone,) = browsers(site, kakao, 1)
    cookie, token = set_cookie(phone), csrf_token(phone)
    line = threading.Barrier(2)
    answers: list[int] = []

    def press() -> None:
        browser = site.test_client()
        browser.set_cookie("session", cookie)
        line.wait(10)
        answers.append(browser.post("/kakao/logout/", data={"csrf_token": token}).status_code)

    threads = [threading.Thread(target=press) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(answers) == 2
    assert 302 in answers
    assert set(answers) <= {302, 400}
    assert rows(site) == 0
    phone.set_cookie("session", cookie)
    assert not is_logged_in(phone)


# Everywhere


def test_logout_everywhere_ends_every_session_and_every_token(site: Flask, kakao: FakeKakao) -> None:
    mine = browsers(site, kakao, 3)
    (other,) = browsers(site, kakao, 1, subject=5)
    cookies = [set_cookie(browser) for browser in mine]
    answer = leave_everywhere(mine[1])
    assert (answer.status_code, answer.location) == (302, "/")
    assert answer.headers["Clear-Site-Data"] == '"cache"'
    assert sorted(ended(kakao)) == ["3902187744-0", "3902187744-1", "3902187744-2"]
    assert rows(site) == 1
    for browser, cookie in zip(mine, cookies, strict=True):
        browser.set_cookie("session", cookie)
        assert not is_logged_in(browser)
    assert is_logged_in(other)
    again = browsers(site, kakao, 1)
    assert is_logged_in(again[0]), "the account itself is as it was"


@pytest.mark.parametrize("case", AWAY)
def test_logout_everywhere_is_done_whatever_kakao_says(app: Flask, kakao: FakeKakao, case: str) -> None:
    mine = browsers(app, kakao, 3)
    kakao.mock.post(f"{KAPI}/v1/user/logout", **AWAY[case])
    assert leave_everywhere(mine[0]).status_code == 302
    assert not any(is_logged_in(browser) for browser in mine)
    assert rows(app) == 0


def test_kakao_that_is_away_is_asked_once_and_not_for_each_token(app: Flask, kakao: FakeKakao) -> None:
    mine = browsers(app, kakao, 3)
    kakao.mock.post(f"{KAPI}/v1/user/logout", **AWAY["500"])
    leave_everywhere(mine[0])
    assert len(ended(kakao)) == 1


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("status", [400, 500])
def test_one_moment_of_weakness_does_not_spare_the_other_tokens(
    site: Flask, kakao: FakeKakao, place: int, status: int
) -> None:
    mine = browsers(site, kakao, 3)
    weak = {"status_code": status, "json": {"msg": "this is a temporary internal error", "code": -1}}
    good = {"json": {"id": 3902187744}}
    answers = [good, good, good]
    answers[place] = weak
    kakao.mock.post(f"{KAPI}/v1/user/logout", response_list=answers)
    assert leave_everywhere(mine[0]).status_code == 302
    assert sorted(ended(kakao)) == ["3902187744-0", "3902187744-1", "3902187744-2"]


def test_one_dead_token_does_not_spare_the_others(app: Flask, kakao: FakeKakao) -> None:
    mine = browsers(app, kakao, 3)
    kakao.mock.post(f"{KAPI}/v1/user/logout", **AWAY["-401"])
    leave_everywhere(mine[0])
    assert len(ended(kakao)) == 3


@pytest.mark.parametrize("form", [{}, {"csrf_token": "forged"}, {"csrf_token": ""}])
@pytest.mark.parametrize("address", ["/users/me/logout-everywhere/", "/kakao/logout/"])
def test_logout_without_the_forms_token_changes_nothing(
    app: Flask, kakao: FakeKakao, address: str, form: dict[str, str]
) -> None:
    (phone,) = browsers(app, kakao, 1)
    assert phone.post(address, data=form).status_code == 400
    assert is_logged_in(phone)
    assert rows(app) == 1
    assert ended(kakao) == []


@pytest.mark.parametrize("provider", ["facebook", "nobody", "카카오"])
def test_logout_of_a_provider_that_is_not_offered_is_no_page_for_anybody(client: FlaskClient, provider: str) -> None:
    for method in ("GET", "POST"):
        assert client.open(f"/{provider}/logout/", method=method).status_code == 404


def test_logout_everywhere_by_a_link_changes_nothing(app: Flask, kakao: FakeKakao) -> None:
    (phone,) = browsers(app, kakao, 1)
    for method in ("GET", "HEAD"):
        assert phone.open("/users/me/logout-everywhere/", method=method).status_code == 405
    assert is_logged_in(phone)
    assert rows(app) == 1


def test_token_of_the_logged_out_is_on_no_page_and_in_no_log(
    app: Flask, kakao: FakeKakao, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    (phone,) = browsers(app, kakao, 1)
    kakao.mock.post(f"{KAPI}/v1/user/logout", **AWAY["-401"])
    answer = leave(phone)
    assert "token not ended at kakao: CODE_REFUSED -401" in caplog.text
    assert "3902187744-0" not in caplog.text + answer.text + str(answer.headers)
