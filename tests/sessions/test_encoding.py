"""How a session is written in Redis."""

import json
import logging
import zlib
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from support import FakeKakao, csrf_token, log_in, set_cookie
from support.devices import CHROME
from support.stored_sessions import opened

from kakaoauth.sessions import encoding
from kakaoauth.sessions.names import former_name_of, name_of

SID = "s" * 43
DATA = {
    "_user_id": "7.3",
    "_fresh": True,
    "_begun": 1795913068.4,
    "_confirmed": 1795913060.0,
    "_seen": 1795913099.1,
    "_agent": CHROME,
    "_address": "192.0.2.x",
    "_token": 12,
    "finished_logins": {"abc": "/"},
}


def there_and_back(data: dict[str, Any]) -> dict[str, Any]:
    raw = encoding.squeeze(encoding.plain(data, SID))
    return encoding.read(encoding.stretch(raw), SID, is_former=False)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"_staff": True, "_draft": {"/a/": {"x": "y"}}, "_logout_state": "z"},
        {"_fresh": False},
        {"_begun": 1795913068, "_confirmed": 17},
        {"_begun": 1795913068.123, "_seen": 0.5},
        {"_confirmed": 1795913068.123},
        {"u": "a host's", "_state_kakao_x": {"data": {}, "exp": 1}, "basket": [1, {"a": None}], "하나": "둘"},
        {"csrf_token": "f" * 64},
    ],
)
def test_what_is_written_is_read(app: Flask, more: dict[str, Any]) -> None:
    with app.app_context():
        assert there_and_back({**DATA, **more}) == {**DATA, **more}
        assert there_and_back(more) == more


def test_login_takes_few_bytes(app: Flask, redis: Redis, client: FlaskClient, kakao: FakeKakao) -> None:
    client.environ_base["HTTP_USER_AGENT"] = CHROME
    log_in(client, kakao)
    token = csrf_token(client)
    (raw,) = (redis.get(key) for key in redis.keys("session:*"))
    assert len(raw) < 110
    assert opened(raw)["_agent"] == CHROME
    assert csrf_token(client).partition(".")[0] == token.partition(".")[0], "what it signs; the rest has the time"


def test_session_of_an_older_version_lives_on_under_its_old_name(
    client: FlaskClient, kakao: FakeKakao, redis: Redis
) -> None:
    log_in(client, kakao)
    sid = set_cookie(client)
    before = opened(redis.get(f"session:{name_of(sid)}"))
    with client.application.app_context():
        from_id = encoding.csrf_secret(sid)
    redis.delete(f"session:{name_of(sid)}")
    old = f"session:{former_name_of(sid)}"
    redis.set(old, json.dumps({**before, "_id": "x" * 128, "csrf_token": from_id}), ex=1000)
    assert client.get("/users/me/").status_code == 200
    assert redis.get(old).startswith(b"{"), "not written for nothing: an older worker may be beside this one"
    assert client.post("/kakao/logout/", data={"csrf_token": csrf_token(client)}).status_code == 302
    assert redis.keys("session:*") == []
    client.set_cookie("session", sid)
    assert client.get("/users/me/").status_code == 302


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x01",
        b"\x01{}",
        b"\x02{}",
        encoding.squeeze(b"{}")[:-1],
        encoding.squeeze(b"[]"),
        encoding.squeeze(b'{"b":"x"}'),
        encoding.squeeze(b'{"b":1,"c":"x"}'),
        encoding.squeeze(b"[" * 100_000),
        encoding.squeeze(b'{"a":"' + b"x" * encoding.MOST + b'"}'),
        encoding.MARK + zlib.compress(b"{}"),
    ],
)
def test_anything_else_is_not_ours(
    client: FlaskClient, kakao: FakeKakao, redis: Redis, raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    log_in(client, kakao)
    (key,) = redis.keys("session:*")
    redis.set(key, raw)
    assert client.get("/users/me/").status_code == 302
    assert [record for record in caplog.records if record.levelno == logging.CRITICAL]
