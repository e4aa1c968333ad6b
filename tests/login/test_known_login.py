"""The login of somebody who is known: one call to the provider where the id_token says nothing new, few statements."""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import time_machine
from flask import Flask, Response, request
from flask_login import current_user, user_logged_in
from redis import Redis
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from support import FakeKakao, begin_login, come_back, is_logged_in, log_in, person, set_cookie
from support.devices import CHROME

from kakaoauth.accounts.known_login import KnownLogin
from kakaoauth.audit import AuditEvent
from kakaoauth.models import Identity, User
from kakaoauth.providers.values import Profile
from kakaoauth.storage.database import db
from kakaoauth.storage.redis import get_redis
from kakaoauth.tokens.provider_tokens import ProviderToken

EMAIL = "p3902187744@example.kr"


@pytest.fixture
def kakao(kakao: FakeKakao) -> FakeKakao:
    """With OpenID Connect, and consent to what stands in /v2/user/me only."""
    kakao.id_claims = {"email": EMAIL, "nickname": "민지"}
    kakao.me = person(3902187744, name="김민지", age_range="20~29")
    kakao.token = {"scope": "openid account_email profile_nickname name age_range"}
    return kakao


@pytest.fixture
def app(make_app: Any, database_url: str) -> Flask:
    return make_app(DATABASE_URL=database_url)  # type: ignore[no-any-return]


def calls_of_a_login(app: Flask, kakao: FakeKakao, status: int = 302) -> list[str]:
    before = len(kakao.calls)
    assert log_in(app.test_client(), kakao).status_code == status
    return [call for call in kakao.calls[before:] if "jwks" not in call]


ONE, TWO = ["POST /oauth/token"], ["POST /oauth/token", "GET /v2/user/me"]


def test_known_person_is_one_call(app: Flask, kakao: FakeKakao) -> None:
    assert calls_of_a_login(app, kakao) == TWO, "a new one is asked about"
    assert calls_of_a_login(app, kakao) == ONE
    with app.app_context():
        user = db.session.scalars(db.select(User)).one()
        assert (user.name, user.nickname, user.email) == ("김민지", "민지", EMAIL)


def test_browser_is_logged_in_by_that_one_call(app: Flask, kakao: FakeKakao) -> None:
    calls_of_a_login(app, kakao)
    client = app.test_client()
    assert log_in(client, kakao).status_code == 302
    assert client.get("/users/me/").status_code == 200


#: What a worker does whose first request is a login.
FIRST = """
from types import SimpleNamespace
from flask import Flask
from kakaoauth.accounts import known_login
app = Flask("first")
no_session = SimpleNamespace(registry=SimpleNamespace(has=lambda: False))
app.extensions["kakaoauth_database"] = SimpleNamespace(session=no_session)
with app.app_context():
    values = {"id": 7, "session_version": 3}
    user = known_login._user_of([values.get(name) for name in known_login._columns()], is_staff=True)
    print(user.get_id(), user.is_staff)
"""


def test_login_may_be_the_first_that_a_process_does_with_the_models() -> None:
    first = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True)
    assert (first.stdout, first.stderr) == ("7.3 True\n", "")


def test_all_of_a_login_is_stored(app: Flask, kakao: FakeKakao) -> None:
    with time_machine.travel("2026-11-21T10:00:00Z", tick=False) as clock:
        calls_of_a_login(app, kakao)
        clock.shift(600)
        kakao.token |= {"access_token": "another-token"}
        assert calls_of_a_login(app, kakao) == ONE
        with app.app_context():
            first, second = db.session.scalars(db.select(AuditEvent).order_by(AuditEvent.id))
            assert (first.told, second.told) == ({"new": True}, {"new": False})
            for name in ("action", "result", "actor_id", "target_id", "provider", "source", "agent", "reason"):
                assert getattr(first, name) == getattr(second, name)
            assert (second.at - first.at).total_seconds() == 600
            identity = db.session.scalars(db.select(Identity)).one()
            assert identity.user.last_login == identity.confirmed_at == second.at
            assert identity.profile_read_at == first.at
            tokens = db.session.scalars(db.select(ProviderToken).order_by(ProviderToken.id)).all()
            assert [token.identity_id for token in tokens] == [identity.id, identity.id]
            assert tokens[1].access_token.startswith("gAAAA")


