"""What still has to be told to a provider: the only file that knows which unlinks wait for it to come back."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import String, delete, func, select, update
from sqlalchemy.orm import Mapped, mapped_column

from kakaoauth.extensions import Base, db
from kakaoauth.models import BigId, UtcDateTime, now
from kakaoauth.vault import Encrypted

#: Seconds to the next try, doubled each time, ...
FIRST_WAIT = 60
#: ... and at most this: a maintenance of a night is caught up with by the morning.
LONGEST_WAIT = 3600
#: Seconds a worker may hold a job; a worker that died in the middle loses it again.
HOLD = 60


class UnlinkJob(Base):
    """An identity whose account is closed here and still linked at the provider."""

    __tablename__ = "unlink_jobs"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    provider: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(64))
    #: Whose it was. Without a foreign key: most of them are gone.
    user_id: Mapped[int | None] = mapped_column(BigId)
    #: The last login's tokens, sealed by the vault: for a site without an admin key.
    access_token: Mapped[str | None] = mapped_column(Encrypted)
    refresh_token: Mapped[str | None] = mapped_column(Encrypted)
    token_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    next_try_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)
    tries: Mapped[int] = mapped_column(default=0)
    #: The code of the last failure, never a provider's text.
    last_error: Mapped[str | None] = mapped_column(String(100))


def waiting() -> Sequence[UnlinkJob]:
    """All of them, oldest first: what staff sees."""
    return db.session.scalars(select(UnlinkJob).order_by(UnlinkJob.id).limit(200)).all()


def waiting_of(user_id: int) -> Sequence[UnlinkJob]:
    """Those of identities that this user had."""
    return db.session.scalars(select(UnlinkJob).where(UnlinkJob.user_id == user_id).order_by(UnlinkJob.id)).all()


def number_waiting() -> int:
    return db.session.scalar(select(func.count()).select_from(UnlinkJob)) or 0


def due(limit: int) -> list[int]:
    query = select(UnlinkJob.id).where(UnlinkJob.next_try_at <= now()).order_by(UnlinkJob.next_try_at).limit(limit)
    return list(db.session.scalars(query))


def take(job_id: int) -> UnlinkJob | None:
    """Take a due job for `HOLD` seconds; None if another worker was faster."""
    taken = db.session.execute(
        update(UnlinkJob)
        .where(UnlinkJob.id == job_id, UnlinkJob.next_try_at <= now())
        .values(next_try_at=now() + timedelta(seconds=HOLD), tries=UnlinkJob.tries + 1)
        .returning(UnlinkJob.id)
    ).scalar()
    return db.session.get(UnlinkJob, taken, populate_existing=True) if taken is not None else None


def forget(provider: str, subject: str) -> None:
    """They have come back: an unlink now would cut off the new account."""
    db.session.execute(delete(UnlinkJob).where(UnlinkJob.provider == provider, UnlinkJob.subject == subject))


def put_off(job: UnlinkJob, error: str) -> None:
    wait = min(FIRST_WAIT * 2 ** min(job.tries - 1, 10), LONGEST_WAIT)
    job.next_try_at = now() + timedelta(seconds=wait)
    job.last_error = error[:100]
