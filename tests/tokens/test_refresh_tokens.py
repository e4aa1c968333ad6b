"""Refresh tokens: each works once, a thief is noticed, and what ends a login ends all of its tokens at once."""

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import delete, event
from support import FakeKakao, api_client, csrf_token, log_in, person, problem, tokens_of
from support.concurrency import at_once

from kakaoauth.accounts import leaving, password_login, roles
from kakaoauth.audit import AuditEvent
from kakaoauth.counting import counters
from kakaoauth.errors import ExpiredToken, InvalidAccessToken
from kakaoauth.models import Identity, User
from kakaoauth.storage.database import db
from kakaoauth.tokens import flows as token_flows
from kakaoauth.tokens import refresh_tokens
from kakaoauth.tokens.flows import TokenPair
from kakaoauth.tokens.refresh_tokens import TokenFamily

ADMIN_KEY = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
DAY = 86400
BEGINNING = datetime.now(UTC) + timedelta(days=1)

MakeApp = Callable[..., Flask]
People = dict[str, int]

REVOKE = "/api/token/revoke/"


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        yield clock


def refresh(app: Flask, token: str) -> Any:
    return app.test_client().post("/api/token/refresh/", json={"refresh_token": token})


def revoke(app: Flask, token: str, **more: str) -> Any:
    return app.test_client().post(REVOKE, json={"token": token, **more})


def next_of(app: Flask, token: str) -> str:
    """The next refresh token."""
    answer = refresh(app, token)
    assert answer.status_code == 200, answer.text
    return str(answer.get_json()["refresh_token"])


def is_in(app: Flask, pair: TokenPair) -> bool:
    return api_client(app, pair.access_token).get("/api/users/me/").status_code == 200


def assert_over(app: Flask, pair: TokenPair) -> None:
    """Neither token does anything any more."""
    problem(api_client(app, pair.access_token).get("/api/users/me/"), 401, "INVALID_ACCESS_TOKEN")
    problem(refresh(app, pair.refresh_token), 401, "EXPIRED_TOKEN")


def families(app: Flask) -> list[TokenFamily]:
    with app.app_context():
        rows = list(db.session.scalars(db.select(TokenFamily).order_by(TokenFamily.id)))
        db.session.expunge_all()
        return rows


def add_person(app: Flask, **fields: Any) -> int:
    with app.app_context():
        user = User.objects.create_user("a@example.kr", provider="kakao", **fields)
        db.session.add(Identity(provider="kakao", subject="1000", user=user))
        db.session.commit()
        return user.id


# One after the other


def test_refresh_gives_the_next_pair(app: Flask, people: People, pair: TokenPair) -> None:
    answer = refresh(app, pair.refresh_token)
    found = answer.get_json()
    assert sorted(found) == ["access_token", "expires_in", "refresh_token", "token_type"]
    assert (found["token_type"], found["expires_in"]) == ("Bearer", 300)
    assert found["refresh_token"] != pair.refresh_token
    assert answer.headers["Cache-Control"] == "no-store"
    assert api_client(app, found["access_token"]).get("/api/users/me/").get_json()["id"] == people["minji"]
    assert is_in(app, pair), "an access token lives on until it is over"
    (family,) = families(app)
    assert family.generation == 1, "one row, however often it is refreshed"


def test_long_chain_works(app: Flask, pair: TokenPair) -> None:
    token, seen = pair.refresh_token, {pair.refresh_token}
    for _ in range(20):
        token = next_of(app, token)
        seen.add(token)
    assert len(seen) == 21
    assert all(len(one) == refresh_tokens.LENGTH for one in seen)


def test_unused_refresh_token_is_over_after_a_week(app: Flask, people: People, clock: Any) -> None:
    pair = tokens_of(app, people["minji"])
    clock.shift(7 * DAY - 1)
    token = next_of(app, pair.refresh_token)
    clock.shift(7 * DAY)
    problem(refresh(app, token), 401, "EXPIRED_TOKEN")


