"""Providers' messages that could not be applied although the database works: kept to be tried again.

In the database and not in Redis, because the database has just answered, and because a message that a person was
unlinked must outlive a Redis that loses its data. A row goes when its message was applied, or after `KEPT_DAYS`.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import String, Text, UniqueConstraint, delete, func, select, tuple_
from sqlalchemy.orm import Mapped, mapped_column

from kakaoauth.accounts import own_data
from kakaoauth.models import User
from kakaoauth.providers.values import AccountEvent
from kakaoauth.storage.columns import BigId, UtcDateTime, now
from kakaoauth.storage.database import Base, db

#: More than that is no odd message but a broken site, and each further one is answered 503.
MOST = 10_000
#: A row names a person by the provider's number. Who has not mended the cause after so many days will not.
KEPT_DAYS = 90


class FailedEvent(Base):
    """One message, with no more of the person than applying it takes."""

    __tablename__ = "failed_events"
    __table_args__ = (UniqueConstraint("provider", "jti"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    provider: Mapped[str] = mapped_column(String(20))
    jti: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(255))
    happened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    #: A JSON list of consent items.
    scopes: Mapped[str] = mapped_column(Text, default="[]")
    #: The class of the error: its text may quote the person's data.
    error: Mapped[str] = mapped_column(String(100))
    failed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)
    tries: Mapped[int] = mapped_column(default=1)

    def as_event(self) -> AccountEvent:
        """Return the message as it was read from the provider."""
        return AccountEvent(self.jti, self.kind, self.subject, self.happened_at, tuple(json.loads(self.scopes)))


@own_data.part("messages_not_applied")
def _of_user(user: User) -> list[dict[str, Any]]:
    theirs = [(one.provider, one.subject) for one in user.identities]
    rows = db.session.scalars(select(FailedEvent).where(tuple_(FailedEvent.provider, FailedEvent.subject).in_(theirs)))
    return [own_data.columns_of(row, "provider", "kind", "happened_at", "failed_at") for row in rows]


def put(provider: str, event: AccountEvent, error: str) -> None:
    """Add it to the transaction, or count one more try. :raises OverflowError: there are `MOST` already."""
    found = db.session.scalar(select(FailedEvent).where(FailedEvent.provider == provider, FailedEvent.jti == event.jti))
    if found is not None:
        found.tries += 1
        found.error = error[:100]
        return
    if number() >= MOST:
        raise OverflowError
    db.session.add(
        FailedEvent(
            provider=provider,
            jti=event.jti,
            kind=event.kind,
            subject=event.subject,
            happened_at=event.happened_at,
            scopes=json.dumps(event.scopes),
            error=error[:100],
        )
    )


def number() -> int:
    """Return how many messages are kept."""
    return db.session.scalar(select(func.count()).select_from(FailedEvent)) or 0


def after(last: int, limit: int) -> Sequence[FailedEvent]:
    """Return the next messages with an id larger than `last`, the oldest first."""
    return db.session.scalars(
        select(FailedEvent).where(FailedEvent.id > last).order_by(FailedEvent.id).limit(limit)
    ).all()


def remove(event_id: int) -> None:
    """Delete one message's row inside the running transaction."""
    db.session.execute(delete(FailedEvent).where(FailedEvent.id == event_id))


def remove_old() -> int:
    """Return how many were never applied."""
    old = delete(FailedEvent).where(FailedEvent.failed_at < now() - timedelta(days=KEPT_DAYS)).returning(FailedEvent.id)
    return len(db.session.scalars(old).all())
