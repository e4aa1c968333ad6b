"""Facebook Login from the authorization request to the profile, with Facebook's side imitated."""

import logging
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import time_machine
from flask import Flask, session
from support.facebook import (
    ACCESS_TOKEN,
    APP_ID,
    CANARIES,
    CODE,
    DEBUG_URL,
    DIALOG,
    GRAPH,
    ME_URL,
    SECRET,
    SETTINGS,
    SUBJECT,
    TOKEN_URL,
    FakeFacebook,
    graph_error,
    mocked,
    person,
    proof,
)
from support.provider_app import NoTokens, make_app

from kakaoauth import providers
from kakaoauth.errors import (
    AccountUnusable,
    AppError,
    CodeRefused,
    ContradictoryAnswers,
    ExpiredToken,
    ForeignAccessToken,
    InteractionRequired,
    InvalidAccessToken,
    InvalidFields,
    InvalidRequest,
    LoginCancelled,
    Misconfigured,
    ProviderUnavailable,
)
from kakaoauth.providers.facebook import Facebook
from kakaoauth.providers.values import EmailState, PendingLogin, TokenSet

REDIRECT_URI = "https://site.test/facebook/login/callback/"
UNLINK_URL = f"{GRAPH}/{SUBJECT}/permissions"
APP_TOKEN = f"Bearer {APP_ID}|{SECRET}"
pytestmark = pytest.mark.usefixtures("facebook")


@pytest.fixture
def app() -> Flask:
    return make_app(**SETTINGS)


@pytest.fixture
def facebook(caplog: Any) -> Iterator[FakeFacebook]:
    """Whatever a test does: every call made with a person's token proves the app secret, and no secret leaks."""
    caplog.set_level("DEBUG")
    for fake in mocked():
        yield fake
        for call in fake.calls():
            bearer = call.headers.get("Authorization", "").removeprefix("Bearer ")
            if bearer and "|" not in bearer:
                assert call.qs["appsecret_proof"] == [proof(bearer)]
            assert bearer not in call.url if bearer else True
            assert SECRET not in call.url
            assert CODE not in call.url
            assert ACCESS_TOKEN not in call.url or call.url.startswith(DEBUG_URL)
        assert not any(canary in caplog.text for canary in CANARIES)


def facebook_of(app: Flask) -> Facebook:
    with app.app_context():
        found = providers.find_provider("facebook")
    assert isinstance(found, Facebook)
    return found


def authorization(app: Flask, **kwargs: Any) -> dict[str, str]:
    with app.test_request_context():
        address = facebook_of(app).begin(REDIRECT_URI, "/", **kwargs)
    assert address.split("?")[0] == DIALOG
    query = parse_qs(urlsplit(address).query, strict_parsing=True)
    assert all(len(values) == 1 for values in query.values())
    return {name: values[0] for name, values in query.items()}


def finish(app: Flask) -> Any:
    pending = PendingLogin("facebook", "s" * 43, APP_ID, REDIRECT_URI, "n" * 43, "v" * 64, "/", 9e9)
    with app.test_request_context():
        return facebook_of(app).fetch_profile(pending, CODE)


def call(app: Flask, method: str, *args: Any, **kwargs: Any) -> Any:
    with app.test_request_context():
        return getattr(facebook_of(app), method)(*args, **kwargs)


def refused(expected: type[AppError], act: Callable[..., Any], *args: Any, **kwargs: Any) -> AppError:
    with pytest.raises(AppError) as caught:
        act(*args, **kwargs)
    assert type(caught.value) is expected
    assert not any(canary in f"{caught.value} {caught.value.reason}" for canary in CANARIES)
    return caught.value


