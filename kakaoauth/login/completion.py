"""Complete a login that the provider has confirmed: begin a session, issue tokens, link an identity, or confirm the
person who is logged in."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import current_app, url_for
from flask_login import current_user

from kakaoauth import sessions, terms
from kakaoauth.accounts import closing, hooks, linking, sign_in
from kakaoauth.accounts.known_login import KnownLogin
from kakaoauth.accounts.sign_in import Entry
from kakaoauth.audit import visitors
from kakaoauth.counting import counters
from kakaoauth.errors import (
    AccountClosing,
    AppError,
    ConfirmationEnded,
    LinkEnded,
    LoginNotRepeated,
    TermsRequired,
    provider_label,
)
from kakaoauth.login import closed, waiting_sign_up
from kakaoauth.login.callback_lock import CallbackLock
from kakaoauth.login.refusals import record_refusal
from kakaoauth.providers.values import CONSENT_FOR_EMAIL, PendingLogin, Profile
from kakaoauth.sessions import finished_logins
from kakaoauth.sessions.store import current_session
from kakaoauth.terms import of_provider
from kakaoauth.tokens import flows as token_flows
from kakaoauth.tokens.flows import TokenPair
from kakaoauth.translation import gettext
from kakaoauth.web import form_drafts, messages

#: What a login that came back from the provider counts as.
RETURNED = "login_returned"


@dataclass(frozen=True)
class LoginResult:
    """Where the browser goes, and with which tokens, if it is a front end's."""

    next: str
    tokens: TokenPair | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values for `CallbackLock.publish`: `next`, and `family` if there are tokens. No token is in
        it."""
        return {"next": self.next} if self.tokens is None else {"next": self.next, "family": self.tokens.family_id}


def is_foreign(pending: PendingLogin) -> bool:
    """Whether this is a link or a confirmation that another person, or another login of this person, began."""
    if pending.is_login and sessions.holder() is None:
        return False  # and nobody to load
    is_theirs = current_user.is_authenticated and current_user.get_id() == pending.asked_as
    return not (pending.is_login or is_theirs)


def ended(pending: PendingLogin, reason: str) -> AppError:
    """Return the error for a link or confirmation that `is_foreign` refuses."""
    return ConfirmationEnded(reason) if pending.confirms else LinkEnded(reason)


def action_of(pending: PendingLogin | None) -> str:
    """Return the action under which the audit log records a refusal."""
    if pending is None or pending.is_login:
        return "login"
    return "confirmed" if pending.confirms else "linked"


def complete_login(
    pending: PendingLogin, profile: Profile, sid: str, known: KnownLogin, lock: CallbackLock
) -> LoginResult:
    """Log in, link or confirm, whatever `pending` was begun for.

    :param sid: the id for the session to begin. :param known: which may have read the person already.
    :param lock: is told of a session together with Redis, so that this takes no round trip of its own.
    :raises AppError: nothing was changed.
    """
    if pending.link_to:
        return _link(pending, profile, sid)
    if pending.confirms:
        return _confirm(pending, profile, sid)
    try:
        entry = known.log_in(profile) or admit(pending, profile, terms.UNASKED)
    except TermsRequired:
        return _after_the_terms(pending, profile, sid, lock)
    except AccountClosing as error:
        return offer_to_restore(error, pending, profile, sid)
    return enter(pending, entry, profile, sid, lock, counted=[(RETURNED, pending.provider)])


def admit(pending: PendingLogin, profile: Profile, answer: terms.Answer) -> Entry:
    """Find or make the account. :raises TermsRequired: `answer` lacks something. :raises AppError: as `log_in`."""
    return sign_in.log_in(
        profile,
        email_required=current_app.config["KAKAOAUTH_EMAIL_REQUIRED"],
        consent_for_email=CONSENT_FOR_EMAIL,
        begun_at=pending.begun_at,
        shares_email=bool(pending.consent),
        answer=answer,
    )


def enter(
    pending: PendingLogin,
    entry: Entry,
    profile: Profile,
    sid: str,
    lock: CallbackLock | None = None,
    *,
    counted: Sequence[counters.Key] = (),
) -> LoginResult:
    """Begin the session, or issue the tokens, of a login whose account was found.

    :param lock: of a callback: is told of a session as it is stored. :param counted: what else is counted then. If
        `lock` has no outcome afterwards, none of it was.
    """
    user, token_id, is_new = entry
    if pending.mode == "jwt":
        counters.count_entry(profile.provider, "front-end", is_new=is_new)
        proven_at = sessions.proven_at(user, profile.auth_time)
        tokens = token_flows.issue_tokens(user, visitors.visitor(), proven_at=proven_at)
        finished_logins.remember(pending.state, pending.next, with_tokens=True)
        return LoginResult(pending.next, tokens)
    result = LoginResult(pending.next)
    entered = counters.entry(profile.provider, "page", is_new=is_new)
    current_session().along += [
        lambda commands: counters.add(commands, *counted, *entered),
        *([lock.add_end] if lock else []),
    ]
    finished = (pending.state, pending.next)
    sessions.begin(user, sid=sid, token_id=token_id, proven_at=profile.auth_time, finished=finished)
    return result


def _after_the_terms(pending: PendingLogin, profile: Profile, sid: str, lock: CallbackLock) -> LoginResult:
    """Lead to the sign-up step, unless the person has agreed to everything at the provider."""
    token = profile.tokens.access_token if profile.tokens else None
    asks_more = hooks.sign_up_form() is not None
    answer = of_provider.answer(profile.provider, profile.subject, token, asks_more=asks_more)
    if answer.agreements:
        try:
            entry = admit(pending, profile, answer)
            return enter(pending, entry, profile, sid, lock, counted=[(RETURNED, pending.provider)])
        except TermsRequired:
            pass
    name = waiting_sign_up.new_name()
    address = url_for("kakaoauth.sign_up.show", name=name)
    waiting = waiting_sign_up.Waiting(waiting_sign_up.with_name(profile), pending, answer, time.time())
    waiting_sign_up.keep(waiting, name, sid=sid)
    waiting_sign_up.remember_address(waiting, address)
    counters.count("terms_asked", profile.provider)
    return LoginResult(address)


def offer_to_restore(error: AccountClosing, pending: PendingLogin, profile: Profile, sid: str) -> LoginResult:
    """Lead to the page on which they may restore their account. Nobody is logged in yet."""
    record_refusal(error, profile.provider, pending=pending)
    login: dict[str, Any] = {"provider": profile.provider, "next": pending.next, "mode": pending.mode}
    login["proven_at"] = profile.auth_time or time.time()
    login["token_id"] = closing.keep_tokens(error, profile)
    return LoginResult(closed.offer(error, login, sid=sid))


def _link(pending: PendingLogin, profile: Profile, sid: str) -> LoginResult:
    """Link the identity, unless the session was ended while the provider was asked."""
    if not sessions.is_stored():
        raise LinkEnded("logged out while the provider was asked")
    linking.link(current_user.id, profile, asked_as=pending.link_to, begun_at=pending.begun_at)
    if sessions.renew(pending.link_to, sid=sid):
        label = provider_label(profile.provider)
        messages.tell(gettext("Connected. You can log in with it from now on: %(provider)s", provider=label))
        finished_logins.remember(pending.state, pending.next)
    return LoginResult(pending.next)


def _confirm(pending: PendingLogin, profile: Profile, sid: str) -> LoginResult:
    """Confirm the person. A confirmation that fails leaves the session as it was."""
    if not sessions.is_stored():
        raise ConfirmationEnded("logged out while the provider was asked")
    _require_new_login(pending, profile)
    linking.confirm(current_user.id, profile, asked_as=pending.confirms, token_id=sessions.token_id())
    if sessions.confirm(pending.confirms, sid=sid):
        tell_confirmed(pending.next)
        finished_logins.remember(pending.state, pending.next)
    return LoginResult(pending.next)


def _require_new_login(pending: PendingLogin, profile: Profile) -> None:
    """Check that the person logged in at the provider for this confirmation, where the provider says when they did.

    A stranger at an open browser can remove `prompt=login` from the request, and so may the browser inside an app.

    :raises LoginNotRepeated: `auth_time` is older than the request.
    """
    if profile.auth_time is None:
        return
    begun, late = pending.begun_at.timestamp(), time.time()
    if not begun - sessions.LEEWAY <= profile.auth_time <= late + sessions.LEEWAY:
        raise LoginNotRepeated(f"auth_time is {round(begun - profile.auth_time)} seconds before the request")


def tell_confirmed(target: str) -> None:
    """Tell that the button must be pressed again, if a form of `target` waits: coming back sends no form."""
    if form_drafts.waits(target):
        messages.tell(gettext("Thank you, it is you. Please press the button once more."), "")


def replay(outcome: dict[str, Any]) -> LoginResult:
    """Make the result of the first of two equal callbacks again.

    :param outcome: from `LoginResult.to_dict`. Its tokens are made anew; there are none if that login has ended.
    """
    tokens = token_flows.current_pair(outcome["family"]) if "family" in outcome else None
    return LoginResult(outcome["next"], tokens)
