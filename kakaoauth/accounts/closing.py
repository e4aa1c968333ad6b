"""Accounts that their owner has closed: restorable for KAKAOAUTH_LEAVE_GRACE_DAYS, then erased by the jobs.

Such an account is not active, so it has no session, no token and no rights, and its e-mail address stays taken. What
closes it by the owner's wish, `closed_at`, tells it from a suspended one. The provider is told when it is erased, not
before: an unlink of ours would come back as the provider's message that the person has unlinked, which erases at once.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from flask import current_app
from sqlalchemy import func, literal, select, tuple_

from kakaoauth import audit
from kakaoauth.accounts import hooks, suspensions
from kakaoauth.errors import AccountClosing, NotFound
from kakaoauth.models import User, find_identity, find_user, lock_user
from kakaoauth.providers.values import Profile
from kakaoauth.sessions.revocation import revoke_sessions
from kakaoauth.signals import user_closed, user_logged_in, user_restored
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db
from kakaoauth.storage.transaction import after_commit, transaction
from kakaoauth.tokens import provider_tokens


class Closed(NamedTuple):
    """A closed account, as its owner sees it before they decide."""

    user_id: int
    closed_at: datetime
    erase_at: datetime


class Due(NamedTuple):
    user_id: int
    erase_at: datetime


#: The jobs look every 30 seconds, so whoever is left after this long could not be erased.
OVERDUE = timedelta(hours=1)


def grace() -> timedelta:
    """Return for how long an account stays restorable; nothing: not at all."""
    return timedelta(days=current_app.config["KAKAOAUTH_LEAVE_GRACE_DAYS"])


def close(user: User) -> None:
    """Close an account at its owner's wish. The caller's transaction has locked the user.

    :raises Exception: what a `before_leave` hook of the host's has raised.
    """
    hooks.hear_before_leave(user)
    revoke_sessions(user)
    user.is_active = False
    user.claimable_until = None
    user.closed_at = now()
    user.erase_at = user.closed_at + grace()
    after_commit(user_closed, user_id=user.id)


@transaction
def find(user_id: int) -> Closed | None:
    """Return a closed account; None: it is not, or not any more.

    One whose suspension is over becomes closed here: the login that has found that out was refused, and stored nothing.
    """
    user = find_user(user_id)
    if user is not None:
        suspensions.end_if_over(user)
    if user is None or user.closed_at is None or user.erase_at is None:
        return None
    return Closed(user.id, user.closed_at, user.erase_at)


def told(**dates: datetime | None) -> str:
    """Return what the page after the withdrawal tells, as the session keeps it: dates by name."""
    return json.dumps({name: date.isoformat() for name, date in dates.items() if date})


@transaction
def keep_tokens(error: AccountClosing, profile: Profile) -> int | None:
    """Keep the tokens with which an owner has come to their closed account: for the restored session, or for the
    unlink when it is erased. Return the row's id, or None."""
    identity = find_identity(profile.provider, profile.subject)
    if identity is None or identity.user_id != error.user_id or not profile.tokens:
        return None
    row = provider_tokens.put(identity, profile.tokens)
    db.session.flush()
    return row.id


@transaction
def restore(user_id: int, *, closed_at: datetime | None = None, logs_in_by: str = "") -> User:
    """Open a closed account again, at its owner's wish.

    :param closed_at: when it was closed, as the owner was told. :param logs_in_by: the provider whose login is to go
        on; empty: another login follows. :raises NotFound: it is not closed, or not since then: restored elsewhere,
        erased, or suspended.
    """
    user = restore_within(user_id, closed_at=closed_at)
    if logs_in_by:
        user.last_login = now()
        audit.record("login", target=user_id, actor=user_id, provider=logs_in_by)
        after_commit(user_logged_in, user_id=user_id, provider=logs_in_by, is_new=False)
    return user


def restore_within(user_id: int, *, closed_at: datetime | None = None) -> User:
    """The same within the caller's transaction, which logs the owner in or does nothing. :raises NotFound: as there."""
    lock_user(user_id)
    user = find_user(user_id)
    if user is not None:
        suspensions.end_if_over(user)
    if user is None or user.closed_at is None or (closed_at and closed_at != user.closed_at):
        raise NotFound("no closed account")
    reopen(user)
    audit.record("restored", target=user_id, actor=user_id)
    return user


def reopen(user: User) -> None:
    """Open a closed account. The caller's transaction has locked the user, and records it."""
    user.is_active, user.closed_at, user.erase_at = True, None, None
    db.session.flush()
    after_commit(user_restored, user_id=user.id)


def due(limit: int, after: Due | None = None) -> Sequence[Due]:
    """Return the next accounts whose time is over, the longest first. :param after: the last one of before."""
    query = select(User.id, User.erase_at).where(User.erase_at <= now())
    if after is not None:
        query = query.where(tuple_(User.erase_at, User.id) > tuple_(literal(after.erase_at), literal(after.user_id)))
    found = db.session.execute(query.order_by(User.erase_at, User.id).limit(limit))
    return [Due(user_id, erase_at) for user_id, erase_at in found if erase_at is not None]


def number_overdue() -> int:
    """Return how many accounts should have been erased an hour ago, and are not."""
    query = select(func.count(User.id)).where(User.erase_at <= now() - OVERDUE)
    return db.session.scalar(query) or 0
