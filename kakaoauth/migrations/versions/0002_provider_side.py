"""The providers' side: tokens, unlinks that wait, messages that came."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
moment = sa.DateTime(timezone=True)


def upgrade():
    op.create_table(
        "provider_tokens",
        sa.Column("id", big_id, primary_key=True),
        sa.Column("identity_id", big_id, nullable=False),
        sa.Column("access_token", sa.Text(), nullable=False),
        sa.Column("refresh_token", sa.Text()),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("refresh_expires_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["identity_id"],
            ["identities.id"],
            name=op.f("fk_provider_tokens_identity_id_identities"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_tokens")),
    )
    op.create_index(op.f("ix_provider_tokens_identity_id"), "provider_tokens", ["identity_id"])
    op.create_table(
        "unlink_jobs",
        sa.Column("id", big_id, primary_key=True),
        sa.Column("provider", sa.String(20), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("access_token", sa.Text()),
        sa.Column("refresh_token", sa.Text()),
        sa.Column("token_expires_at", moment),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("next_try_at", moment, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(100)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unlink_jobs")),
    )
    op.create_index(op.f("ix_unlink_jobs_next_try_at"), "unlink_jobs", ["next_try_at"])
    op.create_table(
        "provider_events",
        sa.Column("id", big_id, primary_key=True),
        sa.Column("provider", sa.String(20), nullable=False),
        sa.Column("jti", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(100), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("happened_at", moment, nullable=False),
        sa.Column("received_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_events")),
        sa.UniqueConstraint("provider", "jti", name=op.f("uq_provider_events_provider")),
    )
    op.create_index(op.f("ix_provider_events_subject"), "provider_events", ["subject"])
    op.create_index(op.f("ix_provider_events_received_at"), "provider_events", ["received_at"])


def downgrade():
    op.drop_table("provider_events")
    op.drop_table("unlink_jobs")
    op.drop_table("provider_tokens")
