"""Who calls kapi: the bearer of an access token, or the app itself with its admin key."""

import hmac
import re
from dataclasses import dataclass

from flask import request

from kakaoauth.sandbox.endpoints import name_of
from kakaoauth.sandbox.errors import KapiError, KauthError
from kakaoauth.sandbox.people.kakao import Person
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.state.model import AccessToken, Link

LONG = re.compile(r"[0-9]{1,19}")
LONGEST_LONG = 2**63 - 1


@dataclass(frozen=True)
class Caller:
    """The user a call is about; `token` is None when the admin key named them."""

    person: Person
    link: Link
    token: AccessToken | None


def parameters() -> dict[str, str]:
    """Return the parameters: the query of a GET, the form body of a POST."""
    return (request.args if request.method == "GET" else request.form).to_dict()


def find_caller(*, admin_allowed: bool = True) -> Caller:
    """Return the caller. :raise KapiError: -401, -2 or -101."""
    scheme, credentials = read_credentials()
    if scheme == "bearer":
        link, token = find_bearer(credentials)
        person = current_state().people[link.person]
        if person.under_14 and not current_state().settings.under_14_allowed:
            raise KapiError(-406, "under age 14.", status=401)
        return Caller(person, link, token)
    if scheme == "kakaoak" and admin_allowed:
        _check_admin_key(credentials)
        return _find_target()
    raise KapiError(-401, "no authentication key!", status=401)


def require_admin() -> None:
    """Pass the admin key only. :raise KapiError: -401 or -3."""
    scheme, credentials = read_credentials()
    if scheme != "kakaoak":
        raise KapiError(-401, "no authentication key!", status=401)
    _check_admin_key(credentials)


def find_bearer(credentials: str) -> tuple[Link, AccessToken]:
    """Return the live token and its link. :raise KapiError: -401."""
    state = current_state()
    with state.reading():
        token = state.grants.access_tokens.get(credentials)
        link = state.links.get(token.person) if token else None
    if token is None or link is None:
        raise KapiError(-401, "this access token does not exist", status=401)
    if token.expires_at <= state.clock.now():
        raise KapiError(-401, "this access token is already expired", status=401, reason="ACCESS_TOKEN_EXPIRED")
    return link, token


def parse_long(text: str, name: str) -> int:
    """Return a 64-bit number from 0 up. :raise KapiError: -2."""
    if not LONG.fullmatch(text) or int(text) > LONGEST_LONG:
        raise KapiError(-2, f"{name} must be a Long")
    return int(text)


def read_credentials() -> tuple[str, str]:
    """Return the scheme in lower case and what follows it; a token in the address counts as a bearer's."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if not scheme and "access_token" in request.args and current_state().settings.allows_access_token_in_query:
        return "bearer", request.args["access_token"]
    return scheme.lower(), credentials.strip()


def check_address() -> None:
    """Let only the console's allowed addresses call. :raise KapiError: -401. :raise KauthError: KOE127."""
    allowed = current_state().settings.allowed_ips
    if not allowed or request.remote_addr in allowed:
        return
    words = f"ip mismatched! callerIp={request.remote_addr}. check out registered ips."
    if request.path.startswith(("/v1/", "/v2/")):
        raise KapiError(-401, words, status=401)
    if request.path == "/oauth/token":
        raise KauthError("misconfigured", words, "KOE127", status=401)


def _check_admin_key(sent: str) -> None:
    settings = current_state().settings
    if not hmac.compare_digest(sent.encode(), settings.admin_key.encode()):
        raise KapiError(-401, "invalid app key.", status=401)
    if settings.admin_key_apis is not None and name_of(request) not in settings.admin_key_apis:
        raise KapiError(-3, "this API is not allowed for this admin key.", status=403)


def _find_target() -> Caller:
    state = current_state()
    sent = parameters()
    if sent.get("target_id_type") != "user_id":
        raise KapiError(-2, "target_id_type must be user_id")
    link = state.find_link(parse_long(sent.get("target_id", ""), "target_id"))
    if link is None:
        raise KapiError(-101, "this user is not linked to the app")
    return Caller(state.people[link.person], link, None)
