"""The page with the faults: which are on, and a form to switch one on."""

from flask import Blueprint, Response, request

from kakaoauth.sandbox.endpoints import ALL
from kakaoauth.sandbox.faults.active import ActiveFault, FaultError
from kakaoauth.sandbox.faults.catalogue import FAULTS, GROUPS
from kakaoauth.sandbox.pages.responses import go_to, page
from kakaoauth.sandbox.state.context import browser_id, check_form_token, current_state

bp = Blueprint("fault_page", __name__, url_prefix="/sandbox")


@bp.get("/faults")
def show() -> Response:
    """The page with the faults that are on."""
    return _page()


@bp.post("/faults")
def change() -> Response:
    """Switch a fault on, or one off."""
    check_form_token()
    state = current_state()
    if "off" in request.form:
        state.faults.switch_off(request.form["off"])
        return go_to("/sandbox/faults")
    try:
        state.faults.switch_on(_read_form())
    except FaultError as error:
        return _page(problem=str(error), status=422)
    return go_to("/sandbox/faults")


def _read_form() -> ActiveFault:
    return ActiveFault(
        endpoint=request.form.get("endpoint", ""),
        fault=request.form.get("fault", ""),
        calls=_number("calls"),
        milliseconds=_number("milliseconds"),
        status=_number("status"),
        fields=tuple(request.form.get("fields", "").split()),
        reason=request.form.get("reason", "").strip() or None,
    )


def _number(name: str) -> int | None:
    text = request.form.get(name, "").strip()
    if text and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise FaultError(f"{name} must be a number")
    return int(text) if text else None


def _page(problem: str | None = None, status: int = 200) -> Response:
    kinds = {group: [kind.name for kind in FAULTS.values() if kind.group == group] for group in GROUPS}
    return page(
        "faults",
        status=status,
        problem=problem,
        active=current_state().faults.describe(),
        endpoints=sorted(ALL),
        kinds=kinds,
        form=request.form.to_dict(),
        token=browser_id(),
    )
