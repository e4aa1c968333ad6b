"""The sign-up step: the page between the provider's answer and the account, where people agree to the terms.

Somebody who is known comes here, too, when a required term has a new version.
"""

import logging
import secrets
from dataclasses import replace

from flask import Blueprint, current_app, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from wtforms import Form

from kakaoauth import providers, sessions, terms
from kakaoauth.accounts import hooks
from kakaoauth.config.terms import Term
from kakaoauth.counting import counters
from kakaoauth.errors import AccountClosing, AppError, LoginCancelled, SignUpExpired, TermsRequired, from_dict
from kakaoauth.login import completion, next_steps, waiting_sign_up
from kakaoauth.login.callback_lock import CallbackLock
from kakaoauth.login.completion import LoginResult
from kakaoauth.login.refusals import record_refusal
from kakaoauth.login.waiting_sign_up import Waiting
from kakaoauth.models import User, find_identity
from kakaoauth.providers.values import Profile
from kakaoauth.sessions.store import current_session
from kakaoauth.terms.consents import PAGE, Agreement
from kakaoauth.tokens import cookies
from kakaoauth.translation import gettext
from kakaoauth.web import edge, guards, rate_limits
from kakaoauth.web.error_pages import as_app_error
from kakaoauth.web.mounting import home

bp = Blueprint("sign_up", __name__, url_prefix="/sign-up")
bp.before_request(guards.anyone)
bp.before_request(guards.form)

log = logging.getLogger("kakaoauth.terms")

#: What the fields are called: of a term, with its id behind; of the host's form, with theirs.
AGREE, MORE = "agree.", "more-"


@bp.get("/<name>/")
def show(name: str) -> ResponseReturnValue:
    """Show what there is to agree to. :raises SignUpExpired: nothing waits here under that name."""
    waiting = waiting_sign_up.find(name)
    if waiting is None and current_user.is_authenticated:
        return redirect(home())  # the back button, after it was finished
    if waiting is None:
        raise _expired()
    user = _account(waiting)
    return _page(name, waiting, user, form=_form(user))


@bp.post("/<name>/")
@guards.guarded(rate_limits.per_address("login"))
def answer(name: str) -> ResponseReturnValue:
    """Make the account and log in, or cancel. A page that lacks something is shown again.

    :raises SignUpExpired: nothing waits here under that name. :raises LoginCancelled: as asked for.
    :raises AppError: nobody is logged in.
    """
    lock = _lock(name)
    waiting = waiting_sign_up.find(name)
    if waiting is None:
        return _replay(lock)
    if request.form.get("decision") == "cancel":
        raise _cancelled(name, waiting)
    user = _account(waiting)
    form = _form(user)
    agreed, has_changed = _agreed(waiting)
    if has_changed:
        return _page(name, waiting, user, form=form, wrong="changed")
    lacking = _lacking(user, agreed)
    is_complete = form is None or form.validate()
    if lacking or not is_complete:
        return _page(name, waiting, user, form=form, wrong="lacking" if lacking else "fields")
    fields = dict(form.data) if form is not None else {}
    try:
        return _enter(lock, name, waiting, terms.Answer(agreed, is_whole=True, fields=fields))
    except TermsRequired:
        return _page(name, waiting, user, form=form, wrong="changed")


def _enter(lock: CallbackLock, name: str, waiting: Waiting, said: terms.Answer) -> ResponseReturnValue:
    """:raises AppError: nobody is logged in; `actions` holds the buttons for the error page."""
    sid = lock.acquire()
    if sid is None:
        return _replay(lock)
    provider = waiting.profile.provider
    with lock.kept_alive():
        try:
            result = _log_in(waiting, said, sid, name)
        except Exception as error:
            current_session().along.clear()
            lock.publish(as_app_error(error, provider).to_dict())
            if isinstance(error, AppError) and not isinstance(error, TermsRequired):
                error.provider = provider
                record_refusal(error, provider, pending=waiting.pending)
                _offer(error, waiting)
            raise
        lock.publish(result.to_dict())
    return _go(result)


def _log_in(waiting: Waiting, said: terms.Answer, sid: str, name: str) -> LoginResult:
    try:
        entry = completion.admit(waiting.pending, waiting.profile, said)
    except AccountClosing as error:  # closed while they were reading, in another browser
        waiting_sign_up.drop(name)
        return completion.offer_to_restore(error, waiting.pending, _proven(waiting, None), sid)
    waiting_sign_up.drop(name)
    result = completion.enter(waiting.pending, entry, _proven(waiting, entry.user), sid)
    counters.count("terms_agreed", waiting.profile.provider)
    return result


