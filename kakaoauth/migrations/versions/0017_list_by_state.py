"""The list of users by state in each order, and who agrees to a term: indexes.

On PostgreSQL they are built concurrently, so the site goes on writing. Ended half-way, it can be run again.
"""

from contextlib import nullcontext

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

KEYS = ("date_joined", "email_key", "nickname_key", "last_login")
STATES = {"kept_out": "closed_at IS NULL AND erased_at IS NULL", "closed": "closed_at IS NOT NULL"}
INDEXES = {
    f"ix_users_{state}_{key}_id": ("users", [key, "id"], f"{{inactive}} AND {condition}")
    for state, condition in STATES.items()
    for key in KEYS
}
INDEXES["ix_user_consents_term"] = ("user_consents", ["term", "version", "user_id"], "withdrawn_at IS NULL")


def upgrade():
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    inactive = "NOT is_active" if on_postgresql else "is_active = 0"
    with op.get_context().autocommit_block() if on_postgresql else nullcontext():
        for name, (table, columns, where) in INDEXES.items():
            condition = sa.text(where.format(inactive=inactive))
            if on_postgresql:
                # One that was left half-built by a run that ended has this name, but serves nobody.
                op.execute(f"DROP INDEX IF EXISTS {name}")
            op.create_index(
                name,
                table,
                columns,
                postgresql_where=condition,
                sqlite_where=condition,
                postgresql_concurrently=on_postgresql,
            )


def downgrade():
    for name, (table, *_) in INDEXES.items():
        op.drop_index(name, table)
