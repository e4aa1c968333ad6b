"""What a database does for a statement."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Connection, event

from kakaoauth import create_app
from kakaoauth.staff.csv import bulk
from kakaoauth.storage.database import db
from support.apps import close


@contextmanager
def filled_app(url: str, folder: Path, redis_url: str, fill: Callable[[], object]) -> Iterator[Flask]:
    """An app for a whole module; `fill` writes the rows whose plans are looked at.

    Outside its context: of two that stay open, the one that was opened last would answer for both.
    """
    app = create_app(
        {"SECRET_KEY": "x" * 40, "DATABASE_URL": url, "REDIS_URL": redis_url, "INSTANCE_PATH": str(folder)}
    )
    with app.app_context():
        db.create_all()
        fill()
    yield app
    close(app)


def write_rows(table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Many rows with the same columns, and commit. By COPY on PostgreSQL, where an INSERT of so many takes seconds."""
    connection = db.session.connection()
    if connection.dialect.name != "postgresql":
        connection.execute(table.insert(), rows)
        db.session.commit()
        return
    whole = [*rows[0], *(rest := bulk.defaults(table, besides=rows[0]))]
    raw: Any = connection.connection
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")  # a busy machine takes longer
    with raw.cursor() as cursor, cursor.copy(f"COPY {table.name} ({', '.join(whole)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row((*row.values(), *rest.values()))
    db.session.commit()


def explained(statement: str, parameters: Any) -> Iterator[dict[str, Any]]:
    """Run a statement on PostgreSQL; the nodes of its plan, with what they have really looked at."""
    answer = db.session.connection().exec_driver_sql(
        f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", parameters
    )
    return nodes(answer.scalar_one()[0]["Plan"])


def statements(act: Callable[[], Any]) -> list[tuple[str, Any]]:
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        seen.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    return seen


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def steps(connection: Connection, statement: str, parameters: Any) -> int:
    """Of SQLite's virtual machine, in thousands of them."""
    taken = [0]

    def count() -> int:
        taken[0] += 1000
        return 0

    raw: Any = connection.connection.dbapi_connection
    raw.set_progress_handler(count, 1000)
    try:
        connection.exec_driver_sql(statement, parameters).all()
    finally:
        raw.set_progress_handler(None, 0)
    return taken[0]