class TestAuthorizationRequest:
    def test_it_asks_for_a_code_with_a_challenge(self, app: Flask) -> None:
        with app.test_request_context():
            address = facebook_of(app).begin(REDIRECT_URI, "/here")
            ((_key, value),) = dict(session).items()
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        verifier = value["data"]["code_verifier"]
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        assert query.pop("state")
        assert query == {
            "response_type": "code",
            "client_id": APP_ID,
            "redirect_uri": REDIRECT_URI,
            "scope": "email,public_profile",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }

    def test_declined_email_is_asked_for_again(self, app: Flask) -> None:
        query = authorization(app, consent=("account_email",))
        assert (query["scope"], query["auth_type"]) == ("email", "rerequest")

    def test_prompt_login_asks_for_the_password_and_others_are_unknown(self, app: Flask) -> None:
        assert authorization(app, prompt="login")["auth_type"] == "reauthenticate"
        assert facebook_of(app).prompts == ("login",)
        for prompt in ("select_account", "create"):
            query = authorization(app, prompt=prompt)
            assert "auth_type" not in query
            assert "prompt" not in query

    def test_version_and_hosts_are_the_settings(self) -> None:
        app = make_app(**SETTINGS, FACEBOOK_DIALOG_URL="http://127.0.0.1:9/", FACEBOOK_GRAPH_VERSION="v25.0")
        address = call(app, "begin", REDIRECT_URI, "/")
        assert address.startswith("http://127.0.0.1:9/v25.0/dialog/oauth?")

    def test_state_is_found_under_its_own_provider_only(self, app: Flask) -> None:
        with app.test_request_context():
            address = facebook_of(app).begin(REDIRECT_URI, "/")
            state = parse_qs(urlsplit(address).query)["state"][0]
            found = [provider.find_pending(state) for provider in providers.all_providers()]
        assert [pending.provider if pending else None for pending in found] == [None, "facebook"]

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            ("access_denied", LoginCancelled),
            ("server_error", ProviderUnavailable),
            ("2", ProviderUnavailable),
            ("901", Misconfigured),
            ("1349126", Misconfigured),
            ("191", Misconfigured),
            ("99999999999999999999", ProviderUnavailable),
            ("who_knows", InvalidRequest),
        ],
    )
    def test_dialogs_refusals_are_understood(self, app: Flask, error: str, expected: type[AppError]) -> None:
        refusal = call(app, "refusal", error, "canary-message")
        assert type(refusal) is expected
        assert "canary" not in refusal.reason
        assert len(refusal.provider_code) <= 10


