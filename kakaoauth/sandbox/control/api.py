"""The JSON control API: the console, faults, clock, keys, log and reset, for scripts."""

from typing import Any

from flask import Blueprint, Response, request

from kakaoauth.sandbox.clock import move_clock, utc_text
from kakaoauth.sandbox.control.console import ConsoleError, change_console, describe_console
from kakaoauth.sandbox.control.console_accounts import describe_app as describe_account_app
from kakaoauth.sandbox.control.console_facebook import describe_app
from kakaoauth.sandbox.control.key_actions import ACTIONS, change_keys, describe_keys
from kakaoauth.sandbox.control.requests import ControlError, check_header, flag_of, read_body, refuse, text_of, texts_of
from kakaoauth.sandbox.faults.active import ActiveFault, FaultError
from kakaoauth.sandbox.faults.catalogue import FAULTS
from kakaoauth.sandbox.pages.responses import json_answer
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.state.request_log import KEPT

bp = Blueprint("api", __name__, url_prefix="/sandbox/api")
bp.before_request(check_header)
for error in (ControlError, ConsoleError, FaultError):
    bp.register_error_handler(error, refuse)


@bp.get("/state")
def state() -> Response:
    """Everything at a glance."""
    now = current_state()
    return json_answer(
        {
            "console": describe_console(now.settings),
            "faults": now.faults.describe(),
            "clock": _clock(),
            "keys": describe_keys(now),
            "linked": sorted(now.links),
            "facebook": {"app": describe_app(now.settings.facebook), "installed": sorted(now.facebook.installed)},
            **{
                name: {"app": describe_account_app(now, name), "linked": sorted(store.consents)}
                for name, store in now.accounts.items()
            },
        }
    )


@bp.get("/console")
def console() -> Response:
    """The console's settings, in the form in which they can be sent back."""
    return json_answer(describe_console(current_state().settings))


@bp.post("/console")
def set_console() -> Response:
    """Change some of the console's settings, all that are named or none."""
    change_console(current_state(), read_body())
    return console()


@bp.get("/faults")
def faults() -> Response:
    """The faults that are switched on."""
    return json_answer(current_state().faults.describe())


@bp.get("/faults/catalogue")
def catalogue() -> Response:
    """Every fault by name, with its group and the addresses where it can happen."""
    return json_answer(
        {kind.name: {"group": kind.group, "endpoints": sorted(kind.endpoints)} for kind in FAULTS.values()}
    )


@bp.post("/faults")
def switch_on() -> Response:
    """Switch a fault on; without a fault the address works again."""
    body = read_body("endpoint", "fault", "calls", "milliseconds", "status", "fields", "reason")
    active = current_state().faults
    endpoint = text_of(body, "endpoint")
    if body.get("fault") is None:
        active.switch_off(endpoint)
        return faults()
    numbers = {name: body.get(name) for name in ("calls", "milliseconds", "status")}
    fault, fields = text_of(body, "fault"), tuple(texts_of(body, "fields"))
    active.switch_on(ActiveFault(endpoint, fault, fields=fields, reason=text_of(body, "reason") or None, **numbers))
    return faults()


@bp.delete("/faults")
def switch_off() -> Response:
    """Switch every fault off."""
    current_state().faults.clear()
    return faults()


@bp.get("/clock")
def clock() -> Response:
    """What time it is in the sandbox, and the seconds by which it is ahead."""
    return json_answer(_clock())


@bp.post("/clock")
def set_clock() -> Response:
    """Move by `advance` seconds; with `reset`, start from the real time."""
    body = read_body("advance", "reset")
    seconds = body.get("advance", 0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ControlError("advance must be a number of seconds")
    moved = current_state().clock
    if flag_of(body, "reset"):
        moved.reset()
    try:
        move_clock(moved, seconds)
    except ValueError as error:
        raise ControlError(str(error)) from error
    return clock()


@bp.get("/keys")
def keys() -> Response:
    """The ids of the signing keys, the signing one first, and whether they are published."""
    return json_answer(describe_keys(current_state()))


@bp.post("/keys/<action>")
def set_keys(action: str) -> Response:
    """Do one of `ACTIONS` with the signing keys."""
    if action not in ACTIONS:
        raise ControlError(f"unknown: {action[:40]}; known: {', '.join(ACTIONS)}")
    change_keys(current_state(), action)
    return keys()


@bp.get("/log")
def log() -> Response:
    """The last requests, the newest first."""
    text = request.args.get("limit", str(KEPT))
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise ControlError("limit must be a number")
    return json_answer(current_state().log.newest(int(text)))


@bp.delete("/log")
def clear_log() -> Response:
    """Forget the requests so far."""
    current_state().log.clear()
    return log()


@bp.post("/reset")
def reset() -> Response:
    """As after a start without a state file; the keys stay."""
    current_state().reset()
    return state()


def _clock() -> dict[str, Any]:
    moved = current_state().clock
    return {"now": utc_text(moved.now()), "timestamp": moved.now(), "offset": moved.offset}
