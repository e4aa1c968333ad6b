"""What the tests of the sign-up step speak in."""

import re
from collections.abc import Mapping
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from redis import Redis

from kakaoauth.storage.database import db
from support import FakeKakao, log_in, readable_tables

#: As an operator writes them.
TERMS: list[dict[str, Any]] = [
    {"id": "age", "kind": "age"},
    {
        "id": "tos",
        "title": {"ko": "이용약관", "en": "Terms of service"},
        "url": {"ko": "https://example.kr/terms", "en": "https://example.kr/en/terms"},
        "version": "2026-01",
        "required": True,
        "tag": "service_tos",
    },
    {"id": "news", "kind": "marketing", "version": "1", "tag": "news_tag", "url": "https://example.kr/news"},
]


def newer(term_id: str, version: str = "2027-01") -> list[dict[str, Any]]:
    """The same with a new version of one of them."""
    return [{**term, "version": version} if term["id"] == term_id else term for term in TERMS]


def come_to_step(client: FlaskClient, kakao: FakeKakao, **query: str) -> str:
    """Log in as somebody who has not agreed; the path of the step's page."""
    answer = log_in(client, kakao, **query)
    assert answer.status_code == 302, answer.text
    assert answer.location.startswith("/sign-up/"), answer.location
    return str(answer.location)


def agree(client: FlaskClient, path: str, *terms: str, **more: str) -> Any:
    """Tick these, and press the button."""
    page = client.get(path)
    assert page.status_code == 200, page.text
    boxes = dict(re.findall(r'name="(agree\.[^"]+)" value="([^"]*)"', page.text))
    form = {
        **form_of(page),
        **{f"agree.{term}": boxes[f"agree.{term}"] for term in terms},
        "decision": "agree",
        **more,
    }
    return client.post(path, data=form)


def cancel(client: FlaskClient, path: str) -> Any:
    return client.post(path, data={**form_of(client.get(path)), "decision": "cancel"})


def form_of(page: Any) -> dict[str, str]:
    form = page.text.split('action="/sign-up/', 1)[1].split("</form>", 1)[0]
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form))


def rows(app: Flask) -> Mapping[str, int]:
    """How many rows each table has."""
    with app.app_context():
        return {name: db.session.scalar(db.text(f'SELECT count(*) FROM "{name}"')) or 0 for name in readable_tables()}


def everything_in(redis: Redis) -> bytes:
    """Every key and every value of Redis, whatever its type."""
    found = []
    for key in redis.keys("*"):
        kind = redis.type(key)
        read = {
            b"string": lambda key=key: redis.get(key),
            b"hash": lambda key=key: redis.hgetall(key),
            b"list": lambda key=key: redis.lrange(key, 0, -1),
            b"set": lambda key=key: redis.smembers(key),
            b"zset": lambda key=key: redis.zrange(key, 0, -1),
        }[kind]
        found.append(key + b"=" + repr(read()).encode())
    return b"\n".join(found)