class TestTokenCall:
    def test_form_holds_the_pending_values_and_the_secret(self, app: Flask, facebook: FakeFacebook) -> None:
        finish(app)
        assert facebook.form() == {
            "grant_type": "authorization_code",
            "client_id": APP_ID,
            "client_secret": SECRET,
            "redirect_uri": REDIRECT_URI,
            "code": CODE,
            "code_verifier": "v" * 64,
        }
        (call,) = facebook.calls(TOKEN_URL)
        assert "Authorization" not in call.headers
        assert "?" not in call.url

    def test_login_takes_two_calls(self, app: Flask, facebook: FakeFacebook) -> None:
        finish(app)
        assert [call.url.split("?")[0] for call in facebook.calls()] == [TOKEN_URL, ME_URL]

    def test_tokens_are_kept_to_be_stored(self, app: Flask, facebook: FakeFacebook) -> None:
        with time_machine.travel(1_800_000_000, tick=False):
            assert finish(app).tokens == TokenSet(ACCESS_TOKEN, datetime.fromtimestamp(1_805_183_944, UTC))
            del facebook.token["expires_in"]
            assert finish(app).tokens.expires_at == datetime.fromtimestamp(1_800_003_600, UTC)

    @pytest.mark.parametrize(
        ("status", "error", "expected"),
        [
            (400, {"code": 100, "subcode": 36009}, CodeRefused),
            (400, {"code": 100, "subcode": 36007}, CodeRefused),
            (400, {"code": 100, "subcode": 36008}, CodeRefused),
            (400, {"code": 100}, CodeRefused),
            (400, {"code": 190}, CodeRefused),
            (400, {"code": 1}, Misconfigured),
            (400, {"code": 101}, Misconfigured),
            (400, {"code": 191}, Misconfigured),
            (400, {"code": 2635}, Misconfigured),
            (400, {"code": 12}, Misconfigured),
            (500, {"code": 1}, ProviderUnavailable),
            (400, {"code": 1, "is_transient": True}, ProviderUnavailable),
            (400, {"code": 100, "is_transient": True}, ProviderUnavailable),
            (400, {"code": 2}, ProviderUnavailable),
            (400, {"code": 4}, ProviderUnavailable),
            (429, {"code": 100, "subcode": 36009}, ProviderUnavailable),
            (400, {"code": 987654}, ProviderUnavailable),
            (200, {"code": 100, "subcode": 36009}, CodeRefused),
        ],
    )
    def test_refused_call_says_whose_fault_it_is(
        self, app: Flask, facebook: FakeFacebook, status: int, error: dict[str, Any], expected: type[AppError]
    ) -> None:
        facebook.fails(TOKEN_URL, error, status)
        found = refused(expected, finish, app)
        sub = f"/{error['subcode']}" if "subcode" in error else ""
        assert found.provider_code == f"{error['code']}{sub}"
        assert not facebook.calls(ME_URL)

    def test_wrong_code_verifier_is_not_taken_for_a_wrong_secret(self, app: Flask, facebook: FakeFacebook) -> None:
        def answer(request: Any, context: Any) -> dict[str, Any]:
            context.status_code = 200 if "client_credentials" in request.text else 400
            return {"access_token": "a|b", "token_type": "bearer"} if context.status_code == 200 else graph_error(1)

        facebook.mock.post(TOKEN_URL, json=answer)
        assert refused(CodeRefused, finish, app).provider_code == "1"

    @pytest.mark.parametrize(
        "body",
        [{"error": None}, {"error": []}, {"error": {}}, {"error": {"code": "190"}}, {"error": {"code": True}}, {}, []],
    )
    def test_error_that_says_nothing_is_temporary(self, app: Flask, facebook: FakeFacebook, body: Any) -> None:
        facebook.mock.post(TOKEN_URL, json=body, status_code=400)
        refused(ProviderUnavailable, finish, app)

    @pytest.mark.parametrize(
        "answer",
        [
            {"status_code": 503, "text": "<html>", "headers": {"Content-Type": "text/html"}},
            {"text": "<html>", "headers": {"Content-Type": "text/html"}},
            {"text": ""},
            {"text": "[" * 100_000},
            {"json": {"access_token": "a b", "token_type": "bearer"}},
            {"status_code": 302, "headers": {"Location": "https://evil.test/"}},
            {"exc": requests.ConnectionError},
            {"exc": requests.ReadTimeout},
        ],
    )
    def test_nonsense_and_silence_are_unavailable(
        self, app: Flask, facebook: FakeFacebook, answer: dict[str, Any]
    ) -> None:
        facebook.mock.post(TOKEN_URL, **answer)
        refused(ProviderUnavailable, finish, app)
        assert len(facebook.calls()) == 1

    def test_json_that_is_called_a_script_is_read(self, app: Flask, facebook: FakeFacebook) -> None:
        script = {"Content-Type": "text/javascript; charset=UTF-8"}
        facebook.mock.get(ME_URL, json=lambda *_: facebook.me, headers=script)
        assert finish(app).subject == SUBJECT
        assert facebook.calls(ME_URL)[0].headers["Accept"] == "application/json"


