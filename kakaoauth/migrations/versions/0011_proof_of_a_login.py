"""How old the proof behind a login with tokens is, where that is known. Without it the login itself counts."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("token_families", sa.Column("proven_at", sa.DateTime(timezone=True)))


def downgrade():
    op.drop_column("token_families", "proven_at")
