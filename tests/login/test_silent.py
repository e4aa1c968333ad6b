"""Inside KakaoTalk's browser: who is known comes in without a press, once, and never against their will."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import FakeKakao, csrf_token, is_logged_in, log_in

INSIDE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 KAKAOTALK/25.2.1 (INAPP)"
ANDROID = "Mozilla/5.0 (Linux; Android 14; wv) Chrome/126.0 Mobile Safari/537.36;KAKAOTALK 2410850"
SCRAPER = "facebookexternalhit/1.1; kakaotalk-scrap/1.0; +https://devtalk.kakao.com/t/scrap/33984"


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(KAKAOAUTH_KAKAOTALK_AUTO_LOGIN=True)


def browser(app: Flask, agent: str = INSIDE, **how: Any) -> FlaskClient:
    client = app.test_client(**how)
    client.environ_base["HTTP_USER_AGENT"] = agent
    return client


def tried(answer: Any) -> dict[str, str]:
    """The request's parameters, if the visitor was sent to Kakao."""
    if answer.status_code != 302 or not answer.location.startswith("https://kauth.kakao.com/"):
        return {}
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.location).query).items()}


def comes_in(client: FlaskClient, kakao: FakeKakao, page: str = "/") -> Any:
    sent = tried(client.get(page))
    assert sent["prompt"] == "none"
    kakao.nonce = sent["nonce"]
    return client.get("/kakao/login/callback/", query_string={"state": sent["state"], "code": "canary-code"})


@pytest.mark.parametrize("agent", [INSIDE, ANDROID])
def test_who_is_known_comes_in_and_goes_where_they_wanted(app: Flask, kakao: FakeKakao, agent: str) -> None:
    client = browser(app, agent)
    asked = client.get("/users/me/")
    assert asked.location == "/?next=/users/me/"
    assert comes_in(client, kakao, asked.location).location == "/users/me/"
    assert is_logged_in(client)
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("error", ["login_required", "consent_required", "interaction_required", "access_denied"])
def test_it_falls_back_to_the_button_once(app: Flask, kakao: FakeKakao, error: str) -> None:
    client = browser(app)
    sent = tried(client.get("/?next=/users/me/"))
    back = client.get("/kakao/login/callback/", query_string={"state": sent["state"], "error": error})
    assert back.location == "/?next=/users/me/"
    for _ in range(2):
        page = client.get(back.location)
        assert (page.status_code, "/kakao/login/?next=/users/me/" in page.text) == (200, True)
    assert log_in(client, kakao, next="/users/me/").location == "/users/me/"


def test_a_browser_without_cookies_gets_the_button(app: Flask) -> None:
    client = browser(app, use_cookies=False)
    sent = tried(client.get("/"))
    assert sent
    back = client.get("/kakao/login/callback/", query_string={"state": sent["state"], "error": "login_required"})
    assert back.location == "/?silent=no"
    assert client.get(back.location).status_code == 200
    callback = {"state": "x" * 43, "error": "login_required"}
    forged = browser(app, "Chrome").get("/kakao/login/callback/", query_string=callback)
    assert forged.status_code == 400


def test_no_other_browser_and_not_where_it_is_off(app: Flask, make_app: Callable[..., Flask]) -> None:
    for agent in ("Mozilla/5.0 Chrome/126.0", SCRAPER, ""):
        assert browser(app, agent).get("/").status_code == 200, agent
    assert browser(app).head("/").status_code == 200
    assert browser(make_app()).get("/").status_code == 200


@pytest.mark.parametrize("how", ["/kakao/logout/", "/users/me/logout-everywhere/", "/users/me/withdraw/"])
def test_who_has_logged_out_stays_out(app: Flask, kakao: FakeKakao, how: str) -> None:
    client = browser(app)
    comes_in(client, kakao)
    page = how if how != "/users/me/logout-everywhere/" else "/users/me/"
    assert client.post(how, data={"csrf_token": csrf_token(client, page)}).status_code == 302
    for address in ("/", "/?next=/users/me/"):
        assert client.get(address).status_code == 200


def test_whose_session_was_ended_elsewhere_is_not_let_in_again(app: Flask, kakao: FakeKakao) -> None:
    lost, owner = browser(app), app.test_client()
    comes_in(lost, kakao)
    log_in(owner, kakao)
    assert owner.post("/users/me/devices/end-others/", data={"csrf_token": csrf_token(owner)}).status_code == 302
    assert lost.get("/users/me/").location == "/?next=/users/me/"
    for _ in range(2):
        assert lost.get("/").status_code == 200


def test_an_address_cannot_ask_for_it(app: Flask) -> None:
    assert "prompt" not in tried(browser(app).get("/kakao/login/?prompt=none"))
