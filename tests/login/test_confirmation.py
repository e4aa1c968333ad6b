"""A login that is not fresh: what it may not do, how people prove again who they are, and what that never does."""

import re
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
    come_back,
    confirm,
    csrf_token,
    log_in,
    person,
    press_confirm,
    problem,
    set_cookie,
    tokens_of,
)
from support import facebook as support_facebook
from support.facebook import FakeFacebook
from support.stored_sessions import all_opened, edit

from kakaoauth.accounts import leaving, passwords, roles
from kakaoauth.audit import AuditEvent, labels
from kakaoauth.models import Identity, User
from kakaoauth.storage.database import db
from kakaoauth.tokens import flows as token_flows

#: minji's and sora's subjects.
MINJI, SORA = 1000, 1001
PASSWORD = "correct horse battery staple"
ENGLISH = {"Accept-Language": "en"}
CONFIRM = "/users/me/confirm/"

ClientAs = Callable[[str], FlaskClient]
People = dict[str, int]


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        yield clock


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return add_second(make_app(**support_facebook.SETTINGS))


def aged(clock: Any, client: FlaskClient, minutes: float = 6) -> FlaskClient:
    """The same browser, some minutes after its login."""
    clock.shift(minutes * 60)
    return client


def post(client: FlaskClient, path: str, **form: str) -> Any:
    return client.post(path, data={"csrf_token": csrf_token(client), **form})


def target_of(answer: Any) -> str:
    """The page that a refused form leads back to."""
    assert (answer.status_code, urlsplit(answer.location).path) == (302, CONFIRM), answer.text
    return parse_qs(urlsplit(answer.location).query)["next"][0]


def is_fresh(client: FlaskClient) -> bool:
    """Whether a link may begin: one that is refused for its provider's sake was let through."""
    answer = post(client, "/users/me/link/second/")
    return "state=" in answer.location


def count(app: Flask, kind: Any) -> int:
    with app.app_context():
        return int(db.session.query(kind).count())


# What is refused


def test_stale_login_neither_links_nor_unlinks_nor_leaves(
    app: Flask, client_as: ClientAs, people: People, clock: Any
) -> None:
    client = aged(clock, client_as("minji"))
    for path, back in (
        ("/users/me/link/second/", "/users/me/"),
        ("/users/me/link/no-such-provider/", "/users/me/"),
        ("/users/me/unlink/1/", "/users/me/"),
        ("/users/me/withdraw/", "/users/me/withdraw/"),
    ):
        assert target_of(post(client, path)) == back
    assert (count(app, User), count(app, Identity)) == (4, 4)
    assert client.get("/users/me/").status_code == 200


def test_five_minutes_are_counted_to_the_second(client_as: ClientAs, clock: Any) -> None:
    client = aged(clock, client_as("minji"), 299 / 60)
    assert is_fresh(client)
    clock.shift(2)
    assert not is_fresh(client)


def test_stale_superuser_decides_nothing(app: Flask, client_as: ClientAs, people: People, clock: Any) -> None:
    client, sora = aged(clock, client_as("hana")), people["sora"]
    paths = [
        f"/users/{sora}/{name}/"
        for name in ("make-staff", "make-superuser", "demote", "suspend", "reactivate", "end-sessions", "delete")
    ]
    for path in (*paths, f"/users/{sora}/unlink/{sora}/"):
        assert target_of(post(client, path, reason="good reason", number=str(sora))) == path
    with app.app_context():
        found = db.session.get_one(User, sora)
        assert (found.is_active, found.is_staff, found.is_superuser, found.session_version) == (True, True, False, 0)
        assert len(found.identities) == 1


def test_nothing_stale_is_asked_of_who_may_not_do_it_anyhow(client_as: ClientAs, people: People, clock: Any) -> None:
    client = aged(clock, client_as("sora"))
    assert post(client, f"/users/{people['minji']}/delete/").status_code == 403


