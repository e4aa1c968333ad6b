"""The table of what people have agreed to: which term in which version, when, where, and until when.

A row is never changed but for the moment of its withdrawal. It goes with its user.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, ForeignKey, Index, String, bindparam, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from kakaoauth.config.terms import Term
from kakaoauth.models import User
from kakaoauth.storage.columns import BigId, UtcDateTime, among, now
from kakaoauth.storage.database import Base, db
from kakaoauth.translation import lazy_gettext

_ = lazy_gettext

#: Where somebody has agreed: on a page of ours, in an app, at Kakao (Kakao Sync), or before a file was imported.
PAGE, API, BY_PROVIDER, IMPORT = SOURCES = ("page", "api", "kakao", "import")


#: The same in words.
WORDS: dict[str, Any] = {
    PAGE: _("on this site"),
    API: _("in an app"),
    BY_PROVIDER: _("at Kakao"),
    IMPORT: _("imported"),
}


class Consent(Base):
    """One person's agreement to one version of one term."""

    __tablename__ = "user_consents"
    __table_args__ = (
        # Pressed twice at once, it is one agreement.
        Index(
            "uq_user_consents_in_force",
            *("user_id", "term", "version"),
            unique=True,
            postgresql_where=text("withdrawn_at IS NULL"),
            sqlite_where=text("withdrawn_at IS NULL"),
        ),
        Index("ix_user_consents_user_id", "user_id"),
        # Who agrees to it: the staff's list.
        Index(
            "ix_user_consents_term",
            *("term", "version", "user_id"),
            postgresql_where=text("withdrawn_at IS NULL"),
            sqlite_where=text("withdrawn_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, ForeignKey(User.id, ondelete="CASCADE"))
    #: `Term.id`; the settings may not know it any more.
    term: Mapped[str] = mapped_column(String(50))
    version: Mapped[str] = mapped_column(String(50))
    agreed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: One of SOURCES.
    source: Mapped[str] = mapped_column(String(20))

    @property
    def where(self) -> str:
        """Where they agreed, in words."""
        return str(WORDS.get(self.source, self.source))


class Agreement(NamedTuple):
    """That somebody agrees to a term in its version of today. :param at: None: now, or the provider does not say."""

    term: Term
    source: str
    at: datetime | None = None


_IS_THEIRS = Consent.user_id == bindparam("user_id")
_OF_USER = select(Consent).where(_IS_THEIRS).order_by(Consent.id)
_IN_FORCE = select(Consent.term, Consent.version).where(_IS_THEIRS, Consent.withdrawn_at.is_(None))


def of_user(user_id: int) -> Sequence[Consent]:
    """Return a user's rows, the oldest first."""
    return db.session.scalars(_OF_USER, {"user_id": user_id}).all()


def in_force(connection: Connection, user_id: int) -> set[tuple[str, str]]:
    """Return the terms and versions that a user agrees to."""
    return {(term, version) for term, version in connection.execute(_IN_FORCE, {"user_id": user_id})}


def of_users(user_ids: Iterable[int]) -> dict[int, list[Consent]]:
    """The same for many, by one statement."""
    found: dict[int, list[Consent]] = {}
    for row in db.session.scalars(select(Consent).where(among(Consent.user_id, user_ids)).order_by(Consent.id)):
        found.setdefault(row.user_id, []).append(row)
    return found


def is_news(agreement: Agreement, rows: Iterable[Consent]) -> bool:
    """Whether an agreement says more than what is stored.

    What a provider tells of carries no version: it counts only if it is younger than everything that is known here of
    that term, an older version and a withdrawal among it.
    """
    if agreement.source != BY_PROVIDER:
        return True
    known = [max(row.agreed_at, row.withdrawn_at or row.agreed_at) for row in rows if row.term == agreement.term.id]
    return not known or (agreement.at is not None and agreement.at > max(known))


def put(user_id: int, agreements: Iterable[Agreement]) -> list[Agreement]:
    """Add rows for what is not in force yet, and return those. Within the caller's transaction."""
    held = {(row.term, row.version) for row in of_user(user_id) if row.withdrawn_at is None}
    kept: list[Agreement] = []
    for one in agreements:
        key = (one.term.id, one.term.version)
        if key in held:
            continue
        held.add(key)
        agreed_at = min(one.at or now(), now())
        db.session.add(Consent(user_id=user_id, term=key[0], version=key[1], agreed_at=agreed_at, source=one.source))
        kept.append(one)
    db.session.flush()
    return kept


def end(user_id: int, term_id: str) -> list[str]:
    """Mark every version of a term as withdrawn, and return which were in force. Within the caller's transaction."""
    in_force = (Consent.user_id == user_id, Consent.term == term_id, Consent.withdrawn_at.is_(None))
    ended = update(Consent).where(*in_force).values(withdrawn_at=now()).returning(Consent.version)
    return sorted(db.session.scalars(ended.execution_options(synchronize_session=False)).all())
