"""Somebody else's app with pages, sessions, error pages and a database of its own, and Kakao login below /auth."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from click.testing import CliRunner
from flask import Blueprint, Flask
from flask.cli import FlaskGroup
from flask.testing import FlaskClient
from flask_login import LoginManager
from flask_login import login_required as flask_logins_login_required
from flask_wtf import CSRFProtect
from redis import Redis
from sqlalchemy import text
from support import FakeKakao, person
from support.concurrency import until
from support.shop import begin, csrf_of, host_app, log_in, make_staff

from kakaoauth import (
    ConfigError,
    KakaoAuth,
    Refused,
    User,
    bearer_required,
    current_user,
    fresh_login_required,
    jobs,
    login_required,
    staff_required,
    superuser_required,
)
from kakaoauth.storage.database import db as ours

MakeHost = Callable[..., Flask]


# What the host keeps


def test_visitor_logs_in_below_the_prefix_and_comes_home_to_the_hosts_first_page(host: Flask, kakao: FakeKakao) -> None:
    client = host.test_client()
    assert client.get("/").text == "shop"
    answer = log_in(client, kakao)
    assert (answer.status_code, answer.location) == (302, "/")
    assert client.get("/").text == "shop of 민지"
    assert client.get("/auth/users/me/").status_code == 200


def test_login_returns_to_a_page_of_the_host_and_to_no_other_site(host: Flask, kakao: FakeKakao) -> None:
    assert log_in(host.test_client(), kakao, next="/cart/?a=1").location == "/cart/?a=1"
    assert log_in(host.test_client(), kakao, next="//evil.example/").location == "/"


def test_first_page_of_ours_has_the_button(host: Flask) -> None:
    page = host.test_client().get("/auth/?next=/cart/")
    assert page.status_code == 200
    assert 'href="/auth/kakao/login/?next=/cart/"' in page.text


@pytest.mark.parametrize("path", ["/nowhere/", "/auth/nowhere/", "/kakao/login/", "/users/", "/api/users/me/"])
def test_unknown_address_is_the_hosts_own(host: Flask, path: str) -> None:
    answer = host.test_client().get(path)
    assert (answer.status_code, answer.text) == (404, "shop's own 404")


def test_headers_and_error_pages_are_for_our_pages_only(host: Flask) -> None:
    client = host.test_client()
    assert "Content-Security-Policy" not in client.get("/").headers
    assert "Cache-Control" not in client.get("/").headers
    ours_page = client.get("/auth/")
    assert "default-src 'none'" in ours_page.headers["Content-Security-Policy"]
    assert client.get("/auth/naver/login/").status_code == 404
    assert "shop's own" not in client.get("/auth/naver/login/").text
    answer = client.get("/auth/api/users/me/")
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")


def test_front_end_may_ask_our_api_and_no_page_of_the_hosts(make_host: MakeHost) -> None:
    client = make_host(KAKAOAUTH_FRONTEND_ORIGINS="https://app.example.kr").test_client()
    asked = {"Origin": "https://app.example.kr", "Access-Control-Request-Method": "PATCH"}
    for path, status, allowed in (("/auth/api/users/me/", 204, "https://app.example.kr"), ("/", 200, None)):
        answer = client.options(path, headers=asked)
        assert (answer.status_code, answer.headers.get("Access-Control-Allow-Origin")) == (status, allowed)


def test_any_host_name_reaches_the_hosts_pages(host: Flask) -> None:
    assert host.test_client().get("/", headers={"Host": "shop.example"}).text == "shop"


def test_setting_of_the_host_stays_what_it_is(make_host: MakeHost) -> None:
    app = make_host(LOG_LEVEL="nonsense of the host's", PORT="80", MAX_CONTENT_LENGTH=5, AUDIT_DAYS="mine")
    assert (app.config["LOG_LEVEL"], app.config["PORT"], app.config["AUDIT_DAYS"]) == (
        "nonsense of the host's",
        "80",
        "mine",
    )
    assert app.config["MAX_CONTENT_LENGTH"] == 5
    assert not [name for name in app.config if name.startswith(("WTF_", "BABEL_"))]


def test_feature_that_is_not_wanted_has_no_address(make_host: MakeHost, kakao: FakeKakao) -> None:
    app = make_host(given={"features": {"api"}})
    client = app.test_client()
    log_in(client, kakao)
    make_staff(app)
    assert client.get("/auth/users/").text == "shop's own 404"
    for page in ("/auth/", "/auth/users/me/"):
        assert client.get(page).status_code == 200  # without a link that leads nowhere
    assert client.get("/auth/api/users/me/").status_code == 401
    assert client.get("/auth/healthz").status_code == 404


@pytest.fixture
def sandboxed(make_host: MakeHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Flask:
    """As under `kakaoauth dev`, with settings of the host's own that have our site's names."""
    monkeypatch.setenv("KAKAOAUTH_DEV_FOLDER", str(tmp_path / "dev"))
    monkeypatch.setenv("PORT", "8310")
    monkeypatch.setenv("SANDBOX_PORT", "8311")
    return make_host(KAKAO_CLIENT_ID="", KAKAO_CLIENT_SECRET="", PUBLIC_URL="https://shop.example", TRUSTED_PROXIES=1)


def test_host_with_the_sandbox_is_for_this_machine_only(sandboxed: Flask) -> None:
    client = sandboxed.test_client()
    assert client.get("/").text == "shop"
    for path in ("/", "/nowhere/", "/auth/"):
        assert client.get(path, headers={"Host": "shop.example"}).status_code == 400
        assert client.get(path, headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 403
        assert client.get(path, environ_base={"REMOTE_ADDR": "203.0.113.1"}).status_code == 403


def test_sandbox_is_where_the_environment_says_and_sends_back_to_the_host(sandboxed: Flask) -> None:
    answer = sandboxed.test_client().get("/auth/kakao/login/", base_url="http://localhost:8310")
    assert answer.location.startswith("http://127.0.0.1:8311/oauth/authorize?")
    assert sandboxed.config["PORT"] == 8310
    assert not sandboxed.config["KAKAOAUTH_FRONTEND_ORIGINS"]


def test_host_starts_the_jobs_of_a_running_site(
    host: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(jobs, "PAUSE", 0.02)
    with host.app_context():
        ours.session.execute(text("INSERT INTO ended_sessions (name, until) VALUES ('over', '2000-01-01')"))
        ours.session.commit()
    ended = KakaoAuth.start_jobs(host)
    try:
        with host.app_context():
            until(lambda: not ours.session.scalar(text("SELECT count(*) FROM ended_sessions")))
            ours.drop_all()
    finally:
        ended.set()
    assert "run: flask kakaoauth upgrade" not in caplog.text
    KakaoAuth.start_jobs(host).set()
    assert "run: flask kakaoauth upgrade" in caplog.text


# Its session


def test_cart_is_kept_through_the_login_with_its_types_and_the_coupon_is_not(
    make_host: MakeHost, kakao: FakeKakao
) -> None:
    client = make_host(KAKAOAUTH_SESSION_KEEP="cart").test_client()
    client.post("/cart/")
    before = client.get_cookie("session")
    log_in(client, kakao)
    after = client.get_cookie("session")
    assert before
    assert after
    assert before.value != after.value
    with client.session_transaction() as kept:
        assert kept["cart"] == ("apple", b"pear", {"n": 2})
        assert "coupon" not in kept


def test_what_is_put_there_after_the_login_stays_through_a_confirmation(host: Flask, kakao: FakeKakao) -> None:
    client = host.test_client()
    log_in(client, kakao)
    client.post("/cart/")
    token = csrf_of(client, "/auth/users/me/")
    answer = client.post("/auth/users/me/confirm/kakao/", data={"csrf_token": token, "next": "/cart/"})
    sent = {name: values[0] for name, values in parse_qs(urlsplit(answer.location).query).items()}
    kakao.nonce = sent["nonce"]
    answer = client.get("/auth/kakao/login/callback/", query_string={"state": sent["state"], "code": "canary-code"})
    assert answer.location == "/cart/"
    with client.session_transaction() as kept:
        assert (kept["cart"][0], kept["coupon"]) == ("apple", "SPRING")


def test_logout_leaves_nothing_of_the_host(make_host: MakeHost, kakao: FakeKakao) -> None:
    client = make_host(KAKAOAUTH_SESSION_KEEP="cart").test_client()
    log_in(client, kakao)
    client.post("/cart/")
    answer = client.post("/auth/kakao/logout/", data={"csrf_token": csrf_of(client, "/auth/kakao/logout/")})
    assert (answer.status_code, answer.location) == (302, "/")
    assert client.get("/cart/").json == {"cart": None, "kinds": []}


def test_anonymous_cart_lives_as_long_as_a_session_unused(make_host: MakeHost, redis: Redis) -> None:
    client = make_host(KAKAOAUTH_SESSION_IDLE_SECONDS=5000).test_client()
    client.post("/cart/")
    assert [redis.ttl(key) for key in redis.keys("*:session:*")] == [pytest.approx(5000, abs=30)]


def test_key_of_ours_cannot_be_kept_under_a_hosts_name(make_host: MakeHost, kakao: FakeKakao) -> None:
    client = make_host(KAKAOAUTH_SESSION_KEEP="_user_id,_begun,cart").test_client()
    with client.session_transaction() as planted:
        planted["_begun"] = 1.0
    log_in(client, kakao)
    with client.session_transaction() as kept:
        assert kept["_begun"] > 1e9


# Guards on the host's views


@pytest.fixture
def guarded(host: Flask) -> Flask:
    for name, guard in {
        "login": login_required,
        "staff": staff_required,
        "superuser": superuser_required,
        "fresh": fresh_login_required,
        "bearer": bearer_required,
        "flask-login": flask_logins_login_required,
    }.items():

        def view() -> str:
            return f"for {current_user.nickname}"

        host.add_url_rule(f"/{name}/", name, guard(view), methods=["GET", "POST"])
        if name != "flask-login":
            blueprint = Blueprint(f"all_{name}", __name__, url_prefix=f"/all/{name}")
            blueprint.before_request(guard)
            blueprint.add_url_rule("/", "view", view)
            host.register_blueprint(blueprint)
    return host


@pytest.mark.parametrize("folder", ["/", "/all/"])
@pytest.mark.parametrize("name", ["login", "staff", "superuser", "fresh"])
def test_anonymous_visitor_is_asked_to_log_in_and_returns(
    guarded: Flask, kakao: FakeKakao, folder: str, name: str
) -> None:
    answer = guarded.test_client().get(f"{folder}{name}/?x=1")
    assert (answer.status_code, answer.location) == (302, f"/auth/?next={folder}{name}/?x%3D1")


def test_flask_logins_own_guard_asks_to_log_in_as_ours(guarded: Flask) -> None:
    answer = guarded.test_client().get("/flask-login/")
    assert (answer.status_code, answer.location) == (302, "/auth/?next=/flask-login/")


@pytest.mark.parametrize("folder", ["/", "/all/"])
def test_guards_let_in_by_role_and_refuse_with_the_hosts_page(guarded: Flask, kakao: FakeKakao, folder: str) -> None:
    client = guarded.test_client()
    log_in(client, kakao)
    assert client.get(f"{folder}login/").text == "for 민지"
    assert client.get(f"{folder}fresh/").text == "for 민지"
    for name in ("staff", "superuser"):
        answer = client.get(f"{folder}{name}/")
        assert (answer.status_code, answer.text) == (403, "shop's own 403")
    make_staff(guarded)
    assert client.get(f"{folder}staff/").text == "for 민지"
    assert client.get(f"{folder}superuser/").status_code == 403
    make_staff(guarded, superuser=True)
    assert client.get(f"{folder}superuser/").text == "for 민지"


def test_old_login_is_confirmed_before_a_fresh_page(guarded: Flask, kakao: FakeKakao) -> None:
    client = guarded.test_client()
    log_in(client, kakao)
    with time_machine.travel(time.time() + 301, tick=False):
        answer = client.get("/fresh/?a=1")
    assert (answer.status_code, answer.location) == (302, "/auth/users/me/confirm/?next=/fresh/?a%3D1")
    with time_machine.travel(time.time() + 301, tick=False):
        form = client.post("/fresh/", data={"text": "typed"})
    assert (form.status_code, form.location) == (302, "/auth/users/me/confirm/?next=/fresh/")


@pytest.mark.parametrize("folder", ["/", "/all/"])
def test_bearer_guard_takes_tokens_and_no_session(guarded: Flask, kakao: FakeKakao, folder: str) -> None:
    browser = guarded.test_client()
    log_in(browser, kakao)
    answer = browser.get(f"{folder}bearer/")
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
    guarded.config["KAKAO_APP_ID"] = 0
    sent = begin(browser, mode="jwt")
    kakao.nonce = sent["nonce"]
    browser.get("/auth/kakao/login/callback/", query_string={"state": sent["state"], "code": "canary-code"})
    token = browser.get_cookie("access_token")
    assert token
    app = guarded.test_client()
    answer = app.get(f"{folder}bearer/", headers={"Authorization": f"Bearer {token.value}"})
    assert answer.text == "for 민지"
    answer = app.get(f"{folder}bearer/", headers={"Authorization": "Bearer nonsense"})
    assert json.loads(answer.data)["code"] == "INVALID_ACCESS_TOKEN"
    assert "WWW-Authenticate" in answer.headers


def test_refresh_cookie_is_for_our_refresh_address_alone(host: Flask, kakao: FakeKakao) -> None:
    client = host.test_client()
    log_in(client, kakao, mode="jwt")
    cookie = client.get_cookie("refresh_token", path="/auth/api/token/refresh/")
    assert cookie
    assert cookie.http_only
    token = client.get_cookie("access_token")
    assert token
    answer = client.post("/auth/api/token/refresh/", headers={"X-CSRF-Token": "1"})
    assert answer.status_code == 200, answer.text


# Hooks


def test_hook_is_asked_inside_the_transaction_before_an_account_is_made(make_host: MakeHost, kakao: FakeKakao) -> None:
    auth = KakaoAuth()
    asked: list[tuple[str, str | None]] = []

    @auth.before_sign_up
    def only_invited(profile: Any) -> None:
        asked.append((profile.provider, profile.email))
        if not profile.email.endswith("@club.kr"):
            raise Refused("초대받은 분만 <가입>할 수 있어요.")

    app = make_host(auth=auth)
    client = app.test_client()
    answer = log_in(client, kakao)
    assert answer.status_code == 403
    assert "초대받은 분만 &lt;가입&gt;할 수 있어요." in answer.text
    with app.app_context():
        assert ours.session.query(User).count() == 0
    kakao.me = person(3902187744, email="m@club.kr")
    assert log_in(client, kakao).status_code == 302
    assert log_in(app.test_client(), kakao).status_code == 302  # known by now: not asked again
    assert asked == [("kakao", "p3902187744@example.kr"), ("kakao", "m@club.kr")]


def test_hook_may_keep_somebody_from_leaving_and_what_it_does_is_part_of_the_transaction(
    make_host: MakeHost, kakao: FakeKakao
) -> None:
    auth = KakaoAuth()
    owes = [True]

    @auth.before_leave
    def settle(user: User) -> None:
        user.nickname = "half done"
        ours.session.flush()
        if owes[0]:
            raise Refused("Please bring the books back first.")

    app = make_host(auth=auth)
    client = app.test_client()
    log_in(client, kakao)
    form = {"csrf_token": csrf_of(client, "/auth/users/me/withdraw/"), "confirm": "yes"}
    answer = client.post("/auth/users/me/withdraw/", data=form)
    assert answer.status_code == 403
    assert "Please bring the books back first." in answer.text
    assert client.get("/").text == "shop of 민지"
    owes[0] = False
    assert client.post("/auth/users/me/withdraw/", data=form).status_code in (200, 302)
    assert client.get("/").text == "shop"


# Kakao's API


def test_kakaos_api_is_called_as_the_current_user(host: Flask, kakao: FakeKakao) -> None:
    auth = host.extensions["kakaoauth"]

    @host.get("/kakao-says/")
    @login_required
    def kakao_says() -> Any:
        return auth.api("kakao").get("/v2/user/me").json()

    client = host.test_client()
    log_in(client, kakao)
    assert client.get("/kakao-says/").get_json()["id"] == 3902187744


# Neighbours


def test_hosts_csrf_protection_leaves_our_forms_and_api_alone_and_still_guards_its_own(
    make_host: MakeHost, kakao: FakeKakao
) -> None:
    for name, before in {"first": CSRFProtect, "never": lambda app: None}.items():
        app = make_host(name=name, before=before)
        if name == "never":
            CSRFProtect(app)
        client = app.test_client()
        assert client.post("/cart/").status_code == 400
        assert client.post("/auth/api/token/verify/", json={"token": "x"}).status_code == 401
        log_in(client, kakao)
        answer = client.post("/auth/kakao/logout/", data={"csrf_token": csrf_of(client, "/auth/kakao/logout/")})
        assert answer.status_code == 302
        assert client.post("/auth/kakao/logout/").status_code in (302, 400)  # anonymous by now


def test_session_store_of_the_hosts_is_refused_in_one_line(redis_url: str, tmp_path: Path) -> None:
    from flask_session import Session

    app = host_app(tmp_path, redis_url, SESSION_TYPE="redis", SESSION_REDIS=Redis.from_url(redis_url))
    Session(app)
    with pytest.raises(ConfigError, match=r"^the app keeps its sessions by RedisSessionInterface: remove that"):
        KakaoAuth(app)


def test_login_manager_with_users_of_its_own_is_refused_and_one_without_is_taken_over(
    make_host: MakeHost, kakao: FakeKakao
) -> None:
    def with_users(app: Flask) -> None:
        LoginManager(app).user_loader(lambda _: None)

    with pytest.raises(ConfigError, match=r"^the app has a LoginManager with a user_loader: remove it"):
        make_host(name="first", before=with_users)
    client = make_host(name="second", before=LoginManager).test_client()
    log_in(client, kakao)
    assert client.get("/").text == "shop of 민지"


def test_neighbour_that_comes_after_us_is_treated_the_same(
    make_host: MakeHost, kakao: FakeKakao, caplog: pytest.LogCaptureFixture
) -> None:
    from flask_session import Session

    LoginManager(app := make_host(name="first"))
    log_in(client := app.test_client(), kakao)
    assert client.get("/").text == "shop of 민지"
    LoginManager(app := make_host(name="second")).user_loader(lambda _: None)
    refused(app.test_client(), "the app has a LoginManager with a user_loader: remove it", caplog)
    Session(app := make_host(name="third", SESSION_TYPE="redis", SESSION_REDIS=Redis()))
    refused(app.test_client(), "the app keeps its sessions by RedisSessionInterface: remove that", caplog)


def refused(client: FlaskClient, told: str, caplog: pytest.LogCaptureFixture) -> None:
    """On the app's pages and on ours, and each time the log says what to do."""
    caplog.clear()
    assert client.get("/").status_code == 500
    assert f"ConfigError: {told}" in caplog.text
    caplog.clear()
    assert client.get("/auth/").status_code == 500
    assert f"reason={told}" in caplog.text


