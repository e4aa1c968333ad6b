"""The list of users: who is shown, in which order, page after page. As fast for a million users as for a thousand."""

from collections.abc import Sequence
from dataclasses import dataclass

from kakaoauth.staff.listing.counting import count_up_to, total
from kakaoauth.staff.listing.filters import ROLES, STATES, Condition, Filter, conditions
from kakaoauth.staff.listing.ordering import SORTS, Order
from kakaoauth.staff.listing.people import Person
from kakaoauth.staff.listing.planner import UNHURRIED, Budget, read
from kakaoauth.storage import cursors
from kakaoauth.storage.cursors import Cursor, Position

__all__ = [
    "ROLES",
    "SORTS",
    "STATES",
    "UNHURRIED",
    "Budget",
    "Filter",
    "Page",
    "counted",
    "estimate",
    "indexes",
    "page",
]

DEFAULT_BUDGET = Budget()


@dataclass(frozen=True)
class Page:
    users: Sequence[Person]
    #: Cursors.
    next: str | None
    previous: str | None
    #: The search was stopped to stay fast: fewer users than fit, maybe none, and the next page goes on from there.
    cut: bool = False
    #: How many users there are, where the first page has found that out by the way.
    number: int | None = None
    #: What the filter asks for, as it was read for this page.
    wanted: Sequence[Condition] = ()


def page(
    chosen: Filter,
    *,
    sort: str = "-date_joined",
    cursor: str | None = None,
    limit: int = 50,
    budget: Budget = DEFAULT_BUDGET,
) -> Page:
    """Return one page. No user is skipped or repeated when others join or leave between two pages.

    :raises ValueError: no such sort, or no cursor of this sort.
    """
    order = SORTS.get(sort)
    if order is None:
        raise ValueError("no such sort")
    begin = cursors.read(cursor, sort, order.kind, nullable=order.nullable) if cursor else None
    backwards = begin is not None and begin.backwards
    wanted = list(conditions(chosen))
    users, stopped_at, number = read(order, wanted, begin, limit + 1, budget)
    onward, back = stopped_at, None
    if len(users) > limit:
        users = users[:limit]
        onward = order.position(users[-1])
    if begin:
        back = order.position(users[0]) if users else _including(begin, order)
    if backwards:
        users, onward, back = users[::-1], back, onward
    return Page(
        users,
        next=cursors.write(sort, Cursor(onward, backwards=False)) if onward else None,
        previous=cursors.write(sort, Cursor(back, backwards=True)) if back else None,
        cut=stopped_at is not None,
        number=number if begin is None else None,
        wanted=wanted,
    )


def counted(
    chosen: Filter, budget: Budget = DEFAULT_BUDGET, wanted: Sequence[Condition] | None = None
) -> tuple[int, bool]:
    """Return a number of users and whether it is exact; if not, there are more, and 0 means unknown.

    No more rows are looked at than for a page. :param wanted: from that page, if there is one.
    """
    return count_up_to(list(conditions(chosen)) if wanted is None else wanted, budget)


def estimate(chosen: Filter) -> tuple[int, bool]:
    """Return about how many users there are, for a progress bar, and whether that is exact; if not, 0 is unknown."""
    return total(list(conditions(chosen)), DEFAULT_BUDGET)


def _including(begin: Cursor, order: Order) -> Position:
    """Where a page that found nobody began, for reading the other way: with the user who stood there."""
    value, user_id = begin.position
    return Position(value, user_id - 1 if order.descending != begin.backwards else user_id + 1)
