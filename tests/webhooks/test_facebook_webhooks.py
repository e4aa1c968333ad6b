"""What Facebook tells us about people: who is believed, what each message does, and what the person is told."""

import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from support import FakeKakao, api_client, tokens_of
from support import log_in as log_in_by_kakao
from support.concurrency import until
from support.facebook import SETTINGS, SUBJECT, FakeFacebook, log_in, person, sign, signed_request
from support.rate_limits import fill
from support.wire import Wire
from werkzeug.test import TestResponse

from kakaoauth import jobs
from kakaoauth.accounts.unlink_jobs import UnlinkJob
from kakaoauth.models import Identity, User, find_identity
from kakaoauth.storage.database import db
from kakaoauth.storage.redis import get_redis
from kakaoauth.tokens.provider_tokens import ProviderToken
from kakaoauth.webhooks import deletions

DEAUTHORIZE = "/webhooks/facebook/deauthorize/"
DELETION = "/webhooks/facebook/data-deletion/"
BOTH = pytest.mark.parametrize("path", [DEAUTHORIZE, DELETION])


@pytest.fixture
def facebook(kakao: FakeKakao) -> FakeFacebook:
    return FakeFacebook(kakao.mock)


@pytest.fixture
def app(make_app: Callable[..., Flask], facebook: FakeFacebook) -> Flask:
    return make_app(**SETTINGS)


def post(app: Flask, path: str = DEAUTHORIZE, raw: str | None = None) -> TestResponse:
    sent = {} if raw == "" else {"signed_request": signed_request() if raw is None else raw}
    return app.test_client().post(path, data=sent)


def browser_of(app: Flask) -> FlaskClient:
    """Somebody who has come in by Facebook."""
    client = app.test_client()
    assert log_in(client).status_code == 302
    return client


def linked(app: Flask, facebook: FakeFacebook, kakao: FakeKakao) -> tuple[FlaskClient, int]:
    """Somebody who has come in by Facebook and then linked Kakao."""
    client = browser_of(app)
    with app.app_context():
        user = find_identity("facebook", SUBJECT).user
        db.session.add(Identity(provider="kakao", subject=str(kakao.me["id"]), user=user))
        db.session.commit()
        return client, user.id


def held(app: Flask) -> dict[str, int]:
    with app.app_context():
        models = (User, Identity, ProviderToken, UnlinkJob)
        return {model.__tablename__: db.session.query(model).count() for model in models}


def field(app: Flask, user_id: int, name: str) -> Any:
    with app.app_context():
        return getattr(db.session.get(User, user_id), name)


NOTHING = {"users": 0, "identities": 0, "provider_tokens": 0, "unlink_jobs": 0}


# Whom we believe


def made_up() -> list[str]:
    now = int(time.time())
    return [
        *("", "x", signed_request("another secret"), signed_request(algorithm="HMAC-SHA1"), sign("[]")),
        *(signed_request(issued_at=now - 90_000), signed_request(issued_at=now + 3600), signed_request(user_id=None)),
        *(signed_request(code="AQ"), signed_request(oauth_token="EAA"), signed_request(code="", expires=0)),
        *(signed_request().replace(".", ""), signed_request() + "%", "0" * 60_000 + "." + "0" * 1000),
    ]


@BOTH
def test_message_that_proves_nothing_changes_nothing(app: Flask, path: str, caplog: Any) -> None:
    browser = browser_of(app)
    before = held(app)
    for raw in made_up():
        answer = post(app, path, raw)
        assert answer.status_code == 400, raw
        assert answer.json is not None
        assert set(answer.json) == {"err", "description"}
    assert held(app) == before
    assert browser.get("/users/me/").status_code == 200
    assert caplog.text.count("webhook refused err=") == len(made_up())
    assert SUBJECT not in caplog.text


@BOTH
def test_message_is_for_a_site_with_facebook_only(make_app: Callable[..., Flask], path: str) -> None:
    assert post(make_app(), path).status_code == 404


@BOTH
def test_large_body_is_refused_unread(app: Flask, path: str) -> None:
    assert post(app, path, "0" * 70_000).status_code == 413


@BOTH
def test_message_comes_by_post_and_as_a_form(app: Flask, path: str) -> None:
    client = app.test_client()
    assert client.get(path, query_string={"signed_request": signed_request()}).status_code == 405
    assert client.post(path, query_string={"signed_request": signed_request()}).status_code == 400
    assert client.post(path, json={"signed_request": signed_request()}).status_code == 400


@BOTH
def test_guessing_is_limited_and_genuine_messages_are_not(app: Flask, path: str) -> None:
    fill(app, "webhook_refused", "127.0.0.1")
    assert post(app, path, "x").status_code == 429
    assert post(app, path).status_code == 200


# What a message does


