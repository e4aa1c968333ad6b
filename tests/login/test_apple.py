"""Apple as a login: site and sandbox together."""

import json
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from redis import Redis
from support.accounts import posted
from support.neighbours import Neighbours, neighbours_of

from kakaoauth import config
from kakaoauth.accounts import leaving
from kakaoauth.config.checks import ConfigError
from kakaoauth.config.sandbox import (
    SANDBOX_APPLE_CLIENT_ID,
    SANDBOX_APPLE_KEY_ID,
    SANDBOX_APPLE_PRIVATE_KEY,
    SANDBOX_APPLE_TEAM_ID,
)
from kakaoauth.providers.apple import read_name
from kakaoauth.providers.apple.client_secret import SigningKey
from kakaoauth.sandbox.people.apple import SAMPLE_PEOPLE

APP = "http://localhost:8002/oauth"
APP_ID = "kr.example.sandbox.app"
CALLBACK = "/apple/login/callback/"
SUBJECTS = {person.key: person.subject for person in SAMPLE_PEOPLE}
REAL = {"KAKAO_CLIENT_ID": "r" * 32, "SECRET_KEY": "k" * 40, "REDIS_URL": "redis://127.0.0.1:1"}
WHOLE = {"APPLE_CLIENT_ID": "kr.x.web", "APPLE_TEAM_ID": "TEAM000001", "APPLE_KEY_ID": "KEY0000001"}
WHOLE |= {"APPLE_PRIVATE_KEY": SANDBOX_APPLE_PRIVATE_KEY}


@pytest.fixture
def apple(make_app: Callable[..., Flask]) -> Iterator[Neighbours]:
    with neighbours_of("apple", make_app, APPLE_ID_TOKEN_AUDIENCES=APP_ID) as found:
        yield found


def answer_of(apple: Neighbours, browser: FlaskClient, person: str = "haneul", **query: str) -> dict[str, str]:
    """The fields of the form that Apple's page sends."""
    return posted(apple.walk(apple.press(browser, **query), person), apple.callback)


def post(apple: Neighbours, fields: dict[str, Any]) -> Any:
    """As a browser does from another site: without the session's cookie, which is SameSite=Lax."""
    return apple.app.test_client().post(CALLBACK, data=fields)


def test_person_comes_in_with_the_name_that_comes_once(apple: Neighbours) -> None:
    browser, answer = apple.enter("haneul")
    assert (answer.status_code, answer.location) == (302, "/")
    (user,) = apple.users()
    assert (user.provider, user.email, user.name) == ("apple", "haneul@example.kr", "김하늘")
    assert "Apple" in browser.get("/users/me/").text
    _, again = apple.enter("haneul")
    assert again.status_code == 302
    assert [user.name for user in apple.users()] == ["김하늘"]


def test_request_is_what_apple_wants(apple: Neighbours) -> None:
    location = apple.visitor().get("/apple/login/").location
    assert "scope=name%20email" in location
    query = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    assert (query["response_mode"], query["response_type"]) == ("form_post", "code")
    assert query["code_challenge_method"] == "S256"
    assert query["nonce"]


def test_relay_address_is_trusted(apple: Neighbours) -> None:
    apple.enter("hidden", hide_email="1")
    (user,) = apple.users()
    assert user.email is not None
    assert user.email.endswith("@privaterelay.appleid.com")


def test_flags_may_be_booleans(apple: Neighbours) -> None:
    apple.own("app", texts_for_flags=False)
    apple.enter("hidden", hide_email="1")
    assert len(apple.users()) == 1


@pytest.mark.parametrize(
    ("person", "words"),
    [
        ("school", "The e-mail address of your Apple account is not confirmed yet"),
        ("noemail", "You did not share your e-mail address"),
    ],
)
def test_without_a_trusted_address_nobody_comes_in(apple: Neighbours, person: str, words: str) -> None:
    _, answer = apple.enter(person)
    assert (answer.status_code, words in answer.text) == (403, True)
    assert apple.users() == []


