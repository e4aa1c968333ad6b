"""Kakao's error codes: whose fault each one is, and what the operator can do.

Codes decide, never texts: Kakao says that texts may change, and `error_description` can quote the code
(https://developers.kakao.com/docs/ko/kakaologin/trouble-shooting, https://developers.kakao.com/docs/ko/rest-api/error-code).
"""

import re
from collections.abc import Mapping
from typing import Any

from kakaoauth.errors import (
    AccountUnusable,
    AppError,
    CodeRefused,
    InteractionRequired,
    Misconfigured,
    UnderAge,
    UntrustedIdentity,
)
from kakaoauth.providers import answers
from kakaoauth.providers.answers import Fault, operator, person, temporary

_BUSINESS = "the app calls Kakao's business authentication, which this site does not use"
_PLUGIN = "an internal plug-in of Kakao failed"
_SIGNING = "a signing or age-check product that this site does not use"
_MESSAGES = "a message or friends API that this site does not use"
_PICTURES = "an image upload API that this site does not use"

#: Errors of the OAuth host.
KOE: Mapping[str, Fault] = {
    "KOE001": operator("the request is malformed: compare KAKAO_REDIRECT_URI and KAKAO_SCOPE with the console"),
    "KOE002": operator("wrong address: check KAKAO_KAUTH_URL"),
    "KOE003": temporary("Kakao's OAuth server has a temporary fault"),
    "KOE004": operator("Kakao Login is off: switch it on in the console under [Kakao Login]"),
    "KOE005": operator("this is a test app and the person is no member of it: add them, or use the real app's key"),
    "KOE006": operator("the redirect URI is not registered: add it, byte for byte, under this REST API key"),
    "KOE007": operator("the logout redirect URI is not registered: add it under [Kakao Login] > [Advanced]"),
    "KOE008": operator("wrong type of app key: KAKAO_CLIENT_ID must be the REST API key"),
    "KOE009": operator("the request comes from a platform that is not registered in the console"),
    "KOE010": operator("the client secret is missing or wrong: copy it from the console into KAKAO_CLIENT_SECRET"),
    "KOE023": operator("the app may not log in through the JavaScript SDK's popup"),
    **dict.fromkeys(("KOE025", "KOE026", "KOE027", "KOE028"), operator(_BUSINESS)),
    "KOE101": operator("wrong app key: KAKAO_CLIENT_ID must be the REST API key"),
    "KOE102": operator("the app is not linked to the Kakao Talk channel that is asked for"),
    **{f"KOE{number}": operator(_PLUGIN) for number in range(103, 111)},
    "KOE114": operator(
        "the code was issued under another key of the app, such as the JavaScript key: use the REST API key for both"
    ),
    **dict.fromkeys(("KOE123", "KOE124"), operator(_BUSINESS)),
    "KOE125": operator("Kakao has sanctioned the app or its developer: read the mail sent to the app's members"),
    "KOE126": operator("Kakao refuses the app's configuration for a reason it does not document: compare the console"),
    "KOE127": operator("the server's address is not among the app's allowed IPs: add it in the console"),
    "KOE201": operator("response_type is not supported"),
    "KOE202": operator("the implicit grant is not supported"),
    "KOE203": person(InteractionRequired, "a required consent item was not agreed to"),
    "KOE204": operator("the request has an invalid parameter"),
    "KOE205": operator("KAKAO_SCOPE names a consent item that is not configured: configure it, or leave it out"),
    "KOE207": operator("the request lacks a parameter"),
    **dict.fromkeys(("KOE232", "KOE233"), operator(_BUSINESS)),
    # The limit is counted over 10 minutes.
    "KOE237": temporary("too many token calls", 600),
    "KOE303": operator("the token call's redirect URI differs from the login's: set KAKAO_REDIRECT_URI"),
    "KOE310": operator("the grant type or the redirect URI is not accepted: check KAKAO_REDIRECT_URI"),
    "KOE319": operator("the refresh token was not sent"),
    "KOE320": person(CodeRefused, "the authorization code is used, expired or unknown"),
    "KOE322": person(CodeRefused, "the refresh token is expired or unknown"),
    "KOE400": person(UntrustedIdentity, "Kakao does not recognise the id_token"),
    "KOE401": person(UntrustedIdentity, "the id_token's issuer is not Kakao"),
    "KOE402": person(UntrustedIdentity, "the id_token's signature is wrong"),
    "KOE403": person(CodeRefused, "the id_token is expired"),
}

