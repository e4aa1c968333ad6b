"""Suspensions that outlive an account, identities that accounts had, and until when an account waits for its owner."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
moment = sa.DateTime(timezone=True)

#: Accounts that wait today are given the time that one made today has. Not those that a provider's message left without
#: an identity: nobody has opened them, and their address may have another owner by now.
WAITING = """
UPDATE users SET claimable_until = :until
WHERE provider IS NULL AND email_key IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM identities WHERE identities.user_id = users.id)
  AND NOT (is_superuser AND last_login IS NOT NULL)
  AND NOT EXISTS (
    SELECT 1 FROM audit_events WHERE audit_events.target_id = users.id AND action = 'unlinked by provider')
"""


def upgrade():
    op.add_column("users", sa.Column("claimable_until", moment))
    until = sa.bindparam("until", datetime.now(UTC) + timedelta(days=7), type_=moment)
    op.execute(sa.text(WAITING).bindparams(until))
    op.create_table(
        "suspensions",
        sa.Column("id", big_id, primary_key=True),
        sa.Column("user_id", big_id, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("key_id", sa.String(8), nullable=False),
        sa.Column("kept_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suspensions")),
        sa.UniqueConstraint("user_id", "key_hash", name=op.f("uq_suspensions_user_id")),
    )
    op.create_index(op.f("ix_suspensions_key_hash"), "suspensions", ["key_hash"])
    op.create_table(
        "former_identities",
        sa.Column("id", big_id, primary_key=True),
        sa.Column("user_id", big_id, nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("email_hash", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_former_identities_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_former_identities")),
        sa.UniqueConstraint("user_id", "key_hash", name=op.f("uq_former_identities_user_id")),
    )
    op.create_index(op.f("ix_former_identities_key_hash"), "former_identities", ["key_hash"])


def downgrade():
    op.drop_table("former_identities")
    op.drop_table("suspensions")
    op.drop_column("users", "claimable_until")
