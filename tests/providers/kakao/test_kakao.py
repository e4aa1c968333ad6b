"""Kakao Login from the authorization request to the profile, with Kakao's side imitated."""

import logging
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import time_machine
from flask import Flask, session
from joserfc.jwk import RSAKey
from support.provider_app import (
    ACCESS_TOKEN,
    CLIENT_ID,
    CLIENT_SECRET,
    CODE,
    JWKS_URL,
    ME_URL,
    REDIRECT_URI,
    SUBJECT,
    TOKEN_URL,
    FakeKakao,
    NoTokens,
    Visitor,
    claims,
    kakao_of,
    sign,
)

from kakaoauth import days, providers
from kakaoauth.errors import (
    AccountUnusable,
    AppError,
    CodeRefused,
    ContradictoryAnswers,
    LoginCancelled,
    Misconfigured,
    ProviderUnavailable,
    UnderAge,
    UntrustedIdentity,
)
from kakaoauth.providers.values import EmailState, PendingLogin

CANARIES = (ACCESS_TOKEN, CODE, CLIENT_SECRET, "canary-description")


def authorization(app: Flask, **kwargs: Any) -> dict[str, str]:
    with app.test_request_context():
        address = kakao_of(app).begin(REDIRECT_URI, "/", **kwargs)
    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://kauth.kakao.com/oauth/authorize"
    query = parse_qs(parts.query, strict_parsing=True)
    assert all(len(values) == 1 for values in query.values())
    return {name: values[0] for name, values in query.items()}


def refused(visitor: Visitor, expected: type[AppError]) -> AppError:
    with pytest.raises(AppError) as caught:
        visitor.finish()
    assert type(caught.value) is expected
    return caught.value


class TestAuthorizationRequest:
    def test_it_asks_for_a_code_with_nonce_and_challenge(self, visitor: Visitor) -> None:
        challenge = urlsafe_b64encode(sha256(visitor.pending.code_verifier.encode()).digest()).rstrip(b"=").decode()
        assert visitor.query == {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": REDIRECT_URI,
            "state": visitor.pending.state,
            "nonce": visitor.pending.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }

    @pytest.mark.parametrize(
        ("configured", "sent"),
        [
            ("openid,account_email", "openid,account_email"),
            ("openid account_email", "openid,account_email"),
            (" openid,  account_email ,", "openid,account_email"),
            ("account_email", "account_email"),
        ],
    )
    def test_configured_scope_is_a_comma_list(self, make: Callable[..., Flask], configured: str, sent: str) -> None:
        assert authorization(make(KAKAO_SCOPE=configured))["scope"] == sent

    @pytest.mark.parametrize("configured", ["", " , "])
    def test_without_configured_scope_the_console_decides(self, make: Callable[..., Flask], configured: str) -> None:
        assert "scope" not in authorization(make(KAKAO_SCOPE=configured))

    def test_consent_is_asked_with_openid_where_the_app_uses_it(self, make: Callable[..., Flask]) -> None:
        plain, openid = make(), make(KAKAO_SCOPE="openid,profile_nickname")
        consent = ("account_email", "gender")
        assert authorization(plain, consent=consent)["scope"] == "account_email,gender"
        assert authorization(openid, consent=consent)["scope"] == "openid,account_email,gender"

    def test_prompt_goes_along_only_if_given(self, app: Flask) -> None:
        assert authorization(app, prompt="select_account")["prompt"] == "select_account"
        assert "prompt" not in authorization(app)

    def test_redirect_uri_goes_out_byte_for_byte(self, app: Flask) -> None:
        odd = "http://localhost:8000/kakao/login/callback/?a=%2F&b=가"
        with app.test_request_context():
            address = kakao_of(app).begin(odd, "/")
            assert parse_qs(urlsplit(address).query)["redirect_uri"] == [odd]
            ((_key, value),) = dict(session).items()
            assert value["data"]["redirect_uri"] == odd

    def test_addresses_are_built_on_the_settings(self, make: Callable[..., Flask]) -> None:
        app = make(KAKAO_KAUTH_URL="http://127.0.0.1:9", KAKAO_KAPI_URL="http://127.0.0.1:9")
        with app.test_request_context():
            assert kakao_of(app).begin(REDIRECT_URI, "/").startswith("http://127.0.0.1:9/oauth/authorize?")


