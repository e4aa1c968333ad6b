"""Naver's errors: names of OAuth at nid.naver.com, result codes at openapi.naver.com.

https://developers.naver.com/docs/common/openapiguide/errorcode.md. Names and codes decide, never texts.
"""

from collections.abc import Mapping
from typing import Any

from kakaoauth.errors import AppError, CodeRefused
from kakaoauth.providers import answers
from kakaoauth.providers.answers import Fault, operator, person, temporary

TABLE: Mapping[str, Fault] = {
    **answers.OAUTH,
    # "no valid data in session": ours is whole, so it is the code
    "invalid_request": person(CodeRefused, "the code is used, expired or not for this login"),
    "unauthorized_client": operator("check NAVER_CLIENT_ID and NAVER_CLIENT_SECRET"),
    "invalid_client": operator("check NAVER_CLIENT_ID and NAVER_CLIENT_SECRET"),
    "024": person(CodeRefused, "the access token is over, was withdrawn, or is not genuine"),
    "028": person(CodeRefused, "the access token did not arrive"),
    "403": operator("tick the login API (네이버 로그인) in Naver's console under API 설정"),
    "404": operator("the address is not Naver's: check NAVER_OPENAPI_URL"),
    "500": temporary("Naver has a temporary fault"),
}
CODES = frozenset(TABLE)
FINE = "00"
#: Where a code stands: of the token address, of the API, of the gateway in front of it.
NAMES = ("error", "resultcode", "errorCode")
REFUSED_APP = (403, 404)


def is_error(body: Mapping[str, Any]) -> bool:
    """Whether an answer holds an error, whatever its status."""
    return "error" in body or "errorCode" in body or body.get("resultcode", FINE) != FINE


def from_answer(status: int, body: Mapping[str, Any], retry_after: str = "") -> AppError:
    """Turn an error answer into ours. Where the gateway in front refuses the app, the status says it and its codes may
    be any."""
    said = next((body[name] for name in NAMES if name in body), None)
    code = said if isinstance(said, str) and said in TABLE else ""
    if not code and body and status in REFUSED_APP:
        code = str(status)
    return answers.error_of("Naver", TABLE.get(code), status, code=code, retry_after=retry_after)
