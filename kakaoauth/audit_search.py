"""The trail as it is read: the only file that searches it, page after page. As fast for millions of rows as for a
thousand: each filter has an index in the page's own order, and of several the database takes the best.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, literal, or_, select, tuple_, union_all
from sqlalchemy.orm import aliased

from kakaoauth.audit import IS_REFUSED, AuditEvent
from kakaoauth.extensions import db
from kakaoauth.listing import cursors
from kakaoauth.listing.cursors import Cursor, Position
from kakaoauth.listing.filters import FIRST_DAY, LAST_DAY, SEOUL

RESULTS = ("done", "refused")
#: Its name in a cursor.
ORDER = "-at"


@dataclass(frozen=True)
class Filter:
    """What is empty or None asks nothing. `person`: who did it, or whom it was done to; days as in Seoul."""

    action: str = ""
    result: str = ""
    provider: str = ""
    person: int | None = None
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True)
class Page:
    events: Sequence[AuditEvent]
    #: Cursors.
    older: str | None
    newer: str | None


def page(chosen: Filter, *, cursor: str | None = None, limit: int = 50) -> Page:
    """The newest first. Neither skips nor repeats anything, whatever is written down between two pages.

    :raises ValueError: no cursor of the trail.
    """
    begin = cursors.read(cursor, ORDER, datetime, nullable=False) if cursor else None
    upwards = begin is not None and begin.backwards
    found = list(_read(chosen, begin, limit + 1))
    more, events = len(found) > limit, found[:limit]
    if upwards:
        events.reverse()
    return Page(
        events,
        older=_cursor(events[-1], upwards=False) if events and (more or upwards) else None,
        newer=_cursor(events[0], upwards=True) if events and (more if upwards else begin) else None,
    )


def recent(user_id: int, limit: int) -> Sequence[AuditEvent]:
    """What this user has done and what was done to them."""
    return _read(Filter(person=user_id), None, limit)


def own(user_id: int, limit: int) -> Sequence[AuditEvent]:
    """What is this user's own business: not what they have done to others."""
    to_nobody = AuditEvent.actor_id == user_id, AuditEvent.target_id.is_(None)
    return _newest_of((AuditEvent.target_id == user_id,), to_nobody, limit=limit)


def _cursor(event: AuditEvent, *, upwards: bool) -> str:
    return cursors.write(ORDER, Cursor(Position(event.at, event.id), backwards=upwards))


def _read(chosen: Filter, begin: Cursor | None, limit: int) -> Sequence[AuditEvent]:
    tests = [*_tests(chosen), *_beyond(begin)]
    upwards = begin is not None and begin.backwards
    if chosen.person is None:
        return db.session.scalars(_ordered(AuditEvent, upwards).where(*tests).limit(limit)).all()
    about = AuditEvent.target_id == chosen.person
    not_about = or_(AuditEvent.target_id.is_(None), AuditEvent.target_id != chosen.person)
    by = (AuditEvent.actor_id == chosen.person, not_about)
    return _newest_of((about, *tests), (*by, *tests), limit=limit, upwards=upwards)


def _newest_of(*choices: tuple[ColumnElement[bool], ...], limit: int, upwards: bool = False) -> Sequence[AuditEvent]:
    """One look into an index for each: with an OR between them databases read everything."""
    looks = [_ordered(AuditEvent, upwards).where(*tests).limit(limit).subquery() for tests in choices]
    event = aliased(AuditEvent, union_all(*(select(look) for look in looks)).subquery())
    return db.session.scalars(_ordered(event, upwards).limit(limit)).all()


def _ordered(event: Any, upwards: bool) -> Select[Any]:
    order = (event.at.asc(), event.id.asc()) if upwards else (event.at.desc(), event.id.desc())
    return select(event).order_by(*order)


def _tests(chosen: Filter) -> Iterator[ColumnElement[bool]]:
    if chosen.action:
        yield AuditEvent.action == chosen.action
    if chosen.result:
        yield IS_REFUSED if chosen.result == "refused" else AuditEvent.result == chosen.result
    if chosen.provider:
        yield AuditEvent.provider == chosen.provider
    if chosen.since:
        yield AuditEvent.at >= _start_of(chosen.since)
    if chosen.until:
        yield AuditEvent.at < _start_of(chosen.until) + timedelta(days=1)


def _beyond(begin: Cursor | None) -> Iterator[ColumnElement[bool]]:
    if begin is None:
        return
    at, event_id = begin.position
    here = tuple_(AuditEvent.at, AuditEvent.id)
    there = tuple_(literal(at, AuditEvent.at.type), literal(event_id, AuditEvent.id.type))
    yield here > there if begin.backwards else here < there


def _start_of(day: date) -> datetime:
    return datetime.combine(max(FIRST_DAY, min(day, LAST_DAY)), time(), SEOUL)
