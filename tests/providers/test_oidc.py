"""Whether an id_token is genuine, and how the keys for that are kept."""

import hmac
import json
import re
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import time_machine
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.jws import serialize_compact as serialize
from support import base64url
from support.provider_app import CLIENT_ID, KAUTH, claims, public, sign
from support.stopwatch import Stopwatch

from kakaoauth.errors import AppError, ProviderBusy, ProviderUnavailable, UntrustedIdentity
from kakaoauth.providers.deadline import time_left
from kakaoauth.providers.http import WAITING_FOR_KEYS
from kakaoauth.providers.oidc import BRAKE, FRESH, PAUSE, USABLE, KeyStore, usable_keys, validate

NONCE = "n" * 43


class Publisher:
    """The provider's JWKS endpoint."""

    def __init__(self, *keys: RSAKey) -> None:
        self.answer: Any = {"keys": [public(key) for key in keys]}
        self.calls = 0

    def __call__(self) -> Mapping[str, Any]:
        self.calls += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        found: Mapping[str, Any] = self.answer
        return found


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(1_800_000_000, tick=False) as traveller:
        yield traveller


@pytest.fixture
def publisher(key: RSAKey) -> Publisher:
    return Publisher(key)


@pytest.fixture
def keys(publisher: Publisher) -> KeyStore:
    return KeyStore(publisher)


def check(token: object, keys: KeyStore, nonce: str = NONCE) -> dict[str, Any]:
    return validate(token, keys, issuer=KAUTH, audiences=[CLIENT_ID], nonce=nonce)


def refuse(token: object, keys: KeyStore) -> str:
    with pytest.raises(UntrustedIdentity) as caught:
        check(token, keys)
    return caught.value.reason


def encode(*parts: dict[str, Any]) -> str:
    return ".".join(base64url(json.dumps(part).encode()) for part in parts)


class TestSignature:
    def test_genuine_token_is_accepted(self, keys: KeyStore, key: RSAKey) -> None:
        assert check(sign(key, claims(NONCE)), keys)["sub"] == "4815162342"

    def test_foreign_signature_is_refused(self, keys: KeyStore, key: RSAKey, other_key: RSAKey) -> None:
        assert refuse(sign(other_key, claims(NONCE), kid=key.kid), keys) == "id_token: BadSignatureError"

    def test_changed_claims_are_refused(self, keys: KeyStore, key: RSAKey) -> None:
        head, _, signature = sign(key, claims(NONCE)).split(".")
        refuse(f"{head}.{encode(claims(NONCE, sub='1'))}.{signature}", keys)

    def test_unsigned_token_is_refused_without_a_call(self, keys: KeyStore, publisher: Publisher) -> None:
        refuse(encode({"alg": "none", "kid": "key-one"}, claims(NONCE)) + ".", keys)
        assert publisher.calls == 0

    def test_public_key_is_no_shared_secret(self, keys: KeyStore, key: RSAKey) -> None:
        for secret in (key.as_pem(private=False), json.dumps(public(key)).encode()):
            text = encode({"alg": "HS256", "kid": key.kid}, claims(NONCE))
            signature = hmac.digest(secret, text.encode(), "sha256")
            refuse(f"{text}.{base64url(signature)}", keys)

    @pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
    def test_other_rsa_algorithms_are_refused(self, keys: KeyStore, key: RSAKey, algorithm: str) -> None:
        header = {"alg": algorithm, "kid": key.kid}
        registry = JWSRegistry(algorithms=[algorithm])
        refuse(serialize(header, json.dumps(claims(NONCE)), key, registry=registry), keys)

    def test_elliptic_curves_are_refused(self, keys: KeyStore, key: RSAKey) -> None:
        curve = ECKey.generate_key("P-256")
        refuse(serialize({"alg": "ES256", "kid": key.kid}, json.dumps(claims(NONCE)), curve), keys)

    @pytest.mark.parametrize("name", ["jku", "x5u"])
    def test_addresses_in_the_header_are_not_followed(
        self, keys: KeyStore, other_key: RSAKey, key: RSAKey, publisher: Publisher, name: str
    ) -> None:
        header: dict[str, Any] = {name: "https://evil.test/jwks.json"}
        refuse(sign(other_key, claims(NONCE), kid=key.kid, **header), keys)
        assert check(sign(key, claims(NONCE), **header), keys)
        assert publisher.calls == 1

    def test_key_in_the_header_is_not_believed(self, keys: KeyStore, other_key: RSAKey, key: RSAKey) -> None:
        refuse(sign(other_key, claims(NONCE), kid=key.kid, jwk=public(other_key)), keys)

    @pytest.mark.parametrize("crit", [["exp2"], ["urn:x"]])
    def test_unknown_critical_header_is_refused(self, keys: KeyStore, key: RSAKey, crit: list[str]) -> None:
        header = {"alg": "RS256", "kid": key.kid, "crit": crit, crit[0]: 1}
        lax = JWSRegistry(algorithms=["RS256"], strict_check_header=False)
        lax.check_header = lambda header: None  # type: ignore[method-assign]
        refuse(serialize(header, json.dumps(claims(NONCE)), key, registry=lax), keys)

    def test_token_without_a_key_id_is_refused_without_a_call(
        self, keys: KeyStore, key: RSAKey, publisher: Publisher
    ) -> None:
        payload = json.dumps(claims(NONCE))
        for header in ({"alg": "RS256"}, {"alg": "RS256", "kid": ""}):
            assert "no key id" in refuse(serialize(header, payload, key), keys)
        assert publisher.calls == 0

    @pytest.mark.parametrize(
        "token", ["", "a", "a.b", "a.b.c", "...", "ey.ey.ey", "é.é.é", "a" * 100_000, None, 7, ["x"], {}, b"a.b.c"]
    )
    def test_garbage_is_refused(self, keys: KeyStore, token: object) -> None:
        refuse(token, keys)

    @pytest.mark.parametrize("payload", ["[]", "7", "nonsense", "", "[" * 6000])
    def test_signed_garbage_is_refused(self, keys: KeyStore, key: RSAKey, payload: str) -> None:
        refuse(serialize({"alg": "RS256", "kid": key.kid}, payload, key), keys)


