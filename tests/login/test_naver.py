"""Naver as a login: site and sandbox together."""

import hashlib
import hmac
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from flask import Flask
from support import csrf_token
from support.neighbours import Neighbours, neighbours_of

from kakaoauth import config
from kakaoauth.accounts import leaving
from kakaoauth.config.checks import ConfigError
from kakaoauth.config.sandbox import SANDBOX_NAVER_CLIENT_ID, SANDBOX_NAVER_CLIENT_SECRET
from kakaoauth.models import find_identity
from kakaoauth.sandbox.people.naver import SAMPLE_PEOPLE

APP = "http://localhost:8002/oauth"
SUBJECTS = {person.key: person.subject for person in SAMPLE_PEOPLE}
REAL = {"KAKAO_CLIENT_ID": "r" * 32, "SECRET_KEY": "k" * 40, "REDIS_URL": "redis://127.0.0.1:1"}


@pytest.fixture
def naver(make_app: Callable[..., Flask]) -> Iterator[Neighbours]:
    with neighbours_of("naver", make_app, KAKAOAUTH_EMAIL_REQUIRED=False) as found:
        yield found


@pytest.fixture
def strict(make_app: Callable[..., Flask]) -> Iterator[Neighbours]:
    """A site that requires an e-mail address, as is the default."""
    with neighbours_of("naver", make_app) as found:
        yield found


def test_person_comes_in_without_an_address(naver: Neighbours) -> None:
    browser, answer = naver.enter("boram", "nickname", "profile_image")
    assert (answer.status_code, answer.location) == (302, "/")
    (user,) = naver.users()
    assert (user.provider, user.email, user.name, user.nickname) == ("naver", None, "윤보람", "보람")
    assert user.profile_image is not None
    assert user.profile_image.startswith("https://phinf.pstatic.net/")
    assert "Naver" in browser.get("/users/me/").text
    with naver.app.app_context():
        assert find_identity("naver", SUBJECTS["boram"])


def test_every_item_is_read(naver: Neighbours) -> None:
    items = dict.fromkeys(("name", "nickname", "gender", "age", "birthyear", "birthday", "mobile"), "required")
    naver.own("app", items=items)
    naver.enter("boram")
    (user,) = naver.users()
    assert (user.gender, user.age_range) == ("female", "30~39")
    assert user.age is not None
    assert 33 <= user.age <= 50


def test_items_that_were_kept_are_no_error(naver: Neighbours) -> None:
    naver.own("app", items={"name": "optional", "nickname": "optional"})
    naver.enter("refuses")
    (user,) = naver.users()
    assert (user.name, user.nickname, user.profile_image) == (None, None, None)


def test_nickname_that_nobody_set_is_none(naver: Neighbours) -> None:
    naver.enter("noemail", "nickname")
    assert naver.users()[0].nickname is None


def test_old_number_is_text_and_no_kakao_user(naver: Neighbours) -> None:
    naver.enter("oldid")
    with naver.app.app_context():
        assert find_identity("naver", "3902187701")
        assert find_identity("kakao", "3902187701") is None


def test_markup_in_a_name_is_text(naver: Neighbours) -> None:
    browser, _ = naver.enter("html", "nickname")
    page = browser.get("/users/me/").text
    assert "<script>alert" not in page
    assert "<i>여우</i>" not in page


def test_request_is_what_naver_wants(naver: Neighbours) -> None:
    location = naver.visitor().get("/naver/login/").location
    assert urlsplit(location).path == "/naver/oauth2.0/authorize"
    query = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    assert "scope" not in query
    assert "auth_type" not in query
    assert query["redirect_uri"] == naver.callback
    asked = parse_qs(urlsplit(naver.visitor().get("/naver/login/?prompt=login").location).query)
    assert asked["auth_type"] == ["reauthenticate"]
    asked = parse_qs(urlsplit(naver.visitor().get("/naver/login/?consent=account_email").location).query)
    assert asked["auth_type"] == ["reprompt"]