class TestTokenCall:
    def test_form_holds_the_pending_values_and_the_secret(self, visitor: Visitor, kakao: FakeKakao) -> None:
        visitor.finish()
        assert kakao.form() == {
            "grant_type": ["authorization_code"],
            "client_id": [CLIENT_ID],
            "client_secret": [CLIENT_SECRET],
            "redirect_uri": [REDIRECT_URI],
            "code": [CODE],
            "code_verifier": [visitor.pending.code_verifier],
        }
        (call,) = kakao.calls(TOKEN_URL)
        assert call.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
        assert "Authorization" not in call.headers
        assert int(call.headers["Content-Length"]) == len(call.text)
        assert "Accept-Encoding" not in call.headers, "a packed answer costs more than its way"

    def test_without_secret_there_is_no_such_parameter(self, make: Callable[..., Flask], kakao: FakeKakao) -> None:
        Visitor(make(KAKAO_CLIENT_SECRET="")).finish()
        assert "client_secret" not in kakao.form()
        assert kakao.form()["client_id"] == [CLIENT_ID]
        assert "Authorization" not in kakao.calls(TOKEN_URL)[0].headers

    def test_values_of_the_pending_login_count_not_the_settings(self, app: Flask, kakao: FakeKakao) -> None:
        pending = PendingLogin("kakao", "s", "older-app", "https://old.test/cb", "n", "v" * 43, "/", 9e9)
        with app.test_request_context():
            kakao_of(app).fetch_profile(pending, "a+b/c=&d")
        form = kakao.form()
        assert (form["client_id"], form["redirect_uri"]) == (["older-app"], ["https://old.test/cb"])
        assert (form["code_verifier"], form["code"]) == (["v" * 43], ["a+b/c=&d"])

    def test_two_logins_share_nothing(self, app: Flask, kakao: FakeKakao) -> None:
        one, two = Visitor(app), Visitor(app)
        two.finish()
        one.finish()
        sent = [parse_qs(call.text)["code_verifier"][0] for call in kakao.calls(TOKEN_URL)]
        assert sent == [two.pending.code_verifier, one.pending.code_verifier]

    @pytest.mark.parametrize(
        "change",
        [
            {"access_token": None},
            {"access_token": ""},
            {"access_token": " "},
            {"access_token": 7},
            {"access_token": ["x"]},
            {"access_token": "a\r\nX-Evil: 1"},
            {"access_token": "가"},
            {"token_type": None},
            {"token_type": "mac"},
            {"token_type": 7},
        ],
    )
    def test_unusable_token_is_unavailable(self, visitor: Visitor, kakao: FakeKakao, change: dict[str, Any]) -> None:
        kakao.token = {name: value for name, value in {**kakao.token, **change}.items() if value is not None}
        refused(visitor, ProviderUnavailable)
        assert not kakao.calls(ME_URL)

    @pytest.mark.parametrize(
        "change",
        [
            {"expires_in": "21599"},
            {"expires_in": -1},
            {"expires_in": 10**400},
            {"expires_in": "soon"},
            {"expires_in": None},
            {"expires_in": [1]},
            {"expires_at": "never"},
            {"token_type": "Bearer"},
            {"token_type": "BEARER"},
            {"scope": ["a"]},
            {"scope": None},
            {"refresh_token": 7},
            {"id_token": None},
        ],
    )
    def test_fields_we_do_not_need_do_no_harm(self, visitor: Visitor, kakao: FakeKakao, change: dict[str, Any]) -> None:
        kakao.token |= change
        assert visitor.finish().subject == str(SUBJECT)

    @pytest.mark.parametrize("body", ["", "{}", "[]", "null", "<html></html>", "[" * 100_000])
    def test_nonsense_with_a_good_status_is_unavailable(self, visitor: Visitor, kakao: FakeKakao, body: str) -> None:
        kakao.mock.post(TOKEN_URL, text=body)
        refused(visitor, ProviderUnavailable)

    @pytest.mark.parametrize(
        ("status", "body", "expected", "code"),
        [
            (400, {"error": "invalid_grant", "error_code": "KOE320"}, CodeRefused, "KOE320"),
            (401, {"error": "invalid_client", "error_code": "KOE010"}, Misconfigured, "KOE010"),
            (401, {"error": "invalid_client", "error_code": "KOE101"}, Misconfigured, "KOE101"),
            (400, {"error": "invalid_grant", "error_code": "KOE303"}, Misconfigured, "KOE303"),
            (400, {"error": "server_error", "error_code": "KOE003"}, ProviderUnavailable, "KOE003"),
            (400, {"error": "invalid_request", "error_code": "KOE237"}, ProviderUnavailable, "KOE237"),
            (200, {"error": "invalid_grant", "error_code": "KOE320"}, CodeRefused, "KOE320"),
            (400, {"error": "invalid_grant"}, CodeRefused, ""),
            (502, {"error": "invalid_grant", "error_code": "KOE320"}, ProviderUnavailable, "KOE320"),
        ],
    )
    def test_refused_call_says_why_and_quotes_nothing(
        self,
        visitor: Visitor,
        kakao: FakeKakao,
        status: int,
        body: dict[str, str],
        expected: type[AppError],
        code: str,
    ) -> None:
        body = {**body, "error_description": f"canary-description for code={CODE}"}
        kakao.mock.post(TOKEN_URL, status_code=status, json=body)
        error = refused(visitor, expected)
        assert error.provider_code == code
        assert not any(canary in f"{error} {error.reason}" for canary in CANARIES)
        assert len(kakao.calls(TOKEN_URL)) == 1

    def test_page_instead_of_an_error_is_unavailable(self, visitor: Visitor, kakao: FakeKakao) -> None:
        for status in (400, 401, 403, 404, 429, 500, 503):
            kakao.mock.post(TOKEN_URL, status_code=status, text="<html>", headers={"Content-Type": "text/html"})
            refused(visitor, ProviderUnavailable)

    def test_retry_after_is_passed_on(self, visitor: Visitor, kakao: FakeKakao) -> None:
        kakao.mock.post(TOKEN_URL, status_code=429, text="slow down", headers={"Retry-After": "17"})
        assert refused(visitor, ProviderUnavailable).retry_after == 17

    def test_redirect_is_not_followed(self, visitor: Visitor, kakao: FakeKakao) -> None:
        for status in (301, 302, 303, 307, 308):
            kakao.mock.post(TOKEN_URL, status_code=status, headers={"Location": "https://evil.test/"})
            refused(visitor, ProviderUnavailable)
        assert {call.hostname for call in kakao.mock.request_history} == {"kauth.kakao.com"}

    @pytest.mark.parametrize("fault", [requests.ConnectionError, requests.ReadTimeout, requests.exceptions.SSLError])
    def test_network_faults_are_unavailable_and_not_repeated(
        self, visitor: Visitor, kakao: FakeKakao, fault: type[Exception]
    ) -> None:
        kakao.mock.post(TOKEN_URL, exc=fault(f"canary {CODE}"))
        error = refused(visitor, ProviderUnavailable)
        assert CODE not in error.reason
        assert kakao.mock.call_count == 1


