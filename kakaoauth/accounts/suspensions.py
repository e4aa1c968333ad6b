"""Suspensions that outlive their account: the person must not come back with a new one.

Kept are the former user id and keyed hashes of identities and e-mail address, until a superuser lifts the suspension.
Rows with `ends_at` keep somebody who has left from signing up again until then, and nothing else: see `rejoining`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Index, String, UniqueConstraint, and_, bindparam, delete, distinct, func, or_, select, text
from sqlalchemy.orm import Mapped, mapped_column

from kakaoauth import audit
from kakaoauth.models import User
from kakaoauth.storage import keyed_hashes
from kakaoauth.storage.columns import MAX_ID, BigId, UtcDateTime, now
from kakaoauth.storage.database import Base, db
from kakaoauth.storage.keyed_hashes import Keyed

#: `kind` of an e-mail address.
EMAIL = "email"


class Suspension(Base):
    """One identity or e-mail address of a suspended person."""

    __tablename__ = "suspensions"
    __table_args__ = (
        UniqueConstraint("user_id", "key_hash"),
        Index(
            "ix_suspensions_ends_at",
            "ends_at",
            postgresql_where=text("ends_at IS NOT NULL"),
            sqlite_where=text("ends_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    #: No foreign key: the account is erased, and its id is never used again.
    user_id: Mapped[int] = mapped_column(BigId)
    #: The provider, or `EMAIL`.
    kind: Mapped[str] = mapped_column(String(20))
    #: `keyed_hashes`
    key_hash: Mapped[str] = mapped_column(String(64), index=True)
    key_id: Mapped[str] = mapped_column(String(8))
    kept_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    #: Of somebody who left by themselves: from then on they may sign up again. None: a suspension.
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: When the suspension ends by itself; None: only a superuser ends it.
    until: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


#: The moment at which a statement is executed: it is put together once.
_NOW = bindparam("now", callable_=now, type_=UtcDateTime)
_IS_SUSPENSION = and_(Suspension.ends_at.is_(None), or_(Suspension.until.is_(None), Suspension.until > _NOW))
_HOLDS = or_(_IS_SUSPENSION, Suspension.ends_at > _NOW)
#: Of several suspensions the identity's comes last, and of those the newest.
_KEPT_OUT = (
    select(Suspension.user_id, Suspension.ends_at)
    .where(Suspension.key_hash.in_(bindparam("hashes", expanding=True)), _HOLDS)
    .order_by(Suspension.kind != EMAIL, Suspension.id)
)


class Suspended(NamedTuple):
    """A suspended person as superusers see them."""

    #: Their former id.
    user_id: int
    kinds: list[str]
    since: datetime
    until: datetime | None
    #: False if the key of all hashes is gone (SECRET_KEY_FALLBACKS): then they recognise nobody.
    is_known_again: bool
    #: The account exists, suspended; only an identity was removed.
    has_account: bool
    #: They left by themselves, and may sign up again from then on; None: suspended.
    ends_at: datetime | None = None


class KeptOut(NamedTuple):
    """What is remembered of a person who comes without an account."""

    #: Their former id, if they are suspended.
    user_id: int | None
    #: They left by themselves, and may sign up again from then on.
    ends_at: datetime | None


def keep(user: User, *, ends_at: datetime | None = None) -> None:
    """Store the hashes of a user before the account is erased. Within the caller's transaction.

    :param ends_at: of somebody who leaves by themselves; None: of a suspended user.
    """
    for identity in user.identities:
        keep_identity(user, identity.provider, identity.subject, ends_at=ends_at)
    keep_email(user, ends_at=ends_at)


def end_if_over(user: User) -> None:
    """Reinstate a user whose suspension has ended by itself. Within the caller's transaction.

    An account that its owner had closed before is closed again, and not open.
    """
    if user.is_active or user.suspended_until is None or user.suspended_until > now():
        return
    user.is_active, user.closed_at = user.erase_at is None, now() if user.erase_at else None
    user.suspended_until = user.suspension_text = None
    lift(user.id)
    audit.record("suspension over", target=user.id)
    db.session.flush()


def keep_identity(user: User, provider: str, subject: str, *, ends_at: datetime | None = None) -> None:
    """Store the hash of one identity."""
    _keep(user, provider, keyed_hashes.of_identity(provider, subject)[0], ends_at)


def keep_email(user: User, *, ends_at: datetime | None = None) -> None:
    """Store the hash of the user's e-mail address, if there is one."""
    if user.email_key is not None:
        _keep(user, EMAIL, keyed_hashes.of_email(user.email_key)[0], ends_at)


