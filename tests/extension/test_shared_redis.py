"""Two apps with one Redis: nothing of one counts at the other."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from support import FakeKakao, person
from support.devices import CHROME
from support.shop import SECRET, begin, log_in

from kakaoauth import ConfigError, jobs
from kakaoauth.login import posted_answers

MakeHost = Callable[..., Flask]
OTHER = "another host's secret, of more than 32 characters"


def test_session_of_one_app_is_none_at_the_other_where_the_same_number_is_somebody_else(
    make_host: MakeHost, kakao: FakeKakao
) -> None:
    one, two = make_host(name="one").test_client(), make_host(name="two", SECRET_KEY=OTHER).test_client()
    log_in(one, kakao)
    kakao.me = person(2002)
    log_in(two, kakao)
    cookie = one.get_cookie("session")
    assert cookie
    thief = two.application.test_client()
    thief.set_cookie("session", cookie.value)
    assert thief.get("/").text == "shop"
    assert one.get("/").text == "shop of 민지"


def test_all_keys_of_an_app_begin_with_its_prefix(make_host: MakeHost, kakao: FakeKakao, redis: Redis) -> None:
    app = make_host(KAKAOAUTH_REDIS_PREFIX="shop:", KAKAO_APP_ID="7")
    client = app.test_client()
    kakao.mock.get(f"{kakao.kapi}/v1/user/access_token_info", json={"id": 3902187744, "app_id": 7, "expires_in": 99})
    log_in(client, kakao)
    with app.app_context():
        jobs.run_once()  # takes away what has been counted so far
    begin(client)
    log_in(client, kakao, mode="jwt")
    client.get("/auth/kakao/login/callback/?state=unknown&code=x")
    client.post("/auth/api/auth/kakao/", json={"access_token": "t" * 40})
    client.post("/auth/login/", data={"email": "a@example.kr", "password": "x" * 12})
    client.get("/auth/readyz")
    with app.app_context():
        posted_answers.keep("apple", {"code": "canary-code"})
    names = [key.decode() for key in redis.keys()]
    kinds = {name.split(":")[1] for name in names if name.startswith("shop:")}
    assert [name for name in names if not name.startswith("shop:")] == []
    assert {
        "session",
        "sessions-of",
        "open-sessions",
        "login",
        "rate",
        "counters",
        "{people}",
        "posted_answer",
    } <= kinds


def test_sessions_outlive_a_change_of_the_secret_while_the_old_one_is_named(
    make_host: MakeHost, kakao: FakeKakao
) -> None:
    before = make_host(name="one", SECRET_KEY=OTHER)
    after = make_host(name="two", SECRET_KEY=SECRET, SECRET_KEY_FALLBACKS=[OTHER])
    without = make_host(name="three", SECRET_KEY=SECRET)
    prefixes = [app.config["KAKAOAUTH_REDIS_PREFIX"] for app in (before, after, without)]
    assert prefixes[0] == prefixes[1] != prefixes[2]


def test_session_takes_few_bytes_all_told(make_host: MakeHost, kakao: FakeKakao, redis: Redis) -> None:
    app, people = make_host(), 12
    for subject in range(1_000, 1_000 + people):
        kakao.me = person(subject)
        client = app.test_client()
        client.environ_base["HTTP_USER_AGENT"] = CHROME
        log_in(client, kakao)
    of_all = [key for key in redis.keys() if b":session" in key or b":open-sessions" in key]
    assert len(of_all) == 2 * people + 1
    assert sum(redis.memory_usage(key, samples=0) for key in of_all) / people <= 400


@pytest.mark.parametrize("given", ["", "shop:"])
def test_prefix_is_as_the_host_has_it(make_host: MakeHost, given: str) -> None:
    assert make_host(KAKAOAUTH_REDIS_PREFIX=given).config["KAKAOAUTH_REDIS_PREFIX"] == given


@pytest.mark.parametrize("given", ["{shop}:", "a b", "x" * 51])
def test_prefix_that_redis_or_a_cluster_would_stumble_over_is_refused(make_host: MakeHost, given: Any) -> None:
    with pytest.raises(ConfigError, match=r"^KAKAOAUTH_REDIS_PREFIX may have"):
        make_host(KAKAOAUTH_REDIS_PREFIX=given)