def test_forged_form_keeps_nothing(client_as: ClientAs, redis: Redis, clock: Any) -> None:
    client = aged(clock, client_as("minji"))
    assert client.post("/users/me/withdraw/", data={"reason": "x"}).status_code == 400
    assert not any("_draft" in data for data in all_opened(redis))


def test_getting_out_wants_no_fresh_login(client_as: ClientAs, clock: Any) -> None:
    client = aged(clock, client_as("minji"))
    assert post(client, "/users/me/devices/end-others/").location == "/users/me/#devices"
    assert post(client, "/users/me/logout-everywhere/").location == "/"


def test_session_of_an_older_version_counts_from_its_login(client_as: ClientAs, redis: Redis, clock: Any) -> None:
    client = client_as("minji")
    (key,) = redis.keys("session:*")
    edit(redis, key, lambda data: data.pop("_confirmed"))
    assert is_fresh(client)
    assert not is_fresh(aged(clock, client))


@pytest.mark.parametrize("value", [9999999999, "now", None, []])
def test_odd_time_of_confirmation_is_no_fresh_login(client_as: ClientAs, redis: Redis, value: object) -> None:
    client = client_as("minji")
    (key,) = redis.keys("session:*")
    edit(redis, key, lambda data: data.update(_confirmed=value))
    assert client.post("/users/me/withdraw/").location == "/"


def test_time_from_the_future_is_no_fresh_login(client_as: ClientAs, clock: Any) -> None:
    """Of a clock that was wrong when somebody logged in."""
    client = client_as("minji")
    clock.shift(-3600)
    assert not is_fresh(client)


# The way through the provider


def test_page_says_why_and_has_a_button_for_each_way_in(
    app: Flask, client_as: ClientAs, people: People, clock: Any
) -> None:
    with app.app_context():
        db.session.add(Identity(provider="facebook", subject="1", user_id=people["minji"]))
        db.session.commit()
    client = aged(clock, client_as("minji"))
    page = client.get(f"{CONFIRM}?next=/users/me/withdraw/").text
    assert "본인 확인이 필요해요" in page
    assert re.findall(r'action="(/users/me/confirm/[a-z]+/)"', page) == [f"{CONFIRM}kakao/", f"{CONFIRM}facebook/"]
    assert 'value="/users/me/withdraw/"' in page
    assert "more than 5 minutes ago" in client.get(CONFIRM, headers=ENGLISH).text


def test_provider_is_asked_for_a_new_login(app: Flask, client_as: ClientAs, people: People, clock: Any) -> None:
    with app.app_context():
        db.session.add(Identity(provider="facebook", subject="1", user_id=people["minji"]))
        db.session.commit()
    client = aged(clock, client_as("minji"))
    assert press_confirm(client)["prompt"] == "login"
    assert press_confirm(client, provider="facebook")["auth_type"] == "reauthenticate"


def test_it_begins_by_a_form_of_ones_own_and_with_ones_own_ways_in(client_as: ClientAs, clock: Any) -> None:
    client = aged(clock, client_as("minji"))
    assert client.get(f"{CONFIRM}kakao/").status_code == 405
    assert client.post(f"{CONFIRM}kakao/").status_code == 400
    for provider in ("second", "facebook", "no-such-provider"):
        assert post(client, f"{CONFIRM}{provider}/").status_code == 404


def test_confirmed_person_leaves_where_they_were_about_to(
    app: Flask, client_as: ClientAs, kakao: FakeKakao, clock: Any
) -> None:
    client = aged(clock, client_as("minji"))
    target = target_of(post(client, "/users/me/withdraw/"))
    answer = confirm(client, kakao, target)
    assert (answer.status_code, answer.location) == (302, "/users/me/withdraw/")
    page = client.get("/users/me/withdraw/").text
    assert "버튼을 한 번 더" in page
    assert "버튼을 한 번 더" not in client.get("/users/me/withdraw/").text, "told once"
    assert count(app, User) == 4, "nothing is done by coming back"
    assert post(client, "/users/me/withdraw/").location == "/users/me/withdrawn/"
    assert count(app, User) == 3


