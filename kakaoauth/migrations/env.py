"""Alembic's entry: runs the migrations on the connection that kakaoauth.storage.schema has given."""

from typing import Any

from alembic import context

from kakaoauth.staff.listing.indexes import is_in_models
from kakaoauth.storage.database import Base
from kakaoauth.storage.schema import VERSION_TABLE, compare_type


def is_ours(thing: Any, name: str | None, kind: str, *rest: Any) -> bool:
    """Whatever else is in the database is the app's."""
    return is_in_models(thing, name, kind, *rest) and (kind != "table" or name in Base.metadata.tables)


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=compare_type,
    include_object=is_ours,
)
with context.begin_transaction():
    context.run_migrations()
