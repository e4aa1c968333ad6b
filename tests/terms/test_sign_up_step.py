"""The sign-up step in a browser: what it shows, what it keeps, and what can happen while somebody reads."""

from collections.abc import Callable
from functools import partial

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from support import FakeKakao, begin_login, come_back, csrf_token, is_logged_in, log_in, person, set_cookie, token_calls
from support.concurrency import at_once
from support.terms import TERMS, agree, cancel, come_to_step, everything_in, form_of, newer, rows

from kakaoauth import Refused
from kakaoauth.models import Identity, User
from kakaoauth.storage.database import db
from kakaoauth.terms.consents import Consent


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(KAKAOAUTH_TERMS=TERMS)


def consents(app: Flask) -> list[tuple[str, str, str]]:
    with app.app_context():
        return [(row.term, row.version, row.source) for row in db.session.query(Consent).order_by(Consent.id)]


def test_first_login_ends_on_the_step_and_goes_on_from_there(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    path = come_to_step(client, kakao, next="/users/me/")
    assert not is_logged_in(client)
    answer = agree(client, path, "age", "tos")
    assert (answer.status_code, answer.location) == (303, "/users/me/")
    assert is_logged_in(client)
    assert consents(app) == [("age", "1", "page"), ("tos", "2026-01", "page")]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ko", ["(필수)", "(선택)", "이용약관", "https://example.kr/terms", "만 14세 이상", "취소"]),
        (
            "en",
            ["(required)", "(optional)", "Terms of service", "https://example.kr/en/terms", "14 or older", "Cancel"],
        ),
    ],
)
def test_page_in_both_languages(client: FlaskClient, kakao: FakeKakao, language: str, words: list[str]) -> None:
    page = client.get(come_to_step(client, kakao), query_string={"lang": language})
    assert page.status_code == 200
    for word in words:
        assert word in page.text


def test_nothing_about_the_person_is_stored_before_they_agree(
    app: Flask, client: FlaskClient, kakao: FakeKakao, redis: Redis
) -> None:
    before = rows(app)
    path = come_to_step(client, kakao)
    client.get(path)
    agree(client, path, "age")
    kept = everything_in(redis)
    for secret in ("민지", "p3902187744", "3902187744", "canary-access-token", "canary-refresh-token"):
        assert secret.encode() not in kept
        assert secret.encode("unicode_escape") not in kept
    assert rows(app) == before
    cancel(client, path)
    assert rows(app) == before


