"""One person's browsers: logged in, listed, logged out, ended."""

from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient

from kakaoauth.storage.database import db
from kakaoauth.tokens.provider_tokens import ProviderToken
from support import FakeKakao, csrf_token, log_in, person

#: What Chrome on Windows says it is.
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)


def browsers(app: Flask, kakao: FakeKakao, number: int, *, subject: int = 3902187744) -> list[FlaskClient]:
    """One person's browsers, each with a token of its own: `<subject>-0`, `<subject>-1`, ..."""
    kakao.me = person(subject)
    made = []
    for count in range(number):
        kakao.token = {"access_token": f"{subject}-{count}", "refresh_token": f"again-{subject}-{count}"}
        made.append(app.test_client())
        assert log_in(made[-1], kakao).status_code == 302
    return made


def rows(app: Flask) -> int:
    with app.app_context():
        return db.session.query(ProviderToken).count()


def ended(kakao: FakeKakao) -> list[str]:
    """The tokens that Kakao was told to end."""
    calls = [call for call in kakao.mock.request_history if urlsplit(call.url).path == "/v1/user/logout"]
    return [call.headers["Authorization"].removeprefix("Bearer ") for call in calls]


def leave(client: FlaskClient, **form: str) -> Any:
    return client.post("/kakao/logout/", data={"csrf_token": csrf_token(client), **form})


def end(client: FlaskClient, handle: str) -> Any:
    return client.post(f"/users/me/devices/{handle}/end/", data={"csrf_token": csrf_token(client)})
