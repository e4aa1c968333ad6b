"""How users are found who meet some conditions, in order, without ever looking at more rows than a page is worth.

Where an index has just these users in just this order, it is read. Else there are two ways, and each is fast where the
other is slow: to walk along the order's index and test whom one meets, which is good where many meet the conditions; or
to sort all that the index of one condition has, which is good where few do. A short walk tells which. If there are too
few for the one and too many for the other, what a long walk has found is a page, and the next one goes on there.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import FromClause, and_, func, or_, select

from kakaoauth.models import User
from kakaoauth.staff.listing.candidates import Candidates, Ids
from kakaoauth.staff.listing.filters import Condition
from kakaoauth.staff.listing.ordering import IndexRange, Order, Span, Test, index_ranges
from kakaoauth.storage.cursors import Cursor, Position
from kakaoauth.storage.database import db

#: So many may join between two statements without hiding anybody.
SLACK = 100


class Budget(NamedTuple):
    """How many rows one page may look at. With these, some 50 ms where a million users make it as hard as can be."""

    short: int = 1_000
    #: A page of 50 is found where one user in 400 meets the conditions.
    long: int = 20_000
    #: To be sorted. Where people are spread evenly, and are fewer than eight million, no page has to be cut.
    most: int = 20_000


class Found(NamedTuple):
    users: Sequence[User]
    #: How far the search has come, if it had to stop before it had enough users or had seen all.
    stopped_at: Position | None = None


def read(order: Order, wanted: Sequence[Condition], begin: Cursor | None, limit: int, budget: Budget) -> Found:
    """The first users from there on, at most `limit`, who meet all conditions."""
    common, span, rest = _by_index(order, wanted)
    position, backwards = begin or (None, False)
    parts = list(index_ranges(order, position, backwards=backwards, span=span, common=common))
    return _search(parts, rest, limit, budget) if rest else Found(_plain(parts, limit))


def _by_index(order: Order, wanted: Sequence[Condition]) -> tuple[tuple[Test, ...], Span, list[Condition]]:
    """Part the conditions into what the order's own index goes by, one of them and a span of time, and the rest."""
    if order.key is not User.date_joined:
        return (), Span(), list(wanted)
    spans = [one for one in wanted if one.span]
    others = [one for one in wanted if one.by_date and not one.span][:1]
    rest = [one for one in wanted if one not in spans and one not in others]
    return tuple(one.holds for one in others), (spans[0].span if spans else None) or Span(), rest


def _plain(parts: Sequence[IndexRange], limit: int) -> list[User]:
    users: list[User] = []
    for stretch in parts:
        users += db.session.scalars(stretch.rows().limit(limit - len(users)))
        if len(users) == limit:
            break
    return users


def _search(parts: Sequence[IndexRange], conditions: Sequence[Condition], limit: int, budget: Budget) -> Found:
    users: list[User] = []
    for place, stretch in enumerate(parts):
        left = limit - len(users)
        met = _walk(stretch, conditions, budget.short, left)
        if len(met) < left and count(stretch.rows().with_only_columns(User.id), budget.short) is not None:
            users += met  # that was the whole stretch
            continue
        if len(met) < left and len(met) * budget.long >= left * budget.short:
            met = _walk(stretch, conditions, budget.long, left)
        if len(met) == left:
            return Found([*users, *met])
        few, number = _few(stretch, conditions, budget)
        if few is not None:
            return Found([*users, *(_sorted(few, parts[place:], conditions, left) if number else ())])
        edge = _edge(stretch, budget.long)
        users += _walk(stretch, conditions, budget.long, left, edge)
        if edge is not None or len(users) == limit:
            return Found(users, edge if len(users) < limit else None)
    return Found(users)


def _walk(
    stretch: IndexRange, conditions: Sequence[Condition], rows: int, limit: int, edge: Position | None = None
) -> Sequence[User]:
    """Who meets the conditions among so many rows, or up to the edge."""
    passers_by = _passers_by(stretch, rows)
    query = select(passers_by).where(*(condition.holds(passers_by.c) for condition in conditions))
    if edge is not None:
        query = query.where(stretch.is_up_to(edge, passers_by.c))
    return db.session.scalars(select(User).from_statement(query.limit(limit))).all()


def _passers_by(stretch: IndexRange, rows: int) -> FromClause:
    # The limit fences the planner in: it must walk, and test whom it meets. How far a page has come is for the edge to
    # say, so that somebody who joins at this moment pushes nobody out.
    return stretch.rows().limit(rows + SLACK).subquery("passers_by")


def _edge(stretch: IndexRange, rows: int) -> Position | None:
    """The position of the row with that number; None: there are fewer."""
    query = stretch.rows().with_only_columns(stretch.order.key, User.id).offset(rows - 1).limit(1)
    row = db.session.execute(query).first()
    return Position(*row) if row else None


def _few(stretch: IndexRange, conditions: Sequence[Condition], budget: Budget) -> tuple[Candidates | None, int]:
    """Whom the index of one condition has, and how many: if they are few enough to be sorted."""
    choices = [condition for condition in conditions if condition.candidates is not None]
    if len(choices) > 1:
        # Only the rarest is worth counting; it is the rarest among the first thousand, too.
        passers_by = _passers_by(stretch, budget.short)
        tallies = [func.count().filter(condition.holds(passers_by.c)) for condition in choices]
        shares = db.session.execute(select(*tallies).select_from(passers_by)).one()
        choices = [choices[min(range(len(choices)), key=shares.__getitem__)]]
    candidates = choices[0].candidates if choices else None
    number = count(candidates.ids, budget.most) if candidates is not None else None
    return (None, 0) if number is None else (candidates, number)


def _sorted(
    few: Candidates, parts: Sequence[IndexRange], conditions: Sequence[Condition], limit: int
) -> Sequence[User]:
    """All stretches at once: their rows are the same few."""
    rows = few.rows()
    in_parts = or_(*(and_(True, *(test(rows.c) for test in stretch.tests)) for stretch in parts))
    query = select(rows).where(in_parts, *(condition.holds(rows.c) for condition in conditions))
    query = query.order_by(*parts[0].order_by(rows.c, whole=True)).limit(limit)
    return db.session.scalars(select(User).from_statement(query)).all()


def count(ids: Ids, most: int) -> int | None:
    """How many there are; None: more than `most`."""
    found = db.session.scalar(select(func.count()).select_from(ids.limit(most + 1).subquery())) or 0
    return found if found <= most else None
