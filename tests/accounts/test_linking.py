"""Several ways into one account: who may link what, what a link can never do, and what taking one away ends."""

import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from support import (
    FakeKakao,
    add_second,
    api_client,
    begin_login,
    confirm,
    csrf_token,
    is_logged_in,
    log_in,
    person,
    profile,
    set_cookie,
    token_calls,
    tokens_of,
)
from support.concurrency import at_once
from support.stored_sessions import all_opened

from kakaoauth.accounts import leaving, roles, sign_in, unlink_jobs
from kakaoauth.accounts import linking as accounts_linking
from kakaoauth.errors import AccountUnusable, EmailInUse, IdentityInUse, SessionOver
from kakaoauth.models import Identity, User, find_user
from kakaoauth.providers.values import AccountEvent, Profile
from kakaoauth.storage.database import db
from kakaoauth.tokens.provider_tokens import ProviderToken
from kakaoauth.webhooks import effects

#: What the providers call minji, whom the second one knows by another number, and sora.
MINJI, ALSO_MINJI, SORA = 3902187744, 3902187745, 4000000001
FACEBOOK_ID = "24500000000000001"


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return add_second(
        make_app(FACEBOOK_CLIENT_ID="1234567890", FACEBOOK_CLIENT_SECRET="5a9db0fb5a9db0fb5a9db0fb5a9db0fc")
    )


@pytest.fixture
def graph(kakao: FakeKakao) -> Iterator[Any]:
    """Facebook's side of a login."""
    token = {"access_token": "canary-facebook-token", "token_type": "bearer", "expires_in": 5183944}
    kakao.mock.get(re.compile(r"^https://graph\.facebook\.com/v[0-9.]+/oauth/access_token"), json=token)
    kakao.mock.post(re.compile(r"^https://graph\.facebook\.com/v[0-9.]+/oauth/access_token"), json=token)
    kakao.mock.get(re.compile(r"^https://graph\.facebook\.com/v[0-9.]+/me"), json={"id": FACEBOOK_ID, "name": "민지"})
    kakao.mock.delete(re.compile(r"^https://graph\.facebook\.com/"), json={"success": True})
    return kakao.mock


@pytest.fixture
def minji(app: Flask, kakao: FakeKakao) -> FlaskClient:
    return enter(app, kakao, MINJI)


def enter(app: Flask, kakao: FakeKakao, subject: int, provider: str = "kakao", **account: Any) -> FlaskClient:
    """A browser in which the owner of that account has just logged in."""
    kakao.me = person(subject, **account)
    browser = app.test_client()
    begun = browser.get(f"/{provider}/login/")
    state = parse_qs(urlsplit(begun.location).query)["state"][0]
    BEGUN[state] = provider
    assert come_back(browser, state).status_code == 302
    return browser


#: At which provider the logins and links with these states were begun.
BEGUN: dict[str, str] = {}


def press_link(client: FlaskClient, provider: str = "second") -> dict[str, str]:
    """Press the button; the authorization request's parameters."""
    answer = client.post(f"/users/me/link/{provider}/", data={"csrf_token": csrf_token(client)})
    assert answer.status_code == 302, answer.text
    sent = {name: values[0] for name, values in parse_qs(urlsplit(answer.location).query).items()}
    BEGUN[sent["state"]] = provider
    return sent


def come_back(client: FlaskClient, state: str, code: str = "canary-code") -> Any:
    path = f"/{BEGUN.get(state, 'kakao')}/login/callback/"
    return client.get(path, query_string={"state": state, "code": code})


def link(client: FlaskClient, kakao: FakeKakao, subject: int, **account: Any) -> Any:
    """Press the button, and agree at the second provider as the owner of that account."""
    sent = press_link(client)
    kakao.me = person(subject, **account)
    return come_back(client, sent["state"])


def press_unlink(client: FlaskClient, identity_id: int, **headers: str) -> Any:
    return client.post(f"/users/me/unlink/{identity_id}/", data={"csrf_token": csrf_token(client)}, headers=headers)


def owners(app: Flask) -> dict[str, int]:
    """Whose each identity is."""
    with app.app_context():
        return {one.subject: one.user_id for one in db.session.query(Identity)}


def identity_of(app: Flask, subject: Any) -> int:
    with app.app_context():
        return db.session.query(Identity.id).filter_by(subject=str(subject)).scalar()


def facebook(subject: str = FACEBOOK_ID, **fields: Any) -> Profile:
    return Profile("facebook", subject, **fields)


def user(app: Flask, user_id: int) -> User:
    """As it stands in the database now."""
    with app.app_context():
        found = db.session.get_one(User, user_id)
        db.session.expunge(found)
        return found


def change(app: Flask, user_id: int, **values: Any) -> None:
    with app.app_context():
        row = db.session.get_one(User, user_id)
        for name, value in values.items():
            setattr(row, name, value)
        db.session.commit()


# Beginning to link


