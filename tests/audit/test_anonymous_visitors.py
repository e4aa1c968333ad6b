"""What an anonymous visitor leaves behind: nothing that stays, however often they come."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from support import FakeKakao, begin_login, come_back, log_in, person, problem
from support.facebook import SETTINGS

from kakaoauth import errors
from kakaoauth.accounts import password_login, roles
from kakaoauth.audit import AuditEvent
from kakaoauth.counting import counters
from kakaoauth.errors import AccountUnusable
from kakaoauth.models import find_user_by_email
from kakaoauth.storage.database import db
from kakaoauth.web import rate_limits
from kakaoauth.web.redirects import ANONYMOUS_LENGTH

APP_ID = 654321
INFO = "https://kapi.kakao.com/v1/user/access_token_info"
FRONT = "https://app.example.kr"
PASSWORD = "correct horse battery staple"

MakeApp = Callable[..., Flask]


@pytest.fixture
def app(make_app: MakeApp, database_url: str) -> Flask:
    return make_app(DATABASE_URL=database_url, KAKAO_APP_ID=APP_ID, KAKAOAUTH_FRONTEND_ORIGINS=FRONT, **SETTINGS)


def rows(app: Flask) -> list[tuple[str, str, str]]:
    with app.app_context():
        found = db.session.scalars(db.select(AuditEvent).order_by(AuditEvent.id))
        return [(one.action, one.result, one.reason) for one in found]


def counted(app: Flask) -> Counter[str]:
    """The labels of refused logins."""
    with app.app_context():
        found = counters.totals()
    return Counter({label: number for (name, label), number in found.items() if name == "login_refused"})


def browser(app: Flask, address: str) -> FlaskClient:
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address
    return client


def cancel(client: FlaskClient, state: str, error: str = "access_denied", provider: str = "kakao") -> Any:
    return client.get(f"/{provider}/login/callback/", query_string={"state": state, "error": error})


# Rows


def test_callback_without_a_pending_login_is_counted_and_logged_and_not_stored(
    app: Flask, client: FlaskClient, kakao: FakeKakao, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    begin_login(client)  # so that there is a cookie
    for query in (
        {"state": "x" * 43, "code": "canary"},
        {"state": "x" * 43, "error": "access_denied"},
        {"state": "x" * 43, "error": "server_error"},
        {"code": "canary"},
        {"state": "short", "code": "canary"},
        {"state": "x" * 43},
        {"state": "x" * 43, "code": "canary", "error": "access_denied"},
    ):
        for provider in ("kakao", "facebook"):
            assert client.get(f"/{provider}/login/callback/", query_string=query).status_code == 400
            assert app.test_client().get(f"/{provider}/login/callback/", query_string=query).status_code == 400
    assert rows(app) == []
    assert sum(counted(app).values()) == 28
    assert len([line for line in caplog.messages if "refused=" in line and "not stored" in line]) == 28


def test_bad_token_at_the_api_is_counted_and_not_stored(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    refused = {"json": {"msg": "no", "code": -401}, "status_code": 401}
    kakao.mock.get(INFO, **refused)
    kakao.fails(token={"json": {"error": "invalid_grant", "error_code": "KOE320"}, "status_code": 400})
    for body in (
        {"access_token": "made-up"},
        {"id_token": "a.b.c"},
        {"code": "made-up", "redirect_uri": "https://app.example.kr/oauth"},
    ):
        problem(client.post("/api/auth/kakao/", json=body), 401, "INVALID_ACCESS_TOKEN")
    kakao.mock.get(INFO, json={"id": 1, "expires_in": 9, "app_id": APP_ID + 1})
    problem(client.post("/api/auth/kakao/", json={"access_token": "another-apps"}), 401, "FOREIGN_ACCESS_TOKEN")
    kakao.mock.get(INFO, status_code=500)
    problem(client.post("/api/auth/kakao/", json={"access_token": "while-away"}), 503, "PROVIDER_UNAVAILABLE")
    assert rows(app) == []
    assert sum(counted(app).values()) == 5


def test_wrong_password_is_counted_and_not_stored(
    app: Flask, client: FlaskClient, kakao: FakeKakao, people: dict[str, int]
) -> None:
    with app.app_context():
        password_login.set_password(find_user_by_email("hana@example.kr"), PASSWORD)
    before = rows(app)
    for email in ("hana@example.kr", "nobody@example.kr", "canary"):
        problem(client.post("/api/token/", json={"email": email, "password": "wrong"}), 401, "INVALID_CREDENTIALS")
    assert rows(app) == before
    assert counted(app) == {"password INVALID_CREDENTIALS": 3}


def test_person_whom_kakao_has_named_is_stored(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    kakao.mock.get(INFO, json={"id": 7, "expires_in": 9, "app_id": APP_ID})
    kakao.me = person(7, email=None, email_needs_agreement=True)
    problem(client.post("/api/auth/kakao/", json={"access_token": "genuine"}), 403, "EMAIL_REQUIRED")
    assert rows(app) == [("login", "refused", "EMAIL_REQUIRED")]


def test_pending_login_that_is_refused_is_one_row_however_often_it_comes_back(
    app: Flask, client: FlaskClient, kakao: FakeKakao
) -> None:
    for error in ("access_denied", "server_error", "made-up"):
        state = begin_login(client)["state"]
        for _ in range(5):
            cancel(client, state, error)
    kakao.fails(token={"json": {"error": "invalid_grant", "error_code": "KOE320"}, "status_code": 400})
    state = begin_login(client)["state"]
    for code in ("one", "one", "two"):
        assert come_back(client, state, code=code).status_code == 400
    assert [reason for _, _, reason in rows(app)] == [
        "LOGIN_CANCELLED",
        "PROVIDER_UNAVAILABLE",
        "INVALID_REQUEST",
        "CODE_REFUSED",
    ]


def test_equal_callbacks_at_one_moment_are_one_row(app: Flask, kakao: FakeKakao) -> None:
    first = app.test_client()
    states = [begin_login(first)["state"] for _ in range(3)]
    cookie = first.get_cookie("session")
    assert cookie

    def once_more(state: str) -> int:
        twin = app.test_client()
        twin.set_cookie("session", cookie.value)
        return int(cancel(twin, state).status_code)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(once_more, states * 8)) <= {200, 400}
    assert len(rows(app)) == 3


def test_thousand_begun_logins_leave_a_hundred_rows_an_hour(app: Flask, kakao: FakeKakao) -> None:
    visitor = browser(app, "203.0.113.7")
    room = rate_limits.ITEMS["refusals_stored"].amount
    for _ in range(room + 20):
        cancel(visitor, begin_login(visitor)["state"])
    assert len(rows(app)) == room
    assert counted(app) == {"kakao LOGIN_CANCELLED": room + 20}, "all of them are counted"
    other = browser(app, "198.51.100.1")
    cancel(other, begin_login(other)["state"])
    assert len(rows(app)) == room + 1


def test_suspended_person_who_tries_again_and_again_fills_nothing(
    app: Flask, kakao: FakeKakao, people: dict[str, int]
) -> None:
    with app.app_context():
        roles.change_user(people["minji"], is_active=False)
    before, room = len(rows(app)), rate_limits.ITEMS["refusals_stored"].amount
    key = f"user {people['minji']}"
    app.extensions["kakaoauth_rate_limits"].hit(
        rate_limits.ITEMS["refusals_stored"], "refusals_stored", key, cost=room - 1
    )
    kakao.me = person(1000, email="minji@example.kr")
    for number in range(3):
        assert log_in(browser(app, f"203.0.113.{number}"), kakao).status_code == 403
    assert len(rows(app)) == before + 1


# Labels and keys


def test_made_up_codes_of_a_provider_are_one_label(app: Flask, client: FlaskClient) -> None:
    for number in range(300, 330):
        address = client.get("/facebook/login/").location
        state = parse_qs(urlsplit(address).query)["state"][0]
        query = {"state": state, "error_code": str(number * 7919), "error_message": "made up"}
        assert client.get("/facebook/login/callback/", query_string=query).status_code >= 400
    address = client.get("/facebook/login/").location
    query = {"state": parse_qs(urlsplit(address).query)["state"][0], "error_code": "1349126"}
    client.get("/facebook/login/callback/", query_string=query)
    assert counted(app) == {"facebook INVALID_REQUEST": 31}


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("KOE320", "KOE320"),
        ("-401", "-401"),
        ("190/463", "190/463"),
        ("190/12345", "190"),
        ("190", "190"),
        ("KOE999", "other"),
        ("-99999", "other"),
        ("1234567", "other"),
        ("canary words of a visitor", "other other other other other"),
    ],
)
def test_only_codes_that_a_table_has_are_labels(app: Flask, code: str, label: str) -> None:
    with app.app_context():
        counters.count_refusal(AccountUnusable("", provider_code=code), "kakao")
    assert counted(app) == {f"kakao ACCOUNT_UNUSABLE {label}": 1}


def test_redis_keeps_no_counter_of_a_visitors_making(app: Flask, redis: Redis, kakao: FakeKakao) -> None:
    client = app.test_client()
    for number in range(10):
        begin_login(client)
        client.get("/kakao/login/callback/", query_string={"state": f"canary{number}" + "x" * 36, "error": "canary"})
        client.get(f"/canary{number}/login/")
    fields = [field for key in redis.keys("counters:*20*") for field in redis.hkeys(key)]
    assert sorted(fields) == [b"login_begun|kakao", b"login_refused|kakao UNKNOWN_STATE"]
    assert not [key for key in redis.keys() if b"canary" in key]


# `next`


def page(length: int) -> str:
    return "/users/?q=" + "x" * (length - len("/users/?q="))


def front_end(length: int) -> str:
    return f"{FRONT}/" + "x" * (length - len(FRONT) - 1)


@pytest.mark.parametrize("address", [page, front_end])
@pytest.mark.parametrize("mode", ["", "jwt"])
def test_anonymous_next_has_300_characters_at_most(
    app: Flask, kakao: FakeKakao, address: Callable[[int], str], mode: str
) -> None:
    for length, kept in ((ANONYMOUS_LENGTH, True), (ANONYMOUS_LENGTH + 1, False), (1900, False)):
        target = address(length)
        landed = log_in(app.test_client(), kakao, next=target, mode=mode).location
        assert landed == (target if kept else "/"), length


def test_too_long_a_next_is_ignored_on_every_page_that_takes_one(app: Flask, client: FlaskClient) -> None:
    for path in ("/", "/login/"):
        for length, is_there in ((301, False), (300, True)):
            text = client.get(path, query_string={"next": page(length)}).text
            # The link to the other language keeps the address as it is.
            rest = "\n".join(line for line in text.splitlines() if "hreflang" not in line)
            assert ("xxxx" in rest) is is_there


def test_session_of_ten_pending_logins_is_bounded(app: Flask, client: FlaskClient, redis: Redis) -> None:
    for _ in range(15):
        begin_login(client, next="/users/?q=" + "가" * 290)
    (key,) = redis.keys("session:*")
    assert redis.strlen(key) < 13_000


# IPv6


def neighbours(prefix: int, number: int) -> str:
    """Address number `number` that shares just so many bits with the others."""
    return {
        64: f"2001:db8:1:2::{number:x}",
        56: f"2001:db8:1:{number:x}::1",
        48: f"2001:db8:1:{number << 8:x}::1",
        32: f"2001:db8:{number:x}::1",
    }[prefix]


@pytest.mark.parametrize(("prefix", "times"), [(64, 1), (56, 4), (48, 16)])
def test_ipv6_counts_by_wider_networks_with_higher_numbers(app: Flask, prefix: int, times: int) -> None:
    limiter, item = app.extensions["kakaoauth_rate_limits"], rate_limits.ITEMS["login"]
    widest = type(item)(item.amount * times, item.multiples)
    assert limiter.hit(
        widest, "login", f"2001:db8:1::/{prefix}" if prefix < 64 else "2001:db8:1:2::/64", cost=widest.amount
    )
    assert browser(app, neighbours(prefix, 2)).get("/kakao/login/").status_code == 429
    assert browser(app, neighbours(32, 7)).get("/kakao/login/").status_code == 302
    assert browser(app, "203.0.113.7").get("/kakao/login/").status_code == 302


def test_visitor_who_changes_networks_is_stopped_after_four_times_the_number(app: Flask) -> None:
    with app.app_context():
        for number in range(4 * 100 + 5):
            with app.test_request_context(environ_base={"REMOTE_ADDR": f"2001:db8:1:{number % 200:x}::1"}):
                try:
                    rate_limits.hit_address("refusals_stored")
                except errors.RateLimited:
                    break
    assert number == 400


def test_ipv4_counts_as_before(app: Flask, redis: Redis) -> None:
    with app.test_request_context(environ_base={"REMOTE_ADDR": "203.0.113.7"}):
        rate_limits.hit_address("login")
        assert rate_limits.networks() == [("203.0.113.7", 1)]
    assert len(redis.keys("rate:*")) == 1
