"""The consent items of one user: read and withdrawn."""

from typing import Any

from flask import Blueprint, Response

from kakaoauth.sandbox.errors import KapiError
from kakaoauth.sandbox.kakao.authentication import Caller, find_caller, parameters
from kakaoauth.sandbox.kakao.user_api import read_json_list
from kakaoauth.sandbox.pages.responses import json_answer
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.state.settings import CATALOGUE

bp = Blueprint("scopes", __name__)


@bp.get("/v2/user/scopes")
def scopes() -> Response:
    """The consent items of a user: the configured ones, and those agreed to before the console dropped them."""
    caller = find_caller()
    sent = parameters()
    wanted = read_json_list(sent["scopes"], "scopes") if sent.get("scopes") else None
    shown = [name for name in _known(caller) if wanted is None or name in wanted]
    if wanted is not None and not shown:
        raise _nothing("get", wanted)
    return json_answer(_answer(caller, shown))


@bp.post("/v2/user/revoke/scopes")
def revoke() -> Response:
    """Withdraw consent items. :raise KapiError: -2 unknown, -3 required."""
    state = current_state()
    caller = find_caller()
    wanted = read_json_list(parameters().get("scopes", ""), "scopes")
    with state.changing():
        if not wanted or not set(wanted) <= set(_known(caller)):
            raise _nothing("revoke", wanted)
        locked = [name for name in wanted if not _is_revocable(name)]
        if locked:
            raise KapiError(
                -3,
                f"[{', '.join(locked)}] is not revocable. check out if it's set as required on developers.kakao.com",
                status=403,
            )
        # Named before they are withdrawn: an item the console has dropped is known by its consent alone
        shown = [name for name in _known(caller) if name in wanted]
        for name in wanted:
            caller.link.agreed.pop(name, None)
    return json_answer(_answer(caller, shown))


def _answer(caller: Caller, shown: list[str]) -> dict[str, Any]:
    return {"id": caller.link.user_id, "scopes": [_describe(name, caller) for name in shown]}


def _known(caller: Caller) -> list[str]:
    """Return the configured items and those agreed to before the console dropped them."""
    configured = [item.id for item in current_state().settings.consent_items]
    return configured + [name for name in caller.link.agreed if name not in configured]


def _describe(name: str, caller: Caller) -> dict[str, Any]:
    korean, _, kind = CATALOGUE[name]
    agreed = name in caller.link.agreed
    entry = {
        "id": name,
        "display_name": korean,
        "type": kind,
        "using": current_state().settings.find_item(name) is not None,
        "agreed": agreed,
    }
    return entry | ({"revocable": _is_revocable(name)} if agreed else {})


def _is_revocable(name: str) -> bool:
    item = current_state().settings.find_item(name)
    return item is None or not item.required


def _nothing(verb: str, wanted: list[str]) -> KapiError:
    return KapiError(
        -2, f"There is no scopes to {verb}. check out if given scope id([{', '.join(wanted)}]) is correct again."
    )
