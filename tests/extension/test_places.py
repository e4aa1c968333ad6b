"""Where an app may stand: below a script name, with rules of its own for addresses, behind a guard for everything."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from support import FakeKakao
from support.shop import csrf_of, log_in

from kakaoauth import ConfigError, KakaoAuth, current_user, fresh_login_required, login_required

MakeHost = Callable[..., Flask]


def add_pages(app: Flask) -> None:
    for name, guard in {"mine": login_required, "fresh": fresh_login_required}.items():
        app.add_url_rule(f"/{name}/", name, guard(lambda: f"for {current_user.nickname}"), methods=["GET", "POST"])


@pytest.fixture
def below(make_host: MakeHost) -> FlaskClient:
    """A browser of an app that a dispatcher has at /app: the client's paths are below it, the app's answers are not."""
    return make_host(before=add_pages, APPLICATION_ROOT="/app").test_client()


def log_in_below(client: FlaskClient, kakao: FakeKakao, target: str) -> str:
    answer = client.get("/auth/kakao/login/", query_string={"next": target})
    sent = {name: values[0] for name, values in parse_qs(urlsplit(answer.location).query).items()}
    assert sent["redirect_uri"] == "http://localhost/app/auth/kakao/login/callback/"
    kakao.nonce = sent["nonce"]
    code = {"state": sent["state"], "code": "canary-code"}
    return str(client.get("/auth/kakao/login/callback/", query_string=code).location)


def test_login_below_a_script_name_returns_to_the_page_that_wanted_it(below: FlaskClient, kakao: FakeKakao) -> None:
    asked = below.get("/mine/?x=1")
    assert asked.location == "/app/auth/?next=/app/mine/?x%3D1"
    page = below.get(asked.location.removeprefix("/app"))
    assert 'href="/app/auth/kakao/login/?next=/app/mine/?x%3D1"' in page.text
    assert log_in_below(below, kakao, "/app/mine/?x=1") == "/app/mine/?x=1"
    assert below.get("/mine/").text == "for 민지"


@pytest.mark.parametrize("target", ["/mine/", "/app", "/appmine/", "/app//mine/", "/app/../mine/", "/app/nowhere/"])
def test_page_outside_the_script_name_is_none_of_the_apps(below: FlaskClient, kakao: FakeKakao, target: str) -> None:
    assert log_in_below(below, kakao, target) == "/app/"


def test_confirmation_below_a_script_name_returns_to_the_page_and_to_what_was_typed(
    below: FlaskClient, kakao: FakeKakao
) -> None:
    log_in_below(below, kakao, "/app/")
    token = csrf_of(below, "/auth/users/me/")
    with time_machine.travel(time.time() + 301, tick=False):
        assert below.get("/fresh/").location == "/app/auth/users/me/confirm/?next=/app/fresh/"
        leave = below.post("/auth/users/me/withdraw/", data={"csrf_token": token})
        assert leave.location == "/app/auth/users/me/confirm/?next=/app/auth/users/me/withdraw/"
        page = below.get(leave.location.removeprefix("/app"))
    assert 'name="next" value="/app/auth/users/me/withdraw/"' in page.text


def test_login_may_return_to_our_first_page(make_host: MakeHost, kakao: FakeKakao) -> None:
    assert log_in(make_host().test_client(), kakao, next="/auth/").location == "/auth/"


def test_guard_for_the_whole_app_leaves_the_login_open_and_closes_what_is_the_hosts(
    make_host: MakeHost, kakao: FakeKakao
) -> None:
    client = make_host(before=lambda app: app.before_request(login_required)).test_client()
    assert client.get("/cart/").location == "/auth/?next=/cart/"
    assert client.get("/auth/").status_code == 200
    assert client.get("/auth/users/me/").location == "/auth/?next=/auth/users/me/"
    assert log_in(client, kakao, next="/cart/").location == "/cart/"
    assert client.get("/cart/").status_code == 200


def test_app_that_chooses_pages_by_host_is_refused_in_one_line(redis_url: str) -> None:
    app = Flask("many", host_matching=True, static_folder=None)
    app.config.update(SECRET_KEY="x" * 40, REDIS_URL=redis_url, KAKAO_CLIENT_ID="k", DATABASE_URL="sqlite://")
    with pytest.raises(ConfigError, match=r"^the app chooses its pages by host") as caught:
        KakaoAuth(app)
    assert "\n" not in str(caught.value)


def test_addresses_without_a_final_slash_work_where_the_host_wants_them(make_host: MakeHost, kakao: FakeKakao) -> None:
    def before(app: Flask) -> None:
        app.url_map.strict_slashes = False
        add_pages(app)

    client = make_host(before=before).test_client()
    assert log_in(client, kakao, next="/mine").location == "/mine"
    assert client.get("/auth/users/me").status_code == 200


def run_apart(work: Coroutine[Any, Any, Any]) -> Any:
    """By a thread of its own: in this one a loop runs for good once a browser has been started in it."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(copy_context().run, asyncio.run, work).result()


def test_asynchronous_view_is_guarded_and_knows_who_it_is(make_host: MakeHost, kakao: FakeKakao) -> None:
    def before(app: Flask) -> None:
        app.async_to_sync = lambda func: lambda *args, **more: run_apart(func(*args, **more))  # type: ignore[method-assign]

        @app.get("/later/")
        @login_required
        async def later() -> str:
            return f"for {current_user.nickname}"

    client = make_host(before=before).test_client()
    assert client.get("/later/").location == "/auth/?next=/later/"
    log_in(client, kakao)
    assert client.get("/later/").text == "for 민지"


def test_two_apps_of_one_host_name_have_cookies_of_their_own(make_host: MakeHost, kakao: FakeKakao) -> None:
    client = make_host(SESSION_COOKIE_NAME="shop").test_client()
    log_in(client, kakao)
    assert client.get_cookie("shop")
    assert client.get_cookie("session") is None
    assert client.get("/").text == "shop of 민지"
    answer: Any = client.post("/cart/", base_url="https://shop.example")
    assert "__Host-shop=" in answer.headers["Set-Cookie"]
