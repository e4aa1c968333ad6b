"""Facebook as the second way in: from the button to the session, and beside Kakao."""

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import requests_mock
from flask import Flask
from flask.testing import FlaskClient
from support import FakeKakao, csrf_token
from support import begin_login as begin_kakao
from support import log_in as log_in_by_kakao
from support import person as kakao_person
from support.facebook import (
    ACCESS_TOKEN,
    CANARIES,
    ME_URL,
    SETTINGS,
    SUBJECT,
    TOKEN_URL,
    FakeFacebook,
    begin_login,
    come_back,
    log_in,
    person,
)

from kakaoauth import config, providers
from kakaoauth.accounts import roles
from kakaoauth.config.checks import ConfigError
from kakaoauth.config.embedded import SANDBOX_FACEBOOK_CLIENT_ID, SANDBOX_FACEBOOK_CLIENT_SECRET
from kakaoauth.counting import counters
from kakaoauth.models import Identity, User, find_identity
from kakaoauth.storage.database import db

FRONT = "https://front.example.kr"


@pytest.fixture
def mock() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as found:
        yield found


@pytest.fixture
def kakao(mock: requests_mock.Mocker, kakao_key: Any) -> FakeKakao:
    return FakeKakao(mock, kakao_key)


@pytest.fixture
def facebook(mock: requests_mock.Mocker) -> FakeFacebook:
    return FakeFacebook(mock)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(**SETTINGS, KAKAOAUTH_FRONTEND_ORIGINS=(FRONT,))


def users(app: Flask) -> list[User]:
    with app.app_context():
        return list(db.session.scalars(db.select(User).order_by(User.id)))


# The way in


def test_button_leads_in(client: FlaskClient, app: Flask, facebook: FakeFacebook) -> None:
    page = client.get("/?lang=en")
    assert 'class="login facebook"' in page.text
    assert "Log in with Facebook" in page.text
    answer = log_in(client, next="/users/me/")
    assert (answer.status_code, answer.location) == (302, "/users/me/")
    (user,) = users(app)
    assert (user.provider, user.name, user.email) == ("facebook", "민지 Kim", f"f{SUBJECT}@example.kr")
    assert user.profile_image.startswith("https://platform-lookaside.fbsbx.com/")
    page = client.get("/users/me/?lang=en").text
    assert "Facebook" in page
    assert 'action="/facebook/logout/"' in page
    assert client.get("/").text.count("민지 Kim") == 1


def test_login_asks_facebook_twice_and_a_repeated_callback_not_again(
    client: FlaskClient, facebook: FakeFacebook
) -> None:
    state = begin_login(client)["state"]
    for _ in range(3):
        assert come_back(client, state).status_code == 302
    assert [call.url.split("?")[0] for call in facebook.calls()] == [TOKEN_URL, ME_URL]


def test_second_login_finds_the_same_account(app: Flask, facebook: FakeFacebook) -> None:
    for name in ("민지", "민지 Kim"):
        facebook.me = person(name=name)
        assert log_in(app.test_client()).status_code == 302
    (user,) = users(app)
    assert user.name == "민지 Kim"


def test_no_secret_in_log_or_page(client: FlaskClient, facebook: FakeFacebook, caplog: Any) -> None:
    caplog.set_level("DEBUG")
    text = log_in(client).text + client.get("/users/me/").text
    facebook.fails(TOKEN_URL, {"code": 100, "subcode": 36009})
    text += log_in(client).text
    assert not any(canary in caplog.text + text for canary in CANARIES)


def test_logout_page_offers_no_logout_at_facebook(client: FlaskClient, facebook: FakeFacebook) -> None:
    log_in(client)
    page = client.get("/facebook/logout/?lang=en").text
    assert "Your Facebook account stays logged in" in page
    assert 'name="account"' not in page
    answer = client.post("/facebook/logout/", data={"csrf_token": csrf_token(client), "account": "1"})
    assert (answer.status_code, answer.location) == (302, "/")
    assert client.get("/users/me/").status_code == 302