def test_logins_do_not_know_of_each_other(app: Flask, people: People, pair: TokenPair) -> None:
    phone, tablet = pair, tokens_of(app, people["minji"])
    assert revoke(app, phone.refresh_token).status_code == 200
    assert_over(app, phone)
    assert is_in(app, tablet)
    assert refresh(app, tablet.refresh_token).status_code == 200


def test_account_erased_since_the_login_gets_no_tokens(make_app: MakeApp, database_url: str) -> None:
    with make_app(DATABASE_URL=database_url).app_context():
        user = User(nickname="Minji")
        db.session.add(user)
        db.session.commit()
        with db.engine.begin() as elsewhere:
            elsewhere.execute(delete(User))
        with pytest.raises(InvalidAccessToken):
            token_flows.issue_tokens(user)


def test_dead_families_are_removed_at_a_later_login(app: Flask, people: People, clock: Any) -> None:
    for _ in range(3):
        tokens_of(app, people["minji"])
    clock.shift(9 * DAY)
    tokens_of(app, people["minji"])
    assert len(families(app)) == 1


# Used twice


def test_lost_answer_may_be_asked_for_again(app: Flask, people: People, clock: Any) -> None:
    pair = tokens_of(app, people["minji"])
    first = next_of(app, pair.refresh_token)
    clock.shift(9)
    assert next_of(app, pair.refresh_token) == first, "the same result"
    assert families(app)[0].generation == 1
    assert refresh(app, first).status_code == 200, "no alarm"


