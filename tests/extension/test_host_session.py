"""What a host's own pages do with the session."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask, session
from flask_login import login_user, logout_user
from redis import Redis
from support import FakeKakao
from support.shop import csrf_of, log_in

from kakaoauth import ConfigError, User, current_user
from kakaoauth.storage.database import db

MakeHost = Callable[..., Flask]
DAY = datetime(2026, 3, 1, tzinfo=UTC)


def add_pages(app: Flask) -> None:
    @app.get("/put/")
    def put() -> str:
        session["finished_orders"] = session["csrf_token_of_mine"] = session["_cart"] = session["_host"] = (1, DAY)
        return "ok"

    @app.get("/append/")
    def append() -> str:
        session.setdefault("deep", {"list": []})["list"].append(1)
        return "ok"

    @app.get("/keys/")
    def keys() -> dict[str, Any]:
        return {"keys": sorted(session), "deep": session.get("deep"), "who": current_user.is_authenticated}

    app.add_url_rule("/clear/", "clear", lambda: session.clear() or "ok")
    app.add_url_rule("/clear-login/", "clear_login", lambda: str(logout_user()))
    app.add_url_rule("/enter/", "enter", lambda: str(login_user(db.session.query(User).first())))


@pytest.fixture
def app(make_host: MakeHost) -> Flask:
    return make_host(before=add_pages, KAKAOAUTH_SESSION_KEEP="_cart")


def test_any_name_that_is_not_ours_is_the_hosts_with_its_types(app: Flask, kakao: FakeKakao) -> None:
    client = app.test_client()
    log_in(client, kakao)
    assert client.get("/put/").status_code == 200
    with client.session_transaction() as kept:
        for name in ("finished_orders", "csrf_token_of_mine", "_cart"):
            assert kept[name] == (1, DAY)
    assert client.get("/auth/users/me/").status_code == 200


def test_name_with_an_underscore_is_kept_through_a_login(app: Flask, kakao: FakeKakao) -> None:
    client = app.test_client()
    client.get("/put/")
    log_in(client, kakao)
    with client.session_transaction() as kept:
        assert kept["_cart"] == (1, DAY)
        assert "finished_orders" not in kept


def test_change_deep_inside_is_stored(app: Flask, kakao: FakeKakao) -> None:
    client = app.test_client()
    log_in(client, kakao)
    for _ in range(3):
        client.get("/append/")
    assert client.get("/keys/").get_json()["deep"] == {"list": [1, 1, 1]}


@pytest.mark.parametrize("path", ["/clear/", "/clear-login/"])
def test_session_that_a_host_clears_is_a_login_no_more(app: Flask, kakao: FakeKakao, redis: Redis, path: str) -> None:
    client, copy = app.test_client(), app.test_client()
    log_in(client, kakao)
    cookie = client.get_cookie("session")
    assert cookie
    copy.set_cookie("session", cookie.value)
    client.get("/append/")
    client.get(path)
    found = client.get("/keys/").get_json()
    assert (found["who"], found["keys"]) == (False, [] if path == "/clear/" else ["deep"])
    for browser in (client, copy):
        assert browser.get("/auth/users/me/").status_code == 302
    # The login's id stands for nothing any more, nor is it counted as open.
    copy.set_cookie("session", cookie.value)
    assert copy.get("/keys/").get_json()["keys"] == []
    assert [redis.zcard(key) for key in redis.keys("*sessions*")] == []
    log_in(client, kakao)
    assert csrf_of(client, "/auth/users/me/")


def test_login_by_flask_login_alone_is_refused_in_words(app: Flask, kakao: FakeKakao) -> None:
    log_in(app.test_client(), kakao)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    client = app.test_client()
    with pytest.raises(ConfigError, match=r"^the app has called flask_login\.login_user: remove that"):
        client.get("/enter/")
    assert client.get("/keys/").get_json() == {"keys": [], "deep": None, "who": False}