def test_what_a_superuser_typed_is_there_again(
    app: Flask, client_as: ClientAs, kakao: FakeKakao, people: People, clock: Any
) -> None:
    client, sora = aged(clock, client_as("hana")), people["sora"]
    path = f"/users/{sora}/delete/"
    target = target_of(post(client, path, reason='"스팸" & <b>링크</b>', number=str(sora)))
    assert "그대로 남아" in client.get(f"{CONFIRM}?next={target}").text
    assert confirm(client, kakao, target).location == path
    page = client.get(path).text
    assert 'value="&#34;스팸&#34; &amp; &lt;b&gt;링크&lt;/b&gt;"' in page
    assert f'name="number" value="{sora}"' in page
    other = client.get(f"/users/{people['minji']}/delete/").text
    assert "스팸" not in other, "each page has its own"
    assert post(client, path, reason="스팸 링크", number=str(sora)).location == "/users/"
    assert "스팸" not in client.get(f"/users/{people['minji']}/delete/").text


def test_what_is_kept_is_bounded_and_forgotten(
    client_as: ClientAs, redis: Redis, people: People, kakao: FakeKakao, clock: Any
) -> None:
    client = aged(clock, client_as("hana"))
    path = f"/users/{people['sora']}/suspend/"
    post(client, path, reason="x" * 100_000)
    post(client, path, reason="kept", password="a-password")
    for number in range(10):
        post(client, f"/users/{people['minji']}/unlink/{number}/", reason="y" * 1900)
    (raw,) = (redis.get(key) for key in redis.keys("session:*"))
    assert len(raw) < 8000
    assert b"a-password" not in raw
    post(client, path, reason="kept for a while")
    assert "kept for a while" in client.get(path).text
    clock.shift(901)
    assert "kept for a while" not in client.get(path).text


def test_session_goes_on_under_a_new_id_and_ends_no_later(
    app: Flask, client_as: ClientAs, kakao: FakeKakao, redis: Redis, clock: Any
) -> None:
    client = aged(clock, client_as("minji"))
    cookie, token = set_cookie(client), csrf_token(client)
    confirm(client, kakao)
    assert set_cookie(client) != cookie
    assert csrf_token(client) != token
    assert len(redis.keys("session:*")) == 1
    thief = app.test_client()
    thief.set_cookie("session", cookie)
    assert thief.get("/users/me/").status_code == 302
    for _ in range(8):
        clock.shift(timedelta(days=11))
        assert confirm(client, kakao).location == "/users/me/"
    clock.shift(timedelta(days=3))
    assert client.get("/users/me/").status_code == 302


def test_freshness_is_over_after_5_minutes_again_and_a_new_id_prolongs_nothing(
    app: Flask, client_as: ClientAs, kakao: FakeKakao, clock: Any
) -> None:
    client = aged(clock, client_as("minji"))
    confirm(client, kakao)
    clock.shift(250)
    post(client, "/users/me/devices/end-others/")
    assert is_fresh(client)
    clock.shift(60)
    assert not is_fresh(client)


def test_reload_and_double_click_of_the_way_back_do_no_harm(client_as: ClientAs, kakao: FakeKakao, clock: Any) -> None:
    client = aged(clock, client_as("minji"))
    sent, cookie = press_confirm(client), set_cookie(client)
    first = come_back(client, sent["state"])
    calls = kakao.calls.count("POST /oauth/token")
    twin = client.application.test_client()
    twin.set_cookie("session", cookie)
    for browser in (client, twin):
        assert come_back(browser, sent["state"]).location == first.location == "/users/me/"
        assert is_fresh(browser)
    assert kakao.calls.count("POST /oauth/token") == calls


