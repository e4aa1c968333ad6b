"""Redis or the database goes away: every page says so in words within three seconds, and all is well by itself
when it comes back. The servers are real; they are stopped, frozen, filled up and locked."""

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from redis import Redis
from support import FakeKakao, begin_login, come_back, csrf_token, log_in, person
from support.concurrency import ASKING, Ask, ask_at_once, until
from support.redis_server import RedisServer
from support.stopwatch import Stopwatch
from support.wire import Wire

from kakaoauth.models import Identity, User
from kakaoauth.storage.database import db

#: A page may take no longer (seconds).
PATIENCE = 3.0
#: The main button, where it asks for the same page once more.
AGAIN = re.compile(r'<a class="button" href="([^"]*)" data-once>(?:다시 시도하기|Try again)<')
WORDS = {
    "SESSIONS_UNAVAILABLE": ("Redis", "Redis"),
    "DATABASE_UNAVAILABLE": ("데이터베이스", "database"),
}


class Visitors:
    """People who were in the middle of something when it happened."""

    def __init__(self, app: Flask, kakao: FakeKakao) -> None:
        self.app, self.kakao = app, kakao
        with app.app_context():
            sora = User.objects.create_user("sora@example.kr", nickname="소라", provider="kakao", is_staff=True)
            db.session.add(Identity(provider="kakao", subject="7", user=sora))
            db.session.commit()
        kakao.me = person(7, email="sora@example.kr")
        self.sora = app.test_client()
        assert log_in(self.sora, kakao).status_code == 302
        self.token = csrf_token(self.sora)
        self.half_way = app.test_client()
        self.state = begin_login(self.half_way, next="/users/me/")["state"]

    def asks(self) -> dict[str, Ask]:
        """Every page, each in a browser of its own so that they can be asked at once."""

        def logged_in() -> FlaskClient:
            browser = self.app.test_client()
            browser.set_cookie("session", self.sora.get_cookie("session").value)  # type: ignore[union-attr]
            return browser

        return {
            "first page": lambda: self.app.test_client().get("/"),
            "first page, logged in": lambda: logged_in().get("/"),
            "own page": lambda: logged_in().get("/users/me/?lang=en"),
            "own page, anonymous": lambda: self.app.test_client().get("/users/me/"),
            "user list": lambda: logged_in().get("/users/"),
            "login": lambda: self.app.test_client().get("/kakao/login/"),
            "callback": lambda: come_back(self.half_way, self.state),
            "logout page": lambda: logged_in().get("/kakao/logout/?lang=en"),
        }

    def log_out(self, **form: str) -> Any:
        browser = self.app.test_client()
        browser.set_cookie("session", self.sora.get_cookie("session").value)  # type: ignore[union-attr]
        return browser.post("/kakao/logout/", data={"csrf_token": self.token, **form})

    def all_is_well(self) -> bool:
        """A stranger can log in, and nothing is left of the outage."""
        self.kakao.me = person(7, email="sora@example.kr")
        stranger = self.app.test_client()
        if stranger.get("/").status_code != 200 or stranger.get("/kakao/login/").status_code != 302:
            return False
        return log_in(stranger, self.kakao).status_code == 302 and stranger.get("/users/").status_code == 200


def stranger(visitors: Visitors) -> dict[str, Ask]:
    return {"first page": visitors.asks()["first page"]}


def assert_all_say_so(visitors: Visitors, code: str) -> None:
    asks = visitors.asks()
    # What strangers are told is up to a second old.
    until(lambda: ask_at_once(stranger(visitors))["first page"][0].status_code == 503)
    ended = ask_at_once(asks)
    found = {name: (answer.status_code, answer.headers.get("Retry-After")) for name, (answer, _) in ended.items()}
    assert found == dict.fromkeys(asks, (503, "5"))
    slow = {name: seconds for name, (_, seconds) in ended.items() if seconds > PATIENCE}
    assert not slow
    korean, english = WORDS[code]
    again = {name: AGAIN.findall(answer.text) for name, (answer, _) in ended.items()}
    assert again["own page"] == ["/users/me/?lang=en"]
    assert again["user list"] == ["/users/"]
    assert again["callback"] == [], "the code must not stand in a page"
    for name, (answer, _) in ended.items():
        assert f'data-code="{code}"' in answer.text, name
        in_english = '<html lang="en">' in answer.text
        assert (english if in_english else korean) in answer.text, name
        assert in_english or re.search("<h1>[^<]*[가-힣]", answer.text), name
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Content-Security-Policy" in answer.headers
        assert not [cookie for cookie in answer.headers.getlist("Set-Cookie") if cookie.startswith("session=")], name