def test_withdrawal_unlinks_at_facebook(client: FlaskClient, app: Flask, facebook: FakeFacebook) -> None:
    log_in(client)
    page = client.get("/users/me/withdraw/?lang=en").text
    assert "The connection between your Facebook account and this site" in page
    assert "Kakao" not in page
    client.post("/users/me/withdraw/", data={"csrf_token": csrf_token(client, "/users/me/withdraw/")})
    assert users(app) == []
    (call,) = [call for call in facebook.calls() if call.method == "DELETE"]
    assert call.headers["Authorization"] == f"Bearer {ACCESS_TOKEN}"


# Not configured


@pytest.mark.parametrize("name", ["facebook", "nobody"])
def test_provider_that_is_off_is_nobodys(make_app: Callable[..., Flask], name: str) -> None:
    client = make_app().test_client()
    assert "login facebook" not in client.get("/").text
    answers = [client.get(f"/{name}/{path}") for path in ("login/", "login/callback/?state=x&code=y", "logout/")]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    unknown = client.get("/nobody/login/").text
    assert answers[0].text.split("ref")[0] == unknown.split("ref")[0]


def test_who_came_by_a_provider_that_is_off_can_still_log_out(make_app: Callable[..., Flask], kakao: FakeKakao) -> None:
    app = make_app()
    client = app.test_client()
    log_in_by_kakao(client, kakao)
    with app.app_context():
        db.session.execute(db.update(User).values(provider="facebook"))
        db.session.commit()
    assert 'action="/kakao/logout/"' in client.get("/users/me/").text


def test_site_without_kakao_sends_nobody_to_kakaos_logout(client: FlaskClient, facebook: FakeFacebook) -> None:
    log_in(client)
    with client.application.app_context():
        db.session.execute(db.update(User).values(provider=None))
        db.session.commit()
    client.application.extensions[providers.EXTENSION].configured.pop("kakao")
    assert 'action="/facebook/logout/"' in client.get("/users/me/").text


def test_page_of_the_sites_own_that_asks_facebook_in_vain_names_facebook(
    client: FlaskClient, facebook: FakeFacebook
) -> None:
    @client.application.get("/from-facebook/")
    def from_facebook() -> dict[str, str]:
        return providers.find_provider("facebook").get("/me").json()  # type: ignore[union-attr, no-any-return]

    log_in(client)
    facebook.mock.get(ME_URL, status_code=503)
    assert "<h1>Facebook does not answer at the moment</h1>" in client.get("/from-facebook/?lang=en").text


# Two providers


def test_state_of_one_provider_is_unknown_to_the_other(
    client: FlaskClient, app: Flask, facebook: FakeFacebook, kakao: FakeKakao
) -> None:
    of_facebook, of_kakao = begin_login(client)["state"], begin_kakao(client)["state"]
    swapped = [
        client.get("/kakao/login/callback/", query_string={"state": of_facebook, "code": "x"}),
        client.get("/facebook/login/callback/", query_string={"state": of_kakao, "code": "x"}),
    ]
    assert [answer.status_code for answer in swapped] == [400, 400]
    assert 'data-code="UNKNOWN_STATE"' in swapped[0].text
    assert not facebook.calls()
    assert users(app) == []


def test_same_number_at_both_is_two_people(app: Flask, facebook: FakeFacebook, kakao: FakeKakao) -> None:
    kakao.me = kakao_person(int(SUBJECT))
    log_in(app.test_client())
    log_in_by_kakao(app.test_client(), kakao)
    with app.app_context():
        one, two = find_identity("facebook", SUBJECT), find_identity("kakao", SUBJECT)
        assert one
        assert two
        assert one.user_id != two.user_id