def test_any_identity_of_the_account_will_do(
    app: Flask, client_as: ClientAs, kakao: FakeKakao, people: People, clock: Any
) -> None:
    with app.app_context():
        db.session.add(Identity(provider="kakao", subject="7777", user_id=people["minji"]))
        db.session.commit()
    client = aged(clock, client_as("minji"))
    kakao.me = person(7777)
    confirm(client, kakao)
    assert is_fresh(client)


def test_tokens_of_the_confirmation_replace_those_of_the_login(
    app: Flask, client_as: ClientAs, kakao: FakeKakao, clock: Any
) -> None:
    client = client_as("minji")
    kakao.token = {"access_token": "of-the-confirmation"}
    confirm(aged(clock, client), kakao)
    post(client, "/users/me/withdraw/")
    (call,) = [one for one in kakao.mock.request_history if one.path == "/v1/user/unlink"]
    assert call.headers["Authorization"] == "Bearer of-the-confirmation"


def test_it_is_in_the_trail_in_words(app: Flask, client_as: ClientAs, kakao: FakeKakao, clock: Any) -> None:
    client = aged(clock, client_as("minji"))
    confirm(client, kakao)
    assert "본인 확인: 카카오" in client.get("/users/me/").text
    with app.app_context():
        row = db.session.query(AuditEvent).order_by(AuditEvent.id.desc()).first()
        assert (row.action, row.result, row.provider) == ("confirmed", "done", "kakao")
    assert "confirmed" in labels.ACTIONS


# What does not confirm


def assert_as_it_was(client: FlaskClient, cookie: str) -> None:
    assert set_cookie(client) == cookie
    assert client.get("/users/me/").status_code == 200
    assert not is_fresh(client)


@pytest.mark.parametrize("subject", [SORA, 8888], ids=["a member", "a stranger"])
def test_another_person_confirms_nothing_and_logs_nobody_out(
    app: Flask, client_as: ClientAs, kakao: FakeKakao, clock: Any, subject: int
) -> None:
    client = aged(clock, client_as("minji"))
    cookie, people, identities = set_cookie(client), count(app, User), count(app, Identity)
    kakao.me = person(subject)
    answer = confirm(client, kakao, "/users/me/withdraw/")
    assert answer.status_code == 403
    assert 'data-code="OTHER_ACCOUNT"' in answer.text
    assert "다른 계정" in answer.text
    assert 'href="/users/me/confirm/?next=/users/me/withdraw/"' in answer.text
    assert (count(app, User), count(app, Identity)) == (people, identities)
    assert_as_it_was(client, cookie)


def test_cancelled_confirmation_changes_nothing(client_as: ClientAs, clock: Any) -> None:
    client = aged(clock, client_as("minji"))
    sent, cookie = press_confirm(client, "/users/me/withdraw/"), set_cookie(client)
    answer = client.get("/kakao/login/callback/", query_string={"state": sent["state"], "error": "access_denied"})
    assert answer.status_code == 200
    assert 'href="/users/me/confirm/?next=/users/me/withdraw/"' in answer.text
    assert "/kakao/login/?" not in answer.text
    assert come_back(client, sent["state"]).status_code == 400, "the state works once"
    assert_as_it_was(client, cookie)


def test_provider_that_is_away_confirms_nothing(client_as: ClientAs, kakao: FakeKakao, clock: Any) -> None:
    client = aged(clock, client_as("minji"))
    sent, cookie = press_confirm(client), set_cookie(client)
    kakao.fails(token={"exc": requests.exceptions.ConnectionError})
    assert come_back(client, sent["state"]).status_code == 503
    assert_as_it_was(client, cookie)