def health(app: Flask) -> tuple[int, int, dict[str, str]]:
    client = app.test_client()
    watch = Stopwatch()
    alive, ready = client.get("/healthz"), client.get("/readyz")
    assert watch.seconds() < PATIENCE
    assert ready.json is not None
    return alive.status_code, ready.status_code, {name: ready.json[name] for name in ("redis", "database")}


# Redis


@pytest.fixture
def server(start_redis: Callable[..., RedisServer]) -> RedisServer:
    return start_redis()


@pytest.fixture
def visitors(make_app: Callable[..., Flask], server: RedisServer, kakao: FakeKakao) -> Visitors:
    return Visitors(make_app(REDIS_URL=server.url, TESTING=False), kakao)


def test_redis_stops_and_comes_back(visitors: Visitors, server: RedisServer) -> None:
    calls = len(visitors.kakao.calls)
    server.stop()
    assert_all_say_so(visitors, "SESSIONS_UNAVAILABLE")
    assert health(visitors.app) == (200, 503, {"redis": "unavailable", "database": "ok"})
    assert len(visitors.kakao.calls) == calls, "the code was not spent on a login that could not be kept"
    server.start()
    until(visitors.all_is_well)
    assert visitors.sora.get("/users/me/").status_code == 302, "this Redis kept nothing: log in again"
    assert come_back(visitors.half_way, visitors.state).status_code == 400


def test_redis_freezes_and_goes_on(visitors: Visitors, server: RedisServer) -> None:
    server.freeze()
    try:
        assert_all_say_so(visitors, "SESSIONS_UNAVAILABLE")
        assert health(visitors.app) == (200, 503, {"redis": "unavailable", "database": "ok"})
    finally:
        server.thaw()
    until(visitors.all_is_well)
    assert visitors.sora.get("/users/me/").status_code == 200
    assert come_back(visitors.half_way, visitors.state).location == "/users/me/", "the login goes on where it stood"


def test_redis_dies_while_kakao_answers_the_callback(visitors: Visitors, server: RedisServer) -> None:
    """After the code is spent: nobody is told that they are in, nobody is, and the next login works."""
    answer_of = visitors.kakao._token

    def token(request: Any, context: Any) -> dict[str, Any]:
        server.stop()
        return answer_of(request, context)

    visitors.kakao.me = person(8, email="new@example.kr")
    visitors.kakao.fails(token={"json": token})
    watch = Stopwatch()
    answer = come_back(visitors.half_way, visitors.state)
    assert watch.seconds() < PATIENCE
    assert answer.status_code == 503
    assert 'data-code="SESSIONS_UNAVAILABLE"' in answer.text
    assert "Retry-After" in answer.headers
    assert "session=" not in str(answer.headers.getlist("Set-Cookie"))
    server.start()
    visitors.kakao.fails(token={"json": answer_of})
    until(visitors.all_is_well)


def test_redis_that_became_a_replica_refuses_writes_in_words(visitors: Visitors, server: RedisServer) -> None:
    server.client.replicaof("127.0.0.1", "1")
    for name in ("login", "callback"):
        answer = visitors.asks()[name]()
        assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5"), name
        assert 'data-code="SESSIONS_UNAVAILABLE"' in answer.text
    assert visitors.sora.get("/users/me/").status_code == 200, "reading goes on"
    assert visitors.log_out().status_code == 302, "the database remembers"
    assert visitors.sora.get("/users/me/").status_code == 302
    server.client.replicaof("NO", "ONE")
    until(visitors.all_is_well)


