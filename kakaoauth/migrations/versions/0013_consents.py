"""What people have agreed to."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
moment = sa.DateTime(timezone=True)


def upgrade():
    op.create_table(
        "user_consents",
        sa.Column("id", big_id, primary_key=True),
        sa.Column("user_id", big_id, nullable=False),
        sa.Column("term", sa.String(50), nullable=False),
        sa.Column("version", sa.String(50), nullable=False),
        sa.Column("agreed_at", moment, nullable=False),
        sa.Column("withdrawn_at", moment),
        sa.Column("source", sa.String(20), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_user_consents_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_consents")),
    )
    op.create_index("ix_user_consents_user_id", "user_consents", ["user_id"])
    in_force = sa.text("withdrawn_at IS NULL")
    op.create_index(
        "uq_user_consents_in_force",
        "user_consents",
        ["user_id", "term", "version"],
        unique=True,
        postgresql_where=in_force,
        sqlite_where=in_force,
    )


def downgrade():
    op.drop_table("user_consents")
