"""Objects by one statement and nothing around it, for what every page reads.

The session's own way to read costs PostgreSQL four round trips: a question whether the connection lives, BEGIN, the
statement, ROLLBACK. Here the connection comes from the same pool, reads in autocommit, and goes back at once. A
connection that has died is noticed by its error; then the session reads, in its own way.
"""

from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from threading import Lock
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import Engine, PoolProxiedConnection, Select, inspect
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import Compiled, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapper, Session
from sqlalchemy.orm.attributes import instance_state

T = TypeVar("T")

#: Held while a statement is compiled for the first time. SQLAlchemy fills what it remembers of a statement's parts
#: meanwhile: a second thread would find half of it, and take columns from rows of somebody else's.
COMPILING = Lock()
#: This thread reads quickly: the pool need not ask whether a connection lives.
_reads_quickly: ContextVar[bool] = ContextVar("kakaoauth_reads_quickly", default=False)


Convert = Callable[[Any], Any]


class Prepared(NamedTuple):
    """A statement's text, values that stand in it, the attributes' names of its first columns, and, for some columns,
    how what the driver gives becomes the value."""

    text: str
    values: dict[str, Any]
    names: list[str]
    conversions: list[tuple[int, Convert]]


class NotQuickly(Exception):
    """The session has to read, because it is in a transaction, is special in some way, or the connection has died."""


class QuickRead(Generic[T]):
    """A query for whole objects of one model, with `bindparam`s for its values. More columns may follow."""

    def __init__(self, model: type[T], query: Select[*tuple[Any, ...]]) -> None:
        self._mapper: Mapper[T] = inspect(model)
        self._query = query
        self._is_compiled = False
        self._prepared: Prepared | None = None

    def read(self, session: Session, **values: Any) -> T | None:
        """Return the object, a member of `session` as if that had read it; None if there is none.

        :raises NotQuickly: read it by the session.
        """
        row = self.read_row(session, **values)
        return row[0] if row else None

    def read_row(self, session: Session, **values: Any) -> tuple[Any, ...] | None:
        """As `read`, with the columns that follow."""
        if len(session.identity_map):  # what is loaded already stays one object
            raise NotQuickly
        rows = self._rows(session, values)
        if not rows:
            return None
        join(session, rows[0][0])
        return rows[0]

    def all(self, session: Session, **values: Any) -> Sequence[T]:
        """Return all objects, to be looked at only: if read here, they are no members of the session."""
        return [row[0] for row in self.all_rows(session, **values)]

    def all_rows(self, session: Session, **values: Any) -> Sequence[Sequence[Any]]:
        """As `all`, each with the columns that follow. Where an outer join finds no object, its id is None here, and
        the session gives None in its place."""
        try:
            return self._rows(session, values)
        except NotQuickly:
            if not self._is_compiled:
                self._compile(session.get_bind(self._mapper, clause=self._query).dialect)
            return session.execute(self._query, values).all()

    def _rows(self, session: Session, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        engine = self._engine(session)
        text, given, names, conversions = self._statement(engine)
        found = []
        for row in _fetch(engine, text, {**given, **values}):
            columns = converted(row, conversions)
            found.append((made(self._mapper, names, columns), *columns[len(names) :]))
        return found

    def _engine(self, session: Session) -> Engine:
        """The engine that the session would use. :raises NotQuickly: it would not do just what is done here."""
        heard = session.dispatch
        if heard.do_orm_execute or heard.after_begin:
            raise NotQuickly
        # What a transaction has changed, or is about to, only its own connection sees.
        begun = session.get_transaction()
        if begun is not None and getattr(begun, "_connections", True):
            raise NotQuickly
        if begun is not None and (begun.nested or session.new or session.dirty or session.deleted):
            raise NotQuickly
        bind = session.get_bind(self._mapper, clause=self._query)
        if not isinstance(bind, Engine) or not is_plain(bind):
            raise NotQuickly
        return bind

    def _statement(self, engine: Engine) -> "Prepared":
        if self._prepared is None:
            compiled = self._compile(engine.dialect)
            keys = {one.columns[0].key: one.key for one in self._mapper.column_attrs}
            columns = list(self._query.selected_columns)
            names = [keys.pop(column.key or "") for column in columns[: len(keys)]]
            processors = [column.type.result_processor(engine.dialect, None) for column in columns]
            conversions: list[tuple[int, Convert]] = [(number, one) for number, one in enumerate(processors) if one]
            given = {name: value for name, value in compiled.params.items() if value is not None}
            self._prepared = Prepared(str(compiled), given, names, conversions)
        return self._prepared

    def _compile(self, dialect: Dialect) -> Compiled:
        with COMPILING:
            compiled = self._query.compile(dialect=dialect)
            self._is_compiled = True
        return compiled


def converted(row: Iterable[Any], conversions: Iterable[tuple[int, Convert]]) -> list[Any]:
    """Return the values of a row's columns. :param conversions: see `Prepared`."""
    columns = list(row)
    for number, convert in conversions:
        if columns[number] is not None:
            columns[number] = convert(columns[number])
    return columns


def made(mapper: Mapper[T], names: Sequence[str], columns: Sequence[Any]) -> T:
    """Return an object as if it had been read. :param columns: the values of `names`; more may follow."""
    one: T = mapper.class_manager.new_instance()
    vars(one).update(zip(names, columns, strict=False))
    return one


def join(session: Session | None, one: object) -> None:
    """Make an object that was `made` a member of `session`, as one that it has read; without one it is detached.

    `Session.add` does much more, for objects with a past.
    """
    state: Any = instance_state(one)
    state.key = state.mapper.identity_key_from_instance(one)
    if session is not None:
        state.session_id = session.hash_key
        session.identity_map.add(state)


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


def cursor_of(pooled: PoolProxiedConnection, statement: str) -> Any:
    """Return the connection's cursor for a statement's text: one that gets the same text again knows how to send the
    values and to read the columns."""
    driver: Any = pooled.dbapi_connection
    return pooled.info.get(statement) or pooled.info.setdefault(statement, driver.cursor())


def give_up(engine: Engine, pooled: PoolProxiedConnection, error: BaseException) -> None:
    """Close a connection that has died, and have the others of its time replaced when they are next asked for.

    As SQLAlchemy does it itself, though not in public. Its `dispose` makes a new pool, and what another thread has in
    hand would come back to the old one and never be closed.
    """
    engine.pool._invalidate(pooled, error)


def _fetch(engine: Engine, statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    dbapi_error = engine.dialect.loaded_dbapi.Error
    pooled = checked_out(engine)
    driver: Any = pooled.dbapi_connection
    was_autocommit = driver.autocommit
    try:
        driver.set_autocommit(True)
        try:
            return cursor_of(pooled, statement).execute(statement, values).fetchall()  # type: ignore[no-any-return]
        finally:
            if not driver.closed:
                driver.set_autocommit(was_autocommit)
    except dbapi_error as error:
        if engine.dialect.is_disconnect(error, driver, None):
            give_up(engine, pooled, error)
        raise NotQuickly from None
    finally:
        pooled.close()
