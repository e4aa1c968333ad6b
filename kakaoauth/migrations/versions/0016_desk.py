"""Suspensions that end by themselves, with words for the person; the staff's notes, tags and saved filters."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
moment = sa.DateTime(timezone=True)


def _of_a_user(table, column):
    return sa.ForeignKeyConstraint([column], ["users.id"], name=op.f(f"fk_{table}_{column}_users"), ondelete="CASCADE")


def upgrade():
    op.add_column("users", sa.Column("suspended_until", moment))
    op.add_column("users", sa.Column("suspension_text", sa.String(300)))
    op.add_column("suspensions", sa.Column("until", moment))
    op.create_index(op.f("ix_suspensions_until"), "suspensions", ["until"])
    op.create_table(
        "staff_notes",
        sa.Column("id", big_id, primary_key=True),
        sa.Column("user_id", big_id, nullable=False),
        sa.Column("author_id", big_id, nullable=False),
        sa.Column("text", sa.String(1000), nullable=False),
        sa.Column("written_at", moment, nullable=False),
        _of_a_user("staff_notes", "user_id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_notes")),
    )
    op.create_index(op.f("ix_staff_notes_user_id"), "staff_notes", ["user_id"])
    op.create_table(
        "user_tags",
        sa.Column("tag", sa.String(30), nullable=False),
        sa.Column("user_id", big_id, nullable=False),
        _of_a_user("user_tags", "user_id"),
        sa.PrimaryKeyConstraint("tag", "user_id", name=op.f("pk_user_tags")),
    )
    op.create_index(op.f("ix_user_tags_user_id"), "user_tags", ["user_id"])
    op.create_table(
        "saved_filters",
        sa.Column("id", big_id, primary_key=True),
        sa.Column("owner_id", big_id, nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("query", sa.String(600), nullable=False),
        _of_a_user("saved_filters", "owner_id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_filters")),
    )
    op.create_index(op.f("ix_saved_filters_owner_id"), "saved_filters", ["owner_id"])


def downgrade():
    for table in ("saved_filters", "user_tags", "staff_notes"):
        op.drop_table(table)
    op.drop_index(op.f("ix_suspensions_until"), "suspensions")
    op.drop_column("suspensions", "until")
    op.drop_column("users", "suspension_text")
    op.drop_column("users", "suspended_until")
