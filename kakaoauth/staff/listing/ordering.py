"""The orders a list of users can be shown in, and how to go through one from any place without counting rows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, ColumnExpressionArgument, Select, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from kakaoauth.models import User
from kakaoauth.staff.listing.people import USERS, Person
from kakaoauth.storage.cursors import Position

#: Of a row: of the columns of `users`, or of a subquery with them.
Test = Callable[[Any], ColumnExpressionArgument[bool]]


@dataclass(frozen=True)
class Order:
    """By `key`, and by id among equals. Users without a value come last, in both directions."""

    key: InstrumentedAttribute[Any]
    kind: type
    descending: bool = False
    nullable: bool = False

    def of(self, u: Any) -> Any:
        """The key of a row."""
        return getattr(u, self.key.key)

    def position(self, user: Person) -> Position:
        """Return where a user stands in this order."""
        return Position(self.of(user), user.id)


SORTS: Mapping[str, Order] = {
    "-date_joined": Order(User.date_joined, datetime, descending=True),
    "date_joined": Order(User.date_joined, datetime),
    "-id": Order(User.id, int, descending=True),
    "id": Order(User.id, int),
    "email": Order(User.email_key, str, nullable=True),
    "-email": Order(User.email_key, str, descending=True, nullable=True),
    "nickname": Order(User.nickname_key, str, nullable=True),
    "-nickname": Order(User.nickname_key, str, descending=True, nullable=True),
    "last_login": Order(User.last_login, datetime, nullable=True),
    "-last_login": Order(User.last_login, datetime, descending=True, nullable=True),
}


class Span(NamedTuple):
    """Moments from `low` on and before `high`; None is no limit."""

    low: datetime | None = None
    high: datetime | None = None


@dataclass(frozen=True)
class IndexRange:
    """Users who stand next to each other in an order, so that they are one range of its index."""

    order: Order
    backwards: bool
    tests: tuple[Test, ...]

    @property
    def down(self) -> bool:
        """Whether it is read from large to small."""
        return self.order.descending != self.backwards

    def rows(self) -> Select[Any]:
        """Without the empty rows of those who have left."""
        return self._all(USERS).where(USERS.c.erased_at.is_(None))

    def positions(self) -> Select[Any]:
        """Of all rows, the empty ones among them: the index alone tells."""
        return self._all(self.order.of(USERS.c), USERS.c.id)

    def _all(self, *what: Any) -> Select[Any]:
        return select(*what).where(*(test(USERS.c) for test in self.tests)).order_by(*self.order_by(USERS.c))

    def order_by(self, u: Any, *, whole: bool = False) -> list[Any]:
        """:param whole: of the whole order: those who have a value, and those who have none."""
        columns = [u.id] if self.order.key is User.id else [self.order.of(u), u.id]
        first, *others = (column.desc() if self.down else column.asc() for column in columns)
        if whole and self.order.nullable:
            first = first.nulls_first() if self.backwards else first.nulls_last()
        return [first, *others]

    def is_up_to(self, position: Position, u: Any) -> ColumnElement[bool]:
        """Whether a row of this range stands there or before."""
        if position.value is None or self.order.key is User.id:
            return u.id >= position.id if self.down else u.id <= position.id  # type: ignore[no-any-return]
        here = tuple_(self.order.of(u), u.id)
        there = tuple_(literal(position.value, self.order.key.type), literal(position.id, User.id.type))
        return here >= there if self.down else here <= there

    def has_up_to(self, position: Position, user: Person) -> bool:
        """As `is_up_to`, of somebody who was read. Not for texts."""
        here, there = self.order.position(user), position
        if position.value is None or self.order.key is User.id:
            return here.id >= there.id if self.down else here.id <= there.id
        return here >= there if self.down else here <= there


def index_ranges(
    order: Order, after: Position | None, *, backwards: bool, span: Span, common: tuple[Test, ...] = ()
) -> Iterator[IndexRange]:
    """What comes after that position: those with the same value, those with values beyond, those with none.

    One by one, because SQLite goes to a place by two columns at once only if the first is given: in a thousand people
    with one nickname, it would begin each page at the first of them.

    :param span: of the order's values. :param common: what its index has in one piece.
    """
    down = order.descending != backwards
    valued: list[Test] = [lambda u: order.of(u).is_not(None)] if order.nullable else []
    empty: list[Test] = [lambda u: order.of(u).is_(None)]
    parts: list[list[Test]]
    if after is None:
        parts = [[*valued, *within(order, span)]] + ([empty] if order.nullable else [])
    elif order.key is User.id:
        parts = [[_further(after.id, down=down)]]
    elif after.value is None:
        parts = [[*empty, _further(after.id, down=down)]] + ([valued] if backwards else [])
    else:
        tie: list[Test] = [lambda u: order.of(u) == after.value, _further(after.id, down=down), *within(order, span)]
        parts = [tie, _beyond(order, after.value, span, down=down)]
        parts += [empty] if order.nullable and not backwards else []
    for tests in parts:
        yield IndexRange(order, backwards, (*common, *tests))


def within(order: Order, span: Span) -> list[Test]:
    """Return the tests that a row's key lies in `span`."""
    low, high = span
    tests: list[Test] = [] if low is None else [lambda u: order.of(u) >= low]
    return tests if high is None else [*tests, lambda u: order.of(u) < high]


def _beyond(order: Order, value: Any, span: Span, *, down: bool) -> list[Test]:
    """With one limit at each end: of two, SQLite would go by the one it likes, and read the rest of the way."""
    if down:
        return within(order, Span(span.low, value if span.high is None else min(value, span.high)))
    if span.low is not None and value < span.low:
        return within(order, span)
    return [lambda u: order.of(u) > value, *within(order, Span(high=span.high))]


def _further(user_id: int, *, down: bool) -> Test:
    return lambda u: u.id < user_id if down else u.id > user_id