#: Errors of the resource host.
KAPI: Mapping[int, Fault] = {
    -1: temporary("Kakao has a temporary fault"),
    -2: operator("a parameter of the call is missing or wrong"),
    -3: operator("the API is not switched on for the app, or not allowed for this admin key"),
    -4: person(AccountUnusable, "Kakao has blocked the account"),
    -5: operator("the app has no permission for this API"),
    -6: operator("Kakao does not allow this action"),
    -7: temporary("Kakao is under maintenance"),
    -8: operator("the call has a wrong header"),
    -9: operator("Kakao has ended this API: update the site"),
    -10: temporary("the app's quota is used up: see [Quota] in the console"),
    -11: temporary("the paid quota is used up: see [Quota] in the console"),
    -12: operator("Kakao has sanctioned the app or its developer: read the mail sent to the app's members"),
    -13: operator("Kakao has suspended the app after long inactivity: wake it in the console"),
    -101: person(AccountUnusable, "the account is not linked to the app"),
    -102: operator("the account is linked already: switch automatic linking on"),
    -103: person(AccountUnusable, "the Kakao account is dormant or does not exist"),
    -201: operator("a user property is not registered in the console"),
    -301: operator("the app does not exist: check KAKAO_CLIENT_ID"),
    -401: person(CodeRefused, "Kakao does not accept the token; if it repeats, check the console's allowed IP list"),
    -402: person(InteractionRequired, "the person has not agreed to a needed consent item"),
    -405: person(AccountUnusable, "Kakao wants the person's age verified"),
    -406: person(UnderAge, "the person is under 14 and the app does not admit them"),
    **dict.fromkeys((-421, -422, -423, -451, -452, -453, -480, -481), operator(_SIGNING)),
    -501: person(AccountUnusable, "the person does not use KakaoTalk"),
    **dict.fromkeys((-502, -504, -530, -531, -532), operator(_MESSAGES)),
    **dict.fromkeys((-602, -606, -911), operator(_PICTURES)),
    -603: temporary("Kakao took too long internally"),
    -903: operator("the key belongs to a developer who is not registered"),
    -9798: temporary("Kakao is under maintenance", 600),
}

#: What `reason` adds to a number that stands for several things.
REASONS: Mapping[tuple[int, str], Fault] = {
    (-401, "ACCESS_TOKEN_EXPIRED"): person(CodeRefused, "the access token has expired: a refresh renews it"),
}

#: Of both hosts, as an error shows them.
CODES = frozenset((*KOE, *map(str, KAPI)))

#: OAuth error names, for answers without a number: the RFCs' and Kakao's own.
OAUTH: Mapping[str, Fault] = {
    **answers.OAUTH,
    "invalid_client": operator("check KAKAO_CLIENT_ID and KAKAO_CLIENT_SECRET"),
    "unauthorized_client": operator("Kakao has sanctioned the app or its developer"),
    "unauthorized": operator("Kakao does not let the app do this"),
    "invalid_scope": operator("check KAKAO_SCOPE"),
    "misconfigured": operator("check the app's platforms in the console"),
}

#: The same for the authorization endpoint.
REFUSALS: Mapping[str, type[AppError]] = {
    **answers.REFUSALS,
    "auto_login": InteractionRequired,
    "unauthorized": Misconfigured,
    "misconfigured": Misconfigured,
}

_AGE = re.compile(r"age\s*14|under[\s-]*age", re.IGNORECASE)
_KOE_NUMBER = re.compile(r"KOE[0-9]{3}")


def is_error(body: Mapping[str, Any]) -> bool:
    """Whether an answer says that it is one, whatever its status."""
    return "error" in body or "error_code" in body or _number(body.get("code")) is not None


def from_answer(status: int, body: Mapping[str, Any], retry_after: str = "") -> AppError:
    """Turn an error answer into ours.

    :param body: `{error, error_description, error_code}` from the OAuth host, `{msg, code, reason}` from the resource
        host, or an empty mapping where the body was not JSON. :param retry_after: the header of that name.
    """
    code, fault = _look_up(body)
    return answers.error_of("Kakao", fault, status, code=code, retry_after=retry_after)


def refusal(error: str, description: str) -> AppError:
    """Say why the authorization endpoint sent the person back. The description is searched for the word age only."""
    if error == "access_denied" and _AGE.search(description):
        return UnderAge("authorization: under 14")
    return answers.refusal(error, REFUSALS)


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
        reason = body.get("reason")
        known = REASONS.get((number, reason)) if isinstance(reason, str) else None
        return str(number), known or KAPI.get(number)
    return "", named


def _number(code: Any) -> int | None:
    """Kakao's numbers have up to four digits; what has more is no code and would be shown as one."""
    return code if type(code) is int and -100_000 < code < 0 else None
