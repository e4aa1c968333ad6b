"""The authorization address and the pages behind it: chooser, own person, consent."""

import secrets

from flask import Blueprint, Response, request

from kakaoauth.sandbox.accounts.errors import LoginPageError
from kakaoauth.sandbox.accounts.flow import LoginFlow
from kakaoauth.sandbox.pages.responses import go_to, page
from kakaoauth.sandbox.people.accounts import Account, account_from_form
from kakaoauth.sandbox.people.forms import FormError
from kakaoauth.sandbox.people.search import search
from kakaoauth.sandbox.state.account_model import PendingLogin
from kakaoauth.sandbox.state.context import account_session, browser_id, current_state, enter_account

DOUBLE_CLICK_SECONDS = 5


def login_blueprint(flow: LoginFlow) -> Blueprint:
    """Return the blueprint of one provider's pages."""
    bp = Blueprint(f"{flow.provider}_login", __name__, url_prefix=f"/{flow.provider}")
    pages = LoginPages(flow)
    for path in flow.authorize_paths:
        bp.add_url_rule(path, "authorize", pages.begin, methods=list(flow.authorize_methods))
    bp.add_url_rule("/login/step", "step", pages.step)
    bp.add_url_rule("/login/person", "choose", pages.choose, methods=["POST"])
    bp.add_url_rule("/login/new-person", "make", pages.make, methods=["POST"])
    bp.add_url_rule("/login/consent", "consent", pages.consent, methods=["POST"])
    return bp


class LoginPages:
    def __init__(self, flow: LoginFlow) -> None:
        self._flow = flow

    def begin(self) -> Response:
        """Begin a login: the chooser, the consent page, or straight back to the site."""
        wanted = self._flow.read(request)
        pending = PendingLogin(secrets.token_urlsafe(32), browser_id(), current_state().clock.now(), wanted)
        if not self._flow.shows_chooser(wanted):
            pending.person, pending.auth_time = account_session(self._flow.provider)
        self._flow.store().pending.put(pending)
        return self._proceed(pending)

    def step(self) -> Response:
        """The next page of a login that this browser began."""
        return self._proceed(self._find(request.args.get("request", "")))

    def choose(self) -> Response:
        """Go on as the person whose button was pressed."""
        pending = self._find(request.form.get("request", ""))
        person = self._flow.store().people.get(request.form.get("person", ""))
        if person is None:
            raise self._over()
        return self._enter(pending, person)

    def make(self) -> Response:
        """Make a person from the form and go on as them."""
        state, store = current_state(), self._flow.store()
        pending = self._find(request.form.get("request", ""))
        try:
            person = account_from_form(self._flow.provider, request.form, list(store.people.values()))
        except FormError as error:
            return self._chooser(pending, form=request.form.to_dict(), problem=f"form_{error.field}")
        with state.changing():
            store.people[person.key] = person
        return self._enter(pending, person)

    def consent(self) -> Response:
        """Return to the site with a code or a refusal, or choose somebody else."""
        flow, store = self._flow, self._flow.store()
        pending = self._find(request.form.get("request", ""), ended_too=True)
        if pending.answer is not None:
            return flow.answer(pending.request, pending.answer)
        person, decision = store.people.get(pending.person or ""), request.form.get("decision")
        if person is None or decision not in ("agree", "cancel", "other"):
            raise self._over()
        if decision == "other":
            pending.person = None
            return go_to(f"/{flow.provider}/login/step", request=pending.id)
        if decision == "cancel":
            return self._end(pending, flow.denied())
        flow.check_person(person)
        ticked = set(request.form.getlist("item"))
        with current_state().changing():
            before = store.consents.get(person.key)
            asked = flow.items_to_ask(before, pending.request)
            consent = store.agree(person, {item.id: item.required or item.id in ticked for item in asked})
            flow.agreed(person, consent, pending.request, request.form)
        return self._finish(pending, person, first=before is None)

    def _proceed(self, pending: PendingLogin) -> Response:
        """Show the next page that the request needs, or end it."""
        flow, store = self._flow, self._flow.store()
        person = store.people.get(pending.person or "")
        consent = store.consents.get(person.key) if person else None
        asked = flow.items_to_ask(consent, pending.request)
        refusal = flow.refusal_in_advance(pending.request, person, bool(asked) or consent is None)
        if refusal is not None:
            return self._end(pending, refusal)
        if person is None:
            return self._chooser(pending)
        flow.check_person(person)
        if consent is not None and not asked:
            return self._finish(pending, person, first=False)
        return page(
            "account_consent",
            provider=flow.provider,
            pending=pending,
            person=person,
            items=asked,
            more=consent is not None,
            app_name=flow.app_name(),
        )

    def _enter(self, pending: PendingLogin, person: Account) -> Response:
        pending.person, pending.auth_time = person.key, enter_account(self._flow.provider, person.key)
        return go_to(f"/{self._flow.provider}/login/step", request=pending.id)

    def _chooser(
        self, pending: PendingLogin, form: dict[str, str] | None = None, problem: str | None = None
    ) -> Response:
        store, hint, wanted = self._flow.store(), pending.request.hint, request.args.get("q", "").strip()
        hinted = [one.key for one in store.people.values() if hint and hint in (one.email, one.subject)]
        return page(
            "account_chooser",
            status=422 if problem else 200,
            provider=self._flow.provider,
            steps=f"/{self._flow.provider}/login",
            pending=pending,
            people=search(sorted(store.people.values(), key=lambda one: one.key not in hinted), wanted),
            wanted=wanted,
            hinted=hinted,
            consents=dict(store.consents),
            form=form or {},
            problem=problem,
        )

    def _find(self, request_id: str, *, ended_too: bool = False) -> PendingLogin:
        """Return what this browser began. The second half of a double click gets the same answer again.

        :raise LoginPageError: unknown, too old, somebody else's, or over.
        """
        pending = self._flow.store().pending.find(request_id, browser_id())
        if pending is None:
            raise self._over()
        if pending.answer is not None:
            fresh = current_state().clock.now() - pending.ended_at < DOUBLE_CLICK_SECONDS
            if not (ended_too and fresh):
                raise self._over()
        return pending

    def _over(self) -> LoginPageError:
        return LoginPageError(self._flow.provider, "over")

    def _finish(self, pending: PendingLogin, person: Account, *, first: bool) -> Response:
        store = self._flow.store()
        with current_state().changing():
            code = store.add_code(
                person.key,
                pending.request,
                auth_time=pending.auth_time,
                seconds=self._flow.code_seconds(),
                first=first,
            )
            values = {"code": code.value}
            values |= self._flow.extra_answer(person, store.consents[person.key], pending, first)
        return self._end(pending, values)

    def _end(self, pending: PendingLogin, values: dict[str, str]) -> Response:
        pending.answer, pending.ended_at = values, current_state().clock.now()
        return self._flow.answer(pending.request, values)
