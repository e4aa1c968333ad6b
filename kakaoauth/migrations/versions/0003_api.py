"""The API: our own tokens, the keys that sign them, passwords of local superusers, answers to erasure requests."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
moment = sa.DateTime(timezone=True)


def upgrade():
    op.add_column("users", sa.Column("own_fields", sa.String(100), nullable=False, server_default=""))
    op.add_column("users", sa.Column("password_hash", sa.String(255)))
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.String(43), nullable=False),
        sa.Column("algorithm", sa.String(10), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("retires_at", moment),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_signing_keys")),
    )
    op.create_table(
        "token_families",
        sa.Column("id", big_id, primary_key=True),
        sa.Column("user_id", big_id, nullable=False),
        sa.Column("session_version", sa.Integer(), nullable=False),
        sa.Column("salt", sa.String(43), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("previous_hash", sa.String(64)),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("rotated_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("ends_at", moment, nullable=False),
        sa.Column("agent", sa.String(200), nullable=False),
        sa.Column("address", sa.String(45), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_token_families_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token_families")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_token_families_user_id"), "token_families", ["user_id"])
    op.create_index(op.f("ix_token_families_expires_at"), "token_families", ["expires_at"])
    op.create_table(
        "data_deletions",
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("provider", sa.String(20), nullable=False),
        sa.Column("requested_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_data_deletions")),
    )


def downgrade():
    op.drop_table("data_deletions")
    op.drop_table("token_families")
    op.drop_table("signing_keys")
    op.drop_column("users", "password_hash")
    op.drop_column("users", "own_fields")
