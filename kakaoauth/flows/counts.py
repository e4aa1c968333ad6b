"""The numbers of the day, from Redis into the database."""

from collections.abc import Mapping
from datetime import date

from sqlalchemy.dialects import postgresql, sqlite

from kakaoauth import counters
from kakaoauth.counters import DailyCount, Key
from kakaoauth.extensions import db
from kakaoauth.flows.transaction import transaction

#: Days that are moved at one time: as many as a site that slept over a weekend has waiting.
MOST = 5


def store_counts() -> int:
    """Move what waits. Return how many numbers were moved."""
    moved = 0
    for _ in range(MOST):
        with counters.taken_day() as taken:
            if taken is None:
                break
            day, numbers = taken
            if numbers:
                add_counts(day, numbers)
            moved += len(numbers)
            if day == counters.today():
                break
    return moved


@transaction
def add_counts(day: date, numbers: Mapping[Key, int]) -> None:
    """Add to that day's numbers."""
    insert = postgresql.insert if db.engine.dialect.name == "postgresql" else sqlite.insert
    # In a fixed order: two that add the same rows in different orders would wait for each other.
    rows = [
        {"day": day, "name": name, "label": label, "number": number}
        for (name, label), number in sorted(numbers.items())
    ]
    statement = insert(DailyCount).values(rows)
    db.session.execute(
        statement.on_conflict_do_update(
            index_elements=["day", "name", "label"],
            set_={"number": DailyCount.number + statement.excluded.number},
        )
    )
