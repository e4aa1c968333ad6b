"""Triggers that fill the list's keys (`models.list_keys`) where an older version of the site writes a row.

During an upgrade, processes of the version before write rows without these columns, or change a name without changing
them. No database can compute the keys as Python does. So a trigger writes an approximation, which finds nearly
everybody, and marks the row; the running site computes the exact keys (`stale_keys.mend_list_keys`).

This version always writes the keys itself. If a changed name has the same keys (Minji became MINJI), the row is marked
without need. Migration 0008 makes the same.
"""

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

_KEEP = (
    "UPDATE users SET keys_are_stale = 1, nickname_key = nullif(lower(trim(new.nickname)), ''),"
    " search_text = trim(coalesce(lower(new.email_key) || char(10), '') ||"
    " coalesce(lower(trim(new.nickname)) || char(10), '') || coalesce(lower(trim(new.name)), ''), char(10))"
    " WHERE id = new.id"
)
_IS_UNKNOWN = "new.search_text = '' AND coalesce(new.email_key, new.nickname, new.name) IS NOT NULL"
#: After the row's trigrams were added, and in the trigger that adds them: the order of two would be SQLite's to choose.
SQLITE_AFTER_INSERT = f" {_KEEP} AND {_IS_UNKNOWN};"
#: For an SQLite that has no such trigger.
SQLITE_INSERT = f"CREATE TRIGGER users_keys_insert AFTER INSERT ON users WHEN {_IS_UNKNOWN} BEGIN {_KEEP}; END"
SQLITE_UPDATE = (
    "CREATE TRIGGER users_keys_update AFTER UPDATE OF email_key, nickname, name ON users"
    " WHEN (old.email_key IS NOT new.email_key OR old.nickname IS NOT new.nickname OR old.name IS NOT new.name)"
    f" AND old.search_text IS new.search_text AND old.nickname_key IS new.nickname_key BEGIN {_KEEP}; END"
)
