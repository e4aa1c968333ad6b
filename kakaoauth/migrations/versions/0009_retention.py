"""Indexes to find the rows that are over."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INDEXES = (
    ("provider_tokens", "refresh_expires_at"),
    ("data_deletions", "requested_at"),
    ("signing_keys", "retires_at"),
)


def upgrade():
    for table, column in INDEXES:
        op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade():
    for table, column in INDEXES:
        op.drop_index(f"ix_{table}_{column}", table)
