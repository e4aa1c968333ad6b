"""Find the users who meet some conditions, in order, and never look at more rows than one page is worth.

Where an index has just these users in just this order, it is read. Else there are two ways, and each is fast where the
other is slow: to read the order's index and test each row, which is good where many users meet the conditions; or to
sort all users of one condition's index, which is good where few do. PostgreSQL's statistics tell which; without them a
short read does. If there are too few for the one and too many for the other, what a long read has found is the page,
and the next page goes on there.

The rule for a new filter is: no row is looked at but within the budget, and nothing is asked of the database that takes
longer where there are more users.

- It is a `Condition` of its own in `filters.conditions`, with a test of a row and a key. That is enough to be right and
  bounded: where few meet it, pages are cut.
- If few meet it, it has candidates: an index, in `indexes`, over just these users (`_partial`) or by the column. The
  index's own condition and the test must be the same words: PostgreSQL compares texts, not meanings.
- If that index has them in some order of the list, the condition says so (`orders`), and a page is one look into it.
- A condition on another table is a test by `id IN (SELECT ...)`, with an index there on the id of the user.
- `tests/staff/listing/test_plans.py` has a shape for it.
"""

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

from sqlalchemy import FromClause, Select, and_, func, or_, select

from kakaoauth.staff.listing.candidates import Ids
from kakaoauth.staff.listing.filters import Condition
from kakaoauth.staff.listing.ordering import IndexRange, Order, Span, Test, index_ranges
from kakaoauth.staff.listing.people import USERS, Person, columns
from kakaoauth.staff.listing.statistics import Statistics, statistics
from kakaoauth.storage.cursors import Cursor, Position
from kakaoauth.storage.database import db

#: The search index compares all that have the rarest trigram, in a microsecond each, before it gives anybody: so many
#: times as many as may be sorted are worth it.
HOPE = 3
#: So many users may join between two statements without hiding anybody.
SLACK = 100


class Budget(NamedTuple):
    """How many rows one page may look at: with these, some 3 ms where a million users make it as hard as can be."""

    short: int = 1_000
    #: A page of 50 is full where one user in 60 meets the conditions.
    long: int = 3_000
    #: To be sorted.
    most: int = 2_000


#: For a whole file, where no page is waited for.
UNHURRIED = Budget(long=20_000, most=20_000)


class Found(NamedTuple):
    users: Sequence[Person]
    #: How far the search has come, if it had to stop before it had enough users or had seen all.
    stopped_at: Position | None = None
    #: How many there are from there on, where that was found out by the way.
    number: int | None = None


def read(order: Order, wanted: Sequence[Condition], begin: Cursor | None, limit: int, budget: Budget) -> Found:
    """The first users from there on, at most `limit`, who meet all conditions."""
    common, span, rest = _by_index(order, wanted)
    position, backwards = begin or (None, False)
    parts = list(index_ranges(order, position, backwards=backwards, span=span, common=common))
    return _search(parts, rest, limit, budget) if rest else Found(_plain(parts, limit))


def _by_index(order: Order, wanted: Sequence[Condition]) -> tuple[tuple[Test, ...], Span, list[Condition]]:
    """Part the conditions into what the order's own index goes by, one of them and a span of time, and the rest."""
    key = order.key.key
    spans = [one for one in wanted if one.span and one.sort == key]
    others = [one for one in wanted if key in one.orders and not one.span][:1]
    # Who has no value stands beyond the span, and is told by the test.
    met = others if order.nullable else [*spans, *others]
    rest = [one for one in wanted if one not in met]
    return tuple(one.holds for one in others), (spans[0].span if spans else None) or Span(), rest


def _plain(parts: Sequence[IndexRange], limit: int) -> list[Person]:
    users: list[Person] = []
    for index_range in parts:
        users += _people(index_range.rows().with_only_columns(*columns()).limit(limit - len(users)))
        if len(users) == limit:
            break
    return users


def _search(parts: Sequence[IndexRange], conditions: Sequence[Condition], limit: int, budget: Budget) -> Found:
    known = statistics()
    return (
        _try_out(parts, conditions, limit, budget) if known is None else _go_by(known, parts, conditions, limit, budget)
    )


def _go_by(
    known: Statistics, parts: Sequence[IndexRange], conditions: Sequence[Condition], limit: int, budget: Budget
) -> Found:
    likely = prod(known.share(one).likely for one in conditions)
    is_walk_long = limit > likely * budget.long
    rarest = fewest(known, conditions, budget)
    if rarest is not None and (is_walk_long or known.share(rarest).likely * known.rows * likely < limit):
        found = _sorted(rarest, parts, conditions, limit, budget)
        if found is not None:
            return found
    users: list[Person] = []
    for index_range in parts:
        left = limit - len(users)
        met = None if is_walk_long else _walk(index_range, conditions, budget.long, left)
        if met is not None and len(met) == left:
            return Found([*users, *met])
        edge = _edge(index_range, budget.long)
        if met is None or index_range.order.kind is str:  # only the database can tell which of two texts comes first
            users += _walk(index_range, conditions, budget.long, left, edge)
        else:
            users += [one for one in met if edge is None or index_range.has_up_to(edge, one)]
        if edge is not None or len(users) == limit:
            return Found(users, edge if len(users) < limit else None)
    return Found(users)