def test_what_is_required_must_be_ticked(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    path = come_to_step(client, kakao)
    answer = agree(client, path, "tos", "news")
    assert answer.status_code == 422
    assert 'name="agree.news" value="1" checked' in answer.text, "what was ticked stays so"
    assert rows(app)["users"] == 0
    assert agree(client, path, "age", "tos", "news").status_code == 303


def test_cancel_keeps_nothing_and_ends_the_connection(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    path = come_to_step(client, kakao)
    answer = cancel(client, path)
    assert answer.status_code == 200
    assert "취소했어요" in answer.text
    assert "POST /v1/user/unlink" in kakao.calls
    assert client.get(path).status_code == 400
    assert rows(app)["users"] == rows(app)["unlink_jobs"] == rows(app)["audit_events"] == 0


def test_cancel_of_somebody_known_leaves_them_connected(
    make_app: Callable[..., Flask], app: Flask, kakao: FakeKakao
) -> None:
    agree_once(app, kakao)
    later = make_app(KAKAOAUTH_TERMS=newer("tos"))
    client = later.test_client()
    path = come_to_step(client, kakao)
    assert cancel(client, path).status_code == 200
    assert "POST /v1/user/unlink" not in kakao.calls
    assert not is_logged_in(client)


def agree_once(app: Flask, kakao: FakeKakao) -> FlaskClient:
    client = app.test_client()
    assert agree(client, come_to_step(client, kakao), "age", "tos").status_code == 303
    return client


def test_it_waits_for_thirty_minutes(client: FlaskClient, kakao: FakeKakao) -> None:
    with time_machine.travel(1_790_000_000, tick=False) as clock:
        path = come_to_step(client, kakao)
        clock.shift(1799)
        page = client.get(path)
        assert page.status_code == 200
        clock.shift(2)
        late = client.get(path)
        assert late.status_code == 400
        assert "30분" in late.text
        assert 'href="/"' in late.text
        token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
        assert client.post(path, data={"csrf_token": token, "decision": "agree"}).status_code == 400


def test_another_browser_finds_nothing(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    path = come_to_step(client, kakao)
    assert app.test_client().get(path).status_code == 400


def test_planted_session_does_not_see_the_person(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    sent = begin_login(client)
    planted = set_cookie(client)
    come_back(client, sent["state"])
    assert set_cookie(client) != planted
    thief = app.test_client()
    thief.set_cookie("session", planted)
    path = come_to_step(client, kakao)
    assert thief.get(path).status_code == 400


def test_form_needs_its_token(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    path = come_to_step(client, kakao)
    ticked = {"agree.age": "1", "agree.tos": "2026-01", "decision": "agree"}
    assert client.post(path, data=ticked).status_code == 400
    assert rows(app)["users"] == 0


def test_page_may_not_be_framed_and_its_form_leads_to_front_ends(
    make_app: Callable[..., Flask], kakao: FakeKakao
) -> None:
    app = make_app(KAKAOAUTH_TERMS=TERMS, KAKAOAUTH_FRONTEND_ORIGINS="https://front.example")
    client = app.test_client()
    path = come_to_step(client, kakao, mode="jwt", next="https://front.example/in")
    policy = client.get(path).headers["Content-Security-Policy"]
    assert "https://front.example" in policy.split("form-action")[1]
    answer = agree(client, path, "age", "tos")
    assert (answer.status_code, answer.location) == (303, "https://front.example/in")
    assert "access_token=" in "".join(answer.headers.getlist("Set-Cookie"))
    assert not is_logged_in(client)


def test_same_callback_again_leads_to_the_step(client: FlaskClient, kakao: FakeKakao) -> None:
    sent = begin_login(client)
    first = come_back(client, sent["state"])
    again = come_back(client, sent["state"])
    assert first.location == again.location
    assert token_calls(kakao) == 1


def test_after_it_the_back_button_leads_on(client: FlaskClient, kakao: FakeKakao) -> None:
    sent = begin_login(client, next="/users/me/")
    path = come_back(client, sent["state"]).location
    agree(client, path, "age", "tos")
    assert come_back(client, sent["state"]).location == "/users/me/"
    assert client.get(path).location == "/"


def test_pressed_twice_it_is_one_account_and_one_session(
    app: Flask, client: FlaskClient, kakao: FakeKakao, redis: Redis
) -> None:
    path = come_to_step(client, kakao)
    old = set_cookie(client)
    form = {**form_of(client.get(path)), "agree.age": "1", "agree.tos": "2026-01", "decision": "agree"}
    twins = [app.test_client() for _ in range(2)]
    for twin in twins:
        twin.set_cookie("session", old)
    answers = at_once(app, *[partial(twin.post, path, data=form) for twin in twins])
    assert [answer.status_code for answer in answers] == [303, 303]
    assert {set_cookie(twin) for twin in twins} == {set_cookie(twins[0])}, "both have the same session"
    assert all(is_logged_in(twin) for twin in twins)
    assert rows(app)["users"] == 1
    assert rows(app)["user_consents"] == 2


def test_form_that_is_sent_again_later_does_nothing(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    path = come_to_step(client, kakao)
    old = set_cookie(client)
    form = {**form_of(client.get(path)), "agree.age": "1", "agree.tos": "2026-01", "decision": "agree"}
    assert client.post(path, data=form).status_code == 303
    client.post("/kakao/logout/", data={"csrf_token": csrf_token(client)})
    thief = app.test_client()
    thief.set_cookie("session", old)
    assert thief.post(path, data=form).status_code == 400
    assert not is_logged_in(thief)


def test_refusal_can_be_corrected(make_app: Callable[..., Flask], kakao: FakeKakao) -> None:
    """A refusal of the moment, here the host's, does not stand for the next press."""
    app = make_app(KAKAOAUTH_TERMS=TERMS)
    said = ["not today"]

    def refuse(profile: object) -> None:
        if said:
            raise Refused(said.pop())

    app.extensions["kakaoauth"].before_sign_up(refuse)
    client = app.test_client()
    path = come_to_step(client, kakao)
    assert "Not today" in agree(client, path, "age", "tos").text
    assert rows(app)["users"] == 0
    assert agree(client, path, "age", "tos").status_code == 303


# What can happen while somebody reads


def test_two_tabs_with_different_people(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    first = come_to_step(client, kakao)
    kakao.me = person(555, email="other@example.kr")
    second = come_to_step(client, kakao)
    assert "p3902187744" in client.get(first).text
    assert agree(client, second, "age", "tos").status_code == 303
    assert "other@example.kr" in client.get("/users/me/").text
    assert client.get(first).status_code == 302, "who is in is somebody else now"
    with app.app_context():
        assert [one.subject for one in db.session.query(Identity)] == ["555"]


def test_account_made_in_another_browser(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    path = come_to_step(client, kakao)
    agree_once(app, kakao)
    page = client.get(path)
    assert page.status_code == 200
    assert 'name="agree.age"' not in page.text
    assert agree(client, path).status_code == 303
    assert is_logged_in(client)
    assert rows(app)["users"] == 1


def test_email_taken_meanwhile(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    path = come_to_step(client, kakao)
    with app.app_context():
        user = User.objects.create_user("p3902187744@example.kr", provider="facebook")
        db.session.add(Identity(provider="facebook", subject="9", user=user))
        db.session.commit()
    answer = agree(client, path, "age", "tos")
    assert answer.status_code == 409
    assert not is_logged_in(client)
    assert consents(app) == []


def test_suspended_meanwhile(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    path = come_to_step(client, kakao)
    with app.app_context():
        user = User.objects.create_user("p3902187744@example.kr", provider="kakao", is_active=False)
        db.session.add(Identity(provider="kakao", subject="3902187744", user=user))
        db.session.commit()
    answer = agree(client, path, "age", "tos")
    assert answer.status_code == 403
    assert not is_logged_in(client)
    assert consents(app) == []


def test_unlinked_at_kakao_meanwhile(make_app: Callable[..., Flask], kakao: FakeKakao) -> None:
    app = make_app(KAKAOAUTH_TERMS=TERMS, KAKAO_ADMIN_KEY="k" * 32, KAKAO_APP_ID=654321)
    client = app.test_client()
    path = come_to_step(client, kakao)
    told = app.test_client().post(
        "/webhooks/kakao/unlink/",
        data={"app_id": "654321", "user_id": "3902187744", "referrer_type": "ACCOUNT_DELETE"},
        headers={"Authorization": f"KakaoAK {'k' * 32}"},
    )
    assert told.status_code == 200, told.text
    answer = agree(client, path, "age", "tos")
    assert answer.status_code == 403
    assert rows(app)["users"] == 0


def test_who_is_logged_in_stays_so_until_the_other_agrees(app: Flask, kakao: FakeKakao) -> None:
    client = agree_once(app, kakao)
    kakao.me = person(555, email="other@example.kr")
    path = come_to_step(client, kakao)
    assert "p3902187744" in client.get("/users/me/").text
    assert cancel(client, path).status_code == 200
    assert "p3902187744" in client.get("/users/me/").text
    path = come_to_step(client, kakao)
    assert agree(client, path, "age", "tos").status_code == 303
    assert "other@example.kr" in client.get("/users/me/").text


# A new version


@pytest.mark.parametrize("role", [{"is_staff": False}, {"is_staff": True}, {"is_staff": True, "is_superuser": True}])
def test_new_version_is_asked_at_the_next_login(
    make_app: Callable[..., Flask], app: Flask, kakao: FakeKakao, role: dict[str, bool]
) -> None:
    before = agree_once(app, kakao)
    with app.app_context():
        db.session.query(User).update(role)
        db.session.commit()
    later = make_app(KAKAOAUTH_TERMS=newer("tos"))
    old = later.test_client()
    old.set_cookie("session", set_cookie(before))
    assert is_logged_in(old), "the session of before goes on"
    client = later.test_client()
    path = come_to_step(client, kakao)
    page = client.get(path).text
    assert 'name="agree.tos"' in page
    assert 'name="agree.age"' not in page
    assert not is_logged_in(client)
    assert agree(client, path, "tos").status_code == 303
    assert is_logged_in(client)
    assert ("tos", "2027-01", "page") in consents(later)


def test_new_version_of_an_optional_one_stops_nobody(
    make_app: Callable[..., Flask], app: Flask, kakao: FakeKakao
) -> None:
    agree_once(app, kakao)
    client = make_app(KAKAOAUTH_TERMS=newer("news")).test_client()
    assert log_in(client, kakao).location == "/"


def test_people_of_before_the_setting_are_asked(make_app: Callable[..., Flask], kakao: FakeKakao) -> None:
    plain = make_app()
    assert log_in(plain.test_client(), kakao).location == "/"
    client = make_app(KAKAOAUTH_TERMS=TERMS).test_client()
    assert agree(client, come_to_step(client, kakao), "age", "tos").status_code == 303


def test_version_that_changes_while_somebody_reads(
    make_app: Callable[..., Flask], app: Flask, client: FlaskClient, kakao: FakeKakao
) -> None:
    path = come_to_step(client, kakao)
    page = client.get(path).text
    form = page.split("<form method", 1)[1]
    token = form.split('name="csrf_token" value="')[1].split('"')[0]
    later = make_app(KAKAOAUTH_TERMS=newer("tos")).test_client()
    later.set_cookie("session", set_cookie(client))
    sent = {"csrf_token": token, "agree.age": "1", "agree.tos": "2026-01", "decision": "agree"}
    answer = later.post(path, data=sent)
    assert answer.status_code == 409
    assert 'value="2027-01"' in answer.text


def test_only_optional_terms_are_shown_once(make_app: Callable[..., Flask], kakao: FakeKakao) -> None:
    app = make_app(KAKAOAUTH_TERMS=[TERMS[2]])
    client = app.test_client()
    assert agree(client, come_to_step(client, kakao)).status_code == 303
    assert log_in(app.test_client(), kakao).location == "/"


def test_without_the_setting_nothing_is_looked_up(
    make_app: Callable[..., Flask], kakao: FakeKakao, count_statements: Callable[..., int]
) -> None:
    app = make_app()
    client = app.test_client()
    assert log_in(client, kakao).location == "/"
    assert rows(app)["user_consents"] == 0
    assert csrf_token(client)
