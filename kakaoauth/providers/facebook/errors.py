"""Facebook's error codes: whose fault each one is, and what the operator can do.

`{"error": {"message", "type", "code", "error_subcode", "is_transient", "fbtrace_id"}}`, also with a good status. Codes
decide, never texts (https://developers.facebook.com/docs/graph-api/guides/error-handling). What that page leaves out
is known from receivers, and the same number means different things in different places:

- 1 is "unknown error, try again", and at the token endpoint, with status 400, "wrong client secret" or "wrong code
  verifier";
- 100 is "wrong parameter"; at the token endpoint a code that is used, expired or not for us; at debug_token a token of
  another app;
- 190 is "this token is no good", and there is no telling whose but by which token was sent.
"""

from collections.abc import Mapping
from typing import Any

from kakaoauth.errors import (
    AccountUnusable,
    AppError,
    CodeRefused,
    ForeignAccessToken,
    InteractionRequired,
    ProviderUnavailable,
)
from kakaoauth.providers import answers
from kakaoauth.providers.answers import Fault, operator, person, temporary

#: Code, or code and subcode, as `_code` writes them.
Table = Mapping[str, Fault]

_VERSION = "Facebook does not answer this call in this version: set FACEBOOK_GRAPH_VERSION to a current one"
_CLIENT = "check FACEBOOK_CLIENT_ID and FACEBOOK_CLIENT_SECRET"
_REDIRECT = "the redirect URI's domain is not among the app's: add it in the App Dashboard"

#: The access token is over.
EXPIRED = "190/463"
#: The person does not use the app any more, or never has: there is nothing left to unlink.
NOT_LINKED = frozenset(("190/458", "100/33"))
#: The redirect_uri is not the authorization request's; not registered.
REDIRECT_URI_CODES = frozenset(("100/36008", "191"))

GRAPH: Table = {
    "1": temporary("an unknown fault of Facebook's"),
    "2": temporary("Facebook has a temporary fault"),
    "3": operator("the app may not make this call"),
    "4": temporary("the app's rate limit is used up: see the App Dashboard"),
    "10": operator("the app has no permission for this call"),
    "12": operator(_VERSION),
    "17": temporary("the person's rate limit is used up"),
    "32": temporary("the page's rate limit is used up"),
    "100": operator("a parameter of the call is wrong, or the appsecret_proof: check FACEBOOK_CLIENT_SECRET"),
    "101": operator(_CLIENT),
    "102": person(CodeRefused, "the access token is over"),
    "190": person(CodeRefused, "the access token is over, was withdrawn, or is not genuine"),
    "190/459": person(AccountUnusable, "the person has to log in at facebook.com first"),
    "190/464": person(AccountUnusable, "the person has to confirm the account first"),
    "191": operator(_REDIRECT),
    "341": temporary("the app's limit is reached"),
    "368": person(AccountUnusable, "the account is blocked for a while"),
    "613": temporary("the rate limit of this call is used up"),
    "2500": operator(_VERSION),
    "2635": operator(_VERSION),
    # "Permission not granted", each number another one.
    **{str(number): person(InteractionRequired, "a permission was not granted") for number in range(200, 300)},
}

#: POST /oauth/access_token.
TOKEN: Table = {
    **GRAPH,
    # "Error validating client secret". A real fault of Facebook's comes with 500, or says is_transient.
    "1": operator(_CLIENT),
    # Also 36007 (expired), 36009 (used) and 36008 (another redirect_uri: ours is this login's, so the code is not).
    "100": person(CodeRefused, "the code is used, expired or not for this login"),
}

#: Calls with the app's own token.
APP: Table = {**GRAPH, "102": operator(_CLIENT), "190": operator(_CLIENT)}

#: GET /debug_token, one of these.
DEBUG: Table = {**APP, "100": person(ForeignAccessToken, "a token of another app")}

#: The login dialog's `error_code`, where it sends no `error`.
DIALOG: Table = {
    **GRAPH,
    **dict.fromkeys(
        ("901", "1349126"),
        operator("the app is not live and the person has no role in it: publish it, or add them"),
    ),
}

CODES = frozenset((*TOKEN, *APP, *DEBUG, *DIALOG, EXPIRED, *NOT_LINKED, *REDIRECT_URI_CODES))

#: Larger numbers are no codes, and would be shown as one.
_LARGEST = 10**7


def is_error(body: Mapping[str, Any]) -> bool:
    """Whether an answer holds an error, whatever its status."""
    return "error" in body


def from_answer(status: int, body: Mapping[str, Any], retry_after: str = "", *, table: Table = GRAPH) -> AppError:
    """Turn an error answer into ours. :param table: what the codes mean where the call went."""
    error = body.get("error")
    error = error if isinstance(error, dict) else {}
    code = _code(error)
    fault = table.get(code) or table.get(code.split("/")[0])
    if error.get("is_transient") is True and (fault is None or fault.error is not ProviderUnavailable):
        fault = temporary("Facebook calls it temporary")
    return answers.error_of("Facebook", fault, status, code=code, retry_after=retry_after)


def refusal(error: str) -> AppError:
    """Say why the login dialog sent the person back: an `error`, or in its place an `error_code`."""
    if error.isdecimal():
        return answers.error_of("Facebook", DIALOG.get(error), 400, code=error[:10])
    return answers.refusal(error)


def _code(error: Mapping[str, Any]) -> str:
    code, sub = error.get("code"), error.get("error_subcode")
    if type(code) is not int or not 0 < code < _LARGEST:
        return ""
    return f"{code}/{sub}" if type(sub) is int and 0 < sub < _LARGEST else str(code)
