"""The page with the console's switches."""

from flask import Blueprint, Response, request

from kakaoauth.sandbox.control.console import ConsoleError, change_console, describe_console, read_form
from kakaoauth.sandbox.endpoints import ADMIN_APIS
from kakaoauth.sandbox.pages.responses import go_to, page
from kakaoauth.sandbox.state.context import browser_id, check_form_token, current_state
from kakaoauth.sandbox.state.settings import CATALOGUE

bp = Blueprint("console", __name__, url_prefix="/sandbox")


@bp.get("/console")
def show() -> Response:
    """The page with the settings as they are."""
    return _page()


@bp.post("/console")
def change() -> Response:
    """Take over the page's form, or show it again with what is wrong."""
    check_form_token()
    try:
        change_console(current_state(), read_form(request.form))
    except ConsoleError as error:
        return _page(problem=str(error), status=422)
    return go_to("/sandbox/console")


def _page(problem: str | None = None, status: int = 200) -> Response:
    state = current_state()
    console = describe_console(state.settings) if problem is None else read_form(request.form)
    return page(
        "console",
        status=status,
        problem=problem,
        console=console,
        items=list(CATALOGUE),
        apis=sorted(ADMIN_APIS),
        token=browser_id(),
    )
