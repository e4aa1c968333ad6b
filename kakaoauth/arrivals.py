"""How a login that the provider has confirmed ends: in a session, in tokens, or as one more way in for who is in."""

from dataclasses import dataclass
from typing import Any

from flask import current_app
from flask_login import current_user

from kakaoauth import counters, edge, flows, sessions
from kakaoauth.errors import LinkEnded
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


def is_foreign_link(pending: PendingLogin) -> bool:
    """A link is finished by the person who began it, and who has not been logged out since; who is in now may be
    another."""
    is_theirs = current_user.is_authenticated and current_user.get_id() == pending.link_to
    return bool(pending.link_to) and not is_theirs


def arrive(pending: PendingLogin, profile: Profile, sid: str) -> Arrival:
    """:param sid: the id for the session to begin. :raises AppError: nobody is let in, nothing is linked."""
    if pending.link_to:
        return _linked(pending, profile, sid)
    user, token_id, is_new = flows.log_in(
        profile,
        email_required=current_app.config["EMAIL_REQUIRED"],
        consent_for_email=CONSENT_FOR_EMAIL,
        begun_at=pending.begun_at,
    )
    counters.count_entry(profile.provider, "front-end" if pending.mode == "jwt" else "page", is_new=is_new)
    if pending.mode == "jwt":
        arrival = Arrival(pending.next, flows.begin_family(user, edge.visitor()))
    else:
        sessions.begin(user, sid=sid, token_id=token_id)
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


def follow(outcome: dict[str, Any]) -> Arrival:
    """End as the first of two equal callbacks did: with its session, or with its tokens, unless that login is over."""
    tokens = flows.pair_in_force(outcome["family"]) if "family" in outcome else None
    return Arrival(outcome["next"], tokens)
