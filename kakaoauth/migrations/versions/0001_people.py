"""People and the ways they log in."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# 64 bits everywhere; SQLite counts up only in a column it calls INTEGER, which is 64 bits there.
big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
moment = sa.DateTime(timezone=True)


def upgrade():
    op.create_table(
        "users",
        sa.Column("id", big_id, primary_key=True),
        sa.Column("name", sa.String(100)),
        sa.Column("nickname", sa.String(100)),
        sa.Column("age", sa.Integer()),
        sa.Column("age_range", sa.String(10)),
        sa.Column("gender", sa.String(10)),
        sa.Column("profile_image", sa.String(500)),
        sa.Column("provider", sa.String(20)),
        sa.Column("email", sa.String(254)),
        sa.Column("email_key", sa.String(254)),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("is_staff", sa.Boolean(), nullable=False),
        sa.Column("is_superuser", sa.Boolean(), nullable=False),
        sa.Column("date_joined", moment, nullable=False),
        sa.Column("last_login", moment),
        sa.Column("session_version", sa.Integer(), nullable=False),
        sa.CheckConstraint("is_staff OR NOT is_superuser", name=op.f("ck_users_superuser_is_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sa.UniqueConstraint("email_key", name=op.f("uq_users_email_key")),
        sqlite_autoincrement=True,  # no number is given twice: sessions hold them
    )
    op.create_index("ix_users_date_joined_id", "users", ["date_joined", "id"])
    op.create_table(
        "identities",
        sa.Column("id", big_id, primary_key=True),
        sa.Column("provider", sa.String(20), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("user_id", big_id, nullable=False),
        sa.Column("date_linked", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_identities_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
        sa.UniqueConstraint("provider", "subject", name=op.f("uq_identities_provider")),
    )
    op.create_index(op.f("ix_identities_user_id"), "identities", ["user_id"])


def downgrade():
    op.drop_table("identities")
    op.drop_table("users")
