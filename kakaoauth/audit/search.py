"""Search the audit trail, page after page, in bounded time for every filter.

Each single filter, and each choice of action, provider and "refused", has an index in the page's own order. What no
index goes by (a person's rows of one kind, what was done) is tested on the rows of the best index, BUDGET of them for
one page: if that is not enough, the page says how far back it has come, and the next one goes on there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    bindparam,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, aliased

from kakaoauth.audit import IS_REFUSED, AuditEvent
from kakaoauth.days import start_of
from kakaoauth.storage import cursors
from kakaoauth.storage.columns import MAX_ID, BigId
from kakaoauth.storage.cursors import MICROSECOND, Cursor, Position
from kakaoauth.storage.database import db
from kakaoauth.storage.quick_read import QuickRead
from kakaoauth.storage.quick_reads import Asked

RESULTS = ("done", "refused")
#: Its name in a cursor.
ORDER = "-at"
#: Rows of an index that are tested for one page: with two million rows some 10 ms.
BUDGET = 5_000

Test = Callable[[Any], ColumnElement[bool]]


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
    #: How far the search has come, if it had to stop before the page was full or all was seen.
    searched_to: datetime | None = None


class Found(NamedTuple):
    events: Sequence[AuditEvent]
    #: The last row that was tested, if there are more.
    edge: Position | None = None


class Bound(NamedTuple):
    """An end of a range, which belongs to it: the operator, and a moment, or a moment and an id; no values is no end.

    An end that does not belong to it would tell PostgreSQL that there are hardly any rows: it looks at the first column
    only, and whatever else is read and sorted then.
    """

    operator: str
    values: tuple[Any, ...] = ()


class Look(NamedTuple):
    """A range of an index, which has its rows in order."""

    #: The index's first columns, with the values that are looked for.
    lead: tuple[tuple[InstrumentedAttribute[Any], Any], ...] = ()
    refused: bool = False


class Way(NamedTuple):
    """One way to find rows: looks that have all of them together, and what is left to test on each."""

    looks: tuple[Look, ...]
    rest: tuple[Test, ...] = ()


def page(chosen: Filter, *, cursor: str | None = None, limit: int = 50) -> Page:
    """Return one page, the newest event first. Events written between two pages shift nothing.

    :raises ValueError: no cursor of the trail.
    """
    begin = cursors.read(cursor, ORDER, datetime, nullable=False) if cursor else None
    upwards = begin is not None and begin.backwards
    found, edge = _read(chosen, begin, limit + 1)
    more, events = len(found) > limit or edge is not None, list(found[:limit])
    first, last = (_position(events[0]), _position(events[-1])) if events else (None, None)
    if begin is not None and not events:
        # A page that has found nothing yet: back to where it began, and including that row.
        at, event_id = begin.position
        first = last = Position(at, event_id + 1 if upwards else event_id - 1)
    if upwards:
        events.reverse()
        first, last = last, first
    if edge is not None:
        first, last = (edge, last) if upwards else (first, edge)
    return Page(
        events,
        older=_cursor(last, upwards=False) if last and (more or upwards) else None,
        newer=_cursor(first, upwards=True) if first and (more if upwards else begin) else None,
        searched_to=edge.value if edge and isinstance(edge.value, datetime) else None,
    )


def recent(user_id: int, limit: int) -> Sequence[AuditEvent]:
    """What this user has done and what was done to them."""
    return _read(Filter(person=user_id), None, limit).events


def own(user_id: int, limit: int) -> Asked:
    """Ask for what is this user's own business, for `newest`: not what they have done to others. Of that, what is not
    too long ago."""
    return Asked(_own(db.session.get_bind().dialect.name), {"user_id": user_id, "limit": limit})


def newest(events: Sequence[AuditEvent], limit: int) -> Sequence[AuditEvent]:
    """Return the newest of what `own` has found, in order."""
    return _in_order(events, upwards=False)[:limit]


@cache
def _own(dialect: str) -> QuickRead[AuditEvent]:
    """Made once: to put it together takes longer than to ask it."""
    user_id, limit = bindparam("user_id", type_=BigId), bindparam("limit", type_=Integer)
    theirs, about = (
        _rows_of(dialect, Look(((column, user_id),)), (Bound(">="), Bound("<=")), upwards=False)
        for column in (AuditEvent.actor_id, AuditEvent.target_id)
    )
    rows_read = theirs.limit(BUDGET).subquery("rows_read")
    alone = select(rows_read).where(rows_read.c.target_id.is_(None)).limit(limit).subquery()
    both = union_all(select(alone), select(about.limit(limit).subquery()))
    return QuickRead(AuditEvent, select(aliased(AuditEvent, both.subquery())))


def _position(event: AuditEvent) -> Position:
    return Position(event.at, event.id)


def _cursor(position: Position, *, upwards: bool) -> str:
    return cursors.write(ORDER, Cursor(position, backwards=upwards))


def _read(chosen: Filter, begin: Cursor | None, limit: int) -> Found:
    """By the first way that comes to an end within the budget, or else by the one that has come furthest."""
    upwards = begin is not None and begin.backwards
    span = _span(chosen, begin)
    furthest: Found | None = None
    for way in _ways(chosen):
        found = _go(way, span, limit, upwards)
        if found.edge is None:
            return found
        if furthest is None or furthest.edge is None or (found.edge > furthest.edge) == upwards:
            furthest = found
    return furthest or Found(())


def _ways(chosen: Filter) -> Iterator[Way]:
    kinds = [(AuditEvent.action, chosen.action), (AuditEvent.provider, chosen.provider)]
    kind = Look(tuple((column, value) for column, value in kinds if value), chosen.result == "refused")
    done: tuple[Test, ...] = (lambda e: e.result == "done",) if chosen.result == "done" else ()
    person = chosen.person
    if person is None:
        yield Way((kind,), done)
        return
    looks = Look(((AuditEvent.target_id, person),)), Look(((AuditEvent.actor_id, person),))
    yield Way(looks, (*_tests(kind), *done))
    if kind != Look():
        yield Way((kind,), (lambda e: or_(e.target_id == person, e.actor_id == person), *done))


def _tests(look: Look) -> Iterator[Test]:
    for column, value in look.lead:
        yield lambda e, name=column.key, value=value: getattr(e, name) == value  # type: ignore[misc]
    if look.refused:
        yield lambda e: e.result == literal_column("'refused'")


def _go(way: Way, span: tuple[Bound, Bound], limit: int, upwards: bool) -> Found:
    if not way.rest and len(way.looks) > 1:
        return Found(_in_order(_newest_of(way.looks, span, limit, upwards), upwards)[:limit])
    walks = [_walk(look, way.rest, span, limit, upwards) for look in way.looks]
    events = _in_order([event for walk in walks for event in walk.events], upwards)
    edges = [walk.edge for walk in walks if walk.edge is not None]
    if not edges:
        return Found(events[:limit])
    edge = min(edges) if upwards else max(edges)  # up to the nearest one, all looks together have found all
    events = [one for one in events if (_position(one) <= edge if upwards else _position(one) >= edge)]
    return Found(events[:limit], None if len(events) >= limit else edge)


def _in_order(events: Sequence[AuditEvent], upwards: bool) -> list[AuditEvent]:
    """Sort the events, each once: both looks find an event in which a user acts upon themselves."""
    return sorted(dict.fromkeys(events), key=_position, reverse=not upwards)


def _newest_of(
    looks: Sequence[Look], span: tuple[Bound, Bound], limit: int, upwards: bool = False
) -> Sequence[AuditEvent]:
    """One look into an index for each: with an OR between them databases read everything."""
    parts = [_rows(look, span, upwards).limit(limit).subquery() for look in looks]
    event = aliased(AuditEvent, union_all(*(select(part) for part in parts)).subquery())
    return db.session.scalars(select(event)).all()


def _walk(look: Look, rest: Sequence[Test], span: tuple[Bound, Bound], limit: int, upwards: bool = False) -> Found:
    """The events that pass the tests among the first rows of the look."""
    rows = _rows(look, span, upwards)
    if not rest:
        return Found(db.session.scalars(rows.limit(limit)).all())
    # The limit makes the planner read the index and test each row.
    rows_read = rows.limit(BUDGET).subquery("rows_read")
    query = select(rows_read).where(*(test(rows_read.c) for test in rest)).limit(limit)
    found = db.session.scalars(select(AuditEvent).from_statement(query)).all()
    if len(found) == limit:
        return Found(found)
    edge = db.session.execute(rows.with_only_columns(AuditEvent.at, AuditEvent.id).offset(BUDGET - 1).limit(1)).first()
    return Found(found, Position(*edge) if edge else None)


def _rows(look: Look, span: tuple[Bound, Bound], upwards: bool) -> Select[AuditEvent]:
    return _rows_of(db.session.get_bind().dialect.name, look, span, upwards=upwards)


def _rows_of(dialect: str, look: Look, span: tuple[Bound, Bound], *, upwards: bool) -> Select[AuditEvent]:
    """PostgreSQL would rather walk along the index of all rows, if many seem to be of the kind: it takes no notice of
    where they are. So there the kind is a part of the range and of the order, which only the right index has."""
    columns = [column for column, _ in look.lead]
    values = [value if isinstance(value, BindParameter) else literal(value, column.type) for column, value in look.lead]
    order: list[Any] = [AuditEvent.at, AuditEvent.id]
    tests = [IS_REFUSED] if look.refused else []
    if dialect == "postgresql":
        order = [*columns, *order]
    else:
        tests += [column == value for column, value in zip(columns, values, strict=True)]
        columns, values = [], []
    for bound in span:
        ends = [literal(value, column.type) for value, column in zip(bound.values, _END, strict=False)]
        here, there = [*columns, *_END[: len(ends)]], [*values, *ends]
        if here:
            tests.append(tuple_(*here).bool_op(bound.operator)(tuple_(*there)))
    query = select(AuditEvent).where(*tests)
    return query.order_by(*(column.asc() if upwards else column.desc() for column in order))


_END = (AuditEvent.at, AuditEvent.id)


def _span(chosen: Filter | None = None, begin: Cursor | None = None) -> tuple[Bound, Bound]:
    """The older and the newer end. One bound for each: of two, SQLite would go by the one it likes, and read the rest
    of the way."""
    low: tuple[Any, ...] = ()
    high: tuple[Any, ...] = ()
    if chosen is not None and chosen.since:
        low = (start_of(chosen.since),)
    if chosen is not None and chosen.until:
        high = (start_of(chosen.until) + timedelta(days=1) - MICROSECOND,)
    older, newer = Bound(">=", low), Bound("<=", high)
    if begin is not None:
        at, event_id = begin.position
        moment: Any = at
        if begin.backwards and (not low or moment >= low[0]):
            older = Bound(">=", (moment, min(event_id + 1, MAX_ID)))
        if not begin.backwards and (not high or moment <= high[0]):
            newer = Bound("<=", (moment, max(event_id - 1, -MAX_ID)))
    return older, newer