def test_name_from_the_browser_is_text_and_replaces_none(apple: Neighbours) -> None:
    browser, _ = apple.enter("html")
    assert "<script>alert" not in browser.get("/users/me/").text
    name = apple.users()[0].name
    browser = apple.visitor()
    fields = answer_of(apple, browser, "html") | {"user": '{"name": {"firstName": "Mallory"}, "email": "m@mail.test"}'}
    assert browser.get(post(apple, fields).location).status_code == 302
    assert [(user.name, user.email) for user in apple.users()] == [(name, "fox.apple@example.com")]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ('{"name":{"firstName":"미나","lastName":"김"}}', "김미나"),
        ('{"name":{"firstName":"Mina","lastName":"Kim"},"email":"x@y.z"}', "Mina Kim"),
        ('{"name":{"firstName":"Mina"}}', "Mina"),
        ('{"name":{"firstName":"","lastName":""}}', None),
        ('{"name":"Mina"}', None),
        ('{"email":"x@y.z"}', None),
        ("[]", None),
        ("7", None),
        ("{", None),
        ("[" * 1500, None),
        ("", None),
        ('{"name":{"firstName":7,"lastName":["x"]}}', None),
    ],
)
def test_user_field_is_read_with_care(said: str, name: str | None) -> None:
    assert read_name(said) == name


# The POST


def test_post_sets_no_cookie_and_shows_no_code(apple: Neighbours, caplog: Any) -> None:
    caplog.set_level("DEBUG")
    browser = apple.visitor()
    fields = answer_of(apple, browser)
    answer = post(apple, fields)
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (303, False)
    for value in fields.values():
        assert value not in answer.location + caplog.text
    assert browser.get(answer.location).location == "/"
    assert fields["code"] not in caplog.text


def test_session_cookie_stays_lax(apple: Neighbours) -> None:
    answer = apple.app.test_client().get("/apple/login/")
    assert all("SameSite=Lax" in cookie for cookie in answer.headers.getlist("Set-Cookie"))
    assert answer.headers.getlist("Set-Cookie")


def test_double_click_reload_and_back_button_end_logged_in(apple: Neighbours) -> None:
    browser = apple.visitor()
    fields = answer_of(apple, browser, next="/users/me/")
    first, second = post(apple, fields).location, post(apple, fields).location
    assert first != second
    for location in (first, second, first):
        assert browser.get(location).location == "/users/me/"
    spent = [entry for entry in apple.order("log", "GET") if entry["path"] == "/apple/auth/token"]
    assert len(spent) == 1


def test_answer_is_worth_nothing_in_another_browser(apple: Neighbours) -> None:
    browser = apple.visitor()
    location = post(apple, answer_of(apple, browser)).location
    stranger = apple.visitor()
    stranger.get("/apple/login/")
    assert 'data-code="UNKNOWN_STATE"' in stranger.get(location).text
    assert 'data-code="COOKIE_LOST"' in apple.app.test_client().get(location).text
    assert browser.get(location).location == "/"


def test_kept_answer_is_encrypted_and_ends(apple: Neighbours, redis: Redis) -> None:
    browser = apple.visitor()
    fields = answer_of(apple, browser)
    location = post(apple, fields).location
    (key,) = redis.keys("posted_answer:*")
    assert fields["code"].encode() not in redis.get(key)
    assert 0 < redis.ttl(key) <= 600
    redis.delete(key)
    answer = browser.get(location)
    assert (answer.status_code, 'data-code="LOGIN_EXPIRED"' in answer.text) == (400, True)


@pytest.mark.parametrize(
    "change",
    [
        {"code": None},
        {"state": None},
        {"code": ["a", "b"]},
        {"state": "short"},
        {"code": "x" * 1001},
        {"error": "access_denied"},
        {"user": "x" * 2001},
    ],
)
def test_odd_form_is_refused_and_not_kept(apple: Neighbours, redis: Redis, change: dict[str, Any]) -> None:
    fields = answer_of(apple, apple.visitor()) | change
    answer = post(apple, {name: value for name, value in fields.items() if value is not None})
    assert answer.status_code == 400
    assert redis.keys("posted_answer:*") == []