def test_login_of_long_ago_is_no_proof(client_as: ClientAs, kakao: FakeKakao, clock: Any) -> None:
    """Somebody has taken `prompt` out of the address, and Kakao's own session was still open."""
    kakao.id_claims = {}
    client = aged(clock, client_as("minji"))
    for age in (120, 3600, 86400):
        sent, cookie = press_confirm(client), set_cookie(client)
        kakao.nonce, kakao.id_claims = sent["nonce"], {"auth_time": int(datetime.now(UTC).timestamp()) - age}
        answer = come_back(client, sent["state"])
        assert answer.status_code == 403
        assert 'data-code="LOGIN_NOT_REPEATED"' in answer.text
        assert_as_it_was(client, cookie)


@pytest.mark.parametrize("value", ["1764300000", 1e9, True, None, -1, 10**11])
def test_odd_auth_time_is_no_proof(client_as: ClientAs, kakao: FakeKakao, clock: Any, value: Any) -> None:
    kakao.id_claims = {}
    client = aged(clock, client_as("minji"))
    sent = press_confirm(client)
    kakao.nonce, kakao.id_claims = sent["nonce"], {"auth_time": value}
    assert come_back(client, sent["state"]).status_code == 403
    assert not is_fresh(client)


def test_new_login_is_the_proof(client_as: ClientAs, kakao: FakeKakao, clock: Any) -> None:
    kakao.id_claims = {}
    client = aged(clock, client_as("minji"))
    sent = press_confirm(client)
    clock.shift(240)
    kakao.nonce, kakao.id_claims = sent["nonce"], {"auth_time": int(datetime.now(UTC).timestamp()) - 200}
    assert come_back(client, sent["state"]).location == "/users/me/"
    assert is_fresh(client)


def test_without_the_id_token_that_is_due_nothing_is_confirmed(
    client_as: ClientAs, kakao: FakeKakao, clock: Any
) -> None:
    """A `scope` that somebody has put into the address makes Kakao leave it out, and with it the time of the login."""
    kakao.id_claims = {}
    client = aged(clock, client_as("minji"))
    kakao.id_claims = None
    assert confirm(client, kakao).status_code == 502
    assert not is_fresh(client)


def test_confirmation_is_finished_by_whoever_began_it_and_only_there(
    app: Flask, client_as: ClientAs, kakao: FakeKakao, clock: Any
) -> None:
    client = aged(clock, client_as("minji"))
    sent = press_confirm(client)
    thief, victim = app.test_client(), client_as("sora")
    begin_login(thief)
    kakao.me = person(MINJI)
    calls = kakao.calls.count("POST /oauth/token")
    for other in (thief, victim):
        assert come_back(other, sent["state"]).status_code == 400
    kakao.me = person(SORA, email="sora@example.kr")
    log_in(client, kakao)
    answer = come_back(client, sent["state"])
    assert answer.status_code == 400
    assert 'data-code="CONFIRMATION_ENDED"' in answer.text
    assert kakao.calls.count("POST /oauth/token") == calls + 1, "the code was not sent"


def test_state_of_a_confirmation_neither_logs_in_nor_links(
    app: Flask, client_as: ClientAs, kakao: FakeKakao, clock: Any
) -> None:
    client = aged(clock, client_as("minji"))
    before = count(app, Identity)
    sent = press_confirm(client)
    post(client, "/kakao/logout/")
    assert come_back(client, sent["state"]).status_code == 400
    assert client.get("/users/me/").status_code == 302
    assert count(app, Identity) == before


def test_state_of_a_login_confirms_nobody_else(client_as: ClientAs, kakao: FakeKakao, clock: Any) -> None:
    """It ends as a login: the new person is logged in, and the former one is not."""
    client = aged(clock, client_as("minji"))
    kakao.me = person(SORA, email="sora@example.kr")
    log_in(client, kakao)
    assert "sora@example.kr" in client.get("/users/me/").text


