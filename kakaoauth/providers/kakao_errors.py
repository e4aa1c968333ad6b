"""The only file that knows what Kakao's error codes mean: whose fault each one is, and what the operator can do.

Codes decide, never texts: Kakao says that texts may change, and `error_description` can quote the code
(https://developers.kakao.com/docs/ko/kakaologin/trouble-shooting, https://developers.kakao.com/docs/ko/rest-api/error-code).
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

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
    one_line,
)


class Fault(NamedTuple):
    """What an error code stands for. `hint` is for the operator; `retry_after` in seconds."""

    error: type[AppError]
    hint: str
    retry_after: int | None = None


def _operator(hint: str) -> Fault:
    return Fault(Misconfigured, hint)


def _temporary(hint: str, retry_after: int | None = None) -> Fault:
    return Fault(ProviderUnavailable, hint, retry_after)


def _person(error: type[AppError], hint: str) -> Fault:
    return Fault(error, hint)


_BUSINESS = "the app calls Kakao's business authentication, which this site does not use"
_PLUGIN = "an internal plug-in of Kakao failed"
_SIGNING = "a signing or age-check product that this site does not use"
_MESSAGES = "a message or friends API that this site does not use"
_PICTURES = "an image upload API that this site does not use"

#: Errors of the OAuth host.
KOE: Mapping[str, Fault] = {
    "KOE001": _operator("the request is malformed: compare KAKAO_REDIRECT_URI and KAKAO_SCOPE with the console"),
    "KOE002": _operator("wrong address: check KAKAO_KAUTH_URL"),
    "KOE003": _temporary("Kakao's OAuth server has a temporary fault"),
    "KOE004": _operator("Kakao Login is off: switch it on in the console under [Kakao Login]"),
    "KOE005": _operator("this is a test app and the person is no member of it: add them, or use the real app's key"),
    "KOE006": _operator("the redirect URI is not registered: add it, byte for byte, under this REST API key"),
    "KOE007": _operator("the logout redirect URI is not registered: add it under [Kakao Login] > [Advanced]"),
    "KOE008": _operator("wrong type of app key: KAKAO_CLIENT_ID must be the REST API key"),
    "KOE009": _operator("the request comes from a platform that is not registered in the console"),
    "KOE010": _operator("the client secret is missing or wrong: copy it from the console into KAKAO_CLIENT_SECRET"),
    "KOE023": _operator("the app may not log in through the JavaScript SDK's popup"),
    **dict.fromkeys(("KOE025", "KOE026", "KOE027", "KOE028"), _operator(_BUSINESS)),
    "KOE101": _operator("wrong app key: KAKAO_CLIENT_ID must be the REST API key"),
    "KOE102": _operator("the app is not linked to the Kakao Talk channel that is asked for"),
    **{f"KOE{number}": _operator(_PLUGIN) for number in range(103, 111)},
    "KOE114": _operator("Kakao refuses the app for a reason it does not document"),
    **dict.fromkeys(("KOE123", "KOE124"), _operator(_BUSINESS)),
    "KOE125": _operator("Kakao has sanctioned the app or its developer: read the mail sent to the app's members"),
    "KOE201": _operator("response_type is not supported"),
    "KOE202": _operator("the implicit grant is not supported"),
    "KOE203": _person(InteractionRequired, "a required consent item was not agreed to"),
    "KOE204": _operator("the request has an invalid parameter"),
    "KOE205": _operator("KAKAO_SCOPE names a consent item that is not configured: configure it, or leave it out"),
    "KOE207": _operator("the request lacks a parameter"),
    **dict.fromkeys(("KOE232", "KOE233"), _operator(_BUSINESS)),
    # The limit is counted over 10 minutes.
    "KOE237": _temporary("too many token calls", 600),
    "KOE303": _operator("the token call's redirect URI differs from the login's: set KAKAO_REDIRECT_URI"),
    "KOE310": _operator("the grant type or the redirect URI is not accepted: check KAKAO_REDIRECT_URI"),
    "KOE319": _operator("the refresh token was not sent"),
    "KOE320": _person(CodeRefused, "the authorization code is used, expired or unknown"),
    "KOE322": _person(CodeRefused, "the refresh token is expired or unknown"),
    "KOE400": _person(UntrustedIdentity, "Kakao does not recognise the id_token"),
    "KOE401": _person(UntrustedIdentity, "the id_token's issuer is not Kakao"),
    "KOE402": _person(UntrustedIdentity, "the id_token's signature is wrong"),
    "KOE403": _person(CodeRefused, "the id_token is expired"),
}

#: Errors of the resource host.
KAPI: Mapping[int, Fault] = {
    -1: _temporary("Kakao has a temporary fault"),
    -2: _operator("a parameter of the call is missing or wrong"),
    -3: _operator("the API is not switched on for the app, or not allowed for this admin key"),
    -4: _person(AccountUnusable, "Kakao has blocked the account"),
    -5: _operator("the app has no permission for this API"),
    -6: _operator("Kakao does not allow this action"),
    -7: _temporary("Kakao is under maintenance"),
    -8: _operator("the call has a wrong header"),
    -9: _operator("Kakao has ended this API: update the site"),
    -10: _temporary("the app's quota is used up: see [Quota] in the console"),
    -11: _temporary("the paid quota is used up: see [Quota] in the console"),
    -12: _operator("Kakao has sanctioned the app or its developer: read the mail sent to the app's members"),
    -101: _person(AccountUnusable, "the account is not linked to the app"),
    -102: _operator("the account is linked already: switch automatic linking on"),
    -103: _person(AccountUnusable, "the Kakao account is dormant or does not exist"),
    -201: _operator("a user property is not registered in the console"),
    -301: _operator("the app does not exist: check KAKAO_CLIENT_ID"),
    -401: _person(CodeRefused, "Kakao does not accept the token; if it repeats, check the console's allowed IP list"),
    -402: _person(InteractionRequired, "the person has not agreed to a needed consent item"),
    -405: _person(AccountUnusable, "Kakao wants the person's age verified"),
    -406: _person(UnderAge, "the person is under 14 and the app does not admit them"),
    **dict.fromkeys((-421, -422, -423, -451, -452, -453, -480, -481), _operator(_SIGNING)),
    -501: _person(AccountUnusable, "the person does not use KakaoTalk"),
    **dict.fromkeys((-502, -504, -530, -531, -532), _operator(_MESSAGES)),
    **dict.fromkeys((-602, -606, -911), _operator(_PICTURES)),
    -603: _temporary("Kakao took too long internally"),
    -903: _operator("the key belongs to a developer who is not registered"),
    -9798: _temporary("Kakao is under maintenance", 600),
}

#: OAuth error names, for answers without a number (RFC 6749, section 5.2, and Kakao's own).
OAUTH: Mapping[str, Fault] = {
    "invalid_grant": _person(CodeRefused, "the grant is used, expired or unknown"),
    "invalid_token": _person(CodeRefused, "the token is expired or unknown"),
    "invalid_client": _operator("check KAKAO_CLIENT_ID and KAKAO_CLIENT_SECRET"),
    "unauthorized_client": _operator("Kakao has sanctioned the app or its developer"),
    "unauthorized": _operator("Kakao does not let the app do this"),
    "invalid_request": _operator("the request is malformed"),
    "invalid_scope": _operator("check KAKAO_SCOPE"),
    "unsupported_grant_type": _operator("the grant type is not supported"),
    "misconfigured": _operator("check the app's platforms in the console"),
    "server_error": _temporary("Kakao has a temporary fault"),
    "temporarily_unavailable": _temporary("Kakao is temporarily unavailable"),
}

_CANCELLED = {"access_denied"}
_NEEDS_PERSON = {"login_required", "consent_required", "interaction_required", "auto_login"}
_KAKAO_FAULT = {"server_error", "temporarily_unavailable"}
_OPERATOR_FAULT = {
    "unauthorized_client",
    "unauthorized",
    "invalid_client",
    "invalid_scope",
    "invalid_request",
    "unsupported_response_type",
    "misconfigured",
}
_AGE = re.compile(r"age\s*14|under[\s-]*age", re.IGNORECASE)
_KOE_NUMBER = re.compile(r"KOE[0-9]{3}")
_SECONDS = re.compile(r"[0-9]{1,6}")


def is_error(body: Mapping[str, Any]) -> bool:
    """Whether an answer says that it is one, whatever its status."""
    return "error" in body or "error_code" in body or _number(body.get("code")) is not None


def from_answer(status: int, body: Mapping[str, Any], retry_after: str = "") -> AppError:
    """Turn an error answer into ours.

    :param body: `{error, error_description, error_code}` from the OAuth host, `{msg, code}` from the resource host,
        or an empty mapping where the body was not JSON. :param retry_after: the header of that name.
    """
    provider_code, fault = _look_up(body)
    if status == 429 or status >= 500:
        # Whatever it says: a fault of Kakao's is never taken for a bad code or a wrong setting.
        hint = fault.hint if fault and fault.error is ProviderUnavailable else f"status {status}"
        fault = _temporary(hint, fault.retry_after if fault else None)
    elif fault is None:
        fault = _temporary(f"an error this site does not know (status {status})")
    error = fault.error(f"Kakao: {fault.hint}", provider_code=provider_code)
    if fault.error is ProviderUnavailable:
        error.retry_after = _retry_after(retry_after) or fault.retry_after or error.retry_after
    return error


def refusal(error: str, description: str) -> AppError:
    """Say why the authorization endpoint sent the person back. The description is searched for the word age only."""
    if error in _CANCELLED:
        if _AGE.search(description):
            return UnderAge("authorization: under 14")
        return LoginCancelled("authorization: access_denied")
    if error in _NEEDS_PERSON:
        return InteractionRequired(f"authorization: {error}")
    if error in _KAKAO_FAULT:
        return ProviderUnavailable(f"authorization: {error}")
    if error in _OPERATOR_FAULT:
        return Misconfigured(f"authorization: {error}")
    return InvalidRequest(f"authorization: unknown error {one_line(error, 40)}")


def _look_up(body: Mapping[str, Any]) -> tuple[str, Fault | None]:
    """The code the page may show, and what it means. Numbers come before names: KOE237 calls itself invalid_request."""
    koe = body.get("error_code")
    koe = koe if isinstance(koe, str) and _KOE_NUMBER.fullmatch(koe) else ""
    number = _number(body.get("code"))
    name = body.get("error")
    named = OAUTH.get(name) if isinstance(name, str) else None
    if koe:
        return koe, KOE.get(koe, named)
    if number is not None:
        return str(number), KAPI.get(number)
    return "", named


def _number(code: Any) -> int | None:
    """Kakao's numbers have up to four digits; what has more is no code and would be shown as one."""
    return code if type(code) is int and -100_000 < code < 0 else None


def _retry_after(header: str) -> int | None:
    """Seconds only; at most an hour, so that a mistake there does not close the login for a day."""
    return min(int(header), 3600) if _SECONDS.fullmatch(header) else None
