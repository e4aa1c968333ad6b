"""The audit trail by two or three filters at once: an index for each choice of action, provider and "refused".

On PostgreSQL they are built concurrently, so the site goes on writing. Ended half-way, it can be run again.
"""

from contextlib import nullcontext

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

REFUSED = "result = 'refused'"
INDEXES = {
    "ix_audit_events_action_provider": (["action", "provider", "at", "id"], None),
    "ix_audit_events_refused_action": (["action", "at", "id"], REFUSED),
    "ix_audit_events_refused_provider": (["provider", "at", "id"], REFUSED),
    "ix_audit_events_refused_action_provider": (["action", "provider", "at", "id"], REFUSED),
}


def upgrade():
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    with op.get_context().autocommit_block() if on_postgresql else nullcontext():
        for name, (columns, where) in INDEXES.items():
            condition = sa.text(where) if where else None
            if on_postgresql:
                # One that was left half-built by a run that ended has this name, but serves nobody.
                op.execute(f"DROP INDEX IF EXISTS {name}")
            op.create_index(
                name,
                "audit_events",
                columns,
                postgresql_where=condition,
                sqlite_where=condition,
                postgresql_concurrently=on_postgresql,
            )


def downgrade():
    for name in INDEXES:
        op.drop_index(name, "audit_events")
