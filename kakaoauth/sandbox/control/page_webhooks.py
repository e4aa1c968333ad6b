"""The page with the webhooks: those that were sent, and forms to send one."""

from flask import Blueprint, Response, request

from kakaoauth.sandbox.errors import PageError
from kakaoauth.sandbox.kakao.security_events import EVENT_FLAWS, EVENTS, REFERRERS, UNLINK_FLAWS
from kakaoauth.sandbox.kakao.webhooks import WebhookError, send_event, send_unlink
from kakaoauth.sandbox.pages.responses import go_to, page
from kakaoauth.sandbox.state.context import browser_id, check_form_token, current_state

bp = Blueprint("webhook_page", __name__, url_prefix="/sandbox")


@bp.get("/webhooks")
def show() -> Response:
    """The page with what was sent, and forms to send more."""
    return _page()


@bp.post("/webhooks/send")
def send() -> Response:
    """Send a sample, as the console's webhook test does: nobody's state changes."""
    check_form_token()
    state = current_state()
    person = state.people.get(request.form.get("person", ""))
    if person is None:
        raise PageError(None)
    user_id, flaws = str(person.user_id), request.form.getlist("flaw")
    referrer = request.form.get("referrer_type", "")
    try:
        if request.form.get("kind") == "unlink":
            send_unlink(state, user_id, referrer, flaws)
        else:
            link = state.links.get(person.key)
            scopes = list(link.agreed) if link else [item.id for item in state.settings.consent_items]
            event = request.form.get("event", "")
            send_event(state, event, user_id, reason=referrer, scopes=scopes, flaws=flaws)
    except WebhookError as error:
        return _page(problem=str(error), status=422)
    return go_to("/sandbox/webhooks")


@bp.post("/webhooks/again")
def again() -> Response:
    """Send a webhook once more, the same to the byte."""
    check_form_token()
    number = request.form.get("delivery", "")
    if not (number.isascii() and number.isdigit() and current_state().outbox.again(int(number[:12]))):
        raise PageError(None)
    return go_to("/sandbox/webhooks")


def _page(problem: str | None = None, status: int = 200) -> Response:
    state = current_state()
    return page(
        "webhooks",
        status=status,
        problem=problem,
        settings=state.settings,
        people=list(state.people.values()),
        links=dict(state.links),
        events=EVENTS,
        referrers=REFERRERS,
        event_flaws=EVENT_FLAWS,
        unlink_flaws=UNLINK_FLAWS,
        deliveries=[delivery.describe() for delivery in state.outbox.newest()],
        token=browser_id(),
    )
