"""Accounts that their owner has closed, and until when somebody who has left may not sign up again.

On PostgreSQL the index is built concurrently, so the site goes on writing. Ended half-way, it can be run again.
"""

from contextlib import nullcontext

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

COLUMNS = (("users", "closed_at"), ("users", "erase_at"), ("suspensions", "ends_at"))
INDEXES = {"ix_users_erase_at": ("users", "erase_at"), "ix_suspensions_ends_at": ("suspensions", "ends_at")}


def upgrade():
    bind = op.get_bind()
    inspector = sa.inspect(bind)
    for table, column in COLUMNS:
        if column not in {one["name"] for one in inspector.get_columns(table)}:
            op.add_column(table, sa.Column(column, sa.DateTime(timezone=True)))
    on_postgresql = bind.dialect.name == "postgresql"
    with op.get_context().autocommit_block() if on_postgresql else nullcontext():
        for name, (table, column) in INDEXES.items():
            if on_postgresql:
                # One that was left half-built by a run that ended has this name, but serves nobody.
                op.execute(f"DROP INDEX IF EXISTS {name}")
            condition = sa.text(f"{column} IS NOT NULL")
            op.create_index(
                name,
                table,
                [column],
                postgresql_where=condition,
                sqlite_where=condition,
                postgresql_concurrently=on_postgresql,
            )


def downgrade():
    for name, (table, _column) in INDEXES.items():
        op.drop_index(name, table)
    for table, column in COLUMNS:
        op.drop_column(table, column)
