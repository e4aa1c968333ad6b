"""What providers told us by webhook: the only file that knows which messages were acted upon already."""

from datetime import datetime, timedelta

from sqlalchemy import String, UniqueConstraint, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from kakaoauth.storage.columns import BigId, UtcDateTime, now
from kakaoauth.storage.database import Base, db

#: Days a message is remembered: longer than the oldest one that is still accepted (kakao_events.MAX_AGE), so that no
#: repetition can outlive its memory.
REMEMBERED_DAYS = 60


class ProviderEvent(Base):
    """One webhook message, under the id its sender gave it."""

    __tablename__ = "provider_events"
    __table_args__ = (UniqueConstraint("provider", "jti"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    provider: Mapped[str] = mapped_column(String(20))
    jti: Mapped[str] = mapped_column(String(255))
    #: Last part of the event's URI, e.g. `user-unlinked`.
    kind: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(64), index=True)
    #: Time of the event as the sender says.
    happened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)


def is_known(provider: str, jti: str) -> bool:
    query = select(ProviderEvent.id).where(ProviderEvent.provider == provider, ProviderEvent.jti == jti)
    return db.session.scalar(query) is not None


def remember(provider: str, jti: str, *, kind: str, subject: str, happened_at: datetime) -> ProviderEvent:
    """Add it to the transaction. :raises IntegrityError: another worker has it already."""
    event = ProviderEvent(provider=provider, jti=jti, kind=kind, subject=subject, happened_at=happened_at)
    db.session.add(event)
    db.session.flush()
    return event


def latest(provider: str, subject: str, kinds: tuple[str, ...]) -> ProviderEvent | None:
    """The newest message of these kinds about a person, by the sender's own time."""
    query = (
        select(ProviderEvent)
        .where(ProviderEvent.provider == provider, ProviderEvent.subject == subject, ProviderEvent.kind.in_(kinds))
        .order_by(ProviderEvent.happened_at.desc())
        .limit(1)
    )
    return db.session.scalar(query)


def any_since(provider: str, subject: str, moment: datetime) -> bool:
    """Whether a message about that person has come since, of whatever kind."""
    query = select(ProviderEvent.id).where(
        ProviderEvent.provider == provider, ProviderEvent.subject == subject, ProviderEvent.received_at > moment
    )
    return db.session.scalar(query.limit(1)) is not None


def forget_old(limit: int = 100) -> None:
    """A few of them with each message that comes; the rest is the jobs' (flows.retention)."""
    old = ProviderEvent.received_at < now() - timedelta(days=REMEMBERED_DAYS)
    oldest = db.session.scalars(select(ProviderEvent.id).where(old).order_by(ProviderEvent.received_at).limit(limit))
    if ids := oldest.all():
        db.session.execute(delete(ProviderEvent).where(ProviderEvent.id.in_(ids)))


#: The link is gone, and with it the consent to keep the data.
ENDS_LINK = ("user-unlinked", "account-purged")
#: Facebook's, in a person's name: the link goes, and with it whatever else may have come over it.
ERASES = "data-deletion"
#: What refuses a first login that was begun before it. Not a changed password: people change it in order to log in.
ENDS_LOGIN = (*ENDS_LINK, ERASES, "account-disabled", "sessions-revoked", "tokens-revoked", "credential-compromise")
