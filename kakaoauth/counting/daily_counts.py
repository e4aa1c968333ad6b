"""The numbers of the day, from Redis into the database."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite

from kakaoauth import days
from kakaoauth.counting import active_users, counters
from kakaoauth.counting.counters import DailyCount, Key
from kakaoauth.storage.database import db
from kakaoauth.storage.transaction import transaction

#: Days that are moved at one time: as many as a site that slept over a weekend has waiting.
MOST = 5
INDEX = ("day", "name", "label")


def store_counts() -> int:
    """Move what waits, and note how many people were here. Return how many numbers were moved."""
    moved = 0
    for _ in range(MOST):
        with counters.taken_day() as taken:
            if taken is None:
                break
            day, numbers = taken
            if numbers:
                add_counts(day, numbers)
            moved += len(numbers)
            if day == days.today():
                break
    _store_people()
    return moved


def _store_people() -> None:
    """Today's as far as they have come; yesterday's for the last half minute before midnight."""
    today = days.today()
    for day in (today - timedelta(days=1), today):
        if people := active_users.number_on(day):
            keep_people(day, people)


@transaction
def keep_people(day: date, number: int) -> None:
    """How many different people were here on that day, so far. It only grows: a Redis that has lost its memory takes
    nothing back."""
    statement = _insert([{"day": day, "name": active_users.NAME, "label": "", "number": number}])
    db.session.execute(
        statement.on_conflict_do_update(
            index_elements=INDEX,
            set_={"number": statement.excluded.number},
            where=DailyCount.number < statement.excluded.number,
        )
    )


@transaction
def add_counts(day: date, numbers: Mapping[Key, int]) -> None:
    """Add to that day's numbers."""
    put_counts(day, numbers)


def put_counts(day: date, numbers: Mapping[Key, int]) -> None:
    """Add to that day's numbers, inside the running transaction."""
    # In a fixed order: two that add the same rows in different orders would wait for each other.
    rows = [
        {"day": day, "name": name, "label": label, "number": number}
        for (name, label), number in sorted(numbers.items())
    ]
    statement = _insert(rows)
    db.session.execute(
        statement.on_conflict_do_update(
            index_elements=INDEX, set_={"number": DailyCount.number + statement.excluded.number}
        )
    )


def _insert(rows: Sequence[Mapping[str, Any]]) -> postgresql.Insert | sqlite.Insert:
    insert = postgresql.insert if db.engine.dialect.name == "postgresql" else sqlite.insert
    return insert(DailyCount).values(rows)
