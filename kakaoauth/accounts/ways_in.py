"""How an account can be entered: the only file that says which one has a way in, and which one waits for its owner."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, and_, exists, or_, update
from sqlalchemy.engine import CursorResult

from kakaoauth.models import CLAIMABLE, Identity, User
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db


def has_password_login(user: User) -> bool:
    """Whether a password opens it: a superuser's, whose login name is the e-mail address."""
    return user.is_superuser and user.password_hash is not None and user.email_key is not None


def has_other_way_in(user: User) -> bool:
    """Whether it would have one without a password."""
    return bool(user.identities) or can_be_claimed(user)


def has_way_in() -> ColumnElement[bool]:
    """A condition on `User`: an identity, a password that counts, or the time in which its owner may still claim it."""
    with_password = and_(User.is_superuser, User.password_hash.is_not(None), User.email_key.is_not(None))
    return or_(_has_identity(), with_password, and_(User.email_key.is_not(None), User.claimable_until > now()))


def can_be_claimed(user: User) -> bool:
    """Whether the first login with its trusted e-mail makes this account its own."""
    return not user.identities and user.claimable_until is not None and user.claimable_until > now()


def claim(user: User, provider: str) -> bool:
    """Make the account this provider's. False if its time is over, or another login was faster."""
    waits = (User.id == user.id, User.claimable_until > now(), ~_has_identity())
    query = update(User).where(*waits).values(provider=provider, claimable_until=None)
    taken = cast("CursorResult[Any]", db.session.execute(query.execution_options(synchronize_session=False)))
    db.session.expire(user)
    return taken.rowcount == 1


def open_again(user: User) -> datetime | None:
    """Let the owner of its e-mail address claim an account that no identity opens. Return until when.

    None: it has an identity, or no address, and stays as it is. Inside a verb that has locked the user.
    """
    if user.identities or user.email_key is None:
        return None
    user.claimable_until = now() + CLAIMABLE
    return user.claimable_until


def _has_identity() -> ColumnElement[bool]:
    return exists().where(Identity.user_id == User.id).correlate(User)
