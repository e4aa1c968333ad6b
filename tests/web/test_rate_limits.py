"""How often one may: by address, by browser, by account; and what an outage of Redis closes."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from support import FakeKakao, begin_login, come_back, csrf_token, log_in, person
from support.ports import free_port
from support.rate_limits import AMOUNT, fill
from support.redis_server import RedisServer

from kakaoauth.errors import InvalidCredentials, ProviderUnavailable, RateLimited, SessionsUnavailable
from kakaoauth.storage.redis import REDIS_ERRORS
from kakaoauth.web import rate_limits

SCHOOL = "203.0.113.7"


def browser(app: Flask, address: str = SCHOOL) -> FlaskClient:
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address
    return client


def retry_after(answer: Any) -> int:
    assert answer.status_code == 429, answer.text
    return int(answer.headers["Retry-After"])


def wrong_password() -> None:
    raise InvalidCredentials("wrong")


# The counter


def test_one_more_than_allowed_is_told_to_wait(app: Flask) -> None:
    fill(app, "export", "5")
    with app.app_context(), pytest.raises(RateLimited) as refused:
        rate_limits.hit("export", "5")
    assert 3540 < (refused.value.retry_after or 0) <= 3600


def test_refused_attempts_do_not_make_the_wait_longer(app: Flask, redis: Redis) -> None:
    fill(app, "export", "5")
    (key,) = redis.keys("rate:*")
    redis.expire(key, 7)
    with app.app_context():
        for _ in range(3):
            with pytest.raises(RateLimited) as refused:
                rate_limits.hit("export", "5")
            assert (refused.value.retry_after or 0) <= 7


def test_window_that_is_over_counts_anew(app: Flask, redis: Redis) -> None:
    fill(app, "export", "5")
    (key,) = redis.keys("rate:*")
    assert 0 < redis.ttl(key) <= 3600, "every counter goes by itself"
    redis.expire(key, 0)
    with app.app_context():
        rate_limits.hit("export", "5")


def test_each_key_and_each_limit_counts_for_itself(app: Flask) -> None:
    fill(app, "export", "5")
    with app.app_context():
        rate_limits.hit("export", "6")
        rate_limits.hit("password", "5")


def test_one_request_costs_one_command(app: Flask, redis: Redis) -> None:
    with app.app_context():
        rate_limits.hit("login", "a")  # Redis learns the script once
        before = redis.info("stats")["total_commands_processed"]
        rate_limits.hit("login", "a")
    # The script and what it calls; and INFO, which was the last one counted.
    assert redis.info("stats")["total_commands_processed"] - before <= 3


def test_redis_that_forgot_the_script_is_taught_again(app: Flask, redis: Redis) -> None:
    fill(app, "export", "5", AMOUNT["export"] - 1)
    redis.script_flush()
    with app.app_context():
        rate_limits.hit("export", "5")
        with pytest.raises(RateLimited):
            rate_limits.hit("export", "5")


def test_switched_off_nothing_is_counted(make_app: Callable[..., Flask], redis: Redis) -> None:
    app = make_app(KAKAOAUTH_RATE_LIMITS="false")
    with app.app_context():
        for _ in range(AMOUNT["export"] + 1):
            rate_limits.hit("export", "5")
        for _ in range(AMOUNT["password_account"] + 1):
            with pytest.raises(InvalidCredentials):
                rate_limits.by_password("hana@example.kr", wrong_password)
    assert redis.keys("rate:*") == []


# Addresses


@pytest.mark.parametrize(
    ("peer", "name"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("203.0.113.7:5678", "203.0.113.7"),
        ("[2001:db8:1:2::1]:443", "2001:db8:1:2::/64"),
        ("somewhere\r\nelse" + "x" * 200, "unknown"),
    ],
)
def test_address_is_named(app: Flask, peer: str, name: str) -> None:
    with app.test_request_context(environ_base={"REMOTE_ADDR": peer}):
        assert rate_limits.address() == name


def test_forwarded_for_is_ignored_without_a_trusted_proxy(app: Flask) -> None:
    fill(app, "login", SCHOOL)
    answer = browser(app).get("/kakao/login/", headers={"X-Forwarded-For": "198.51.100.1"})
    assert answer.status_code == 429
    answer = browser(app, "198.51.100.1").get("/kakao/login/", headers={"X-Forwarded-For": SCHOOL})
    assert answer.status_code == 302


def test_trusted_proxy_tells_visitors_apart(make_app: Callable[..., Flask]) -> None:
    app = make_app(TRUSTED_PROXIES=1, PUBLIC_URL="https://login.example.kr")
    fill(app, "login", SCHOOL)
    proxy = browser(app, "127.0.0.1")
    # What the visitor wrote stands before what the proxy saw, and does not count.
    refused = proxy.get("/kakao/login/", headers={"X-Forwarded-For": f"198.51.100.1, {SCHOOL}"})
    assert refused.status_code == 429
    assert proxy.get("/kakao/login/", headers={"X-Forwarded-For": f"{SCHOOL}, 198.51.100.1"}).status_code == 302


# Logins


def test_school_behind_one_address_logs_in(app: Flask, kakao: FakeKakao) -> None:
    fill(app, "login", SCHOOL, 400)
    fill(app, "callback", SCHOOL, 400)
    for number in (21, 22):
        kakao.me = person(number)
        pupil = browser(app)
        assert log_in(pupil, kakao, next="/users/me/").location == "/users/me/"
        assert pupil.get("/users/me/").status_code == 200


def test_script_at_one_address_is_stopped_and_others_are_not(app: Flask) -> None:
    fill(app, "login", SCHOOL)
    answer = browser(app).get("/kakao/login/")
    assert 0 < retry_after(answer) <= 60
    assert 'data-code="RATE_LIMITED"' in answer.text
    assert "시도가 너무 많아요" in answer.text
    assert "Set-Cookie" not in answer.headers, "nothing was begun"
    assert "Too many attempts" in browser(app).get("/kakao/login/?lang=en").text
    assert browser(app, "198.51.100.1").get("/kakao/login/").status_code == 302


def test_flood_from_one_network_is_not_counted_in_its_neighbours(app: Flask, redis: Redis) -> None:
    fill(app, "login", "2001:db8:1:1::/64")
    for _ in range(5):
        assert browser(app, "2001:db8:1:1::5").get("/kakao/login/").status_code == 429
    counts = {key: int(redis.get(key) or 0) for key in redis.keys("rate:*")}  # type: ignore[arg-type]
    assert [number for key, number in counts.items() if b"/56" in key or b"/48" in key] == [0, 0]
    assert all(0 < redis.ttl(key) <= 60 for key in counts)
    assert browser(app, "2001:db8:1:2::5").get("/kakao/login/").status_code == 302


def test_number_without_an_end_gets_one(app: Flask, redis: Redis) -> None:
    """As if the window had ended between the two commands that count."""
    assert browser(app).get("/kakao/login/").status_code == 302
    (key,) = redis.keys("rate:*")
    redis.set(key, 0)
    assert redis.ttl(key) == -1
    assert browser(app).get("/kakao/login/").status_code == 302
    assert 0 < redis.ttl(key) <= 60


def test_visitors_of_a_proxy_that_is_not_counted_are_not_taken_for_one(app: Flask, kakao: FakeKakao) -> None:
    fill(app, "login", "127.0.0.1")
    fill(app, "callback", "127.0.0.1")
    assert log_in(app.test_client(), kakao).status_code == 302
    assert log_in(browser(app, "::1"), kakao).status_code == 302
    assert log_in(browser(app, ""), kakao).status_code == 302


def test_one_browser_may_begin_a_hundred_logins_but_not_any_number(app: Flask, redis: Redis) -> None:
    client = app.test_client()
    for _ in range(101):
        begin_login(client)
    (key,) = redis.keys("rate:*login_session*")
    redis.incrby(key, AMOUNT["login_session"] - 100)
    assert client.get("/kakao/login/").status_code == 429
    assert app.test_client().get("/kakao/login/").status_code == 302
    cookie = client.get_cookie("session")
    assert cookie
    assert cookie.value.encode() not in key, "a copy of Redis opens no session"


def test_refused_callback_can_be_sent_again(app: Flask, kakao: FakeKakao, redis: Redis) -> None:
    client = browser(app)
    state = begin_login(client, next="/users/me/")["state"]
    fill(app, "callback", SCHOOL)
    calls = len(kakao.calls)
    refused = come_back(client, state)
    assert retry_after(refused) > 0
    assert refused.headers["Referrer-Policy"] == "no-referrer"
    assert len(kakao.calls) == calls, "the code was not spent"
    redis.delete(*redis.keys("rate:*"))
    assert come_back(client, state).location == "/users/me/"


def test_logging_out_is_never_limited(app: Flask, client_as: Callable[[str], FlaskClient]) -> None:
    minji = client_as("minji")
    minji.environ_base["REMOTE_ADDR"] = SCHOOL
    for name in rate_limits.LIMITS:
        fill(app, name, SCHOOL)
    assert minji.post("/kakao/logout/", data={"csrf_token": csrf_token(minji)}).status_code == 302


# Passwords


def test_only_wrong_passwords_count_for_the_account(app: Flask) -> None:
    with app.app_context():
        for _ in range(3 * AMOUNT["password_account"]):
            assert rate_limits.by_password("hana@example.kr", lambda: "in") == "in"


def test_outage_during_the_attempt_does_not_count(app: Flask) -> None:
    def away() -> None:
        raise ProviderUnavailable

    with app.app_context():
        for _ in range(2 * AMOUNT["password_account"]):
            with pytest.raises(ProviderUnavailable):
                rate_limits.by_password("hana@example.kr", away)


def test_account_is_closed_to_guesses_from_everywhere_however_it_is_written(app: Flask) -> None:
    spellings = ("hana@example.kr", " Hana@Example.KR. ", "HANA@EXAMPLE.KR")
    with app.app_context():
        for number in range(AMOUNT["password_account"]):
            with pytest.raises(InvalidCredentials):
                rate_limits.by_password(spellings[number % 3], wrong_password)
        with pytest.raises(RateLimited) as refused:
            rate_limits.by_password("hana@example.kr", lambda: "the right one")
        assert 840 < (refused.value.retry_after or 0) <= 900
        assert rate_limits.by_password("sora@example.kr", lambda: "another account") == "another account"


def test_attempts_at_the_same_moment_are_all_counted(app: Flask) -> None:
    """Each begins before any other has ended: all the same no more are tried than are allowed."""
    tried = 0

    def attempt() -> None:
        nonlocal tried
        tried += 1
        rate_limits.by_password("hana@example.kr", attempt)

    with app.app_context(), pytest.raises(RateLimited):
        attempt()
    assert tried == AMOUNT["password_account"] + 1, "the last of them was refused"


def test_redis_holds_no_address_of_anybody(app: Flask, redis: Redis) -> None:
    with app.app_context(), pytest.raises(InvalidCredentials):
        rate_limits.by_password("hana@example.kr", wrong_password)
    (key,) = redis.keys("rate:*")
    assert b"hana" not in key
    assert re.search(rb"/[0-9a-f]{32}/", key)


@pytest.mark.parametrize("email", ["", "nobody", "\ud800@example.kr", "a" * 5000])
def test_what_is_no_address_is_counted_like_one(app: Flask, email: str) -> None:
    with app.app_context():
        for _ in range(AMOUNT["password_account"]):
            with pytest.raises(InvalidCredentials):
                rate_limits.by_password(email, wrong_password)
        with pytest.raises(RateLimited):
            rate_limits.by_password(email, wrong_password)


# The API

#: Path of what hands out or tests credentials, a body, and its limit.
CREDENTIALS = {
    "/api/auth/kakao/": ({"access_token": "canary"}, "api_login"),
    "/api/token/": ({"email": "hana@example.kr", "password": "correct horse battery"}, "password"),
    "/api/token/refresh/": ({"refresh_token": "canary"}, "refresh"),
    "/api/token/verify/": ({"token": "canary"}, "verify"),
}


def test_api_says_so_in_a_problem_document(app: Flask, kakao: FakeKakao) -> None:
    client = browser(app)
    for path, (body, name) in CREDENTIALS.items():
        fill(app, name, SCHOOL)
        answer = client.post(path, json=body)
        assert 0 < retry_after(answer) <= 60
        assert (answer.mimetype, answer.json["code"]) == ("application/problem+json", "RATE_LIMITED"), path
        assert browser(app, "198.51.100.1").post(path, json=body).status_code != 429
    assert kakao.calls == []


def test_revoking_is_never_limited(app: Flask) -> None:
    for name in rate_limits.LIMITS:
        fill(app, name, SCHOOL)
    assert browser(app).post("/api/token/revoke/", json={"token": "canary"}).status_code == 200


# Webhooks


def test_made_up_webhooks_are_counted_and_genuine_ones_never(make_app: Callable[..., Flask], kakao: FakeKakao) -> None:
    app = make_app(KAKAO_ADMIN_KEY="the-admin-key")
    fill(app, "webhook_refused", SCHOOL)
    sender = browser(app)
    refused = sender.post("/webhooks/kakao/unlink/", headers={"Authorization": "KakaoAK guess"})
    assert retry_after(refused) > 0
    assert (refused.mimetype, refused.json["code"]) == ("application/problem+json", "RATE_LIMITED")
    assert sender.post("/webhooks/kakao/account-status/", data="no.set.atall").status_code == 429
    genuine = {"headers": {"Authorization": "KakaoAK the-admin-key"}, "data": {"user_id": "7"}}
    assert sender.post("/webhooks/kakao/unlink/", **genuine).status_code == 200


# The log


def test_limit_that_is_reached_is_in_the_log_without_the_session(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    fill(app, "login", SCHOOL)
    browser(app).get("/kakao/login/?next=/users/me/")
    lines = [record.getMessage() for record in caplog.records]
    assert f"limit reached name=login key={SCHOOL}" in lines
    assert [line for line in lines if "code=RATE_LIMITED" in line and "endpoint=kakaoauth.auth.login" in line]
    assert "/users/me/" not in str(lines)


# Redis is away


@pytest.fixture(params=["redis://127.0.0.1:{port}/0", "redis+cluster://127.0.0.1:{port}"])
def without_redis(request: pytest.FixtureRequest, make_app: Callable[..., Flask]) -> Flask:
    return make_app(REDIS_URL=request.param.format(port=free_port()), TESTING=False, KAKAO_ADMIN_KEY="the-admin-key")


def test_what_tests_credentials_is_closed_without_redis(without_redis: Flask) -> None:
    for path, (body, _) in CREDENTIALS.items():
        answer = browser(without_redis).post(path, json=body)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5"), path
        assert answer.json["code"] == "SESSIONS_UNAVAILABLE"
    with without_redis.app_context():
        with pytest.raises(SessionsUnavailable):
            rate_limits.by_password("hana@example.kr", lambda: pytest.fail("was tried uncounted"))


def test_webhooks_stay_open_without_redis(without_redis: Flask, caplog: pytest.LogCaptureFixture) -> None:
    sender = browser(without_redis)
    wrong = sender.post("/webhooks/kakao/unlink/", headers={"Authorization": "KakaoAK guess"})
    assert wrong.status_code == 401
    assert "limit not counted name=webhook_refused" in caplog.text
    genuine = {"headers": {"Authorization": "KakaoAK the-admin-key"}, "data": {"user_id": "7"}}
    assert sender.post("/webhooks/kakao/unlink/", **genuine).status_code == 200


def test_revoking_stays_open_without_redis(without_redis: Flask) -> None:
    assert browser(without_redis).post("/api/token/revoke/", json={"token": "canary"}).status_code == 200


def test_pages_say_so_without_redis(without_redis: Flask) -> None:
    for path in ("/kakao/login/", "/kakao/login/callback/?state=" + "x" * 43 + "&code=c", "/login/"):
        answer = browser(without_redis).get(path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5"), path


def test_redis_that_goes_during_the_attempt_does_not_undo_it(
    make_app: Callable[..., Flask], start_redis: Callable[..., RedisServer]
) -> None:
    server = start_redis()
    app = make_app(REDIS_URL=server.url)

    def attempt() -> str:
        server.stop()
        return "in"

    with app.app_context():
        assert rate_limits.by_password("hana@example.kr", attempt) == "in"
        with pytest.raises(REDIS_ERRORS):
            app.extensions["kakaoauth_redis"].ping()
