"""How many users meet some conditions: counted as far as that costs no more than a page."""

from collections.abc import Sequence
from math import prod

from sqlalchemy import FromClause, func, select

from kakaoauth.staff.listing.candidates import Candidates
from kakaoauth.staff.listing.filters import Condition
from kakaoauth.staff.listing.ordering import Test
from kakaoauth.staff.listing.people import USERS
from kakaoauth.staff.listing.planner import Budget, count, fewest
from kakaoauth.staff.listing.statistics import Statistics, statistics
from kakaoauth.storage.database import db

#: Up to so many are counted where an index alone tells,
EXACT = 10_000
#: and up to so many where each row has to be looked at: rows of the newest users, ...
COUNTED = 1_000
#: ... of which so many are read.
READ = 2_000


def count_up_to(conditions: Sequence[Condition], budget: Budget) -> tuple[int, bool]:
    """How many users meet all conditions, and whether that is all of them; if not, there are more, and 0 is unknown."""
    known = statistics()
    if not conditions:
        # So far above it, PostgreSQL is not wrong.
        counted = count(select(USERS.c.id), EXACT) if known is None or known.rows < 2 * EXACT else None
        return (EXACT, False) if counted is None else (counted, True)
    only = conditions[0] if len(conditions) == 1 and conditions[0].orders else None
    if only is not None and only.candidates is not None:
        counted = count(only.candidates.ids, COUNTED)
        return (COUNTED, False) if counted is None else (counted, True)
    if known is None:
        return _try_out(conditions, budget)
    if not all(known.knows(one) for one in conditions):
        return _count_newest(conditions, known)
    return _go_by(known, conditions, budget)


def _go_by(known: Statistics, conditions: Sequence[Condition], budget: Budget) -> tuple[int, bool]:
    few = fewest(known, conditions, budget)
    if few is not None and few.candidates is not None and known.share(few).likely * known.rows <= budget.most:
        return _count_few(few.candidates, few.besides(conditions), budget)
    if COUNTED > prod(known.share(one).likely for one in conditions) * READ and known.rows > READ:
        return 0, False
    return _count_newest(conditions, known)


def _try_out(conditions: Sequence[Condition], budget: Budget) -> tuple[int, bool]:
    """Without statistics."""
    number, whole = _count_newest(conditions, None)
    if number:
        return number, whole
    for condition in conditions:
        if not whole and condition.candidates is not None:
            number, whole = _count_few(condition.candidates, condition.besides(conditions), budget)
    return number, whole


def _count_newest(conditions: Sequence[Condition], known: Statistics | None) -> tuple[int, bool]:
    met = _count_among(select(USERS).order_by(USERS.c.id.desc()).limit(READ).subquery("rows_read"), conditions)
    if met > COUNTED:
        return COUNTED, False
    is_all = (known is None or known.rows < 2 * READ) and count(select(USERS.c.id), READ) is not None
    return (met, True) if is_all else (0, False)


def _count_few(few: Candidates, tests: Sequence[Test], budget: Budget) -> tuple[int, bool]:
    rows = few.rows(budget.most + 1)
    number = func.count().filter(*(test(rows.c) for test in tests)) if tests else func.count()
    looked_at, met = db.session.execute(select(func.count(), number.label("met")).select_from(rows)).one()
    return (met, True) if looked_at <= budget.most else (0, False)


def _count_among(rows: FromClause, conditions: Sequence[Condition]) -> int:
    """COUNTED + 1: more than COUNTED."""
    tests = (condition.holds(rows.c) for condition in conditions)
    met = select(rows.c.id).where(*tests, rows.c.erased_at.is_(None)).limit(COUNTED + 1).subquery()
    return db.session.scalar(select(func.count()).select_from(met)) or 0


def total(conditions: Sequence[Condition], budget: Budget) -> tuple[int, bool]:
    """About how many users meet all conditions, and whether that is exact; 0 and inexact: unknown."""
    number, whole = count_up_to(conditions, budget)
    if whole:
        return number, True
    known = statistics()
    if known is not None:
        return max(number, round(known.rows * prod(known.share(one).likely for one in conditions))), False
    return (0 if conditions else db.session.scalar(select(func.max(USERS.c.id))) or 0), False