def _keep(user: User, kind: str, keyed: Keyed, ends_at: datetime | None) -> None:
    same = select(Suspension.id).where(Suspension.user_id == user.id, Suspension.key_hash == keyed.hash)
    if db.session.scalar(same) is None:
        until = None if ends_at else user.suspended_until
        values = {"kind": kind, "key_hash": keyed.hash, "key_id": keyed.key_id, "ends_at": ends_at, "until": until}
        db.session.add(Suspension(user_id=user.id, **values))
        db.session.flush()


def find_by_email(email_key: str) -> int | None:
    """Return the former user id of the suspended person with this address. :param email_key: in normal form."""
    return _find(keyed_hashes.of_email(email_key)).user_id


def of_person(provider: str, subject: str, email_key: str | None) -> KeptOut:
    """Return what is remembered of somebody, known by either. By one statement."""
    keyed = keyed_hashes.of_identity(provider, subject)
    return _find(keyed + keyed_hashes.of_email(email_key) if email_key else keyed)


def _find(keyed: list[Keyed]) -> KeptOut:
    rows = db.session.execute(_KEPT_OUT, {"hashes": [one.hash for one in keyed]}).all()
    lasting = [row.user_id for row in rows if row.ends_at is None]
    return KeptOut(lasting[-1] if lasting else None, max((row.ends_at for row in rows if row.ends_at), default=None))


def known(identities: Sequence[tuple[str, str]], email_keys: Sequence[str]) -> set[str]:
    """Return those that are a suspended person's, as `provider:subject` or as address. By two statements."""
    if db.session.scalar(select(Suspension.id).where(Suspension.ends_at.is_(None)).limit(1)) is None:
        return set()
    hashes = {one.hash: f"{who[0]}:{who[1]}" for who in identities for one in keyed_hashes.of_identity(*who)}
    hashes |= {one.hash: key for key in email_keys for one in keyed_hashes.of_email(key)}
    theirs = select(Suspension.key_hash).where(Suspension.key_hash.in_(hashes), _IS_SUSPENSION)
    found = db.session.scalars(theirs)
    return {hashes[one] for one in found}


def lift(user_id: int) -> list[str]:
    """Delete the hashes of a former user id. Return their kinds; empty: there were none."""
    gone = delete(Suspension).where(Suspension.user_id == user_id).returning(Suspension.kind)
    return sorted(db.session.scalars(gone.execution_options(synchronize_session=False)))


def of_user(user_id: int) -> Sequence[Suspension]:
    """Return the rows of a user or a former one."""
    return db.session.scalars(select(Suspension).where(Suspension.user_id == user_id).order_by(Suspension.id)).all()


def number() -> int:
    """Return how many people are kept out."""
    return db.session.scalar(select(func.count(distinct(Suspension.user_id))).where(_HOLDS)) or 0


def page(before: int | None, limit: int) -> list[Suspended]:
    """Return people with former ids below `before`, the largest first."""
    numbers = select(Suspension.user_id).distinct().where(Suspension.user_id < (before or MAX_ID), _HOLDS)
    chosen = numbers.order_by(Suspension.user_id.desc()).limit(limit)
    found = db.session.scalars(select(Suspension).where(Suspension.user_id.in_(chosen)).order_by(Suspension.id))
    rows: dict[int, list[Suspension]] = {}
    for row in found:
        rows.setdefault(row.user_id, []).append(row)
    there = set(db.session.scalars(select(User.id).where(User.id.in_(rows), User.erased_at.is_(None))))
    return [_suspended(rows[user_id], there) for user_id in sorted(rows, reverse=True)]


def find(user_id: int) -> Suspended | None:
    """Return the suspended person with this former id."""
    found = page(user_id + 1, 1) if 0 < user_id < MAX_ID else []
    return found[0] if found and found[0].user_id == user_id else None


def _suspended(rows: list[Suspension], there: set[int]) -> Suspended:
    keys = keyed_hashes.key_ids()
    user_id = rows[0].user_id
    is_known = any(row.key_id in keys for row in rows)
    ends = [row.ends_at for row in rows]
    ends_at = None if None in ends else max(one for one in ends if one is not None)
    kinds, has_account = [row.kind for row in rows], user_id in there
    untils = [row.until for row in rows if row.ends_at is None]
    until = max((one for one in untils if one is not None), default=None) if None not in untils else None
    return Suspended(user_id, kinds, rows[0].kept_at, until, is_known, has_account, ends_at)