@BOTH
def test_only_way_in_takes_the_account_with_it(app: Flask, facebook: FakeFacebook, path: str) -> None:
    browser = browser_of(app)
    with app.app_context():
        bearer = tokens_of(app, find_identity("facebook", SUBJECT).user_id).access_token
    assert api_client(app, bearer).get("/api/users/me/").status_code == 200
    assert post(app, path).status_code == 200
    assert held(app) == NOTHING
    assert browser.get("/users/me/").status_code == 302
    assert api_client(app, bearer).get("/api/users/me/").status_code == 401
    assert [call for call in facebook.calls() if call.method == "DELETE"] == [], "Facebook knows it already"


def test_other_ways_in_stay(app: Flask, facebook: FakeFacebook, kakao: FakeKakao) -> None:
    browser, user_id = linked(app, facebook, kakao)
    bearer = tokens_of(app, user_id).access_token
    assert post(app).status_code == 200
    assert held(app) == {"users": 1, "identities": 1, "provider_tokens": 0, "unlink_jobs": 0}
    assert browser.get("/users/me/").status_code == 302
    assert api_client(app, bearer).get("/api/users/me/").status_code == 401
    assert (field(app, user_id, "provider"), field(app, user_id, "name")) == ("kakao", "민지 Kim")
    other = app.test_client()
    assert log_in_by_kakao(other, kakao).status_code == 302
    assert field(app, user_id, "last_login")
    assert held(app)["users"] == 1


@BOTH
def test_message_about_nobody_we_know_is_answered(app: Flask, path: str) -> None:
    assert post(app, path, signed_request(user_id="777")).status_code == 200


