"""Read a provider's JSON answers as RFC 6749 says, and turn its error codes into our exceptions."""

import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from requests import Response

from kakaoauth.errors import (
    AppError,
    CodeRefused,
    ContradictoryAnswers,
    InteractionRequired,
    InvalidAccessToken,
    InvalidFields,
    InvalidRequest,
    LoginCancelled,
    Misconfigured,
    ProviderUnavailable,
    UntrustedIdentity,
    one_line,
)
from kakaoauth.providers.http import read_json

Json = Mapping[str, Any]

#: Seconds a refresh token lives where the answer does not say: 2 months.
REFRESH_SECONDS = 60 * 86400
#: Seconds that can be meant as a lifetime.
LONGEST = 10 * 365 * 86400
#: Visible ASCII: an access token goes into a header (RFC 6750, section 2.1). None that we know has 1000 characters.
BEARER = re.compile(r"[\x21-\x7e]{1,1000}")
_VISIBLE = re.compile(r"[\x21-\x7e]+")


def read_answer(
    response: Response, is_error: Callable[[Json], bool], error_of: Callable[[int, Json, str], AppError]
) -> dict[str, Any]:
    """Return a successful answer's JSON object.

    :param is_error: whether a body says that it is an error, whatever the status. :param error_of: makes an error of
        status, body (empty where it was not JSON) and the Retry-After header. :raises AppError: what it made.
    """
    if response.status_code >= 400:
        try:
            body = read_json(response)
        except ProviderUnavailable:
            body = {}
        raise error_of(response.status_code, body, response.headers.get("Retry-After", ""))
    body = read_json(response)
    if is_error(body):
        raise error_of(response.status_code, body, "")
    return body


