"""The Redis session: what is stored, when it is written, and that the dead stay dead."""

import hashlib
import pickle
import threading
from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from flask import Flask, session
from flask.testing import FlaskClient
from flask_login import current_user
from flask_wtf.csrf import generate_csrf
from redis import Redis
from support import CLIENT_ID, FakeKakao, begin_login, come_back, csrf_token, log_in, set_cookie
from support.stored_sessions import all_opened, edit

from kakaoauth import sessions
from kakaoauth.errors import AccountDisabled
from kakaoauth.models import User
from kakaoauth.sessions import redis_session
from kakaoauth.sessions.csrf_tokens import csrf_secret
from kakaoauth.sessions.names import name_of
from kakaoauth.sessions.store import current_session, current_store
from kakaoauth.storage.database import db


def commands(redis: Redis) -> int:
    return redis.info("stats")["total_commands_processed"]


def commands_of(redis: Redis, act: Callable[[], Any]) -> int:
    before = commands(redis)
    act()
    return commands(redis) - before - 1  # the second INFO counts itself only afterwards


def test_everything_the_callback_needs_waits_in_redis(client: FlaskClient, redis: Redis) -> None:
    sent = begin_login(client, next="/users/me/")
    (data,) = all_opened(redis)
    (waiting,) = (value["data"] for key, value in data.items() if key == f"_state_kakao_{sent['state']}")
    assert waiting.pop("code_verifier")
    assert waiting == {
        "client_id": CLIENT_ID,
        "redirect_uri": "http://localhost/kakao/login/callback/",
        "nonce": sent["nonce"],
        "next": "/users/me/",
    }


def test_redis_knows_only_a_hash_of_the_id(client: FlaskClient, redis: Redis) -> None:
    begin_login(client)
    sid = set_cookie(client)
    assert redis.keys("session*") == [f"session:{name_of(sid)}".encode()]
    assert urlsafe_b64decode(name_of(sid) + "==") == hashlib.sha256(sid.encode()).digest()[:16]
    assert not [key for key in redis.keys() if sid.encode() in key + (redis.dump(key) or b"")]


def test_reader_gets_no_session(client: FlaskClient, redis: Redis) -> None:
    for page in ("/", "/users/", "/users/me/", "/kakao/logout/", "/nowhere", "/kakaoauth/style.css", "/healthz"):
        assert "Set-Cookie" not in client.get(page, buffered=True).headers
    assert redis.keys() == []


def test_login_changes_the_id_and_ends_the_old(app: Flask, client: FlaskClient, kakao: FakeKakao, redis: Redis) -> None:
    sent = begin_login(client)
    planted = set_cookie(client)
    come_back(client, sent["state"])
    assert set_cookie(client) != planted
    assert len(redis.keys("session:*")) == 1
    thief = app.test_client()
    thief.set_cookie("session", planted)
    assert thief.get("/users/me/").status_code == 302


@pytest.fixture
def renewing(app: Flask) -> None:
    """A page of a host's that gives the session a new id, as with Flask-Session."""

    @app.get("/renew/")
    def renew() -> str:
        app.session_interface.regenerate(session)  # type: ignore[attr-defined]
        return ""


@pytest.mark.usefixtures("renewing")
def test_host_that_gives_the_session_a_new_id_as_with_flask_session_ends_the_old(
    app: Flask, client: FlaskClient, kakao: FakeKakao, redis: Redis
) -> None:
    log_in(client, kakao)
    old = set_cookie(client)
    client.get("/renew/")
    assert set_cookie(client) != old
    assert len(redis.keys("session:*")) == 1
    assert client.get("/users/me/").status_code == 200
    thief = app.test_client()
    thief.set_cookie("session", old)
    assert thief.get("/users/me/").status_code == 302


@pytest.mark.usefixtures("renewing")
def test_form_that_is_open_stays_valid_when_a_host_gives_the_session_a_new_id(
    client: FlaskClient, kakao: FakeKakao
) -> None:
    log_in(client, kakao)
    token = csrf_token(client)
    client.get("/renew/")
    assert client.post("/kakao/logout/", data={"csrf_token": token}).location == "/"


