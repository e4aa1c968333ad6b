"""One object by one statement and nothing around it, for what every page reads.

The session's own way to read costs PostgreSQL four round trips: a question whether the connection lives, BEGIN, the
statement, ROLLBACK. Here the connection comes from the same pool, reads in autocommit, and goes back at once. A
connection that has died is noticed by its error; then the session reads, in its own way.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from sqlalchemy import Engine, PoolProxiedConnection, Select, inspect
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, make_transient_to_detached

T = TypeVar("T")

#: This thread reads quickly: the pool need not ask whether a connection lives.
_reads_quickly: ContextVar[bool] = ContextVar("kakaoauth_reads_quickly", default=False)


class NotQuickly(Exception):
    """The session has to read, because it is in a transaction, is special in some way, or the connection has died."""


class QuickRead(Generic[T]):
    """A query for one whole object of a model, with `bindparam`s for its values."""

    def __init__(self, model: type[T], query: Select[tuple[T]]) -> None:
        self._model = model
        self._query = query
        self._prepared: tuple[str, list[tuple[str, Callable[[Any], Any] | None]]] | None = None

    def read(self, session: Session, **values: Any) -> T | None:
        """Return the object, a member of `session` as if that had read it; None if there is none.

        :raises NotQuickly: read it by the session.
        """
        engine = self._engine(session)
        row = _fetch(engine, self._statement(engine)[0], values)
        if row is None:
            return None
        found: Any = self._model()
        fields = vars(found)
        for (key, convert), value in zip(self._statement(engine)[1], row, strict=True):
            fields[key] = value if convert is None else convert(value)
        make_transient_to_detached(found)
        session.add(found)
        return found  # type: ignore[no-any-return]

    def _engine(self, session: Session) -> Engine:
        """The engine that the session would use. :raises NotQuickly: it would not do just what is done here."""
        listens = session.dispatch.do_orm_execute or session.dispatch.after_begin
        # What a transaction has changed, only its own connection sees; what is loaded already stays one object.
        if listens or session.in_transaction() or len(session.identity_map):
            raise NotQuickly
        bind = session.get_bind(self._model, clause=self._query)
        if not isinstance(bind, Engine) or not is_plain(bind):
            raise NotQuickly
        return bind

    def _statement(self, engine: Engine) -> tuple[str, list[tuple[str, Callable[[Any], Any] | None]]]:
        """The statement's text, and how each column's value becomes the attribute's."""
        if self._prepared is None:
            columns = inspect(self._model).column_attrs
            converters = [(one.key, one.columns[0].type.result_processor(engine.dialect, None)) for one in columns]
            self._prepared = (str(self._query.compile(dialect=engine.dialect)), converters)
        return self._prepared


def is_plain(engine: Engine) -> bool:
    """Whether a statement may go to psycopg without SQLAlchemy's own steps."""
    if not isinstance(engine.dialect, PGDialect_psycopg) or engine.dialect.is_async:
        return False
    # Whoever listens to statements, or has set how the engine executes them, would not know of this one.
    heard = engine.dispatch
    return not (
        heard.before_cursor_execute
        or heard.after_cursor_execute
        or heard.before_execute
        or engine.get_execution_options()
    )


def spare_the_ping(engine: Engine) -> None:
    """Let the pool of this engine hand out connections for quick reads without asking whether they live, where it asks
    at all (`pool_pre_ping`)."""
    dialect: Any = engine.dialect
    ask = dialect.do_ping
    dialect.do_ping = lambda driver: _reads_quickly.get() or ask(driver)


def checked_out(engine: Engine) -> PoolProxiedConnection:
    """Return a connection of the pool that was not asked whether it lives. :raises DBAPIError: there is none."""
    dbapi_error = engine.dialect.loaded_dbapi.Error
    token = _reads_quickly.set(True)
    try:
        return engine.raw_connection()
    except dbapi_error as error:  # trying twice would take twice the time
        raise DBAPIError.instance(None, None, error, dbapi_error, dialect=engine.dialect) from error
    finally:
        _reads_quickly.reset(token)


def _fetch(engine: Engine, statement: str, values: dict[str, Any]) -> Any:
    dbapi_error = engine.dialect.loaded_dbapi.Error
    pooled = checked_out(engine)
    driver: Any = pooled.dbapi_connection
    was_autocommit = driver.autocommit
    try:
        driver.autocommit = True
        try:
            return driver.execute(statement, values).fetchone()
        finally:
            if not driver.closed:
                driver.autocommit = was_autocommit
    except dbapi_error as error:
        if engine.dialect.is_disconnect(error, driver, None):
            pooled.invalidate(error)
            engine.dispose()  # the others have died with it
        raise NotQuickly from None
    finally:
        pooled.close()
