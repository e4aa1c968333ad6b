"""What Kakao's error codes mean."""

import re
from typing import Any

import pytest

from kakaoauth.errors import (
    AccountUnusable,
    AppError,
    CodeRefused,
    InteractionRequired,
    InvalidRequest,
    LoginCancelled,
    Misconfigured,
    ProviderUnavailable,
    UnderAge,
    UntrustedIdentity,
)
from kakaoauth.providers.kakao.errors import KAPI, KOE, OAUTH, from_answer, is_error, refusal


def koe(code: str, error: str = "invalid_grant") -> dict[str, Any]:
    return {"error": error, "error_description": "canary-code in the text", "error_code": code}


@pytest.mark.parametrize(
    ("expected", "codes"),
    [
        (Misconfigured, "004 005 006 007 008 009 010 023 101 102 114 125 126 127 201 202 204 205 207 303 310 319"),
        (ProviderUnavailable, "003 237"),
        (CodeRefused, "320 322 403"),
        (InteractionRequired, "203"),
        (UntrustedIdentity, "400 401 402"),
    ],
)
def test_koe_codes_name_whose_fault_it_is(expected: type[AppError], codes: str) -> None:
    for code in codes.split():
        error = from_answer(400, koe(f"KOE{code}"))
        assert type(error) is expected, code
        assert error.provider_code == f"KOE{code}"


@pytest.mark.parametrize(
    ("expected", "codes"),
    [
        (Misconfigured, "-2 -3 -5 -6 -8 -9 -12 -13 -201 -301 -903"),
        (ProviderUnavailable, "-1 -7 -10 -11 -603 -9798"),
        (AccountUnusable, "-4 -101 -103 -405 -501"),
        (CodeRefused, "-401"),
        (InteractionRequired, "-402"),
        (UnderAge, "-406"),
    ],
)
def test_kapi_codes_name_whose_fault_it_is(expected: type[AppError], codes: str) -> None:
    for code in codes.split():
        error = from_answer(400, {"msg": "canary", "code": int(code)})
        assert type(error) is expected, code
        assert error.provider_code == code


def test_reason_tells_an_expired_token_from_a_wrong_one() -> None:
    expired = from_answer(401, {"msg": "canary", "code": -401, "reason": "ACCESS_TOKEN_EXPIRED"})
    assert (type(expired), expired.provider_code) == (CodeRefused, "-401")
    assert "expired" in expired.reason
    for reason in ("SOMETHING_NEW", "", None, 7, ["ACCESS_TOKEN_EXPIRED"]):
        assert from_answer(401, {"code": -401, "reason": reason}).reason == from_answer(401, {"code": -401}).reason
    assert type(from_answer(400, {"code": -101, "reason": "ACCESS_TOKEN_EXPIRED"})) is AccountUnusable


@pytest.mark.parametrize(
    ("expected", "names"),
    [
        (CodeRefused, "invalid_grant invalid_token"),
        (Misconfigured, "invalid_client unauthorized_client invalid_request invalid_scope misconfigured"),
        (ProviderUnavailable, "server_error temporarily_unavailable something_new"),
    ],
)
def test_names_without_a_number_are_understood(expected: type[AppError], names: str) -> None:
    for name in names.split():
        error = from_answer(400, {"error": name})
        assert type(error) is expected, name
        assert error.provider_code == ""


def test_number_counts_before_name() -> None:
    assert type(from_answer(400, koe("KOE237", "invalid_request"))) is ProviderUnavailable
    assert type(from_answer(400, koe("KOE010", "invalid_grant"))) is Misconfigured


def test_new_number_is_understood_by_its_name_and_shown() -> None:
    error = from_answer(400, koe("KOE999", "invalid_grant"))
    assert (type(error), error.provider_code) == (CodeRefused, "KOE999")
    error = from_answer(400, {"error_code": "KOE999"})
    assert (type(error), error.provider_code) == (ProviderUnavailable, "KOE999")
    error = from_answer(403, {"code": -777})
    assert (type(error), error.provider_code) == (ProviderUnavailable, "-777")


@pytest.mark.parametrize(
    "code", ["KOE1010", "koe101", "KOE10", "<b>KOE101", "KOE101\n", "KOE１０１", 101, None, ["KOE101"]]
)
def test_only_real_koe_numbers_are_believed(code: Any) -> None:
    assert from_answer(400, {"error_code": code}).provider_code == ""


@pytest.mark.parametrize("code", ["-401", -401.0, True, 401, 0, None, [-401], -(10**9)])
def test_only_real_kapi_numbers_are_believed(code: Any) -> None:
    error = from_answer(400, {"code": code})
    assert (type(error), error.provider_code) == (ProviderUnavailable, "")


