"""The audit trail, and what happened how often on which day."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
moment = sa.DateTime(timezone=True)


def upgrade():
    op.create_table(
        "audit_events",
        sa.Column("id", big_id, primary_key=True),
        sa.Column("at", moment, nullable=False),
        sa.Column("action", sa.String(30), nullable=False),
        sa.Column("result", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("actor_id", big_id),
        sa.Column("target_id", big_id),
        sa.Column("provider", sa.String(20), nullable=False),
        sa.Column("source", sa.String(45), nullable=False),
        sa.Column("agent", sa.String(200), nullable=False),
        sa.Column("details", sa.String(500), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_events_at_id", "audit_events", ["at", "id"])
    for column in ("target_id", "actor_id", "action", "provider"):
        op.create_index(f"ix_audit_events_{column}_at_id", "audit_events", [column, "at", "id"])
    refused = sa.text("result = 'refused'")
    op.create_index(
        "ix_audit_events_refused", "audit_events", ["at", "id"], postgresql_where=refused, sqlite_where=refused
    )
    # Whose identity it was; of those that wait already, nobody knows.
    op.add_column("unlink_jobs", sa.Column("user_id", big_id))
    op.create_table(
        "daily_counts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("name", sa.String(30), nullable=False),
        sa.Column("label", sa.String(100), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "name", "label", name=op.f("pk_daily_counts")),
    )


def downgrade():
    op.drop_table("daily_counts")
    op.drop_table("audit_events")
    op.drop_column("unlink_jobs", "user_id")