def test_token_used_again_later_ends_the_family(
    app: Flask, people: People, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Two hold it, and one of them is a thief; which one, nobody can tell."""
    caplog.set_level("WARNING", "kakaoauth.audit")
    pair = tokens_of(app, people["minji"])
    answer = refresh(app, pair.refresh_token).get_json()
    clock.shift(11)
    problem(refresh(app, pair.refresh_token), 401, "INVALID_ACCESS_TOKEN")
    assert families(app) == []
    problem(refresh(app, answer["refresh_token"]), 401, "EXPIRED_TOKEN")
    for token in (pair.access_token, answer["access_token"]):
        problem(api_client(app, token).get("/api/users/me/"), 401, "INVALID_ACCESS_TOKEN")
    (alarm,) = [record.getMessage() for record in caplog.records if record.name == "kakaoauth.audit"]
    assert "reused" in alarm
    assert str(people["minji"]) in alarm
    assert not [token for token in (*pair[:2], *answer.values()) if str(token) in caplog.text and len(str(token)) > 20]


@pytest.fixture
def of_postgresql(make_app: MakeApp, postgres_url: str) -> Flask:
    """A site on several machines, which have one database and a clock each."""
    app = make_app(DATABASE_URL=postgres_url)
    with app.app_context():
        User.objects.create_user("minji@example.kr", nickname="minji")
        db.session.commit()
    return app


def long_ago(app: Flask, seconds: int) -> None:
    with app.app_context():
        earlier = "UPDATE token_families SET rotated_at = clock_timestamp() - make_interval(secs => :seconds)"
        db.session.execute(db.text(earlier), {"seconds": seconds})
        db.session.commit()


@pytest.mark.parametrize("ahead", [-30, 30])
def test_machine_with_another_clock_takes_nobody_for_a_thief(of_postgresql: Flask, ahead: int) -> None:
    pair = tokens_of(of_postgresql, 1)
    first = next_of(of_postgresql, pair.refresh_token)
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=ahead)):
        assert next_of(of_postgresql, pair.refresh_token) == first
        second = next_of(of_postgresql, first)
    assert next_of(of_postgresql, first) == second, "nor what the other one has noted"


@pytest.mark.parametrize("ahead", [-30, 30])
def test_machine_with_another_clock_lets_no_thief_in(of_postgresql: Flask, ahead: int) -> None:
    pair = tokens_of(of_postgresql, 1)
    next_of(of_postgresql, pair.refresh_token)
    long_ago(of_postgresql, 11)
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=ahead)):
        problem(refresh(of_postgresql, pair.refresh_token), 401, "INVALID_ACCESS_TOKEN")
    assert families(of_postgresql) == []


def test_machine_whose_clock_is_late_lets_no_demoted_person_refresh(of_postgresql: Flask) -> None:
    with of_postgresql.app_context():
        db.session.get(User, 1).is_staff = True
        db.session.commit()
    pair = tokens_of(of_postgresql, 1)
    with of_postgresql.app_context():
        roles.change_user(1, is_staff=False)
    with time_machine.travel(datetime.now(UTC) - timedelta(seconds=30)):
        problem(refresh(of_postgresql, pair.refresh_token), 401, "EXPIRED_TOKEN")


def test_refresh_near_the_end_promises_no_more_than_is_left(app: Flask, people: People, clock: Any) -> None:
    token = tokens_of(app, people["minji"]).refresh_token
    for _ in range(14):
        clock.shift(6 * 86400)
        token = next_of(app, token)
    clock.shift(86400)
    with app.app_context():
        pair = token_flows.refresh(token)
    assert pair.refresh_expires_in == 5 * 86400, "of the ninety days, not another seven"
    assert families(app)[0].expires_at == families(app)[0].ends_at


def test_token_before_the_last_is_a_thiefs_even_at_once(app: Flask, pair: TokenPair) -> None:
    second = next_of(app, pair.refresh_token)
    third = next_of(app, second)
    problem(refresh(app, pair.refresh_token), 401, "INVALID_ACCESS_TOKEN")
    problem(refresh(app, third), 401, "EXPIRED_TOKEN")


def test_very_old_token_is_still_recognised(app: Flask, people: People, clock: Any) -> None:
    pair = tokens_of(app, people["minji"])
    token = pair.refresh_token
    for _ in range(12):
        clock.shift(6 * DAY)
        token = next_of(app, token)
    problem(refresh(app, pair.refresh_token), 401, "INVALID_ACCESS_TOKEN")
    problem(refresh(app, token), 401, "EXPIRED_TOKEN")


def flipped(token: str, place: int) -> str:
    raw = bytearray(base64.urlsafe_b64decode(token + "="))
    raw[place] ^= 1
    return base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")


def test_made_up_token_ends_nobodys_family(app: Flask, people: People, pair: TokenPair) -> None:
    """The family's number stands in every token and can be guessed; what follows it cannot."""
    token = next_of(app, pair.refresh_token)
    fakes = [flipped(token, place) for place in (8, 11, 12, 30, 43)]  # generation, MAC
    fakes += [flipped(pair.refresh_token, 11), flipped(pair.refresh_token, 43)]
    for fake in fakes:
        problem(refresh(app, fake), 401, "INVALID_ACCESS_TOKEN")
        assert revoke(app, fake).status_code == 200
    problem(refresh(app, flipped(token, 6)), 401, "EXPIRED_TOKEN")  # another family's number: there is none
    assert is_in(app, pair)
    assert next_of(app, token)


def test_text_that_is_no_refresh_token_is_refused(app: Flask, pair: TokenPair) -> None:
    token = pair.refresh_token
    odd = (token[:-1], token + "A", token + "=", "A" * 59, "-" * 59, "_" * 59, "!" * 59, token[:-1] + "~", "x")
    # The last character holds two bits that count for nothing: another spelling of the same bytes.
    odd += (token[:-1] + ("B" if token[-1] == "A" else chr(ord(token[-1]) + 1)),)
    for one in odd:
        problem(refresh(app, one), 401, "INVALID_ACCESS_TOKEN")
    assert next_of(app, token)


# At once


def test_twenty_at_once_get_one_new_token(make_app: MakeApp, database_url: str) -> None:
    app = make_app(DATABASE_URL=database_url)
    token = tokens_of(app, add_person(app)).refresh_token
    for generation in (1, 2):
        answers = at_once(app, *[partial(refresh, app, token)] * 20)
        assert [answer.status_code for answer in answers] == [200] * 20, {answer.text for answer in answers}
        (token,) = {answer.get_json()["refresh_token"] for answer in answers}
        (family,) = families(app)
        assert family.generation == generation


def test_revoked_while_refreshing_stays_revoked(make_app: MakeApp, database_url: str) -> None:
    app = make_app(DATABASE_URL=database_url)
    user_id = add_person(app)
    for _ in range(3):
        pair = tokens_of(app, user_id)
        acts = [partial(act, app, pair.refresh_token) for act in (refresh, revoke)] * 4
        assert {answer.status_code for answer in at_once(app, *acts)} <= {200, 401}
        assert families(app) == []
        assert_over(app, pair)


def test_crash_before_the_commit_leaves_the_old_token_good(make_app: MakeApp, database_url: str) -> None:
    app = make_app(DATABASE_URL=database_url)
    pair = tokens_of(app, add_person(app))

    def crash(_session: Any) -> None:
        raise MemoryError

    with app.app_context():
        sessions = db.session
    event.listen(sessions, "before_commit", crash)
    try:
        assert refresh(app, pair.refresh_token).status_code == 500
    finally:
        event.remove(sessions, "before_commit", crash)
    assert families(app)[0].generation == 0
    assert next_of(app, pair.refresh_token)


# The end, whatever happens


def last_day(app: Flask, user_id: int, clock: Any, step: int) -> float:
    """Refresh as often as needed; return after how many days that was refused."""
    token, begun = tokens_of(app, user_id).refresh_token, datetime.now(UTC)
    for _ in range(100):
        clock.shift(step)
        answer = refresh(app, token)
        days = (datetime.now(UTC) - begun).total_seconds() / DAY
        if answer.status_code != 200:
            problem(answer, 401, "EXPIRED_TOKEN")
            return days
        token = answer.get_json()["refresh_token"]
    raise AssertionError("for ever")


def test_refreshing_for_ever_does_not_live_for_ever(app: Flask, people: People, clock: Any) -> None:
    assert last_day(app, people["minji"], clock, 6 * DAY) == 90
    assert last_day(app, people["sora"], clock, DAY) == 7, "staff"


def test_last_tokens_are_over_with_the_family(app: Flask, people: People, clock: Any) -> None:
    pair = tokens_of(app, people["sora"])
    clock.shift(7 * DAY - 60)
    answer = refresh(app, pair.refresh_token).get_json()
    assert answer["expires_in"] == 60
    clock.shift(60)
    problem(api_client(app, answer["access_token"]).get("/api/users/me/"), 401, "EXPIRED_TOKEN")
    problem(refresh(app, answer["refresh_token"]), 401, "EXPIRED_TOKEN")


def test_who_becomes_staff_has_staffs_time(app: Flask, people: People, clock: Any) -> None:
    pair = tokens_of(app, people["minji"])
    clock.shift(6 * DAY)
    token = next_of(app, pair.refresh_token)
    with app.app_context():
        roles.change_user(people["minji"], is_staff=True)
    clock.shift(DAY)
    problem(refresh(app, token), 401, "EXPIRED_TOKEN")


# What ends a login


def suspend(app: Flask, user_id: int) -> None:
    roles.change_user(user_id, is_active=False)


def suspend_and_forgive(app: Flask, user_id: int) -> None:
    roles.change_user(user_id, is_active=False)
    roles.change_user(user_id, is_active=True)


def withdraw(app: Flask, user_id: int) -> None:
    leaving.withdraw(user_id)


def end_everywhere(app: Flask, user_id: int) -> None:
    roles.end_all_sessions(user_id)


def unlink_at_kakao(app: Flask, user_id: int) -> None:
    form = {"app_id": "654321", "user_id": "1000", "referrer_type": "UNLINK_FROM_APPS"}
    answer = app.test_client().post(
        "/webhooks/kakao/unlink/", data=form, headers={"Authorization": f"KakaoAK {ADMIN_KEY}"}
    )
    assert answer.status_code == 200


def set_password(app: Flask, user_id: int) -> None:
    user = db.session.get(User, user_id)
    assert user
    user.is_staff = user.is_superuser = True
    password_login.set_password(user, "a long enough password")


@pytest.mark.parametrize("end", [suspend, suspend_and_forgive, withdraw, end_everywhere, unlink_at_kakao, set_password])
def test_what_ends_a_login_ends_its_tokens_at_once(make_app: MakeApp, end: Callable[[Flask, int], None]) -> None:
    app = make_app(KAKAO_ADMIN_KEY=ADMIN_KEY, KAKAO_APP_ID=654321)
    user_id = add_person(app)
    pairs = [tokens_of(app, user_id) for _ in range(2)]
    assert all(is_in(app, pair) for pair in pairs)
    with app.app_context():
        end(app, user_id)
    for pair in pairs:
        assert_over(app, pair)


def test_demotion_takes_the_rights_at_once_and_the_login_soon(app: Flask, people: People) -> None:
    pair = tokens_of(app, people["sora"])
    client = api_client(app, pair.access_token)
    with app.app_context():
        roles.change_user(people["sora"], is_staff=False)
    problem(client.get("/api/users/"), 403, "FORBIDDEN")
    assert client.get("/api/users/me/").get_json()["is_staff"] is False
    problem(refresh(app, pair.refresh_token), 401, "EXPIRED_TOKEN")


def test_logout_everywhere_ends_sessions_and_tokens_from_either_side(app: Flask, kakao: FakeKakao) -> None:
    kakao.me = person(1000, email="minji@example.kr")
    browser = app.test_client()
    log_in(browser, kakao)
    with app.app_context():
        (user_id,) = db.session.scalars(db.select(User.id)).all()
    pair = tokens_of(app, user_id)
    assert api_client(app, pair.access_token).post("/api/users/me/logout-everywhere/").status_code == 204
    assert_over(app, pair)
    assert browser.get("/users/me/").status_code == 302
    log_in(browser, kakao)
    pair = tokens_of(app, user_id)
    browser.post("/users/me/logout-everywhere/", data={"csrf_token": csrf_token(browser)})
    assert_over(app, pair)


# Revoke


def test_either_token_ends_the_login_it_belongs_to(app: Flask, people: People) -> None:
    for kind in ("access_token", "refresh_token"):
        pair = tokens_of(app, people["minji"])
        answer = revoke(app, getattr(pair, kind), token_type_hint="anything")
        assert (answer.status_code, answer.get_json()) == (200, {})
        assert_over(app, pair)
        assert revoke(app, getattr(pair, kind)).status_code == 200, "and again"


def test_token_that_is_over_can_still_be_revoked(app: Flask, people: People, clock: Any) -> None:
    pair = tokens_of(app, people["minji"])
    token = next_of(app, pair.refresh_token)
    clock.shift(DAY)
    assert revoke(app, pair.access_token).status_code == 200
    problem(refresh(app, token), 401, "EXPIRED_TOKEN")
    pair = tokens_of(app, people["minji"])
    token = next_of(app, next_of(app, pair.refresh_token))
    assert revoke(app, pair.refresh_token).status_code == 200, "also one that was used before"
    problem(refresh(app, token), 401, "EXPIRED_TOKEN")


def test_form_ends_a_login_as_json_does(app: Flask, people: People) -> None:
    """RFC 7009, section 2.1, with what its clients add."""
    more = {"client_id": "x", "client_secret": "y", "token_type_hint": "h" * 200}
    for form in (more, {}):
        for kind in ("access_token", "refresh_token"):
            pair = tokens_of(app, people["minji"])
            answer = app.test_client().post(REVOKE, data={"token": getattr(pair, kind), **form})
            assert (answer.status_code, answer.get_json()) == (200, {})
            assert_over(app, pair)


ODD_REVOCATIONS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "an empty object": {"json": {}},
    "an empty token": {"json": {"token": ""}},
    "null": {"json": {"token": None}},
    "a number": {"json": {"token": 7}},
    "a list": {"json": ["token"]},
    "another field": {"json": {"refresh_token": "x"}},
    "too long": {"json": {"token": "x" * 5000}},
    "odd characters": {"json": {"token": "a b\0é\ud800"}},
    "a key twice": {"data": b'{"token":"a","token":"b"}', "content_type": "application/json"},
    "no JSON": {"data": b"{", "content_type": "application/json"},
    "deep": {"data": b"[" * 30_000, "content_type": "application/json"},
    "no UTF-8": {"data": b"\xff\xfe", "content_type": "application/json"},
    "of no kind": {"data": b"token=x", "content_type": "text/plain"},
    "an empty form": {"data": b"", "content_type": "application/x-www-form-urlencoded"},
    "an odd form": {"data": b"token=%ff%zz&=&&token", "content_type": "application/x-www-form-urlencoded"},
    "a form with many fields": {"data": b"a=b&" * 100, "content_type": "application/x-www-form-urlencoded"},
    "a form of parts": {"data": {"token": "x"}, "content_type": "multipart/form-data"},
    "huge": {"data": b"token=" + b"x" * 100_000, "content_type": "application/x-www-form-urlencoded"},
}