@pytest.mark.parametrize("body", [{}, {"error": 7}, {"error": ["invalid_grant"]}, {"error": None}, {"msg": "x"}])
def test_answers_that_say_nothing_are_kakaos_fault(body: dict[str, Any]) -> None:
    assert type(from_answer(400, body)) is ProviderUnavailable


@pytest.mark.parametrize("status", [429, 500, 502, 503])
@pytest.mark.parametrize("body", [koe("KOE320"), koe("KOE010"), {"code": -401}, {"code": -101}, {}])
def test_overload_and_server_faults_are_temporary_whatever_they_say(status: int, body: dict[str, Any]) -> None:
    assert type(from_answer(status, body)) is ProviderUnavailable


def test_pause_is_kakaos_or_the_codes_or_the_usual() -> None:
    assert from_answer(429, {"code": -10}, "7").retry_after == 7
    assert from_answer(429, {"code": -10}, "99999").retry_after == 3600
    assert from_answer(429, {"code": -10}, "Wed, 21 Oct 2026 07:28:00 GMT").retry_after == 60
    assert from_answer(429, {"code": -10}, "-5").retry_after == 60
    assert from_answer(400, koe("KOE237")).retry_after == 600
    assert from_answer(429, koe("KOE237")).retry_after == 600
    assert from_answer(503, {}).retry_after == 60
    assert ProviderUnavailable.retry_after == 60


def test_only_temporary_errors_ask_to_wait() -> None:
    assert from_answer(400, koe("KOE320"), "30").retry_after is None


def test_hints_are_for_the_operator_and_quote_nothing() -> None:
    for number in (*KOE, *KAPI):
        body = {"error_code": number} if isinstance(number, str) else {"code": number}
        error = from_answer(400, {**body, "error_description": "canary", "msg": "canary", "error": "canary"})
        assert "canary" not in error.reason
        assert 10 < len(error.reason) <= 200
    assert "KAKAO_CLIENT_SECRET" in from_answer(401, koe("KOE010")).reason
    assert "KAKAO_CLIENT_ID" in from_answer(401, koe("KOE101")).reason
    assert "KAKAO_REDIRECT_URI" in from_answer(400, koe("KOE303")).reason


def test_table_is_well_formed() -> None:
    assert all(re.fullmatch(r"KOE\d{3}", code) for code in KOE)
    assert all(code < 0 for code in KAPI)
    assert all(issubclass(fault.error, AppError) for fault in (*KOE.values(), *KAPI.values(), *OAUTH.values()))


def test_error_inside_a_good_status_is_noticed() -> None:
    assert is_error({"error": "x"})
    assert is_error({"error_code": "KOE101"})
    assert is_error({"msg": "x", "code": -1})
    assert not is_error({"id": 1, "code": "x"})
    assert not is_error({"access_token": "x"})


@pytest.mark.parametrize(
    ("error", "description", "expected"),
    [
        ("access_denied", "User denied access", LoginCancelled),
        ("access_denied", "", LoginCancelled),
        ("access_denied", "Not allowed under age 14", UnderAge),
        ("access_denied", "NOT ALLOWED UNDER AGE", UnderAge),
        ("access_denied", "not allowed: age 14", UnderAge),
        ("access_denied", "user left the page", LoginCancelled),
        ("login_required", "user authentication required.", InteractionRequired),
        ("consent_required", "user consent required.", InteractionRequired),
        ("interaction_required", "", InteractionRequired),
        ("server_error", "", ProviderUnavailable),
        ("temporarily_unavailable", "", ProviderUnavailable),
        ("unauthorized_client", "", Misconfigured),
        ("invalid_client", "", Misconfigured),
        ("invalid_scope", "", Misconfigured),
        ("invalid_request", "", Misconfigured),
        ("unsupported_response_type", "", Misconfigured),
        ("misconfigured", "", Misconfigured),
        ("unauthorized", "", Misconfigured),
        ("something_new", "", InvalidRequest),
        ("ACCESS_DENIED", "", InvalidRequest),
    ],
)
def test_refusal_says_whose_turn_it_is(error: str, description: str, expected: type[AppError]) -> None:
    refused = refusal(error, description)
    assert type(refused) is expected
    assert not description or description not in refused.reason


def test_operators_learn_which_error_it_was() -> None:
    assert "invalid_scope" in refusal("invalid_scope", "").reason


def test_unknown_refusal_is_shortened_and_made_printable() -> None:
    refused = refusal("<script>\r\nSet-Cookie: a=b\x1b[31m" + "x" * 500, "canary")
    assert refused.reason.isprintable()
    assert len(refused.reason) < 100
    assert "canary" not in refused.reason
