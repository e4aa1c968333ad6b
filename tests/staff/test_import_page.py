"""A file imported in the browser: sent, looked at, confirmed."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from support import csrf_token

from kakaoauth.audit import AuditEvent
from kakaoauth.models import User, find_user_by_email
from kakaoauth.staff.csv import import_users
from kakaoauth.staff.import_page import LARGEST
from kakaoauth.storage.database import db
from kakaoauth.translation import CATALOGS

ClientAs = Callable[[str], FlaskClient]
ENGLISH = {"Accept-Language": "en"}
FILE = """email,nickname,identities,is_staff
new@example.kr,새사람,kakao:900100,true
minji@example.kr,minji,,
broken,x,,
"""


@pytest.fixture
def hana(client_as: ClientAs) -> FlaskClient:
    return client_as("hana")


def send(client: FlaskClient, content: bytes | str) -> Any:
    raw = content.encode() if isinstance(content, str) else content
    form = {"csrf_token": csrf_token(client), "file": (io.BytesIO(raw), "users.csv")}
    return client.post("/users/import/", data=form, content_type="multipart/form-data", headers=ENGLISH)


def confirm(client: FlaskClient, reason: str = "from the old shop") -> Any:
    form = {"csrf_token": csrf_token(client), "reason": reason}
    return client.post("/users/import/preview/", data=form, headers=ENGLISH)


def number(app: Flask) -> int:
    with app.app_context():
        return db.session.query(User).count()


def test_refusals_are_in_the_visitors_language(hana: FlaskClient) -> None:
    send(hana, FILE + "old@example.kr,x,kakao:1,maybe\n")
    page = hana.get("/users/import/preview/", headers={"Accept-Language": "ko"}).text
    assert "이메일 주소가 아니에요" in page
    assert "true나 false가 아니에요" in page
    send(hana, "colour\nred\n")
    page = hana.get("/users/import/preview/", headers={"Accept-Language": "ko"}).text
    assert "없는 열이에요: colour. 쓸 수 있는 열: id, " in page


def test_every_reason_has_a_korean_text() -> None:
    folder = Path(import_users.__file__).parent
    texts = [text for file in folder.glob("*.py") for text in re.findall(r'Why\(\s*"([^"]+)"', file.read_text())]
    assert len(texts) > 25
    assert [text for text in texts if CATALOGS["ko"].gettext(text) == text] == []


def test_file_is_shown_before_anything_happens_and_then_imported(
    app: Flask, hana: FlaskClient, redis: Redis, people: dict[str, int]
) -> None:
    before = number(app)
    assert send(hana, FILE).status_code == 302
    page = hana.get("/users/import/preview/", headers=ENGLISH).text
    for told in ("Import 1 users", "새사람", "kakao:900100".partition(":")[2], "not an e-mail address", "line 4"):
        assert told in page
    assert "1 lines give a role" in page
    assert number(app) == before
    assert b"900100" not in b"".join(redis.get(key) or b"" for key in redis.keys("*import:*"))
    assert confirm(hana, reason="").status_code == 400
    assert number(app) == before
    assert confirm(hana).status_code == 302
    with app.app_context():
        user = find_user_by_email("new@example.kr")
        assert user
        assert (user.nickname, user.is_staff) == ("새사람", False)
        event = db.session.scalars(db.select(AuditEvent).filter_by(action="import confirmed")).one()
        assert (event.actor_id, event.reason) == (people["hana"], "from the old shop")
    assert "Imported: 1. Left as they are: 2." in hana.get("/users/", headers=ENGLISH).text
    assert confirm(hana).location == "/users/import/"
    assert number(app) == before + 1


@pytest.mark.parametrize("content", [b"", b"x" * (LARGEST + 1)])
def test_file_that_is_none_or_too_large_is_refused(hana: FlaskClient, content: bytes) -> None:
    answer = send(hana, content)
    assert answer.status_code == 400
    assert "Please choose a CSV file of at most 400 KB." in answer.text


def test_file_without_a_header_is_explained(hana: FlaskClient) -> None:
    send(hana, "who,what\n1,2\n")
    answer = hana.get("/users/import/preview/", headers=ENGLISH)
    assert answer.status_code == 400
    assert "no such column: who, what" in answer.text


def test_staff_and_strangers_import_nothing(client_as: ClientAs) -> None:
    sora = client_as("sora")
    assert sora.get("/users/import/").status_code == 403
    assert send(sora, FILE).status_code == 403
    assert confirm(sora).status_code == 403