class TestIdToken:
    def test_id_token_that_says_enough_saves_the_second_call(self, visitor: Visitor, kakao: FakeKakao) -> None:
        kakao.give_id_token(visitor.pending.nonce, nickname="별이", picture="http://k.kakaocdn.net/dn/s.jpg")
        found = visitor.finish()
        assert (found.subject, found.email, found.email_state) == (str(SUBJECT), "byul@mail.test", EmailState.TRUSTED)
        assert (found.nickname, found.profile_image) == ("별이", "https://k.kakaocdn.net/dn/s.jpg")
        assert not kakao.calls(ME_URL)

    def test_keys_are_fetched_once_for_many_logins(self, app: Flask, kakao: FakeKakao) -> None:
        for _ in range(3):
            visitor = Visitor(app)
            kakao.give_id_token(visitor.pending.nonce)
            visitor.finish()
        assert len(kakao.calls(JWKS_URL)) == 1
        assert "Authorization" not in kakao.calls(JWKS_URL)[0].headers

    @pytest.mark.parametrize("email", [None, "a***@mail.test", ""])
    def test_second_call_says_why_there_is_no_email(
        self, visitor: Visitor, kakao: FakeKakao, email: str | None
    ) -> None:
        kakao.give_id_token(visitor.pending.nonce, email=email)
        kakao.me["kakao_account"] = {"email_needs_agreement": True}
        assert visitor.finish().email_state is EmailState.NOT_AGREED

    def test_no_second_call_where_no_email_is_needed(self, make: Callable[..., Flask], kakao: FakeKakao) -> None:
        visitor = Visitor(make(KAKAOAUTH_EMAIL_REQUIRED=False))
        kakao.give_id_token(visitor.pending.nonce, email=None)
        assert visitor.finish().email is None
        assert not kakao.calls(ME_URL)

    @pytest.mark.parametrize("item", ["name", "gender", "age_range", "birthyear", "birthday"])
    @pytest.mark.parametrize("separator", [" ", ","])
    def test_items_only_user_me_knows_need_the_second_call(
        self, visitor: Visitor, kakao: FakeKakao, item: str, separator: str
    ) -> None:
        kakao.give_id_token(visitor.pending.nonce, scope=separator.join(["openid", "account_email", item]))
        kakao.me["kakao_account"] = {"gender": "female"}
        found = visitor.finish()
        assert (found.gender, found.email) == ("female", "byul@mail.test")

    def test_different_people_are_refused(self, visitor: Visitor, kakao: FakeKakao) -> None:
        kakao.give_id_token(visitor.pending.nonce, scope="openid gender")
        kakao.me["id"] = SUBJECT + 1
        refused(visitor, ContradictoryAnswers)

    @pytest.mark.parametrize("subject", ["abc", "0", "-5", "1" * 41])
    def test_id_token_whose_subject_is_no_number_of_kakaos_is_refused(
        self, visitor: Visitor, kakao: FakeKakao, subject: str
    ) -> None:
        kakao.give_id_token(visitor.pending.nonce, sub=subject)
        refused(visitor, UntrustedIdentity)

    def test_same_person_with_a_long_id_is_recognised(self, visitor: Visitor, kakao: FakeKakao) -> None:
        kakao.give_id_token(visitor.pending.nonce, scope="openid gender", sub="9223372036854775809")
        kakao.me["id"] = 9223372036854775809
        assert visitor.finish().subject == "9223372036854775809"
        kakao.me["id"] = 9223372036854775808
        refused(visitor, ContradictoryAnswers)

    @pytest.mark.parametrize("bad", ["", "nonsense", 7, [], {}, False])
    def test_bad_id_token_is_refused_and_not_passed_over(self, visitor: Visitor, kakao: FakeKakao, bad: Any) -> None:
        kakao.token["id_token"] = bad
        refused(visitor, UntrustedIdentity)
        assert not kakao.calls(ME_URL)

    def test_id_token_of_another_login_is_refused(self, app: Flask, kakao: FakeKakao) -> None:
        one, two = Visitor(app), Visitor(app)
        kakao.give_id_token(one.pending.nonce)
        refused(two, UntrustedIdentity)

    def test_audience_is_the_pending_client(self, app: Flask, kakao: FakeKakao) -> None:
        pending = PendingLogin("kakao", "s", "older-app", REDIRECT_URI, "n" * 43, "v" * 43, "/", 9e9)
        kakao.give_id_token("n" * 43, aud="older-app")
        with app.test_request_context():
            assert kakao_of(app).fetch_profile(pending, CODE).subject == str(SUBJECT)
            kakao.give_id_token("n" * 43, aud=CLIENT_ID)
            with pytest.raises(UntrustedIdentity):
                kakao_of(app).fetch_profile(pending, CODE)

    def test_foreign_key_is_refused(self, visitor: Visitor, kakao: FakeKakao, other_key: RSAKey) -> None:
        kakao.token["id_token"] = sign(other_key, claims(visitor.pending.nonce))
        refused(visitor, UntrustedIdentity)

    @pytest.mark.parametrize(
        "broken",
        [
            {"status_code": 503},
            {"status_code": 404, "text": "<html>"},
            {"text": "<html>"},
            {"text": ""},
            {"json": {"keys": []}},
            {"json": [1]},
            {"content": b" " * 2_000_000},
            {"exc": requests.ConnectTimeout},
            {"status_code": 302, "headers": {"Location": "https://evil.test/"}},
        ],
    )
    def test_without_keys_nobody_gets_in(self, visitor: Visitor, kakao: FakeKakao, broken: dict[str, Any]) -> None:
        kakao.give_id_token(visitor.pending.nonce)
        kakao.mock.get(JWKS_URL, **broken)
        refused(visitor, ProviderUnavailable)
        assert not kakao.calls(ME_URL)