def test_email_of_a_kakao_account_joins_nobody(app: Flask, facebook: FakeFacebook, kakao: FakeKakao) -> None:
    kakao.me = kakao_person(1000, email="minji@example.kr")
    log_in_by_kakao(app.test_client(), kakao)
    facebook.me = person(email="Minji@Example.kr")
    client = app.test_client()
    answer = log_in(client, lang="en")
    assert answer.status_code == 409
    answer = client.get(answer.request.path, query_string=answer.request.query_string.decode() + "&lang=en")
    assert "That account logs in with Kakao" in answer.text
    assert 'href="/kakao/login/' in answer.text
    assert "select_account" not in answer.text, "Facebook does not know it"
    assert len(users(app)) == 1


def test_account_of_the_command_line_is_not_taken_over(app: Flask, facebook: FakeFacebook, kakao: FakeKakao) -> None:
    with app.app_context():
        roles.create_superuser("hana@example.kr")
    facebook.me = person(email="hana@example.kr")
    client = app.test_client()
    assert log_in(client).status_code == 409
    (user,) = users(app)
    assert user.provider is None
    kakao.me = kakao_person(7, email="hana@example.kr")
    assert log_in_by_kakao(client, kakao).status_code == 302
    assert users(app)[0].provider == "kakao"


def test_facebook_is_linked_to_a_kakao_account(app: Flask, facebook: FakeFacebook, kakao: FakeKakao) -> None:
    client = app.test_client()
    log_in_by_kakao(client, kakao)
    page = client.get("/users/me/?lang=en")
    assert "Connect Facebook" in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "https://www.facebook.com https://m.facebook.com" in policy.split("form-action", 1)[1]
    answer = client.post("/users/me/link/facebook/", data={"csrf_token": csrf_token(client)})
    assert answer.location.startswith("https://www.facebook.com/v24.0/dialog/oauth?")
    state = answer.location.split("state=")[1].split("&")[0]
    assert come_back(client, state).status_code == 302
    with app.app_context():
        assert db.session.scalar(db.select(db.func.count(User.id))) == 1
        assert db.session.scalar(db.select(db.func.count(Identity.id))) == 2
    other = app.test_client()
    assert log_in(other).status_code == 302
    assert "민지" in other.get("/users/me/").text


# The e-mail


def test_without_an_email_it_is_asked_for_again(client: FlaskClient, app: Flask, facebook: FakeFacebook) -> None:
    facebook.me = person(email=None)
    client.get("/?lang=en")
    answer = log_in(client, next="/users/me/")
    assert answer.status_code == 403
    assert 'data-code="EMAIL_REQUIRED"' in answer.text
    link = answer.text.split('href="/facebook/login/?')[1].split('"')[0].replace("&amp;", "&")
    assert "consent=account_email" in link
    assert users(app) == []
    sent = begin_login(client, consent="account_email", next="/users/me/")
    assert sent["auth_type"] == "rerequest"
    facebook.me = person()
    assert come_back(client, sent["state"]).location == "/users/me/"


def test_unusable_email_is_facebooks(client: FlaskClient, facebook: FakeFacebook) -> None:
    facebook.me = person(email="nobody")
    client.get("/?lang=en")
    assert "Facebook sent an e-mail address that cannot be used. Please check it in your Facebook account." in (
        log_in(client).text
    )


def test_people_without_an_email_come_in_where_none_is_needed(
    make_app: Callable[..., Flask], facebook: FakeFacebook
) -> None:
    app = make_app(**SETTINGS, KAKAOAUTH_EMAIL_REQUIRED=False)
    facebook.me = person(email=None)
    client = app.test_client()
    assert log_in(client).status_code == 302
    assert 'href="/facebook/login/?consent=account_email' in client.get("/users/me/").text


# Facebook's faults


