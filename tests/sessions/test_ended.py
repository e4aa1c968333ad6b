"""What was ended stays ended: whatever is away when it ends, and whatever Redis remembers afterwards."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import event
from support import FakeKakao, add_second, api_client, csrf_token, is_logged_in, log_in, set_cookie
from support.apps import close
from support.concurrency import until
from support.devices import browsers, end, ended, leave, rows
from support.redis_server import RedisServer

from kakaoauth import create_app, jobs
from kakaoauth.audit import AuditEvent
from kakaoauth.models import EndedSession, User
from kakaoauth.sessions import ended as ended_sessions
from kakaoauth.sessions.ended import MARGIN
from kakaoauth.sessions.names import former_name_of, name_of
from kakaoauth.storage import database
from kakaoauth.storage.database import db
from kakaoauth.storage.schema import upgrade
from kakaoauth.tokens import flows as token_flows

MakeApp = Callable[..., Flask]


@pytest.fixture
def site(make_app: MakeApp, database_url: str) -> Flask:
    return add_second(make_app(DATABASE_URL=database_url))


def snapshot(redis: Redis) -> dict[bytes, Any]:
    return {key: redis.dump(key) for key in redis.keys()}


def go_back(redis: Redis, backup: dict[bytes, Any]) -> None:
    """Redis restarts from an older snapshot."""
    redis.flushall()
    for key, value in backup.items():
        redis.restore(key, 60_000, value)


def remembered(app: Flask) -> dict[str, datetime]:
    with app.app_context():
        return {row.name: row.until for row in db.session.query(EndedSession)}


def actions(app: Flask) -> list[str]:
    with app.app_context():
        return [row.action for row in db.session.query(AuditEvent).order_by(AuditEvent.id)]


# Redis comes back older


def test_logout_outlives_an_older_redis(site: Flask, kakao: FakeKakao, redis: Redis) -> None:
    cafe, home = browsers(site, kakao, 2)
    cookie = set_cookie(cafe)
    backup = snapshot(redis)
    assert leave(cafe).status_code == 302
    go_back(redis, backup)
    cafe.set_cookie("session", cookie)
    assert redis.exists(f"session:{name_of(cookie)}")
    assert not is_logged_in(cafe)
    assert not redis.exists(f"session:{name_of(cookie)}"), "it is removed once more"
    assert is_logged_in(home)


def test_ended_phone_outlives_an_older_redis(site: Flask, kakao: FakeKakao, redis: Redis) -> None:
    phone, laptop = browsers(site, kakao, 2)
    phone.get("/users/me/", headers={"User-Agent": "phone"})
    handle = next(line for line in lines_of(laptop) if "session" not in line)
    backup = snapshot(redis)
    assert end(laptop, handle).status_code == 302
    assert not is_logged_in(phone)
    go_back(redis, backup)
    assert len(lines_of(laptop)) == 0, "nor is it listed again"
    assert not is_logged_in(phone)
    assert is_logged_in(laptop)


def lines_of(client: FlaskClient) -> list[str]:
    """Handles of the other devices."""
    page = client.get("/users/me/", headers={"Accept-Language": "en"}).text
    found = page.partition('<ul class="rows devices">')[2].partition("</ul>")[0].split("<li>")[1:]
    others = [item for item in found if "This device" not in item and "this device" not in item]
    return [item.split('action="/users/me/devices/')[1].split("/end/")[0] for item in others]


def test_own_device_ended_on_the_page_outlives_an_older_redis(site: Flask, kakao: FakeKakao, redis: Redis) -> None:
    (phone,) = browsers(site, kakao, 1)
    cookie, backup = set_cookie(phone), snapshot(redis)
    page = phone.get("/users/me/").text
    handle = page.split('action="/users/me/devices/')[1].split("/end/")[0]
    assert end(phone, handle).status_code == 302
    go_back(redis, backup)
    phone.set_cookie("session", cookie)
    assert not is_logged_in(phone)


@pytest.mark.parametrize("again", ["login", "link"])
def test_id_that_was_replaced_outlives_an_older_redis(site: Flask, kakao: FakeKakao, redis: Redis, again: str) -> None:
    (phone,) = browsers(site, kakao, 1)
    old, backup = set_cookie(phone), snapshot(redis)
    if again == "login":
        assert log_in(phone, kakao).status_code == 302
    else:
        with site.app_context():
            user_id = db.session.scalar(db.select(User.id))
        answer = phone.post("/users/me/link/second/", data={"csrf_token": csrf_token(phone)})
        state = answer.location.split("state=")[1].split("&")[0]
        assert phone.get(f"/second/login/callback/?state={state}&code=c").status_code == 302
        assert user_id
    assert set_cookie(phone) != old
    go_back(redis, backup)
    thief = site.test_client()
    thief.set_cookie("session", old)
    assert not is_logged_in(thief)


def test_first_login_remembers_nothing(site: Flask, kakao: FakeKakao) -> None:
    browsers(site, kakao, 2)
    assert remembered(site) == {}


def test_looking_costs_no_statement_of_its_own(
    app: Flask, kakao: FakeKakao, count_statements: Callable[..., int]
) -> None:
    phone, laptop = browsers(app, kakao, 2)
    leave(laptop)
    assert count_statements(lambda: phone.get("/")) == 1


def test_row_holds_a_hash_and_ends_with_the_session(site: Flask, kakao: FakeKakao) -> None:
    with time_machine.travel("2026-11-01T10:00:00Z", tick=False) as clock:
        (phone,) = browsers(site, kakao, 1)
        cookie = set_cookie(phone)
        clock.shift(3600)
        leave(phone)
        moment = datetime(2026, 11, 1, 11, tzinfo=UTC)
        assert remembered(site) == {name_of(cookie): moment + timedelta(days=14)}
        clock.move_to(moment + timedelta(days=14) + MARGIN)
        tidy(site)
        assert len(remembered(site)) == 1
        clock.shift(1)
        tidy(site)
        assert remembered(site) == {}


def tidy(app: Flask) -> None:
    with app.app_context():
        jobs.tidy(0.0)


def test_memory_lasts_no_longer_than_the_longest_session(site: Flask, kakao: FakeKakao) -> None:
    with time_machine.travel("2026-08-01T10:00:00Z", tick=False) as clock:
        (phone,) = browsers(site, kakao, 1)
        for _ in range(8):
            clock.shift(10 * 86400)
            assert is_logged_in(phone)
        leave(phone)
        assert list(remembered(site).values()) == [datetime(2026, 8, 1, 10, tzinfo=UTC) + timedelta(days=90)]


def test_page_that_asks_for_nobody_keeps_no_session_alive(app: Flask, kakao: FakeKakao, redis: Redis) -> None:
    """Else a session that the database has ended could be carried past the day until which it is remembered."""
    with time_machine.travel("2026-11-01T10:00:00Z", tick=False) as clock:
        (phone,) = browsers(app, kakao, 1)
        (key,) = redis.keys("session:*")
        before = redis.get(key)
        clock.shift(3600)
        assert phone.get("/kakao/logout/callback/").status_code == 400
        assert redis.get(key) == before


def test_other_names_are_nobodys_business(app: Flask) -> None:
    with app.app_context():
        assert ended_sessions.among([]) == set()
        ended_sessions.remember(["a" * 64, "a" * 64], datetime.now(UTC))
        ended_sessions.remember(["a" * 64], datetime.now(UTC) + timedelta(days=1))
        assert ended_sessions.among(["a" * 64, "b" * 64]) == {"a" * 64}


# The database takes no writes


@contextmanager
def read_only(app: Flask) -> Iterator[None]:
    """As a full disk or a standby looks to the site."""
    with app.app_context():
        engine = db.engine
    is_postgresql = engine.dialect.name == "postgresql"

    def no_writes(connection: Any, _record: Any) -> None:
        if is_postgresql:
            connection.execute("SET default_transaction_read_only = on")
            connection.commit()
        else:
            connection.execute("PRAGMA query_only = on")

    engine.dispose()
    event.listen(engine, "connect", no_writes)
    try:
        yield
    finally:
        event.remove(engine, "connect", no_writes)
        engine.dispose()


@contextmanager
def gone(app: Flask) -> Iterator[None]:
    with app.app_context():
        engine = db.engine

    def refuse(*_: Any) -> Any:
        raise sqlite3.OperationalError("away") if engine.dialect.name == "sqlite" else psycopg.OperationalError("away")

    is_ours = event.contains(engine, "do_connect", database._connect_bounded)
    engine.dispose()
    if is_ours:  # the first one that connects counts
        event.remove(engine, "do_connect", database._connect_bounded)
    event.listen(engine, "do_connect", refuse)
    try:
        yield
    finally:
        event.remove(engine, "do_connect", refuse)
        if is_ours:
            event.listen(engine, "do_connect", database._connect_bounded)


TROUBLES = {"read-only": read_only, "gone": gone}


@pytest.fixture(params=TROUBLES)
def trouble(request: pytest.FixtureRequest, site: Flask) -> Callable[[], Any]:
    return lambda: TROUBLES[request.param](site)


def assert_out(app: Flask, *cookies: str) -> None:
    for cookie in cookies:
        browser = app.test_client()
        browser.set_cookie("session", cookie)
        assert not is_logged_in(browser)


def test_logout_works_while_the_database_takes_nothing(
    site: Flask, kakao: FakeKakao, trouble: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (phone,) = browsers(site, kakao, 1)
    cookie, token = set_cookie(phone), csrf_token(phone)
    with trouble():
        answer = phone.post("/kakao/logout/", data={"csrf_token": token})
        assert (answer.status_code, answer.location) == (302, "/")
        assert answer.headers["Clear-Site-Data"] == '"cache"'
        assert set_cookie(phone) == ""
    assert "logout user=1, not in the database yet" in caplog.text
    assert_out(site, cookie)


def test_logout_of_the_kakao_account_too_while_the_database_takes_nothing(
    site: Flask, kakao: FakeKakao, trouble: Any
) -> None:
    (phone,) = browsers(site, kakao, 1)
    cookie, token = set_cookie(phone), csrf_token(phone)
    with trouble():
        answer = phone.post("/kakao/logout/", data={"csrf_token": token, "account": "1"})
        assert "/oauth/logout?" in answer.location
        state = answer.location.split("state=")[1].split("&")[0]
        assert phone.get(f"/kakao/logout/callback/?state={state}").status_code == 302
    assert_out(site, cookie)


@pytest.mark.parametrize("form", [{}, {"csrf_token": "forged"}])
def test_logout_still_wants_the_forms_token(site: Flask, kakao: FakeKakao, trouble: Any, form: dict[str, str]) -> None:
    (phone,) = browsers(site, kakao, 1)
    with trouble():
        assert phone.post("/kakao/logout/", data=form).status_code == 400
        assert phone.post("/users/me/logout-everywhere/", data=form).status_code == 400
    assert is_logged_in(phone)


def test_stranger_is_told_of_the_outage_and_leaves_nothing(site: Flask, redis: Redis) -> None:
    with gone(site):
        assert site.test_client().post("/kakao/logout/", data={"csrf_token": "x"}).status_code == 503
    assert not redis.exists(ended_sessions.KEY)


def test_what_was_not_written_is_written_when_the_database_is_back(
    site: Flask, kakao: FakeKakao, redis: Redis, trouble: Any
) -> None:
    phone, _ = browsers(site, kakao, 2)
    cookie, token, backup = set_cookie(phone), csrf_token(phone), snapshot(redis)
    with trouble():
        phone.post("/kakao/logout/", data={"csrf_token": token})
    assert (rows(site), ended(kakao)) == (2, [])
    with site.app_context():
        assert jobs.run_once()[0] == 1
    assert list(remembered(site)) == [name_of(cookie)]
    assert (rows(site), ended(kakao)) == (1, ["3902187744-0"])
    go_back(redis, backup)
    assert_out(site, cookie)


def test_everything_is_left_while_the_database_takes_nothing(site: Flask, kakao: FakeKakao, trouble: Any) -> None:
    mine = browsers(site, kakao, 3)
    (other,) = browsers(site, kakao, 1, subject=5)
    cookies, token = [set_cookie(browser) for browser in mine], csrf_token(mine[0])
    with site.app_context():
        pair = token_flows.issue_tokens(db.session.get(User, 1))
    with trouble():
        answer = mine[0].post("/users/me/logout-everywhere/", data={"csrf_token": token})
        assert (answer.status_code, answer.location) == (302, "/")
    assert_out(site, *cookies)
    with site.app_context():
        jobs.run_once()
    assert api_client(site, pair.access_token).get("/api/users/me/").status_code == 401
    assert is_logged_in(other)
    again = browsers(site, kakao, 1)
    with site.app_context():
        jobs.run_once()
    assert is_logged_in(again[0]), "who has come in since stays"


def test_app_leaves_everything_while_the_database_takes_nothing(site: Flask, kakao: FakeKakao) -> None:
    (phone,) = browsers(site, kakao, 1)
    cookie = set_cookie(phone)
    with site.app_context():
        pair = token_flows.issue_tokens(db.session.get(User, 1))
    with read_only(site):
        answer = api_client(site, pair.access_token).post("/api/users/me/logout-everywhere/")
        assert answer.status_code == 204
    assert_out(site, cookie)
    with site.app_context():
        jobs.run_once()
    assert api_client(site, pair.access_token).get("/api/users/me/").status_code == 401


def test_others_are_ended_while_the_database_takes_nothing(site: Flask, kakao: FakeKakao, trouble: Any) -> None:
    phone, laptop = browsers(site, kakao, 2)
    cookie, token = set_cookie(phone), csrf_token(laptop)
    with site.app_context():
        pair = token_flows.issue_tokens(db.session.get(User, 1))
    with trouble():
        assert laptop.post("/users/me/devices/end-others/", data={"csrf_token": token}).status_code == 302
    assert_out(site, cookie)
    assert is_logged_in(laptop)
    with site.app_context():
        jobs.run_once()
    assert api_client(site, pair.access_token).get("/api/users/me/").status_code == 401
    assert is_logged_in(laptop)


def test_device_is_ended_while_the_database_takes_nothing(site: Flask, kakao: FakeKakao, trouble: Any) -> None:
    phone, laptop = browsers(site, kakao, 2)
    cookie, token = set_cookie(phone), csrf_token(laptop)
    (handle,) = lines_of(laptop)
    with trouble():
        answer = laptop.post(f"/users/me/devices/{handle}/end/", data={"csrf_token": token})
        assert answer.status_code == 302
    assert_out(site, cookie)
    assert is_logged_in(laptop)


def test_app_is_ended_as_soon_as_the_database_takes_it(site: Flask, kakao: FakeKakao, trouble: Any) -> None:
    (laptop,) = browsers(site, kakao, 1)
    with site.app_context():
        pair = token_flows.issue_tokens(db.session.get(User, 1))
    (handle,), token = lines_of(laptop), csrf_token(laptop)
    with trouble():
        answer = laptop.post(f"/users/me/devices/{handle}/end/", data={"csrf_token": token})
        assert answer.status_code == 302
    with site.app_context():
        jobs.run_once()
    assert api_client(site, pair.access_token).get("/api/users/me/").status_code == 401


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_revoked_token_is_ended_as_soon_as_the_database_takes_it(
    site: Flask, kakao: FakeKakao, redis: Redis, trouble: Any, which: str
) -> None:
    browsers(site, kakao, 1)
    with site.app_context():
        pair = token_flows.issue_tokens(db.session.get(User, 1))
    token = getattr(pair, which)
    with trouble():
        assert site.test_client().post("/api/token/revoke/", json={"token": token}).status_code == 200
        assert site.test_client().post("/api/token/revoke/", json={"token": "made-up"}).status_code == 200
    assert redis.llen(ended_sessions.KEY) == 1
    assert token.encode() not in b"".join(redis.lrange(ended_sessions.KEY, 0, -1)), "it is kept encrypted"
    with site.app_context():
        jobs.run_once()
    assert api_client(site, pair.access_token).get("/api/users/me/").status_code == 401


def test_waiting_end_that_cannot_be_read_holds_up_no_other(
    site: Flask, kakao: FakeKakao, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    for odd in ("{", "[]", '{"everywhere": "x"}', '{"names": 7, "until": 1}', '{"family": 1}'):
        redis.rpush(ended_sessions.KEY, odd)
    (phone,) = browsers(site, kakao, 1)
    cookie, token = set_cookie(phone), csrf_token(phone)
    with read_only(site):
        phone.post("/kakao/logout/", data={"csrf_token": token})
    with site.app_context():
        jobs.run_once()
    assert list(remembered(site)) == [name_of(cookie)]
    assert "cannot be done" in caplog.text


# Redis is away


@pytest.fixture
def server(start_redis: Callable[..., RedisServer]) -> RedisServer:
    return start_redis("--appendonly", "yes")


@pytest.fixture
def with_server(make_app: MakeApp, server: RedisServer, database_url: str) -> Flask:
    return make_app(REDIS_URL=server.url, DATABASE_URL=database_url, TESTING=False)


@pytest.mark.parametrize("account", ["", "1"])
@pytest.mark.parametrize("how", ["stopped", "frozen", "replica"])
def test_logout_while_redis_is_away_counts_when_it_is_back(
    with_server: Flask, server: RedisServer, kakao: FakeKakao, how: str, account: str
) -> None:
    (phone,) = browsers(with_server, kakao, 1)
    cookie, token = set_cookie(phone), csrf_token(phone)
    {"stopped": server.stop, "frozen": server.freeze, "replica": lambda: server.client.replicaof("127.0.0.1", "1")}[
        how
    ]()
    answer = phone.post("/kakao/logout/", data={"csrf_token": token, "account": account})
    {"stopped": server.start, "frozen": server.thaw, "replica": lambda: server.client.replicaof("NO", "ONE")}[how]()
    assert answer.status_code == 302
    assert ("/oauth/logout?" in answer.location) == (account == "1")
    assert set_cookie(phone) == "", "the cookie goes"
    # What a replica can still read tells by which name the session goes.
    names = {name_of(cookie)} if how == "replica" else {name_of(cookie), former_name_of(cookie)}
    assert set(remembered(with_server)) == names, "Redis knows which"
    until(lambda: server.client.exists(f"session:{name_of(cookie)}") is not None)
    phone.set_cookie("session", cookie)
    until(lambda: phone.get("/users/me/").status_code == 302)


def test_logout_while_redis_is_away_wants_the_token_of_this_very_session(
    with_server: Flask, server: RedisServer, kakao: FakeKakao
) -> None:
    phone, other = browsers(with_server, kakao, 2)
    cookie, others = set_cookie(phone), csrf_token(other)
    server.stop()
    for form in ({}, {"csrf_token": "x"}, {"csrf_token": others}):
        assert phone.post("/kakao/logout/", data=form).status_code == 503
    assert set_cookie(phone) == cookie
    assert remembered(with_server) == {}
    server.start()
    assert until(lambda: is_logged_in(phone))


def test_logout_with_both_away_says_what_is_true(with_server: Flask, server: RedisServer, kakao: FakeKakao) -> None:
    (phone,) = browsers(with_server, kakao, 1)
    token = csrf_token(phone)
    server.stop()
    with gone(with_server):
        answer = phone.post("/kakao/logout/?lang=en", data={"csrf_token": token})
    assert answer.status_code == 503
    assert 'data-code="LOGOUT_UNFINISHED"' in answer.text
    assert set_cookie(phone) == ""


def test_replica_lets_nobody_in_whom_the_database_has_ended(
    with_server: Flask, server: RedisServer, kakao: FakeKakao
) -> None:
    phone, laptop = browsers(with_server, kakao, 2)
    token, (handle,) = csrf_token(laptop), lines_of(laptop)
    server.client.replicaof("127.0.0.1", "1")
    for _ in range(2):
        answer = laptop.post(f"/users/me/devices/{handle}/end/", data={"csrf_token": token})
        assert answer.status_code == 302
    assert not is_logged_in(phone)
    assert actions(with_server).count("device ended") == 1
    assert laptop.post("/users/me/logout-everywhere/", data={"csrf_token": token}).status_code == 302
    server.client.replicaof("NO", "ONE")


# Ready?


@pytest.fixture
def upgraded(settings: dict[str, Any], bare_database_url: str, server: RedisServer) -> Iterator[Flask]:
    app = create_app({**settings, "DATABASE_URL": bare_database_url, "REDIS_URL": server.url})
    with app.app_context():
        upgrade()
    yield app
    close(app)


def ready(app: Flask, *, later: bool = True) -> tuple[int, Any]:
    """:param later: more than a second after the last look."""
    if later:
        app.extensions["kakaoauth_health"]["writable_until"].clear()
    answer = app.test_client().get("/readyz")
    return answer.status_code, answer.json


def test_site_is_ready_only_while_something_can_be_written(upgraded: Flask, server: RedisServer) -> None:
    fine = {"status": "ok", "redis": "ok", "database": "ok"}
    assert ready(upgraded) == (200, fine)
    with read_only(upgraded):
        assert ready(upgraded) == (503, {**fine, "status": "unavailable", "database": "not writable"})
    assert ready(upgraded) == (200, fine)
    server.client.config_set("maxmemory-policy", "noeviction")
    server.client.set("ballast", "x" * 1_500_000)
    server.client.config_set("maxmemory", "1mb")
    assert ready(upgraded) == (503, {**fine, "status": "unavailable", "redis": "not writable"})
    server.client.config_set("maxmemory", "0")
    server.client.replicaof("127.0.0.1", "1")
    assert ready(upgraded) == (503, {**fine, "status": "unavailable", "redis": "not writable"})
    server.client.replicaof("NO", "ONE")
    assert ready(upgraded) == (200, fine)


def test_crowd_of_probes_is_one_write(upgraded: Flask, server: RedisServer) -> None:
    server.client.config_resetstat()
    assert ready(upgraded)[0] == 200
    answers = [ready(upgraded, later=False)[0] for _ in range(5)]
    assert answers == [200] * 5
    assert server.client.info("commandstats")["cmdstat_set"]["calls"] == 1