@pytest.mark.parametrize("ending", ["logout-everywhere", "suspended"])
def test_session_that_ends_meanwhile_is_not_confirmed(
    app: Flask, client_as: ClientAs, kakao: FakeKakao, people: People, clock: Any, ending: str
) -> None:
    client = aged(clock, client_as("minji"))
    sent = press_confirm(client)

    def end() -> None:
        with app.app_context():
            if ending == "suspended":
                roles.change_user(people["minji"], is_active=False)
            else:
                roles.end_all_sessions(people["minji"])

    def user_me(*_: Any) -> Any:
        Context().run(end)  # in another worker
        return kakao.me

    kakao.fails(me={"json": user_me})
    assert come_back(client, sent["state"]).status_code == 400
    assert client.get("/users/me/").status_code == 302


def test_foreign_next_leads_to_ones_own_page(client_as: ClientAs, kakao: FakeKakao, clock: Any) -> None:
    client = aged(clock, client_as("minji"))
    for odd in ("https://evil.example/", "//evil.example", "/kakao/login/", CONFIRM, "x" * 5000):
        assert confirm(client, kakao, odd).location == "/users/me/"
        assert client.get(CONFIRM, query_string={"next": odd}).location == "/users/me/"


# The way in that has no provider: a password


@pytest.fixture
def boss(app: Flask, people: People) -> None:
    """hana, with a password."""
    with app.app_context():
        passwords.set_password(db.session.get_one(User, people["hana"]), PASSWORD)
        db.session.commit()


def test_password_confirms_whoever_has_one(
    app: Flask, client_as: ClientAs, boss: None, people: People, clock: Any
) -> None:
    client = aged(clock, client_as("hana"))
    path = f"/users/{people['sora']}/suspend/"
    target = target_of(post(client, path, reason="spam"))
    assert 'type="password"' in client.get(f"{CONFIRM}?next={target}").text
    cookie = set_cookie(client)
    wrong = post(client, f"{CONFIRM}password/", password="wrong horse", next=target)
    assert wrong.status_code == 401
    assert "비밀번호가 맞지 않아요" in wrong.text
    assert "wrong horse" not in wrong.text
    assert set_cookie(client) == cookie
    assert target_of(post(client, path, reason="spam")) == path
    answer = post(client, f"{CONFIRM}password/", password=PASSWORD, next=target)
    assert answer.location == path
    assert set_cookie(client) != cookie
    assert 'value="spam"' in client.get(path).text
    assert post(client, path, reason="spam").status_code == 302
    with app.app_context():
        assert not db.session.get_one(User, people["sora"]).is_active


def test_password_that_opens_nothing_confirms_nothing(
    app: Flask, client_as: ClientAs, boss: None, people: People, clock: Any
) -> None:
    client = aged(clock, client_as("hana"))
    with app.app_context():
        user = db.session.get_one(User, people["hana"])
        user.is_superuser = False
        db.session.commit()
    assert 'type="password"' not in client.get(CONFIRM).text
    assert post(client, f"{CONFIRM}password/", password=PASSWORD).status_code == 401
    other = aged(clock, client_as("minji"))
    assert post(other, f"{CONFIRM}password/", password=PASSWORD).status_code == 401


def test_guesses_at_a_password_are_counted_with_the_others(client_as: ClientAs, boss: None, clock: Any) -> None:
    client = aged(clock, client_as("hana"))
    answers = [post(client, f"{CONFIRM}password/", password="wrong horse").status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]
    assert post(client, f"{CONFIRM}password/", password=PASSWORD).status_code == 429
    fresh = client.application.test_client()
    token = fresh.get("/login/").text.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]
    form = {"csrf_token": token, "email": "hana@example.kr", "password": PASSWORD}
    assert fresh.post("/login/", data=form).status_code == 429


def test_whoever_has_no_way_to_confirm_is_told_to_log_in_anew(
    app: Flask, client_as: ClientAs, people: People, clock: Any
) -> None:
    """Their provider is switched off, or cannot be made to ask again."""
    client = aged(clock, client_as("minji"))
    with app.app_context():
        db.session.query(Identity).filter_by(user_id=people["minji"]).update({"provider": "gone"})
        db.session.commit()
    page = client.get(CONFIRM).text
    assert "로그아웃한 뒤 다시 로그인" in page
    assert 'href="/kakao/logout/"' in page