def read_token(body: Json, unsaid: int = 0, refresh_unsaid: int = REFRESH_SECONDS) -> dict[str, Any]:
    """Return the token endpoint's answer (RFC 6749, section 5.1), reduced to what we use.

    :param unsaid: seconds an access token lives where the answer does not say; 0: it is used at once and never again.
    :param refresh_unsaid: the same for a refresh token.
    :raises ProviderUnavailable: a field that no client could use.
    """
    access_token, kind = body.get("access_token"), body.get("token_type")
    if not isinstance(access_token, str) or not _VISIBLE.fullmatch(access_token):
        raise ProviderUnavailable("token answer: no usable access_token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise ProviderUnavailable("token answer: token_type is not bearer")
    scope = body.get("scope")
    token: dict[str, Any] = {
        "access_token": access_token,
        "token_type": "bearer",
        "id_token": body.get("id_token"),
        "scope": scope if isinstance(scope, str) else "",
        "expires_at": int(time.time()) + _seconds(body.get("expires_in"), unsaid),
    }
    refresh_token = body.get("refresh_token")
    if isinstance(refresh_token, str) and _VISIBLE.fullmatch(refresh_token):
        lifetime = _seconds(body.get("refresh_token_expires_in"), refresh_unsaid)
        token.update(refresh_token=refresh_token, refresh_expires_at=int(time.time()) + lifetime)
    return token


def bearer(access_token: str) -> dict[str, Any]:
    """A token in Authlib's words, for one call that is made as its owner."""
    return {"access_token": access_token, "token_type": "bearer"}


@contextmanager
def refused_as_token() -> Iterator[None]:
    """Turn refusals inside into those of a caller who brought an access token. :raises InvalidAccessToken:"""
    try:
        yield
    except ContradictoryAnswers:
        raise
    except (UntrustedIdentity, CodeRefused) as error:
        raise InvalidAccessToken(error.reason, provider_code=error.provider_code) from None


@contextmanager
def refused_as_code(of_the_address: Collection[str]) -> Iterator[None]:
    """Turn refusals inside into those of a caller who brought a code with its redirect_uri and nonce.

    :param of_the_address: the provider's codes for a redirect_uri that does not fit.
    """
    try:
        yield
    except AppError as error:
        if error.provider_code and error.provider_code in of_the_address:
            fault = "not the one of the authorization request, or not registered"
            raise InvalidFields({"redirect_uri": fault}) from None
        if not isinstance(error, CodeRefused | UntrustedIdentity) or isinstance(error, ContradictoryAnswers):
            raise
        raise InvalidAccessToken(error.reason, provider_code=error.provider_code) from None


def _seconds(value: object, otherwise: int) -> int:
    """A lifetime that can be meant: not negative, not for ever; digits in quotation marks are digits."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}", value):
        value = int(value)
    return value if type(value) is int and 0 <= value <= LONGEST else otherwise


class Fault(NamedTuple):
    """What an error code stands for. `hint` is for the operator; `retry_after` in seconds."""

    error: type[AppError]
    hint: str
    retry_after: int | None = None


def operator(hint: str) -> Fault:
    """A fault of the site's settings, or of the app's at the provider; `hint` says which."""
    return Fault(Misconfigured, hint)


def temporary(hint: str, retry_after: int | None = None) -> Fault:
    """A fault at the provider that ends by itself. :param retry_after: seconds."""
    return Fault(ProviderUnavailable, hint, retry_after)


def person(error: type[AppError], hint: str) -> Fault:
    """A refusal that concerns this person alone."""
    return Fault(error, hint)


#: Error names of token endpoints and of bearer tokens (RFC 6749, section 5.2; RFC 6750, section 3.1).
OAUTH: Mapping[str, Fault] = {
    "invalid_grant": person(CodeRefused, "the grant is used, expired or unknown"),
    "invalid_token": person(CodeRefused, "the token is expired or unknown"),
    "invalid_client": operator("check the client id and the client secret"),
    "unauthorized_client": operator("the provider does not let this app log people in"),
    "invalid_request": operator("the request is malformed"),
    "invalid_scope": operator("check the scope"),
    "insufficient_scope": operator("the scope does not cover this call"),
    "unsupported_grant_type": operator("the grant type is not supported"),
    "server_error": temporary("the provider has a temporary fault"),
    "temporarily_unavailable": temporary("the provider is temporarily unavailable"),
}

#: Error names of authorization endpoints (RFC 6749, section 4.1.2.1; OpenID Connect Core, section 3.1.2.6).
REFUSALS: Mapping[str, type[AppError]] = {
    "access_denied": LoginCancelled,
    **dict.fromkeys(("login_required", "consent_required", "interaction_required"), InteractionRequired),
    **dict.fromkeys(("server_error", "temporarily_unavailable"), ProviderUnavailable),
    **dict.fromkeys(
        ("unauthorized_client", "invalid_client", "invalid_scope", "invalid_request", "unsupported_response_type"),
        Misconfigured,
    ),
}

_SECONDS = re.compile(r"[0-9]{1,6}")


def error_of(who: str, fault: Fault | None, status: int, *, code: str = "", retry_after: str = "") -> AppError:
    """Turn an error answer of provider `who` into ours.

    :param fault: what its code stands for; None if it has none that is known. :param retry_after: the header.
    """
    if status == 429 or status >= 500:
        # Whatever it says: a fault of the provider's is never taken for a bad code or a wrong setting.
        hint = fault.hint if fault and fault.error is ProviderUnavailable else f"status {status}"
        fault = temporary(hint, fault.retry_after if fault else None)
    elif fault is None:
        fault = temporary(f"an error this site does not know (status {status})")
    error = fault.error(f"{who}: {fault.hint}", provider_code=code)
    if fault.error is ProviderUnavailable:
        error.retry_after = _retry_after(retry_after) or fault.retry_after or error.retry_after
    return error


def refusal(error: str, kinds: Mapping[str, type[AppError]] = REFUSALS) -> AppError:
    """Say why an authorization endpoint sent the person back with `error`."""
    kind = kinds.get(error)
    if kind is None:
        return InvalidRequest(f"authorization: unknown error {one_line(error, 40)}")
    return kind(f"authorization: {error}")


def _retry_after(header: str) -> int | None:
    """Seconds only; at most an hour, so that a mistake there does not close the login for a day."""
    return min(int(header), 3600) if _SECONDS.fullmatch(header) else None