def test_site_that_requires_an_address_says_why_naver_alone_will_not_do(strict: Neighbours) -> None:
    _, answer = strict.enter("contact")
    assert answer.status_code == 403
    assert "Naver does not say whether an e-mail address is yours" in answer.text
    assert "Share my e-mail address" not in answer.text
    assert strict.users() == []
    answer = strict.api(**strict.own("people/contact/log-in", redirect_uri=APP, state="s"), redirect_uri=APP, state="s")
    assert (answer.json["code"], answer.json["case"], answer.json["required_scopes"]) == (
        *("EMAIL_REQUIRED", "not_vouched", []),
    )


def test_address_opens_no_account_of_another(naver: Neighbours) -> None:
    tokens = naver.order("people/haneul/log-in")
    body = {"access_token": tokens["access_token"]}
    assert naver.app.test_client().post("/api/auth/kakao/", json=body).status_code == 201
    naver.enter("haneul")
    assert {(user.provider, user.email) for user in naver.users()} == {("kakao", "haneul@example.kr"), ("naver", None)}


@pytest.mark.parametrize(
    ("endpoint", "fault", "status", "words"),
    [
        ("naver_token", "oauth_invalid_request", 400, "Naver says that this login was already used"),
        ("naver_token", "oauth_unauthorized_client", 400, "Naver says that this login was already used"),
        ("naver_token", "oauth_server_error", 503, "Naver does not answer at the moment"),
        ("naver_token", "http_503", 503, "Naver does not answer at the moment"),
        ("naver_token", "json_list", 503, "Naver does not answer at the moment"),
        ("naver_me", "naver_024", 400, "Naver says that this login was already used"),
        ("naver_me", "naver_403", 500, "Login does not work at the moment"),
        ("naver_me", "naver_429", 503, "Naver does not answer at the moment"),
        ("naver_me", "naver_500", 503, "Naver does not answer at the moment"),
        ("naver_me", "wrong_types", 503, "Naver does not answer at the moment"),
        ("naver_authorize", "account_access_denied", 200, "You cancelled the login"),
        ("naver_authorize", "account_unauthorized_client", 500, "Login does not work at the moment"),
        ("naver_authorize", "account_temporarily_unavailable", 503, "Naver does not answer at the moment"),
    ],
)
def test_failure_is_told_in_words(
    naver: Neighbours, caplog: Any, endpoint: str, fault: str, status: int, words: str
) -> None:
    caplog.set_level("DEBUG")
    naver.order("faults", endpoint=endpoint, fault=fault)
    _, answer = naver.enter("boram")
    assert (answer.status_code, words in answer.text) == (status, True)
    assert naver.users() == []
    assert SANDBOX_NAVER_CLIENT_SECRET not in caplog.text
    korean = naver.app.test_client()
    korean.get("/?lang=ko")
    told = naver.back(korean, naver.walk(naver.press(korean), "boram"))
    assert told.status_code == status
    assert words not in told.text


def test_wrong_secret_is_the_operators_to_mend(naver: Neighbours, caplog: Any) -> None:
    naver.own("app", client_secret="another")
    _, answer = naver.enter("boram")
    assert (answer.status_code, "unauthorized_client" in answer.text) == (500, True)
    assert [record for record in caplog.records if record.levelname == "CRITICAL"]


def test_made_up_code_raises_no_alarm(naver: Neighbours, caplog: Any) -> None:
    naver.order("faults", endpoint="naver_token", fault="oauth_unauthorized_client")
    answer = naver.api(code="made-up", redirect_uri=APP, state="s")
    assert (answer.status_code, answer.json["code"]) == (401, "INVALID_ACCESS_TOKEN")
    assert not [record for record in caplog.records if record.levelname == "CRITICAL"]


