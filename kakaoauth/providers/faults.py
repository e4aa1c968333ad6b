"""How a provider's error code becomes one of ours: what is the same for every provider, and the codes of the RFCs."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from kakaoauth.errors import (
    AppError,
    CodeRefused,
    InteractionRequired,
    InvalidRequest,
    LoginCancelled,
    Misconfigured,
    ProviderUnavailable,
    one_line,
)


class Fault(NamedTuple):
    """What an error code stands for. `hint` is for the operator; `retry_after` in seconds."""

    error: type[AppError]
    hint: str
    retry_after: int | None = None


def operator(hint: str) -> Fault:
    """The site's own settings, or the app's at the provider."""
    return Fault(Misconfigured, hint)


def temporary(hint: str, retry_after: int | None = None) -> Fault:
    return Fault(ProviderUnavailable, hint, retry_after)


def person(error: type[AppError], hint: str) -> Fault:
    """Something this person can mend, or has to live with."""
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
