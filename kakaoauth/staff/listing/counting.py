"""How many users meet some conditions: counted up to a bound for people to read, estimated for a progress bar."""

from collections.abc import Sequence
from random import Random

from sqlalchemy import FromClause, and_, func, select, text

from kakaoauth.models import User
from kakaoauth.staff.listing.candidates import Ids
from kakaoauth.staff.listing.filters import Condition
from kakaoauth.staff.listing.planner import Budget, count
from kakaoauth.storage.database import db

#: Up to so many are counted.
EXACT = 10_000
#: Where each row has to be looked at: up to so many.
COUNTED = 1_000
#: With so few users, each is looked at.
SMALL = 2_000
#: What one user in twenty meets is then estimated to within a fifth, two times out of three: worth one digit.
SAMPLE = 500
#: If fewer of the sample meet the conditions, it tells little; then few do, and an index may count them.
TELLING = 10


def count_up_to(conditions: Sequence[Condition], budget: Budget) -> tuple[int, bool]:
    """How many users meet all conditions, and whether that is all of them; if not, there are more.

    Looks at no more rows than a page may.
    """
    ids: Ids | None = None
    if not conditions:
        ids = select(User.id)
    elif len(conditions) == 1 and conditions[0].by_date and conditions[0].candidates:
        ids = conditions[0].candidates.ids
    if ids is not None:
        counted = count(ids, EXACT)
        return (EXACT, False) if counted is None else (counted, True)
    rows_read = select(User).order_by(User.id.desc()).limit(budget.long).subquery("rows_read")
    met = _count_among(rows_read, conditions)
    if met > COUNTED or count(select(User.id), budget.long) is not None:
        return min(met, COUNTED), met <= COUNTED
    for condition in conditions:
        if condition.candidates is not None and count(condition.candidates.ids, budget.most) is not None:
            found = _count_among(condition.candidates.rows(), conditions)
            return min(found, COUNTED), found <= COUNTED
    return max(met - 1, 0), False


def _count_among(rows: FromClause, conditions: Sequence[Condition]) -> int:
    """COUNTED + 1: more than COUNTED."""
    tests = (condition.holds(rows.c) for condition in conditions)
    met = select(rows.c.id).where(*tests).limit(COUNTED + 1).subquery()
    return db.session.scalar(select(func.count()).select_from(met)) or 0


def total(conditions: Sequence[Condition]) -> tuple[int, bool]:
    """How many users meet all conditions, and whether that is exact."""
    if not conditions and (size := _size_known_to_postgresql()) > EXACT:
        return size, False
    counted = _count_by_index(conditions)
    if counted is not None:
        return counted, True
    everybody, met = _sample(conditions)
    if met < TELLING and (counted := _count_rows(conditions)) is not None:
        return counted, True
    number = everybody * met // SAMPLE
    return (round(number, 1 - len(str(number))) if conditions else number), False


def _count_by_index(conditions: Sequence[Condition]) -> int | None:
    """If there are few users at all, or only such a condition as an index knows for itself."""
    if not conditions:
        return _count_everybody(EXACT)
    if len(conditions) == 1 and conditions[0].by_date and conditions[0].candidates:
        return count(conditions[0].candidates.ids, EXACT)
    if count(select(User.id), SMALL) is None:
        return None
    tests = (condition.holds(User) for condition in conditions)
    return db.session.scalar(select(func.count(User.id)).where(*tests, User.erased_at.is_(None)))


def _count_everybody(most: int) -> int | None:
    """Without the empty rows of those who have left, which an index of their own has; None: more than `most`."""
    rows = select(User.id).limit(most + 1).subquery()
    empty = select(User.id).where(User.erased_at.is_not(None)).limit(most + 1).subquery()
    counts = (select(func.count()).select_from(part).scalar_subquery() for part in (rows, empty))
    found, erased = db.session.execute(select(*counts)).one()
    return found - erased if found <= most else None


def _count_rows(conditions: Sequence[Condition]) -> int | None:
    for condition in conditions:
        if condition.candidates is not None and count(condition.candidates.ids, EXACT) is not None:
            rows = condition.candidates.rows()
            tests = (one.holds(rows.c) for one in conditions)
            return db.session.scalar(select(func.count()).select_from(rows).where(*tests))
    return None


def _sample(conditions: Sequence[Condition]) -> tuple[int, int]:
    """How many users there are, about, and how many of SAMPLE meet the conditions.

    The sample is spread over all ids, and always the same one, so that the number does not flicker.
    """
    smallest = select(func.min(User.id)).scalar_subquery()
    largest = select(func.max(User.id)).scalar_subquery()
    first, last = db.session.execute(select(smallest, largest)).one()
    step = (last - first) // SAMPLE + 1
    chance = Random(step)  # noqa: S311
    ids = [start + chance.randrange(step) for start in range(first, last + 1, step)]
    meeting = func.count().filter(and_(True, *(condition.holds(User) for condition in conditions)))
    there, met = db.session.execute(select(func.count(), meeting).where(User.id.in_(ids))).one()
    everybody = _size_known_to_postgresql() or (last - first + 1) * there // len(ids)
    return everybody, met * SAMPLE // max(there, 1)


def _size_known_to_postgresql() -> int:
    """As of the last ANALYZE, which it does by itself after every tenth of the table has changed; 0: not known."""
    if db.session.get_bind().dialect.name != "postgresql":
        return 0
    return max(0, int(db.session.scalar(text("SELECT reltuples FROM pg_class WHERE oid = 'users'::regclass")) or 0))
