"""The list of users: what it sorts and searches by, with an index for each order, rare filter, and the search.

On PostgreSQL the site goes on meanwhile: rows are filled in batches, each committed, and indexes are built
concurrently. Ended half-way, it can be run again.
"""

import logging
import unicodedata
from contextlib import nullcontext

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

log = logging.getLogger("alembic.runtime.migration")

BATCH = 2_000
#: On SQLite a query uses a partial index only if it says the same in the same words.
ON_SQLITE = {
    "is_superuser = true": "is_superuser = 1",
    "is_staff AND NOT is_superuser": "is_staff = 1 AND is_superuser = 0",
    "NOT is_active": "is_active = 0",
}
INDEXES = {
    "ix_users_email_key_id": ("users", ["email_key", "id"], None),
    "ix_users_nickname_key_id": ("users", ["nickname_key", "id"], None),
    "ix_users_last_login_id": ("users", ["last_login", "id"], None),
    "ix_users_provider_date_joined_id": ("users", ["provider", "date_joined", "id"], None),
    "ix_users_superusers": ("users", ["date_joined", "id"], "is_superuser = true"),
    "ix_users_staff": ("users", ["date_joined", "id"], "is_staff AND NOT is_superuser"),
    "ix_users_suspended": ("users", ["date_joined", "id"], "NOT is_active"),
    "ix_identities_subject": ("identities", ["subject"], None),
}

POSTGRESQL_FUNCTION = r"""
CREATE OR REPLACE FUNCTION search_grams(t text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS $$
BEGIN
  RETURN array_to_tsvector(array_remove(string_to_array(
    regexp_replace(t || E'\n\n', '(...)', E'\\1\x1f', 'g') || E'\x1f' ||
    regexp_replace(substr(t, 2) || E'\n\n', '(...)', E'\\1\x1f', 'g') || E'\x1f' ||
    regexp_replace(substr(t, 3) || E'\n\n', '(...)', E'\\1\x1f', 'g'), E'\x1f'), ''));
END $$"""

GRAMS = (
    "(WITH RECURSIVE at(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM at WHERE n < length({row}.search_text))"
    " SELECT group_concat(substr({row}.search_text || char(10, 10), n, 3), char(31)) FROM at)"
)
ADD = "INSERT INTO user_search (rowid, grams) VALUES (new.id, " + GRAMS.format(row="new") + ");"
REMOVE = (
    "INSERT INTO user_search (user_search, rowid, grams) VALUES ('delete', old.id, " + GRAMS.format(row="old") + ");"
)
SQLITE_TABLE = (
    "CREATE VIRTUAL TABLE user_search USING fts5(grams, content='', detail='none', columnsize=0, prefix='1 2',"
    " tokenize=\"unicode61 remove_diacritics 0 categories 'L* M* N* P* S* Z* C*' separators '\x1f'\")"
)
SQLITE_TRIGGERS = (
    f"CREATE TRIGGER user_search_insert AFTER INSERT ON users BEGIN {ADD} END",
    f"CREATE TRIGGER user_search_delete AFTER DELETE ON users BEGIN {REMOVE} END",
    "CREATE TRIGGER user_search_update AFTER UPDATE OF search_text ON users"
    f" WHEN old.search_text <> new.search_text BEGIN {REMOVE} {ADD} END",
)

users = sa.table(
    "users",
    *(sa.column(name) for name in ("id", "email_key", "nickname", "name", "nickname_key", "search_text")),
)


def upgrade():
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    with op.get_context().autocommit_block() if on_postgresql else nullcontext():
        op.add_column("users", sa.Column("nickname_key", sa.String(100)), if_not_exists=on_postgresql)
        op.add_column(
            "users",
            sa.Column("search_text", sa.Text(), nullable=False, server_default=""),
            if_not_exists=on_postgresql,
        )
        fill(op.get_bind())
        for name, (table, columns, where) in INDEXES.items():
            create_index(name, table, columns, where)
        if on_postgresql:
            op.execute(POSTGRESQL_FUNCTION)
            op.execute("DROP INDEX IF EXISTS ix_users_search")
            op.execute(
                "CREATE INDEX CONCURRENTLY ix_users_search ON users USING gin (search_grams(search_text))"
                " WITH (fastupdate = off)"
            )
            op.execute("ANALYZE users")
    if op.get_bind().dialect.name == "sqlite":
        create_search_table()


def fill(connection):
    """In batches, and only rows that are not filled yet."""
    change = sa.update(users).where(users.c.id == sa.bindparam("number"))
    change = change.values(nickname_key=sa.bindparam("key"), search_text=sa.bindparam("text"))
    columns = (users.c.id, users.c.email_key, users.c.nickname, users.c.name)
    batch = sa.select(*columns).where(users.c.search_text == "").order_by(users.c.id).limit(BATCH)
    last = 0
    while rows := connection.execute(batch.where(users.c.id > last)).all():
        last = rows[-1].id
        connection.execute(change, [keys_of(*row) for row in rows])


def keys_of(number, email_key, nickname, name):
    texts = [comparable(text or "") for text in (email_key, nickname, name)]
    return {
        "number": number,
        "key": texts[1][:100] or None,
        "text": "\n".join(dict.fromkeys(filter(None, texts))),
    }


def comparable(text):
    line = " ".join(text.split())
    if not line.isprintable():
        line = "".join(char for char in line if unicodedata.category(char) not in ("Cc", "Cs"))
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", line).casefold())


def create_index(name, table, columns, where):
    if op.get_bind().dialect.name == "postgresql":
        # One that was left half-built by a run that ended has this name, but serves nobody.
        op.execute(f"DROP INDEX IF EXISTS {name}")
        condition = sa.text(where) if where else None
        op.create_index(name, table, columns, postgresql_where=condition, postgresql_concurrently=True)
    else:
        condition = sa.text(ON_SQLITE[where]) if where else None
        op.create_index(name, table, columns, sqlite_where=condition)


def create_search_table():
    try:
        op.execute(SQLITE_TABLE)
    except sa.exc.DatabaseError as error:
        log.warning("this SQLite cannot index the search (%s): it will be slow", error.orig)
        return
    op.execute("INSERT INTO user_search (rowid, grams) SELECT id, " + GRAMS.format(row="users") + " FROM users")
    for trigger in SQLITE_TRIGGERS:
        op.execute(trigger)


def downgrade():
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX ix_users_search")
        op.execute("DROP FUNCTION search_grams(text)")
    if op.get_bind().dialect.name == "sqlite":
        for trigger in ("insert", "delete", "update"):
            op.execute(f"DROP TRIGGER IF EXISTS user_search_{trigger}")
        op.execute("DROP TABLE IF EXISTS user_search")
    for name, (table, *_) in INDEXES.items():
        op.drop_index(name, table)
    op.drop_column("users", "search_text")
    op.drop_column("users", "nickname_key")