class TestUserMe:
    def test_pictures_are_asked_for_by_https(self, visitor: Visitor, kakao: FakeKakao) -> None:
        visitor.finish()
        (call,) = kakao.calls(ME_URL)
        assert call.headers["Authorization"] == f"Bearer {ACCESS_TOKEN}"
        assert call.qs == {"secure_resource": ["true"]}
        assert not kakao.calls(JWKS_URL)

    def test_profile_is_read(self, visitor: Visitor, kakao: FakeKakao) -> None:
        account = {"email": "byul@mail.test", "is_email_valid": True, "is_email_verified": True, "birthyear": "2000"}
        kakao.me["kakao_account"] = account
        with time_machine.travel("2026-07-01T00:00:00Z"):
            found = visitor.finish()
        assert (found.provider, found.subject, found.email, found.age) == ("kakao", str(SUBJECT), "byul@mail.test", 26)

    @pytest.mark.parametrize(
        ("status", "number", "expected"),
        [
            (401, -401, CodeRefused),
            (400, -101, AccountUnusable),
            (400, -103, AccountUnusable),
            (401, -406, UnderAge),
            (400, -2, Misconfigured),
            (403, -5, Misconfigured),
            (400, -8, Misconfigured),
            (400, -1, ProviderUnavailable),
            (400, -7, ProviderUnavailable),
            (400, -10, ProviderUnavailable),
            (429, -10, ProviderUnavailable),
            (503, -9798, ProviderUnavailable),
            (200, -603, ProviderUnavailable),
        ],
    )
    def test_refused_call_says_whose_fault_it_is(
        self, visitor: Visitor, kakao: FakeKakao, status: int, number: int, expected: type[AppError]
    ) -> None:
        kakao.mock.get(ME_URL, status_code=status, json={"msg": "canary-description", "code": number})
        error = refused(visitor, expected)
        assert error.provider_code == str(number)
        assert "canary" not in error.reason

    @pytest.mark.parametrize("body", [{}, [], {"id": None}, {"id": True}, {"id": -1}])
    def test_answer_without_an_id_is_unavailable(self, visitor: Visitor, kakao: FakeKakao, body: Any) -> None:
        kakao.mock.get(ME_URL, json=body)
        refused(visitor, ProviderUnavailable)


