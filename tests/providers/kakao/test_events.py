"""Which of Kakao's account-status messages are genuine and for us, and what is read from them."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from joserfc.jwk import RSAKey
from joserfc.jws import serialize_compact
from support.provider_app import CLIENT_ID, KAUTH, public, sign
from support.provider_app import claims as id_token_claims

from kakaoauth.errors import ProviderUnavailable
from kakaoauth.providers.base import SetRefused
from kakaoauth.providers.kakao.events import read_set
from kakaoauth.providers.oidc import LEEWAY, KeyStore
from kakaoauth.providers.signed_events import MAX_AGE
from kakaoauth.providers.values import AccountEvent
from kakaoauth.sandbox.kakao.security_events import EVENTS

APP_ID = 654321
NOW = 1_800_000_000
SUBJECT = "4815162342"
UNLINKED = EVENTS["user-unlinked"]
TWO_EVENTS: dict[str, Any] = {UNLINKED: {}, EVENTS["tokens-revoked"]: {}}


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def keys(key: RSAKey) -> KeyStore:
    return KeyStore(lambda: {"keys": [public(key)]})


def body(uri: str = UNLINKED, subject: str = SUBJECT, **further: Any) -> dict[str, Any]:
    return {uri: {"subject": {"subject_type": "iss-sub", "iss": KAUTH, "sub": subject}, **further}}


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a SET; a value of None removes."""
    now = int(time.time())
    whole = {"iss": KAUTH, "aud": CLIENT_ID, "sub": SUBJECT, "app_id": str(APP_ID), "iat": now, "toe": now}
    whole |= {"txm": "6d0f3a", "jti": "3f1e77c0a5", "events": body(), **changes}
    return {name: value for name, value in whole.items() if value is not None}


def sign_set(key: RSAKey, content: dict[str, Any] | None = None, **header: Any) -> str:
    return sign(key, content or claims(), **{"typ": "secevent+jwt", **header})


def read(token: str, keys: KeyStore, app_id: int = APP_ID) -> AccountEvent:
    return read_set(token, keys, issuer=KAUTH, client_id=CLIENT_ID, app_id=app_id)


def refuse(token: str, keys: KeyStore, app_id: int = APP_ID) -> str:
    with pytest.raises(SetRefused) as caught:
        read(token, keys, app_id)
    assert caught.value.description
    return caught.value.err


def encode(*parts: dict[str, Any]) -> str:
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)


class TestSignature:
    def test_genuine_message_is_read(self, keys: KeyStore, key: RSAKey) -> None:
        event = AccountEvent("3f1e77c0a5", "user-unlinked", SUBJECT, datetime.fromtimestamp(NOW, UTC))
        assert read(sign_set(key), keys) == event

    def test_foreign_signature(self, keys: KeyStore, key: RSAKey, other_key: RSAKey) -> None:
        assert refuse(sign_set(other_key, kid=key.kid), keys) == "authentication_failed"

    def test_alg_none(self, keys: KeyStore, key: RSAKey) -> None:
        header = {"alg": "none", "kid": key.kid, "typ": "secevent+jwt"}
        assert refuse(encode(header, claims()) + ".", keys) == "authentication_failed"

    def test_public_key_as_shared_secret(self, keys: KeyStore, key: RSAKey) -> None:
        content = encode({"alg": "HS256", "kid": key.kid, "typ": "secevent+jwt"}, claims())
        mac = hmac.digest(key.as_pem(private=False), content.encode(), hashlib.sha256)
        token = f"{content}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
        assert refuse(token, keys) == "authentication_failed"

    def test_changed_content(self, keys: KeyStore, key: RSAKey) -> None:
        head, _, signature = sign_set(key).split(".")
        assert refuse(f"{head}.{encode(claims(sub='1', events=body(subject='1')))}.{signature}", keys) == (
            "authentication_failed"
        )

    def test_unknown_key(self, keys: KeyStore, other_key: RSAKey) -> None:
        assert refuse(sign_set(other_key), keys) == "invalid_key"

    @pytest.mark.parametrize("kid", [{}, {"kid": ""}])
    def test_no_key_id(self, keys: KeyStore, key: RSAKey, kid: dict[str, str]) -> None:
        token = serialize_compact({"alg": "RS256", "typ": "secevent+jwt", **kid}, json.dumps(claims()), key)
        assert refuse(token, keys) == "invalid_key"

    @pytest.mark.parametrize(
        "raw", ["", " ", "x", "a.b.c", "a.b", "{}", "\ufffd" * 3, "." * 2, "a.b.c.d", "e30.e30.e30"]
    )
    def test_no_token_at_all(self, keys: KeyStore, raw: str) -> None:
        assert refuse(raw, keys) in ("invalid_request", "invalid_key", "authentication_failed")

    def test_body_without_a_token_is_called_an_invalid_request(self, keys: KeyStore) -> None:
        assert refuse("token=abc", keys) == refuse("a.b.c", keys) == "invalid_request"

    def test_line_break_at_the_end_is_forgiven(self, keys: KeyStore, key: RSAKey) -> None:
        assert read(sign_set(key) + "\r\n", keys).subject == SUBJECT

    def test_keys_that_cannot_be_had_are_no_verdict(self, key: RSAKey) -> None:
        def fetch() -> Any:
            raise ProviderUnavailable("away")

        with pytest.raises(ProviderUnavailable):
            read(sign_set(key), KeyStore(fetch))

    def test_rotated_key_counts_at_once(self, key: RSAKey, other_key: RSAKey) -> None:
        published = [public(key)]
        keys = KeyStore(lambda: {"keys": published})
        read(sign_set(key), keys)
        published[:] = [public(other_key)]
        assert read(sign_set(other_key), keys).kind == "user-unlinked"