@pytest.mark.parametrize("claims", [{"nickname": "민지"}, {"email": EMAIL}])
def test_what_an_id_token_leaves_out_is_nothing_new(app: Flask, kakao: FakeKakao, claims: dict[str, str]) -> None:
    calls_of_a_login(app, kakao)
    kakao.id_claims = claims
    assert calls_of_a_login(app, kakao) == ONE
    with app.app_context():
        user = db.session.scalars(db.select(User)).one()
        assert (user.nickname, user.email) == ("민지", EMAIL)


@pytest.mark.parametrize(
    "changed",
    [
        {"nickname": "새 이름"},
        {"email": "new@example.kr"},
        {"picture": "https://k.kakaocdn.net/new.jpg"},
    ],
)
def test_something_new_is_asked_about(app: Flask, kakao: FakeKakao, changed: dict[str, str]) -> None:
    calls_of_a_login(app, kakao)
    assert kakao.id_claims is not None
    kakao.id_claims |= changed
    assert calls_of_a_login(app, kakao) == TWO


def test_profile_is_read_again_after_a_day(app: Flask, kakao: FakeKakao) -> None:
    with time_machine.travel("2026-11-21T10:00:00Z", tick=False) as clock:
        calls_of_a_login(app, kakao)
        clock.shift(86399)
        assert calls_of_a_login(app, kakao) == ONE
        clock.shift(1)
        kakao.me["kakao_account"]["age_range"] = "30~39"
        assert calls_of_a_login(app, kakao) == TWO
        with app.app_context():
            assert db.session.scalars(db.select(User.age_range)).one() == "30~39"
        clock.shift(86399)
        assert calls_of_a_login(app, kakao) == ONE
        clock.shift(-200_000)
        assert calls_of_a_login(app, kakao) == TWO, "a clock that was wrong keeps nothing fresh"


def test_profile_that_is_as_it_was_counts_as_read(app: Flask, kakao: FakeKakao) -> None:
    with time_machine.travel("2026-11-21T10:00:00Z", tick=False) as clock:
        calls_of_a_login(app, kakao)
        clock.shift(86400)
        assert calls_of_a_login(app, kakao) == TWO
        assert calls_of_a_login(app, kakao) == ONE


def test_zero_seconds_read_it_at_each_login(make_app: Any, kakao: FakeKakao) -> None:
    app = make_app(KAKAOAUTH_PROFILE_REFRESH_SECONDS=0)
    for _ in range(3):
        assert calls_of_a_login(app, kakao) == TWO


def test_without_id_token_it_is_read_at_each_login(app: Flask, kakao: FakeKakao) -> None:
    kakao.id_claims = None
    for _ in range(2):
        assert calls_of_a_login(app, kakao) == TWO


def test_suspended_person_stays_outside(app: Flask, kakao: FakeKakao) -> None:
    calls_of_a_login(app, kakao)
    with app.app_context():
        db.session.execute(db.update(User).values(is_active=False))
        db.session.commit()
    calls_of_a_login(app, kakao, status=403)
    with app.app_context():
        assert db.session.query(ProviderToken).count() == 1


def test_account_without_the_address_it_needs_is_asked_about(make_app: Any, kakao: FakeKakao) -> None:
    app = make_app()
    calls_of_a_login(app, kakao)
    with app.app_context():
        db.session.execute(db.update(User).values(email=None, email_key=None))
        db.session.commit()
    kakao.id_claims = {"nickname": "민지"}
    kakao.me = person(3902187744, email=None)
    assert calls_of_a_login(app, kakao, status=403) == TWO