@pytest.mark.parametrize(
    "answer",
    [
        {"exc": requests.ConnectionError},
        {"exc": requests.ReadTimeout},
        {"status_code": 500, "json": {"error": {"code": 1, "message": "canary-message"}}},
        {"text": "<html>", "headers": {"Content-Type": "text/html"}},
        {"content": b"\xff\xfe\x00"},
    ],
    ids=["down", "slow", "fault", "html", "garbage"],
)
def test_page_says_that_facebook_does_not_answer(
    client: FlaskClient, app: Flask, facebook: FakeFacebook, answer: dict[str, Any]
) -> None:
    facebook.mock.get(ME_URL, **answer)
    for language, said in (("ko", "지금 페이스북에서 응답이 없어요"), ("en", "Facebook does not answer at the moment")):
        client.get(f"/?lang={language}")
        page = log_in(client)
        assert page.status_code == 503
        assert int(page.headers["Retry-After"]) > 0
        assert said in page.text
        assert "Kakao" not in page.text
        assert "카카오" not in page.text
    assert users(app) == []


def test_failure_is_the_same_on_reload(client: FlaskClient, facebook: FakeFacebook) -> None:
    facebook.fails(TOKEN_URL, {"code": 100, "subcode": 36009})
    client.get("/?lang=en")
    state = begin_login(client)["state"]
    one, two = come_back(client, state), come_back(client, state)
    assert (one.status_code, two.status_code) == (400, 400)
    for page in (one, two):
        assert "Facebook says that this login was already used" in page.text
        assert "100/36009" in page.text
        assert 'href="/facebook/login/' in page.text
    assert len(facebook.calls(TOKEN_URL)) == 1


def test_retired_version_alarms_the_operator(client: FlaskClient, facebook: FakeFacebook, caplog: Any) -> None:
    facebook.fails(ME_URL, {"code": 2635})
    page = log_in(client)
    assert page.status_code == 500
    assert "FACEBOOK" not in page.text
    alarms = [record.getMessage() for record in caplog.records if record.levelno == logging.CRITICAL]
    assert len(alarms) == 1
    assert "set FACEBOOK_GRAPH_VERSION" in alarms[0]


@pytest.mark.parametrize("code", ["901", "1349126", "190", "2", "4", "777777"])
def test_a_code_that_the_browser_brings_is_no_alarm_and_no_label(
    app: Flask, client: FlaskClient, facebook: FakeFacebook, caplog: Any, code: str
) -> None:
    state = begin_login(client)["state"]
    page = client.get("/facebook/login/callback/", query_string={"error_code": code, "state": state})
    assert page.status_code >= 400
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    with app.app_context():
        labels = {label for name, label in counters.totals() if name == "login_refused"}
    assert not [
        label for label in labels if code in label.split() or "MISCONFIGURED" in label or "UNAVAILABLE" in label
    ]


def test_who_cancels_is_told_so(client: FlaskClient, facebook: FakeFacebook) -> None:
    state = begin_login(client)["state"]
    denied = {"error": "access_denied", "error_code": "200", "error_reason": "user_denied"}
    query = {**denied, "error_description": "Permissions error", "state": state}
    page = client.get("/facebook/login/callback/", query_string=query)
    assert (page.status_code, 'data-code="LOGIN_CANCELLED"' in page.text) == (200, True)
    assert not facebook.calls()


def test_dialog_that_sends_a_number_only_is_understood(client: FlaskClient, facebook: FakeFacebook) -> None:
    query = {"error_code": "901", "error_message": "canary-message", "state": begin_login(client)["state"]}
    page = client.get("/facebook/login/callback/", query_string=query)
    assert (page.status_code, "canary" in page.text) == (500, False)
    assert 'data-code="MISCONFIGURED"' in page.text


# Facebook's fragment


def test_front_end_is_reached_without_facebooks_fragment(
    client: FlaskClient, facebook: FakeFacebook, kakao: FakeKakao
) -> None:
    assert log_in(client, next=f"{FRONT}/welcome?a=1").location == f"{FRONT}/welcome?a=1#"
    assert log_in(client, next=f"{FRONT}/welcome#here").location == f"{FRONT}/welcome#here"
    assert log_in(client, next="/users/me/").location == "/users/me/"
    kakao.me = kakao_person(1)
    other = client.application.test_client()
    assert log_in_by_kakao(other, kakao, next=f"{FRONT}/welcome").location == f"{FRONT}/welcome"


