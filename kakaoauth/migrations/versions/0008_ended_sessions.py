"""Sessions that were ended are remembered here too; and what the list of users goes by is kept by triggers.

On PostgreSQL the site goes on meanwhile: the keys are looked at in batches, each committed, and the index is built
concurrently. Ended half-way, it can be run again.
"""

import unicodedata
from contextlib import nullcontext

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BATCH = 2_000

POSTGRESQL_FUNCTION = r"""
CREATE OR REPLACE FUNCTION keep_list_keys() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  NEW.nickname_key := nullif(left(lower(btrim(NEW.nickname)), 100), '');
  NEW.search_text := lower(
    concat_ws(E'\n', NEW.email_key, nullif(btrim(NEW.nickname), ''), nullif(btrim(NEW.name), '')));
  NEW.keys_are_stale := true;
  RETURN NEW;
END $$"""
POSTGRESQL_TRIGGERS = (
    "CREATE TRIGGER users_keys_insert BEFORE INSERT ON users FOR EACH ROW"
    " WHEN (NEW.search_text = '' AND coalesce(NEW.email_key, NEW.nickname, NEW.name) IS NOT NULL)"
    " EXECUTE FUNCTION keep_list_keys()",
    "CREATE TRIGGER users_keys_update BEFORE UPDATE OF email_key, nickname, name ON users FOR EACH ROW"
    " WHEN ((OLD.email_key, OLD.nickname, OLD.name) IS DISTINCT FROM (NEW.email_key, NEW.nickname, NEW.name)"
    " AND (OLD.nickname_key, OLD.search_text) IS NOT DISTINCT FROM (NEW.nickname_key, NEW.search_text))"
    " EXECUTE FUNCTION keep_list_keys()",
)

ADD_GRAMS = (
    "INSERT INTO user_search (rowid, grams) VALUES (new.id,"
    " (WITH RECURSIVE at(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM at WHERE n < length(new.search_text))"
    " SELECT group_concat(substr(new.search_text || char(10, 10), n, 3), char(31)) FROM at));"
)
KEEP = (
    "UPDATE users SET keys_are_stale = 1, nickname_key = nullif(lower(trim(new.nickname)), ''),"
    " search_text = trim(coalesce(lower(new.email_key) || char(10), '') ||"
    " coalesce(lower(trim(new.nickname)) || char(10), '') || coalesce(lower(trim(new.name)), ''), char(10))"
    " WHERE id = new.id"
)
IS_UNKNOWN = "new.search_text = '' AND coalesce(new.email_key, new.nickname, new.name) IS NOT NULL"
SQLITE_SEARCH_INSERT = (
    f"CREATE TRIGGER user_search_insert AFTER INSERT ON users BEGIN {ADD_GRAMS} {KEEP} AND {IS_UNKNOWN}; END"
)
SQLITE_INSERT = f"CREATE TRIGGER users_keys_insert AFTER INSERT ON users WHEN {IS_UNKNOWN} BEGIN {KEEP}; END"
SQLITE_UPDATE = (
    "CREATE TRIGGER users_keys_update AFTER UPDATE OF email_key, nickname, name ON users"
    " WHEN (old.email_key IS NOT new.email_key OR old.nickname IS NOT new.nickname OR old.name IS NOT new.name)"
    f" AND old.search_text IS new.search_text AND old.nickname_key IS new.nickname_key BEGIN {KEEP}; END"
)

users = sa.table(
    "users",
    *(sa.column(name) for name in ("id", "email_key", "nickname", "name", "nickname_key", "search_text")),
    sa.column("keys_are_stale", sa.Boolean()),
)


