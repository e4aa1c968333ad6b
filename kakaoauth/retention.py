"""When the rows of each table are removed. Every table has a line in RULES, and docs/operations.md has the same lines.

What ends by its age is removed here, a batch of each table at a time, found by an index. A host or a later version that
adds a table adds its rule: tests/test_retention.py fails for a table without one.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from flask import current_app
from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute

from kakaoauth.accounts import provider_events
from kakaoauth.accounts.leaving import forget_old_unlinks
from kakaoauth.accounts.provider_events import ProviderEvent
from kakaoauth.accounts.suspensions import Suspension
from kakaoauth.accounts.unlink_jobs import UnlinkJob
from kakaoauth.audit import BATCH as AUDIT_BATCH
from kakaoauth.audit import AuditEvent
from kakaoauth.audit.refusals import prune
from kakaoauth.counting import active_users, counters
from kakaoauth.counting.counters import DailyCount, Key
from kakaoauth.counting.daily_counts import put_counts
from kakaoauth.days import today
from kakaoauth.models import EndedSession
from kakaoauth.sessions import ended as ended_sessions
from kakaoauth.sessions.logout import prune_ended_sessions
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db
from kakaoauth.storage.transaction import forget_transaction, transaction
from kakaoauth.tokens.provider_tokens import ProviderToken
from kakaoauth.tokens.refresh_tokens import TokenFamily
from kakaoauth.tokens.signing_keys import SigningKey
from kakaoauth.webhooks.deletions import DataDeletion
from kakaoauth.webhooks.failed import FailedEvent
from kakaoauth.webhooks.receiving import forget_old_events

log = logging.getLogger("kakaoauth.retries")

#: Rows of one table removed in one transaction.
BATCH = 1000
#: Days that daily counts are kept day by day: a year and a month, so that a month can be compared with last year's.
COUNT_DAYS = 400
#: Days that a person finds what became of their request to erase their data.
DELETION_DAYS = 365
#: Days that tokens stay after their end: nobody may be in the middle of using them.
GRACE = timedelta(days=1)

Column = InstrumentedAttribute[Any]


@dataclass(frozen=True)
class Rule:
    """`ends` and `by` are words of docs/operations.md. `batch` removes some of what is over and says whether there may
    be more; None where something else removes a row. `found_by`: the column whose index a batch is found with."""

    ends: str
    by: str
    batch: Callable[[], bool] | None = None
    found_by: Column | None = None


def forget_old_rows() -> bool:
    """Remove a batch of each table's rows that are over. Return whether there may be more."""
    there_is_more = False
    for table, rule in RULES.items():
        if rule.batch is None:
            continue
        try:
            there_is_more |= rule.batch()
        except SQLAlchemyError as error:  # of one table: it shall not keep the others' rows
            forget_transaction()
            log.warning("old rows of %s stay for now: %s", table, type(error).__name__)
    return there_is_more


@transaction
def _forget(key: Column, age: Column, before: datetime, *also: ColumnElement[bool]) -> bool:
    oldest = db.session.scalars(select(key).where(age < before, *also).order_by(age).limit(BATCH)).all()
    if oldest:
        gone = db.session.execute(delete(key.class_).where(key.in_(oldest)))
        return cast("CursorResult[Any]", gone).rowcount == BATCH
    return False


def _forget_audit_events() -> bool:
    return prune(current_app.config["KAKAOAUTH_AUDIT_DAYS"]) == AUDIT_BATCH


def _forget_events() -> bool:
    return _forget(ProviderEvent.id, ProviderEvent.received_at, now() - timedelta(days=provider_events.REMEMBERED_DAYS))


def _forget_failed_events() -> bool:
    forget_old_events()
    return False


def _forget_unlinks() -> bool:
    forget_old_unlinks()
    return False


def _forget_ended_sessions() -> bool:
    return prune_ended_sessions() == ended_sessions.BATCH


def _forget_families() -> bool:
    """The last access token may outlive its refresh token."""
    lingering = timedelta(seconds=current_app.config["KAKAOAUTH_ACCESS_TOKEN_SECONDS"])
    return _forget(TokenFamily.id, TokenFamily.expires_at, now() - lingering - GRACE)


