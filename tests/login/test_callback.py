"""Every way a callback can end: its status, its words in both languages, and what must not have happened."""

import logging
import os
import re
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from support import (
    CLIENT_ID,
    CLIENT_SECRET,
    FakeKakao,
    begin_login,
    come_back,
    csrf_token,
    is_logged_in,
    log_in,
    person,
    set_cookie,
)
from support.concurrency import until
from support.stopwatch import Stopwatch

from kakaoauth.counting import counters
from kakaoauth.login.callback_lock import SECONDS
from kakaoauth.models import Identity, User
from kakaoauth.storage.database import db


def count_users(app: Flask) -> int:
    with app.app_context():
        return db.session.query(User).count()


def assert_nothing_happened(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    assert count_users(app) == 0
    assert not is_logged_in(client)
    assert kakao.calls == []


# In


def test_new_person_is_in(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    response = log_in(client, kakao)
    assert (response.status_code, response.location) == (302, "/")
    assert is_logged_in(client)
    with app.app_context():
        identity = db.session.query(Identity).one()
        assert (identity.provider, identity.subject) == ("kakao", "3902187744")
        assert identity.user.email == "p3902187744@example.kr"


def test_known_person_stays_one_user(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    log_in(client, kakao)
    log_in(app.test_client(), kakao)
    assert count_users(app) == 1


def test_next_is_reached(client: FlaskClient, kakao: FakeKakao) -> None:
    assert log_in(client, kakao, next="/users/?q=a&before=#row").location == "/users/?q=a&before=#row"


def test_next_on_the_callback_is_ignored(client: FlaskClient, kakao: FakeKakao) -> None:
    sent = begin_login(client, next="/users/me/")
    assert come_back(client, sent["state"], next="/users/").location == "/users/me/"


def test_token_call_uses_what_waited_in_the_session(client: FlaskClient, kakao: FakeKakao) -> None:
    sent = begin_login(client)
    come_back(client, sent["state"])
    form = kakao.form()
    assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", form.pop("code_verifier"))
    assert form == {
        "grant_type": "authorization_code",
        "code": "canary-code",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uri": "http://localhost/kakao/login/callback/",
    }


def test_id_token_that_says_all_saves_the_second_call(client: FlaskClient, kakao: FakeKakao) -> None:
    kakao.id_claims = {"email": "minji@example.kr", "nickname": "민지"}
    assert log_in(client, kakao).status_code == 302
    assert "GET /v2/user/me" not in kakao.calls
    assert "민지" in client.get("/").text


def test_id_token_without_email_asks_user_me(client: FlaskClient, kakao: FakeKakao) -> None:
    kakao.id_claims = {"nickname": "민지"}
    assert log_in(client, kakao).status_code == 302
    assert "GET /v2/user/me" in kakao.calls


def test_id_token_of_another_person_is_refused(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    kakao.id_claims = {"sub": "1"}
    response = log_in(client, kakao)
    assert response.status_code == 502
    assert count_users(app) == 0


def test_id_token_with_an_old_nonce_is_refused(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    kakao.id_claims = {"email": "minji@example.kr", "nonce": "of another login"}
    assert log_in(client, kakao).status_code == 502
    assert count_users(app) == 0


# The person changed their mind, or Kakao did


def test_cancel_is_not_an_error(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    sent = begin_login(client, next="/users/me/")
    query = {"error": "access_denied", "error_description": "User denied access", "state": sent["state"]}
    response = client.get("/kakao/login/callback/", query_string=query)
    assert response.status_code == 200
    assert "로그인을 취소했어요" in response.text
    assert "/kakao/login/?next=/users/me/" in response.text
    assert "denied" not in response.text
    assert_nothing_happened(app, client, kakao)
    assert come_back(client, sent["state"]).status_code == 400, "the state works once"


@pytest.mark.parametrize(
    ("error", "description", "status", "korean", "english"),
    [
        ("access_denied", "Not allowed under age 14", 403, "만 14세 미만", "under 14"),
        ("login_required", "user authentication required.", 403, "카카오에서 확인", "Kakao needs you"),
        ("consent_required", "user consent required.", 403, "카카오에서 확인", "Kakao needs you"),
        ("interaction_required", "x", 403, "카카오에서 확인", "Kakao needs you"),
        ("server_error", "x", 503, "카카오에서 응답이 없", "Kakao does not answer"),
        ("temporarily_unavailable", "x", 503, "카카오에서 응답이 없", "Kakao does not answer"),
        ("invalid_request", "x", 500, "지금은 로그인할 수 없어요", "Login does not work"),
        ("invalid_client", "x", 500, "지금은 로그인할 수 없어요", "Login does not work"),
        ("invalid_scope", "x", 500, "지금은 로그인할 수 없어요", "Login does not work"),
        ("unauthorized_client", "x", 500, "지금은 로그인할 수 없어요", "Login does not work"),
        ("misconfigured", "x", 500, "지금은 로그인할 수 없어요", "Login does not work"),
        ("who_knows", "<script>alert(1)</script>\nx", 400, "요청이 완전하지", "not complete"),
    ],
)
@pytest.mark.parametrize("language", ["ko", "en"])
def test_authorize_errors_have_their_words(
    client: FlaskClient, error: str, description: str, status: int, korean: str, english: str, language: str
) -> None:
    sent = begin_login(client)
    query = {"error": error, "error_description": description, "state": sent["state"], "lang": language}
    response = client.get("/kakao/login/callback/", query_string=query)
    assert response.status_code == status
    assert (korean if language == "ko" else english) in response.text
    assert description not in response.text or description == "x"
    assert "<script>" not in response.text


# What is asked of Kakao


@pytest.mark.parametrize("prompt", ["login", "select_account", "create"])
def test_prompt_that_kakao_knows_is_passed_on(client: FlaskClient, prompt: str) -> None:
    assert begin_login(client, prompt=prompt)["prompt"] == prompt


@pytest.mark.parametrize("prompt", ["none", "login none", "LOGIN", "x", ""])
def test_other_prompt_is_not_passed_on(client: FlaskClient, prompt: str) -> None:
    """`none` would log somebody in without a page that asks."""
    assert "prompt" not in begin_login(client, prompt=prompt)


# Forged, late, doubled, oversized


def test_callback_without_state_is_refused(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    begin_login(client)
    assert client.get("/kakao/login/callback/?code=x").status_code == 400
    assert_nothing_happened(app, client, kakao)


def test_state_of_another_browser_is_refused(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    stranger = app.test_client()
    sent = begin_login(stranger)
    begin_login(client)
    response = come_back(client, sent["state"])
    assert response.status_code == 400
    assert 'data-code="UNKNOWN_STATE"' in response.text
    assert_nothing_happened(app, client, kakao)


def test_state_of_another_browser_leaves_a_session_alone(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    log_in(client, kakao)
    before = set_cookie(client)
    stranger = app.test_client()
    sent = begin_login(stranger)
    assert come_back(client, sent["state"]).status_code == 400
    assert set_cookie(client) == before
    assert is_logged_in(client)


def test_browser_without_cookie_is_told_about_cookies(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    sent = begin_login(client)
    response = come_back(app.test_client(), sent["state"])
    assert response.status_code == 400
    assert "쿠키" in response.text
    assert kakao.calls == []


def other_first_letter(state: str) -> str:
    return ("A" if state[0] != "A" else "B") + state[1:]


@pytest.mark.parametrize("change", [lambda s: s[:-1], lambda s: s + "A", other_first_letter, lambda s: "é" + s[1:]])
def test_changed_state_is_refused(app: Flask, client: FlaskClient, kakao: FakeKakao, change: Any) -> None:
    sent = begin_login(client)
    assert come_back(client, change(sent["state"])).status_code == 400
    assert_nothing_happened(app, client, kakao)


def test_late_state_says_so(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    with time_machine.travel("2026-11-21T10:00:00Z", tick=False) as clock:
        sent = begin_login(client)
        clock.shift(601)
        response = come_back(client, sent["state"])
        assert response.status_code == 400
        assert "시간이 너무 오래" in response.text
        assert "/kakao/login/" in response.text
        assert_nothing_happened(app, client, kakao)


def test_state_within_its_ten_minutes_works(client: FlaskClient, kakao: FakeKakao) -> None:
    with time_machine.travel("2026-11-21T10:00:00Z", tick=False) as clock:
        sent = begin_login(client)
        clock.shift(599)
        assert come_back(client, sent["state"]).status_code == 302


@pytest.mark.parametrize(
    "query",
    [
        "code=a&code=b&state={state}",
        "code=a&state={state}&state={state}",
        "code=a&error=access_denied&state={state}",
        "error=access_denied&error=x&state={state}",
        "state={state}",
        "code=&state={state}",
        "code=" + "a" * 10_000 + "&state={state}",
        "code=a%20b&state={state}",
        "code=a%00b&state={state}",
        "code=%F0%9F%98%80&state={state}",
        "code=a&state=",
        "code=a&state=" + "s" * 5000,
        "error=access_denied",
    ],
)
def test_odd_parameters_end_before_any_call(app: Flask, client: FlaskClient, kakao: FakeKakao, query: str) -> None:
    sent = begin_login(client)
    response = client.get("/kakao/login/callback/?" + query.format(state=sent["state"]))
    assert response.status_code == 400
    assert_nothing_happened(app, client, kakao)


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS", "PUT"])
def test_callback_is_for_get_only(app: Flask, client: FlaskClient, kakao: FakeKakao, method: str) -> None:
    sent = begin_login(client)
    query = {"state": sent["state"], "code": "c"}
    refused = client.open("/kakao/login/callback/", method=method, query_string=query)
    assert (refused.status_code, "GET" in refused.headers["Allow"]) == (405, True)
    assert_nothing_happened(app, client, kakao)
    assert come_back(client, sent["state"]).status_code == 302


def test_unknown_and_unconfigured_providers_are_alike(client: FlaskClient) -> None:
    pages = [client.get(f"/{name}/login/callback/?code=x&state=y") for name in ("facebook", "nobody")]
    assert [page.status_code for page in pages] == [404, 404]
    texts = [re.sub(r"[0-9a-f]{8}", "", page.text) for page in pages]
    assert texts[0] == texts[1]


def test_answer_is_never_kept_or_passed_on(client: FlaskClient, kakao: FakeKakao) -> None:
    for response in (log_in(client, kakao), client.get("/kakao/login/callback/?code=x&state=y")):
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] == "no-store"


# Kakao's refusals and faults


@pytest.mark.parametrize(
    ("answer", "status", "shown"),
    [
        ({"status_code": 401, "json": {"error": "invalid_client", "error_code": "KOE010"}}, 500, "KOE010"),
        ({"status_code": 401, "json": {"error": "invalid_client", "error_code": "KOE101"}}, 500, "KOE101"),
        ({"status_code": 400, "json": {"error": "invalid_request", "error_code": "KOE237"}}, 503, "KOE237"),
        ({"status_code": 400, "json": {"error": "invalid_grant", "error_code": "KOE303"}}, 500, "KOE303"),
        (
            {
                "status_code": 400,
                "json": {
                    "error": "invalid_grant",
                    "error_code": "KOE320",
                    "error_description": "authorization code not found for code=canary-code",
                },
            },
            400,
            "KOE320",
        ),
        ({"status_code": 503, "text": "<html>maintenance</html>"}, 503, ""),
        ({"status_code": 200, "text": "<html>hello</html>"}, 503, ""),
        ({"status_code": 200, "text": ""}, 503, ""),
        ({"status_code": 200, "text": '{"access_token": "canary-acc'}, 503, ""),
        ({"status_code": 200, "json": []}, 503, ""),
        ({"status_code": 200, "json": {}}, 503, ""),
        ({"status_code": 200, "json": {"access_token": 7, "token_type": "bearer"}}, 503, ""),
        ({"status_code": 200, "json": {"access_token": "  ", "token_type": "bearer"}}, 503, ""),
        ({"status_code": 200, "json": {"access_token": "canary", "token_type": "mac"}}, 503, ""),
        ({"status_code": 302, "headers": {"Location": "https://evil.example/"}}, 503, ""),
        ({"status_code": 307, "headers": {"Location": "https://evil.example/"}}, 503, ""),
        ({"status_code": 200, "content": b"[" * 100_000}, 503, ""),
        ({"status_code": 200, "content": b'{"a":"\xff\xfe"}'}, 503, ""),
        ({"status_code": 200, "content": b" " * 1_100_000 + b"{}"}, 503, ""),
        ({"exc": requests.exceptions.ConnectTimeout}, 503, ""),
        ({"exc": requests.exceptions.ReadTimeout}, 503, ""),
        ({"exc": requests.exceptions.ConnectionError}, 503, ""),
        ({"exc": requests.exceptions.SSLError}, 503, ""),
    ],
)
def test_token_faults_have_their_end(
    app: Flask, client: FlaskClient, kakao: FakeKakao, caplog: Any, answer: dict[str, Any], status: int, shown: str
) -> None:
    kakao.fails(token=answer)
    response = log_in(client, kakao, next="/users/me/")
    assert response.status_code == status
    assert shown in response.text
    helps = status != 500  # of the site's own settings
    assert ("/kakao/login/?next=/users/me/" in response.text) == helps
    assert count_users(app) == 0
    assert "canary" not in response.text
    assert "canary" not in caplog.text
    assert ("Retry-After" in response.headers) == (status == 503)
    assert len([call for call in kakao.calls if call.startswith("POST")]) == 1, "a code is never sent twice"


@pytest.mark.parametrize(
    ("answer", "status", "shown"),
    [
        ({"status_code": 400, "json": {"msg": "internal", "code": -1}}, 503, "-1"),
        ({"status_code": 401, "json": {"msg": "this access token does not exist", "code": -401}}, 400, "-401"),
        ({"status_code": 400, "json": {"msg": "API limit has been exceeded.", "code": -10}}, 503, "-10"),
        ({"status_code": 429, "json": {"msg": "API limit has been exceeded.", "code": -10}}, 503, "-10"),
        ({"status_code": 503, "json": {"msg": "maintenance", "code": -9798}}, 503, "-9798"),
        ({"status_code": 400, "json": {"msg": "x", "code": -7}}, 503, "-7"),
        ({"status_code": 401, "json": {"msg": "x", "code": -406}}, 403, "-406"),
        ({"status_code": 403, "json": {"msg": "x", "code": -5}}, 500, "-5"),
        ({"status_code": 200, "json": {"kakao_account": {}}}, 503, ""),
        ({"status_code": 200, "json": {"id": True}}, 503, ""),
        ({"status_code": 200, "json": {"id": 1.5}}, 503, ""),
        ({"status_code": 200, "json": {"id": -3}}, 503, ""),
        ({"status_code": 200, "json": []}, 503, ""),
        ({"status_code": 200, "text": "<html>"}, 503, ""),
        ({"exc": requests.exceptions.ReadTimeout}, 503, ""),
    ],
)
def test_profile_faults_have_their_end(
    app: Flask, client: FlaskClient, kakao: FakeKakao, answer: dict[str, Any], status: int, shown: str
) -> None:
    kakao.fails(me=answer)
    response = log_in(client, kakao)
    assert response.status_code == status
    assert shown in response.text
    assert count_users(app) == 0


@pytest.mark.parametrize(
    "error", ["invalid_scope", "unauthorized_client", "misconfigured", "server_error", "temporarily_unavailable", "x"]
)
def test_an_error_that_the_browser_brings_is_no_alarm(
    app: Flask, client: FlaskClient, kakao: FakeKakao, caplog: Any, error: str
) -> None:
    """The address is the browser's, also if somebody else wrote it: the state in it is genuine in every browser."""
    state = begin_login(client)["state"]
    response = client.get("/kakao/login/callback/", query_string={"state": state, "error": error})
    assert response.status_code >= 400
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    with app.app_context():
        counted = {label for name, label in counters.totals() if name == "login_refused"}
    assert not [label for label in counted if "MISCONFIGURED" in label or "PROVIDER_UNAVAILABLE" in label]


def test_operator_faults_alarm_with_a_reference(client: FlaskClient, kakao: FakeKakao, caplog: Any) -> None:
    kakao.fails(token={"status_code": 401, "json": {"error": "invalid_client", "error_code": "KOE010"}})
    response = log_in(client, kakao)
    reference = re.search(r"(?:Reference|문의 번호): ([0-9a-f]{8})", response.text)
    assert reference
    lines = [record for record in caplog.records if reference[1] in record.getMessage()]
    assert [line.levelname for line in lines] == ["CRITICAL"]
    assert "KOE010" in lines[0].getMessage()


# E-mail


@pytest.mark.parametrize(
    ("account", "korean", "asks"),
    [
        (
            {"email_needs_agreement": True, "email": None, "is_email_valid": None, "is_email_verified": None},
            "동의하지 않",
            True,
        ),
        (
            {"email_needs_agreement": None, "email": None, "is_email_valid": None, "is_email_verified": None},
            "운영자에게 알려 주세요",
            False,
        ),
        ({"email": None, "is_email_valid": None, "is_email_verified": None}, "이메일이 없어요", False),
        ({"is_email_verified": False}, "인증되지", False),
        ({"is_email_valid": False}, "다른 계정", False),
        ({"is_email_valid": None, "is_email_verified": None}, "인증되지", False),
        ({"email": "ka***@example.com"}, "사용할 수 없는", False),
    ],
)
def test_each_missing_email_is_named(
    app: Flask, client: FlaskClient, kakao: FakeKakao, account: dict[str, Any], korean: str, asks: bool
) -> None:
    kakao.me = person(7, **account)
    response = log_in(client, kakao, next="/users/me/")
    assert response.status_code == 403
    assert korean in response.text
    assert ("consent=account_email" in response.text) == asks
    assert count_users(app) == 0
    assert not is_logged_in(client)


def test_asking_for_the_email_sends_the_scope_and_ends_at_next(client: FlaskClient, kakao: FakeKakao) -> None:
    sent = begin_login(client, consent="account_email", next="/users/me/")
    assert sent["scope"] == "account_email"
    assert come_back(client, sent["state"]).location == "/users/me/"


def test_openid_is_kept_when_asking_for_more(make_app: Any) -> None:
    client = make_app(KAKAO_SCOPE="openid,profile_nickname").test_client()
    assert begin_login(client)["scope"] == "openid,profile_nickname"
    assert begin_login(client, consent="account_email")["scope"] == "openid,account_email"


def test_openid_is_asked_for_again_where_id_tokens_come(client: FlaskClient, kakao: FakeKakao) -> None:
    kakao.id_claims = {}
    kakao.me = person(7, email_needs_agreement=True, email=None, is_email_valid=None, is_email_verified=None)
    assert "consent=account_email" in log_in(client, kakao).text
    assert begin_login(client, consent="account_email")["scope"] == "openid,account_email"


def test_without_email_when_not_required(make_app: Any, kakao: FakeKakao) -> None:
    app = make_app(KAKAOAUTH_EMAIL_REQUIRED=False)
    client = app.test_client()
    kakao.me = {"id": 7}
    assert log_in(client, kakao).status_code == 302
    with app.app_context():
        user = db.session.query(User).one()
        assert user.email is None
    assert "/kakao/login/?consent=account_email" in client.get("/users/me/").text.replace("&amp;", "&")


def test_email_in_use_names_the_provider_only(
    app: Flask, client: FlaskClient, kakao: FakeKakao, people: dict[str, int]
) -> None:
    kakao.me = person(7, email="MINJI@example.kr")
    response = log_in(client, kakao)
    assert response.status_code == 409
    assert "카카오" in response.text
    assert "minji" not in response.text.lower()
    assert count_users(app) == 4


def test_suspended_account_stays_out(app: Flask, client: FlaskClient, kakao: FakeKakao, people: dict[str, int]) -> None:
    with app.app_context():
        db.session.get(User, people["minji"]).is_active = False
        db.session.commit()
    kakao.me = person(1000, email="minji@example.kr")
    response = log_in(client, kakao)
    assert response.status_code == 403
    assert "이용할 수 없" in response.text
    assert not is_logged_in(client)


# Twice


def test_two_tabs_each_reach_their_own_next(client: FlaskClient, kakao: FakeKakao) -> None:
    first, second = begin_login(client, next="/users/me/"), begin_login(client, next="/users/")
    assert come_back(client, first["state"], "code-a").location == "/users/me/"
    assert come_back(client, second["state"], "code-b").location == "/users/"
    assert come_back(client, first["state"], "code-a").location == "/users/me/", "the back button in the first tab"
    assert is_logged_in(client)


def test_back_button_goes_where_the_login_went(client: FlaskClient, kakao: FakeKakao) -> None:
    sent = begin_login(client, next="/users/me/")
    come_back(client, sent["state"])
    calls = len(kakao.calls)
    assert come_back(client, sent["state"]).location == "/users/me/"
    assert len(kakao.calls) == calls


def test_used_state_in_another_browser_is_refused(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    sent = begin_login(client)
    come_back(client, sent["state"])
    stranger = app.test_client()
    begin_login(stranger)
    assert come_back(stranger, sent["state"]).status_code == 400
    assert not is_logged_in(stranger)


def test_back_button_after_logout_logs_nobody_in(client: FlaskClient, kakao: FakeKakao) -> None:
    sent = begin_login(client)
    before = set_cookie(client)
    come_back(client, sent["state"])
    client.post("/kakao/logout/", data={"csrf_token": csrf_token(client)})
    assert come_back(client, sent["state"]).status_code == 400
    client.set_cookie("session", before)
    assert come_back(client, sent["state"]).status_code == 400
    assert not is_logged_in(client)


def test_double_click_spends_the_code_once(app: Flask, client: FlaskClient, kakao: FakeKakao, redis: Redis) -> None:
    sent = begin_login(client, next="/users/me/")
    cookie = set_cookie(client)
    arrived, go_on = threading.Event(), threading.Event()

    def slow_token(request: Any, context: Any) -> dict[str, Any]:
        arrived.set()
        assert go_on.wait(5)
        return kakao._token(request, context)

    kakao.fails(token={"json": slow_token})
    answers: dict[str, Any] = {}

    def click(name: str) -> None:
        browser = app.test_client()
        browser.set_cookie("session", cookie)
        answers[name] = come_back(browser, sent["state"])

    first = threading.Thread(target=click, args=("first",))
    first.start()
    assert arrived.wait(5)
    second = threading.Thread(target=click, args=("second",))
    second.start()
    go_on.set()
    first.join(10)
    second.join(10)
    assert {answer.status_code for answer in answers.values()} == {302}
    assert {answer.location for answer in answers.values()} == {"/users/me/"}
    cookies = {re.search(r"session=([^;]+)", str(a.headers.getlist("Set-Cookie")))[1] for a in answers.values()}  # type: ignore[index]
    assert len(cookies) == 1, "both answers carry one session"
    assert len([call for call in kakao.calls if call.startswith("POST")]) == 1
    assert len(redis.keys("session:*")) == 1
    client.set_cookie("session", cookies.pop())
    assert is_logged_in(client)


def test_lost_answer_is_found_by_a_reload(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    """The browser threw the first answer away, its new cookie included, and asks again."""
    sent = begin_login(client)
    cookie = set_cookie(client)
    come_back(client, sent["state"])
    browser = app.test_client()
    browser.set_cookie("session", cookie)
    assert come_back(browser, sent["state"]).status_code == 302
    assert is_logged_in(browser)
    assert len([call for call in kakao.calls if call.startswith("POST")]) == 1


def blocked(kakao: FakeKakao) -> tuple[threading.Event, threading.Event]:
    """Kakao is asked for the token, and answers when told to."""
    arrived, go_on = threading.Event(), threading.Event()

    def slow_token(request: Any, context: Any) -> dict[str, Any]:
        arrived.set()
        assert go_on.wait(10)
        return kakao._token(request, context)

    kakao.fails(token={"json": slow_token})
    return arrived, go_on


def test_worker_killed_in_the_callback_is_known_at_once_and_said(
    app: Flask, client: FlaskClient, kakao: FakeKakao, redis: Redis
) -> None:
    blocked(kakao)
    sent = begin_login(client, next="/users/me/")
    worker = os.fork()
    if worker == 0:
        come_back(client, sent["state"])
        os._exit(1)
    until(lambda: redis.keys("login-alive:*"))
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    watch = Stopwatch()
    for _ in range(2):
        answer = come_back(client, sent["state"], lang="en")
        assert answer.status_code == 503
        assert 'data-code="LOGIN_INTERRUPTED"' in answer.text
        assert "Try again" in answer.text
    assert watch.seconds() < app.config["PROVIDER_DEADLINE_SECONDS"], "not as long as for one who works"
    kakao.fails(token={"json": kakao._token})
    assert log_in(client, kakao).status_code == 302, "and it does work"


def test_worker_that_is_slow_is_waited_for(app: Flask, client: FlaskClient, kakao: FakeKakao, redis: Redis) -> None:
    arrived, go_on = blocked(kakao)
    sent = begin_login(client)
    cookie, answers = set_cookie(client), []

    def click() -> None:
        browser = app.test_client()
        browser.set_cookie("session", cookie)
        answers.append(come_back(browser, sent["state"]).status_code)

    def looks() -> int:
        found: int = redis.info("commandstats").get("cmdstat_pttl", {"calls": 0})["calls"]
        return found

    clicks = [threading.Thread(target=click) for _ in range(2)]
    clicks[0].start()
    assert arrived.wait(5)
    until(lambda: redis.keys("login-alive:*"))
    (claim,) = redis.keys("login:*")
    redis.pexpire(claim, int((SECONDS - 60) * 1000))  # it has been at it for a minute
    before = looks()
    clicks[1].start()
    until(lambda: looks() > before + 1)
    go_on.set()
    for thread in clicks:
        thread.join(10)
    assert answers == [302, 302]


def outage(app: Flask, cause: Exception) -> Callable[[], None]:
    """Whatever asks the database is told so, until the returned function is called."""
    with app.app_context():
        engine = db.engine

    def refuse(*_: Any) -> None:
        raise cause

    event.listen(engine, "before_cursor_execute", refuse)
    return lambda: event.remove(engine, "before_cursor_execute", refuse)


def test_reload_after_an_outage_in_the_callback_says_the_same(
    app: Flask, client: FlaskClient, kakao: FakeKakao, redis: Redis
) -> None:
    app.testing = False
    arrived, go_on = blocked(kakao)
    sent = begin_login(client, next="/users/me/")
    answers: list[Any] = []
    first = threading.Thread(target=lambda: answers.append(come_back(client, sent["state"])))
    first.start()
    assert arrived.wait(5)
    end = outage(app, OperationalError("SELECT 1", {}, Exception("secret")))
    go_on.set()
    first.join(10)
    end()
    answers += [come_back(client, sent["state"]) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert all('data-code="DATABASE_UNAVAILABLE"' in answer.text for answer in answers)
    assert "/kakao/login/" in answers[-1].text, "a way to try again"
    assert log_in(client, kakao).status_code == 302


def test_planted_session_cannot_follow_its_victim(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    """A thief knows the old session id and the state, but not the victim's code."""
    sent = begin_login(client)
    cookie = set_cookie(client)
    come_back(client, sent["state"], "the-victims-code")
    thief = app.test_client()
    thief.set_cookie("session", cookie)
    assert come_back(thief, sent["state"], "the-thiefs-code").status_code == 400
    assert not is_logged_in(thief)


def test_reload_of_a_failure_shows_the_same_failure(client: FlaskClient, kakao: FakeKakao) -> None:
    kakao.me = person(7, is_email_verified=False)
    sent = begin_login(client)
    first, second = come_back(client, sent["state"]), come_back(client, sent["state"])
    assert (first.status_code, second.status_code) == (403, 403)
    assert "인증되지" in second.text
    assert len([call for call in kakao.calls if call.startswith("POST")]) == 1


def test_hundred_starts_keep_ten(client: FlaskClient, kakao: FakeKakao, redis: Redis) -> None:
    states = [begin_login(client)["state"] for _ in range(100)]
    assert come_back(client, states[0]).status_code == 400
    size = redis.strlen(redis.keys("session:*")[0])
    assert size < 10_000
    assert come_back(client, states[-1]).status_code == 302
    assert come_back(client, states[-10]).status_code == 302


def test_many_first_logins_at_once_make_one_user(make_app: Any, kakao: FakeKakao, database_url: str) -> None:
    app = make_app(DATABASE_URL=database_url)
    # No more than may call the provider at once; an SQLite file has one writer at a time, for whom nobody waits longer
    # than 2 seconds.
    crowd = 8 if database_url.startswith("sqlite") else 16
    browsers = [app.test_client() for _ in range(crowd)]
    states = [begin_login(browser)["state"] for browser in browsers]
    start = threading.Barrier(crowd)
    statuses: list[int] = []

    def finish(number: int) -> None:
        start.wait(10)
        statuses.append(come_back(browsers[number], states[number], f"code-{number}").status_code)

    threads = [threading.Thread(target=finish, args=(number,)) for number in range(crowd)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert statuses == [302] * crowd
    assert count_users(app) == 1


def test_two_people_with_one_email_at_once(make_app: Any, kakao: FakeKakao, database_url: str) -> None:
    app = make_app(DATABASE_URL=database_url)
    me = threading.local()
    kakao.fails(me={"json": lambda request, _: person(int(request.headers["Authorization"][-1]), email="one@a.kr")})
    kakao.fails(token={"json": lambda *_: {"token_type": "bearer", "access_token": f"t{me.number}", "expires_in": 9}})
    start = threading.Barrier(2)
    statuses: list[int] = []

    def finish(number: int) -> None:
        me.number = number
        browser = app.test_client()
        state = begin_login(browser)["state"]
        start.wait(10)
        statuses.append(come_back(browser, state, f"code-{number}").status_code)

    threads = [threading.Thread(target=finish, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(statuses) == [302, 409]
    assert count_users(app) == 1