class TestClaims:
    @pytest.mark.parametrize("typ", ["secevent+jwt", "SecEvent+JWT", "application/secevent+jwt"])
    def test_message_about_an_account_is_no_id_token(self, keys: KeyStore, key: RSAKey, typ: str) -> None:
        """The same key signs both, for the same app."""
        assert refuse(sign(key, claims(NONCE), typ=typ), keys) == "id_token: a security event"
        assert refuse(sign(key, claims(NONCE, events={})), keys) == "id_token: a security event"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"iss": "https://kauth.kakao.com/"},
            {"iss": "https://evil.test"},
            {"iss": None},
            {"iss": [KAUTH]},
            {"aud": "another-app"},
            {"aud": None},
            {"aud": []},
            {"aud": [CLIENT_ID, "another-app"]},
            {"aud": ["another-app", CLIENT_ID]},
            {"aud": [CLIENT_ID, CLIENT_ID]},
            {"aud": CLIENT_ID.upper()},
            {"aud": {"0": CLIENT_ID}},
            {"azp": "another-app"},
            {"azp": ""},
            {"sub": ""},
            {"sub": 4815162342},
            {"sub": None},
            {"sub": " a"},
            {"sub": "a\x00b"},
            {"sub": "١٢٣"},
            {"sub": "1" * 256},
            {"sub": "12\n"},
            {"nonce": None},
            {"nonce": ""},
            {"nonce": "older"},
            {"nonce": [NONCE]},
            {"nonce": "é"},
            {"nonce": "\ud800"},
            {"iat": 10**400},
            {"exp": -(10**400)},
            {"exp": None},
            {"exp": True},
            {"exp": "9999999999"},
            {"exp": 9999999999.5},
            {"iat": None},
            {"iat": "1"},
            {"iat": False},
        ],
    )
    def test_claim_that_is_not_ours_is_refused(self, keys: KeyStore, key: RSAKey, wrong: dict[str, Any]) -> None:
        refuse(sign(key, claims(NONCE, **wrong)), keys)

    @pytest.mark.parametrize("right", [{"aud": [CLIENT_ID]}, {"azp": CLIENT_ID}, {"sub": "13760169244297592289999"}])
    def test_unusual_but_right_claim_is_accepted(self, keys: KeyStore, key: RSAKey, right: dict[str, Any]) -> None:
        assert check(sign(key, claims(NONCE, **right)), keys)

    @pytest.mark.parametrize("subject", ["001234.0abcdef0123456789abcdef01234567.0123", "~!", "a|b c%", "a" * 255])
    def test_subject_is_any_visible_text_unless_the_provider_has_numbers(
        self, keys: KeyStore, key: RSAKey, subject: str
    ) -> None:
        token = sign(key, claims(NONCE, sub=subject))
        assert check(token, keys)["sub"] == subject
        with pytest.raises(UntrustedIdentity, match="no usable subject"):
            validate(token, keys, issuer=KAUTH, audiences=[CLIENT_ID], nonce=NONCE, subjects=re.compile("[0-9]+"))

    def test_empty_nonce_of_ours_matches_nothing(self, keys: KeyStore, key: RSAKey) -> None:
        with pytest.raises(UntrustedIdentity):
            check(sign(key, claims("")), keys, nonce="")

    def test_clock_may_be_a_minute_off(
        self, keys: KeyStore, key: RSAKey, clock: time_machine.Traveller, caplog: pytest.LogCaptureFixture
    ) -> None:
        now = int(time.time())
        assert check(sign(key, claims(NONCE, exp=now - 59)), keys)
        assert check(sign(key, claims(NONCE, iat=now + 60)), keys)
        assert caplog.text == ""

    @pytest.mark.parametrize(("name", "off"), [("exp", -60), ("exp", -120), ("iat", 61), ("iat", 120)])
    def test_clock_two_minutes_off_is_refused_with_a_hint(
        self,
        keys: KeyStore,
        key: RSAKey,
        clock: time_machine.Traveller,
        caplog: pytest.LogCaptureFixture,
        name: str,
        off: int,
    ) -> None:
        token = sign(key, claims(NONCE, **{name: int(time.time()) + off}))
        assert "check the clock" in refuse(token, keys)
        assert f"{abs(off)} seconds" in caplog.text
        assert "check the clock" in caplog.text
        assert token not in caplog.text


