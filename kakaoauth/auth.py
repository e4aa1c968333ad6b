"""The door for people who are nobody yet: the first page, the login, its callback, the logout."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from flask import Blueprint, Response, abort, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user

from kakaoauth import (
    alarms,
    arrivals,
    counters,
    deletions,
    guards,
    providers,
    rate_limits,
    sessions,
    token_cookies,
    ways_on,
)
from kakaoauth.arrivals import Arrival
from kakaoauth.claims import Claim
from kakaoauth.error_pages import as_told
from kakaoauth.errors import (
    AppError,
    CookieLost,
    EmailNotConfigured,
    LoginExpired,
    MalformedCallback,
    UnknownState,
    recall,
)
from kakaoauth.providers.base import CONSENT_FOR_EMAIL, PendingLogin, Provider
from kakaoauth.redirects import callback_address, redirect_without_fragment, safe_next
from kakaoauth.refusals import record_refusal

bp = Blueprint("auth", __name__)
bp.before_request(guards.anyone)

#: Named sets of consent items a link may ask for.
CONSENTS = {"account_email": CONSENT_FOR_EMAIL}

#: 32 bytes in base64url, as providers.pending makes them.
STATE = re.compile(r"[A-Za-z0-9_-]{43}")
#: Visible ASCII (RFC 6749, appendix A.11). Kakao's codes have fewer than 100 characters.
CODE = re.compile(r"[\x21-\x7e]{1,1000}")
#: Authorization error names (RFC 6749, appendix A.7).
ERROR = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]{1,500}")


@dataclass(frozen=True)
class Answer:
    """The authorization response's parameters (RFC 6749, section 4.1.2), checked for form only."""

    state: str
    code: str
    error: str
    description: str


@bp.get("/")
@guards.guarded(guards.visitor)
def index() -> ResponseReturnValue:
    target = safe_next(_only("next"), default="") or None
    if current_user.is_authenticated and target:
        return redirect(target)
    return render_template("auth/index.html", providers=providers.all_providers(), next=target)


@bp.get("/<provider>/login/")
@guards.guarded(guards.visitor, rate_limits.per_address("login"), rate_limits.per_session("login_session"))
def login(provider: str) -> ResponseReturnValue:
    """Begin a login. By GET on purpose: logging a consenting person in to their own account harms nobody."""
    chosen = _provider(provider)
    prompt, consent = _only("prompt"), CONSENTS.get(_only("consent") or "", ())
    _require_askable(chosen, consent)
    address = chosen.begin(
        callback_address(chosen.name),
        safe_next(_only("next")),
        prompt=prompt if prompt in chosen.prompts else None,
        consent=consent,
        mode="jwt" if _only("mode") == "jwt" else "",
    )
    counters.count("login_begun", chosen.name)
    return redirect(address)


@bp.route("/<provider>/login/callback/", methods=["GET"], provide_automatic_options=False)
@guards.guarded(rate_limits.per_address("callback"), rate_limits.room_at_address("callback_refused"))
def callback(provider: str) -> ResponseReturnValue:
    """The way back. Every way it can end: a redirect to where the person wanted to go, or an AppError's page."""
    if request.method != "GET":
        abort(405)
    chosen = _provider(provider)
    pending: PendingLogin | None = None
    try:
        answer = _read_answer()
        pending = chosen.find_pending(answer.state)
        arrival = _finish(chosen, pending, answer) if pending else _repeated(answer)
    except AppError as error:
        error.provider = chosen.name
        record_refusal(error, chosen.name, pending=pending, action=arrivals.action_of(pending))
        ways_on.offer(error, chosen, pending)
        raise
    # A page of ours removes a fragment by itself (clean-address.js); a front end has to be spared it.
    spared = chosen.leaves_fragment and not arrival.next.startswith("/")
    response = redirect_without_fragment(arrival.next) if spared else redirect(arrival.next)
    if arrival.tokens:
        token_cookies.put(response, arrival.tokens)
    return response


@bp.after_request
def keep_the_code_to_ourselves(response: Response) -> Response:
    """The callback's address holds the code: no page may pass it on as its Referer."""
    if request.endpoint == "auth.callback":
        response.headers["Referrer-Policy"] = "no-referrer"
    return response


@bp.get("/<provider>/logout/")
@guards.guarded(guards.login)
def logout_page(provider: str) -> ResponseReturnValue:
    chosen = _provider(provider)
    may_leave_account = chosen.account_logout_url("", "") is not None
    return render_template("auth/logout.html", provider=chosen, may_leave_account=may_leave_account)


@bp.post("/<provider>/logout/")
@guards.guarded(guards.leaver_by_cookie, guards.form)
def logout(provider: str) -> ResponseReturnValue:
    """End the session here, first and whatever is away; with `account=1` go on to the provider's own logout.

    :raises LogoutUnfinished: neither Redis nor the database could be told.
    """
    chosen = _provider(provider)
    sessions.log_out("logout", provider=chosen.name)
    response = redirect(_account_logout(chosen) if request.form.get("account") == "1" else url_for("auth.index"))
    # So that "back" finds no private page in the browser's cache.
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@bp.get("/<provider>/logout/callback/")
def logout_callback(provider: str) -> ResponseReturnValue:
    """Back from the provider's logout. The local one was done before; a state we did not send is nobody's return."""
    _provider(provider)
    expected = session.pop("_logout_state", None)
    if not expected or _only("state") != expected:
        raise UnknownState("logout state")
    return redirect(url_for("auth.index"))