class TestKindOfToken:
    @pytest.mark.parametrize("typ", ["secevent+jwt", "SecEvent+JWT", "application/secevent+jwt"])
    def test_typ_of_a_security_event(self, keys: KeyStore, key: RSAKey, typ: str) -> None:
        assert read(sign_set(key, typ=typ), keys).subject == SUBJECT

    @pytest.mark.parametrize("typ", [{"typ": "JWT"}, {"typ": "at+jwt"}, {"typ": ""}, {}])
    def test_another_typ(self, keys: KeyStore, key: RSAKey, typ: dict[str, str]) -> None:
        token = serialize_compact({"alg": "RS256", "kid": key.kid, **typ}, json.dumps(claims()), key)
        assert refuse(token, keys) == "invalid_request"

    def test_id_token_of_the_same_app(self, keys: KeyStore, key: RSAKey) -> None:
        assert refuse(sign(key, id_token_claims("a nonce")), keys) == "invalid_request"

    def test_id_token_under_the_typ_of_a_security_event_has_no_events(self, keys: KeyStore, key: RSAKey) -> None:
        token = sign_set(key, id_token_claims("a nonce", jti="1"))
        assert refuse(token, keys) == "invalid_request"


class TestParties:
    @pytest.mark.parametrize("iss", ["https://kauth.kakao.com/", "https://issuer.invalid", None, [KAUTH], 1])
    def test_another_issuer(self, keys: KeyStore, key: RSAKey, iss: Any) -> None:
        assert refuse(sign_set(key, claims(iss=iss)), keys) == "invalid_issuer"

    @pytest.mark.parametrize("aud", ["x" * 32, None, [CLIENT_ID, "another"], [], {}, APP_ID + 1, str(APP_ID + 1), True])
    def test_another_audience(self, keys: KeyStore, key: RSAKey, aud: Any) -> None:
        assert refuse(sign_set(key, claims(aud=aud)), keys) == "invalid_audience"

    @pytest.mark.parametrize("aud", [CLIENT_ID, [CLIENT_ID], str(APP_ID), [str(APP_ID)]])
    def test_rest_key_or_app_id_is_our_audience(self, keys: KeyStore, key: RSAKey, aud: Any) -> None:
        assert read(sign_set(key, claims(aud=aud)), keys).subject == SUBJECT

    @pytest.mark.parametrize("aud", ["0", "", 0])
    def test_unset_app_id_is_nobodys_audience(self, keys: KeyStore, key: RSAKey, aud: Any) -> None:
        assert refuse(sign_set(key, claims(aud=aud)), keys, app_id=0) == "invalid_audience"

    def test_foreign_app_id(self, keys: KeyStore, key: RSAKey) -> None:
        assert refuse(sign_set(key, claims(app_id="654322")), keys) == "invalid_audience"

    @pytest.mark.parametrize("app_id", [APP_ID, str(APP_ID), None])
    def test_our_app_id_or_none(self, keys: KeyStore, key: RSAKey, app_id: Any) -> None:
        assert read(sign_set(key, claims(app_id=app_id)), keys).subject == SUBJECT

    @pytest.mark.parametrize("sub", [None, "", "0", "01", "-1", "1" * 41, 4815162342, "４８", "1\n", ["1"]])
    def test_odd_subject(self, keys: KeyStore, key: RSAKey, sub: Any) -> None:
        about = {UNLINKED: {}}
        assert refuse(sign_set(key, claims(sub=sub, events=about)), keys) == "invalid_request"

    def test_body_about_somebody_else(self, keys: KeyStore, key: RSAKey) -> None:
        assert refuse(sign_set(key, claims(events=body(subject="1001"))), keys) == "invalid_request"