@pytest.mark.parametrize("odd", ODD_REVOCATIONS)
def test_revocation_is_200_whatever_is_in_it(app: Flask, pair: TokenPair, odd: str) -> None:
    answer = app.test_client().post(REVOKE, **ODD_REVOCATIONS[odd])
    assert (answer.status_code, answer.get_json()) == (200, {})
    assert is_in(app, pair)


def test_unknown_token_is_revoked_with_the_same_answer(app: Flask, pair: TokenPair) -> None:
    for token in ("x", "canary-access-token", "a.b.c", "A" * 59, pair.access_token[:-6] + "AAAAAA"):
        answer = revoke(app, token)
        assert (answer.status_code, answer.get_json()) == (200, {})
    assert is_in(app, pair)


def test_revocation_is_written_down_without_the_token(
    app: Flask, people: People, pair: TokenPair, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    revoke(app, pair.refresh_token)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "kakaoauth.audit"]
    assert f"user={people['minji']}" in line
    assert pair.refresh_token not in caplog.text


# At rest


def test_database_and_redis_hold_no_token(app: Flask, people: People, redis: Redis) -> None:
    first = tokens_of(app, people["minji"])
    second = refresh(app, first.refresh_token).get_json()
    third = refresh(app, second["refresh_token"]).get_json()
    seen = [*first[:2], *(pair[kind] for pair in (second, third) for kind in ("access_token", "refresh_token"))]
    seen += [token.split(".")[2] for token in seen if "." in token]
    macs = [base64.urlsafe_b64decode(token + "=")[12:] for token in seen if len(token) == refresh_tokens.LENGTH]
    # The whole database as it lies on the disk: every column of every table, and what was there before.
    with app.app_context():
        path = Path(str(db.engine.url.database))
    kept = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*") if file.is_file())
    assert str(people["minji"]).encode() in kept
    assert refresh_tokens.hash_of(third["refresh_token"]).encode() in kept
    kept += repr([redis.get(key) for key in redis.keys()]).encode()
    assert not [token for token in seen if token.encode() in kept]
    assert not [mac for mac in macs if mac in kept or mac.hex().encode() in kept]