def _forget_provider_tokens() -> bool:
    over = now() - GRACE
    return _forget(ProviderToken.id, ProviderToken.refresh_expires_at, over, ProviderToken.expires_at < over)


def _forget_deletions() -> bool:
    return _forget(DataDeletion.code, DataDeletion.requested_at, now() - timedelta(days=DELETION_DAYS))


def _forget_suspensions() -> bool:
    return _forget(Suspension.id, Suspension.until, now()) | _forget(Suspension.id, Suspension.ends_at, now())


def _forget_signing_keys() -> bool:
    return _forget(SigningKey.kid, SigningKey.retires_at, now())


@transaction
def _add_up_counts() -> bool:
    """Add the oldest day's numbers to one row for each label, because `/metrics` tells totals, which must not fall."""
    before = today() - timedelta(days=COUNT_DAYS)
    day = db.session.scalar(
        select(func.min(DailyCount.day)).where(DailyCount.day > counters.EARLIER, DailyCount.day < before)
    )
    if day is None:
        return False
    # Of two workers only one is given the rows.
    columns = (DailyCount.name, DailyCount.label, DailyCount.number)
    rows = db.session.execute(delete(DailyCount).where(DailyCount.day == day).returning(*columns)).all()
    totals: dict[Key, int] = {}
    for name, label, number in rows:
        if name != active_users.NAME:  # different people of different days have no sum
            key = (name, counters.known(label))
            totals[key] = totals.get(key, 0) + number
    if totals:
        put_counts(counters.EARLIER, totals)
    return True


RULES: dict[str, Rule] = {
    "users": Rule(
        "when the person leaves (with `KAKAOAUTH_LEAVE_GRACE_DAYS` so many days later), a superuser deletes them, or"
        " their only provider says so",
        "that request; the jobs",
    ),
    "identities": Rule("with the user, or when it is unlinked here or at the provider", "that request"),
    "provider_tokens": Rule(
        "at the logout, with the identity, or a day after they are over",
        "that request; the jobs",
        _forget_provider_tokens,
        ProviderToken.refresh_expires_at,
    ),
    "former_identities": Rule(
        "with the user: one row for each identity that was taken from the account", "that request"
    ),
    "user_consents": Rule("with the user", "that request"),
    "suspensions": Rule(
        "when a superuser lifts the suspension or reinstates the account, or at the suspension's own end; of who has"
        " left by themselves, when they may sign up again",
        "that request; the jobs",
        _forget_suspensions,
        Suspension.ends_at,
    ),
    "staff_notes": Rule("with the user, or when staff remove it", "that request"),
    "user_tags": Rule("with the user, or when staff take it away", "that request"),
    "saved_filters": Rule("with the staff member whose it is, or when they remove it", "that request"),
    "ended_sessions": Rule(
        "an hour after the session would have ended anyway", "the jobs", _forget_ended_sessions, EndedSession.until
    ),
    "unlink_jobs": Rule(
        "when the provider has heard; given up after 30 days, and 60 days later it goes",
        "the jobs",
        _forget_unlinks,
        UnlinkJob.given_up_at,
    ),
    "failed_events": Rule(
        "when the message was applied, or 90 days after it could not be",
        "the jobs; `kakao retry`",
        _forget_failed_events,
        FailedEvent.failed_at,
    ),
    "provider_events": Rule("60 days after the message came", "the jobs", _forget_events, ProviderEvent.received_at),
    "data_deletions": Rule("365 days after the last request", "the jobs", _forget_deletions, DataDeletion.requested_at),
    "token_families": Rule(
        "at the logout, with the user, as the oldest of more than 100, or a day after the last token is over",
        "that request; the jobs",
        _forget_families,
        TokenFamily.expires_at,
    ),
    "signing_keys": Rule(
        "when the last token it has signed is over, after a rotation",
        "the jobs",
        _forget_signing_keys,
        SigningKey.retires_at,
    ),
    "audit_events": Rule(
        "after `KAKAOAUTH_AUDIT_DAYS`", "the jobs; `audit prune`", _forget_audit_events, AuditEvent.at
    ),
    "daily_counts": Rule(
        "400 days later, added up to one row for each label", "the jobs", _add_up_counts, DailyCount.day
    ),
}