# Facebook


def test_facebook_confirms_as_well(make_app: Callable[..., Flask], facebook: FakeFacebook, clock: Any) -> None:
    client = make_app(**support_facebook.SETTINGS).test_client()
    assert support_facebook.log_in(client).status_code == 302
    clock.shift(360)
    assert target_of(post(client, "/users/me/withdraw/")) == "/users/me/withdraw/"
    sent = press_confirm(client, "/users/me/withdraw/", "facebook")
    answer = support_facebook.come_back(client, sent["state"])
    assert answer.location == "/users/me/withdraw/"
    assert post(client, "/users/me/withdraw/").location == "/users/me/withdrawn/"


@pytest.fixture
def facebook() -> Iterator[FakeFacebook]:
    yield from support_facebook.mocked()


# The API


def test_stale_token_changes_nobody_and_says_what_is_wanted(app: Flask, people: People, clock: Any) -> None:
    tool, sora = api_client(app, tokens_of(app, people["hana"]).access_token), people["sora"]
    clock.shift(299)
    assert tool.patch(f"/api/users/{sora}/", json={"is_staff": False}).status_code == 200
    pair = tokens_of(app, people["hana"])
    clock.shift(200)
    with app.app_context():
        pair = token_flows.refresh(pair.refresh_token)
    clock.shift(200)
    tool = api_client(app, pair.access_token)
    for method, path in (
        ("PATCH", f"/api/users/{sora}/"),
        ("DELETE", f"/api/users/{sora}/"),
        ("DELETE", "/api/users/me/"),
    ):
        answer = tool.open(path, method=method, json={"is_staff": True} if method == "PATCH" else None)
        problem(answer, 401, "FRESH_LOGIN_REQUIRED")
        assert answer.headers["WWW-Authenticate"] == (
            'Bearer realm="api", error="insufficient_user_authentication", max_age=300'
        )
    assert count(app, User) == 4
    assert tool.get("/api/users/").status_code == 200
    assert tool.patch("/api/users/me/", json={"nickname": "하나"}).status_code == 200


def test_who_may_not_is_told_so_before_they_log_in_again(app: Flask, people: People, clock: Any) -> None:
    pair = tokens_of(app, people["minji"])
    clock.shift(280)
    with app.app_context():
        pair = token_flows.refresh(pair.refresh_token)
    clock.shift(280)
    tool = api_client(app, pair.access_token)
    assert tool.delete(f"/api/users/{people['sora']}/").status_code == 403
    problem(tool.delete("/api/users/me/"), 401, "FRESH_LOGIN_REQUIRED")


def test_new_login_of_an_app_is_fresh(app: Flask, people: People, clock: Any) -> None:
    tokens_of(app, people["minji"])
    clock.shift(600)
    tool = api_client(app, tokens_of(app, people["minji"]).access_token)
    assert tool.delete("/api/users/me/").status_code == 204


# An ordinary login, in somebody's open browser


def silent_login(client: FlaskClient, kakao: FakeKakao, age: int | None, **query: str) -> Any:
    """What `GET /kakao/login/` does while Kakao's own session is open: nobody is asked for anything.

    :param age: seconds since the person logged in at Kakao; None: no OpenID Connect, so nobody knows.
    """
    sent = begin_login(client, **query)
    kakao.nonce = sent.get("nonce", "")
    kakao.id_claims = None if age is None else {"auth_time": int(datetime.now(UTC).timestamp()) - age}
    return come_back(client, sent["state"])


