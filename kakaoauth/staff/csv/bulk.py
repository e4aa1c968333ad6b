"""Many rows at once, inside a transaction: new users whose ids the database gives, by the fastest way each has."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from kakaoauth.models import Identity, User
from kakaoauth.staff.listing import indexes
from kakaoauth.storage import database
from kakaoauth.storage.database import db
from kakaoauth.terms.consents import Consent

Row = Mapping[str, Any]

USERS: Table = User.__table__  # type: ignore[assignment]
IDENTITIES: Table = Identity.__table__  # type: ignore[assignment]
CONSENTS: Table = Consent.__table__  # type: ignore[assignment]


def insert_users(rows: Sequence[Row]) -> list[int]:
    """Return their ids, in the order of the rows. Each row has the same columns, those of the search among them."""
    connection = db.session.connection()
    if connection.dialect.name == "postgresql":
        return _copy_users(connection, rows)
    if connection.dialect.name == "sqlite":
        return _insert_on_sqlite(connection, rows)
    return list(connection.scalars(insert(USERS).returning(USERS.c.id, sort_by_parameter_order=True), rows))


def insert_identities(rows: Sequence[Row]) -> None:
    """Insert rows of `identities` inside the running transaction."""
    _insert(IDENTITIES, rows)


def insert_consents(rows: Sequence[Row]) -> None:
    """Insert rows of `user_consents` inside the running transaction."""
    _insert(CONSENTS, rows)


def _insert(table: Table, rows: Sequence[Row]) -> None:
    connection = db.session.connection()
    if connection.dialect.name == "postgresql":
        _copy(connection, table, rows)
    elif rows:
        connection.execute(insert(table), rows)


def _copy_users(connection: Connection, rows: Sequence[Row]) -> list[int]:
    take = select(func.nextval(func.pg_get_serial_sequence("users", "id"))).select_from(
        func.generate_series(1, len(rows)).table_valued("n")
    )
    ids = list(connection.scalars(take))
    with indexes.filled_at_once_on_postgresql(connection):
        _copy(connection, USERS, [{"id": user_id, **row} for user_id, row in zip(ids, rows, strict=True)])
    return ids


def _copy(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """COPY, because an INSERT of so many values takes longer to be written than to be done."""
    if not rows:
        return
    rest = defaults(table, besides=rows[0])
    columns = ", ".join((*rows[0], *rest))
    cursor: Any = connection.connection.cursor()
    with cursor, cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row((*row.values(), *rest.values()))


def defaults(table: Table, *, besides: Collection[str]) -> dict[str, Any]:
    """What a row holds in the columns that are not given, as far as it is the same for every row."""
    return {
        column.name: column.default.arg
        for column in table.columns
        if column.name not in besides and isinstance(column.default, ScalarElementColumnDefault)
    }


def _insert_on_sqlite(connection: Connection, rows: Sequence[Row]) -> list[int]:
    """There is one writer at a time and ids only grow, so these rows have the largest ones."""
    database.begin_to_write(connection)
    with indexes.filled_by_hand_on_sqlite(connection):
        connection.execute(insert(USERS), rows)
        ids = list(connection.scalars(select(USERS.c.id).order_by(USERS.c.id.desc()).limit(len(rows))))[::-1]
        indexes.fill_on_sqlite(connection, zip(ids, (row["search_text"] for row in rows), strict=True))
    return ids