def test_large_form_is_refused(apple: Neighbours) -> None:
    assert post(apple, {"state": "x" * 20_000}).status_code == 413


def test_others_take_no_post(apple: Neighbours) -> None:
    assert apple.app.test_client().post("/kakao/login/callback/", data={"code": "x"}).status_code == 405
    assert apple.app.test_client().post("/naver/login/callback/", data={"code": "x"}).status_code == 404


def test_kept_answer_is_for_its_own_provider(apple: Neighbours) -> None:
    browser = apple.visitor()
    location = post(apple, answer_of(apple, browser)).location
    assert browser.get(location.replace("/apple/", "/kakao/")).status_code == 400


def test_cancel_comes_back_by_post(apple: Neighbours) -> None:
    browser = apple.visitor()
    answer = apple.back(browser, apple.walk(apple.press(browser), "haneul", decision="cancel"))
    assert (answer.status_code, "You cancelled the login" in answer.text) == (200, True)
    assert apple.users() == []


def test_front_end_gets_its_tokens(make_app: Callable[..., Flask]) -> None:
    front = "http://localhost:8002"
    with neighbours_of("apple", make_app, KAKAOAUTH_FRONTEND_ORIGINS=front) as apple:
        browser = apple.visitor()
        step = apple.walk(apple.press(browser, mode="jwt", next=f"{front}/welcome"), "haneul")
        answer = apple.back(browser, step)
        assert answer.location == f"{front}/welcome"
        assert [cookie for cookie in answer.headers.getlist("Set-Cookie") if "access_token" in cookie]


# Failures


@pytest.mark.parametrize(
    "flaw",
    [
        *("missing", "iat_future", "wrong_nonce", "no_nonce", "wrong_audience", "wrong_issuer"),
        *("bad_signature", "alg_none", "hs256", "unknown_key"),
    ],
)
def test_id_token_with_a_flaw_lets_nobody_in(apple: Neighbours, flaw: str) -> None:
    apple.order("faults", endpoint="apple_token", fault=f"id_token_{flaw}")
    _, answer = apple.enter("haneul")
    assert (answer.status_code, apple.users()) == (502, [])


@pytest.mark.parametrize(
    ("endpoint", "fault", "status", "words"),
    [
        ("apple_token", "oauth_invalid_grant", 400, "Apple says that this login was already used"),
        ("apple_token", "oauth_invalid_client", 500, "Login does not work at the moment"),
        ("apple_token", "http_503", 503, "Apple does not answer at the moment"),
        ("apple_token", "html", 503, "Apple does not answer at the moment"),
        ("apple_authorize", "account_server_error", 503, "Apple does not answer at the moment"),
    ],
)
def test_failure_is_told_in_words(
    apple: Neighbours, caplog: Any, endpoint: str, fault: str, status: int, words: str
) -> None:
    caplog.set_level("DEBUG")
    apple.order("faults", endpoint=endpoint, fault=fault)
    _, answer = apple.enter("haneul")
    assert (answer.status_code, words in answer.text) == (status, True)
    assert apple.users() == []
    assert "BEGIN PRIVATE" not in caplog.text


@pytest.mark.parametrize("change", [{"team_id": "OTHERTEAM1"}, {"key_id": "OTHERKEY01"}])
def test_wrong_team_or_key_is_the_operators_to_mend(apple: Neighbours, change: dict[str, str]) -> None:
    apple.own("app", **change)
    _, answer = apple.enter("haneul")
    assert (answer.status_code, "invalid_client" in answer.text) == (500, True)


def test_odd_discovery_changes_nothing(apple: Neighbours) -> None:
    apple.order("faults", endpoint="apple_discovery", fault="other_issuer")
    assert apple.enter("haneul")[1].status_code == 302


