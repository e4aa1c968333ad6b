"""Rows that stay although somebody has left, when a provider confirmed a link, messages and unlinks that failed.

On PostgreSQL the index is built while the site goes on; ended half-way, the migration can be run again.
"""

from contextlib import nullcontext

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
moment = sa.DateTime(timezone=True)

#: Unknown for those who are linked already: until their next login, `date_linked` counts instead of `confirmed_at`.
COLUMNS = (
    ("users", "erased_at"),
    ("identities", "confirmed_at"),
    ("unlink_jobs", "held_until"),
    ("unlink_jobs", "given_up_at"),
)


def upgrade():
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    with op.get_context().autocommit_block() if on_postgresql else nullcontext():
        for table, column in COLUMNS:
            op.add_column(table, sa.Column(column, moment), if_not_exists=on_postgresql)
        op.create_table(
            "failed_events",
            sa.Column("id", big_id, primary_key=True),
            sa.Column("provider", sa.String(20), nullable=False),
            sa.Column("jti", sa.String(255), nullable=False),
            sa.Column("kind", sa.String(100), nullable=False),
            sa.Column("subject", sa.String(64), nullable=False),
            sa.Column("happened_at", moment, nullable=False),
            sa.Column("scopes", sa.Text(), nullable=False),
            sa.Column("error", sa.String(100), nullable=False),
            sa.Column("failed_at", moment, nullable=False),
            sa.Column("tries", sa.Integer(), nullable=False),
            sa.PrimaryKeyConstraint("id", name=op.f("pk_failed_events")),
            sa.UniqueConstraint("provider", "jti", name=op.f("uq_failed_events_provider")),
            if_not_exists=True,
        )
        op.create_index("ix_failed_events_failed_at", "failed_events", ["failed_at"], if_not_exists=True)
        op.create_index("ix_unlink_jobs_given_up_at", "unlink_jobs", ["given_up_at"], if_not_exists=True)
        create_index_of_erased()


def create_index_of_erased():
    erased = sa.text("erased_at IS NOT NULL")
    op.execute("DROP INDEX IF EXISTS ix_users_erased")  # half-built by a run that ended
    op.create_index(
        "ix_users_erased",
        "users",
        ["id"],
        postgresql_where=erased,
        postgresql_concurrently=True,
        sqlite_where=erased,
    )


def downgrade():
    op.drop_index("ix_users_erased", "users")
    op.drop_index("ix_unlink_jobs_given_up_at", "unlink_jobs")
    op.drop_table("failed_events")
    for table, column in reversed(COLUMNS):
        op.drop_column(table, column)
