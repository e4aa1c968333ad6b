"""Alembic's entry: runs the migrations against the app's database, offline mode left out because nobody needs it."""

from alembic import context
from flask import current_app

db = current_app.extensions["migrate"].db


def run() -> None:
    with db.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            # Two deployments at once: the second waits here, then finds nothing left to do. The lock and the settings
            # end with the connection, so it does not go back into the pool.
            connection.detach()
            connection.connection.dbapi_connection.bounded = False
            connection.exec_driver_sql("SET statement_timeout = 0")
            connection.exec_driver_sql("SET lock_timeout = 0")
            connection.exec_driver_sql("SELECT pg_advisory_lock(7091311)")
            connection.commit()
        context.configure(
            connection=connection,
            target_metadata=db.metadata,
            render_as_batch=connection.dialect.name == "sqlite",
            compare_type=True,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