def test_page_offers_what_is_not_linked_and_says_what_linking_is(minji: FlaskClient) -> None:
    page = minji.get("/users/me/").text
    assert 'action="/users/me/link/facebook/"' in page
    assert 'action="/users/me/link/kakao/"' not in page
    assert "어느 쪽으로 로그인해도" in page
    assert "either brings you" in minji.get("/users/me/?lang=en").text


def test_button_sends_a_whole_authorization_request(minji: FlaskClient) -> None:
    sent = press_link(minji)
    assert sent["response_type"] == "code"
    assert sent["redirect_uri"] == "http://localhost/second/login/callback/"
    assert sent["code_challenge_method"] == "S256"
    assert len(sent["state"]) == len(sent["code_challenge"]) == 43
    assert sent["prompt"] == "select_account", "somebody else may be logged in at the provider in this browser"
    assert urlsplit(press_link(minji, "facebook")["redirect_uri"]).path == "/facebook/login/callback/"


def test_linking_begins_by_post_only(minji: FlaskClient) -> None:
    assert minji.get("/users/me/link/kakao/").status_code == 405
    assert minji.get("/kakao/login/?link_to=1.0&link=1").status_code == 302


@pytest.mark.parametrize("path", ["link/kakao", "unlink/1"])
def test_forged_form_changes_nothing(app: Flask, minji: FlaskClient, redis: Redis, path: str) -> None:
    token, before = csrf_token(minji), owners(app)
    for form, headers in (
        ({}, {}),
        ({"csrf_token": "x"}, {}),
        ({"csrf_token": token}, {"Origin": "https://evil.example"}),
        ({"csrf_token": token}, {"Sec-Fetch-Site": "cross-site"}),
        ({"csrf_token": token}, {"Sec-Fetch-Site": "same-site"}),
    ):
        assert minji.post(f"/users/me/{path}/", data=form, headers=headers).status_code == 400
    assert owners(app) == before
    assert not any(key.startswith("_state_") for data in all_opened(redis) for key in data)


