"""Redis at its `maxmemory`: reads and deletes work, every write is refused. Who is in goes on, nobody comes in."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from support import FakeKakao, add_second, api_client, begin_login, csrf_token, log_in, person, problem, tokens_of
from support.redis_server import RedisServer

from kakaoauth import jobs
from kakaoauth.accounts import password_login, roles
from kakaoauth.counting import active_users, counters
from kakaoauth.models import User, find_user_by_email
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db
from kakaoauth.web import rate_limits

PASSWORD = "correct horse battery staple"


@pytest.fixture
def server(start_redis: Callable[..., RedisServer]) -> RedisServer:
    return start_redis()


@pytest.fixture
def app(make_app: Callable[..., Flask], server: RedisServer, kakao: FakeKakao) -> Flask:
    return add_second(make_app(REDIS_URL=server.url, KAKAO_APP_ID=1, TESTING=False))


@pytest.fixture
def hana(app: Flask, kakao: FakeKakao) -> FlaskClient:
    """A superuser's browser."""
    with app.app_context():
        roles.create_superuser("hana@example.kr")
        password_login.set_password(find_user_by_email("hana@example.kr"), PASSWORD)
    kakao.me = person(7, email="hana@example.kr")
    client = app.test_client()
    assert log_in(client, kakao).status_code == 302
    return client


def fill(server: RedisServer) -> None:
    server.client.config_set("maxmemory-policy", "noeviction")
    server.client.config_set("maxmemory", 1)


def in_two_minutes() -> Any:
    """When the time a session was last seen has to be written."""
    return time_machine.travel(now() + timedelta(minutes=2), tick=False)


def test_who_is_in_goes_on_over_every_page(server: RedisServer, hana: FlaskClient, kakao: FakeKakao) -> None:
    with in_two_minutes():
        fill(server)
        before = server.client.dbsize()
        for path in ("/", "/users/", "/users/me/", "/users/1/", "/users/overview/", "/users/audit/", "/kakao/logout/"):
            assert hana.get(path).status_code == 200, path
        assert server.client.dbsize() <= before


def test_export_works(server: RedisServer, hana: FlaskClient) -> None:
    token = csrf_token(hana)
    with in_two_minutes():
        fill(server)
        answer = hana.post("/users/export.csv", data={"csrf_token": token})
    assert answer.status_code == 200
    assert "hana@example.kr" in answer.text


def test_decision_of_a_superuser_is_made_although_its_message_is_lost(
    server: RedisServer, hana: FlaskClient, app: Flask
) -> None:
    with app.app_context():
        other = User.objects.create_user("minji@example.kr")
        db.session.commit()
        other_id = other.id
    token = csrf_token(hana)
    fill(server)
    answer = hana.post(f"/users/{other_id}/suspend/", data={"csrf_token": token, "reason": "spam spam"})
    assert answer.status_code == 302
    with app.app_context():
        assert not db.session.get(User, other_id).is_active


@pytest.mark.parametrize("account", ["", "1"])
def test_logging_out_works(server: RedisServer, hana: FlaskClient, account: str) -> None:
    token = csrf_token(hana)
    fill(server)
    copied = hana.get_cookie("session").value
    assert hana.post("/kakao/logout/", data={"csrf_token": token, "account": account}).status_code == 302
    assert list(server.client.scan_iter("session:*")) == []
    hana.set_cookie("session", copied)
    assert hana.get("/users/me/").status_code == 302


def test_login_needs_a_write_and_says_so(server: RedisServer, app: Flask, kakao: FakeKakao, hana: FlaskClient) -> None:
    waiting = app.test_client()
    state = begin_login(waiting)["state"]
    fill(server)
    for answer in (
        app.test_client().get("/kakao/login/"),
        app.test_client().get("/login/"),
        waiting.get("/kakao/login/callback/", query_string={"state": state, "code": "canary"}),
    ):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    for path, body in (
        ("/api/auth/kakao/", {"access_token": "canary"}),
        ("/api/token/", {"email": "hana@example.kr", "password": PASSWORD}),
    ):
        problem(app.test_client().post(path, json=body), 503, "SESSIONS_UNAVAILABLE")
    assert app.test_client().get("/").status_code == 200
    server.client.config_set("maxmemory", 0)
    assert log_in(app.test_client(), kakao).status_code == 302


def test_link_of_somebody_who_is_in_is_not_begun_in_vain(server: RedisServer, hana: FlaskClient) -> None:
    token = csrf_token(hana)
    fill(server)
    assert hana.post("/users/me/link/second/", data={"csrf_token": token}).status_code == 503
    assert hana.get("/users/me/").status_code == 200


def test_apps_go_on_and_refresh(server: RedisServer, app: Flask, hana: FlaskClient) -> None:
    with app.app_context():
        user_id = find_user_by_email("hana@example.kr").id
    pair = tokens_of(app, user_id)
    fill(server)
    assert api_client(app, pair.access_token).get("/api/users/me/").status_code == 200
    assert app.test_client().post("/api/token/verify/", json={"token": pair.access_token}).status_code == 200
    answer = app.test_client().post("/api/token/refresh/", json={"refresh_token": pair.refresh_token})
    assert answer.status_code == 200
    assert app.test_client().post("/api/token/revoke/", json={"token": answer.json["refresh_token"]}).status_code == 200


def test_promotion_counts_from_the_next_click(server: RedisServer, app: Flask, kakao: FakeKakao) -> None:
    """The session's mark for staff cannot be written, and nothing depends on it."""
    kakao.me = person(8)
    client = app.test_client()
    log_in(client, kakao)
    fill(server)
    with app.app_context():
        roles.promote(find_user_by_email("p8@example.kr"), superuser=False)
    assert client.get("/users/").status_code == 200


def test_jobs_go_on_and_numbers_wait(server: RedisServer, app: Flask, hana: FlaskClient) -> None:
    with app.app_context():
        counters.count("sign_up", "kakao")
        waiting = counters.totals()
        fill(server)
        counters.count("sign_up", "kakao")
        active_users.mark_active_app(5)
        assert jobs.run_once() == (0, 0)
        assert counters.totals()[("sign_up", "kakao")] == waiting[("sign_up", "kakao")]
        server.client.config_set("maxmemory", 0)
        jobs.run_once()
        assert counters.totals()[("sign_up", "kakao")] == waiting[("sign_up", "kakao")]


def test_operator_is_told(server: RedisServer, hana: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with in_two_minutes():
        fill(server)
        hana.get("/users/me/")
    told = [record for record in caplog.records if "Redis is full" in record.getMessage()]
    assert {record.levelno for record in told} == {logging.WARNING}
    assert rate_limits.LIMITS["api_login"].closed
