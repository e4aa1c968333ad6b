"""Column types for both databases, and their clock."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, DateTime, Integer, TypeDecorator, any_, func, literal
from sqlalchemy.engine import Dialect

from kakaoauth.storage.database import db

#: 64 bits everywhere; SQLite counts up only in a column it calls INTEGER, which is 64 bits there.
BigId = BigInteger().with_variant(Integer(), "sqlite")
#: PostgreSQL's bigint. A larger number is nobody's id, and asking for it is an error there.
MAX_ID = 2**63 - 1


def now() -> datetime:
    """By the clock of this machine. What two machines must agree on goes by `database_now`."""
    return datetime.now(UTC)


def database_now() -> ColumnElement[datetime]:
    """The moment by the database's clock, which is the same for every machine that asks.

    SQLite stands on this machine and has its clock. PostgreSQL's `now()` would be when the transaction began.
    """
    if db.session.get_bind().dialect.name == "postgresql":
        return func.clock_timestamp(type_=UtcDateTime())
    return literal(now(), UtcDateTime())


def among(column: Any, values: Iterable[Any]) -> ColumnElement[bool]:
    """Whether the column has one of many values. On PostgreSQL they are one array: to write a thousand parameters into
    a statement takes longer than to look for them."""
    if db.session.get_bind().dialect.name == "postgresql":
        found: ColumnElement[bool] = column == any_(literal(list(values), ARRAY(column.type)))
        return found
    return column.in_(list(values))  # type: ignore[no-any-return]


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, always in UTC and always aware; SQLite forgets the zone, this puts it back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; a moment without a zone counts as local time."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return an aware moment in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
