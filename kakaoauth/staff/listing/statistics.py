"""What PostgreSQL expects: which part of all users meets a condition, as of the last ANALYZE, which it does by itself
after every tenth of the table has changed.

It decides in which way users are looked for, and never who is found. Read once in a while and kept by each process, so
that a page asks nothing for it. Of a search there is more to know than the planner makes of it: the shares of the
trigrams, each for itself.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import literal_column, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from kakaoauth.staff.listing.filters import Condition
from kakaoauth.staff.listing.people import USERS
from kakaoauth.storage.database import db

#: Seconds that they are kept.
KEPT = 600
#: Conditions whose share is kept; a day in a filter makes one.
MOST = 1_000
#: Of all users, who have a trigram that PostgreSQL has not counted: half of the rarest that it has, or this.
UNCOUNTED = 0.0025

#: The trigrams' shares have two more at the end: the smallest and the largest.
_READ = """
SELECT reltuples, most_common_elems::text::text[], most_common_elem_freqs
FROM pg_class LEFT JOIN pg_stats ON schemaname = relnamespace::regnamespace::text AND tablename = 'ix_users_search'
WHERE pg_class.oid = 'users'::regclass
"""


class Share(NamedTuple):
    """Of all users, who meet a condition: likely, and at least if what a search is made of had nothing to do with each
    other."""

    likely: float
    least: float


@dataclass
class Statistics:
    """Of one database."""

    rows: float
    grams: Mapping[str, float]
    read_at: float
    shares: dict[object, float] = field(default_factory=dict)

    def knows(self, condition: Condition) -> bool:
        """Whether there is a share of it: not of a search for one or two characters, which is many trigrams."""
        return all(len(gram) == 3 for gram in condition.grams)

    def share(self, condition: Condition) -> Share:
        """Return which part of the users meets the condition."""
        if condition.grams:
            uncounted = min(self.grams.values(), default=2 * UNCOUNTED) / 2
            shares = [self.grams.get(gram, uncounted) for gram in condition.grams]
            return Share(min(shares), prod(shares))
        if condition.key not in self.shares:
            if len(self.shares) >= MOST:
                self.shares.clear()
            self.shares[condition.key] = _expected(condition) / self.rows
        found = self.shares[condition.key]
        return Share(found, found)


_kept: WeakKeyDictionary[Engine, Statistics] = WeakKeyDictionary()


def statistics() -> Statistics | None:
    """None: not PostgreSQL, or the table was never analyzed."""
    engine = db.engine
    if engine.dialect.name != "postgresql":
        return None
    found = _kept.get(engine)
    if found is None or time.monotonic() - found.read_at > KEPT:
        (rows, grams, shares), *_ = _ask(_READ)
        found = Statistics(rows, dict(zip(grams or (), shares or (), strict=False)), time.monotonic())
        if rows > 0:
            _kept[engine] = found
    return found if found.rows > 0 else None


def _expected(condition: Condition) -> float:
    """How many rows the planner expects: asked for as a value, because that has a plan of its own."""
    rows = select(literal_column("1")).where(condition.holds(USERS.c)) if condition.rows is None else condition.rows
    expression = select(rows.scalar_subquery())
    compiled = expression.compile(dialect=db.engine.dialect, compile_kwargs={"render_postcompile": True})
    values: Any = compiled.params
    if compiled.positiontup is not None:
        values = [compiled.params[name] for name in compiled.positiontup]
    ((plan,),) = _ask(f"EXPLAIN (FORMAT JSON) {compiled}", values)
    whole = json.loads(plan) if isinstance(plan, str) else plan
    parts = whole[0]["Plan"].get("Plans") or [{"Plan Rows": 0}]
    return float(parts[0]["Plan Rows"])


def _ask(statement: str, values: Any = None) -> Sequence[Any]:
    """By the driver alone: it is no query of the page's, and has no plan to be looked at."""
    connection = db.session.connection()
    driver: Any = connection.connection
    cursor = driver.cursor()
    try:
        cursor.execute(statement) if values is None else cursor.execute(statement, values)
        return list(cursor.fetchall())
    except connection.dialect.loaded_dbapi.Error as error:
        raise OperationalError(statement, None, error) from error
    finally:
        cursor.close()
