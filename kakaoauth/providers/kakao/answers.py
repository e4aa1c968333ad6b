"""Read Kakao's answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from requests import Response

from kakaoauth.errors import (
    AccountUnusable,
    ExpiredToken,
    ForeignAccessToken,
    InvalidAccessToken,
    Misconfigured,
    ProviderUnavailable,
)
from kakaoauth.providers import answers, oidc
from kakaoauth.providers.kakao import errors as kakao_errors


def read_answer(response: Response) -> dict[str, Any]:
    """Return a successful answer's JSON object.

    :raises AppError: what kakao_errors makes of any other answer.
    """
    return answers.read_answer(response, kakao_errors.is_error, kakao_errors.from_answer)


def read_token_info(response: Response, app_id: int) -> str:
    """Return the user id that an access token of app `app_id` stands for.

    https://developers.kakao.com/docs/ko/kakaologin/rest-api#get-token-info

    :raises ForeignAccessToken: another app's. :raises ExpiredToken: no seconds left.
    :raises ProviderUnavailable: no answer to that question.
    """
    body = read_answer(response)
    owner, app, left = body.get("id"), body.get("app_id"), body.get("expires_in")
    if type(owner) is not int or type(app) is not int or not 0 < owner < 10**40 or app <= 0:
        raise ProviderUnavailable("access_token_info: no usable id or app_id")
    if app != app_id:
        raise ForeignAccessToken("access_token_info: another app_id")
    if type(left) is int and left <= 0:
        raise ExpiredToken("access_token_info: no seconds left")
    return str(owner)


@contextmanager
def refused_as_token() -> Iterator[None]:
    """Turn refusals inside into those of a caller who brought one of Kakao's tokens.

    :raises InvalidAccessToken, ExpiredToken, ForeignAccessToken:
    """
    with answers.refused_as_token():
        try:
            yield
        except oidc.OtherAudience as error:
            raise ForeignAccessToken(error.reason) from None
        except oidc.TooOld as error:
            raise ExpiredToken(error.reason) from None
        except Misconfigured as error:
            # The one thing in these calls that is not ours is the token (-2: malformed).
            if error.provider_code != "-2":
                raise
            raise InvalidAccessToken(error.reason, provider_code=error.provider_code) from None


def require_done(answer: Response) -> None:
    """:raises AppError: it was refused; not for -101, where the person is not linked any more."""
    try:
        read_answer(answer)
    except AccountUnusable as error:
        if error.provider_code != "-101":
            raise
