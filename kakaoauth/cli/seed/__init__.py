"""Add many made-up users at once, by the fastest way each database has."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from sqlalchemy import Connection, exists, func, or_, select, text

from kakaoauth.cli.seed.counts import Tally, make_counts, tallied
from kakaoauth.cli.seed.events import make_events
from kakaoauth.cli.seed.people import COLUMNS, DOMAIN, SUBJECT, make_up
from kakaoauth.models import Identity, User, list_keys
from kakaoauth.staff.csv import bulk
from kakaoauth.staff.listing import indexes
from kakaoauth.storage import database
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db
from kakaoauth.storage.transaction import transaction

log = logging.getLogger("kakaoauth.audit")

#: Rows in memory at one time.
BATCH = 5_000
#: The columns that a made-up user does not leave at their default.
GIVEN = (*COLUMNS, *list_keys(None, None, None))

IDENTITIES = """
INSERT INTO identities (provider, subject, user_id, date_linked)
SELECT provider, :subject || id, id, date_joined FROM users WHERE id >= :first AND provider IS NOT NULL
"""

Row = tuple[Any, ...]
Report = Callable[[int], object]


class NotSeeded(Exception):
    """Somebody in the database besides superusers was not made up, so it is not one to try things out with."""


@transaction
def seed(number: int, *, random_seed: int, report: Report) -> None:
    """Add so many users who do not exist, and what would have been counted of them in the last 90 days. The same random
    seed makes the same people; the last joined at midnight.

    :param report: is told of work as it is done, 2 x `number` in all: the rows, then their indexes.
    :raises NotSeeded: there are users besides superusers who were not made here.
    :raises NotImplementedError: another database.
    """
    connection = db.session.connection()
    if connection.dialect.name not in WRITERS:
        raise NotImplementedError(connection.dialect.name)
    with database.unhurried(connection):
        if _somebody_real():
            raise NotSeeded
        first = (db.session.scalar(select(func.max(User.id))) or 0) + 1
        until = now().replace(hour=0, minute=0, second=0, microsecond=0)
        tally: Tally = Counter()
        people = tallied(make_up(first, number, until=until, random_seed=random_seed), tally, until)
        rows = _rows(people)
        with _indexes_aside(connection, number, report, worth_it=number >= first):
            WRITERS[connection.dialect.name](connection, rows, report)
            connection.execute(text(IDENTITIES), {"subject": SUBJECT, "first": first})
        make_counts(tally, first, number, random_seed=random_seed)
        make_events(first, random_seed=random_seed)
        if connection.dialect.name == "postgresql":
            connection.execute(text("ANALYZE users, identities, daily_counts"))
    log.info("seeded users=%s", number)


def _somebody_real() -> bool:
    made_up = exists().where(Identity.user_id == User.id, Identity.subject.startswith(SUBJECT))
    elsewhere = or_(User.email_key.is_(None), ~User.email_key.endswith(f".{DOMAIN}"))
    # Whoever tries the site out looks at it as a superuser, and is asked to make one first.
    return db.session.scalar(select(User.id).where(~User.is_superuser, elsewhere, ~made_up).limit(1)) is not None


def _rows(people: Iterable[Row]) -> Iterator[Row]:
    others = tuple(bulk.defaults(bulk.USERS, besides=GIVEN).values())
    for person in people:
        _, name, nickname, *_, email_key = person[:8]
        yield (*person, *list_keys(email_key, nickname, name).values(), *others)


def _columns() -> list[str]:
    return [*GIVEN, *bulk.defaults(bulk.USERS, besides=GIVEN)]


def _write_to_postgresql(connection: Connection, rows: Iterator[Row], report: Report) -> None:
    cursor: Any = connection.connection.cursor()
    with cursor, cursor.copy(f"COPY users ({', '.join(_columns())}) FROM STDIN") as copy:
        while batch := list(islice(rows, BATCH)):
            for row in batch:
                copy.write_row(row)
            report(len(batch))
    connection.execute(text("SELECT setval(pg_get_serial_sequence('users', 'id'), max(id)) FROM users"))


def _write_to_sqlite(connection: Connection, rows: Iterator[Row], report: Report) -> None:
    columns = _columns()
    text_at, *moments = (columns.index(name) for name in ("search_text", "date_joined", "last_login"))
    marks = ", ".join("?" * len(columns))
    insert = f"INSERT INTO users ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
    while batch := [list(row) for row in islice(rows, BATCH)]:
        for row in batch:
            for place in moments:
                # As SQLAlchemy writes it: UTC, without saying so.
                row[place] = row[place] and row[place].isoformat(" ", "microseconds")[:26]
        connection.exec_driver_sql(insert, [tuple(row) for row in batch])
        indexes.fill_on_sqlite(connection, ((row[0], row[text_at]) for row in batch))
        report(len(batch))


WRITERS = {"postgresql": _write_to_postgresql, "sqlite": _write_to_sqlite}


@contextmanager
def _indexes_aside(connection: Connection, number: int, report: Report, *, worth_it: bool) -> Iterator[None]:
    """Build them once, afterwards, instead of a million times; inside the transaction nobody sees them gone."""
    database.begin_to_write(connection)
    aside = connection.execute(text(KEPT_ASIDE[connection.dialect.name])).all() if worth_it else []
    for removal, _ in reversed(aside):
        connection.exec_driver_sql(removal)
    yield
    done = 0
    for place, (_, definition) in enumerate(aside, start=1):
        connection.exec_driver_sql(definition)
        report(number * place // len(aside) - done)
        done = number * place // len(aside)
    report(number - done)


#: What can be put aside: how it is removed, and how it is made again, in this order. Primary keys stay: other tables
#: refer to them. A foreign key that is made again is checked by one join instead of row by row.
KEPT_ASIDE = {
    "postgresql": (
        "SELECT removal, definition FROM ("
        " SELECT 1 AS place, format('DROP INDEX %I', indexname) AS removal, indexdef AS definition FROM pg_indexes"
        " WHERE schemaname = current_schema() AND tablename IN ('users', 'identities')"
        " AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE contype IN ('p', 'u'))"
        " UNION ALL SELECT CASE contype WHEN 'u' THEN 2 ELSE 3 END,"
        " format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),"
        " format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))"
        " FROM pg_constraint WHERE contype IN ('u', 'f') AND conrelid IN ('users'::regclass, 'identities'::regclass)"
        ") aside ORDER BY place, removal"
    ),
    "sqlite": (
        "SELECT 'DROP ' || type || ' ' || name, sql FROM sqlite_master WHERE type IN ('index', 'trigger')"
        " AND tbl_name IN ('users', 'identities') AND sql IS NOT NULL"
    ),
}
