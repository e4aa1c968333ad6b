"""The table of unlinks that still have to be done at a provider."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, String, bindparam, delete, func, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column

from kakaoauth.storage.columns import BigId, UtcDateTime, now
from kakaoauth.storage.database import Base, db
from kakaoauth.storage.encryption import Encrypted

#: Seconds to the next try, doubled each time, ...
FIRST_WAIT = 60
#: ... and at most this: a maintenance of a night is caught up with by the morning.
LONGEST_WAIT = 3600
#: Seconds a worker may hold a job; a worker that died in the middle loses it again.
HOLD = 60
#: Days after which a job is given up, loudly: what a provider has refused for so long it goes on refusing.
GIVE_UP_DAYS = 30
#: Days that staff sees a job that was given up, to do it by hand. Then the person's number goes as well.
KEPT_DAYS = 60


class UnlinkJob(Base):
    """An identity whose account is closed here and still linked at the provider."""

    __tablename__ = "unlink_jobs"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    provider: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(255))
    #: No foreign key: most of these accounts are erased.
    user_id: Mapped[int | None] = mapped_column(BigId)
    #: The last login's tokens, encrypted: for a site without an admin key.
    access_token: Mapped[str | None] = mapped_column(Encrypted)
    refresh_token: Mapped[str | None] = mapped_column(Encrypted)
    token_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    next_try_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)
    #: Until when a worker has the job. `next_try_at` alone does not tell that from a job that was postponed.
    held_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: From then on it is tried only by command.
    given_up_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    tries: Mapped[int] = mapped_column(default=0)
    #: The code of the last failure, never a provider's text.
    last_error: Mapped[str | None] = mapped_column(String(100))


_THEIRS = (UnlinkJob.provider == bindparam("provider"), UnlinkJob.subject == bindparam("subject"))
_FORGET = delete(UnlinkJob).where(*_THEIRS).execution_options(synchronize_session=False)


def waiting() -> Sequence[UnlinkJob]:
    """Return 200 jobs for staff, the oldest first, those given up included."""
    return db.session.scalars(select(UnlinkJob).order_by(UnlinkJob.id).limit(200)).all()


def waiting_of(user_id: int) -> Sequence[UnlinkJob]:
    """Return the jobs of identities that this user had."""
    return db.session.scalars(select(UnlinkJob).where(UnlinkJob.user_id == user_id).order_by(UnlinkJob.id)).all()


def number_waiting() -> int:
    """Return how many jobs wait."""
    return db.session.scalar(select(func.count(UnlinkJob.id)).where(UnlinkJob.given_up_at.is_(None))) or 0


def number_given_up() -> int:
    """Return how many jobs were given up."""
    return db.session.scalar(select(func.count(UnlinkJob.id)).where(UnlinkJob.given_up_at.is_not(None))) or 0


def providers_due(*, everything: bool = False) -> Sequence[str]:
    """Return the providers with jobs that are due. :param everything: also before their date, and those given up."""
    query = select(UnlinkJob.provider).where(*_may_be_tried(everything=everything)).distinct()
    return db.session.scalars(query.order_by(UnlinkJob.provider)).all()


def due(provider: str, limit: int | None = None, *, everything: bool = False) -> Sequence[int]:
    """Return the ids of a provider's jobs that are due. :param everything: as for `providers_due`."""
    query = select(UnlinkJob.id).where(UnlinkJob.provider == provider, *_may_be_tried(everything=everything))
    return db.session.scalars(query.order_by(UnlinkJob.next_try_at, UnlinkJob.id).limit(limit)).all()


def _may_be_tried(*, everything: bool) -> tuple[ColumnElement[bool], ...]:
    if everything:
        return (or_(UnlinkJob.held_until.is_(None), UnlinkJob.held_until <= now()),)
    return UnlinkJob.next_try_at <= now(), UnlinkJob.given_up_at.is_(None)


def take(job_id: int, *, everything: bool = False) -> UnlinkJob | None:
    """Take a job for `HOLD` seconds if it is due; None if another worker was faster.

    :param everything: as for `providers_due`.
    """
    until = now() + timedelta(seconds=HOLD)
    taken = db.session.execute(
        update(UnlinkJob)
        .where(UnlinkJob.id == job_id, *_may_be_tried(everything=everything))
        .values(next_try_at=until, held_until=until, tries=UnlinkJob.tries + 1)
        .returning(UnlinkJob.id)
    ).scalar()
    return db.session.get(UnlinkJob, taken, populate_existing=True) if taken is not None else None


def forget(provider: str, subject: str) -> None:
    """Delete the jobs of a person who has come back: an unlink would end the new account's link."""
    db.session.execute(_FORGET, {"provider": provider, "subject": subject})


def put_off(job: UnlinkJob, error: str) -> bool:
    """Postpone a job after a failure. Return True if it is given up now. :param error: a code."""
    wait = min(FIRST_WAIT * 2 ** min(job.tries - 1, 10), LONGEST_WAIT)
    job.next_try_at = now() + timedelta(seconds=wait)
    job.held_until = None
    job.last_error = error[:100]
    if job.given_up_at is not None or now() < (job.created_at or now()) + timedelta(days=GIVE_UP_DAYS):
        return False
    job.given_up_at = now()
    return True


def remove_old() -> None:
    """Delete jobs that were given up more than KEPT_DAYS ago."""
    old = UnlinkJob.given_up_at < now() - timedelta(days=KEPT_DAYS)
    db.session.execute(delete(UnlinkJob).where(old))