def test_copy_of_the_database_opens_nothing(make_app: MakeApp) -> None:
    """Who has the rows lacks SECRET_KEY, from which the tokens are made."""
    app = make_app()
    pair = tokens_of(app, add_person(app))
    thief = make_app(SECRET_KEY="what a thief may try instead, of more than 32 characters")
    with thief.app_context():
        family = refresh_tokens.find(families(app)[0].id)
        assert family
        made = refresh_tokens.token_of(family, family.generation)
    problem(refresh(app, made), 401, "INVALID_ACCESS_TOKEN")
    assert next_of(app, pair.refresh_token)


# The request


def test_refresh_needs_a_token(app: Flask) -> None:
    answer = app.test_client().post("/api/token/refresh/", json={})
    problem(answer, 401, "INVALID_ACCESS_TOKEN")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    for body in ({"refresh_token": ""}, {"refresh_token": 1}, {"refresh_token": "a b"}, {"refresh": "x"}):
        problem(app.test_client().post("/api/token/refresh/", json=body), 400, "INVALID_REQUEST")


def test_refresh_token_in_the_address_is_not_looked_at(app: Flask, pair: TokenPair) -> None:
    for path in ("/api/token/refresh/", "/api/token/revoke/", "/api/token/verify/"):
        query = {"refresh_token": pair.refresh_token, "token": pair.refresh_token}
        assert app.test_client().post(path, query_string=query, json={}).get_json(force=True) is not None
    assert next_of(app, pair.refresh_token)


