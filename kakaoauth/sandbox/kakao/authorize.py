"""GET /oauth/authorize and the pages between it and the redirect: chooser, own person, consent."""

import secrets

from flask import Blueprint, Response, request

from kakaoauth.sandbox.errors import PageError
from kakaoauth.sandbox.kakao import authorization_request
from kakaoauth.sandbox.kakao.consent import items_to_ask
from kakaoauth.sandbox.kakao.service_terms import terms_to_ask
from kakaoauth.sandbox.kakao.webhooks import person_consented
from kakaoauth.sandbox.pages.responses import go_to, page, redirect_back
from kakaoauth.sandbox.people.forms import MOST_PEOPLE, FormError, person_from_form
from kakaoauth.sandbox.people.kakao import AGE_RANGES, Person
from kakaoauth.sandbox.people.search import search
from kakaoauth.sandbox.state.context import browser_id, current_state, sign_in, signed_in
from kakaoauth.sandbox.state.model import Pending
from kakaoauth.sandbox.state.settings import SandboxSettings

bp = Blueprint("authorize", __name__)

DOUBLE_CLICK_SECONDS = 5
STEP = "/oauth/authorize/step"
SHOWS_CHOOSER = frozenset({"login", "select_account", "create"})


@bp.get("/oauth/authorize")
def authorize() -> Response:
    """Begin a login: the chooser, the consent page, or straight back to the site."""
    state = current_state()
    wanted = authorization_request.read(request, state.settings)
    pending = Pending(secrets.token_urlsafe(32), browser_id(), state.clock.now(), wanted)
    account = signed_in()
    if account and not wanted.prompts & SHOWS_CHOOSER:
        pending.person, pending.auth_time = account[0].key, account[1]
    state.pending.put(pending)
    return _proceed(pending)


@bp.get(STEP)
def step() -> Response:
    """The next page of a login that this browser began."""
    return _proceed(_find_pending(request.args.get("request", "")))


@bp.post("/oauth/authorize/person")
def choose_person() -> Response:
    """Go on as the person whose button was pressed."""
    pending = _find_pending(request.form.get("request", ""))
    person = current_state().people.get(request.form.get("person", ""))
    if person is None:
        raise PageError(None)
    return _enter(pending, person)


@bp.post("/oauth/authorize/new-person")
def make_person() -> Response:
    """Make a person from the form and go on as them."""
    state = current_state()
    pending = _find_pending(request.form.get("request", ""))
    made = [person for person in state.people.values() if person.made]
    try:
        if len(made) >= MOST_PEOPLE:
            raise FormError("full")
        person = person_from_form(request.form, {person.user_id for person in state.people.values()})
    except FormError as error:
        return _chooser(pending, form=request.form.to_dict(), problem=f"form_{error.field}")
    state.add_person(person)
    return _enter(pending, person)


@bp.post("/oauth/authorize/consent")
def answer_consent() -> Response:
    """Return to the site with a code or a refusal."""
    state = current_state()
    pending = _find_pending(request.form.get("request", ""), ended_too=True)
    if pending.location is not None:
        return redirect_back(pending.location)
    person = state.people.get(pending.person or "")
    decision = request.form.get("decision")
    if person is None or decision not in ("agree", "cancel"):
        raise PageError(None)
    if _too_young(person, state.settings):
        return _deny(pending, "access_denied", "Not allowed under age 14")
    _check_membership(person, state.settings)
    if decision == "cancel":
        return _deny(pending, "access_denied", "User denied access")
    ticked, ticked_terms = set(request.form.getlist("item")), set(request.form.getlist("term"))
    with state.changing():
        before = state.links.get(person.key)
        asked = items_to_ask(state.settings, before, pending.request)
        agreed = [item.id for item in asked if item.required or item.id in ticked]
        terms = terms_to_ask(state.settings, before, pending.request)
        link = state.agree(person, agreed, [term.id for term in terms if term.required or term.id in ticked_terms])
    person_consented(state, link, agreed, first=before is None)
    return _finish(pending, person)


def _proceed(pending: Pending) -> Response:
    """Show the next page that the request needs, or end it with a code."""
    state = current_state()
    silent = "none" in pending.request.prompts
    person = state.people.get(pending.person or "")
    if person is None:
        if silent:
            return _deny(pending, "login_required", "user authentication required.")
        return _chooser(pending)
    _check_membership(person, state.settings)
    if _too_young(person, state.settings):
        return _deny(pending, "access_denied", "Not allowed under age 14")
    link = state.links.get(person.key)
    asked = items_to_ask(state.settings, link, pending.request)
    terms = terms_to_ask(state.settings, link, pending.request)
    if link and not asked and not terms:
        return _finish(pending, person)
    if silent and link and not asked:
        return _deny(pending, "interaction_required", "need to collect additional personal information.")
    if silent:
        return _deny(pending, "consent_required", "user consent required.")
    return page("consent", pending=pending, person=person, items=asked, terms=terms, more=link is not None)


def _too_young(person: Person, settings: SandboxSettings) -> bool:
    return person.under_14 and not settings.under_14_allowed


def _check_membership(person: Person, settings: SandboxSettings) -> None:
    """Let only its members use a test app. :raise PageError: KOE005."""
    if settings.test_app and person.key not in settings.members:
        raise PageError("KOE005", person.key)


def _enter(pending: Pending, person: Person) -> Response:
    pending.auth_time = sign_in(person)
    pending.person = person.key
    return go_to(STEP, request=pending.id)


def _chooser(pending: Pending, form: dict[str, str] | None = None, problem: str | None = None) -> Response:
    state = current_state()
    hint = pending.request.login_hint or ""
    hinted = [person for person in state.people.values() if person.email and person.email == hint.lower()]
    others = [person for person in state.people.values() if person not in hinted]
    account, wanted = signed_in(), request.args.get("q", "").strip()
    fields = form if form is not None else {"email_valid": "1", "email_verified": "1", "email": "" if hinted else hint}
    return page(
        "chooser",
        status=422 if problem else 200,
        pending=pending,
        people=search(hinted + others, wanted),
        wanted=wanted,
        hinted=hinted,
        current=account[0] if account else None,
        links=dict(state.links),
        form=fields,
        problem=problem,
        ages=AGE_RANGES,
        opened=problem is not None or "create" in pending.request.prompts,
    )


def _find_pending(request_id: str, *, ended_too: bool = False) -> Pending:
    """Return what this browser began. :raise PageError: unknown, too old, somebody else's, or over.

    The second half of a double click reaches a request that has just ended; the browser shows only that
    second answer, so for a few seconds it is the same redirect again.
    """
    state = current_state()
    pending = state.pending.find(request_id, browser_id())
    if pending is None:
        raise PageError(None)
    if pending.location is not None:
        fresh = state.clock.now() - pending.ended_at < DOUBLE_CLICK_SECONDS
        if not (ended_too and fresh):
            raise PageError(None)
    return pending


def _finish(pending: Pending, person: Person) -> Response:
    state = current_state()
    with state.reading():
        code = state.grants.add_code(
            state.settings.client_id,
            person.key,
            pending.request,
            auth_time=pending.auth_time,
            seconds=state.settings.code_seconds,
        )
    return _end(pending, code=code.value)


def _deny(pending: Pending, error: str, description: str) -> Response:
    return _end(pending, error=error, error_description=description)


def _end(pending: Pending, **values: str) -> Response:
    response = redirect_back(pending.request.redirect_uri, **values, state=pending.request.state)
    pending.location = response.headers["Location"]
    pending.ended_at = current_state().clock.now()
    return response
