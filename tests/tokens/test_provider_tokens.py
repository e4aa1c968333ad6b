"""The provider's tokens: encrypted at rest, renewed once for all, dropped only when Kakao says that they are dead."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
import time_machine
from cryptography.fernet import Fernet
from flask import Flask, jsonify
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from redis import Redis
from sqlalchemy import event, text
from sqlalchemy.exc import StatementError
from support import (
    CLIENT_ID,
    CLIENT_SECRET,
    KAPI,
    KAUTH,
    FakeKakao,
    csrf_token,
    is_logged_in,
    log_in,
    person,
    readable_tables,
    set_cookie,
    token_calls,
    tokens_of,
)
from support.concurrency import at_once
from support.stored_sessions import edit
from support.stored_sessions import opened as opened_session

from kakaoauth import create_app
from kakaoauth.accounts import token_keeper
from kakaoauth.accounts.unlink_jobs import UnlinkJob
from kakaoauth.config import load
from kakaoauth.config.checks import ConfigError
from kakaoauth.models import Identity, User
from kakaoauth.providers import find_provider
from kakaoauth.providers import values as providers_values
from kakaoauth.retention import forget_old_rows
from kakaoauth.storage import encryption, transaction
from kakaoauth.storage.database import db
from kakaoauth.tokens import provider_tokens
from kakaoauth.tokens import revocation as token_revocation
from kakaoauth.tokens.provider_tokens import ProviderToken

CANARIES = ("canary-access-token", "canary-refresh-token", "canary-code")
#: An access token of Kakao's lives six hours.
SIX_HOURS = 6 * 3600
REFUSED = {"status_code": 401, "json": {"msg": "this access token does not exist", "code": -401}}
KOE322 = {
    "status_code": 400,
    "json": {"error": "invalid_grant", "error_description": "expired_or_invalid_refresh_token", "error_code": "KOE322"},
}


def with_call(app: Flask) -> Flask:
    """A page of the site's own that asks Kakao something as the person who is logged in."""

    @app.get("/from-kakao/")
    def from_kakao() -> ResponseReturnValue:
        return jsonify(find_provider("kakao").get("/v2/user/me").json())  # type: ignore[union-attr]

    return app


@pytest.fixture
def site(make_app: Callable[..., Flask], database_url: str) -> Flask:
    """On both databases."""
    return with_call(make_app(DATABASE_URL=database_url))


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return with_call(make_app())


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(datetime.now(UTC)) as clock:
        yield clock


@pytest.fixture
def minji(client: FlaskClient, kakao: FakeKakao) -> FlaskClient:
    assert log_in(client, kakao).status_code == 302
    return client


def rows(app: Flask) -> list[ProviderToken]:
    with app.app_context():
        found = list(db.session.scalars(db.select(ProviderToken).order_by(ProviderToken.id)))
        db.session.expunge_all()
        return found


def opened(app: Flask) -> list[tuple[str, str | None]]:
    """The stored tokens, in the clear."""
    with app.app_context():
        return [(found.access_token, found.refresh_token) for row in rows(app) if (found := provider_tokens.read(row))]


# At rest


def test_tokens_of_a_login_are_kept_and_only_encrypted(site: Flask, kakao: FakeKakao) -> None:
    log_in(site.test_client(), kakao)
    (row,) = rows(site)
    assert opened(site) == [("canary-access-token", "canary-refresh-token")]
    left = row.expires_at - datetime.now(UTC)
    assert timedelta(seconds=21500) < left <= timedelta(seconds=21599)
    assert timedelta(days=59) < row.refresh_expires_at - datetime.now(UTC) < timedelta(days=60)
    with site.app_context():
        for name in readable_tables():
            everything = repr(db.session.execute(text(f"SELECT * FROM {name}")).all())
            assert not [canary for canary in CANARIES if canary in everything], name


