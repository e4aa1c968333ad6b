"""What each app would compile anew, and each time alike: addresses, templates and statements, compiled once.

By what Werkzeug, Jinja and SQLAlchemy offer for it: a class of rules of one's own, a cache of templates, dialects of
one's own, and a cache of compiled statements that is handed to each connection.
"""

from collections.abc import MutableMapping
from types import CodeType
from typing import Any

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

_rules: dict[Any, dict[str, Any]] = {}
_statements: MutableMapping[Any, Any] = LRUCache(4000)


class SharedRule(Rule):
    """To compile its rules is nine tenths of what making an app costs."""

    def compile(self) -> None:
        assert self.map is not None
        key = (self.rule, self.host, self.subdomain, repr(self.defaults), self.merge_slashes, self.map.host_matching)
        if key not in _rules:
            before = dict(vars(self))
            super().compile()
            made = {name: value for name, value in vars(self).items() if value is not before.get(name)}
            _rules[key] = made | {"arguments": self.arguments}
        vars(self).update(_rules[key])


class TemplatesInMemory(BytecodeCache):
    """Code by what it is made from, which Jinja's own keys and checksums stand for."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code
        self._codes[bucket.key, bucket.checksum] = bucket.code


class Shared:
    """A dialect that is equal to every other of its kind: a statement compiled for one engine serves all."""

    server_version_info: Any

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.server_version_info == getattr(other, "server_version_info", None)

    def __hash__(self) -> int:
        return hash(type(self))


class SharedSQLite(Shared, SQLiteDialect_pysqlite):
    supports_statement_cache = True
    server_version_info = None  # until the first connection


class SharedPostgreSQL(Shared, PGDialect_psycopg):
    supports_statement_cache = True
    server_version_info = None


def share_statements(connection: Connection) -> None:
    """For the event "engine_connect"."""
    connection.execution_options(compiled_cache=_statements)
