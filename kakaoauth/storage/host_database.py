"""The database that the app has already: what we need of it, and what its tables may not do."""

from typing import Any, Protocol
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, MetaData, Table, event
from sqlalchemy.orm import scoped_session

from kakaoauth.config.checks import ConfigError

#: Tables of apps that were given to us, and ours, to which they may refer.
_hosts: "WeakKeyDictionary[MetaData, MetaData]" = WeakKeyDictionary()


class HostDatabase(Protocol):
    """What we need of the app's database, and Flask-SQLAlchemy has."""

    @property
    def session(self) -> scoped_session[Any]:
        """One session for each app context."""

    @property
    def engine(self) -> Engine:
        """The current app's engine."""


def engine_of(host: HostDatabase) -> Engine:
    """:raises ConfigError: it does not know the current app, or has no database that is nobody's in particular."""
    try:
        return host.engine
    except RuntimeError:
        raise ConfigError("db does not know this app: call db.init_app(app) before kakaoauth's init_app") from None
    except KeyError:
        raise ConfigError(
            "db has databases for bind keys only, and kakaoauth's tables have none: set SQLALCHEMY_DATABASE_URI"
        ) from None


def check_tables(host: HostDatabase, ours: MetaData) -> None:
    """Check the tables that the app has defined by now.

    :raises ConfigError: one has the name of one of ours.
    """
    metadata = getattr(host, "metadata", None)
    if not isinstance(metadata, MetaData) or metadata is ours:
        return
    for name in sorted(metadata.tables.keys() & ours.tables.keys()):
        raise ConfigError(
            f"the app's table {name!r} has the name of one of kakaoauth's: give it another __tablename__, or keep"
            " kakaoauth's tables in a database of their own (db=False and DATABASE_URL)"
        )
    _hosts[metadata] = ours
    for table in list(metadata.tables.values()):
        _find_ours(table, metadata)


@event.listens_for(Table, "after_parent_attach")
def _find_ours(table: Table, metadata: Any) -> None:
    """Let a foreign key of the app's say "users.id": by name SQLAlchemy looks for tables of the app's own db only."""
    ours = _hosts.get(metadata)
    if ours is None:
        return
    for key in table.foreign_keys:
        name, _, column = key.target_fullname.rpartition(".")
        if name in ours.tables and column in ours.tables[name].columns and name not in metadata.tables:
            key._set_target_column(ours.tables[name].columns[column])
