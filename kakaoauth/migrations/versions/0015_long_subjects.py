"""Providers' ids of up to 255 characters (OpenID Connect Core, section 2), and addresses that take no mail.

Longer texts need no rewriting of a table on PostgreSQL; SQLite takes any length as it is.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TABLES = ("identities", "unlink_jobs", "provider_events", "failed_events")


def upgrade():
    if op.get_bind().dialect.name != "sqlite":
        for table in TABLES:
            op.alter_column(table, "subject", type_=sa.String(255), existing_nullable=False)
    op.add_column("users", sa.Column("email_undeliverable_at", sa.DateTime(timezone=True)))


def downgrade():
    op.drop_column("users", "email_undeliverable_at")
