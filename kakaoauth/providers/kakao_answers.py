"""How Kakao's answers are read: the only file that decides what of them may be believed."""

import re
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

from requests import Response

from kakaoauth.errors import AccountUnusable, ProviderUnavailable
from kakaoauth.providers import kakao_errors
from kakaoauth.providers.http import read_json

#: Lifetimes where the answer does not say: an access token is used at once or renewed, a refresh token lives 2 months.
UNSAID_SECONDS = 0
REFRESH_SECONDS = 60 * 86400
#: Korea has had no summer time since 1988, and the zone database may be missing on a bare machine.
KOREA = timedelta(hours=9)


def read_answer(response: Response) -> dict[str, Any]:
    """Return a successful answer's JSON object.

    :raises AppError: what kakao_errors makes of any other answer.
    """
    if response.status_code >= 400:
        try:
            body = read_json(response)
        except ProviderUnavailable:
            body = {}
        raise kakao_errors.from_answer(response.status_code, body, response.headers.get("Retry-After", ""))
    body = read_json(response)
    if kakao_errors.is_error(body):
        raise kakao_errors.from_answer(response.status_code, body)
    return body


def read_token(response: Response) -> dict[str, Any]:
    """Return the token endpoint's answer, reduced to what we use: nothing of it is kept after the login.

    :raises ProviderUnavailable: a field that no client could use. :raises AppError: an error answer.
    """
    body = read_answer(response)
    access_token, kind = body.get("access_token"), body.get("token_type")
    # Printable ASCII without blanks: it goes into a header (RFC 6750, section 2.1).
    if not isinstance(access_token, str) or not re.fullmatch(r"[\x21-\x7e]+", access_token):
        raise ProviderUnavailable("token answer: no usable access_token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise ProviderUnavailable("token answer: token_type is not bearer")
    scope = body.get("scope")
    token: dict[str, Any] = {
        "access_token": access_token,
        "token_type": "bearer",
        "id_token": body.get("id_token"),
        "scope": scope if isinstance(scope, str) else "",
        "expires_at": int(time.time()) + _seconds(body.get("expires_in"), UNSAID_SECONDS),
    }
    refresh_token = body.get("refresh_token")
    if isinstance(refresh_token, str) and re.fullmatch(r"[\x21-\x7e]+", refresh_token):
        lifetime = _seconds(body.get("refresh_token_expires_in"), REFRESH_SECONDS)
        token.update(refresh_token=refresh_token, refresh_expires_at=int(time.time()) + lifetime)
    return token


def _seconds(value: object, otherwise: int) -> int:
    """A lifetime that can be meant: not negative, not for ever, not a text."""
    return value if type(value) is int and 0 <= value <= 10 * 365 * 86400 else otherwise


def require_done(answer: Response) -> None:
    """-101: the person is not linked, so there is nothing left to do."""
    try:
        read_answer(answer)
    except AccountUnusable as error:
        if error.provider_code != "-101":
            raise


def today_in_korea() -> date:
    return (datetime.now(UTC) + KOREA).date()