@bp.get("/<provider>/data-deletion/<code>/")
def data_deletion(provider: str, code: str) -> ResponseReturnValue:
    """What became of somebody's request to erase their data; the provider shows them this address."""
    deletion = deletions.find(provider, code)
    if deletion is None:
        abort(404)
    return render_template("auth/deletion.html", deletion=deletion)


def _provider(name: str) -> Provider:
    found = providers.find_provider(name)
    if found is None:
        abort(404)
    return found


def _require_askable(provider: Provider, consent: tuple[str, ...]) -> None:
    """:raises EmailNotConfigured: the provider would show an error page of its own, from which nobody comes back."""
    if consent and not provider.can_ask_for(consent):
        alarms.email_is_not_configured(provider.name)
        error = EmailNotConfigured("the provider's console has no such consent item")
        error.provider = provider.name
        if current_user.is_authenticated:
            error.actions.append((gettext("My page"), url_for("account.show")))
        raise error


def _only(name: str) -> str | None:
    """A parameter that is given exactly once."""
    values = request.args.getlist(name)
    return values[0] if len(values) == 1 else None


def _logout_address(provider: Provider) -> str:
    """Registered at the provider beside the callback, so on the same scheme and host."""
    path = url_for("auth.logout_callback", provider=provider.name)
    return urljoin(callback_address(provider.name), path)


def _read_answer() -> Answer:
    """:raises MalformedCallback: what no provider sends. :raises CookieLost: a login, but no session to find it in."""
    found: dict[str, str] = {}
    for name in ("state", "code", "error", "error_code", "error_description"):
        values = request.args.getlist(name)
        if len(values) > 1:
            raise MalformedCallback(f"doubled {name}")
        found[name] = values[0] if values else ""
    if not found["code"] and not found["error"]:
        found["error"] = found["error_code"]  # Facebook's dialog, where the app's settings are the reason
    if bool(found["code"]) == bool(found["error"]):
        raise MalformedCallback("neither or both of code and error")
    for name, pattern in (("state", STATE), ("code", CODE), ("error", ERROR)):
        if found[name] and not pattern.fullmatch(found[name]):
            raise MalformedCallback(f"odd {name}")
    if not found["state"]:
        raise MalformedCallback("no state")
    if not sessions.has_cookie():
        raise CookieLost("no session cookie")
    return Answer(found["state"], found["code"], found["error"], found["error_description"])


def _finish(provider: Provider, pending: PendingLogin, answer: Answer) -> Arrival:
    """:raises AppError: nobody is logged in."""
    if pending.is_late():
        _use_up(provider, pending, answer)
        raise LoginExpired("pending login is late")
    if answer.error:
        _use_up(provider, pending, answer)
        raise provider.refusal(answer.error, answer.description).said_by_browser()
    if arrivals.is_foreign(pending):
        _use_up(provider, pending, answer)
        raise arrivals.ended(pending, "whoever began it is not in any more")
    claim = Claim(answer.state, answer.code)
    sid = claim.take()
    if sid is None:
        return _follow(claim)
    with claim.kept_alive():
        try:
            _use_up(provider, pending, answer)
            arrival = arrivals.arrive(pending, provider.fetch_profile(pending, answer.code), sid)
        except Exception as error:
            claim.settle(as_told(error, provider.name).memo())
            raise
        claim.settle(arrival.memo())
    return arrival


def _use_up(provider: Provider, pending: PendingLogin, answer: Answer) -> None:
    """A login has come back: once, however often its callback is sent."""
    provider.forget_pending(answer.state)
    if pending.is_login:
        counters.count("login_returned", provider.name)


def _repeated(answer: Answer) -> Arrival:
    """Back button, reload, double click: where that login went.

    :raises UnknownState: it was not begun in this browser, or the person has logged out since.
    """
    target = sessions.find_done(answer.state)
    if target is not None:
        return Arrival(target)
    landed = sessions.find_landed(answer.state)
    if landed is not None:
        # The browser may have thrown the answer away, and the tokens with it. Later it gets the address only.
        outcome = _outcome(Claim(answer.state, answer.code))
        return arrivals.follow(outcome) if outcome and "next" in outcome else Arrival(landed)
    if not answer.code:
        raise UnknownState("state not in this browser's session")
    return _follow(Claim(answer.state, answer.code))


def _follow(claim: Claim) -> Arrival:
    """End as the first of two equal requests did.

    :raises AppError: as it did, or UnknownState if this is another browser.
    """
    outcome = _outcome(claim)
    if outcome is None:
        raise UnknownState("state already used")
    if "next" not in outcome:
        raise recall(outcome)
    return arrivals.follow(outcome)


def _outcome(claim: Claim) -> dict[str, Any] | None:
    return claim.outcome(current_app.config["KAKAO_DEADLINE_SECONDS"] + 2)


def _account_logout(provider: Provider) -> str:
    state = sessions.new_secret()
    address = provider.account_logout_url(_logout_address(provider), state)
    if address is None:
        return url_for("auth.index")
    # Without the note the way back ends on a page that does not know them; that they are out there as well counts more.
    sessions.leave_note("_logout_state", state)
    return address