def test_no_token_is_in_the_database_file_redis_a_page_or_a_log(
    app: Flask, kakao: FakeKakao, redis: Redis, tmp_path: Path, caplog: pytest.LogCaptureFixture, clock: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    client = app.test_client()
    answers = [log_in(client, kakao)]
    for page in ("/", "/users/me/", "/users/me/withdraw/", "/kakao/logout/", "/from-kakao/"):
        answers.append(client.get(page))
    clock.shift(SIX_HOURS)
    kakao.fails(token={"status_code": 503, "json": {"error": "server_error"}})
    answers.append(client.get("/from-kakao/"))
    kakao.fails(token=KOE322)
    answers.append(client.get("/from-kakao/"))
    log_in(client, kakao)
    answers.append(client.post("/users/me/logout-everywhere/", data={"csrf_token": csrf_token(client)}))
    assert answers[-1].status_code == 302
    with app.app_context():
        db.engine.dispose()
    kept = {f"file {path.name}": path.read_bytes() for path in tmp_path.rglob("test.db*")}
    assert kept
    for key in redis.keys():
        kept[f"redis {key!r}"] = redis.get(key) if redis.type(key) == b"string" else b""
    for number, answer in enumerate(answers):
        kept[f"answer {number}"] = answer.data + str(answer.headers).encode()
    kept["log"] = caplog.text.encode() + repr([vars(record) for record in caplog.records]).encode()
    assert not [(where, word) for where, what in kept.items() for word in CANARIES if word.encode() in what]


def test_repr_of_what_carries_tokens_shows_none(app: Flask, minji: FlaskClient) -> None:
    (row,) = rows(app)
    with app.app_context():
        shown = repr(provider_tokens.read(row)) + repr(row)
    assert "canary" not in shown


def test_each_login_has_a_row_of_its_own(app: Flask, kakao: FakeKakao) -> None:
    for number in (1, 2):
        kakao.token = {"access_token": f"canary-{number}"}
        log_in(app.test_client(), kakao)
    assert [access for access, _ in opened(app)] == ["canary-1", "canary-2"]


def test_rows_that_nobody_can_use_go_by_themselves(app: Flask, kakao: FakeKakao, clock: Any) -> None:
    log_in(app.test_client(), kakao)
    clock.shift(59 * 86400)
    log_in(app.test_client(), kakao)
    assert len(rows(app)) == 2
    clock.shift(2 * 86400)
    log_in(app.test_client(), kakao)
    assert len(rows(app)) == 3, "a login does not look for them"
    with app.app_context():
        forget_old_rows()
    assert len(rows(app)) == 2


def test_row_whose_access_token_outlives_the_refresh_token_is_still_of_use(app: Flask, kakao: FakeKakao) -> None:
    log_in(app.test_client(), kakao)
    with app.app_context():
        identity, moment = db.session.scalars(db.select(Identity)).one(), datetime.now(UTC)
        for access, refresh in ((2, -2), (-2, 2), (-2, -2)):
            ends = (moment + timedelta(days=days) for days in (access, refresh))
            provider_tokens.put(identity, providers_values.TokenSet(f"{access} {refresh}", next(ends), "r", next(ends)))
        db.session.commit()
        forget_old_rows()
    assert [access for access, _ in opened(app)] == ["canary-access-token", "2 -2", "-2 2"]


def test_session_holds_the_number_of_the_row_and_no_token(app: Flask, minji: FlaskClient, redis: Redis) -> None:
    (key,) = redis.keys("session:*")
    assert opened_session(redis.get(key))["_token"] == rows(app)[0].id


# Keys


def key() -> str:
    return Fernet.generate_key().decode()


def rotate(app: Flask) -> str:
    result = app.test_cli_runner().invoke(args=["kakao", "rotate-keys"])
    assert result.exit_code == 0, result.output
    return result.output


def test_default_key_comes_from_the_secret_key(make_app: Callable[..., Flask], kakao: FakeKakao) -> None:
    first = make_app()
    log_in(first.test_client(), kakao)
    assert opened(make_app()) == [("canary-access-token", "canary-refresh-token")]
    assert opened(make_app(SECRET_KEY="another secret for tests, of over 32 characters")) == []
    assert opened(make_app(KAKAOAUTH_TOKEN_KEYS=key())) == []


def test_old_rows_stay_readable_behind_a_new_key(make_app: Callable[..., Flask], kakao: FakeKakao) -> None:
    old, new = key(), key()
    log_in(make_app(KAKAOAUTH_TOKEN_KEYS=old).test_client(), kakao)
    both = make_app(KAKAOAUTH_TOKEN_KEYS=f"{new},{old}")
    assert opened(both) == [("canary-access-token", "canary-refresh-token")]
    log_in(both.test_client(), kakao)
    assert len(opened(make_app(KAKAOAUTH_TOKEN_KEYS=new))) == 1, "the first key encrypts"


def test_after_rotation_the_old_key_may_go(
    make_app: Callable[..., Flask], database_url: str, kakao: FakeKakao, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kakaoauth.tokens.revocation.BATCH", 2)
    old, new = key(), key()
    before = make_app(KAKAOAUTH_TOKEN_KEYS=old, DATABASE_URL=database_url)
    for number in range(5):
        kakao.token = {"access_token": f"token-{number}", "refresh_token": None if number == 3 else f"again-{number}"}
        log_in(before.test_client(), kakao)
    tokens = opened(before)
    assert len(tokens) == 5
    both = make_app(KAKAOAUTH_TOKEN_KEYS=f"{new},{old}", DATABASE_URL=database_url)
    assert rotate(both) == "5 logins' tokens are encrypted with the newest key.\n"
    assert opened(make_app(KAKAOAUTH_TOKEN_KEYS=new, DATABASE_URL=database_url)) == tokens
    assert opened(before) == []


def encrypted(app: Flask) -> dict[str, list[str]]:
    """What each encrypted column holds, by `table.column`: the models say which these are."""
    with app.app_context():
        return {
            f"{table.name}.{column.name}": list(db.session.scalars(db.select(column).where(column.is_not(None))))
            for table, columns in encryption.encrypted_columns().items()
            for column in columns
        }


def fill_every_encrypted_column(app: Flask, kakao: FakeKakao) -> None:
    """By what people do; with a new column of that kind comes what fills it here."""
    log_in(app.test_client(), kakao)
    leaver = app.test_client()
    kakao.me = person(5, email="leaver@example.kr")
    log_in(leaver, kakao)
    kakao.mock.post(f"{KAPI}/v1/user/unlink", status_code=500, text="")
    assert leaver.post("/users/me/withdraw/", data={"csrf_token": csrf_token(leaver)}).status_code == 302
    tokens_of(app, 1)


def test_rotation_reaches_every_encrypted_column(
    make_app: Callable[..., Flask], database_url: str, kakao: FakeKakao
) -> None:
    old, new = key(), key()
    before = make_app(KAKAOAUTH_TOKEN_KEYS=old, DATABASE_URL=database_url)
    fill_every_encrypted_column(before, kakao)
    held = encrypted(before)
    assert all(held.values()), f"nothing is in {[name for name, values in held.items() if not values]}"
    said = rotate(make_app(KAKAOAUTH_TOKEN_KEYS=f"{new},{old}", DATABASE_URL=database_url))
    assert said.splitlines() == [
        "1 logins' tokens are encrypted with the newest key.",
        "1 signing keys are encrypted with the newest key.",
        "1 waiting unlinks' tokens are encrypted with the newest key.",
    ]
    after = make_app(KAKAOAUTH_TOKEN_KEYS=new, DATABASE_URL=database_url)
    with after.app_context():
        for name, values in encrypted(after).items():
            assert [encryption.decrypt(value) for value in values].count(None) == 0, name
            assert len(values) == len(held[name]), name


def test_what_is_encrypted_stands_in_columns_that_say_so(app: Flask, kakao: FakeKakao) -> None:
    """And nowhere else, or a rotation would pass it over."""
    fill_every_encrypted_column(app, kakao)
    with app.app_context():
        found = set()
        for table in db.metadata.sorted_tables:
            for row in db.session.execute(text(f"SELECT * FROM {table.name}")).mappings():
                found |= {
                    f"{table.name}.{name}" for name, value in row.items() if str(value).startswith(encryption.MARK)
                }
    assert found == set(encrypted(app))


def test_encrypted_column_takes_nothing_in_the_clear(app: Flask) -> None:
    with app.app_context(), pytest.raises(StatementError, match="encrypted only"):
        db.session.execute(db.insert(UnlinkJob).values(provider="kakao", subject="1", access_token="in the clear"))


def test_rotation_says_what_no_key_opens_and_leaves_it(make_app: Callable[..., Flask], kakao: FakeKakao) -> None:
    old = key()
    log_in(make_app(KAKAOAUTH_TOKEN_KEYS=old).test_client(), kakao)
    late = make_app(KAKAOAUTH_TOKEN_KEYS=key())
    log_in(late.test_client(), kakao)
    said = rotate(late)
    assert said.startswith("1 logins' tokens")
    assert "1 could not be read with any key" in said
    assert len(opened(make_app(KAKAOAUTH_TOKEN_KEYS=old))) == 1


def test_token_whose_key_is_gone_is_unusable_and_its_owner_stays_logged_in(
    make_app: Callable[..., Flask], kakao: FakeKakao
) -> None:
    client = make_app(KAKAOAUTH_TOKEN_KEYS=key()).test_client()
    log_in(client, kakao)
    app = with_call(make_app(KAKAOAUTH_TOKEN_KEYS=key()))
    after = app.test_client()
    after.set_cookie("session", set_cookie(client))
    assert is_logged_in(after)
    before = len(kakao.calls)
    assert after.get("/from-kakao/").status_code == 400
    assert len(kakao.calls) == before
    assert after.post("/kakao/logout/", data={"csrf_token": csrf_token(after)}).status_code == 302
    assert not is_logged_in(after)
    assert rows(app) == []


@pytest.mark.parametrize("keys", ["short", "a" * 44, f"{'A' * 43}=,no", "한글", f"{'A' * 43}=;{'B' * 43}="])
def test_key_that_is_none_stops_the_start(settings: dict[str, Any], keys: str) -> None:
    with pytest.raises(ConfigError, match="KAKAOAUTH_TOKEN_KEYS must be Fernet keys") as caught:
        create_app({**settings, "KAKAOAUTH_TOKEN_KEYS": keys})
    assert keys not in str(caught.value)
    with pytest.raises(ConfigError, match="KAKAOAUTH_TOKEN_KEYS"):  # before gunicorn starts a worker
        load({**settings, "KAKAOAUTH_TOKEN_KEYS": keys})


# Use and renewal


def test_call_as_the_person_carries_this_logins_token(app: Flask, kakao: FakeKakao) -> None:
    browsers = []
    for number in (1, 2):
        kakao.token = {"access_token": f"canary-{number}"}
        browsers.append(app.test_client())
        log_in(browsers[-1], kakao)
    for number, browser in enumerate(browsers, 1):
        assert browser.get("/from-kakao/").json == kakao.me
        assert kakao.mock.last_request.headers["Authorization"] == f"Bearer canary-{number}"
    assert token_calls(kakao) == 2


def test_nobody_logged_in_means_no_call(app: Flask, kakao: FakeKakao) -> None:
    assert app.test_client().get("/from-kakao/").status_code == 400
    assert kakao.calls == []


def test_row_of_somebody_else_is_not_used(app: Flask, minji: FlaskClient, kakao: FakeKakao, redis: Redis) -> None:
    stranger = app.test_client()
    kakao.me = person(5)
    log_in(stranger, kakao)
    first, second = rows(app)
    for name in redis.keys("session:*"):
        other = first.id if opened_session(redis.get(name))["_token"] == second.id else second.id
        edit(redis, name, lambda data, other=other: data.update(_token=other))
    before = len(kakao.calls)
    assert [browser.get("/from-kakao/").status_code for browser in (minji, stranger)] == [400, 400]
    assert len(kakao.calls) == before


def test_expired_token_is_renewed_with_what_kakao_wants(site: Flask, kakao: FakeKakao, clock: Any) -> None:
    client = site.test_client()
    log_in(client, kakao)
    clock.shift(SIX_HOURS)
    kakao.token = {"access_token": "fresh-access", "refresh_token": None, "refresh_token_expires_in": None}
    assert client.get("/from-kakao/").json == kakao.me
    assert kakao.form() == {
        "grant_type": "refresh_token",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "refresh_token": "canary-refresh-token",
    }
    assert kakao.mock.last_request.headers["Authorization"] == "Bearer fresh-access"
    assert client.get("/from-kakao/").status_code == 200
    assert token_calls(kakao) == 2, "one login, one renewal"


def ask(browser: FlaskClient) -> None:
    assert browser.get("/from-kakao/").status_code == 200


def withdraw(browser: FlaskClient) -> None:
    assert browser.post("/users/me/withdraw/", data={"csrf_token": csrf_token(browser)}).status_code == 302


@pytest.mark.parametrize("secret", [CLIENT_SECRET, ""], ids=["with a client secret", "without"])
@pytest.mark.parametrize(
    ("lifetime", "refused", "act"),
    [
        (30, None, ask),
        (0, None, ask),
        (21599, "GET v2/user/me", ask),
        (0, None, withdraw),
        (21599, "POST v1/user/unlink", withdraw),
    ],
    ids=["near its end", "over", "refused", "over, at the unlink", "refused, at the unlink"],
)
def test_every_renewal_names_the_client_in_the_form_and_in_no_header(
    make_app: Callable[..., Flask],
    kakao: FakeKakao,
    lifetime: int,
    refused: str | None,
    act: Callable[[FlaskClient], None],
    secret: str,
) -> None:
    """Kakao answers KOE101 to HTTP Basic, and KOE010 to a secret that is not the app's."""
    client = with_call(make_app(KAKAO_CLIENT_SECRET=secret)).test_client()
    kakao.token = {"expires_in": lifetime}
    log_in(client, kakao)
    if refused:
        method, path = refused.split()
        kakao.mock.register_uri(method, f"{KAPI}/{path}", [REFUSED, {"json": kakao.me}])
    act(client)
    _, renewal = [call for call in kakao.mock.request_history if call.url == f"{KAUTH}/oauth/token"]
    assert "Authorization" not in renewal.headers
    form = {"grant_type": "refresh_token", "refresh_token": "canary-refresh-token", "client_id": CLIENT_ID}
    assert dict(parse_qsl(renewal.text, keep_blank_values=True)) == form | ({"client_secret": secret} if secret else {})


@pytest.mark.parametrize("left_out", [True, False], ids=["left out", "null"])
def test_old_refresh_token_is_kept_where_the_answer_has_none(
    site: Flask, kakao: FakeKakao, clock: Any, left_out: bool
) -> None:
    client = site.test_client()
    log_in(client, kakao)
    ends = rows(site)[0].refresh_expires_at
    clock.shift(SIX_HOURS)
    answer = {"token_type": "bearer", "access_token": "fresh-access", "expires_in": 21599}
    kakao.fails(token={"json": answer if left_out else {**answer, "refresh_token": None}})
    client.get("/from-kakao/")
    assert opened(site) == [("fresh-access", "canary-refresh-token")]
    assert rows(site)[0].refresh_expires_at == ends
    assert rows(site)[0].expires_at > datetime.now(UTC) + timedelta(hours=5)
    clock.shift(SIX_HOURS)
    client.get("/from-kakao/")
    assert kakao.form()["refresh_token"] == "canary-refresh-token"


def test_new_refresh_token_takes_the_place_of_the_old(site: Flask, kakao: FakeKakao, clock: Any) -> None:
    client = site.test_client()
    log_in(client, kakao)
    ends = rows(site)[0].refresh_expires_at
    clock.shift(SIX_HOURS)
    kakao.token = {"access_token": "fresh-access", "refresh_token": "fresh-refresh"}
    client.get("/from-kakao/")
    assert opened(site) == [("fresh-access", "fresh-refresh")]
    assert rows(site)[0].refresh_expires_at > ends
    clock.shift(SIX_HOURS)
    client.get("/from-kakao/")
    assert kakao.form()["refresh_token"] == "fresh-refresh"


def ask_at_once(app: Flask, cookie: str) -> list[int]:
    """Twenty tabs of one session ask Kakao in the same moment; their statuses."""

    def ask() -> int:
        browser = app.test_client()
        browser.set_cookie("session", cookie)
        return browser.get("/from-kakao/").status_code

    return at_once(app, *[ask] * 20)


def test_twenty_at_once_renew_once(site: Flask, kakao: FakeKakao, clock: Any) -> None:
    client = site.test_client()
    log_in(client, kakao)
    cookie = set_cookie(client)
    clock.shift(SIX_HOURS)
    kakao.token = {"access_token": "fresh-access", "refresh_token": "fresh-refresh"}
    assert ask_at_once(site, cookie) == [200] * 20
    assert token_calls(kakao) == 2, "one login, one renewal"
    assert opened(site) == [("fresh-access", "fresh-refresh")]


def test_twenty_at_once_renew_once_where_the_token_stays_and_gets_a_new_end(
    app: Flask, kakao: FakeKakao, clock: Any
) -> None:
    client = app.test_client()
    log_in(client, kakao)
    clock.shift(SIX_HOURS)
    assert ask_at_once(app, set_cookie(client)) == [200] * 20
    assert token_calls(kakao) == 2, "one login, one renewal"


def test_twenty_at_once_with_a_dead_refresh_token_ask_kakao_once(app: Flask, kakao: FakeKakao, clock: Any) -> None:
    client = app.test_client()
    log_in(client, kakao)
    cookie = set_cookie(client)
    clock.shift(SIX_HOURS)
    kakao.fails(token=KOE322)
    assert ask_at_once(app, cookie) == [400] * 20
    assert token_calls(kakao) == 2, "one login, one renewal"


def test_worker_that_died_with_the_lock_holds_nobody_up_for_ever(
    app: Flask, minji: FlaskClient, kakao: FakeKakao, redis: Redis, clock: Any
) -> None:
    clock.shift(SIX_HOURS)
    redis.set(f"refresh:{rows(app)[0].id}", "a dead worker's", px=700)
    began = time.perf_counter()
    assert minji.get("/from-kakao/").status_code == 200
    assert 0.3 < time.perf_counter() - began < 3
    assert token_calls(kakao) == 2
    assert token_keeper.LOCK_SECONDS <= 15


def test_lock_held_too_long_means_busy_and_changes_nothing(
    app: Flask, minji: FlaskClient, kakao: FakeKakao, redis: Redis, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_keeper, "WAIT_SECONDS", 0.2)
    clock.shift(SIX_HOURS)
    name = f"refresh:{rows(app)[0].id}"
    redis.set(name, "another worker's", ex=60)
    assert minji.get("/from-kakao/").status_code == 503
    assert token_calls(kakao) == 1
    assert redis.get(name) == b"another worker's"
    assert len(rows(app)) == 1
    assert is_logged_in(minji)


def test_lock_that_ended_during_the_call_does_no_harm(
    app: Flask, minji: FlaskClient, kakao: FakeKakao, redis: Redis, clock: Any
) -> None:
    clock.shift(SIX_HOURS)
    name = f"refresh:{rows(app)[0].id}"
    answer = {"token_type": "bearer", "access_token": "fresh-access", "expires_in": 21599}

    def slowly(*_: Any) -> dict[str, Any]:
        assert 0 < redis.pttl(name) <= token_keeper.LOCK_SECONDS * 1000
        redis.delete(name)
        return answer

    kakao.fails(token={"json": slowly})
    assert minji.get("/from-kakao/").status_code == 200
    assert opened(app)[0][0] == "fresh-access"


def test_lock_is_free_after_a_renewal_that_failed(
    minji: FlaskClient, kakao: FakeKakao, redis: Redis, clock: Any
) -> None:
    clock.shift(SIX_HOURS)
    kakao.fails(token={"status_code": 500, "text": ""})
    assert minji.get("/from-kakao/").status_code == 503
    assert redis.keys("refresh:*") == []


# What Kakao's refusals do

DEAD = {"-401 on the call": ("me", REFUSED), "KOE322 on the renewal": ("token", KOE322)}
ALIVE = {
    "-1": {"status_code": 400, "json": {"msg": "internal", "code": -1}},
    "-7": {"status_code": 400, "json": {"msg": "maintenance", "code": -7}},
    "-10 as 400": {"status_code": 400, "json": {"msg": "API limit has been exceeded.", "code": -10}},
    "-10 as 429": {"status_code": 429, "json": {"msg": "API limit has been exceeded.", "code": -10}},
    "-9798": {"status_code": 503, "json": {"msg": "service under maintenance", "code": -9798}},
    "500": {"status_code": 500, "text": ""},
    "502 in HTML": {"status_code": 502, "text": "<html>", "headers": {"Content-Type": "text/html"}},
    "time-out": {"exc": requests.exceptions.ReadTimeout},
    "refused connection": {"exc": requests.exceptions.ConnectionError},
    "-401 in a 503": {"status_code": 503, "json": {"msg": "?", "code": -401}},
}


@pytest.mark.parametrize("case", DEAD)
def test_token_that_kakao_calls_dead_is_dropped_and_the_session_stays(
    site: Flask, kakao: FakeKakao, clock: Any, case: str
) -> None:
    client, other = site.test_client(), site.test_client()
    log_in(client, kakao)
    log_in(other, kakao)
    call, answer = DEAD[case]
    if call == "token":
        clock.shift(SIX_HOURS)
    kakao.fails(**{call: answer})
    assert client.get("/from-kakao/").status_code == 400
    (left,) = rows(site)
    assert left.id == 2, "the other login's stays"
    assert is_logged_in(client)
    before = len(kakao.calls)
    assert client.get("/from-kakao/").status_code == 400
    assert len(kakao.calls) == before, "a dead token is not tried again"


def dead_until_renewed(kakao: FakeKakao) -> None:
    """Kakao knows the access token no more, and the refresh token still."""

    def me(request: Any, context: Any) -> dict[str, Any]:
        if request.headers["Authorization"] == "Bearer fresh-access":
            return kakao.me
        context.status_code = REFUSED["status_code"]
        return REFUSED["json"]  # type: ignore[return-value]

    kakao.fails(me={"json": me})
    kakao.token = {"access_token": "fresh-access"}


def test_refused_token_is_renewed_once_before_anything_is_dropped(site: Flask, kakao: FakeKakao) -> None:
    client = site.test_client()
    log_in(client, kakao)
    before = token_calls(kakao)
    dead_until_renewed(kakao)
    assert client.get("/from-kakao/").status_code == 200
    assert token_calls(kakao) == before + 1
    assert kakao.form()["grant_type"] == "refresh_token"
    assert opened(site) == [("fresh-access", "canary-refresh-token")]


def test_refused_token_without_a_refresh_token_is_dropped_at_once(site: Flask, kakao: FakeKakao) -> None:
    client = site.test_client()
    kakao.token = {"refresh_token": None}
    log_in(client, kakao)
    before = token_calls(kakao)
    kakao.fails(me=REFUSED)
    assert client.get("/from-kakao/").status_code == 400
    assert token_calls(kakao) == before
    assert rows(site) == []


def test_token_that_is_refused_after_its_renewal_is_dropped_after_one(site: Flask, kakao: FakeKakao) -> None:
    client = site.test_client()
    log_in(client, kakao)
    before = token_calls(kakao)
    kakao.fails(me=REFUSED)
    assert client.get("/from-kakao/").status_code == 400
    assert token_calls(kakao) == before + 1
    assert rows(site) == []


@pytest.mark.parametrize("case", ALIVE)
def test_refused_token_stays_while_its_renewal_cannot_be_had(
    app: Flask, minji: FlaskClient, kakao: FakeKakao, case: str
) -> None:
    kakao.fails(me=REFUSED, token=ALIVE[case])
    assert minji.get("/from-kakao/").status_code == 503
    assert opened(app) == [("canary-access-token", "canary-refresh-token")]


def test_many_refused_at_once_renew_once(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    before = token_calls(kakao)
    dead_until_renewed(kakao)
    cookie = set_cookie(minji)

    def ask(line: threading.Barrier, codes: list[int]) -> None:
        browser = app.test_client()
        browser.set_cookie("session", cookie)
        line.wait(10)
        codes.append(browser.get("/from-kakao/").status_code)

    line, codes = threading.Barrier(8), []  # type: ignore[var-annotated]
    threads = [threading.Thread(target=ask, args=(line, codes)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert codes == [200] * 8
    assert token_calls(kakao) == before + 1


@pytest.mark.parametrize("call", ["me", "token"])
@pytest.mark.parametrize("case", ALIVE)
def test_token_outlives_kakaos_bad_days(
    app: Flask, minji: FlaskClient, kakao: FakeKakao, clock: Any, call: str, case: str
) -> None:
    if call == "token":
        clock.shift(SIX_HOURS)
    kakao.fails(**{call: ALIVE[case]})
    assert minji.get("/from-kakao/").status_code == 503
    assert opened(app) == [("canary-access-token", "canary-refresh-token")]
    assert is_logged_in(minji)
    kakao.mock.post(f"{KAUTH}/oauth/token", json=kakao._token)
    kakao.mock.get(f"{KAPI}/v2/user/me", json=kakao.me)
    assert minji.get("/from-kakao/").status_code == 200


def test_html_instead_of_tokens_leaves_the_old_ones(
    app: Flask, minji: FlaskClient, kakao: FakeKakao, clock: Any
) -> None:
    clock.shift(SIX_HOURS)
    kakao.fails(token={"status_code": 200, "text": "<html>", "headers": {"Content-Type": "text/html"}})
    assert minji.get("/from-kakao/").status_code == 503
    assert opened(app) == [("canary-access-token", "canary-refresh-token")]
    assert is_logged_in(minji)


def test_missing_consent_is_said_and_drops_nothing(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    kakao.fails(me={"status_code": 403, "json": {"msg": "insufficient scopes.", "code": -402}})
    assert minji.get("/from-kakao/").status_code == 403
    assert len(rows(app)) == 1


@pytest.mark.parametrize("is_over", [True, False], ids=["over", "refused"])
def test_login_that_ended_during_a_renewal_keeps_nothing(
    site: Flask, kakao: FakeKakao, clock: Any, is_over: bool
) -> None:
    client = site.test_client()
    log_in(client, kakao)
    if is_over:
        clock.shift(SIX_HOURS)
    else:
        dead_until_renewed(kakao)
    answer = {"token_type": "bearer", "access_token": "fresh-access", "expires_in": 21599}

    def meanwhile(*_: Any) -> dict[str, Any]:
        def end() -> None:
            with site.app_context():
                token_revocation.pop_tokens(token_id=1)

        thread = threading.Thread(target=end)
        thread.start()
        thread.join(10)
        return answer

    kakao.fails(token={"json": meanwhile})
    assert client.get("/from-kakao/").status_code == 200
    assert rows(site) == []


def test_renewal_outside_a_login_is_nobodys(app: Flask, minji: FlaskClient) -> None:
    with app.app_context():
        token_revocation.renew(999, providers_values.TokenSet("x", datetime.now(UTC)))
        token_revocation.drop(999)
        assert token_revocation.pop_tokens(token_id=999) == token_revocation.pop_tokens() == []
    assert len(rows(app)) == 1


# Odd answers


@pytest.mark.parametrize("lifetime", ["soon", -5, 10**18, None, 2.5, True, [], {"a": 1}])
def test_odd_lifetime_of_an_access_token_means_use_it_once(
    app: Flask, client: FlaskClient, kakao: FakeKakao, lifetime: Any
) -> None:
    kakao.token = {"expires_in": lifetime}
    assert log_in(client, kakao).status_code == 302
    assert is_logged_in(client)
    assert rows(app)[0].expires_at <= datetime.now(UTC)
    kakao.token = {"access_token": "fresh-access"}
    assert client.get("/from-kakao/").status_code == 200
    assert opened(app)[0][0] == "fresh-access"


@pytest.mark.parametrize("lifetime", ["5183999", -5, 10**18, None, 2.5, True, []])
def test_odd_lifetime_of_a_refresh_token_means_two_months(
    app: Flask, client: FlaskClient, kakao: FakeKakao, lifetime: Any
) -> None:
    kakao.token = {"refresh_token_expires_in": lifetime}
    assert log_in(client, kakao).status_code == 302
    left = rows(app)[0].refresh_expires_at - datetime.now(UTC)
    assert timedelta(days=59) < left <= timedelta(days=60)


@pytest.mark.parametrize("odd", [12345, "", "two words", "line\nbreak", [], None, "한글"])
def test_login_without_a_usable_refresh_token_works_until_the_access_token_ends(
    app: Flask, client: FlaskClient, kakao: FakeKakao, clock: Any, odd: Any
) -> None:
    kakao.token = {"refresh_token": odd}
    assert log_in(client, kakao).status_code == 302
    assert opened(app) == [("canary-access-token", None)]
    assert client.get("/from-kakao/").status_code == 200
    clock.shift(SIX_HOURS)
    answer = client.get("/from-kakao/")
    assert (answer.status_code, 'data-code="CODE_REFUSED"' in answer.text) == (400, True)
    assert is_logged_in(client)
    assert token_calls(kakao) == 1


@pytest.mark.parametrize("odd", [12345, "", "two words", None, []])
def test_renewal_without_a_usable_access_token_leaves_the_old_tokens(
    app: Flask, minji: FlaskClient, kakao: FakeKakao, clock: Any, odd: Any
) -> None:
    clock.shift(SIX_HOURS)
    kakao.token = {"access_token": odd}
    assert minji.get("/from-kakao/").status_code == 503
    assert opened(app) == [("canary-access-token", "canary-refresh-token")]
    assert is_logged_in(minji)


def test_very_long_tokens_are_kept_whole(site: Flask, kakao: FakeKakao) -> None:
    kakao.token = {"access_token": "a" * 4000, "refresh_token": "r" * 4000}
    assert log_in(site.test_client(), kakao).status_code == 302
    assert opened(site) == [("a" * 4000, "r" * 4000)]


def test_rotation_during_a_renewal_brings_no_old_token_back(site: Flask, kakao: FakeKakao) -> None:
    """The whole batch is read before it is written; what a renewal wrote in between is newer."""
    app = site
    log_in(app.test_client(), kakao)
    soon = datetime.now(UTC) + timedelta(hours=6)
    threads: list[threading.Thread] = []

    def renew() -> None:
        with app.app_context():
            token_revocation.renew(1, providers_values.TokenSet("fresh-access", soon, "fresh-refresh", soon))

    def between(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT provider_tokens.id, provider_tokens.access_token") and not threads:
            threads.append(threading.Thread(target=renew))
            threads[0].start()
            threads[0].join(10)

    with app.app_context():
        event.listen(db.engine, "after_cursor_execute", between)
        token_revocation.reencrypt_all()
    threads[0].join(10)
    assert opened(app) == [("fresh-access", "fresh-refresh")]


def test_tokens_go_with_the_account(site: Flask, kakao: FakeKakao) -> None:
    log_in(site.test_client(), kakao)
    with site.app_context():
        db.session.execute(db.delete(User))
        db.session.commit()
    assert rows(site) == []


def test_copy_of_the_database_alone_opens_nothing(app: Flask, minji: FlaskClient, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "test.db") as connection:
        (sealed,) = connection.execute("SELECT access_token FROM provider_tokens").fetchone()
    connection.close()
    assert sealed.startswith("gAAAA")
    thief = create_app({**app.config, "TESTING": True, "KAKAOAUTH_TOKEN_KEYS": key()})
    with thief.app_context():
        assert encryption.decrypt(sealed) is None
        db.engine.dispose()


def test_row_that_goes_while_it_is_rewritten_is_no_error(site: Flask, kakao: FakeKakao) -> None:
    log_in(site.test_client(), kakao)
    found: list[bool] = []

    def end() -> None:
        with site.app_context():
            token_revocation.drop(1)

    @transaction.transaction
    def renew_slowly() -> None:
        row = provider_tokens.find(1)
        found.append(row is not None)
        if row is not None:
            thread = threading.Thread(target=end)
            thread.start()
            thread.join(10)
            provider_tokens.write(row, providers_values.TokenSet("fresh-access", datetime.now(UTC)))

    with site.app_context():
        renew_slowly()
    assert found == [True, False]
    assert rows(site) == []