class TestProfile:
    def test_profile_is_read(self, app: Flask, facebook: FakeFacebook) -> None:
        found = finish(app)
        assert (found.provider, found.subject, found.name, found.nickname) == ("facebook", SUBJECT, "민지 Kim", None)
        assert (found.email, found.email_state) == (f"f{SUBJECT}@example.kr", EmailState.TRUSTED)
        assert found.profile_image == facebook.me["picture"]["data"]["url"]
        assert found.email_opens_waiting_account is False
        (call,) = facebook.calls(ME_URL)
        assert call.headers["Authorization"] == f"Bearer {ACCESS_TOKEN}"
        assert call.qs == {
            "fields": ["id,name,email,picture.type(large){url,is_silhouette}"],
            "appsecret_proof": [proof()],
        }

    @pytest.mark.parametrize(
        ("email", "state"),
        [
            (None, EmailState.NOT_AGREED),
            ("", EmailState.NOT_AGREED),
            (7, EmailState.NOT_AGREED),
            ("nobody", EmailState.UNUSABLE),
            ("a b@example.kr", EmailState.UNUSABLE),
        ],
    )
    def test_missing_and_odd_emails_are_named(
        self, app: Flask, facebook: FakeFacebook, email: Any, state: EmailState
    ) -> None:
        facebook.me = person(email=email)
        found = finish(app)
        assert (found.email, found.email_state) == (None, state)

    @pytest.mark.parametrize(
        "picture",
        [
            None,
            "https://a.test/p.jpg",
            {"data": None},
            {"data": {"url": "https://a.test/p.jpg", "is_silhouette": True}},
            {"data": {"url": "http://a.test/p.jpg", "is_silhouette": False}},
            {"data": {"url": "javascript:alert(1)"}},
            {"data": {"is_silhouette": False}},
        ],
    )
    def test_silhouette_and_odd_pictures_count_as_none(self, app: Flask, facebook: FakeFacebook, picture: Any) -> None:
        facebook.me = person(picture=picture)
        assert finish(app).profile_image is None

    def test_unknown_and_missing_fields_are_tolerated(self, app: Flask, facebook: FakeFacebook) -> None:
        facebook.me = {"id": "1" * 40, "metadata": {"x": [1]}, "name": {"first": "M"}}
        found = finish(app)
        assert (found.subject, found.name, found.profile_image) == ("1" * 40, None, None)

    @pytest.mark.parametrize("user_id", [None, "", 7, "0", "12a", "1" * 41, "１２", ["1"], True])
    def test_answer_without_a_usable_id_is_unavailable(self, app: Flask, facebook: FakeFacebook, user_id: Any) -> None:
        facebook.me["id"] = user_id
        refused(ProviderUnavailable, finish, app)

    @pytest.mark.parametrize(
        ("status", "error", "expected"),
        [
            (400, {"code": 190, "subcode": 460}, CodeRefused),
            (400, {"code": 190, "subcode": 459}, AccountUnusable),
            (403, {"code": 10}, Misconfigured),
            (403, {"code": 200}, InteractionRequired),
            (400, {"code": 100, "type": "GraphMethodException"}, Misconfigured),
            (400, {"code": 2500}, Misconfigured),
            (400, {"code": 1}, ProviderUnavailable),
            (403, {"code": 4}, ProviderUnavailable),
            (400, {"code": 17}, ProviderUnavailable),
            (503, {"code": 190}, ProviderUnavailable),
        ],
    )
    def test_refused_call_says_whose_fault_it_is(
        self, app: Flask, facebook: FakeFacebook, status: int, error: dict[str, Any], expected: type[AppError]
    ) -> None:
        facebook.fails(ME_URL, error, status)
        refused(expected, finish, app)

    def test_hint_names_the_setting(self, app: Flask, facebook: FakeFacebook) -> None:
        for code, name in (
            (2635, "FACEBOOK_GRAPH_VERSION"),
            (101, "FACEBOOK_CLIENT_ID"),
            (1, "FACEBOOK_CLIENT_SECRET"),
        ):
            facebook.fails(TOKEN_URL, {"code": code})
            assert name in refused(Misconfigured, finish, app).reason


class TestVersion:
    def test_another_version_is_noted_once(self, app: Flask, facebook: FakeFacebook, caplog: Any) -> None:
        facebook.mock.get(ME_URL, json=lambda *_: facebook.me, headers={"facebook-api-version": "v26.0"})
        for _ in range(3):
            assert finish(app).subject == SUBJECT
        found = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        assert found == ["Facebook answers in v26.0 instead of v24.0: set FACEBOOK_GRAPH_VERSION"]

    def test_odd_header_is_not_quoted(self, app: Flask, facebook: FakeFacebook, caplog: Any) -> None:
        facebook.mock.get(ME_URL, json=facebook.me, headers={"facebook-api-version": "v26.0 canary"})
        finish(app)
        assert "answers in another version" in caplog.text
        assert "v26.0 canary" not in caplog.text


