"""When a provider was last asked for somebody's profile: an id_token that says nothing new is enough for a while."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("identities", sa.Column("profile_read_at", sa.DateTime(timezone=True)))


def downgrade():
    op.drop_column("identities", "profile_read_at")
