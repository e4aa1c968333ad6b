"""Google as a login: site and sandbox together."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from support import csrf_token
from support.neighbours import Neighbours, neighbours_of
from support.sandbox import page_of

from kakaoauth import config
from kakaoauth.accounts import leaving
from kakaoauth.config.checks import ConfigError
from kakaoauth.config.sandbox import SANDBOX_GOOGLE_CLIENT_ID, SANDBOX_GOOGLE_CLIENT_SECRET
from kakaoauth.storage.database import db
from kakaoauth.tokens.provider_tokens import ProviderToken
from kakaoauth.web import in_app

KAKAOTALK = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 KAKAOTALK 11.2.3"
NAVER_APP = "Mozilla/5.0 (Linux; Android 14; SM-S921N; wv) AppleWebKit/537 NAVER(inapp; search; 2000; 12.1.0)"
REAL = {"KAKAO_CLIENT_ID": "r" * 32, "SECRET_KEY": "k" * 40, "REDIS_URL": "redis://127.0.0.1:1"}


@pytest.fixture
def google(make_app: Callable[..., Flask]) -> Iterator[Neighbours]:
    with neighbours_of("google", make_app) as found:
        yield found


def code_of(answer: Any) -> str:
    return str(answer.json["code"])


def test_person_comes_in_with_a_verified_address(google: Neighbours) -> None:
    browser, answer = google.enter("workspace")
    assert (answer.status_code, answer.location) == (302, "/")
    (user,) = google.users()
    assert (user.provider, user.email, user.name) == ("google", "oh@company.example", "오직원")
    assert user.profile_image is not None
    assert user.profile_image.startswith("https://lh3.googleusercontent.com/")
    page = browser.get("/users/me/")
    assert "Google" in page.text
    assert browser.get("/").status_code == 200


def test_request_is_what_google_wants(google: Neighbours) -> None:
    location = google.visitor().get("/google/login/?prompt=select_account").location
    query = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    assert query["scope"] == "openid email profile"
    assert "scope=openid%20email%20profile" in location
    assert (query["access_type"], query["prompt"]) == ("offline", "select_account")
    assert query["code_challenge_method"] == "S256"
    assert query["nonce"] != query["state"]
    # Google knows no prompt=login, and shows an error page for what it does not know
    assert "prompt" not in parse_qs(urlsplit(google.visitor().get("/google/login/?prompt=login").location).query)


def test_second_login_is_the_same_account_and_both_spellings_of_the_issuer_count(google: Neighbours) -> None:
    google.enter("gmail")
    google.own("app", short_issuer=True, iss_parameter=True)
    _, answer = google.enter("gmail")
    assert answer.status_code == 302
    assert len(google.users()) == 1


def test_number_of_a_kakao_user_is_another_person(google: Neighbours) -> None:
    google.enter("sameid")
    with google.app.app_context():
        (user,) = google.users()
        assert user.provider == "google"


def test_address_that_is_not_verified_opens_no_account(google: Neighbours) -> None:
    _, answer = google.enter("unverified")
    assert answer.status_code == 403
    assert "The e-mail address of your Google account is not confirmed yet" in answer.text
    assert google.users() == []


def test_markup_in_a_name_is_text(google: Neighbours) -> None:
    browser, _ = google.enter("html")
    assert "<script>alert" not in browser.get("/users/me/").text


def test_without_a_name_userinfo_is_asked_and_nothing_is_made_up(google: Neighbours) -> None:
    google.enter("noname")
    (user,) = google.users()
    assert (user.name, user.profile_image) == (None, None)
    paths = [entry["path"] for entry in google.order("log", "GET")]
    assert "/google/v1/userinfo" in paths


def test_known_person_without_a_name_costs_no_second_call(google: Neighbours) -> None:
    for _ in range(2):
        google.enter("noname")
        paths = [entry["path"] for entry in google.order("log", "GET")]
        assert paths.count("/google/v1/userinfo") == 1
    assert len(google.users()) == 1


def test_userinfo_of_somebody_else_is_refused(google: Neighbours) -> None:
    google.order("faults", endpoint="google_userinfo", fault="other_id")
    _, answer = google.enter("noname")
    assert (answer.status_code, google.users()) == (502, [])


@pytest.mark.parametrize(
    "flaw",
    [
        *("missing", "iat_future", "wrong_nonce", "no_nonce", "wrong_audience", "wrong_issuer"),
        *("bad_signature", "alg_none", "hs256", "unknown_key"),
    ],
)
def test_id_token_with_a_flaw_lets_nobody_in(google: Neighbours, flaw: str) -> None:
    google.order("faults", endpoint="google_token", fault=f"id_token_{flaw}")
    _, answer = google.enter("gmail")
    assert answer.status_code == 502
    assert "Google&#39;s answer did not pass our checks" in answer.text
    assert google.users() == []


@pytest.mark.parametrize(
    ("endpoint", "fault", "status", "words"),
    [
        ("google_token", "oauth_invalid_grant", 400, "Google says that this login was already used"),
        ("google_token", "oauth_invalid_client", 500, "Login does not work at the moment"),
        ("google_token", "http_503", 503, "Google does not answer at the moment"),
        ("google_token", "html", 503, "Google does not answer at the moment"),
        ("google_token", "truncated", 503, "Google does not answer at the moment"),
        ("google_authorize", "account_access_denied", 200, "You cancelled the login"),
        ("google_authorize", "account_interaction_required", 403, "Google needs you for a moment"),
        ("google_authorize", "account_admin_policy", 403, "Google does not let this account in"),
        ("google_authorize", "account_server_error", 503, "Google does not answer at the moment"),
    ],
)
def test_failure_is_told_in_words(
    google: Neighbours, caplog: Any, endpoint: str, fault: str, status: int, words: str
) -> None:
    caplog.set_level("DEBUG")
    google.order("faults", endpoint=endpoint, fault=fault)
    _, answer = google.enter("gmail")
    assert (answer.status_code, words in answer.text) == (status, True)
    assert google.users() == []
    assert SANDBOX_GOOGLE_CLIENT_SECRET not in caplog.text
    assert "4/0A" not in caplog.text + answer.text
    korean = google.app.test_client()
    korean.get("/?lang=ko")
    told = google.back(korean, google.walk(google.press(korean), "gmail"))
    assert told.status_code == status
    assert words not in told.text


def test_wrong_secret_is_the_operators_to_mend(google: Neighbours) -> None:
    google.own("app", client_secret="another")
    _, answer = google.enter("gmail")
    assert (answer.status_code, "invalid_client" in answer.text) == (500, True)


def test_cancel_at_google_stores_nothing(google: Neighbours) -> None:
    browser = google.visitor()
    answer = google.back(browser, google.walk(google.press(browser), "gmail", decision="cancel"))
    assert (answer.status_code, "You cancelled the login" in answer.text) == (200, True)
    assert google.users() == []


def test_callback_twice_and_back_button_end_logged_in(google: Neighbours) -> None:
    browser = google.visitor()
    step = google.walk(google.press(browser, next="/users/me/"), "gmail")
    for _ in range(3):
        assert google.back(browser, step).location == "/users/me/"
    spent = [entry for entry in google.order("log", "GET") if entry["path"] == "/google/token"]
    assert len(spent) == 1
    assert google.back(google.visitor(), step).status_code == 400


# Inside other apps


@pytest.mark.parametrize(
    ("agent", "way"),
    [
        (
            KAKAOTALK,
            "kakaotalk://web/openExternal?url=http%3A%2F%2Flocalhost%2Fgoogle%2Flogin%2F%3Fnext%3D%2Fusers%2Fme%2F",
        ),
        (NAVER_APP, "intent://localhost/google/login/?next=/users/me/#Intent;scheme=http;package=com.android.chrome;"),
        (
            "Mozilla/5.0 (iPhone) Line/13.1.0",
            "http://localhost/google/login/?next=/users/me/&amp;openExternalBrowser=1",
        ),
        ("Mozilla/5.0 (iPhone) Instagram 300.0", None),
    ],
)
def test_browser_inside_an_app_is_led_outside(google: Neighbours, agent: str, way: str | None) -> None:
    browser = google.visitor()
    answer = browser.get("/google/login/?next=/users/me/", headers={"User-Agent": agent})
    assert answer.status_code == 403
    assert 'data-code="EMBEDDED_BROWSER"' in answer.text
    assert "Google lets nobody log in inside another app" in answer.text
    shown = answer.text.replace("%252F", "%2F")
    assert (way in shown) if way else ("Open in your browser" not in shown)


def test_way_out_leads_to_the_page_that_begins_the_login() -> None:
    address = "https://site.example/google/login/?next=/a#part"
    assert in_app.way_out("Android; wv) FBAN", address) == (
        "intent://site.example/google/login/?next=/a#Intent;scheme=https;package=com.android.chrome;"
        "S.browser_fallback_url=https%3A%2F%2Fsite.example%2Fgoogle%2Flogin%2F%3Fnext%3D%2Fa%23part;end"
    )
    assert in_app.way_out("iPhone FBAV/400", address) is None


def test_other_logins_work_inside_apps(google: Neighbours) -> None:
    answer = google.visitor().get("/kakao/login/", headers={"User-Agent": KAKAOTALK})
    assert answer.status_code == 302


# The API


def test_app_logs_in_by_each_door(google: Neighbours) -> None:
    tokens = google.own("people/gmail/log-in", nonce="n-1")
    assert google.api(access_token=tokens["access_token"]).status_code == 201
    assert google.api(id_token=tokens["id_token"], nonce="n-1").status_code == 200
    assert code_of(google.api(id_token=tokens["id_token"], nonce="n-1")) == "INVALID_ACCESS_TOKEN"
    assert code_of(google.api(id_token=google.own("people/gmail/log-in", nonce="n-2")["id_token"], nonce="x")) == (
        "INVALID_ACCESS_TOKEN"
    )
    code = google.own("people/gmail/log-in", redirect_uri="http://localhost:8002/oauth", nonce="n-3")["code"]
    assert google.api(code=code, redirect_uri="http://localhost:8002/oauth", nonce="n-3").status_code == 200
    assert len(google.users()) == 1


def test_native_client_of_the_same_project_logs_in(google: Neighbours) -> None:
    android = google.state.settings.google.app_client_ids[0]
    tokens = google.own("people/gmail/log-in", client_id=android)
    assert google.api(id_token=tokens["id_token"]).status_code == 201
    # Without being named in the settings, the phone's own client is another app
    assert code_of(google.api(access_token=tokens["access_token"])) == "FOREIGN_ACCESS_TOKEN"


def test_named_client_ids_are_ours(make_app: Callable[..., Flask]) -> None:
    with neighbours_of("google", make_app, GOOGLE_ID_TOKEN_AUDIENCES="x.apps,y.apps") as google:
        foreign = google.own("tokens", person="gmail", client_id="y.apps")
        assert google.api(access_token=foreign["access_token"]).status_code == 201
        assert google.api(id_token=foreign["id_token"]).status_code == 200


def test_token_of_another_app_is_refused(google: Neighbours) -> None:
    foreign = google.own("tokens", person="gmail", nonce="n")
    assert code_of(google.api(access_token=foreign["access_token"])) == "FOREIGN_ACCESS_TOKEN"
    assert code_of(google.api(id_token=foreign["id_token"], nonce="n")) == "FOREIGN_ACCESS_TOKEN"
    assert code_of(google.api(access_token="never-was")) == "INVALID_ACCESS_TOKEN"
    assert google.users() == []


@pytest.mark.parametrize(
    ("endpoint", "fault", "code"),
    [
        ("google_userinfo", "other_id", "UNTRUSTED_IDENTITY"),
        ("google_tokeninfo", "omit_fields", "FOREIGN_ACCESS_TOKEN"),
        ("google_tokeninfo", "other_app", "FOREIGN_ACCESS_TOKEN"),
        ("google_tokeninfo", "http_503", "PROVIDER_UNAVAILABLE"),
        ("google_userinfo", "html", "PROVIDER_UNAVAILABLE"),
    ],
)
def test_token_is_believed_only_if_tokeninfo_and_userinfo_agree(
    google: Neighbours, endpoint: str, fault: str, code: str
) -> None:
    tokens = google.own("people/gmail/log-in")
    google.order("faults", endpoint=endpoint, fault=fault)
    assert code_of(google.api(access_token=tokens["access_token"])) == code
    assert google.users() == []


# The end


def test_withdrawal_is_told_to_google(google: Neighbours) -> None:
    google.enter("gmail")
    assert google.is_linked("gmail")
    with google.app.app_context():
        (job,) = leaving.withdraw(google.users()[0].id)
        assert leaving.try_unlink(job)
    assert not google.is_linked("gmail")


def test_withdrawal_uses_the_refresh_token_of_the_first_login(google: Neighbours) -> None:
    google.enter("gmail")
    google.enter("gmail")
    google.order("clock", advance=7200)
    with google.app.app_context():
        (job,) = leaving.withdraw(google.users()[0].id)
        assert leaving.try_unlink(job)
    assert not google.is_linked("gmail")


def test_withdrawal_does_not_wait_for_a_token_that_is_dead(google: Neighbours) -> None:
    google.enter("gmail")
    google.own("app", events_url=None)
    google.own("people/gmail/remove")
    with google.app.app_context():
        (job,) = leaving.withdraw(google.users()[0].id)
        assert leaving.try_unlink(job)


def test_logout_leaves_the_consent(google: Neighbours) -> None:
    browser, _ = google.enter("gmail")
    page = browser.get("/google/logout/")
    assert "Your Google account stays logged in" in page.text
    assert browser.post("/google/logout/", data={"csrf_token": csrf_token(browser)}).status_code == 302
    assert google.is_linked("gmail")


# Security events


def send(google: Neighbours, event: str, *flaws: str) -> int:
    [sent, *_] = google.own("messages/send", event=event, person="gmail", flaws=list(flaws), wait=True)
    return int(sent["status"])


def test_person_who_takes_the_app_away_is_logged_out_everywhere(google: Neighbours) -> None:
    browser, _ = google.enter("gmail")
    [sent] = google.own("people/gmail/remove", wait=True)
    assert (sent["name"], sent["status"]) == ("tokens-revoked", 202)
    assert browser.get("/users/me/").status_code == 302
    assert len(google.users()) == 1


@pytest.mark.parametrize("event", ["sessions-revoked", "account-disabled", "account-credential-change-required"])
def test_danger_ends_every_session(google: Neighbours, event: str) -> None:
    browser, _ = google.enter("gmail")
    assert send(google, event) == 202
    assert browser.get("/users/me/").status_code == 302


def test_refresh_token_that_is_over_is_dropped(google: Neighbours) -> None:
    """The message names it by its first characters, and nobody."""
    browser, _ = google.enter("gmail")
    google.enter("gmail")  # without a refresh token: there is one at the first consent only
    assert send(google, "token-revoked") == 202
    assert browser.get("/users/me/").status_code == 200
    with google.app.app_context():
        assert [row.refresh_token for row in db.session.query(ProviderToken)] == [None]


@pytest.mark.parametrize("event", ["account-enabled", "verification"])
def test_other_events_are_taken_and_change_nothing(google: Neighbours, event: str) -> None:
    browser, _ = google.enter("gmail")
    assert send(google, event) == 202
    assert browser.get("/users/me/").status_code == 200


def test_purged_account_is_erased(google: Neighbours) -> None:
    google.enter("gmail")
    google.own("people/gmail", "DELETE", wait=True)
    assert google.users() == []


@pytest.mark.parametrize(
    "flaw",
    [
        *("bad_signature", "alg_none", "hs256", "unknown_key", "wrong_audience", "wrong_issuer", "iat_past"),
        *("iat_future", "no_events", "events_list", "two_events", "other_subject_issuer"),
    ],
)
def test_message_that_is_not_genuine_is_refused(google: Neighbours, flaw: str) -> None:
    browser, _ = google.enter("gmail")
    # Of a key that may be newer than the known ones only a retry can tell
    assert send(google, "sessions-revoked", flaw) in ((400, 503) if flaw == "unknown_key" else (400,))
    assert browser.get("/users/me/").status_code == 200


@pytest.mark.parametrize("flaw", ["old_exp", "id_token_claims", "duplicate", "unknown_user", "bulk_account"])
def test_message_with_an_oddity_is_taken(google: Neighbours, flaw: str) -> None:
    google.enter("gmail")
    assert send(google, "account-disabled", flaw) == 202


# Settings


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"GOOGLE_CLIENT_ID": "x.apps.googleusercontent.com"}, "GOOGLE_CLIENT_SECRET is not"),
        ({"GOOGLE_CLIENT_SECRET": "x"}, "GOOGLE_CLIENT_SECRET is set but GOOGLE_CLIENT_ID is not"),
        ({"GOOGLE_ACCOUNTS_URL": "https://login.example"}, "GOOGLE_ACCOUNTS_URL is set but GOOGLE_CLIENT_ID is not"),
        ({"GOOGLE_ID_TOKEN_AUDIENCES": "x"}, "GOOGLE_ID_TOKEN_AUDIENCES is set but"),
        ({"GOOGLE_CLIENT_ID": SANDBOX_GOOGLE_CLIENT_ID}, "GOOGLE_CLIENT_ID is the sandbox's"),
        ({"GOOGLE_CLIENT_ID": "x", "GOOGLE_CLIENT_SECRET": "y", "GOOGLE_OAUTH_URL": "http://a.example"}, "https://"),
        ({"GOOGLE_CLIENT_ID": "x", "GOOGLE_CLIENT_SECRET": "y", "GOOGLE_REDIRECT_URI": "nonsense"}, "absolute address"),
    ],
)
def test_half_a_configuration_is_refused(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config.load({**REAL, **settings})


def test_without_google_there_is_no_button(make_app: Callable[..., Flask]) -> None:
    client = make_app().test_client()
    assert "google" not in client.get("/").text
    assert client.get("/google/login/").status_code == 404
    assert client.post("/webhooks/google/events/", data="x").status_code == 404


def test_button_leads_to_google(google: Neighbours) -> None:
    page = google.visitor().get("/")
    assert 'class="login google"' in page.text
    assert "Sign in with Google" in page.text
    assert f"http://127.0.0.1:{google.port}" in page.headers["Content-Security-Policy"]
    assert page_of(google.press(google.visitor())) == "account_chooser"