def test_callback_twice_and_back_button_end_logged_in(naver: Neighbours) -> None:
    browser = naver.visitor()
    step = naver.walk(naver.press(browser, next="/users/me/"), "boram")
    for _ in range(3):
        assert naver.back(browser, step).location == "/users/me/"
    spent = [entry for entry in naver.order("log", "GET") if entry["path"] == "/naver/oauth2.0/token"]
    assert len(spent) == 1
    assert naver.back(naver.visitor(), step).status_code == 400


# The API


def test_app_logs_in_by_code_and_state(naver: Neighbours) -> None:
    code = naver.own("people/boram/log-in", redirect_uri=APP, state="s-1")["code"]
    answer = naver.api(code=code, redirect_uri=APP, state="s-1")
    assert (answer.status_code, answer.json["user"]["name"]) == (201, "윤보람")
    code = naver.own("people/boram/log-in", redirect_uri=APP, state="s-2")["code"]
    refused = naver.api(code=code, redirect_uri=APP, state="another")
    assert (refused.status_code, refused.json["code"]) == (401, "INVALID_ACCESS_TOKEN")
    missing = naver.api(code=code, redirect_uri=APP)
    assert (missing.status_code, list(missing.json["fields"])) == (400, ["state"])


def test_door_for_access_tokens_is_closed_and_says_why(naver: Neighbours) -> None:
    for token in (naver.own("people/boram/log-in"), naver.own("tokens", person="boram")):
        answer = naver.api(access_token=token["access_token"])
        assert (answer.status_code, answer.json["code"]) == (403, "FORBIDDEN")
        assert "for which app a token was made" in answer.json["detail"]
    assert naver.api(id_token="a.b.c").status_code == 401
    assert naver.users() == []


# The end


def test_withdrawal_is_told_to_naver(naver: Neighbours) -> None:
    naver.enter("boram")
    assert naver.is_linked("boram")
    with naver.app.app_context():
        (job,) = leaving.withdraw(naver.users()[0].id)
        assert leaving.try_unlink(job)
    assert not naver.is_linked("boram")


def test_withdrawal_waits_while_naver_refuses_and_not_for_a_dead_token(naver: Neighbours) -> None:
    naver.enter("boram")
    naver.order("faults", endpoint="naver_revoke", fault="oauth_temporarily_unavailable")
    with naver.app.app_context():
        (job,) = leaving.withdraw(naver.users()[0].id)
        assert not leaving.try_unlink(job)
        naver.order("faults", "DELETE")
        assert leaving.retry_unlinks(everything=True) == (1, 0)
    assert not naver.is_linked("boram")


def test_fresh_login_is_asked_of_naver(naver: Neighbours) -> None:
    browser, _ = naver.enter("boram")
    data = {"csrf_token": csrf_token(browser), "next": "/users/me/"}
    begun = browser.post("/users/me/confirm/naver/", data=data)
    assert parse_qs(urlsplit(begun.location).query)["auth_type"] == ["reauthenticate"]
    answer = naver.back(browser, naver.walk(naver.follow(begun.location), "boram"))
    assert answer.location == "/users/me/"
    data["csrf_token"] = csrf_token(browser)
    begun = browser.post("/users/me/confirm/naver/", data=data)
    assert naver.back(browser, naver.walk(naver.follow(begun.location), "haneul")).status_code == 403


# The message of a disconnect


def test_person_who_leaves_at_naver_is_erased_here(naver: Neighbours) -> None:
    browser, _ = naver.enter("boram")
    [sent] = naver.own("people/boram/remove", wait=True)
    assert sent["status"] == 204
    assert browser.get("/users/me/").status_code == 302
    assert naver.users() == []


def send(naver: Neighbours, *flaws: str) -> list[int]:
    sent = naver.own("messages/send", event="disconnect", person="boram", flaws=list(flaws), wait=True)
    return [one["status"] for one in sent]


