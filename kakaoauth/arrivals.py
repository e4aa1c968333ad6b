"""How a login that the provider has confirmed ends: in a session, in tokens, as one more way in for who is in, or as
the proof that it is still them."""

import time
from dataclasses import dataclass
from typing import Any

from flask import current_app, flash
from flask_babel import gettext
from flask_login import current_user

from kakaoauth import counters, drafts, edge, flows, sessions
from kakaoauth.errors import AppError, ConfirmationEnded, LinkEnded, LoginNotRepeated
from kakaoauth.flows import TokenPair
from kakaoauth.providers.base import CONSENT_FOR_EMAIL, PendingLogin, Profile


@dataclass(frozen=True)
class Arrival:
    """Where the browser goes, and with which tokens, if it is a front end's."""

    next: str
    tokens: TokenPair | None = None

    def memo(self) -> dict[str, Any]:
        """For the second of two equal callbacks: see claims. It holds no token."""
        return {"next": self.next} if self.tokens is None else {"next": self.next, "family": self.tokens.family_id}


def is_foreign(pending: PendingLogin) -> bool:
    """A link and a confirmation are finished by the person who began them, and who has not been logged out since; who
    is in now may be another."""
    is_theirs = current_user.is_authenticated and current_user.get_id() == pending.asked_as
    return not (pending.is_login or is_theirs)


def ended(pending: PendingLogin, reason: str) -> AppError:
    """What to tell the person to whom `is_foreign` happened."""
    return ConfirmationEnded(reason) if pending.confirms else LinkEnded(reason)


def action_of(pending: PendingLogin | None) -> str:
    """What is written into the trail if it is refused."""
    if pending is None or pending.is_login:
        return "login"
    return "confirmed" if pending.confirms else "linked"


def arrive(pending: PendingLogin, profile: Profile, sid: str) -> Arrival:
    """:param sid: the id for the session to begin. :raises AppError: nobody is let in, nothing is linked."""
    if pending.link_to:
        return _linked(pending, profile, sid)
    if pending.confirms:
        return _confirmed(pending, profile, sid)
    user, token_id, is_new = flows.log_in(
        profile,
        email_required=current_app.config["EMAIL_REQUIRED"],
        consent_for_email=CONSENT_FOR_EMAIL,
        begun_at=pending.begun_at,
        shares_email=bool(pending.consent),
    )
    counters.count_entry(profile.provider, "front-end" if pending.mode == "jwt" else "page", is_new=is_new)
    if pending.mode == "jwt":
        arrival = Arrival(
            pending.next,
            flows.begin_family(user, edge.visitor(), proven_at=sessions.proven_at(user, profile.auth_time)),
        )
    else:
        sessions.begin(user, sid=sid, token_id=token_id, proven_at=profile.auth_time)
        arrival = Arrival(pending.next)
    sessions.remember_done(pending.state, pending.next, without_session=pending.mode == "jwt")
    return arrival


def _linked(pending: PendingLogin, profile: Profile, sid: str) -> Arrival:
    """The provider took its time to answer, and the session may have been ended meanwhile: then nothing is linked."""
    if not sessions.is_stored():
        raise LinkEnded("logged out while the provider was asked")
    try:
        flows.link(current_user.id, profile, asked_as=pending.link_to, begun_at=pending.begun_at)
    except flows.SessionOver:
        raise LinkEnded("the account's sessions ended while the provider was asked") from None
    if sessions.renew(pending.link_to, sid=sid):
        sessions.remember_done(pending.state, pending.next)
    return Arrival(pending.next)


def _confirmed(pending: PendingLogin, profile: Profile, sid: str) -> Arrival:
    """The session goes on as it was unless all is right: a confirmation that fails logs nobody out."""
    if not sessions.is_stored():
        raise ConfirmationEnded("logged out while the provider was asked")
    _require_new_login(pending, profile)
    try:
        flows.confirm(current_user.id, profile, asked_as=pending.confirms, token_id=sessions.token_id())
    except flows.SessionOver:
        raise ConfirmationEnded("the account's sessions ended while the provider was asked") from None
    if sessions.confirm(pending.confirms, sid=sid):
        tell_confirmed(pending.next)
        sessions.remember_done(pending.state, pending.next)
    return Arrival(pending.next)


def _require_new_login(pending: PendingLogin, profile: Profile) -> None:
    """Where the provider says when the person logged in there, it was for this: whoever sits in an open browser can
    change the request on its way, and a browser inside another app may leave `prompt` out.

    :raises LoginNotRepeated:
    """
    if profile.auth_time is None:
        return
    begun, late = pending.begun_at.timestamp(), time.time()
    if not begun - sessions.LEEWAY <= profile.auth_time <= late + sessions.LEEWAY:
        raise LoginNotRepeated(f"auth_time is {round(begun - profile.auth_time)} seconds before the request")


def tell_confirmed(target: str) -> None:
    """Where a button was pressed, it has to be pressed again: nothing is done by coming back."""
    if drafts.waits(target):
        flash(gettext("Thank you, it is you. Please press the button once more."))


def follow(outcome: dict[str, Any]) -> Arrival:
    """End as the first of two equal callbacks did: with its session, or with its tokens, unless that login is over."""
    tokens = flows.pair_in_force(outcome["family"]) if "family" in outcome else None
    return Arrival(outcome["next"], tokens)
