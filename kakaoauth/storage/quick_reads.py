"""Several quick reads by one statement, for a page that shows much of one person.

Each keeps its own query. PostgreSQL packs the rows of each into a JSON array, so that one row brings all of them.
"""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from kakaoauth.storage.columns import UtcDateTime
from kakaoauth.storage.quick_read import Convert, NotQuickly, QuickRead, _fetch

#: A value's name in a statement's text, as SQLAlchemy writes it for psycopg.
NAME = re.compile(r"%\((\w+)\)s")


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
        text, fixed, _ = read._statement(engine)
        texts.append(text)
        values.update({f"{name}_{number}": value for name, value in {**fixed, **given}.items()})
    (row,) = _fetch(engine, _joined(*texts), values)
    return [_objects(one.read, json.loads(packed or "[]")) for one, packed in zip(asked, row, strict=True)]


@lru_cache(maxsize=32)
def _joined(*texts: str) -> str:
    named = [NAME.sub(rf"%(\1_{number})s", text) for number, text in enumerate(texts)]
    return "SELECT " + ", ".join(f"(SELECT CAST(json_agg(r) AS text) FROM ({one}) r)" for one in named)  # noqa: S608


def _objects(read: QuickRead[Any], rows: Iterable[dict[str, Any]]) -> list[Any]:
    found = []
    for row in rows:
        one = read._model()
        fields = vars(one)
        for (key, convert), value in zip(_columns(read), row.values(), strict=True):
            fields[key] = value if convert is None or value is None else convert(value)
        found.append(one)
    return found


@lru_cache(maxsize=32)
def _columns(read: QuickRead[Any]) -> list[tuple[str, Convert | None]]:
    """As the prepared ones, from what JSON has: a moment is a text there."""
    assert read._prepared is not None
    return [
        (key or "", _moment if isinstance(column.type, UtcDateTime) else convert)
        for (key, convert), column in zip(read._prepared.columns, read._query.selected_columns, strict=True)
    ]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
