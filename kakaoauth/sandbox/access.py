"""Who calls kapi: the bearer of an access token, or the app itself with its admin key."""

import hmac
import re
from dataclasses import dataclass

from flask import request

from kakaoauth.sandbox.context import current_state
from kakaoauth.sandbox.errors import KapiError
from kakaoauth.sandbox.model import AccessToken, Link
from kakaoauth.sandbox.people import Person

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
    scheme, credentials = _authorization()
    if scheme == "bearer":
        link, token = find_bearer(credentials)
        return Caller(current_state().people[link.person], link, token)
    if scheme == "kakaoak" and admin_allowed:
        _check_admin_key(credentials)
        return _find_target()
    raise KapiError(-401, "no authentication key!", status=401)


def require_admin() -> None:
    scheme, credentials = _authorization()
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
        raise KapiError(-401, "this access token is already expired", status=401)
    return link, token


def parse_long(text: str, name: str) -> int:
    if not LONG.fullmatch(text) or int(text) > LONGEST_LONG:
        raise KapiError(-2, f"{name} must be a Long")
    return int(text)


def _authorization() -> tuple[str, str]:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower(), credentials.strip()


def _check_admin_key(sent: str) -> None:
    if not hmac.compare_digest(sent.encode(), current_state().settings.admin_key.encode()):
        raise KapiError(-401, "invalid app key.", status=401)


def _find_target() -> Caller:
    state = current_state()
    sent = parameters()
    if sent.get("target_id_type") != "user_id":
        raise KapiError(-2, "target_id_type must be user_id")
    link = state.find_link(parse_long(sent.get("target_id", ""), "target_id"))
    if link is None:
        raise KapiError(-101, "this user is not linked to the app")
    return Caller(state.people[link.person], link, None)