class TestTokensOfApps:
    def test_token_of_ours_is_its_owners(self, app: Flask, facebook: FakeFacebook) -> None:
        found = call(app, "profile_of_access_token", ACCESS_TOKEN)
        assert (found.subject, found.tokens) == (SUBJECT, None)
        debug, me = facebook.calls()
        assert (debug.url.split("?")[0], me.url.split("?")[0]) == (DEBUG_URL, ME_URL)
        assert debug.headers["Authorization"] == APP_TOKEN
        assert parse_qs(urlsplit(debug.url).query) == {"input_token": [ACCESS_TOKEN]}

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"app_id": "604160514253222"}, ForeignAccessToken),
            ({"app_id": "604160514253222", "is_valid": False}, ForeignAccessToken),
            ({"app_id": None}, InvalidAccessToken),
            ({"type": "PAGE", "profile_id": "9"}, InvalidAccessToken),
            ({"type": "APP", "user_id": None}, InvalidAccessToken),
            ({"type": None}, InvalidAccessToken),
            ({"is_valid": False}, InvalidAccessToken),
            ({"is_valid": False, "error": {"code": 190, "subcode": 460}}, InvalidAccessToken),
            ({"is_valid": False, "error": {"code": 190, "subcode": 463}}, ExpiredToken),
            ({"expires_at": 1_700_000_000}, ExpiredToken),
            ({"user_id": "777"}, ContradictoryAnswers),
            ({"user_id": None}, ProviderUnavailable),
            ({"is_valid": None}, ProviderUnavailable),
        ],
    )
    def test_only_a_persons_token_of_our_app_is_taken(
        self, app: Flask, facebook: FakeFacebook, change: dict[str, Any], expected: type[AppError]
    ) -> None:
        facebook.debug = {name: value for name, value in {**facebook.debug, **change}.items() if value is not None}
        refused(expected, call, app, "profile_of_access_token", ACCESS_TOKEN)

    def test_token_that_goes_on_is_taken(self, app: Flask, facebook: FakeFacebook) -> None:
        facebook.debug["expires_at"] = int((datetime.now(UTC) + timedelta(days=60)).timestamp())
        assert call(app, "profile_of_access_token", ACCESS_TOKEN).subject == SUBJECT

    @pytest.mark.parametrize(
        ("url", "status", "error", "expected"),
        [
            (DEBUG_URL, 400, {"code": 100}, ForeignAccessToken),
            (DEBUG_URL, 400, {"code": 190}, Misconfigured),
            (DEBUG_URL, 403, {"code": 4}, ProviderUnavailable),
            (DEBUG_URL, 500, {"code": 1}, ProviderUnavailable),
            (ME_URL, 400, {"code": 190, "subcode": 463}, ExpiredToken),
            (ME_URL, 400, {"code": 190, "subcode": 467}, InvalidAccessToken),
            (ME_URL, 400, {"code": 2}, ProviderUnavailable),
        ],
    )
    def test_refused_calls_are_told_apart(
        self, app: Flask, facebook: FakeFacebook, url: str, status: int, error: dict[str, Any], expected: type[AppError]
    ) -> None:
        facebook.fails(url, error, status)
        refused(expected, call, app, "profile_of_access_token", ACCESS_TOKEN)

    @pytest.mark.parametrize("data", [None, [], "x", {}])
    def test_answer_without_data_is_unavailable(self, app: Flask, facebook: FakeFacebook, data: Any) -> None:
        facebook.mock.get(DEBUG_URL, json={"data": data})
        refused(ProviderUnavailable, call, app, "profile_of_access_token", ACCESS_TOKEN)

    @pytest.mark.parametrize("token", ["", "a b", "가", "a\n", "x" * 1001])
    def test_odd_token_is_refused_without_a_call(self, app: Flask, facebook: FakeFacebook, token: str) -> None:
        refused(InvalidAccessToken, call, app, "profile_of_access_token", token)
        assert not facebook.calls()

    def test_code_of_an_app_is_exchanged_with_its_own_values(self, app: Flask, facebook: FakeFacebook) -> None:
        found = call(app, "profile_of_code", CODE, "https://app.test/cb", code_verifier="w" * 43)
        assert found.subject == SUBJECT
        assert (facebook.form()["redirect_uri"], facebook.form()["code_verifier"]) == ("https://app.test/cb", "w" * 43)

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            ({"code": 100, "subcode": 36009}, InvalidAccessToken),
            ({"code": 100}, InvalidAccessToken),
            ({"code": 100, "subcode": 36008}, InvalidFields),
            ({"code": 191}, InvalidFields),
            ({"code": 101}, Misconfigured),
            ({"code": 2}, ProviderUnavailable),
        ],
    )
    def test_refused_code_is_told_apart(
        self, app: Flask, facebook: FakeFacebook, error: dict[str, Any], expected: type[AppError]
    ) -> None:
        facebook.fails(TOKEN_URL, error)
        refused(expected, call, app, "profile_of_code", CODE, "https://app.test/cb")

    def test_id_tokens_are_not_taken(self, app: Flask, facebook: FakeFacebook) -> None:
        refused(InvalidAccessToken, call, app, "profile_of_id_token", "a.b.c")
        assert not facebook.calls()