def test_sessions_that_are_ended_while_the_login_is_stored_do_not_come_back(
    make_app: Any, postgres_url: str, kakao: FakeKakao
) -> None:
    """Between what is read and what is written somebody raises the session version: the new session has the new one."""
    app = make_app(DATABASE_URL=postgres_url)
    calls_of_a_login(app, kakao)
    done: list[str] = []
    with app.app_context():
        engine = db.engine

    @event.listens_for(engine, "before_cursor_execute")
    def meanwhile(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if "WITH u AS" in statement and not done:
            done.append(statement)
            with engine.connect() as other:
                other.exec_driver_sql("UPDATE users SET session_version = session_version + 1")
                other.commit()

    client = app.test_client()
    assert log_in(client, kakao).status_code == 302
    assert done
    assert client.get("/users/me/").status_code == 200
    with app.app_context():
        assert db.session.query(AuditEvent).count() == 2, "once, not twice"


def test_known_persons_login_is_two_statements(
    app: Flask, database_url: str, kakao: FakeKakao, count_statements: Callable[..., int]
) -> None:
    calls_of_a_login(app, kakao)
    assert count_statements(lambda: log_in(app.test_client(), kakao)) == (2 if "postgresql" in database_url else 5)


def test_login_of_somebody_new_is_few_statements(
    app: Flask, kakao: FakeKakao, count_statements: Callable[..., int]
) -> None:
    assert count_statements(lambda: log_in(app.test_client(), kakao)) == 13


def test_login_of_somebody_new_holds_one_connection(app: Flask, kakao: FakeKakao) -> None:
    """Not the one that has looked for somebody known as well: the pool has one for each thread."""
    held: list[int] = []
    app.extensions["kakaoauth"].before_sign_up(lambda _profile: held.append(db.engine.pool.checkedout()))
    calls_of_a_login(app, kakao)
    assert held == [1]


# Whom the rest of the request sees


def test_login_begins_no_database_session_unless_somebody_wants_more(app: Flask, kakao: FakeKakao) -> None:
    begun: list[bool] = []
    app.teardown_request(lambda _error: begun.append(db.session.registry.has()))
    for _ in range(2):
        calls_of_a_login(app, kakao)
    assert begun[-2:] == [False, False], "of the start and of the callback"


def test_current_user_after_the_login_is_one_that_loads_its_relations(app: Flask, kakao: FakeKakao) -> None:
    seen: list[Any] = []

    @app.after_request
    def look(response: Response) -> Response:
        if request.endpoint == "kakaoauth.auth.callback":
            seen.append((current_user.nickname, [one.subject for one in current_user.identities]))
        return response

    for _ in range(2):
        calls_of_a_login(app, kakao)
    assert seen[1] == ("민지", ["3902187744"])


def test_receiver_of_flask_logins_signal_gets_a_user_that_loads_its_relations(app: Flask, kakao: FakeKakao) -> None:
    calls_of_a_login(app, kakao)
    seen: list[Any] = []

    def hear(_sender: Flask, user: User) -> None:
        seen.append([one.subject for one in user.identities])

    with user_logged_in.connected_to(hear, sender=app):
        log_in(app.test_client(), kakao)
    assert seen == [["3902187744"]]


# What Redis is asked, and what it keeps


def round_trips(app: Flask, act: Callable[[], Any]) -> int:
    """How many batches of commands go to Redis."""
    sent: list[Any] = []

    class Counting:
        def send_packed_command(self, *command: Any, **more: Any) -> None:
            if threading.current_thread().name != "heartbeat":  # which beats where a login takes long
                sent.append(command)
            super().send_packed_command(*command, **more)  # type: ignore[misc]

    pool = get_redis(app).connection_pool
    pool.disconnect()
    pool.reset()
    kind = pool.connection_class
    pool.connection_class = type("Counted", (Counting, kind), {})
    try:
        get_redis(app).ping()
        sent.clear()
        act()
    finally:
        pool.connection_class = kind
        pool.disconnect()
        pool.reset()
    return len(sent)


def test_start_is_one_round_trip_and_callback_at_most_four(make_app: Any, kakao: FakeKakao) -> None:
    app = make_app()
    calls_of_a_login(app, kakao)
    client = app.test_client()
    sent: dict[str, str] = {}
    assert round_trips(app, lambda: sent.update(begin_login(client))) == 1
    kakao.nonce = sent["nonce"]
    assert 1 < round_trips(app, lambda: come_back(client, sent["state"])) <= 4
    assert is_logged_in(client)


def test_limits_by_address_take_no_round_trip_of_their_own(make_app: Any, kakao: FakeKakao) -> None:
    app = make_app()
    calls_of_a_login(app, kakao)
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = "203.0.113.7"
    sent: dict[str, str] = {}
    assert round_trips(app, lambda: sent.update(begin_login(client))) == 2, "one counts, one stores"
    begin_login(client)  # Redis learns the store's script once
    sent = {}
    assert round_trips(app, lambda: sent.update(begin_login(client))) == 3, "what counts reads the session, too"
    kakao.nonce = sent["nonce"]
    assert round_trips(app, lambda: come_back(client, sent["state"])) == 3
    assert is_logged_in(client)


def test_keys_that_every_login_writes_are_tidied_up_once_a_minute(
    make_app: Any, kakao: FakeKakao, redis: Redis
) -> None:
    app = make_app()
    with time_machine.travel("2026-11-21T10:00:00Z", tick=False) as clock:
        calls_of_a_login(app, kakao)
        of_all = [*redis.keys("counters:*"), *redis.keys("{people}*"), b"open-sessions"]
        for key in of_all:
            assert redis.persist(key), "it would end by itself"
        redis.zadd("open-sessions", {"over": 1})
        clock.shift(59)
        calls_of_a_login(app, kakao)
        assert [redis.ttl(key) for key in of_all] == [-1, -1, -1]
        assert redis.zcard("open-sessions") == 3
        clock.shift(2)
        calls_of_a_login(app, kakao)
        assert all(redis.ttl(key) > 0 for key in of_all)
        assert redis.zcard("open-sessions") == 3, "one more, and one that was over"


def test_session_takes_few_bytes_all_told(make_app: Any, kakao: FakeKakao, redis: Redis) -> None:
    app = make_app()
    people = 12
    for subject in range(1_000, 1_000 + people):
        kakao.me = person(subject)
        kakao.id_claims = {"email": f"p{subject}@example.kr"}
        client = app.test_client()
        client.environ_base["HTTP_USER_AGENT"] = CHROME
        assert log_in(client, kakao).status_code == 302
    passing = (b"{people}", b"counters:", b"login-alive:")  # the last one only on a slow machine
    of_all = [key for key in redis.keys() if not key.startswith(passing)]
    assert sum(redis.memory_usage(key, samples=0) for key in of_all) / people <= 400
    assert not redis.keys("login:*"), "a session is its login's result"


def test_waiting_login_takes_few_bytes(make_app: Any, redis: Redis) -> None:
    begin_login(make_app().test_client())
    (key,) = redis.keys("session:*")
    assert redis.memory_usage(key, samples=0) <= 300


@pytest.mark.parametrize(("seconds", "status"), [(590, 302), (610, 400)])
def test_lost_answer_is_given_again_for_ten_minutes(make_app: Any, kakao: FakeKakao, seconds: int, status: int) -> None:
    app = make_app()
    client = app.test_client()
    with time_machine.travel("2026-11-21T10:00:00Z", tick=False) as clock:
        sent = begin_login(client)
        kakao.nonce = sent["nonce"]
        old = set_cookie(client)
        assert come_back(client, sent["state"]).status_code == 302
        again = app.test_client()
        again.set_cookie("session", old)
        clock.shift(seconds)
        assert come_back(again, sent["state"]).status_code == status
        assert is_logged_in(again) is (status == 302)


# What PostgreSQL is asked


def test_connection_that_died_is_replaced_and_each_statement_is_one_round_trip(
    make_app: Any, postgres_url: str, kakao: FakeKakao, postgres_admin: psycopg.Connection
) -> None:
    app = make_app(DATABASE_URL=postgres_url)
    for _ in range(2):
        calls_of_a_login(app, kakao)
    postgres_admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'kept'")
    assert calls_of_a_login(app, kakao) == ONE
    with app.app_context():
        db.engine.dispose()  # one connection from now on, which is the traced one
    calls_of_a_login(app, kakao)
    with app.app_context(), tempfile.TemporaryFile() as trace:
        pooled = db.engine.raw_connection()
        driver: Any = pooled.dbapi_connection
        driver.pgconn.trace(trace.fileno())
        pooled.close()
        assert calls_of_a_login(app, kakao) == ONE
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        driver.pgconn.untrace()
        assert (driver.autocommit, driver.only_pings) == (False, True)
        trace.seek(0)
        sent = [line for line in trace.read().decode().splitlines() if "\tF\t" in line]
    assert len([line for line in sent if "\tSync" in line or "\tQuery" in line]) == 2, sent


def test_login_is_stored_by_no_connection_that_was_lost_meanwhile(
    make_app: Any, postgres_url: str, kakao: FakeKakao, postgres_admin: psycopg.Connection
) -> None:
    app = make_app(DATABASE_URL=postgres_url)
    for _ in range(2):
        calls_of_a_login(app, kakao)
    client = app.test_client()
    with app.app_context():
        known = KnownLogin("kakao")
        brief = Profile(provider="kakao", subject="3902187744", nickname="민지", is_brief=True)
        assert known.is_enough(brief)
        postgres_admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'kept'")
        with pytest.raises(OperationalError), app.test_request_context("/"):
            known.log_in(brief)
        known.close()
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert log_in(client, kakao).status_code == 302
