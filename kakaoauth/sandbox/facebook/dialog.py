"""GET /dialog/oauth and the pages between it and the redirect: chooser, own person, consent."""

import secrets

from flask import Blueprint, Response, request

from kakaoauth.sandbox.facebook import dialog_request
from kakaoauth.sandbox.facebook.dialog_answer import DENIED, location_of
from kakaoauth.sandbox.facebook.errors import DialogError
from kakaoauth.sandbox.facebook.permissions import ALWAYS, PERMISSIONS, permissions_to_ask
from kakaoauth.sandbox.facebook.routing import answered_by, take_version
from kakaoauth.sandbox.pages.responses import go_to, page
from kakaoauth.sandbox.people.facebook import FacebookPerson
from kakaoauth.sandbox.people.facebook_forms import person_from_form
from kakaoauth.sandbox.people.forms import FormError
from kakaoauth.sandbox.people.search import search
from kakaoauth.sandbox.state.context import browser_id, current_state, enter_facebook, facebook_key
from kakaoauth.sandbox.state.facebook_model import PendingDialog

bp = Blueprint("facebook_dialog", __name__)
bp.url_value_preprocessor(take_version)

DOUBLE_CLICK_SECONDS = 5
STEP = "/dialog/oauth/step"


@bp.get("/<graph:version>dialog/oauth")
def dialog() -> Response:
    """Begin a login: the chooser, the consent page, or straight back to the site."""
    state = current_state()
    if answered_by() is None:
        raise DialogError("version")
    wanted = dialog_request.read(request, state.settings.facebook)
    pending = PendingDialog(secrets.token_urlsafe(32), browser_id(), state.clock.now(), wanted)
    if not wanted.reauthenticate:
        pending.person = facebook_key()
    state.facebook.pending.put(pending)
    return _proceed(pending)


@bp.get(STEP)
def step() -> Response:
    """The next page of a login that this browser began."""
    return _proceed(_find_pending(request.args.get("request", "")))


@bp.post("/dialog/oauth/person")
def choose_person() -> Response:
    """Go on as the person whose button was pressed."""
    pending = _find_pending(request.form.get("request", ""))
    person = current_state().facebook.people.get(request.form.get("person", ""))
    if person is None:
        raise DialogError("over")
    return _enter(pending, person)


@bp.post("/dialog/oauth/new-person")
def make_person() -> Response:
    """Make a person from the form and go on as them."""
    state = current_state()
    pending = _find_pending(request.form.get("request", ""))
    try:
        person = person_from_form(request.form, state.facebook)
    except FormError as error:
        return _chooser(pending, form=request.form.to_dict(), problem=f"form_{error.field}")
    with state.changing():
        state.facebook.people[person.key] = person
    return _enter(pending, person)


@bp.post("/dialog/oauth/consent")
def answer_consent() -> Response:
    """Return to the site with a code or a refusal, or choose somebody else."""
    state = current_state()
    pending = _find_pending(request.form.get("request", ""), ended_too=True)
    if pending.location is not None:
        return Response(status=302, headers={"Location": pending.location})
    person = state.facebook.people.get(pending.person or "")
    decision = request.form.get("decision")
    if person is None or decision not in ("agree", "cancel", "other"):
        raise DialogError("over")
    if decision == "other":
        pending.person = None
        return go_to(STEP, request=pending.id)
    if decision == "cancel":
        return _end(pending, DENIED)
    ticked = {ALWAYS, *request.form.getlist("item")}
    with state.changing():
        asked = permissions_to_ask(state.facebook.installed.get(person.key), pending.request)
        state.facebook.install(person, {name: name in ticked for name in asked})
    return _finish(pending, person)


def _proceed(pending: PendingDialog) -> Response:
    """Show the next page that the request needs, or end it with a code."""
    store = current_state().facebook
    person = store.people.get(pending.person or "")
    if person is None:
        return _chooser(pending)
    installation = store.installed.get(person.key)
    asked = permissions_to_ask(installation, pending.request)
    if installation is not None and not asked:
        return _finish(pending, person)
    return page(
        "facebook_consent",
        pending=pending,
        person=person,
        permissions={name: PERMISSIONS[name] for name in asked},
        always=ALWAYS,
        more=installation is not None,
        app=current_state().settings.facebook,
    )


def _enter(pending: PendingDialog, person: FacebookPerson) -> Response:
    enter_facebook(person.key)
    pending.person = person.key
    return go_to(STEP, request=pending.id)


def _chooser(pending: PendingDialog, form: dict[str, str] | None = None, problem: str | None = None) -> Response:
    store, wanted = current_state().facebook, request.args.get("q", "").strip()
    return page(
        "facebook_chooser",
        template="account_chooser",
        status=422 if problem else 200,
        provider="facebook",
        steps="/dialog/oauth",
        pending=pending,
        people=search(store.people.values(), wanted),
        wanted=wanted,
        hinted=(),
        consents=dict(store.installed),
        form=form or {},
        problem=problem,
    )


def _find_pending(request_id: str, *, ended_too: bool = False) -> PendingDialog:
    """Return what this browser began. :raise DialogError: unknown, too old, somebody else's, or over.

    The second half of a double click gets the same redirect again, as at Kakao's consent page.
    """
    state = current_state()
    pending = state.facebook.pending.find(request_id, browser_id())
    if pending is None:
        raise DialogError("over")
    if pending.location is not None:
        fresh = state.clock.now() - pending.ended_at < DOUBLE_CLICK_SECONDS
        if not (ended_too and fresh):
            raise DialogError("over")
    return pending


def _finish(pending: PendingDialog, person: FacebookPerson) -> Response:
    state = current_state()
    with state.reading():
        code = state.facebook.add_code(person.key, pending.request, state.settings.facebook.code_seconds)
    return _end(pending, {"code": code.value})


def _end(pending: PendingDialog, values: dict[str, str]) -> Response:
    pending.location = location_of(pending.request.redirect_uri, values, pending.request.state)
    pending.ended_at = current_state().clock.now()
    return Response(status=302, headers={"Location": pending.location})
