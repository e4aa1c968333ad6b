"""Where faults take effect: before a request is handled, and on its answer."""

from flask import Blueprint, Response, g, jsonify, request

from kakaoauth.sandbox.endpoints import name_of
from kakaoauth.sandbox.faults.active import ActiveFault
from kakaoauth.sandbox.faults.answers import ELSEWHERE, STREAMED, answer_instead
from kakaoauth.sandbox.faults.changes import change_answer
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.transport import ENVIRON_KEY, Transport

bp = Blueprint("faults", __name__)

DELAY_MS = 1000
DRIP_MS = 200  # as a public collection of faults has it: far below every per-read timer


@bp.route(ELSEWHERE, methods=["GET", "POST"])
def elsewhere() -> Response:
    """What a client finds that follows a redirect with its token: somebody else's account."""
    return jsonify(id=1, access_token="stolen", token_type="bearer", expires_in=21599)  # noqa: S106


def before() -> Response | None:
    """Answer in the fault's way, if one is switched on here. :raise Refusal: an error as Kakao or Facebook puts it."""
    state = current_state()
    name = name_of(request)
    g.fault = state.faults.take(name) if name else None
    if g.fault is None:
        return None
    _set_transport(g.fault, request.environ.get(ENVIRON_KEY, Transport()))
    answer = answer_instead(g.fault, request, state.settings)
    g.changes_answer = answer is None
    return answer


def after(response: Response) -> Response:
    """Change the answer, if a fault asks for it."""
    if g.get("changes_answer"):
        change_answer(g.fault, response, current_state())
    return response


def write_to_log(response: Response) -> Response:
    """Write the request down, unless it was for the sandbox's own tools."""
    tool = request.path.startswith("/sandbox/") and request.path != ELSEWHERE
    if not tool and request.endpoint != "static":
        active: ActiveFault | None = g.get("fault")
        current_state().log.add(request, response.status_code, active.fault if active else None)
    return response


def _set_transport(active: ActiveFault, transport: Transport) -> None:
    if active.fault == "drip":
        transport.drip_ms = DRIP_MS if active.milliseconds is None else active.milliseconds
    elif active.fault == "delay":
        transport.delay_ms = DELAY_MS if active.milliseconds is None else active.milliseconds
    else:
        transport.delay_ms = active.milliseconds or 0
    transport.cut = active.fault.removeprefix("cut_") if active.fault.startswith("cut_") else ""
    transport.stream = active.fault in STREAMED