def test_full_redis_refuses_new_logins_in_words(visitors: Visitors, server: RedisServer) -> None:
    server.client.config_set("maxmemory-policy", "noeviction")
    server.client.set("ballast", "x" * 1_500_000)
    server.client.config_set("maxmemory", "1mb")
    for name in ("login", "callback"):
        answer = visitors.asks()[name]()
        assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5"), name
        assert 'data-code="SESSIONS_UNAVAILABLE"' in answer.text
    assert visitors.sora.get("/users/me/").status_code == 200
    assert visitors.log_out().status_code == 302, "leaving needs no room"
    server.client.config_set("maxmemory", "0")
    until(visitors.all_is_well)


def test_flushed_redis_means_logging_in_again(visitors: Visitors, server: RedisServer) -> None:
    server.client.flushall()
    server.client.script_flush()
    assert visitors.sora.get("/users/me/").status_code == 302
    assert come_back(visitors.half_way, visitors.state).status_code == 400
    assert visitors.all_is_well()


def test_connection_that_redis_closed_is_opened_again_unnoticed(visitors: Visitors, server: RedisServer) -> None:
    """After a failover or an idle time-out the first command meets a dead socket."""
    assert visitors.sora.get("/users/me/").status_code == 200
    server.client.client_kill_filter(_type="normal", skipme=True)
    assert visitors.sora.get("/users/me/").status_code == 200
    server.client.client_kill_filter(_type="normal", skipme=True)
    assert visitors.asks()["login"]().status_code == 302


def test_static_files_need_neither(visitors: Visitors, server: RedisServer) -> None:
    server.stop()
    with visitors.sora.get("/kakaoauth/style.css") as answer:
        assert (answer.status_code, len(answer.data) > 0) == (200, True)


# PostgreSQL, behind a wire that the test can cut


@pytest.fixture
def of_postgresql(make_app: Callable[..., Flask], wire: Wire, postgres_url: str, kakao: FakeKakao) -> Visitors:
    url = f"postgresql://postgres@127.0.0.1:{wire.port}{urlsplit(postgres_url).path}"
    return Visitors(make_app(DATABASE_URL=url, TESTING=False), kakao)


def test_postgresql_goes_away_and_comes_back(of_postgresql: Visitors, wire: Wire) -> None:
    wire.cut()
    assert_all_say_so(of_postgresql, "DATABASE_UNAVAILABLE")
    assert health(of_postgresql.app) == (200, 503, {"redis": "ok", "database": "unavailable"})
    wire.mend()
    until(of_postgresql.all_is_well)
    assert of_postgresql.sora.get("/users/me/").status_code == 200, "still logged in"


def test_postgresql_goes_dead_and_goes_on(of_postgresql: Visitors, wire: Wire) -> None:
    """A network that swallows packets, a frozen machine: nothing is refused, nothing is answered."""
    wire.deaden()
    try:
        assert_all_say_so(of_postgresql, "DATABASE_UNAVAILABLE")
        assert health(of_postgresql.app) == (200, 503, {"redis": "ok", "database": "unavailable"})
    finally:
        wire.enliven()
        until(lambda: not any(thread.is_alive() for thread in ASKING))
    until(of_postgresql.all_is_well)


def test_lost_connection_is_replaced_unnoticed(of_postgresql: Visitors, wire: Wire) -> None:
    """The database was restarted while the pool slept."""
    assert of_postgresql.sora.get("/users/me/").status_code == 200
    wire.cut()
    wire.mend()
    assert of_postgresql.sora.get("/users/me/").status_code == 200