class TestUnlink:
    TOKENS = TokenSet(ACCESS_TOKEN, datetime(2030, 1, 1, tzinfo=UTC))

    def test_persons_own_token_is_used_first(self, app: Flask, facebook: FakeFacebook) -> None:
        call(app, "unlink", SUBJECT, self.TOKENS)
        (sent,) = facebook.calls(UNLINK_URL)
        assert (sent.method, sent.headers["Authorization"]) == ("DELETE", f"Bearer {ACCESS_TOKEN}")

    def test_without_a_token_the_app_does_it(self, app: Flask, facebook: FakeFacebook) -> None:
        call(app, "unlink", SUBJECT, None)
        (sent,) = facebook.calls(UNLINK_URL)
        assert (sent.headers["Authorization"], sent.qs) == (APP_TOKEN, {})

    def test_dead_token_leaves_it_to_the_app(self, app: Flask, facebook: FakeFacebook) -> None:
        dead = {"json": graph_error(190, 460), "status_code": 400}
        facebook.mock.delete(UNLINK_URL, [dead, {"json": {"success": True}}])
        call(app, "unlink", SUBJECT, self.TOKENS)
        assert [sent.headers["Authorization"] for sent in facebook.calls(UNLINK_URL)][1:] == [APP_TOKEN]

    @pytest.mark.parametrize("error", [{"code": 190, "subcode": 458}, {"code": 100, "subcode": 33}])
    def test_who_is_not_linked_counts_as_unlinked(
        self, app: Flask, facebook: FakeFacebook, error: dict[str, Any]
    ) -> None:
        facebook.fails(UNLINK_URL, error)
        call(app, "unlink", SUBJECT, None)
        call(app, "unlink", SUBJECT, self.TOKENS)

    @pytest.mark.parametrize(
        ("error", "expected"),
        [({"code": 190}, Misconfigured), ({"code": 2}, ProviderUnavailable), ({"code": 10}, Misconfigured)],
    )
    def test_what_facebook_did_not_do_is_said(
        self, app: Flask, facebook: FakeFacebook, error: dict[str, Any], expected: type[AppError]
    ) -> None:
        facebook.fails(UNLINK_URL, error)
        refused(expected, call, app, "unlink", SUBJECT, None)


class Tokens(NoTokens):
    def __init__(self, expires_at: int) -> None:
        super().__init__()
        self.expires_at = datetime.fromtimestamp(expires_at, UTC)

    def fetch_token(self, provider: str) -> TokenSet | None:
        return TokenSet(ACCESS_TOKEN, self.expires_at)


def app_of(keeper: Tokens) -> Flask:
    app = make_app(**SETTINGS)
    providers.init_app(app, keeper)
    return app


class TestAfterwards:
    def test_graph_is_called_as_the_current_user(self, facebook: FakeFacebook) -> None:
        app = app_of(Tokens(2**31))
        answer = call(app, "get", "/me", params={"fields": "id"})
        assert answer.json()["id"] == SUBJECT
        assert facebook.calls()[0].headers["Authorization"] == f"Bearer {ACCESS_TOKEN}"

    def test_dead_token_is_forgotten_and_a_fault_of_facebooks_is_not(self, facebook: FakeFacebook) -> None:
        keeper = Tokens(2**31)
        app = app_of(keeper)
        facebook.fails(ME_URL, {"code": 2})
        refused(ProviderUnavailable, call, app, "get", "me")
        assert keeper.forgotten == []
        facebook.fails(ME_URL, {"code": 190, "subcode": 460})
        refused(CodeRefused, call, app, "get", "me")
        assert keeper.forgotten == ["facebook"]

    def test_token_that_is_over_cannot_be_renewed(self, facebook: FakeFacebook) -> None:
        refused(CodeRefused, call, app_of(Tokens(1)), "get", "me")
        assert not facebook.calls()

    def test_facebook_has_no_logout_of_its_own(self, app: Flask, facebook: FakeFacebook) -> None:
        call(app, "end_token", ACCESS_TOKEN)
        assert call(app, "account_logout_url", "https://site.test/", "s") is None
        assert not facebook.calls()
