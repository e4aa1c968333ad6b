"""Where the switchboard's faults enter: before a request is handled, and on its answer."""

from flask import Blueprint, Response, g, jsonify, request

from kakaoauth.sandbox.endpoints import name_of
from kakaoauth.sandbox.faults.active import Armed
from kakaoauth.sandbox.faults.answers import ELSEWHERE, STREAMED, answer_instead
from kakaoauth.sandbox.faults.changes import change_answer
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.transport import ENVIRON_KEY, Transport

bp = Blueprint("faults", __name__)

DELAY_MS = 1000
DRIP_MS = 200  # as a public collection of faults has it: far below every per-read timer


@bp.route(ELSEWHERE, methods=["GET", "POST"])
def elsewhere() -> Response:
    """What a client finds that follows a redirect with its token: a stranger's account."""
    return jsonify(id=1, access_token="stolen", token_type="bearer", expires_in=21599)  # noqa: S106


def before() -> Response | None:
    """Answer in the fault's way, if one is armed here. :raise Refusal: an error as Kakao or Facebook puts it."""
    state = current_state()
    name = name_of(request)
    g.armed = state.switchboard.take(name) if name else None
    if g.armed is None:
        return None
    _set_transport(g.armed, request.environ.get(ENVIRON_KEY, Transport()))
    answer = answer_instead(g.armed, request, state.settings)
    g.spoil = answer is None
    return answer


def after(response: Response) -> Response:
    if g.get("spoil"):
        change_answer(g.armed, response, current_state())
    return response


def note(response: Response) -> Response:
    """Write the request down, unless it was for the sandbox's own tools."""
    tool = request.path.startswith("/sandbox/") and request.path != ELSEWHERE
    if not tool and request.endpoint != "static":
        armed: Armed | None = g.get("armed")
        current_state().log.note(request, response.status_code, armed.fault if armed else None)
    return response


def _set_transport(armed: Armed, transport: Transport) -> None:
    if armed.fault == "drip":
        transport.drip_ms = DRIP_MS if armed.milliseconds is None else armed.milliseconds
    elif armed.fault == "delay":
        transport.delay_ms = DELAY_MS if armed.milliseconds is None else armed.milliseconds
    else:
        transport.delay_ms = armed.milliseconds or 0
    transport.cut = armed.fault.removeprefix("cut_") if armed.fault.startswith("cut_") else ""
    transport.stream = armed.fault in STREAMED
