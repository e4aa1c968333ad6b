"""The page with the clock, the keys and the log."""

import re

from flask import Blueprint, Response, request

from kakaoauth.sandbox.clock import move_clock, utc_text
from kakaoauth.sandbox.control.key_actions import ACTIONS, change_keys, describe_keys
from kakaoauth.sandbox.errors import PageError
from kakaoauth.sandbox.pages.responses import go_to, page
from kakaoauth.sandbox.state.context import browser_id, check_form_token, current_state

bp = Blueprint("tools", __name__, url_prefix="/sandbox")

SHOWN = 100  # lines of the log


@bp.get("/tools")
def show() -> Response:
    """The page with clock, keys and log."""
    return _page()


@bp.post("/clock")
def clock() -> Response:
    """Move the clock by `advance` seconds, or back to the real time with `reset`."""
    check_form_token()
    state = current_state()
    if "reset" in request.form:
        state.clock.reset()
        return go_to("/sandbox/tools")
    text = request.form.get("advance", "").strip()
    try:
        if not re.fullmatch(r"[+-]?[0-9]{1,10}", text):
            raise ValueError("advance must be a number of seconds")
        move_clock(state.clock, int(text))
    except ValueError as error:
        return _page(problem=str(error), status=422)
    return go_to("/sandbox/tools")


@bp.post("/keys")
def keys() -> Response:
    """Do one of `ACTIONS` with the signing keys."""
    check_form_token()
    action = request.form.get("action", "")
    if action not in ACTIONS:
        raise PageError(None)
    change_keys(current_state(), action)
    return go_to("/sandbox/tools")


@bp.post("/reset")
def reset() -> Response:
    """Everything as at the start, except for the keys."""
    check_form_token()
    current_state().reset()
    return go_to("/")


def _page(problem: str | None = None, status: int = 200) -> Response:
    state = current_state()
    return page(
        "tools",
        status=status,
        problem=problem,
        now=utc_text(state.clock.now()),
        offset=int(state.clock.offset),
        keys=describe_keys(state),
        entries=state.log.newest(SHOWN),
        token=browser_id(),
    )