class TestKeys:
    def test_keys_are_asked_for_once_an_hour(
        self, keys: KeyStore, publisher: Publisher, clock: time_machine.Traveller
    ) -> None:
        for _ in range(5):
            keys.find("key-one")
            clock.shift(FRESH / 5 - 1)
        assert publisher.calls == 1
        clock.shift(10)
        keys.find("key-one")
        assert publisher.calls == 2

    def test_new_key_is_found_by_asking_again(
        self, keys: KeyStore, publisher: Publisher, other_key: RSAKey, key: RSAKey, clock: time_machine.Traveller
    ) -> None:
        keys.find("key-one")
        publisher.answer = {"keys": [public(key), public(other_key)]}
        assert check(sign(other_key, claims(NONCE)), keys)
        assert publisher.calls == 2

    def test_thousand_made_up_key_ids_are_one_call(
        self, keys: KeyStore, publisher: Publisher, clock: time_machine.Traveller
    ) -> None:
        keys.find("key-one")
        for number in range(1000):
            with pytest.raises(UntrustedIdentity):
                keys.find(f"made-up-{number}")
        assert publisher.calls == 2
        keys.find("key-one")
        assert publisher.calls == 2
        clock.shift(BRAKE)
        with pytest.raises(UntrustedIdentity):
            keys.find("made-up")
        assert publisher.calls == 3

    def test_failures_are_braked_too(self, keys: KeyStore, publisher: Publisher, clock: time_machine.Traveller) -> None:
        publisher.answer = ProviderUnavailable("down")
        for _ in range(100):
            with pytest.raises(ProviderUnavailable):
                keys.find("key-one")
        assert publisher.calls == 1
        clock.shift(PAUSE)
        with pytest.raises(ProviderUnavailable):
            keys.find("key-one")
        assert publisher.calls == 2

    def test_end_of_an_outage_is_seen_within_a_second(
        self, keys: KeyStore, publisher: Publisher, clock: time_machine.Traveller
    ) -> None:
        genuine, publisher.answer = publisher.answer, ProviderUnavailable("down")
        with pytest.raises(ProviderUnavailable):
            keys.find("key-one")
        publisher.answer = genuine
        clock.shift(PAUSE)
        assert keys.find("key-one")

    @pytest.mark.parametrize(
        "broken", [ProviderUnavailable("down"), {}, {"keys": []}, {"keys": "x"}, {"keys": [{"kty": "RSA"}]}]
    )
    def test_old_keys_serve_for_a_day_while_there_are_no_new_ones(
        self, keys: KeyStore, publisher: Publisher, clock: time_machine.Traveller, broken: Any
    ) -> None:
        genuine = publisher.answer
        keys.find("key-one")
        publisher.answer = broken
        clock.shift(USABLE - 1)
        assert keys.find("key-one")
        with pytest.raises(ProviderUnavailable):
            keys.find("key-two")
        clock.shift(BRAKE)
        with pytest.raises(ProviderUnavailable):
            keys.find("key-one")
        publisher.answer = genuine
        clock.shift(BRAKE)
        assert keys.find("key-one")

    def test_renewal_takes_little_of_a_login_that_could_do_without(self, key: RSAKey) -> None:
        allowed: list[float] = []

        def fetch() -> Mapping[str, Any]:
            allowed.append(time_left(99))
            return {"keys": [public(key)]}

        keys = KeyStore(fetch)
        with time_machine.travel(1_800_000_000, tick=False) as clock:
            keys.find("key-one")
            clock.shift(FRESH)
            keys.find("key-one")
        assert allowed[0] > 10
        assert allowed[1] < 2

    def test_withdrawn_key_is_no_longer_believed(
        self, keys: KeyStore, publisher: Publisher, other_key: RSAKey, clock: time_machine.Traveller
    ) -> None:
        keys.find("key-one")
        publisher.answer = {"keys": [public(other_key)]}
        clock.shift(FRESH)
        with pytest.raises(UntrustedIdentity):
            keys.find("key-one")

    def test_clock_set_back_does_not_freeze_the_keys(
        self, keys: KeyStore, publisher: Publisher, clock: time_machine.Traveller
    ) -> None:
        keys.find("key-one")
        clock.shift(-10 * USABLE)
        assert keys.find("key-one")
        assert publisher.calls == 2

    def test_fifty_threads_make_one_call_and_few_wait_for_it(self, key: RSAKey) -> None:
        publisher = Publisher(key)
        found: list[RSAKey] = []
        refused: list[ProviderBusy] = []
        others_refused = threading.Event()

        def slow() -> Mapping[str, Any]:
            assert others_refused.wait(30)
            return publisher()

        def work(keys: KeyStore) -> None:
            try:
                found.append(keys.find("key-one"))
            except ProviderBusy as error:
                refused.append(error)
                if len(refused) == 49 - WAITING_FOR_KEYS:
                    others_refused.set()

        keys = KeyStore(slow)
        threads = [threading.Thread(target=work, args=(keys,)) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (publisher.calls, len(found), len(refused)) == (1, 1 + WAITING_FOR_KEYS, 49 - WAITING_FOR_KEYS)

    def test_old_key_serves_at_once_while_another_thread_asks(self, key: RSAKey) -> None:
        publisher, asked, go_on = Publisher(key), threading.Event(), threading.Event()

        def slow() -> Mapping[str, Any]:
            if publisher.calls:
                asked.set()
                go_on.wait(3)
            return publisher()

        keys = KeyStore(slow)
        keys.find("key-one")
        with time_machine.travel(time.time() + FRESH + 1):
            first = threading.Thread(target=keys.find, args=("key-one",))
            first.start()
            assert asked.wait(3)
            watch = Stopwatch()
            assert keys.find("key-one")
            assert watch.seconds() < 2
            go_on.set()
            first.join()

    def test_waiting_for_the_keys_ends(self, keys: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("kakaoauth.providers.oidc.PATIENCE", 0.05)
        with keys._lock, pytest.raises(ProviderUnavailable):
            keys.find("key-one")

    def test_only_rsa_signing_keys_of_good_size_are_used(self, key: RSAKey, other_key: RSAKey) -> None:
        whole = public(key)
        broken = [
            None,
            "key",
            {},
            {**whole, "kid": None},
            {**whole, "kid": ""},
            {**whole, "kid": 7},
            {**whole, "n": None},
            {**whole, "n": "!" * 400},
            {**whole, "n": whole["n"][:170]},
            {**whole, "e": None},
            {**whole, "e": "A"},
            {**whole, "e": ""},
            {**whole, "use": "enc"},
            {**whole, "alg": "RS512"},
            {**whole, "kty": "EC"},
            ECKey.generate_key("P-256", {"kid": "curve"}).as_dict(private=False),
        ]
        entries = [{**entry, "kid": entry.get("kid", "x")} if isinstance(entry, dict) else entry for entry in broken]
        assert usable_keys({"keys": entries}) == {}
        found = usable_keys({"keys": [*entries, public(other_key, x5u="https://evil.test"), whole]})
        assert set(found) == {"key-one", "key-two"}
        bare = {name: whole[name] for name in ("kty", "n", "e", "kid")}
        assert set(usable_keys({"keys": [bare]})) == {"key-one"}

    def test_unforeseen_error_is_not_hidden(self) -> None:
        def bug() -> Mapping[str, Any]:
            raise ZeroDivisionError

        store = KeyStore(bug)
        with pytest.raises(ZeroDivisionError):
            store.find("key-one")
        assert not store._lock.locked()
        assert issubclass(ProviderUnavailable, AppError)


@pytest.mark.parametrize(("bits", "taken"), [(1024, False), (2040, False), (2048, True)])
def test_key_of_fewer_than_2048_bits_is_not_used(key: RSAKey, bits: int, taken: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = RSAKey.generate_key(bits, {"kid": "other"})
        token = sign(other, claims(NONCE))
        keys = KeyStore(Publisher(key, other))
        if taken:
            assert check(token, keys)["sub"]
            return
        with pytest.raises(UntrustedIdentity):
            check(token, keys)


def test_provider_that_is_away_is_asked_once_a_minute_while_old_keys_serve(
    key: RSAKey, keys: KeyStore, publisher: Publisher, clock: time_machine.Traveller
) -> None:
    def log_in() -> int:
        assert check(sign(key, claims(NONCE)), keys)["sub"]
        return publisher.calls

    assert log_in() == 1
    publisher.answer = ProviderUnavailable("away")
    clock.shift(FRESH)
    assert log_in() == 2
    clock.shift(PAUSE)
    assert log_in() == 2, "not each second"
    clock.shift(BRAKE)
    assert log_in() == 3
