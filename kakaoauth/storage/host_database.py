"""The database that the app has already: what we need of it, and what its tables may not do."""

from collections.abc import Iterator
from typing import Any, Protocol

from sqlalchemy import Engine, MetaData
from sqlalchemy.exc import NoReferencedTableError
from sqlalchemy.orm import scoped_session

from kakaoauth.config.checks import ConfigError


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

    :raises ConfigError: one has the name of one of ours, or refers to one of ours by name.
    """
    metadata = getattr(host, "metadata", None)
    if not isinstance(metadata, MetaData) or metadata is ours:
        return
    for name in sorted(metadata.tables.keys() & ours.tables.keys()):
        raise ConfigError(
            f"the app's table {name!r} has the name of one of kakaoauth's: give it another __tablename__, or keep"
            " kakaoauth's tables in a database of their own (db=False and DATABASE_URL)"
        )
    for column, target in _references_by_name(metadata, ours):
        raise ConfigError(
            f"{column} refers to {target!r} by name, which its db does not know: write db.ForeignKey(User.id), with"
            " User from kakaoauth"
        )


def _references_by_name(metadata: MetaData, ours: MetaData) -> Iterator[tuple[str, str]]:
    for table in list(metadata.tables.values()):
        for key in table.foreign_keys:
            try:
                _ = key.column
            except NoReferencedTableError:
                if key.target_fullname.rpartition(".")[0] in ours.tables:
                    yield f"{table.name}.{key.parent.name}", key.target_fullname