def test_name_outlives_a_login_that_failed(apple: Neighbours) -> None:
    browser = apple.visitor()
    apple.order("faults", endpoint="apple_token", fault="http_503", calls=1)
    assert apple.back(browser, apple.walk(apple.press(browser), "haneul")).status_code == 503
    fields = answer_of(apple, browser)
    assert "user" not in fields
    assert browser.get(post(apple, fields).location).location == "/"
    assert [user.name for user in apple.users()] == ["김하늘"]


def test_name_of_a_failed_login_waits_half_an_hour_and_in_its_own_browser(apple: Neighbours) -> None:
    browser = apple.visitor()
    apple.order("faults", endpoint="apple_token", fault="http_503", calls=1)
    with time_machine.travel(time.time() - 1800, tick=False):
        assert apple.back(browser, apple.walk(apple.press(browser), "haneul")).status_code == 503
    other = apple.visitor()
    assert apple.back(other, apple.walk(apple.press(other), "haneul")).status_code == 302
    assert apple.back(browser, apple.walk(apple.press(browser), "haneul")).status_code == 302
    assert [user.name for user in apple.users()] == [None]


# The client secret


def test_client_secret_is_short_lived_and_for_one_client() -> None:
    key = SigningKey(SANDBOX_APPLE_PRIVATE_KEY, "KEY0000001", "TEAM000001")
    token = jwt.decode(
        key.secret_for("kr.x.app"),
        ECKey.import_key(SANDBOX_APPLE_PRIVATE_KEY),
        algorithms=["ES256"],
    )
    assert (token.header["alg"], token.header["kid"]) == ("ES256", "KEY0000001")
    claims = token.claims
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("TEAM000001", "kr.x.app", "https://appleid.apple.com")
    assert claims["exp"] - claims["iat"] == 300


# The API


def test_app_brings_an_id_token_of_either_client(apple: Neighbours) -> None:
    for body, status in (({"client_id": APP_ID}, 201), ({}, 200)):
        token = apple.own("people/haneul/log-in", nonce="n-1", **body)["id_token"]
        assert apple.api(id_token=token, nonce="n-1").status_code == status
        assert apple.api(id_token=token, nonce="n-1").status_code == 401
    hashed = apple.own("people/haneul/log-in", client_id=APP_ID, nonce=sha256(b"raw").hexdigest())["id_token"]
    assert apple.api(id_token=hashed, nonce="other").json["code"] == "INVALID_ACCESS_TOKEN"
    assert apple.api(id_token=hashed, nonce="raw").status_code == 200


def test_app_brings_a_code(apple: Neighbours) -> None:
    code = apple.own("people/haneul/log-in", redirect_uri=APP, nonce="n")["code"]
    assert apple.api(code=code, redirect_uri=APP, nonce="n").status_code == 201


def test_phone_brings_a_code_that_is_its_own(apple: Neighbours) -> None:
    code = apple.own("people/haneul/log-in", client_id=APP_ID, as_code=True, nonce="n")["code"]
    answer = apple.api(code=code, client_id=APP_ID, nonce="n")
    assert answer.status_code == 201
    with apple.app.app_context():
        (job,) = leaving.withdraw(apple.users()[0].id)
        assert leaving.try_unlink(job)
    assert not apple.is_linked("haneul")


def test_code_of_a_foreign_client_is_refused(apple: Neighbours) -> None:
    answer = apple.api(code="x", client_id="com.other")
    assert (answer.status_code, answer.json["code"]) == (401, "INVALID_ACCESS_TOKEN")
    assert apple.api(code="x", client_id=APP_ID).json["code"] == "INVALID_ACCESS_TOKEN"
    assert list(apple.api(code="x").json["fields"]) == ["redirect_uri"]
    assert [entry["path"] for entry in apple.order("log", "GET")] == ["/apple/auth/token"]