@pytest.mark.parametrize("age", [3600, None])
def test_login_once_more_without_a_word_is_not_fresh(
    client_as: ClientAs, kakao: FakeKakao, clock: Any, age: int | None
) -> None:
    client = aged(clock, client_as("minji"))
    kakao.me = person(MINJI)
    assert silent_login(client, kakao, age).status_code == 302
    assert client.get("/users/me/").status_code == 200
    assert not is_fresh(client)


def test_login_after_a_logout_is_as_old_as_the_proof_behind_it(
    client_as: ClientAs, kakao: FakeKakao, clock: Any
) -> None:
    client = aged(clock, client_as("minji"))
    kakao.me = person(MINJI)
    post(client, "/kakao/logout/")
    assert silent_login(client, kakao, 3600).status_code == 302
    assert not is_fresh(client)
    clock.shift(1)
    assert silent_login(client, kakao, 0).status_code == 302
    assert is_fresh(client)


def test_tokens_of_a_front_end_are_as_old_as_the_proof_behind_them(
    app: Flask, client: FlaskClient, people: People, kakao: FakeKakao
) -> None:
    kakao.me = person(MINJI)
    for age, status in ((3600, 401), (10, 204)):
        answer = silent_login(client, kakao, age, mode="jwt")
        access = next(
            cookie.split("=", 1)[1].split(";")[0]
            for cookie in answer.headers.getlist("Set-Cookie")
            if "access_token" in cookie
        )
        assert api_client(app, access).get("/api/users/me/").status_code == 200
        assert api_client(app, access).delete("/api/users/me/").status_code == status


def test_tokens_of_a_front_end_without_a_proof_are_as_old_as_the_session_they_come_from(
    app: Flask, client_as: ClientAs, kakao: FakeKakao, clock: Any
) -> None:
    client = aged(clock, client_as("minji"))
    kakao.me = person(MINJI)
    cookies = silent_login(client, kakao, None, mode="jwt").headers.getlist("Set-Cookie")
    access = next(one.split("=", 1)[1].split(";")[0] for one in cookies if "access_token" in one)
    assert api_client(app, access).get("/api/users/me/").status_code == 200
    problem(api_client(app, access).delete("/api/users/me/"), 401, "FRESH_LOGIN_REQUIRED")


@pytest.mark.parametrize(("age", "status"), [(3600, 401), (10, 204)])
def test_login_of_an_app_by_code_is_as_old_as_the_proof_behind_it(
    app: Flask, client: FlaskClient, people: People, kakao: FakeKakao, age: int, status: int
) -> None:
    kakao.me = person(MINJI)
    kakao.nonce, kakao.id_claims = "n", {"auth_time": int(datetime.now(UTC).timestamp()) - age}
    body = {"code": "c", "redirect_uri": "https://app.example/back", "nonce": "n"}
    answer = client.post("/api/auth/kakao/", json=body)
    assert answer.status_code == 200, answer.text
    app_of = api_client(app, answer.json["access_token"])
    assert app_of.delete("/api/users/me/").status_code == status


def test_reason_for_lifting_a_suspension_is_there_again(
    app: Flask, client_as: ClientAs, people: People, clock: Any
) -> None:
    with app.app_context():
        roles.change_user(people["gone"], is_active=False)
        leaving.withdraw(people["gone"])
    hana, path = aged(clock, client_as("hana")), f"/users/suspended/{people['gone']}/lift/"
    assert target_of(post(hana, path, reason="오해였어요")) == path
    assert "오해였어요" in hana.get(path).text


def test_page_says_that_something_is_kept_only_if_it_is(client_as: ClientAs, clock: Any) -> None:
    client = aged(clock, client_as("hana"))
    for path, reason, is_kept in (
        ("/users/me/withdraw/", "", False),
        ("/users/1/suspend/", "스팸", True),
        ("/users/1/end-sessions/", "x" * 3000, False),
    ):
        answer = post(client, path, **({"reason": reason} if reason else {}))
        assert ("입력한 내용은" in client.get(answer.location).text) is is_kept, path