def test_repetition_is_acted_upon_once(app: Flask, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    browser_of(app)
    raw = signed_request()
    assert [post(app, raw=raw).status_code for _ in range(3)] == [200, 200, 200]
    assert caplog.text.count("effect=unlinked") == 1
    assert caplog.text.count("kind=user-unlinked") == 1


def test_who_comes_back_can_be_unlinked_again_and_an_old_message_does_nothing(app: Flask) -> None:
    begun = time.time()
    with time_machine.travel(begun, tick=False):
        browser_of(app)
        raw = signed_request()
        post(app, raw=raw)
        assert held(app) == NOTHING
    with time_machine.travel(begun + 60, tick=False):
        browser_of(app)
        assert post(app, raw=raw).status_code == 200
        assert held(app)["users"] == 1
        post(app, raw=signed_request(issued_at=int(begun) + 30))
        assert held(app)["users"] == 1, "overtaken by the new link"
        post(app)
        assert held(app) == NOTHING


def test_message_during_a_first_login_refuses_it(app: Flask, facebook: FakeFacebook) -> None:
    def me(request: Any, context: Any) -> dict[str, Any]:
        assert post(app, raw=signed_request(issued_at=int(time.time()) + 1)).status_code == 200
        return person()

    facebook.mock.get("https://graph.facebook.com/v24.0/me", json=me)
    assert log_in(app.test_client()).status_code == 403
    assert held(app)["users"] == 0


# The data deletion


def test_answer_names_a_page_that_tells_the_person(app: Flask) -> None:
    browser_of(app)
    answer = post(app, DELETION)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    told = answer.json
    assert told is not None
    assert set(told) == {"url", "confirmation_code"}
    assert told["confirmation_code"].isalnum()
    assert told["url"] == f"http://localhost/facebook/data-deletion/{told['confirmation_code']}/"
    for language, words in (("en", "Your data is erased"), ("ko", "데이터를 지웠어요")):
        page = app.test_client().get(urlsplit(told["url"]).path, query_string={"lang": language})
        assert page.status_code == 200
        assert words in page.text
        assert told["confirmation_code"] in page.text
        assert SUBJECT not in page.text
    assert "페이스북에서" in page.text


def test_address_lies_beside_the_callbacks(make_app: Callable[..., Flask], facebook: FakeFacebook) -> None:
    app = make_app(**SETTINGS, FACEBOOK_REDIRECT_URI="https://site.example.kr/facebook/login/callback/")
    told = post(app, DELETION).json
    assert told is not None
    assert told["url"].startswith("https://site.example.kr/facebook/data-deletion/")


def test_same_person_gets_the_same_code_and_the_work_is_done_once(app: Flask, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    browser_of(app)
    begun = time.time()
    raw = signed_request()
    answers = [post(app, DELETION, raw).json for _ in range(2)]
    with time_machine.travel(begun + 120):
        answers.append(post(app, DELETION).json)
    assert answers[0] == answers[1] == answers[2]
    assert caplog.text.count("effect=erased") == 1
    other = post(app, DELETION, signed_request(user_id="777")).json
    assert other is not None
    assert other["confirmation_code"] != answers[0]["confirmation_code"]  # type: ignore[index]
    with app.app_context():
        assert db.session.query(deletions.DataDeletion).count() == 2


def test_who_comes_back_is_erased_again(app: Flask) -> None:
    begun = time.time()
    with time_machine.travel(begun, tick=False):
        browser_of(app)
        first = post(app, DELETION).json
    with time_machine.travel(begun + 3600, tick=False):
        browser_of(app)
        assert post(app, DELETION).json == first
        assert held(app) == NOTHING
    with app.app_context():
        (row,) = db.session.query(deletions.DataDeletion)
        assert row.requested_at.timestamp() == pytest.approx(begun + 3600, abs=1)


def test_row_does_not_name_the_person(app: Flask) -> None:
    post(app, DELETION)
    with app.app_context():
        (row,) = db.session.execute(db.text("SELECT * FROM data_deletions"))
    assert SUBJECT not in str(tuple(row))


def test_codes_of_another_site_are_others(make_app: Callable[..., Flask]) -> None:
    codes = set()
    for secret in ("a" * 40, "b" * 40):
        with make_app(SECRET_KEY=secret).app_context():
            codes |= {deletions.code_for("facebook", SUBJECT), deletions.code_for("other", SUBJECT)}
    assert len(codes) == 4


def test_account_that_stays_keeps_nothing_facebook_may_have_told(
    app: Flask, facebook: FakeFacebook, kakao: FakeKakao
) -> None:
    _, user_id = linked(app, facebook, kakao)
    with app.app_context():
        user = db.session.get(User, user_id)
        user.nickname, user.own_fields = "내가 정한 이름", "nickname"
        db.session.commit()
    post(app, DELETION)
    found = {name: field(app, user_id, name) for name in ("nickname", "name", "profile_image", "email", "email_key")}
    assert found == {**dict.fromkeys(found), "nickname": "내가 정한 이름"}
    assert log_in_by_kakao(app.test_client(), kakao).status_code == 302
    assert field(app, user_id, "email") == f"p{kakao.me['id']}@example.kr"


def test_last_superuser_keeps_the_account_and_the_operators_word(app: Flask) -> None:
    browser_of(app)
    with app.app_context():
        user = find_identity("facebook", SUBJECT).user
        user.is_staff = user.is_superuser = True
        db.session.commit()
        user_id, email = user.id, user.email
    post(app, DELETION)
    assert held(app) == {**NOTHING, "users": 1}
    assert (field(app, user_id, "email"), field(app, user_id, "name")) == (email, None)


def test_unlink_that_still_waits_goes_with_the_rest(app: Flask) -> None:
    with app.app_context():
        db.session.add(UnlinkJob(provider="facebook", subject=SUBJECT))
        db.session.commit()
    post(app, DELETION)
    assert held(app) == NOTHING


def test_unknown_code_has_no_page(app: Flask) -> None:
    told = post(app, DELETION).json
    assert told is not None
    for path in (
        "facebook/data-deletion/abc",
        f"kakao/data-deletion/{told['confirmation_code']}",
        "facebook/data-deletion",
    ):
        assert app.test_client().get(f"/{path}/").status_code == 404


def test_page_stays_where_facebook_is_switched_off(app: Flask, make_app: Callable[..., Flask]) -> None:
    told = post(app, DELETION).json
    assert told is not None
    later = make_app()
    assert later.test_client().get(urlsplit(told["url"]).path).status_code == 200


def test_ten_at_once_are_acted_upon_once(
    make_app: Callable[..., Flask], facebook: FakeFacebook, database_url: str, caplog: Any
) -> None:
    caplog.set_level(logging.INFO)
    app = make_app(**SETTINGS, DATABASE_URL=database_url)
    browser_of(app)
    raw = signed_request()
    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(lambda _: post(app, DELETION, raw).status_code, range(10)))
    assert statuses == [200] * 10
    assert caplog.text.count("effect=erased") == 1


# Outages


def test_messages_wait_while_the_database_is_away(
    make_app: Callable[..., Flask], wire: Wire, postgres_url: str, facebook: FakeFacebook, caplog: Any
) -> None:
    url = f"postgresql://postgres@127.0.0.1:{wire.port}{urlsplit(postgres_url).path}"
    app = make_app(**SETTINGS, DATABASE_URL=url)
    browser_of(app)
    wire.cut()
    answers = [post(app, path) for path in (DELETION, DEAUTHORIZE)]
    assert [answer.status_code for answer in answers] == [200, 200]
    told = json.loads(answers[0].text)
    assert get_redis(app).llen("webhooks:waiting") == 2
    wire.mend()
    until(lambda: app.test_client().get("/healthz").status_code == 200)
    with app.app_context():
        assert jobs.run_once() == (2, 0)
    assert held(app) == NOTHING
    assert app.test_client().get(urlsplit(told["url"]).path).status_code == 200
    assert post(app, DELETION).json == told
