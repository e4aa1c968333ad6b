"""Several statements on one connection of PostgreSQL's, each a transaction and one round trip: what every login does.

As in `quick_read`, a statement's text is made once and goes to the driver itself. The first one shows whether the
connection lives.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine, Select
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

from kakaoauth.storage.quick_read import COMPILING, NotQuickly, checked_out, cursor_of, give_up, is_plain

Convert = Callable[[Any], Any] | None


class Direct:
    """A connection, to be given back by `close`."""

    def __init__(self, engine: Engine) -> None:
        """:raises NotQuickly: whoever listens to this engine's statements would not know of these.
        :raises DBAPIError: no connection.
        """
        if not is_plain(engine):
            raise NotQuickly
        self._engine = engine
        self._has_answered = False
        self._pooled: Any = checked_out(engine)
        driver: Any = self._pooled.dbapi_connection
        self._driver, self._was_autocommit = driver, driver.autocommit
        driver.set_autocommit(True)
        driver.only_pings = False  # see `database.BoundedConnection`

    def first(self, query: Select[Any], values: Mapping[str, Any]) -> Any:
        """Return the first row, a named tuple; None if there is none.

        :raises NotQuickly: the connection has died before this, its first statement. :raises DBAPIError:
        """
        text, binds, converters, row_of = _prepared(query, self._engine.dialect)
        given = {
            name: values.get(name, value) if convert is None else convert(values.get(name, value))
            for name, convert, value in binds
        }
        row = self._execute(text, given)
        if row is None:
            return None
        return row_of(
            *[value if convert is None else convert(value) for value, convert in zip(row, converters, strict=True)]
        )

    def _execute(self, text: str, given: dict[str, Any]) -> Any:
        dialect = self._engine.dialect
        dbapi_error = dialect.loaded_dbapi.Error
        try:
            row = cursor_of(self._pooled, text).execute(text, given).fetchone()
        except dbapi_error as error:
            is_dead = dialect.is_disconnect(error, self._driver, None)
            if is_dead:
                give_up(self._engine, self._pooled, error)
                if not self._has_answered:
                    raise NotQuickly from None
            raise DBAPIError.instance(
                None, None, error, dbapi_error, connection_invalidated=is_dead, dialect=dialect
            ) from error
        self._has_answered = True
        return row

    def close(self) -> None:
        """Give the connection back to the pool as it was."""
        if not self._driver.closed:
            self._driver.only_pings = True
            self._driver.set_autocommit(self._was_autocommit)
        self._pooled.close()


@lru_cache(maxsize=32)
def _prepared(
    query: Select[Any], dialect: Dialect
) -> tuple[str, list[tuple[str, Convert, Any]], list[Convert], Callable[..., Any]]:
    """The statement's text; of each value its name, how it is sent, and what it is unless given; how each column is
    read; what a row is made of."""
    with COMPILING:
        compiled = query.compile(dialect=dialect)
    names: dict[Any, str] = compiled.bind_names
    binds = [
        (name, bind.type.dialect_impl(dialect).bind_processor(dialect), bind.value) for bind, name in names.items()
    ]
    columns = list(query.selected_columns)
    converters: list[Convert] = [one.type.dialect_impl(dialect).result_processor(dialect, None) for one in columns]
    row_of = namedtuple("Row", [one.key or "" for one in columns], rename=True)  # type: ignore[misc]
    return str(compiled), binds, converters, row_of