def upgrade():
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    with op.get_context().autocommit_block() if on_postgresql else nullcontext():
        op.create_table(
            "ended_sessions",
            sa.Column("name", sa.String(64), nullable=False),
            sa.Column("until", sa.DateTime(timezone=True), nullable=False),
            sa.PrimaryKeyConstraint("name", name=op.f("pk_ended_sessions")),
            if_not_exists=on_postgresql,
        )
        op.create_index("ix_ended_sessions_until", "ended_sessions", ["until"], if_not_exists=on_postgresql)
        op.add_column(
            "users",
            sa.Column("keys_are_stale", sa.Boolean(), nullable=False, server_default=sa.false()),
            if_not_exists=on_postgresql,
        )
        create_triggers(on_postgresql)
        mend(op.get_bind())
        create_index(on_postgresql)


def create_triggers(on_postgresql):
    """Before the rows are looked at, so that a row that is written meanwhile is not missed."""
    if on_postgresql:
        op.execute(POSTGRESQL_FUNCTION)
        for name, trigger in zip(("insert", "update"), POSTGRESQL_TRIGGERS, strict=True):
            op.execute(f"DROP TRIGGER IF EXISTS users_keys_{name} ON users")
            op.execute(trigger)
        return
    op.execute(SQLITE_UPDATE)
    if sa.inspect(op.get_bind()).has_table("user_search"):
        op.execute("DROP TRIGGER IF EXISTS user_search_insert")
        op.execute(SQLITE_SEARCH_INSERT)
    else:
        op.execute(SQLITE_INSERT)


def create_index(on_postgresql):
    if on_postgresql:
        # One that was left half-built by a run that ended has this name, but serves nobody.
        op.execute("DROP INDEX IF EXISTS ix_users_keys_are_stale")
    op.create_index(
        "ix_users_keys_are_stale",
        "users",
        ["id"],
        postgresql_where=sa.text("keys_are_stale = true"),
        sqlite_where=sa.text("keys_are_stale = 1"),
        postgresql_concurrently=on_postgresql,
    )


def mend(connection):
    """Bring up to date what the version before has written since 0004: only rows that are not, in batches."""
    sources = (users.c.email_key, users.c.nickname, users.c.name)
    unchanged = [column.is_not_distinct_from(sa.bindparam(f"old_{column.name}")) for column in sources]
    change = sa.update(users).where(users.c.id == sa.bindparam("number"), *unchanged)
    change = change.values(
        nickname_key=sa.bindparam("key"), search_text=sa.bindparam("text"), keys_are_stale=sa.false()
    )
    batch = sa.select(users.c.id, *sources, users.c.nickname_key, users.c.search_text).order_by(users.c.id).limit(BATCH)
    last = 0
    while rows := connection.execute(batch.where(users.c.id > last)).all():
        last = rows[-1].id
        found = [(row, keys_of(row.email_key, row.nickname, row.name)) for row in rows]
        changes = [
            {"number": row.id, "old_email_key": row.email_key, "old_nickname": row.nickname, "old_name": row.name}
            | {"key": key, "text": text}
            for row, (key, text) in found
            if (row.nickname_key, row.search_text) != (key, text)
        ]
        if changes:
            connection.execute(change, changes)


def keys_of(email_key, nickname, name):
    texts = [comparable(text or "") for text in (email_key, nickname, name)]
    return texts[1][:100] or None, "\n".join(dict.fromkeys(filter(None, texts)))


def comparable(text):
    line = " ".join(text.split())
    if not line.isprintable():
        line = "".join(char for char in line if unicodedata.category(char) not in ("Cc", "Cs"))
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", line).casefold())


def downgrade():
    if op.get_bind().dialect.name == "postgresql":
        for name in ("insert", "update"):
            op.execute(f"DROP TRIGGER users_keys_{name} ON users")
        op.execute("DROP FUNCTION keep_list_keys()")
    else:
        for trigger in ("users_keys_insert", "users_keys_update", "user_search_insert"):
            op.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        if sa.inspect(op.get_bind()).has_table("user_search"):
            op.execute(f"CREATE TRIGGER user_search_insert AFTER INSERT ON users BEGIN {ADD_GRAMS} END")
    op.drop_index("ix_users_keys_are_stale", "users")
    op.drop_column("users", "keys_are_stale")
    op.drop_table("ended_sessions")
