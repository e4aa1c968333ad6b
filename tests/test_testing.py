"""What a host's own tests use: settings for an app, and logins without a network."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests_mock as rm
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from kakaoauth import KakaoAuth, current_user, login_required, testing
from kakaoauth.errors import ProviderUnavailable
from kakaoauth.providers import get_provider
from kakaoauth.storage.database import db


@pytest.fixture
def host() -> Iterator[Flask]:
    with testing.settings() as settings:
        app = Flask("host")
        app.config.update(settings)
        database = SQLAlchemy(app)
        KakaoAuth(app, db=database, url_prefix="/members")

        @app.get("/")
        @login_required
        def home() -> str:
            return f"{current_user.nickname} {current_user.email}"

        with app.app_context():
            testing.create_tables()
            database.create_all()
        yield app


def test_client_is_logged_in_as_somebody_of_the_sandbox(host: Flask) -> None:
    client = host.test_client()
    assert client.get("/").status_code == 302
    answer = testing.log_in(client)
    assert (answer.status_code, answer.location) == (302, "/")
    assert client.get("/").text == "하늘다람쥐 haneul@example.kr"
    other = host.test_client()
    testing.log_in(other, "html")
    assert client.get("/").text == "하늘다람쥐 haneul@example.kr"
    assert "haneul" not in other.get("/").text


def test_sandbox_takes_over_from_a_mock(host: Flask) -> None:
    with rm.Mocker() as mock, host.test_request_context():
        mock.post(rm.ANY, status_code=503)
        with pytest.raises(ProviderUnavailable):
            get_provider("kakao").profile_of_code("any", "http://localhost/")
    assert testing.log_in(host.test_client()).location == "/"


def test_login_returns_where_it_is_told(host: Flask) -> None:
    assert testing.log_in(host.test_client(), next="/?page=2").location == "/?page=2"


def test_login_below_a_path_of_the_server(host: Flask) -> None:
    host.config["APPLICATION_ROOT"] = "/shop"
    assert testing.log_in(client := host.test_client(), next="/shop/?a=1").location == "/shop/?a=1"
    assert client.get("/").status_code == 200


def test_login_that_the_site_refuses_ends_on_the_page_that_says_why(host: Flask) -> None:
    answer = testing.log_in(host.test_client(), "noemail")
    assert answer.status_code == 403
    assert 'data-code="EMAIL_REQUIRED"' in answer.text


def test_person_whom_kakao_does_not_send_back_is_an_error(host: Flask) -> None:
    with pytest.raises(ValueError, match=r"^unknown person: nobody$"):
        testing.log_in(host.test_client(), "nobody")


def test_one_person_may_log_in_more_often_than_kakao_allows(host: Flask) -> None:
    for _ in range(21):
        assert testing.log_in(host.test_client()).status_code == 302


def test_connections_are_closed_with_the_settings_they_belong_to() -> None:
    def connection_of(settings: dict[str, Any]) -> sqlite3.Connection:
        app = Flask("host")
        app.config.update(settings)
        KakaoAuth(app, db=SQLAlchemy(app))
        with app.app_context():
            testing.create_tables()
            connection: sqlite3.Connection = db.engine.raw_connection().dbapi_connection  # type: ignore[assignment]
        return connection

    with testing.settings() as outer:
        mine = connection_of(outer)
        with testing.settings() as inner:
            other = connection_of(inner)
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            other.execute("SELECT 1")
        assert mine.execute("SELECT count(*) FROM users").fetchone() == (0,)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        mine.execute("SELECT 1")


def test_nothing_is_left_of_the_settings() -> None:
    with testing.settings() as settings:
        socket = Path(urlsplit(settings["REDIS_URL"]).path)
        assert socket.exists()
    assert not socket.parent.exists()