def test_other_doors_are_closed(apple: Neighbours) -> None:
    tokens = apple.own("people/haneul/log-in")
    answer = apple.api(access_token=tokens["access_token"])
    assert (answer.status_code, answer.json["code"]) == (403, "FORBIDDEN")
    assert "for which app a token was made" in answer.json["detail"]
    foreign = apple.own("tokens", person="haneul")
    assert apple.api(id_token=foreign["id_token"]).json["code"] == "FOREIGN_ACCESS_TOKEN"
    assert apple.users() == []


# The end


def test_withdrawal_revokes_at_apple(apple: Neighbours) -> None:
    apple.enter("haneul")
    assert apple.is_linked("haneul")
    with apple.app.app_context():
        (job,) = leaving.withdraw(apple.users()[0].id)
        assert leaving.try_unlink(job)
    assert not apple.is_linked("haneul")
    _, answer = apple.enter("haneul")
    assert answer.status_code == 302
    assert apple.users()[0].name == "김하늘"


def test_withdrawal_waits_while_apple_is_away(apple: Neighbours) -> None:
    apple.enter("haneul")
    apple.order("faults", endpoint="apple_revoke", fault="http_503")
    with apple.app.app_context():
        (job,) = leaving.withdraw(apple.users()[0].id)
        assert not leaving.try_unlink(job)
        apple.order("faults", "DELETE")
        assert leaving.retry_unlinks(everything=True) == (1, 0)
    assert not apple.is_linked("haneul")


# Notifications


def send(apple: Neighbours, event: str, *flaws: str, person: str = "haneul") -> int:
    [sent, *_] = apple.own("messages/send", event=event, person=person, flaws=list(flaws), wait=True)
    return int(sent["status"])


def test_person_who_leaves_at_apple_is_erased_here(apple: Neighbours) -> None:
    browser, _ = apple.enter("haneul")
    [sent] = apple.own("people/haneul/remove", wait=True)
    assert sent["status"] == 200
    assert browser.get("/users/me/").status_code == 302
    assert apple.users() == []


@pytest.mark.parametrize("event", ["account-deleted", "account-delete", "consent-revoked"])
@pytest.mark.parametrize("flaw", ["events_object", "in_form", "with_exp", "duplicate"])
def test_each_spelling_is_read(apple: Neighbours, event: str, flaw: str) -> None:
    apple.enter("haneul")
    assert send(apple, event, flaw) == 200
    assert apple.users() == []


def test_address_whose_forwarding_is_off_is_marked(apple: Neighbours) -> None:
    browser, _ = apple.enter("hidden", hide_email="1")
    [sent] = apple.own("people/hidden/relay", on=False, wait=True)
    assert sent["status"] == 200
    assert apple.users()[0].email_undeliverable_at
    assert "takes no mail since" in browser.get("/users/me/?lang=en").text
    apple.own("people/hidden/relay", on=True, wait=True)
    assert apple.users()[0].email_undeliverable_at is None


@pytest.mark.parametrize("event", ["email-disabled", "email-enabled"])
def test_relay_that_is_switched_off_changes_nothing_here(apple: Neighbours, event: str) -> None:
    browser, _ = apple.enter("haneul")
    assert send(apple, event) == 200
    assert browser.get("/users/me/").status_code == 200
    assert apple.users()[0].email_undeliverable_at is None  # the account has another address


@pytest.mark.parametrize(
    "flaw",
    [
        *("bad_signature", "alg_none", "hs256", "unknown_key", "wrong_audience", "wrong_issuer", "iat_past"),
        *("iat_future", "no_events", "no_payload"),
    ],
)
def test_message_that_is_not_genuine_is_refused(apple: Neighbours, flaw: str) -> None:
    apple.enter("haneul")
    assert send(apple, "consent-revoked", flaw) in ((400, 503) if flaw == "unknown_key" else (400,))
    assert len(apple.users()) == 1


@pytest.mark.parametrize("flaw", ["unknown_event", "unknown_user"])
def test_unknown_is_taken_and_changes_nothing(apple: Neighbours, flaw: str) -> None:
    apple.enter("haneul")
    assert send(apple, "consent-revoked", flaw) == 200
    assert len(apple.users()) == 1