@pytest.mark.parametrize(
    "flaw",
    [
        *("bad_signature", "other_secret", "wrong_app", "broken_base64", "not_decryptable", "iat_past", "iat_future"),
        *("no_user", "no_signature"),
    ],
)
def test_message_that_is_not_genuine_is_refused(naver: Neighbours, flaw: str) -> None:
    browser, _ = naver.enter("boram")
    assert send(naver, flaw) == [400]
    assert browser.get("/users/me/").status_code == 200


@pytest.mark.parametrize(
    ("flaw", "statuses"), [("in_query", [204]), ("duplicate", [204, 204]), ("unknown_user", [204])]
)
def test_message_with_an_oddity_is_taken(naver: Neighbours, flaw: str, statuses: list[int]) -> None:
    naver.enter("boram")
    assert send(naver, flaw) == statuses
    assert bool(naver.users()) == (flaw == "unknown_user")


def test_message_before_a_new_link_changes_nothing(naver: Neighbours) -> None:
    naver.enter("boram")
    with naver.app.app_context():
        user = naver.users()[0]
        fields = message(int(time.time()) - 600, SUBJECTS["boram"])
        answer = naver.app.test_client().post("/webhooks/naver/disconnect/", data=fields)
        assert answer.status_code == 204
        assert [one.id for one in naver.users()] == [user.id]


@pytest.mark.parametrize("field", ["clientId", "encryptUniqueId", "timestamp", "signature"])
def test_doubled_or_changed_field_is_refused(naver: Neighbours, field: str) -> None:
    fields = message(int(time.time()), SUBJECTS["boram"])
    client = naver.app.test_client()
    assert client.post("/webhooks/naver/disconnect/", data={**fields, field: [fields[field]] * 2}).status_code == 400
    assert client.post("/webhooks/naver/disconnect/", data={**fields, field: fields[field] + "0"}).status_code == 400
    assert client.post("/webhooks/naver/disconnect/", data={"x": "y" * 70_000}).status_code == 413
    assert client.post("/webhooks/naver/disconnect/", data=fields).status_code == 204


def message(timestamp: int, subject: str) -> dict[str, str]:
    """Made by the document's recipe, with an IV of zeros."""
    key = hashlib.md5(SANDBOX_NAVER_CLIENT_SECRET.encode()).digest()
    padder = padding.PKCS7(128).padder()
    content = padder.update(subject.encode()) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor()
    encrypted = bytes(16) + encryptor.update(content) + encryptor.finalize()
    fields = {"clientId": SANDBOX_NAVER_CLIENT_ID, "encryptUniqueId": urlsafe_b64encode(encrypted).decode().rstrip("=")}
    fields["timestamp"] = str(timestamp)
    text = "&".join(f"{name}={value}" for name, value in fields.items())
    signature = hmac.digest(key, text.encode(), "sha256")
    return fields | {"signature": urlsafe_b64encode(signature).decode().rstrip("=")}


# Settings


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"NAVER_CLIENT_ID": "x"}, "NAVER_CLIENT_SECRET is not"),
        ({"NAVER_CLIENT_SECRET": "x"}, "NAVER_CLIENT_SECRET is set but NAVER_CLIENT_ID is not"),
        ({"NAVER_NID_URL": "https://login.example"}, "NAVER_NID_URL is set but NAVER_CLIENT_ID is not"),
        ({"NAVER_REDIRECT_URI": "https://a.example/"}, "NAVER_REDIRECT_URI is set but"),
        ({"NAVER_CLIENT_ID": SANDBOX_NAVER_CLIENT_ID}, "NAVER_CLIENT_ID is the sandbox's"),
    ],
)
def test_half_a_configuration_is_refused(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config.load({**REAL, **settings})


def test_button_leads_to_naver_and_stands_after_kakaos(naver: Neighbours) -> None:
    page = naver.visitor().get("/").text
    assert "Log in with Naver" in page
    assert page.index('class="login kakao"') < page.index('class="login naver"')
    korean = naver.app.test_client()
    korean.get("/?lang=ko")
    assert "네이버 로그인" in korean.get("/").text
