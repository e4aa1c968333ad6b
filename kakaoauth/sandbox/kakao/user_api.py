"""The user API: who am I, log out, unlink, sign up, token info, id list."""

import json
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from kakaoauth.sandbox.errors import KapiError
from kakaoauth.sandbox.kakao.authentication import (
    Caller,
    find_bearer,
    find_caller,
    parameters,
    parse_long,
    read_credentials,
    require_admin,
)
from kakaoauth.sandbox.kakao.profile import user_me
from kakaoauth.sandbox.pages.responses import json_answer
from kakaoauth.sandbox.state.context import current_state

bp = Blueprint("kapi", __name__)

LONGEST_TOKEN = 512
PROPERTIES = frozenset({"nickname", "profile_image", "thumbnail_image"})
IDS_PER_MINUTE = 100  # per app, since 2025-04-01


@bp.route("/v2/user/me", methods=["GET", "POST"])
def me() -> Response:
    """GET or POST /v2/user/me. :raise KapiError:"""
    caller = find_caller()
    sent = parameters()
    secure = sent.get("secure_resource", "false").lower()
    if secure not in ("true", "false"):
        raise KapiError(-2, "secure_resource must be a Boolean")
    keys = read_json_list(sent["property_keys"], "property_keys") if sent.get("property_keys") else None
    _check_properties(keys or [])
    body = user_me(caller.person, caller.link, current_state().settings, secure=secure == "true", keys=keys)
    return json_answer(body)


@bp.get("/v1/user/access_token_info")
def access_token_info() -> Response:
    """The user's id, the seconds left, and the app's id. :raise KapiError: -2, -401."""
    state = current_state()
    scheme, credentials = read_credentials()
    if scheme != "bearer" or not credentials:
        raise KapiError(-2, "access token is missing.")
    if len(credentials) > LONGEST_TOKEN:
        raise KapiError(-2, "too long for access token.")
    link, token = find_bearer(credentials)
    left = int(token.expires_at - state.clock.now())
    return json_answer({"id": link.user_id, "expires_in": left, "app_id": state.settings.app_id})


@bp.post("/v1/user/logout")
def logout() -> Response:
    """End the bearer's login, or with the admin key every one of the user's."""
    state = current_state()
    caller = find_caller()
    with state.changing():
        if caller.token is not None:
            state.grants.end(caller.token.grant)
        else:
            state.grants.end_all_of(caller.link.person)
    return _just_id(caller)


@bp.post("/v1/user/unlink")
def unlink() -> Response:
    """End the link. The app asked for it, so no webhook follows."""
    caller = find_caller()
    current_state().unlink(caller.link.person)
    return _just_id(caller)


@bp.post("/v1/user/signup")
def signup() -> Response:
    """End the waiting of a user who is not signed up yet. :raise KapiError: -102."""
    caller = find_caller(admin_allowed=False)
    with current_state().changing():
        if caller.link.signed_up is not False:
            raise KapiError(-102, "already registered")
        caller.link.signed_up = True
    return _just_id(caller)


@bp.get("/v1/user/ids")
def ids() -> Response:
    """The ids of the users, a page at a time, for the admin key. :raise KapiError:"""
    state = current_state()
    require_admin()
    with state.reading():
        if not state.limiter.allow("ids", limit=IDS_PER_MINUTE, seconds=60):
            raise KapiError(-10, "API limit has been exceeded.", status=429)
        every = sorted(link.user_id for link in state.links.values())
    limit = parse_long(request.args.get("limit", "100"), "limit")
    order = request.args.get("order", "asc")
    if not 1 <= limit <= 100 or order not in ("asc", "desc"):
        raise KapiError(-2, "limit must be 1 to 100, order asc or desc")
    if order == "desc":
        every.reverse()
    start = 0
    if "from_id" in request.args:
        first = parse_long(request.args["from_id"], "from_id")
        start = sum(1 for user_id in every if (user_id < first if order == "asc" else user_id > first))
    return json_answer(_id_page(every, start, limit, order))


def _id_page(every: list[int], start: int, limit: int, order: str) -> dict[str, Any]:
    settings = current_state().settings

    def address(index: int) -> str:
        query = {"limit": limit, "order": order, "from_id": every[index], "app_key": settings.client_id}
        return f"{settings.issuer}/v1/user/ids?{urlencode(query)}"

    return {
        "elements": every[start : start + limit],
        "before_url": address(max(start - limit, 0)) if every and start else None,
        "after_url": address(start + limit) if start + limit < len(every) else None,
    }


def read_json_list(text: str, name: str) -> list[str]:
    """Read a parameter such as ["account_email"]. :raise KapiError: -2."""
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise KapiError(-2, f"{name} must be a JSON array of strings")
    return values


def _check_properties(keys: list[str]) -> None:
    unknown = [
        key.removeprefix("properties.")
        for key in keys
        if key.startswith("properties.") and key != "properties." and key.removeprefix("properties.") not in PROPERTIES
    ]
    if unknown:
        app_id = current_state().settings.app_id
        raise KapiError(-201, f"user property not found ([{', '.join(unknown)}] for appId={app_id})")


def _just_id(caller: Caller) -> Response:
    return json_answer({"id": caller.link.user_id})