def test_csrf_secret_is_made_when_it_is_asked_for(
    app: Flask, client: FlaskClient, kakao: FakeKakao, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is the same in every way in which a page can ask; the asking stores nothing."""
    made = []

    def note(sid: str) -> str:
        made.append(sid)
        return csrf_secret(sid)

    monkeypatch.setattr(redis_session, "csrf_secret", note)

    @app.get("/name/")
    def name() -> str:
        return f"{current_user.id} {'csrf_token' in session}"

    @app.get("/form/")
    def form() -> str:
        return generate_csrf()

    @app.get("/clear/")
    def clear() -> str:
        session.clear()
        return ""

    @app.get("/secrets/")
    def secrets() -> list[str]:
        return [session["csrf_token"], session.get("csrf_token", ""), dict(session)["csrf_token"]]

    log_in(client, kakao)
    (key,) = redis.keys("session:*")
    before = redis.get(key)
    assert client.get("/name/").text.endswith(" True")
    assert made == []
    client.get("/form/")
    assert made == [set_cookie(client)]
    with app.app_context():
        secret = csrf_secret(set_cookie(client))
    assert client.get("/secrets/").json == [secret] * 3
    with client.session_transaction() as kept:  # outside of the app
        assert kept["csrf_token"] == secret
    assert redis.get(key) == before
    made.clear()
    client.get("/clear/")
    assert (made, redis.keys("session:*")) == ([], [])


def test_id_of_the_visitors_own_making_is_not_adopted(client: FlaskClient, redis: Redis) -> None:
    client.set_cookie("session", "A" * 43)
    begin_login(client)
    assert set_cookie(client) != "A" * 43


@pytest.mark.parametrize("cookie", ["A" * 8192, "é", "../../x", "", '"', "A" * 42, "A" * 44, "%00" * 15])
def test_odd_cookie_is_anonymous(app: Flask, cookie: str) -> None:
    client = app.test_client(use_cookies=False)
    sent = {"Cookie": f"session={cookie}".encode().decode("latin-1")}
    assert client.get("/", headers=sent).status_code == 200
    assert client.get("/users/me/", headers=sent).status_code == 302


def test_first_of_two_cookies_of_one_name_counts(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    log_in(client, kakao)
    real, planted = f"session={set_cookie(client)}", f"session={'B' * 43}"
    bare = app.test_client(use_cookies=False)
    assert bare.get("/users/me/", headers={"Cookie": f"{planted}; {real}"}).status_code == 302
    assert bare.get("/users/me/", headers={"Cookie": f"{real}; {planted}"}).status_code == 200


def test_private_page_costs_one_redis_command_and_one_statement(
    client: FlaskClient, kakao: FakeKakao, redis: Redis, count_statements: Callable[..., int]
) -> None:
    log_in(client, kakao)
    client.get("/")
    assert commands_of(redis, lambda: client.get("/")) == 1
    assert count_statements(lambda: client.get("/")) == 1


def test_open_addresses_cost_no_redis_command(client: FlaskClient, kakao: FakeKakao, redis: Redis) -> None:
    log_in(client, kakao)
    assert commands_of(redis, lambda: client.get("/healthz")) == 0
    assert commands_of(redis, lambda: client.get("/kakaoauth/style.css", buffered=True)) == 0


def test_lifetime_is_extended_once_a_minute(client: FlaskClient, kakao: FakeKakao, redis: Redis) -> None:
    with time_machine.travel("2026-11-21T10:00:00Z", tick=False) as clock:
        log_in(client, kakao)
        (key,) = redis.keys("session:*")
        redis.expire(key, 1000)
        clock.shift(59)
        client.get("/")
        assert redis.ttl(key) <= 1000
        clock.shift(2)
        response = client.get("/")
        assert redis.ttl(key) > 1000
        assert "Set-Cookie" in response.headers


def test_idle_session_ends(client: FlaskClient, kakao: FakeKakao) -> None:
    with time_machine.travel("2026-11-01T10:00:00Z", tick=False) as clock:
        log_in(client, kakao)
        clock.shift(14 * 86400 - 1)
        assert client.get("/users/me/").status_code == 200
        clock.shift(14 * 86400)
        assert client.get("/users/me/").status_code == 302


def test_short_idle_limit_counts_from_the_last_click(make_app: Any, kakao: FakeKakao) -> None:
    client = make_app(KAKAOAUTH_SESSION_IDLE_SECONDS=8).test_client()
    with time_machine.travel("2026-11-01T10:00:00Z", tick=False) as clock:
        log_in(client, kakao)
        for _ in range(6):
            clock.shift(5)
            assert client.get("/users/me/").status_code == 200
        clock.shift(9)
        assert client.get("/users/me/").status_code == 302


def test_session_in_constant_use_ends_after_its_longest_life(client: FlaskClient, kakao: FakeKakao) -> None:
    with time_machine.travel("2026-08-01T10:00:00Z", tick=False) as clock:
        log_in(client, kakao)
        for _ in range(9):
            clock.shift(10 * 86400 - 1)
            assert client.get("/users/me/").status_code == 200
        clock.shift(10)
        assert client.get("/users/me/").status_code == 302


def test_staff_sessions_are_shorter(app: Flask, client_as: Callable[[str], FlaskClient]) -> None:
    with time_machine.travel("2026-11-01T10:00:00Z", tick=False) as clock:
        sora, minji = client_as("sora"), client_as("minji")
        clock.shift(12 * 3600 + 1)
        assert sora.get("/users/me/").status_code == 302
        assert minji.get("/users/me/").status_code == 200


def test_redis_forgets_by_itself(client: FlaskClient, kakao: FakeKakao, redis: Redis) -> None:
    begin_login(client)
    assert 0 < redis.ttl(redis.keys("session:*")[0]) <= 3600
    log_in(client, kakao)
    (key,) = redis.keys("session:*")
    assert 13 * 86400 < redis.ttl(key) <= 14 * 86400
    assert all(redis.ttl(key) > 0 for key in redis.keys())


def test_clock_an_hour_back_logs_nobody_out(client: FlaskClient, kakao: FakeKakao) -> None:
    with time_machine.travel("2026-11-21T10:00:00Z", tick=False) as clock:
        log_in(client, kakao)
        clock.shift(-3600)
        assert client.get("/users/me/").status_code == 200


def test_logout_ends_the_session_in_redis(app: Flask, client: FlaskClient, kakao: FakeKakao, redis: Redis) -> None:
    log_in(client, kakao)
    copied = set_cookie(client)
    response = client.post("/kakao/logout/", data={"csrf_token": csrf_token(client)})
    assert (response.status_code, response.location) == (302, "/")
    assert redis.keys("session:*") == []
    assert set_cookie(client) == ""
    client.set_cookie("session", copied)
    assert client.get("/users/me/").status_code == 302


def test_request_in_flight_does_not_revive_a_session(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    inside, go_on = threading.Event(), threading.Event()

    @app.get("/slow/")
    def slow() -> str:
        session["changed"] = True
        inside.set()
        assert go_on.wait(5)
        return "done"

    log_in(client, kakao)
    cookie, token = set_cookie(client), csrf_token(client)
    answers = []

    def linger() -> None:
        browser = app.test_client()
        browser.set_cookie("session", cookie)
        answers.append(browser.get("/slow/"))

    thread = threading.Thread(target=linger)
    thread.start()
    assert inside.wait(5)
    client.post("/kakao/logout/", data={"csrf_token": token})
    go_on.set()
    thread.join(10)
    assert answers[0].text == "done"
    assert "Set-Cookie" not in answers[0].headers
    client.set_cookie("session", cookie)
    assert client.get("/users/me/").status_code == 302


def test_whatever_a_page_has_changed_is_stored(app: Flask, client: FlaskClient, redis: Redis) -> None:
    """Also what `==` does not tell from what was there, in a list too, and beside what JSON does not know."""

    def put(**values: Any) -> str:
        session.update(values)
        return ""

    def add() -> str:
        session["cart"][0]["pens"] += 1
        return ""

    day = datetime(2026, 11, 21, tzinfo=UTC)
    steps: list[tuple[Callable[[], str], Any]] = [
        (lambda: put(cart=[{"pens": 1}]), [{"pens": 1}]),
        (add, [{"pens": 2}]),
        (lambda: put(cart=[{"pens": 2.0}]), [{"pens": 2.0}]),
        (lambda: put(cart=1), 1),
        (lambda: put(cart=True), True),
        (lambda: put(cart=[{"pens": 1}], since=day), [{"pens": 1}]),
        (add, [{"pens": 2}]),
    ]
    app.add_url_rule("/step/<int:number>/", "step", lambda number: steps[number][0]())
    begin_login(client)
    for number, (_step, kept) in enumerate(steps):
        client.get(f"/step/{number}/")
        (data,) = all_opened(redis)
        assert repr(data["cart"]) == repr(kept)


def test_two_tabs_writing_at_once_both_keep_their_change(app: Flask, client: FlaskClient, redis: Redis) -> None:
    both = threading.Barrier(2)

    @app.get("/write/<name>/")
    def write(name: str) -> str:
        session[name] = name
        both.wait(5)
        return name

    begin_login(client)
    cookie = set_cookie(client)

    def tab(name: str) -> None:
        browser = app.test_client()
        browser.set_cookie("session", cookie)
        browser.get(f"/write/{name}/")

    threads = [threading.Thread(target=tab, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    (data,) = all_opened(redis)
    assert (data["a"], data["b"]) == ("a", "b")


def test_tab_that_stores_twice_in_a_request_keeps_what_the_other_wrote(app: Flask, client: FlaskClient) -> None:
    @app.get("/write/<name>/")
    def write(name: str) -> str:
        session[name] = name
        return name

    @app.get("/twice/")
    def twice() -> str:
        session["a"] = "a"
        other = app.test_client()
        other.set_cookie("session", cookie)
        other.get("/write/b/")
        current_store().persist(current_session())
        return ""  # which is stored as well

    begin_login(client)
    cookie = set_cookie(client)
    client.get("/twice/")
    with client.session_transaction() as held:
        assert (held["a"], held["b"]) == ("a", "b")


class Bomb:
    def __reduce__(self) -> Any:
        return (open, ("/tmp/kakaoauth-was-unpickled", "w"))


@pytest.mark.parametrize(
    "value", [pickle.dumps(Bomb()), b"\x80\x04", b"[]", b"7", b"{", b"", b'{"_seen": "x"}', b"[" * 100_000, b"\xff"]
)
def test_foreign_value_is_anonymous_and_alarms(
    client: FlaskClient, kakao: FakeKakao, redis: Redis, caplog: Any, value: bytes
) -> None:
    log_in(client, kakao)
    redis.set(redis.keys("session:*")[0], value)
    assert client.get("/users/me/").status_code == 302
    assert "CRITICAL" in {record.levelname for record in caplog.records}


def test_suspended_user_is_out_on_the_next_request(
    app: Flask, client_as: Callable[[str], FlaskClient], people: dict[str, int]
) -> None:
    minji = client_as("minji")
    with app.app_context():
        db.session.get(User, people["minji"]).is_active = False
        db.session.commit()
    assert minji.get("/users/me/").status_code == 302


def test_raised_session_version_ends_every_session(
    app: Flask, client_as: Callable[[str], FlaskClient], people: dict[str, int]
) -> None:
    phone, laptop = client_as("minji"), client_as("minji")
    with app.app_context():
        db.session.get(User, people["minji"]).session_version += 1
        db.session.commit()
    assert phone.get("/users/me/").status_code == laptop.get("/users/me/").status_code == 302


def test_inactive_user_is_never_begun(app: Flask, people: dict[str, int]) -> None:
    with app.test_request_context("/"):
        user = db.session.get(User, people["minji"])
        user.is_active = False
        with pytest.raises(AccountDisabled):
            sessions.begin(user)
        assert "_user_id" not in session


def test_cookie_on_this_machine(client: FlaskClient) -> None:
    header = client.get("/kakao/login/").headers["Set-Cookie"]
    assert header.startswith("session=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(header.split("; "))
    assert "Secure" not in header


def test_cookie_on_a_real_host(make_app: Any) -> None:
    client = make_app(PUBLIC_URL="https://login.example.kr").test_client()
    header = client.get("/kakao/login/").headers["Set-Cookie"]
    assert header.startswith("__Host-session=")
    assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(header.split("; "))
    assert "Domain" not in header


def test_cookie_lasts_as_long_as_the_login_and_a_strangers_as_long_as_the_browser(
    client: FlaskClient, kakao: FakeKakao
) -> None:
    assert "Max-Age" not in client.get("/kakao/login/").headers["Set-Cookie"]
    (cookie,) = [line for line in log_in(client, kakao).headers.getlist("Set-Cookie") if line.startswith("session=")]
    assert f"Max-Age={14 * 86400}" in cookie.split("; ")


def test_key_that_one_tab_has_used_up_does_not_come_back(app: Flask, client: FlaskClient, redis: Redis) -> None:
    """A pending login works once, also if another tab writes onto the session in the same moment."""

    @app.get("/use/")
    def use() -> str:
        session.pop("_state_used")
        written = []
        thread = threading.Thread(target=lambda: written.append(tab("/other/")))
        thread.start()
        thread.join(10)
        assert written == [200]
        return "used"

    @app.get("/other/")
    def other() -> str:
        session["other"] = 1
        return "written"

    begin_login(client)
    (key,) = redis.keys("session:*")
    edit(redis, key, lambda data: data.update(_state_used={"once": 1}))
    cookie = set_cookie(client)

    def tab(path: str) -> int:
        browser = app.test_client()
        browser.set_cookie("session", cookie)
        return browser.get(path).status_code

    assert tab("/use/") == 200
    (data,) = all_opened(redis)
    assert "_state_used" not in data
    assert data["other"] == 1


def test_cookie_on_plain_http_with_a_real_host(make_app: Any) -> None:
    """Behind a proxy that says nothing of https the cookie must not go over a wire in the clear."""
    client = make_app(TRUSTED_PROXIES=1).test_client()
    header = client.get("/kakao/login/", headers={"X-Forwarded-Host": "login.example.kr"}).headers["Set-Cookie"]
    assert header.startswith("__Host-session=")
    assert "Secure" in header.split("; ")


def test_lifetime_near_the_end_is_no_longer_than_what_is_left(
    client: FlaskClient, kakao: FakeKakao, redis: Redis
) -> None:
    with time_machine.travel("2026-08-01T10:00:00Z", tick=False) as clock:
        log_in(client, kakao)
        for _ in range(8):
            clock.shift(11 * 86400)
            assert client.get("/users/me/").status_code == 200
        (key,) = redis.keys("session:*")
        assert 0 < redis.ttl(key) <= 2 * 86400