def test_another_sessions_form_changes_nothing(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    token = csrf_token(enter(app, kakao, SORA))
    assert minji.post("/users/me/link/kakao/", data={"csrf_token": token}).status_code == 400


def test_nobody_logged_in_is_sent_to_the_first_page(client: FlaskClient) -> None:
    for path in ("link/kakao", "unlink/1"):
        answer = client.post(f"/users/me/{path}/")
        assert (answer.status_code, answer.location) == (302, "/")


def test_unknown_provider_is_not_there(minji: FlaskClient) -> None:
    data = {"csrf_token": csrf_token(minji)}
    for provider in ("google", "Kakao", "local"):
        assert minji.post(f"/users/me/link/{provider}/", data=data).status_code == 404


def test_provider_that_is_switched_off_is_not_there(make_app: Callable[..., Flask], kakao: FakeKakao) -> None:
    browser = enter(make_app(), kakao, MINJI)
    assert browser.post("/users/me/link/facebook/", data={"csrf_token": csrf_token(browser)}).status_code == 404
    assert "facebook" not in browser.get("/users/me/").text


# Linked


def test_linked_identity_is_one_more_way_into_the_same_account(
    app: Flask, minji: FlaskClient, kakao: FakeKakao
) -> None:
    answer = link(minji, kakao, ALSO_MINJI)
    assert (answer.status_code, answer.location) == (302, "/users/me/")
    assert owners(app) == {str(MINJI): 1, str(ALSO_MINJI): 1}
    assert is_logged_in(enter(app, kakao, ALSO_MINJI, "second"))
    with app.app_context():
        assert db.session.query(User.id).all() == [(1,)]


def test_session_goes_on_under_a_new_id_with_a_new_form_token(
    app: Flask, minji: FlaskClient, kakao: FakeKakao, redis: Redis
) -> None:
    old_id, old_token = set_cookie(minji), csrf_token(minji)
    link(minji, kakao, ALSO_MINJI)
    assert is_logged_in(minji)
    assert set_cookie(minji) != old_id
    assert csrf_token(minji) != old_token
    thief = app.test_client()
    thief.set_cookie("session", old_id)
    assert not is_logged_in(thief)
    assert minji.post("/users/me/link/kakao/", data={"csrf_token": old_token}).status_code == 400
    assert len(redis.keys("session:*")) == 1


def test_linking_makes_a_session_no_younger(app: Flask, kakao: FakeKakao) -> None:
    """Or a stolen one could be kept for ever."""
    with time_machine.travel(datetime(2026, 11, 21, tzinfo=UTC), tick=False) as clock:
        browser = enter(app, kakao, MINJI)
        for _ in range(8):
            clock.shift(timedelta(days=11))
            kakao.me = person(MINJI)
            assert confirm(browser, kakao).location == "/users/me/"
            assert link(browser, kakao, ALSO_MINJI).location == "/users/me/"
            with app.app_context():
                second = db.session.query(Identity).filter_by(subject=str(ALSO_MINJI)).one()
                db.session.delete(second)
                db.session.commit()
            assert is_logged_in(browser)
        clock.shift(timedelta(days=3))
        assert not is_logged_in(browser)


def test_other_sessions_of_the_person_stay(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    phone = enter(app, kakao, MINJI)
    link(minji, kakao, ALSO_MINJI)
    assert is_logged_in(phone)


def test_session_keeps_the_tokens_of_its_own_login(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    link(minji, kakao, ALSO_MINJI)
    with app.app_context():
        assert db.session.query(ProviderToken).count() == 2
    kakao.token = {"access_token": "of-another-login"}
    minji.post("/kakao/logout/", data={"csrf_token": csrf_token(minji)})
    with app.app_context():
        (left,) = db.session.query(ProviderToken)
        assert left.identity.subject == str(ALSO_MINJI)


def test_two_links_of_one_identity_in_two_tabs_both_end_well(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    first, second = press_link(minji), press_link(minji)
    kakao.me = person(ALSO_MINJI)
    for sent in (first, second):
        assert come_back(minji, sent["state"], f"code-{sent['state']}").location == "/users/me/"
    assert owners(app) == {str(MINJI): 1, str(ALSO_MINJI): 1}


# One identity of each provider


def test_second_identity_of_a_provider_is_refused_at_the_address(
    app: Flask, minji: FlaskClient, kakao: FakeKakao
) -> None:
    """The page hides the button, but who sits in somebody's session can send the form all the same."""
    for language, words in (("ko", "이미 카카오 로그인이 연결"), ("en", "Kakao is already connected to your account")):
        form = {"csrf_token": csrf_token(minji)}
        answer = minji.post("/users/me/link/kakao/", data=form, headers={"Accept-Language": language})
        assert answer.status_code == 409
        assert words in answer.text
        assert 'href="/users/me/"' in answer.text
    assert owners(app) == {str(MINJI): 1}


def test_second_identity_of_a_provider_is_refused_at_the_callback(
    app: Flask, minji: FlaskClient, kakao: FakeKakao
) -> None:
    """Two links begun in two tabs, ended as two people."""
    first, second = press_link(minji), press_link(minji)
    kakao.me = person(ALSO_MINJI)
    assert come_back(minji, first["state"], "code-1").location == "/users/me/"
    kakao.me = person(SORA)
    answer = come_back(minji, second["state"], "code-2")
    assert answer.status_code == 409
    assert 'data-code="ALREADY_LINKED"' in answer.text
    assert "Second" in answer.text
    assert owners(app) == {str(MINJI): 1, str(ALSO_MINJI): 1}
    assert is_logged_in(minji)


def test_two_identities_of_a_provider_linked_at_once_leave_one(site: Flask) -> None:
    with site.app_context():
        made = sign_in.log_in(profile("1"), email_required=False).user
        user_id, as_whom = made.id, made.get_id()
    ends = at_once(
        site,
        *(lambda s=s: accounts_linking.link(user_id, facebook(s), asked_as=as_whom) for s in ("71", "72")),  # type: ignore[misc]
    )
    assert sorted(type(end).__name__ for end in ends) == ["AlreadyLinked", "NoneType"]
    assert len(owners(site)) == 2


def test_account_that_has_two_of_a_provider_keeps_both_and_may_give_one_up(
    app: Flask, minji: FlaskClient, kakao: FakeKakao
) -> None:
    """Linked before that was refused: taking one away unasked could take the wrong one."""
    with app.app_context():
        db.session.add(Identity(provider="kakao", subject=str(SORA), user_id=1))
        db.session.commit()
    assert is_logged_in(enter(app, kakao, SORA))
    with app.app_context():
        assert db.session.query(User).count() == 1
    assert press_unlink(minji, identity_of(app, MINJI)).status_code == 302
    assert owners(app) == {str(SORA): 1}


def test_reload_and_back_button_after_a_link_do_no_harm(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    sent = press_link(minji)
    kakao.me = person(ALSO_MINJI)
    for _ in range(3):
        assert come_back(minji, sent["state"]).location == "/users/me/"
    assert token_calls(kakao) == 2


def test_double_click_links_once_and_loses_nobody(
    app: Flask, minji: FlaskClient, kakao: FakeKakao, redis: Redis
) -> None:
    """The browser may have thrown either answer away."""
    sent, cookie = press_link(minji), set_cookie(minji)
    kakao.me = person(ALSO_MINJI)
    arrived, go_on = threading.Event(), threading.Event()

    def slow_token(request: Any, context: Any) -> dict[str, Any]:
        arrived.set()
        assert go_on.wait(5)
        return kakao._token(request, context)

    kakao.fails(token={"json": slow_token})
    browsers = [app.test_client() for _ in range(2)]
    answers: list[Any] = []

    def click(browser: FlaskClient) -> None:
        browser.set_cookie("session", cookie)
        answers.append(come_back(browser, sent["state"]))

    threads = [threading.Thread(target=click, args=(browser,)) for browser in browsers]
    threads[0].start()
    assert arrived.wait(5)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert [answer.location for answer in answers] == ["/users/me/"] * 2
    assert all(is_logged_in(browser) for browser in browsers)
    assert token_calls(kakao) == 2
    assert len(redis.keys("session:*")) == 1


# What a further provider may add


def test_further_provider_fills_gaps_and_changes_nothing(app: Flask, kakao: FakeKakao) -> None:
    browser = enter(app, kakao, MINJI, gender=None)
    known = {"profile": {"nickname": "다른 이름"}, "gender": "female", "email": "other@example.kr"}
    link(browser, kakao, ALSO_MINJI, **known)
    found = user(app, 1)
    assert (found.nickname, found.gender, found.email) == ("민지", "female", "p3902187744@example.kr")
    assert found.provider == "kakao"


def test_email_comes_along_if_none_is_known_and_it_is_free(app: Flask) -> None:
    with app.app_context():
        made = sign_in.log_in(profile("1"), email_required=False).user
        accounts_linking.link(made.id, facebook(email="a@example.kr"), asked_as=made.get_id())
        assert find_user(made.id).email == "a@example.kr"  # type: ignore[union-attr]


def test_email_of_another_account_joins_nothing_and_is_not_taken(app: Flask) -> None:
    with app.app_context():
        sora = sign_in.log_in(profile("2", email="sora@example.kr"), email_required=True).user
        made = sign_in.log_in(profile("1"), email_required=False).user
        accounts_linking.link(made.id, facebook(email="Sora@Example.kr"), asked_as=made.get_id())
        assert [identity.provider for identity in made.identities] == ["kakao", "facebook"]
        assert (made.email, sora.email) == (None, "sora@example.kr")
        assert [identity.subject for identity in sora.identities] == ["2"]


def test_account_that_waits_for_its_owner_is_not_opened_by_a_link(app: Flask) -> None:
    with app.app_context():
        waiting = roles.create_superuser("boss@example.kr")
        made = sign_in.log_in(profile("1", email="minji@example.kr"), email_required=True).user
        accounts_linking.link(made.id, facebook(email="boss@example.kr"), asked_as=made.get_id())
        assert (waiting.provider, waiting.identities) == (None, [])
        assert not made.is_superuser


def test_later_login_with_the_further_provider_leaves_the_profile_alone(app: Flask) -> None:
    """Or e-mail and nickname would change with every way in."""
    with app.app_context():
        made = sign_in.log_in(profile("1", email="a@example.kr", nickname="민지"), email_required=True).user
        accounts_linking.link(made.id, facebook(), asked_as=made.get_id())
        theirs = facebook(email="b@example.kr", nickname="Minji", gender="female")
        assert sign_in.log_in(theirs, email_required=True).user.id == made.id
        assert (made.email, made.nickname, made.gender) == ("a@example.kr", "민지", "female")
        assert made.last_login is not None
        accounts_linking.unlink(made.id, made.identities[0].id, asked_as=made.get_id())
        sign_in.log_in(theirs, email_required=True)
        assert (made.provider, made.email, made.nickname) == ("facebook", "b@example.kr", "Minji")


def test_facebook_is_linked_through_its_own_callback(app: Flask, minji: FlaskClient, graph: Any) -> None:
    sent = press_link(minji, "facebook")
    answer = minji.get("/facebook/login/callback/", query_string={"state": sent["state"], "code": "canary-code"})
    assert answer.location == "/users/me/"
    assert owners(app) == {str(MINJI): 1, FACEBOOK_ID: 1}
    assert user(app, 1).provider == "kakao"


# A link is finished by the person who began it, and only there


def assert_not_linked(app: Flask, kakao: FakeKakao, answer: Any, calls: int) -> None:
    assert answer.status_code == 400
    assert str(ALSO_MINJI) not in owners(app)
    assert token_calls(kakao) == calls, "the code was not sent"


def test_link_ends_with_the_logout(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    sent = press_link(minji)
    minji.post("/kakao/logout/", data={"csrf_token": csrf_token(minji)})
    kakao.me = person(ALSO_MINJI)
    assert_not_linked(app, kakao, come_back(minji, sent["state"]), 1)
    assert not is_logged_in(minji)


def test_link_does_not_pass_to_who_logs_in_next(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    sent = press_link(minji)
    kakao.me = person(SORA)
    log_in(minji, kakao)
    cookie = set_cookie(minji)
    kakao.me = person(ALSO_MINJI)
    answer = come_back(minji, sent["state"])
    assert_not_linked(app, kakao, answer, 2)
    assert "연결을 마치지 못했" in answer.text
    assert 'href="/users/me/"' in answer.text
    assert set_cookie(minji) == cookie
    assert "p4000000001@example.kr" in minji.get("/users/me/").text


def test_refused_link_is_not_finished_later(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    """The code in the refused address is somebody else's, and would still be good."""
    sent = press_link(minji)
    kakao.me = person(SORA)
    log_in(minji, kakao)
    come_back(minji, sent["state"], "soras-code")
    kakao.me = person(MINJI)
    log_in(minji, kakao)
    kakao.me = person(ALSO_MINJI)
    assert_not_linked(app, kakao, come_back(minji, sent["state"], "soras-code"), 3)


def test_link_ends_with_every_session(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    phone = enter(app, kakao, MINJI)
    sent = press_link(minji)
    phone.post("/users/me/logout-everywhere/", data={"csrf_token": csrf_token(phone)})
    kakao.me = person(ALSO_MINJI)
    assert_not_linked(app, kakao, come_back(minji, sent["state"]), 2)


def test_stolen_address_of_a_link_is_worth_nothing_elsewhere(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    sent = press_link(minji)
    thief, victim = app.test_client(), enter(app, kakao, SORA)
    begin_login(thief)
    kakao.me = person(ALSO_MINJI)
    for other in (thief, victim, app.test_client()):
        assert_not_linked(app, kakao, come_back(other, sent["state"]), 2)
    assert is_logged_in(victim)
    assert come_back(minji, sent["state"]).location == "/users/me/", "its owner can still use it"


def test_state_of_a_login_never_links(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    sent = begin_login(minji)
    kakao.me = person(ALSO_MINJI)
    come_back(minji, sent["state"])
    assert owners(app) == {str(MINJI): 1, str(ALSO_MINJI): 2}


def test_state_of_a_link_never_logs_in(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    """Neither as the identity's owner nor into an account of its own."""
    enter(app, kakao, SORA, "second")
    sent = press_link(minji)
    kakao.me = person(SORA)
    come_back(minji, sent["state"])
    assert "p3902187744@example.kr" in minji.get("/users/me/").text
    assert owners(app) == {str(MINJI): 1, str(SORA): 2}


def test_strangers_callback_leaves_a_session_alone(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    attacker = enter(app, kakao, SORA)
    cookie = set_cookie(minji)
    for sent in (begin_login(app.test_client()), press_link(attacker), begin_login(attacker, mode="jwt")):
        assert_not_linked(app, kakao, come_back(minji, sent["state"], "the-attackers-code"), 2)
    assert set_cookie(minji) == cookie
    assert is_logged_in(minji)


@pytest.mark.parametrize(("begun", "used"), [("second", "facebook"), ("facebook", "second")])
def test_link_to_one_provider_is_not_finished_at_the_other(
    app: Flask, minji: FlaskClient, kakao: FakeKakao, graph: Any, begun: str, used: str
) -> None:
    sent = press_link(minji, begun)
    calls = len(kakao.calls)
    query = {"state": sent["state"], "code": "canary-code"}
    assert minji.get(f"/{used}/login/callback/", query_string=query).status_code == 400
    assert len(kakao.calls) == calls
    assert owners(app) == {str(MINJI): 1}


def test_late_link_says_so(app: Flask, kakao: FakeKakao) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        browser = enter(app, kakao, MINJI)
        sent = press_link(browser)
        clock.shift(601)
        answer = come_back(browser, sent["state"])
        assert_not_linked(app, kakao, answer, 1)
        assert 'href="/users/me/"' in answer.text
        assert is_logged_in(browser)


# The session ends while the provider takes its time


def during_the_call(kakao: FakeKakao, act: Callable[[], Any]) -> None:
    """While Kakao is asked who it is, `act` happens in another worker."""

    def user_me(*_: Any) -> Any:
        Context().run(act)  # knows nothing of this request, as another worker would not
        return kakao.me

    kakao.fails(me={"json": user_me})


def logout(client: FlaskClient) -> None:
    client.post("/kakao/logout/", data={"csrf_token": csrf_token(client)})


def logout_everywhere(client: FlaskClient) -> None:
    client.post("/users/me/logout-everywhere/", data={"csrf_token": csrf_token(client)})


def withdraw(client: FlaskClient) -> None:
    client.post("/users/me/withdraw/", data={"csrf_token": csrf_token(client)})


def suspend(client: FlaskClient) -> None:
    with client.application.app_context():
        roles.change_user(1, is_active=False)


@pytest.mark.parametrize("ending", [logout, logout_everywhere, suspend, withdraw])
def test_session_that_ends_meanwhile_links_nothing_and_stays_dead(
    app: Flask, minji: FlaskClient, kakao: FakeKakao, redis: Redis, ending: Callable[[FlaskClient], None]
) -> None:
    """In the hands of a thief it would otherwise outlive the logout that was meant for it, with a way in of its own."""
    other_tab = app.test_client()
    other_tab.set_cookie("session", set_cookie(minji))
    if ending is logout_everywhere:
        other_tab = enter(app, kakao, MINJI)
    sent = press_link(minji)
    kakao.me = person(ALSO_MINJI)
    during_the_call(kakao, lambda: ending(other_tab))
    answer = come_back(minji, sent["state"])
    assert answer.status_code == 400
    assert "연결을 마치지 못했" in answer.text
    assert str(ALSO_MINJI) not in owners(app)
    assert not is_logged_in(minji)
    assert not any("_user_id" in data for data in all_opened(redis))


def test_unlink_at_the_provider_that_overtakes_a_link_is_not_lost(app: Flask) -> None:
    with app.app_context():
        made = sign_in.log_in(profile("1", email="a@example.kr"), email_required=True).user
        begun_at = datetime.now(UTC) - timedelta(seconds=5)
        message = AccountEvent("jti-1", "user-unlinked", "2", datetime.now(UTC))
        effects.apply_event("facebook", message)
        with pytest.raises(AccountUnusable):
            accounts_linking.link(made.id, facebook("2"), asked_as=made.get_id(), begun_at=begun_at)
        assert len(made.identities) == 1


# Somebody else's identity


def test_identity_of_somebody_else_is_refused_without_naming_them(
    app: Flask, minji: FlaskClient, kakao: FakeKakao, caplog: pytest.LogCaptureFixture
) -> None:
    enter(app, kakao, SORA, "second", profile={"nickname": "소라"})
    before, own, theirs = owners(app), user(app, 1), user(app, 2)
    for state in ({}, {"is_staff": True}, {"is_active": False}):
        change(app, 2, **state)
        caplog.clear()
        answer = link(minji, kakao, SORA, profile={"nickname": "소라"}, gender="female")
        assert answer.status_code == 409
        assert "이미 사용 중" in answer.text
        assert 'href="/users/me/"' in answer.text
        assert not re.search(r"소라|4000000001|suspend|정지|p39|p40", answer.text)
        assert not re.search(r"소라|4000000001|p40", caplog.text)
    assert owners(app) == before
    assert (user(app, 1).gender, user(app, 2).last_login) == (own.gender, theirs.last_login)
    assert is_logged_in(minji)


def test_reload_of_a_refused_link_offers_no_login(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    """A login would bring the person to another account, or make them one."""
    sent = press_link(minji)
    kakao.fails(token={"exc": requests.exceptions.ConnectionError})
    pages = [come_back(minji, sent["state"]) for _ in range(2)]
    assert [page.status_code for page in pages] == [503, 503]
    for page in pages:
        assert 'href="/users/me/"' in page.text
        assert "/kakao/login/" not in page.text


def test_one_of_two_people_who_link_one_identity_at_once_is_refused(site: Flask) -> None:
    with site.app_context():
        people = [sign_in.log_in(profile(str(n), email=f"{n}@example.kr"), email_required=True).user for n in (1, 2)]
        known = [(one.id, one.get_id()) for one in people]
    ended = at_once(site, *(linking(user_id, as_whom) for user_id, as_whom in known))
    assert sorted(type(end).__name__ for end in ended) == ["IdentityInUse", "NoneType"]
    assert owners(site)[FACEBOOK_ID] == known[ended.index(None)][0]


def test_first_login_and_a_link_of_one_identity_at_once_make_one_owner(site: Flask) -> None:
    with site.app_context():
        made = sign_in.log_in(profile("1"), email_required=False).user
        user_id, as_whom = made.id, made.get_id()
    theirs = facebook(email="a@example.kr")
    log_in_there = lambda: sign_in.log_in(theirs, email_required=True).user.id  # noqa: E731
    ended = at_once(site, linking(user_id, as_whom, email="a@example.kr"), log_in_there)
    owner = owners(site)[FACEBOOK_ID]
    assert ended[1] == owner
    assert ended[0] is None if owner == user_id else isinstance(ended[0], IdentityInUse)


def linking(user_id: int, as_whom: str, **fields: Any) -> Callable[[], None]:
    return lambda: accounts_linking.link(user_id, facebook(**fields), asked_as=as_whom)


# The provider does not play along


def test_cancelled_link_leads_back_to_ones_own_page(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    sent = press_link(minji)
    query = {"error": "access_denied", "error_description": "User denied access", "state": sent["state"]}
    answer = minji.get("/second/login/callback/", query_string=query)
    assert answer.status_code == 200
    assert "취소" in answer.text
    assert 'href="/users/me/"' in answer.text
    assert "/kakao/login/" not in answer.text
    assert is_logged_in(minji)
    assert come_back(minji, sent["state"]).status_code == 400, "the state works once"


def test_provider_that_is_away_says_so_and_nothing_is_lost(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    kakao.fails(me={"exc": requests.exceptions.ConnectTimeout})
    answer = link(minji, kakao, ALSO_MINJI)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert 'href="/users/me/"' in answer.text
    assert owners(app) == {str(MINJI): 1}
    assert is_logged_in(minji)


def test_person_without_an_email_at_the_provider_can_link(app: Flask, minji: FlaskClient, kakao: FakeKakao) -> None:
    assert link(minji, kakao, ALSO_MINJI, email=None, is_email_valid=None).location == "/users/me/"


# Taking a way in away


@pytest.fixture
def both(minji: FlaskClient, kakao: FakeKakao) -> FlaskClient:
    """Minji's browser, after the second provider was linked."""
    assert link(minji, kakao, ALSO_MINJI).status_code == 302
    kakao.me = person(MINJI)
    return minji


def test_own_identity_goes_and_the_session_goes_on(app: Flask, both: FlaskClient, redis: Redis) -> None:
    cookie, token = set_cookie(both), csrf_token(both)
    answer = press_unlink(both, identity_of(app, ALSO_MINJI))
    assert (answer.status_code, answer.location) == (302, "/users/me/")
    assert owners(app) == {str(MINJI): 1}
    assert is_logged_in(both)
    assert set_cookie(both) != cookie
    assert csrf_token(both) != token
    assert len(redis.keys("session:*")) == 1


def test_other_sessions_and_every_token_end_with_it(
    app: Flask, both: FlaskClient, kakao: FakeKakao, redis: Redis
) -> None:
    phone = enter(app, kakao, ALSO_MINJI, "second")
    pair = tokens_of(app, 1)
    tool = api_client(app, pair.access_token)
    assert (is_logged_in(phone), tool.get("/api/users/me/").status_code) == (True, 200)
    press_unlink(both, identity_of(app, ALSO_MINJI))
    assert len(redis.keys("session:*")) == 1
    assert (is_logged_in(phone), tool.get("/api/users/me/").status_code) == (False, 401)
    assert tool.post("/api/token/refresh/", json={"refresh_token": pair.refresh_token}).status_code == 401


def test_provider_is_told_with_the_tokens_of_that_identity(app: Flask, both: FlaskClient, kakao: FakeKakao) -> None:
    kakao.me = person(ALSO_MINJI)
    press_unlink(both, identity_of(app, ALSO_MINJI))
    assert kakao.calls[-1] == "POST /v1/user/unlink"
    assert kakao.mock.last_request.headers["Authorization"] == "Bearer canary-access-token"
    with app.app_context():
        assert list(unlink_jobs.waiting()) == []
        assert db.session.query(ProviderToken).count() == 1


def test_provider_that_is_away_is_told_later(app: Flask, both: FlaskClient, kakao: FakeKakao) -> None:
    kakao.mock.post("https://kapi.kakao.com/v1/user/unlink", exc=requests.exceptions.ConnectionError)
    assert press_unlink(both, identity_of(app, ALSO_MINJI)).status_code == 302
    assert owners(app) == {str(MINJI): 1}
    kakao.mock.post("https://kapi.kakao.com/v1/user/unlink", json={"id": ALSO_MINJI})
    with app.app_context():
        assert [job.subject for job in unlink_jobs.waiting()] == [str(ALSO_MINJI)]
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=2)), app.app_context():
        assert leaving.retry_unlinks() == (1, 0)


def test_linking_again_calls_a_waiting_unlink_off(app: Flask, both: FlaskClient, kakao: FakeKakao) -> None:
    kakao.mock.post("https://kapi.kakao.com/v1/user/unlink", exc=requests.exceptions.ConnectionError)
    press_unlink(both, identity_of(app, ALSO_MINJI))
    assert link(both, kakao, ALSO_MINJI).location == "/users/me/"
    with app.app_context():
        assert list(unlink_jobs.waiting()) == []


def test_provider_of_the_account_becomes_the_one_that_is_left(app: Flask, minji: FlaskClient, graph: Any) -> None:
    sent = press_link(minji, "facebook")
    minji.get("/facebook/login/callback/", query_string={"state": sent["state"], "code": "canary-code"})
    press_unlink(minji, identity_of(app, MINJI))
    assert user(app, 1).provider == "facebook"
    assert is_logged_in(minji)


def test_unlinked_identity_opens_the_account_no_more(app: Flask, minji: FlaskClient, graph: Any, kakao: Any) -> None:
    """Its trusted e-mail is still the account's: a person who comes with it is told how that account logs in."""
    sent = press_link(minji, "facebook")
    minji.get("/facebook/login/callback/", query_string={"state": sent["state"], "code": "canary-code"})
    press_unlink(minji, identity_of(app, MINJI))
    kakao.me = person(MINJI)
    stranger = app.test_client()
    answer = log_in(stranger, kakao)
    assert answer.status_code == 409
    assert "페이스북" in answer.text
    assert "/facebook/login/" in answer.text
    kakao.me = person(MINJI, email="new@example.kr")
    assert log_in(stranger, kakao).status_code == 302
    assert owners(app) == {FACEBOOK_ID: 1, str(MINJI): 2}


def test_identity_of_somebody_else_is_not_there(app: Flask, both: FlaskClient, kakao: FakeKakao) -> None:
    enter(app, kakao, SORA)
    before = owners(app)
    for identity_id in (identity_of(app, SORA), 999, 2**63, 10**30):
        assert press_unlink(both, identity_id).status_code == 404
    assert owners(app) == before


def test_only_way_in_stays_and_the_page_says_why(app: Flask, minji: FlaskClient) -> None:
    assert "/users/me/unlink/" not in minji.get("/users/me/").text
    answer = press_unlink(minji, identity_of(app, MINJI))
    assert answer.status_code == 409
    assert "하나뿐" in answer.text
    assert owners(app) == {str(MINJI): 1}
    assert is_logged_in(minji)


def test_unlinking_by_a_link_changes_nothing(app: Flask, both: FlaskClient) -> None:
    assert both.get(f"/users/me/unlink/{identity_of(app, ALSO_MINJI)}/").status_code == 405


@pytest.mark.parametrize(("values", "status"), [({}, 409), ({"is_superuser": True, "is_staff": True}, 302)])
def test_superuser_with_a_password_may_give_up_the_last_one(
    app: Flask, minji: FlaskClient, values: dict[str, Any], status: int
) -> None:
    change(app, 1, password_hash="$argon2id$of-somebody", **values)
    assert ("/users/me/unlink/" in minji.get("/users/me/").text) == (status == 302)
    assert press_unlink(minji, identity_of(app, MINJI)).status_code == status
    assert is_logged_in(minji)


def test_account_left_with_a_password_is_not_taken_over_by_its_email(app: Flask) -> None:
    """The login was given up, perhaps because it is in other hands."""
    with app.app_context():
        boss = roles.create_superuser("boss@example.kr", "correct horse battery staple")
        sign_in.log_in(profile("1", email="boss@example.kr"), email_required=True)
        accounts_linking.unlink(boss.id, boss.identities[0].id, asked_as=boss.get_id())
        for theirs in (profile("1", email="boss@example.kr"), profile("2", email="boss@example.kr")):
            with pytest.raises(EmailInUse):
                sign_in.log_in(theirs, email_required=True)


def two_ways(site: Flask) -> tuple[int, str, list[int]]:
    """An account with two: its number, what its sessions hold, its identities."""
    with site.app_context():
        made = sign_in.log_in(profile("1", email="a@example.kr"), email_required=True).user
        accounts_linking.link(made.id, facebook(), asked_as=made.get_id())
        return made.id, made.get_id(), [identity.id for identity in made.identities]


def unlinking(user_id: int, identity_id: int, as_whom: str) -> Callable[[], Any]:
    return lambda: accounts_linking.unlink(user_id, identity_id, asked_as=as_whom)


def test_two_that_are_unlinked_at_once_leave_one(site: Flask) -> None:
    user_id, as_whom, identities = two_ways(site)
    ended = at_once(site, *(unlinking(user_id, one, as_whom) for one in identities))
    assert sorted(type(end).__name__ for end in ended) == ["LastWayIn", "Unlinked"]
    assert len(owners(site)) == 1


def test_pressed_twice_at_once_unlinks_once(site: Flask) -> None:
    user_id, as_whom, identities = two_ways(site)
    ended = at_once(site, *[unlinking(user_id, identities[1], as_whom)] * 2)
    assert sorted(type(end).__name__ for end in ended) == ["SessionOver", "Unlinked"]


def test_unlink_here_and_at_the_provider_at_once_keep_nobody_without_a_way_in(site: Flask) -> None:
    user_id, as_whom, identities = two_ways(site)
    message = AccountEvent("jti-1", "user-unlinked", FACEBOOK_ID, datetime.now(UTC) + timedelta(seconds=1))
    at_once(site, unlinking(user_id, identities[0], as_whom), lambda: effects.apply_event("facebook", message))
    with site.app_context():
        found = find_user(user_id)
        assert found is None or [one.provider for one in found.identities] == ["kakao"]
        assert found is None or found.provider == "kakao"


def test_both_unlinked_at_their_providers_at_once_is_a_withdrawal(site: Flask) -> None:
    user_id, _, _ = two_ways(site)
    at = datetime.now(UTC) + timedelta(seconds=1)
    messages = [("kakao", AccountEvent("j", "user-unlinked", "1", at))]
    messages.append(("facebook", AccountEvent("j", "user-unlinked", FACEBOOK_ID, at)))
    at_once(site, *(lambda m=message: effects.apply_event(*m) for message in messages))
    with site.app_context():
        assert find_user(user_id) is None
    assert owners(site) == {}


def test_unlink_for_a_session_that_has_ended_does_nothing(app: Flask) -> None:
    user_id, as_whom, identities = two_ways(app)
    with app.app_context():
        roles.end_all_sessions(user_id)
        with pytest.raises(SessionOver):
            accounts_linking.unlink(user_id, identities[0], asked_as=as_whom)
        with pytest.raises(SessionOver):
            accounts_linking.link(user_id, facebook("2"), asked_as=as_whom)
        roles.change_user(user_id, is_active=False)
        with pytest.raises(SessionOver):
            accounts_linking.link(user_id, facebook("2"), asked_as=find_user(user_id).get_id())  # type: ignore[union-attr]
    assert len(owners(app)) == 2


def test_what_was_linked_and_unlinked_is_in_the_log_by_number(
    app: Flask, minji: FlaskClient, kakao: FakeKakao, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    link(minji, kakao, ALSO_MINJI)
    press_unlink(minji, identity_of(app, ALSO_MINJI))
    assert re.findall(r"\b(?:un)?linked user=1 provider=second", caplog.text) == [
        "linked user=1 provider=second",
        "unlinked user=1 provider=second",
    ]
    assert str(ALSO_MINJI) not in caplog.text
    assert "canary" not in caplog.text
