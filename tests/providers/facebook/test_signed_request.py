"""Facebook's signed_request: what is believed, and what is not."""

import json
import string
import time
from typing import Any

import pytest
import time_machine
from support.facebook import SECRET, SUBJECT, sign, signed_request

from kakaoauth.providers.base import SetRefused
from kakaoauth.providers.facebook.signed_request import LEEWAY, MAX_AGE, read_signed_request
from kakaoauth.providers.values import AccountEvent

SIGNATURE, PAYLOAD = signed_request().split(".")
ALPHABET = f"{string.ascii_uppercase}{string.ascii_lowercase}{string.digits}-_"


def read(raw: str) -> AccountEvent:
    return read_signed_request(raw, SECRET)


def refused(raw: str) -> str:
    with pytest.raises(SetRefused) as caught:
        read(raw)
    assert SUBJECT not in caught.value.description
    return caught.value.err


def test_genuine_message_says_who_and_when() -> None:
    with time_machine.travel(1_800_000_000, tick=False):
        event = read(signed_request())
    assert (event.kind, event.subject, event.happened_at.timestamp()) == ("user-unlinked", SUBJECT, 1_800_000_000)
    assert SUBJECT not in event.jti


@pytest.mark.parametrize(
    "raw",
    [
        signed_request("another secret, of 32 characters"),
        f"{'A' * 43}.{PAYLOAD}",
        f"{SIGNATURE[:-1]}{ALPHABET[ALPHABET.index(SIGNATURE[-1]) + 1]}.{PAYLOAD}",  # decoded it is the same
        f"{SIGNATURE[:41]}.{PAYLOAD}",
        f"{SIGNATURE}.{PAYLOAD[:-1]}{'B' if PAYLOAD[-1] == 'A' else 'A'}",
        f"{SIGNATURE[:20]}.{PAYLOAD}",
    ],
)
def test_message_that_is_not_signed_with_our_secret_is_refused(raw: str) -> None:
    assert refused(raw) == "authentication_failed"


@pytest.mark.parametrize(
    "raw",
    [
        "",
        ".",
        PAYLOAD,
        SIGNATURE + PAYLOAD,
        f".{PAYLOAD}",
        f"{SIGNATURE}.",
        f"{SIGNATURE}.{PAYLOAD}.{PAYLOAD}",
        f"{SIGNATURE}. {PAYLOAD}",
        f"{SIGNATURE}*.{PAYLOAD}",
        f"{SIGNATURE}.{PAYLOAD}%",
        f"{SIGNATURE}.가나다",
        "\x00.\x00",
    ],
    ids=range(12),  # the texts hold today's time, and each worker collects at another moment
)
def test_broken_form_is_refused(raw: str) -> None:
    assert refused(raw) == "invalid_request"


@pytest.mark.parametrize("payload", ["", "x", "[]", '"text"', "7", "null", "[" * 5000, "\ud55c", "{}"])
def test_signed_content_that_is_no_object_is_refused(payload: str) -> None:
    assert refused(sign(payload)) == "invalid_request"


@pytest.mark.parametrize(
    "change",
    [
        {"algorithm": None},
        {"algorithm": "hmac-sha256"},
        {"algorithm": "HMAC-SHA1"},
        {"algorithm": "none"},
        {"algorithm": ["HMAC-SHA256"]},
        {"user_id": None},
        {"user_id": ""},
        {"user_id": "0"},
        {"user_id": "12; DROP"},
        {"user_id": "1" * 41},
        {"user_id": 1.5},
        {"user_id": True},
        {"issued_at": None},
        {"issued_at": "1800000000"},
        {"issued_at": 1e9},
        {"issued_at": True},
        {"issued_at": 10**30},
        {"issued_at": -1},
    ],
)
def test_signed_content_that_cannot_be_meant_is_refused(change: dict[str, Any]) -> None:
    assert refused(signed_request(**change)) == "invalid_request"


def test_number_as_user_id_is_read_exactly() -> None:
    assert read(signed_request(user_id=9223372036854775809)).subject == "9223372036854775809"


@pytest.mark.parametrize(
    ("age", "taken"), [(0, True), (MAX_AGE - 5, True), (MAX_AGE + 5, False), (-LEEWAY + 5, True), (-LEEWAY - 5, False)]
)
def test_window_of_a_message_is_a_day(age: int, taken: bool) -> None:
    raw = signed_request(issued_at=int(time.time()) - age)
    assert read(raw) if taken else refused(raw) == "invalid_request"


def test_padding_makes_no_difference() -> None:
    assert read(f"{SIGNATURE}={'.'}{PAYLOAD}").subject == SUBJECT


def test_unknown_fields_are_tolerated() -> None:
    assert read(signed_request(user={"country": "kr"}, expires=0)).subject == SUBJECT


def test_repetition_has_the_same_id_and_a_later_message_has_another() -> None:
    now = int(time.time())
    one, again, later = (read(signed_request(issued_at=moment)).jti for moment in (now, now, now - 1))
    other = read(signed_request(issued_at=now, user_id="777")).jti
    assert one == again
    assert len({one, later, other}) == 3
    assert json.dumps(one)
