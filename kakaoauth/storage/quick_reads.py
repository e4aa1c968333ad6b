"""Several quick reads by one statement, for a page that shows much of one person.

Each keeps its own query. PostgreSQL packs the rows of each into a JSON array, so that one row brings all of them.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.orm import Session

from kakaoauth.storage.columns import UtcDateTime
from kakaoauth.storage.quick_read import Convert, NotQuickly, QuickRead, _fetch, converted, made

#: A value's name in a statement's text, as SQLAlchemy writes it for psycopg.
NAME = re.compile(r"%\((\w+)\)s")
#: A column that is given the name that it has: psycopg takes a text of 4,096 characters or more apart each time anew.
SAME = re.compile(r"\b(\w+\.(\w+)) AS \2\b")


class Asked(NamedTuple):
    """A query for whole objects, and the values for it."""

    read: QuickRead[Any]
    values: dict[str, Any]

    def all(self, session: Session) -> Sequence[Any]:
        """As `QuickRead.all`."""
        return self.read.all(session, **self.values)


def together(session: Session, *asked: Asked) -> list[Sequence[Any]]:
    """Return what `all` of each would give."""
    if not asked:
        return []
    try:
        return _by_one_statement(session, asked)
    except NotQuickly:
        return [one.all(session) for one in asked]


def _by_one_statement(session: Session, asked: Sequence[Asked]) -> list[Sequence[Any]]:
    engine = asked[0].read._engine(session)
    texts, values = [], {}
    for number, (read, given) in enumerate(asked):
        text, fixed, *_ = read._statement(engine)
        texts.append(text)
        values.update({f"{name}_{number}": value for name, value in {**fixed, **given}.items()})
    (row,) = _fetch(engine, _joined(*texts), values)
    return [_objects(one.read, msgspec.json.decode(packed or "[]")) for one, packed in zip(asked, row, strict=True)]


@lru_cache(maxsize=32)
def _joined(*texts: str) -> str:
    short = [SAME.sub(r"\1", text) for text in texts]
    named = [NAME.sub(rf"%(\1_{number})s", text) for number, text in enumerate(short)]
    return "SELECT " + ", ".join(f"(SELECT CAST(json_agg(r) AS text) FROM ({one}) r)" for one in named)  # noqa: S608


def _objects(read: QuickRead[Any], rows: Iterable[dict[str, Any]]) -> list[Any]:
    names, conversions = _columns(read)
    return [made(read._mapper, names, converted(row.values(), conversions)) for row in rows]


@lru_cache(maxsize=32)
def _columns(read: QuickRead[Any]) -> tuple[list[str], list[tuple[int, Convert]]]:
    """As the prepared ones, from what JSON has: a moment is a text there."""
    assert read._prepared is not None
    moments = [isinstance(column.type, UtcDateTime) for column in read._query.selected_columns]
    return read._prepared.names, [
        (number, _moment if moments[number] else convert) for number, convert in read._prepared.conversions
    ]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
