"""The provider's webhook messages that were processed."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import String, UniqueConstraint, bindparam, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from kakaoauth.storage.columns import BigId, UtcDateTime, now
from kakaoauth.storage.database import Base, db

#: Days a message is remembered: longer than the oldest that is accepted (`kakao.events.MAX_AGE`), so that a replay is
#: always recognised.
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
    subject: Mapped[str] = mapped_column(String(255), index=True)
    #: Time of the event as the sender says.
    happened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)


def is_known(provider: str, jti: str) -> bool:
    """Whether this message was processed before. :param jti: its id."""
    query = select(ProviderEvent.id).where(ProviderEvent.provider == provider, ProviderEvent.jti == jti)
    return db.session.scalar(query) is not None


def remember(provider: str, jti: str, *, kind: str, subject: str, happened_at: datetime) -> ProviderEvent:
    """Add a message to the transaction. :raises IntegrityError: another worker has it already."""
    event = ProviderEvent(provider=provider, jti=jti, kind=kind, subject=subject, happened_at=happened_at)
    db.session.add(event)
    db.session.flush()
    return event


_LATEST = (
    select(ProviderEvent)
    .where(ProviderEvent.provider == bindparam("provider"), ProviderEvent.subject == bindparam("subject"))
    .where(ProviderEvent.kind.in_(bindparam("kinds", expanding=True)))
    .order_by(ProviderEvent.happened_at.desc(), ProviderEvent.id.desc())
    .limit(1)
)


def latest(provider: str, subject: str, kinds: tuple[str, ...]) -> ProviderEvent | None:
    """Return the newest message of these kinds about a person, by the sender's time, of one second the last to come."""
    return db.session.scalar(_LATEST, {"provider": provider, "subject": subject, "kinds": kinds})


def about(provider: str, subject: str) -> Sequence[ProviderEvent]:
    """Return all messages about a person, the oldest first."""
    mine = select(ProviderEvent).where(ProviderEvent.provider == provider, ProviderEvent.subject == subject)
    return db.session.scalars(mine.order_by(ProviderEvent.id)).all()


def any_since(provider: str, subject: str, moment: datetime) -> bool:
    """Whether any message about that person has come since `moment`."""
    query = select(ProviderEvent.id).where(
        ProviderEvent.provider == provider, ProviderEvent.subject == subject, ProviderEvent.received_at > moment
    )
    return db.session.scalar(query.limit(1)) is not None


def forget_old(limit: int = 100) -> None:
    """Delete some old messages, with each message that comes; `retention` deletes the rest."""
    old = ProviderEvent.received_at < now() - timedelta(days=REMEMBERED_DAYS)
    oldest = db.session.scalars(select(ProviderEvent.id).where(old).order_by(ProviderEvent.received_at).limit(limit))
    if ids := oldest.all():
        db.session.execute(delete(ProviderEvent).where(ProviderEvent.id.in_(ids)))


#: The link is gone, and with it the consent to keep the data.
ENDS_LINK = ("user-unlinked", "account-purged")
#: Facebook's data deletion request: the link and its data go.
ERASES = "data-deletion"
#: Kinds that refuse a first login begun before them. Not a changed password: people change it in order to log in.
ENDS_LOGIN = (*ENDS_LINK, ERASES, "account-disabled", "sessions-revoked", "tokens-revoked", "credential-compromise")