@pytest.mark.parametrize("end", ["goes dead", "is cut"])
def test_postgresql_that_leaves_after_the_answer_was_made_does_not_spoil_it(
    of_postgresql: Visitors, wire: Wire, end: str
) -> None:
    """The teardown's rollback is asked for when nothing can be said any more: the server would say a bare 500."""
    app = of_postgresql.app

    def asks() -> str:
        assert db.session.query(User).count() == 1
        wire.deaden() if end == "goes dead" else wire.cut()
        if "twice" in request.args:
            db.session.query(User).count()
        return "answered"

    app.view_functions["kakaoauth.ops.healthz"] = asks
    answers = {}
    for how in ("once", "twice"):
        answers[how] = ask_at_once({how: lambda how=how: app.test_client().get(f"/healthz?{how}")})[how][0]
        if end == "goes dead":
            wire.enliven()
            until(lambda: not any(thread.is_alive() for thread in ASKING))
        else:
            wire.mend()
    assert (answers["once"].status_code, answers["once"].text) == (200, "answered")
    assert answers["twice"].status_code == 503
    assert 'data-code="DATABASE_UNAVAILABLE"' in answers["twice"].text
    with app.app_context():
        pool: Any = db.engine.pool
        assert pool.checkedout() == 0, "no connection is lost"
    until(of_postgresql.all_is_well)


def test_row_that_stays_locked_is_a_503_and_no_half_user(
    make_app: Callable[..., Flask], postgres_url: str, kakao: FakeKakao
) -> None:
    visitors = Visitors(make_app(DATABASE_URL=postgres_url, TESTING=False), kakao)
    with visitors.app.app_context(), db.engine.connect() as other:
        other.exec_driver_sql("LOCK TABLE users IN EXCLUSIVE MODE")
        kakao.me = person(8, email="new@example.kr")
        ended = ask_at_once({"callback": visitors.asks()["callback"]})
        answer, seconds = ended["callback"]
        assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5")
        assert 'data-code="DATABASE_UNAVAILABLE"' in answer.text
        assert seconds < PATIENCE
    with visitors.app.app_context():
        assert (db.session.query(User).count(), db.session.query(Identity).count()) == (1, 1)
    assert visitors.all_is_well()


# SQLite


@pytest.fixture
def of_sqlite(make_app: Callable[..., Flask], kakao: FakeKakao) -> Visitors:
    return Visitors(make_app(TESTING=False), kakao)


def test_sqlite_file_goes_away_and_comes_back(of_sqlite: Visitors, tmp_path: Path) -> None:
    with of_sqlite.app.app_context():
        db.engine.dispose()
    file, aside = tmp_path / "test.db", tmp_path / "aside.db"
    file.rename(aside)
    file.mkdir()  # "unable to open database file", for root as well
    assert_all_say_so(of_sqlite, "DATABASE_UNAVAILABLE")
    assert health(of_sqlite.app) == (200, 503, {"redis": "ok", "database": "unavailable"})
    file.rmdir()
    aside.rename(file)
    until(of_sqlite.all_is_well)
    assert of_sqlite.sora.get("/users/me/").status_code == 200


def test_sqlite_file_that_is_no_database_is_an_outage(of_sqlite: Visitors, tmp_path: Path) -> None:
    with of_sqlite.app.app_context():
        db.engine.dispose()
    (tmp_path / "test.db").write_bytes(b"not a database, not at all " * 200)
    assert_all_say_so(of_sqlite, "DATABASE_UNAVAILABLE")


def test_locked_sqlite_lets_people_read_and_tells_those_who_write(
    of_sqlite: Visitors, tmp_path: Path, redis: Redis
) -> None:
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        asks = of_sqlite.asks()
        of_sqlite.kakao.me = person(8, email="new@example.kr")
        ended = ask_at_once({name: asks[name] for name in ("callback", "own page", "first page", "user list")})
        statuses = {name: answer.status_code for name, (answer, _) in ended.items()}
        assert statuses == {"callback": 503, "own page": 200, "first page": 200, "user list": 200}
        answer, seconds = ended["callback"]
        assert seconds < PATIENCE
        assert 'data-code="DATABASE_UNAVAILABLE"' in answer.text
        assert answer.headers["Retry-After"] == "5"
    finally:
        other.rollback()
        other.close()
    with of_sqlite.app.app_context():
        assert (db.session.query(User).count(), db.session.query(Identity).count()) == (1, 1)
    assert of_sqlite.all_is_well()