def fewest(known: Statistics, conditions: Sequence[Condition], budget: Budget) -> Condition | None:
    """The condition whose index may have so few users that they can be looked at, all of them."""
    choices = [one for one in conditions if one.candidates is not None]
    choice = min(choices, key=lambda one: known.share(one).likely, default=None)
    if choice is None:
        return None
    likely, least = known.share(choice)
    return choice if max(least, likely / HOPE) * known.rows <= budget.most else None


def _try_out(parts: Sequence[IndexRange], conditions: Sequence[Condition], limit: int, budget: Budget) -> Found:
    """Without statistics."""
    users: list[Person] = []
    for place, index_range in enumerate(parts):
        left = limit - len(users)
        met = _walk(index_range, conditions, budget.short, left)
        if len(met) < left and count(index_range.rows().with_only_columns(USERS.c.id), budget.short) is not None:
            users += met  # that was the whole range
            continue
        if len(met) < left and len(met) * budget.long >= left * budget.short:
            met = _walk(index_range, conditions, budget.long, left)
        if len(met) == left:
            return Found([*users, *met])
        few = _few(index_range, conditions, budget)
        found = _sorted(few, parts[place:], conditions, left, budget) if few is not None else None
        if found is not None:
            return Found([*users, *found.users], number=found.number if not users else None)
        edge = _edge(index_range, budget.long)
        users += _walk(index_range, conditions, budget.long, left, edge)
        if edge is not None or len(users) == limit:
            return Found(users, edge if len(users) < limit else None)
    return Found(users)


def _walk(
    index_range: IndexRange, conditions: Sequence[Condition], rows: int, limit: int, edge: Position | None = None
) -> Sequence[Person]:
    """Who meets the conditions among so many rows, or up to the edge."""
    rows_read = _rows_read(index_range, rows)
    query = select(*columns(rows_read)).where(*(condition.holds(rows_read.c) for condition in conditions))
    if edge is not None:
        query = query.where(index_range.is_up_to(edge, rows_read.c))
    return _people(query.limit(limit))


def _people(query: Select[Any]) -> list[Person]:
    return list(map(Person._make, db.session.execute(query).all()))


def _rows_read(index_range: IndexRange, rows: int) -> FromClause:
    # The limit makes the planner read the index and test each row. The edge alone says how far a page has come, so that
    # a user who joins at this moment hides nobody.
    return index_range.rows().limit(rows + SLACK).subquery("rows_read")


def _edge(index_range: IndexRange, rows: int) -> Position | None:
    """The position of the row with that number; None: there are fewer."""
    row = db.session.execute(index_range.positions().offset(rows - 1).limit(1)).first()
    return Position(*row) if row else None


def _few(index_range: IndexRange, conditions: Sequence[Condition], budget: Budget) -> Condition | None:
    """The one whose index has few users: the rarest one among the first rows."""
    choices = [condition for condition in conditions if condition.candidates is not None]
    if len(choices) > 1:
        rows_read = _rows_read(index_range, budget.short)
        tallies = [func.count().filter(condition.holds(rows_read.c)) for condition in choices]
        shares = db.session.execute(select(*tallies).select_from(rows_read)).one()
        choices = [choices[min(range(len(choices)), key=shares.__getitem__)]]
    return choices[0] if choices else None


def _sorted(
    few: Condition, parts: Sequence[IndexRange], conditions: Sequence[Condition], limit: int, budget: Budget
) -> Found | None:
    """All ranges at once: their rows are the same few. None: they are too many to be sorted."""
    if few.candidates is None:
        return None
    rows = few.candidates.rows(budget.most + 1)
    in_parts = or_(*(and_(True, *(test(rows.c) for test in index_range.tests)) for index_range in parts))
    looked_at = select(func.count()).select_from(rows)
    query = select(looked_at.scalar_subquery(), func.count().over(), *columns(rows))
    query = query.where(in_parts, *(test(rows.c) for test in few.besides(conditions)))
    found = db.session.execute(query.order_by(*parts[0].order_by(rows.c, whole=True)).limit(limit)).all()
    if (found[0][0] if found else db.session.scalar(looked_at) or 0) > budget.most:
        return None
    return Found([Person._make(row[2:]) for row in found], number=found[0][1] if found else 0)


def count(ids: Ids, most: int) -> int | None:
    """How many there are; None: more than `most`."""
    found = db.session.scalar(select(func.count()).select_from(ids.limit(most + 1).subquery())) or 0
    return found if found <= most else None