def test_refresh_token_in_the_header_is_not_looked_at(app: Flask, pair: TokenPair) -> None:
    client: FlaskClient = api_client(app, pair.refresh_token)
    problem(client.post("/api/token/refresh/", json={}), 401, "INVALID_ACCESS_TOKEN")


# How many


def test_login_beyond_the_most_ends_the_one_refreshed_longest_ago(make_app: MakeApp, database_url: str) -> None:
    app = make_app(DATABASE_URL=database_url)
    beginning = datetime.now(UTC) - timedelta(days=1)  # a refresh takes its time from the database
    with app.app_context():
        user, other = (User.objects.create_user(f"p{number}@example.kr") for number in (1, 2))
        db.session.commit()
        theirs = token_flows.issue_tokens(other)
        pairs = []
        for number in range(refresh_tokens.MOST):
            with time_machine.travel(beginning + timedelta(minutes=number), tick=False):
                pairs.append(token_flows.issue_tokens(user))
        with time_machine.travel(beginning + timedelta(minutes=200), tick=False):
            again = token_flows.refresh(pairs[0].refresh_token)
            newest = token_flows.issue_tokens(user)
            with pytest.raises(ExpiredToken):
                token_flows.refresh(pairs[1].refresh_token)
            with pytest.raises(InvalidAccessToken):
                token_flows.authenticate_bearer(pairs[1].access_token)
            for pair in (again, pairs[2], newest):
                token_flows.refresh(pair.refresh_token)
            rows = db.session.query(AuditEvent).count()
            for _ in range(5):
                token_flows.issue_tokens(user)
            assert db.session.query(AuditEvent).count() == rows, "no row for each login of a script"
        assert db.session.query(TokenFamily).filter_by(user_id=user.id).count() == refresh_tokens.MOST
        assert db.session.get(TokenFamily, theirs.family_id), "another person's"
        assert counters.totals()[("families_ended", "")] == 6


def test_many_families_of_an_older_version_go_batch_by_batch(app: Flask) -> None:
    with app.app_context():
        user = User.objects.create_user("p1@example.kr")
        db.session.commit()
        token_flows.issue_tokens(user)
        row = db.session.execute(db.select(TokenFamily.__table__)).mappings().one()
        copies = [{name: value for name, value in row.items() if name != "id"}] * (refresh_tokens.BATCH + 150)
        db.session.execute(db.insert(TokenFamily), copies)
        db.session.commit()
        for left in (refresh_tokens.MOST + 52, refresh_tokens.MOST):
            token_flows.issue_tokens(user)
            assert db.session.query(TokenFamily).count() == left
