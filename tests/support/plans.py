"""What a database does for a statement."""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, event

from kakaoauth.storage.database import db


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
