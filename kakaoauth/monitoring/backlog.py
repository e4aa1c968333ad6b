"""How much waits, and how much could not be done: for the metrics, the doctor, and the staff's list."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, select, true

from kakaoauth.accounts import closing, unlink_jobs
from kakaoauth.accounts.unlink_jobs import UnlinkJob
from kakaoauth.storage.database import db
from kakaoauth.storage.quick_read import QuickRead
from kakaoauth.webhooks import failed as failed_events
from kakaoauth.webhooks.failed import FailedEvent

#: Unlinks that the staff's list shows.
SHOWN = 200

_FAILED = select(func.count(FailedEvent.id).label("failed")).subquery()
_FOR_STAFF = QuickRead(
    UnlinkJob,
    select(UnlinkJob, _FAILED.c.failed)
    .select_from(_FAILED)
    .outerjoin(UnlinkJob, true())
    .order_by(UnlinkJob.id)
    .limit(SHOWN),
)


class Backlog(NamedTuple):
    unlinks_waiting: int
    unlinks_given_up: int
    webhooks_failed: int
    #: Closed accounts that should be erased by now.
    erasings_overdue: int


class ForStaff(NamedTuple):
    #: The oldest, those that were given up as well.
    unlinks: Sequence[UnlinkJob]
    webhooks_failed: int


def read() -> Backlog:
    """Count what waits and what failed, by four statements."""
    waiting, given_up = unlink_jobs.number_waiting(), unlink_jobs.number_given_up()
    return Backlog(waiting, given_up, failed_events.number(), closing.number_overdue())


def for_staff() -> ForStaff:
    """By one statement: each page of the list asks."""
    rows = _FOR_STAFF.all_rows(db.session())
    return ForStaff([job for job, _ in rows if job is not None and job.id is not None], rows[0][1])