@pytest.mark.parametrize("prefix", ["//x", "/a//b", "/a b", "/a?b", "/a#b", "/a%2fb", "/<user>", "/a\\b", "/.."])
def test_prefix_that_is_no_path_is_refused_in_one_line(redis_url: str, tmp_path: Path, prefix: str) -> None:
    with pytest.raises(ConfigError, match=r"^url_prefix must be a path like /auth"):
        KakaoAuth(host_app(tmp_path, redis_url), url_prefix=prefix)


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("SECRET_KEY", "SECRET_KEY is missing: "),
        ("REDIS_URL", "REDIS_URL is missing: set app.config"),
        ("KAKAO_CLIENT_ID", "KAKAO_CLIENT_ID is missing: set app.config"),
        ("SQLALCHEMY_DATABASE_URI", "DATABASE_URL is missing: "),
    ],
)
def test_what_is_missing_is_named_in_one_line(redis_url: str, tmp_path: Path, missing: str, told: str) -> None:
    app = host_app(tmp_path, redis_url)
    del app.config[missing]
    with pytest.raises(ConfigError, match=f"^{told}") as caught:
        KakaoAuth(app)
    assert "\n" not in str(caught.value)


def test_flask_shows_that_line_and_no_traceback(redis_url: str, tmp_path: Path) -> None:
    def create_app() -> Flask:
        app = host_app(tmp_path, redis_url, KAKAO_CLIENT_ID="")
        KakaoAuth(app)
        return app

    shown = CliRunner().invoke(FlaskGroup(create_app=create_app), ["run"])
    assert (shown.exit_code, shown.output.count("\n")) == (1, 1)
    assert shown.output.startswith("Error: KAKAO_CLIENT_ID is missing: set app.config")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"url_prefix": "auth"}, "url_prefix must begin with a slash"),
        ({"features": {"stuff"}}, "unknown feature 'stuff'"),
        ({"features": "staff"}, "features must be a list of names"),
    ],
)
def test_argument_that_cannot_be_meant_is_refused(make_host: MakeHost, given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=f"^{told}"):
        make_host(given=given)


