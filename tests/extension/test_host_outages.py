"""Redis or the database is away, and a page of the host's wants to know who is there."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask, session
from support import FakeKakao
from support.redis_server import RedisServer
from support.shop import begin, log_in
from support.wire import Wire

from kakaoauth import bearer_required, current_user, login_required, staff_required

MakeHost = Callable[..., Flask]


def add_pages(app: Flask) -> None:
    def name() -> str:
        return f"for {current_user.nickname}" if current_user.is_authenticated else "for nobody"

    for path, view in {"mine": login_required(name), "staff": staff_required(name), "who": name}.items():
        app.add_url_rule(f"/{path}/", path, view)
    app.add_url_rule("/token/", "token", bearer_required(name))

    @app.errorhandler(503)
    def away(error: Any) -> tuple[str, int]:
        """As a layout would: it names who is logged in, and counts the cart."""
        return f"shop's own 503 {name()} {session.get('cart')}", 503


PAGES = ["/mine/", "/staff/", "/who/", "/cart/"]


@pytest.mark.parametrize("mode", [{}, {"TESTING": True}, {"PROPAGATE_EXCEPTIONS": True}], ids=str)
def test_redis_away_is_the_hosts_own_503(
    make_host: MakeHost, kakao: FakeKakao, start_redis: Callable[..., RedisServer], mode: dict[str, Any]
) -> None:
    server = start_redis()
    client = make_host(before=add_pages, REDIS_URL=server.url, **mode).test_client()
    log_in(client, kakao)
    assert client.get("/mine/").text == "for 민지"
    server.stop()
    for path in PAGES:
        answer = client.get(path)
        assert (answer.status_code, answer.text) == (503, "shop's own 503 for nobody None")
        assert answer.headers["Retry-After"]
        assert "Set-Cookie" not in answer.headers
    assert client.application.test_client().get("/who/").text == "for nobody"


def test_database_away_is_the_hosts_own_503_and_a_problem_document_for_apps(
    make_host: MakeHost, kakao: FakeKakao, wire: Wire, postgres_url: str
) -> None:
    url = f"postgresql+psycopg://postgres@127.0.0.1:{wire.port}{urlsplit(postgres_url).path}"
    app = make_host(before=add_pages, SQLALCHEMY_DATABASE_URI=url)
    client = app.test_client()
    log_in(client, kakao)
    sent = begin(client, mode="jwt")
    kakao.nonce = sent["nonce"]
    client.get("/auth/kakao/login/callback/", query_string={"state": sent["state"], "code": "canary-code"})
    wire.cut()
    for path in ("/mine/", "/staff/", "/who/"):
        answer = client.get(path)
        assert (answer.status_code, answer.text) == (503, "shop's own 503 for nobody None")
        assert answer.headers["Retry-After"]
    problem = client.get("/token/")
    assert (problem.status_code, problem.content_type) == (503, "application/problem+json")
    assert problem.headers["Retry-After"]