@pytest.mark.parametrize("body", [b"", b"[1]", b'{"payload": 7}', b'{"payload": "a.b.c"}', b"\xff", b"[" * 60000])
def test_odd_body_is_refused(apple: Neighbours, body: bytes) -> None:
    client = apple.app.test_client()
    for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
        assert client.post("/webhooks/apple/notifications/", data=body, content_type=kind).status_code == 400


# Settings


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        *(
            ({**WHOLE, name: ""}, f"APPLE_CLIENT_ID is set but {name} is not")
            for name in ("APPLE_TEAM_ID", "APPLE_KEY_ID", "APPLE_PRIVATE_KEY")
        ),
        ({"APPLE_TEAM_ID": "x"}, "APPLE_TEAM_ID is set but APPLE_CLIENT_ID is not"),
        ({"APPLE_URL": "https://login.example"}, "APPLE_URL is set but APPLE_CLIENT_ID is not"),
        ({**WHOLE, "APPLE_PRIVATE_KEY": "nonsense"}, "APPLE_PRIVATE_KEY must be the content of the .p8 file"),
        (
            {**WHOLE, "APPLE_PRIVATE_KEY": RSAKey.generate_key(2048).as_pem(private=True).decode()},
            "APPLE_PRIVATE_KEY must be the content of the .p8 file",
        ),
        (
            {**WHOLE, "APPLE_PRIVATE_KEY": ECKey.generate_key("P-384").as_pem(private=True).decode()},
            "APPLE_PRIVATE_KEY must be the content of the .p8 file",
        ),
        ({**WHOLE, "APPLE_CLIENT_ID": SANDBOX_APPLE_CLIENT_ID}, "APPLE_CLIENT_ID is the sandbox's"),
    ],
)
def test_half_a_configuration_is_refused(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        config.load({**REAL, **settings})
    assert "BEGIN" not in str(refused.value)


def test_key_may_be_written_in_one_line() -> None:
    values = config.load({**REAL, **WHOLE, "APPLE_PRIVATE_KEY": SANDBOX_APPLE_PRIVATE_KEY.replace("\n", "\\n")})
    assert values["APPLE_PRIVATE_KEY"] == SANDBOX_APPLE_PRIVATE_KEY.strip()
    assert (SANDBOX_APPLE_TEAM_ID, SANDBOX_APPLE_KEY_ID) == ("SANDBOX001", "SANDBOXKEY")


def test_button_leads_to_apple(apple: Neighbours) -> None:
    page = apple.visitor().get("/").text
    assert 'class="login apple"' in page
    assert "Sign in with Apple" in page
    korean = apple.app.test_client()
    korean.get("/?lang=ko")
    assert "Apple로 로그인" in korean.get("/").text


# The doctor


def doctor(neighbours: Neighbours) -> dict[str, Any]:
    result = neighbours.app.test_cli_runner().invoke(args=["kakao", "doctor", "--json", "--lang", "en"])
    (found,) = [one for one in json.loads(result.output) if one["id"] == f"others.{neighbours.provider}"]
    return dict(found)


def test_doctor_asks_apple_with_a_code_that_never_was(apple: Neighbours) -> None:
    found = doctor(apple)
    assert (found["status"], "/apple/login/callback/" in found["detail"]) == ("ok", True)
    apple.own("app", key_id="OTHERKEY01")
    found = doctor(apple)
    assert (found["status"], "docs/apple-setup.md" in found["cure"]) == ("failed", True)
    apple.order("faults", endpoint="apple_token", fault="http_503")
    assert doctor(apple)["status"] == "failed"


@pytest.mark.parametrize("provider", ["naver", "google"])
def test_doctor_asks_the_others_too(make_app: Callable[..., Flask], provider: str) -> None:
    with neighbours_of(provider, make_app) as found:
        assert doctor(found)["status"] == "ok"
        found.own("app", client_secret="another")
        assert doctor(found)["status"] == "failed"
