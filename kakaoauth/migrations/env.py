"""Alembic's entry: runs the migrations against the app's database, offline mode left out because nobody needs it."""

import time

from alembic import context
from flask import current_app
from sqlalchemy import Connection

from kakaoauth.staff.listing.indexes import is_in_models

db = current_app.extensions["migrate"].db


def wait_for_turn(connection: Connection) -> None:
    """Two deployments at once: the second waits here, then finds nothing left to do.

    It asks again and again, because a waiting statement would be waited for in turn by an index that is built
    CONCURRENTLY, and PostgreSQL would end one of the two as a deadlock.
    """
    while not connection.exec_driver_sql("SELECT pg_try_advisory_lock(7091311)").scalar():
        connection.commit()
        time.sleep(0.2)
    connection.commit()


def run() -> None:
    with db.engine.connect() as connection:
        on_postgresql = connection.dialect.name == "postgresql"
        if on_postgresql:
            connection.connection.dbapi_connection.bounded = False
            connection.exec_driver_sql("SET statement_timeout = 0")
            connection.exec_driver_sql("SET lock_timeout = 0")
            wait_for_turn(connection)
        context.configure(
            connection=connection,
            target_metadata=db.metadata,
            render_as_batch=connection.dialect.name == "sqlite",
            compare_type=True,
            include_object=is_in_models,
        )
        try:
            with context.begin_transaction():
                context.run_migrations()
        finally:
            if on_postgresql:
                # The lock and the settings end with the connection, so it does not go back into the pool.
                connection.invalidate()


run()