class TestAround:
    def test_refusal_of_the_authorization_is_translated(self, app: Flask) -> None:
        assert type(kakao_of(app).refusal("access_denied", "User denied access")) is LoginCancelled

    def test_account_logout_address_is_encoded(self, app: Flask) -> None:
        address = kakao_of(app).account_logout_url("https://site.test/out/?a=b&c=가", "s&t")
        parts = urlsplit(address)
        assert address.startswith("https://kauth.kakao.com/oauth/logout?")
        assert address.isascii()
        expected = {
            "client_id": [CLIENT_ID],
            "logout_redirect_uri": ["https://site.test/out/?a=b&c=가"],
            "state": ["s&t"],
        }
        assert parse_qs(parts.query) == expected

    def test_apps_do_not_share_their_clients(self, make: Callable[..., Flask]) -> None:
        first, second = make(KAKAO_CLIENT_ID="a" * 32), make(KAKAO_CLIENT_ID="b" * 32)
        assert authorization(first)["client_id"] == "a" * 32
        assert authorization(second)["client_id"] == "b" * 32
        assert kakao_of(first).transport is not kakao_of(second).transport

    def test_unknown_and_unconfigured_providers_are_none(self, app: Flask) -> None:
        with app.app_context():
            assert providers.find_provider("facebook") is None
            assert providers.find_provider("") is None
            assert [provider.name for provider in providers.all_providers()] == ["kakao"]

    def test_unconfigured_provider_is_not_offered(self) -> None:
        app = Flask("bare")
        providers.init_app(app, NoTokens())
        with app.app_context():
            assert providers.all_providers() == []
            assert providers.find_provider("kakao") is None

    def test_limits_come_from_the_settings(self, make: Callable[..., Flask]) -> None:
        line = kakao_of(
            make(PROVIDER_DEADLINE_SECONDS=1.5, PROVIDER_READ_SECONDS=0.5, PROVIDER_PROXY_FROM_ENV=True)
        ).transport
        assert (line.seconds, line.read_seconds, line.proxy_from_env) == (1.5, 0.5, True)

    def test_year_turns_with_korea(self) -> None:
        with time_machine.travel("2026-12-31T14:59:00Z"):
            assert days.today().year == 2026
        with time_machine.travel("2026-12-31T15:01:00Z"):
            assert days.today().year == 2027

    def test_nothing_secret_is_logged(self, app: Flask, kakao: FakeKakao, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        visitor = Visitor(app)
        kakao.give_id_token(visitor.pending.nonce, scope="openid gender")
        visitor.finish()
        kakao.mock.post(
            TOKEN_URL, status_code=400, json={"error": "x", "error_description": f"canary-description {CODE}"}
        )
        refused(visitor, ProviderUnavailable)
        kakao.mock.post(TOKEN_URL, exc=requests.ConnectionError(f"{CLIENT_SECRET}"))
        refused(visitor, ProviderUnavailable)
        pending = visitor.pending
        for secret in (*CANARIES, pending.code_verifier, pending.nonce, pending.state, str(kakao.token["id_token"])):
            assert secret not in caplog.text

    def test_label_is_text_for_people(self, app: Flask) -> None:
        with app.test_request_context("/?lang=en"):
            assert kakao_of(app).label == "Kakao"

    def test_login_makes_three_calls_at_most(self, visitor: Visitor, kakao: FakeKakao) -> None:
        kakao.give_id_token(visitor.pending.nonce, scope="openid gender")
        visitor.finish()
        assert [call.url.split("?")[0] for call in kakao.mock.request_history] == [TOKEN_URL, JWKS_URL, ME_URL]