def _proven(waiting: Waiting, user: User | None) -> Profile:
    """The person has proved who they are when they came from the provider, not when they had read to the end."""
    proven = sessions.proven_at(user, waiting.profile.auth_time) if user is not None else waiting.profile.auth_time
    return replace(waiting.profile, auth_time=int(waiting.at if proven is None else min(proven, waiting.at)))


def _cancelled(name: str, waiting: Waiting) -> LoginCancelled:
    """Forget the person. Who has no account here is not left connected at the provider either, as far as it can be
    told now: nothing about them is stored to tell it later."""
    profile = waiting.profile
    waiting_sign_up.drop(name)
    counters.count("terms_left", profile.provider)
    chosen = providers.find_provider(profile.provider)
    if chosen is not None and _account(waiting) is None:
        try:
            chosen.unlink(profile.subject, profile.tokens)
        except AppError as error:
            log.info("cancelled sign-up stays linked at provider=%s: %s", profile.provider, error.code)
    cancelled = LoginCancelled("sign-up")
    cancelled.provider = profile.provider
    _offer(cancelled, waiting)
    return cancelled


def _offer(error: AppError, waiting: Waiting) -> None:
    chosen = providers.find_provider(waiting.profile.provider)
    if chosen is not None:
        next_steps.offer(error, chosen, waiting.pending)


def _expired() -> SignUpExpired:
    error = SignUpExpired("nothing waits under that name")
    error.actions.append((gettext("Log in"), url_for("kakaoauth.auth.index")))
    return error


def _lock(name: str) -> CallbackLock:
    """Of two equal presses one makes the account. A page that is shown again has another `press`."""
    press = request.form.get("press", "")[:100] or secrets.token_urlsafe(12)
    return CallbackLock(f"sign-up {name} {press}", press)


def _replay(lock: CallbackLock) -> ResponseReturnValue:
    """Answer the second of two equal presses. :raises SignUpExpired: there was no first one.

    :raises AppError: the first one's.
    """
    outcome = lock.wait(current_app.config["PROVIDER_DEADLINE_SECONDS"] + 2)
    if outcome is None:
        raise _expired()
    if "next" not in outcome:
        raise from_dict(outcome)
    return _go(completion.replay(outcome))


def _go(result: LoginResult) -> ResponseReturnValue:
    response = redirect(result.next, 303)
    if result.tokens:
        cookies.put(response, result.tokens)
    return response


def _account(waiting: Waiting) -> User | None:
    identity = find_identity(waiting.profile.provider, waiting.profile.subject)
    return identity.user if identity is not None else None


def _form(user: User | None) -> Form | None:
    """The host's fields, for somebody who is new."""
    kind = hooks.sign_up_form()
    if kind is None or user is not None:
        return None
    sent = request.form if request.method == "POST" else None
    # Ours has the CSRF token already.
    return kind(sent, prefix=MORE, meta={"csrf": False})


def _agreed(waiting: Waiting) -> tuple[tuple[Agreement, ...], bool]:
    """What was ticked, or agreed to at the provider; and whether a ticked one has another version by now."""
    found, has_changed = list(waiting.answer.agreements), False
    known = {one.term.id for one in found}
    for term in terms.asked():
        version = request.form.get(f"{AGREE}{term.id}")
        if version is not None and term.id not in known:
            has_changed = has_changed or version != term.version
            found.append(Agreement(term, PAGE))
    return tuple(found), has_changed


def _lacking(user: User | None, agreed: tuple[Agreement, ...]) -> list[Term]:
    given = {one.term.id for one in agreed}
    return [term for term in terms.to_agree(user) if term.required and term.id not in given]


def _page(name: str, waiting: Waiting, user: User | None, *, form: Form | None, wrong: str = "") -> ResponseReturnValue:
    """:param wrong: `lacking`, `fields` or `changed`; then the page is shown again, as it was filled in."""
    agreed_there = {one.term.id for one in waiting.answer.agreements}
    ticked = {field.removeprefix(AGREE) for field in request.form if field.startswith(AGREE) and wrong != "changed"}
    page = render_template(
        "kakaoauth/sign_up/show.html",
        name=name,
        person=waiting.profile,
        is_new=user is None,
        terms=[term for term in terms.to_agree(user) if term.id not in agreed_there],
        agreed_there=[one.term for one in waiting.answer.agreements],
        ticked=ticked,
        form=form,
        wrong=wrong,
        press=secrets.token_urlsafe(12),
    )
    status = {"": 200, "changed": 409}.get(wrong, 422)
    response = make_response(page, status)
    # Browsers apply form-action to the redirect behind the form as well: it may lead to a front end.
    origins = " ".join(current_app.config["KAKAOAUTH_FRONTEND_ORIGINS"])
    response.headers["Content-Security-Policy"] = edge.content_security_policy(forms=origins)
    return response
