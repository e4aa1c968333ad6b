"""Where the sign-up step and the closing of accounts meet."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import FakeKakao, csrf_token, is_logged_in, log_in, person, problem
from support.terms import TERMS, agree, cancel, come_to_step, newer, rows

from kakaoauth.accounts import leaving, roles
from kakaoauth.models import User
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db
from kakaoauth.terms.consents import Consent

APP_ID = 654321
INFO = "https://kapi.kakao.com/v1/user/access_token_info"
TOKEN = {"access_token": "canary-access-token"}
GRACE = {"KAKAOAUTH_LEAVE_GRACE_DAYS": 14, "KAKAO_APP_ID": APP_ID, "KAKAO_ADMIN_KEY": "canary-admin"}
INSIDE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 KAKAOTALK/25.2.1 (INAPP)"

MakeApp = Callable[..., Flask]


@pytest.fixture
def kakao(kakao: FakeKakao) -> FakeKakao:
    kakao.mock.get(INFO, json=lambda *_: {"id": kakao.me["id"], "expires_in": 20874, "app_id": APP_ID})
    return kakao


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app(KAKAOAUTH_TERMS=TERMS, **GRACE)


def sign_up(app: Flask, kakao: FakeKakao) -> FlaskClient:
    client = app.test_client()
    assert agree(client, come_to_step(client, kakao), "age", "tos").status_code == 303
    return client


def leave(app: Flask) -> None:
    with app.app_context():
        leaving.withdraw(1)


def restore(client: FlaskClient) -> Any:
    token = csrf_token(client, "/users/me/restore/")
    return client.post("/users/me/restore/", data={"csrf_token": token, "choice": "restore"})


def is_open(app: Flask) -> bool:
    with app.app_context():
        return db.session.get_one(User, 1).is_active


def versions(app: Flask) -> set[tuple[str, str]]:
    with app.app_context():
        return {(row.term, row.version) for row in db.session.query(Consent)}


def test_restored_person_is_asked_for_a_new_version(make_app: MakeApp, app: Flask, kakao: FakeKakao) -> None:
    sign_up(app, kakao)
    leave(app)
    later = make_app(KAKAOAUTH_TERMS=newer("tos"), **GRACE)
    client = later.test_client()
    assert log_in(client, kakao, next="/users/me/").location == "/users/me/restore/"
    page = restore(client)
    assert (page.status_code, 'data-page="restored"' in page.text) == (200, True)
    assert "/kakao/login/?next=/users/me/" in page.text
    assert not is_logged_in(client)
    assert is_open(later)
    path = come_to_step(client, kakao, next="/users/me/")
    answer = agree(client, path, "tos")
    assert (answer.status_code, answer.location) == (303, "/users/me/")
    assert is_logged_in(client)
    assert ("tos", "2027-01") in versions(later)


def test_app_that_restores_is_asked_for_a_new_version(make_app: MakeApp, app: Flask, kakao: FakeKakao) -> None:
    sign_up(app, kakao)
    leave(app)
    later = make_app(KAKAOAUTH_TERMS=newer("tos"), **GRACE)
    client = later.test_client()
    told = problem(client.post("/api/auth/kakao/", json={**TOKEN, "restore": True}), 403, "TERMS_REQUIRED")
    assert [term["id"] for term in told["terms"]] == ["tos", "news"]
    assert not is_open(later), "a refusal leaves nothing behind"
    answer = client.post("/api/auth/kakao/", json={**TOKEN, "restore": True, "agreed": ["tos"]})
    assert (answer.status_code, answer.get_json()["user"]["id"]) == (200, 1)
    assert ("tos", "2027-01") in versions(later)


@pytest.mark.parametrize("is_known", [False, True])
def test_closed_while_they_read_is_offered_to_restore(
    make_app: MakeApp, app: Flask, kakao: FakeKakao, is_known: bool
) -> None:
    """In another browser, where they signed up, or were logged in already."""
    if is_known:
        sign_up(app, kakao)
    later = make_app(KAKAOAUTH_TERMS=newer("tos"), **GRACE) if is_known else app
    client = later.test_client()
    path = come_to_step(client, kakao, next="/users/me/")
    if not is_known:
        sign_up(app, kakao)
    leave(app)
    answer = agree(client, path, *(["tos"] if is_known else []))
    assert (answer.status_code, answer.location) == (303, "/users/me/restore/")
    assert not is_logged_in(client)
    assert not is_open(later)
    restored = restore(client)
    if is_known:
        assert 'data-page="restored"' in restored.text, "they are asked again, for what was not kept"
    else:
        assert restored.location == "/users/me/"
        assert is_logged_in(client)


def test_who_has_left_meanwhile_may_not_sign_up_again(make_app: MakeApp, kakao: FakeKakao) -> None:
    app = make_app(KAKAOAUTH_TERMS=TERMS, KAKAOAUTH_REJOIN_BLOCK_DAYS=30, KAKAO_ADMIN_KEY="canary-admin")
    client = app.test_client()
    path = come_to_step(client, kakao)
    sign_up(app, kakao)
    leave(app)
    answer = agree(client, path, "age", "tos")
    assert (answer.status_code, "REJOIN_BLOCKED" in answer.text) == (403, True)
    assert not is_logged_in(client)
    assert rows(app)["users"] == rows(app)["user_consents"] == 0


def test_who_was_suspended_and_erased_meanwhile_stays_outside(make_app: MakeApp, kakao: FakeKakao) -> None:
    app = make_app(KAKAOAUTH_TERMS=TERMS, KAKAO_ADMIN_KEY="canary-admin")
    client = app.test_client()
    path = come_to_step(client, kakao)
    sign_up(app, kakao)
    with app.app_context():
        roles.change_user(1, is_active=False)
    leave(app)
    answer = agree(client, path, "age", "tos")
    assert (answer.status_code, "ACCOUNT_DISABLED" in answer.text) == (403, True)
    assert rows(app)["users"] == 0


def test_known_person_who_is_suspended_meanwhile_is_told_so(make_app: MakeApp, app: Flask, kakao: FakeKakao) -> None:
    sign_up(app, kakao)
    later = make_app(KAKAOAUTH_TERMS=newer("tos"), **GRACE)
    client = later.test_client()
    path = come_to_step(client, kakao)
    with later.app_context():
        roles.change_user(1, is_active=False)
    answer = agree(client, path, "tos")
    assert (answer.status_code, "ACCOUNT_DISABLED" in answer.text) == (403, True)
    assert not is_logged_in(client)
    assert ("tos", "2027-01") not in versions(later)


# Without a press


def test_silent_login_of_somebody_new_shows_the_step_and_cancelling_does_not_begin_it_again(
    make_app: MakeApp, kakao: FakeKakao
) -> None:
    app = make_app(KAKAOAUTH_TERMS=TERMS, KAKAOAUTH_KAKAOTALK_AUTO_LOGIN=True)
    client = app.test_client()
    client.environ_base["HTTP_USER_AGENT"] = INSIDE
    sent = client.get("/?next=/users/me/").location
    assert "prompt=none" in sent
    state, kakao.nonce = (sent.split(f"{name}=")[1].split("&")[0] for name in ("state", "nonce"))
    back = client.get("/kakao/login/callback/", query_string={"state": state, "code": "canary-code"})
    assert back.location.startswith("/sign-up/")
    assert client.get(back.location).status_code == 200
    assert client.get("/").status_code == 200, "the step waits, and nothing is tried beside it"
    assert cancel(client, back.location).status_code == 200
    for address in ("/", "/?next=/users/me/"):
        assert client.get(address).status_code == 200
    assert rows(app)["users"] == 0


# The short way in


@pytest.fixture
def brief(kakao: FakeKakao) -> FakeKakao:
    """An id_token says all there is to know."""
    kakao.id_claims = {"email": "p3902187744@example.kr", "nickname": "민지"}
    kakao.me = person(3902187744)
    return kakao


def test_new_version_is_asked_of_whom_an_id_token_names(make_app: MakeApp, app: Flask, brief: FakeKakao) -> None:
    sign_up(app, brief)
    assert log_in(app.test_client(), brief).location == "/"
    asked = brief.calls.count("GET /v2/user/me")
    later = make_app(KAKAOAUTH_TERMS=newer("tos"), **GRACE)
    client = later.test_client()
    path = come_to_step(client, brief)
    assert brief.calls.count("GET /v2/user/me") == asked, "this was the short way"
    assert agree(client, path, "tos").status_code == 303
    assert is_logged_in(client)


def test_closed_person_whom_an_id_token_names_may_restore(app: Flask, brief: FakeKakao) -> None:
    sign_up(app, brief)
    leave(app)
    client = app.test_client()
    assert log_in(client, brief, next="/users/me/").location == "/users/me/restore/"
    assert restore(client).location == "/users/me/"


def test_suspension_that_is_over_is_ended_for_whom_an_id_token_names(
    app: Flask, brief: FakeKakao, time_machine: Any
) -> None:
    sign_up(app, brief)
    with app.app_context():
        roles.change_user(1, is_active=False, suspended_until=now() + timedelta(minutes=5))
    assert log_in(app.test_client(), brief).status_code == 403
    time_machine.move_to(now() + timedelta(minutes=6))
    assert log_in(app.test_client(), brief).location == "/"
    assert is_open(app)