def test_client_id_of_digits_from_the_environment_stays_text(make_host: MakeHost) -> None:
    """Flask's `from_prefixed_env` reads it as a number."""
    assert make_host(KAKAO_CLIENT_SECRET=12345678).config["KAKAO_CLIENT_SECRET"] == "12345678"


# Several apps in one process


def test_two_apps_of_one_process_know_nothing_of_each_other(make_host: MakeHost, kakao: FakeKakao) -> None:
    auth = KakaoAuth()
    one = make_host(name="one", auth=auth)
    two = make_host(name="two", auth=auth, given={"url_prefix": "/login/here", "features": set()})
    first, second = one.test_client(), two.test_client()
    log_in(first, kakao)
    assert second.get("/").text == "shop"
    assert second.get("/auth/").status_code == 404
    kakao.me = person(2002)
    log_in(second, kakao, prefix="/login/here")
    with one.app_context():
        assert [user.email for user in ours.session.query(User)] == ["p3902187744@example.kr"]
    with two.app_context():
        assert [user.email for user in ours.session.query(User)] == ["p2002@example.kr"]
    with pytest.raises(ConfigError, match=r"^this app has kakaoauth already"):
        auth.init_app(one)


def test_empty_prefix_leaves_the_first_page_to_the_host(make_host: MakeHost, kakao: FakeKakao) -> None:
    client = make_host(given={"url_prefix": "/"}).test_client()
    assert client.get("/").text == "shop"
    assert log_in(client, kakao, prefix="").location == "/"


def test_nothing_that_the_app_or_its_extensions_keep_is_replaced(make_host: MakeHost) -> None:
    """An app may have Flask-Redis, Flask-Babel, an OAuth of its own: their names in `app.extensions` are theirs."""
    theirs = dict.fromkeys(
        ("redis", "babel", "health", "limiter", "authlib.integrations.flask_client"), "the app's own"
    )
    app = make_host(before=lambda app: app.extensions.update(theirs))
    assert {name: app.extensions[name] for name in theirs} == theirs
    added = app.extensions.keys() - theirs.keys() - {"sqlalchemy"}
    assert {name for name in added if not name.startswith("kakaoauth")} == set()
    assert not [name for name in app.jinja_env.filters if "login" in name and not name.startswith("kakaoauth")]