class TestEvents:
    @pytest.mark.parametrize(
        "events",
        [None, {}, [], [UNLINKED], UNLINKED, 1, {UNLINKED: None}, {UNLINKED: []}, {UNLINKED: "x"}, TWO_EVENTS],
    )
    def test_not_exactly_one_event(self, keys: KeyStore, key: RSAKey, events: Any) -> None:
        assert refuse(sign_set(key, claims(events=events)), keys) == "invalid_request"

    @pytest.mark.parametrize("name", EVENTS)
    def test_kind_is_the_last_part_of_the_address(self, keys: KeyStore, key: RSAKey, name: str) -> None:
        assert read(sign_set(key, claims(events=body(EVENTS[name]))), keys).kind == name

    def test_event_without_a_subject_of_its_own(self, keys: KeyStore, key: RSAKey) -> None:
        assert read(sign_set(key, claims(events={UNLINKED: {}})), keys).subject == SUBJECT

    @pytest.mark.parametrize("odd", ["a\nERROR forged", "a\x00b", "a\x1b[31m", "\ud800", "a b", "가\u202e"])
    def test_kind_is_a_plain_word_of_bounded_length(self, keys: KeyStore, key: RSAKey, odd: str) -> None:
        kind = read(sign_set(key, claims(events=body(f"https://x/{odd}{'k' * 300}"))), keys).kind
        assert kind.isascii()
        assert kind.isprintable()
        assert " " not in kind
        assert len(kind) == 100

    def test_scopes_are_texts(self, keys: KeyStore, key: RSAKey) -> None:
        def scopes(value: Any) -> tuple[str, ...]:
            about = body(EVENTS["user-scope-withdraw"], scopes=value)
            return read(sign_set(key, claims(events=about)), keys).scopes

        assert scopes(["account_email", 1, None, "gender"]) == ("account_email", "gender")
        assert scopes("account_email") == scopes(None) == scopes({"a": 1}) == ()


class TestId:
    @pytest.mark.parametrize("jti", [None, "", 1, ["1"], "j" * 256, "a\x00", "a\nb", "\ud800"])
    def test_odd_jti(self, keys: KeyStore, key: RSAKey, jti: Any) -> None:
        assert refuse(sign_set(key, claims(jti=jti)), keys) == "invalid_request"

    def test_longest_jti(self, keys: KeyStore, key: RSAKey) -> None:
        assert read(sign_set(key, claims(jti="j" * 255)), keys).jti == "j" * 255


class TestTime:
    @pytest.mark.parametrize(
        "iat", [None, str(NOW), float(NOW), True, NOW + LEEWAY + 1, NOW - MAX_AGE - 1, 0, -1, 10**30]
    )
    def test_odd_iat(self, keys: KeyStore, key: RSAKey, iat: Any) -> None:
        assert refuse(sign_set(key, claims(iat=iat)), keys) == "invalid_request"

    @pytest.mark.parametrize("iat", [NOW + LEEWAY, NOW - MAX_AGE])
    def test_edges_of_the_window(self, keys: KeyStore, key: RSAKey, iat: int) -> None:
        assert read(sign_set(key, claims(iat=iat, toe=None)), keys).happened_at.timestamp() == iat

    def test_no_exp_is_needed(self, keys: KeyStore, key: RSAKey, clock: time_machine.Traveller) -> None:
        token = sign_set(key)
        clock.shift(86400)
        assert "exp" not in claims()
        assert read(token, keys).subject == SUBJECT

    def test_time_of_the_event_counts_where_it_is_told(self, keys: KeyStore, key: RSAKey) -> None:
        assert read(sign_set(key, claims(toe=NOW - 500)), keys).happened_at.timestamp() == NOW - 500

    @pytest.mark.parametrize("toe", [None, "x", -5, 0, NOW + LEEWAY + 1, NOW * 1000, True, 1.5])
    def test_odd_time_of_the_event_is_passed_over(self, keys: KeyStore, key: RSAKey, toe: Any) -> None:
        assert read(sign_set(key, claims(toe=toe)), keys).happened_at.timestamp() == NOW