def test_own_pages_bring_the_script_that_removes_it(client: FlaskClient) -> None:
    page = client.get("/")
    found = re.search(r'<script src="(/kakaoauth/clean-address\.[0-9a-f]{8}\.js)" defer></script>', page.text)
    assert found
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    with client.get(found[1]) as script:
        assert '"#_=_"' in script.text


# Settings


def load(**settings: Any) -> dict[str, Any]:
    return config.load({"SECRET_KEY": "k" * 40, **settings})


def refused(**settings: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(**settings)
    return str(caught.value)


REAL = {"KAKAO_CLIENT_ID": "0a1b2c3d4e5f60718293a4b5c6d7e8f9"}


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"FACEBOOK_CLIENT_ID": "1"}, "FACEBOOK_CLIENT_SECRET"),
        ({"FACEBOOK_CLIENT_SECRET": "canary"}, "set FACEBOOK_CLIENT_ID"),
        ({"FACEBOOK_REDIRECT_URI": "https://a.kr/"}, "set FACEBOOK_CLIENT_ID"),
        ({"FACEBOOK_GRAPH_URL": "https://a.kr"}, "set FACEBOOK_CLIENT_ID"),
        ({**SETTINGS, "FACEBOOK_GRAPH_VERSION": "24"}, "FACEBOOK_GRAPH_VERSION"),
        ({**SETTINGS, "FACEBOOK_GRAPH_VERSION": "v24.0/x"}, "FACEBOOK_GRAPH_VERSION"),
        ({**SETTINGS, "FACEBOOK_DIALOG_URL": "http://a.kr"}, "FACEBOOK_DIALOG_URL"),
        ({**SETTINGS, "FACEBOOK_GRAPH_URL": "https://a.kr/v24.0"}, "FACEBOOK_GRAPH_URL"),
        ({**SETTINGS, "FACEBOOK_REDIRECT_URI": "http://a.kr/"}, "FACEBOOK_REDIRECT_URI"),
        ({**REAL, "FACEBOOK_CLIENT_ID": SANDBOX_FACEBOOK_CLIENT_ID}, "FACEBOOK_CLIENT_ID is the sandbox's"),
    ],
)
def test_half_a_configuration_is_refused(settings: dict[str, Any], names: str) -> None:
    said = refused(**settings)
    assert names in said
    assert "canary" not in said
    assert "\n" not in said


def test_sandbox_brings_its_facebook_only_on_demand() -> None:
    assert load()["FACEBOOK_CLIENT_ID"] == ""
    values = load(FACEBOOK_CLIENT_ID=SANDBOX_FACEBOOK_CLIENT_ID, SANDBOX_PORT=8123)
    assert values["FACEBOOK_CLIENT_SECRET"] == SANDBOX_FACEBOOK_CLIENT_SECRET
    assert values["FACEBOOK_DIALOG_URL"] == values["FACEBOOK_GRAPH_URL"] == "http://127.0.0.1:8123"


def test_public_redirect_uri_does_not_go_with_the_sandbox() -> None:
    said = refused(**SETTINGS, FACEBOOK_REDIRECT_URI="https://site.example.kr/cb/")
    assert "FACEBOOK_REDIRECT_URI is a public address" in said


def test_host_of_the_redirect_uri_is_ours(make_app: Callable[..., Flask]) -> None:
    app = make_app(**SETTINGS, FACEBOOK_REDIRECT_URI="https://site.example.kr/facebook/login/callback/")
    client, hosts = app.test_client(), ("site.example.kr", "evil.kr")
    assert [client.get("/", base_url=f"https://{host}").status_code for host in hosts] == [200, 400]
    query = begin_login(app.test_client())
    assert query["redirect_uri"] == "https://site.example.kr/facebook/login/callback/"
