"""Ways in to an account: an identity, a superuser's password, or the time in which its owner may claim it."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, and_, bindparam, exists, or_, select, update
from sqlalchemy.engine import CursorResult

from kakaoauth.errors import AccountClosing, AccountDisabled, AppError
from kakaoauth.models import CLAIMABLE, Identity, User
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db
from kakaoauth.storage.quick_read import QuickRead
from kakaoauth.storage.quick_reads import Asked

_IDENTITIES = QuickRead(
    Identity,
    select(Identity).where(Identity.user_id == bindparam("user_id"), Identity.provider != "").order_by(Identity.id),
)


def identities_of(user: User) -> Asked:
    """Ask for what `User.identities` gives, to be looked at only."""
    return Asked(_IDENTITIES, {"user_id": user.id})


def closed(user: User) -> AppError:
    """Return the error for who comes to an account that is not active."""
    if user.closed_at is None or user.erase_at is None:
        return AccountDisabled.of(user)
    return AccountClosing(user.erase_at.isoformat(), user_id=user.id)


def has_password_login(user: User) -> bool:
    """Whether a password opens it: a superuser's, whose login name is the e-mail address."""
    return user.is_superuser and user.password_hash is not None and user.email_key is not None


def has_other_way_in(user: User) -> bool:
    """Whether there is a way in without a password."""
    return bool(user.identities) or can_be_claimed(user)


def has_way_in() -> ColumnElement[bool]:
    """Return the SQL condition on `User` that there is a way in."""
    with_password = and_(User.is_superuser, User.password_hash.is_not(None), User.email_key.is_not(None))
    return or_(_has_identity(), with_password, and_(User.email_key.is_not(None), User.claimable_until > now()))


def can_be_claimed(user: User) -> bool:
    """Whether the first login with its verified e-mail takes over this account."""
    return not user.identities and user.claimable_until is not None and user.claimable_until > now()


def claim(user: User, provider: str) -> bool:
    """Claim the account for a login of this provider. False if the time is over, or another login was faster."""
    waits = (User.id == user.id, User.claimable_until > now(), ~_has_identity())
    query = update(User).where(*waits).values(provider=provider, claimable_until=None)
    taken = cast("CursorResult[Any]", db.session.execute(query.execution_options(synchronize_session=False)))
    db.session.expire(user)
    return taken.rowcount == 1


def open_again(user: User) -> datetime | None:
    """Let the owner of its e-mail claim an account without identities. Return until when. The caller has locked the
    user.

    None: it has an identity, or no address, and stays as it is.
    """
    if user.identities or user.email_key is None:
        return None
    user.claimable_until = now() + CLAIMABLE
    return user.claimable_until


def _has_identity() -> ColumnElement[bool]:
    return exists().where(Identity.user_id == User.id, Identity.provider != "").correlate(User)
