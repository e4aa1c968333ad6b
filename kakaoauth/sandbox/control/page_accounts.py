"""The page about Naver, Google or Apple: how to point a site at it, who uses the app, the messages."""

from flask import Blueprint, Response, request

from kakaoauth.sandbox.accounts.leaving import ADDRESSES, EVENTS, FLAWS, SENDERS, person_removes_app
from kakaoauth.sandbox.accounts.messages import MessageError
from kakaoauth.sandbox.control.console_accounts import read_form, switches_of
from kakaoauth.sandbox.errors import PageError
from kakaoauth.sandbox.pages.responses import go_to, page
from kakaoauth.sandbox.people.accounts import Account
from kakaoauth.sandbox.state.context import account_session, browser_id, check_form_token, current_state, leave_account

bp = Blueprint("accounts_page", __name__, url_prefix="/sandbox/<any(naver, google, apple):provider>")


@bp.get("")
def show(provider: str) -> Response:
    """The page with the settings for a client, the people and the messages."""
    return _page(provider)


@bp.post("/app")
def change_app(provider: str) -> Response:
    """Take over the switches."""
    check_form_token()
    current_state().change_account_settings(provider, **read_form(provider, request.form))
    return go_to(f"/sandbox/{provider}")


@bp.post("/remove")
def remove(provider: str) -> Response:
    """What the person does in the provider's settings: take the app away, or delete the account."""
    check_form_token()
    field = "delete" if "delete" in request.form else "person"
    person_removes_app(current_state(), provider, _person(provider, field).key, delete=field == "delete")
    return go_to(f"/sandbox/{provider}")


@bp.post("/leave")
def leave(provider: str) -> Response:
    """Log this browser out of the provider: the next login asks who it is."""
    check_form_token()
    leave_account(provider)
    return go_to(f"/sandbox/{provider}")


@bp.post("/send")
def send(provider: str) -> Response:
    """Send a sample; nobody's state changes."""
    check_form_token()
    person, event = _person(provider, "person"), request.form.get("event", "")
    try:
        SENDERS[provider](current_state(), event, person.subject, request.form.getlist("flaw"))
    except MessageError as error:
        return _page(provider, problem=str(error), status=422)
    return go_to(f"/sandbox/{provider}")


def _person(provider: str, field: str) -> Account:
    person = current_state().accounts[provider].people.get(request.form.get(field, ""))
    if person is None:
        raise PageError(None)
    return person


def _page(provider: str, problem: str | None = None, status: int = 200) -> Response:
    state = current_state()
    store, settings = state.accounts[provider], getattr(state.settings, provider)
    return page(
        "account_provider",
        status=status,
        provider=provider,
        problem=problem,
        app=settings,
        base=f"{state.settings.issuer}/{provider}",
        switches=switches_of(provider),
        address=getattr(settings, ADDRESSES[provider]),
        people=list(store.people.values()),
        consents=dict(store.consents),
        current=store.people.get(account_session(provider)[0] or ""),
        deliveries=[one.describe() for one in state.outbox.newest() if one.message.kind == provider],
        events=EVENTS[provider],
        flaws=FLAWS[provider],
        token=browser_id(),
    )
