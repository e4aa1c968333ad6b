"""Texts that are kept encrypted (Fernet), and the columns that hold them."""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import Any, cast

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from flask import Flask, current_app
from sqlalchemy import Column, Table, Text, TypeDecorator, select, update
from sqlalchemy.engine import Dialect

from kakaoauth.storage.database import Base, db
from kakaoauth.storage.keys import derive

#: How whatever Fernet makes begins: version 0x80 and a time of this century.
MARK = "gAAAA"


class Encrypted(TypeDecorator[str]):
    """A column for what `encrypt` returns, and nothing else: plain text is refused.

    The type also says which columns are encrypted anew when the keys change (`encrypted_columns`).
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """:raises ValueError: not encrypted."""
        if value is not None and not value.startswith(MARK):
            raise ValueError("this column holds what is encrypted only")
        return value


def init_app(app: Flask) -> None:
    keys = app.config["KAKAOAUTH_TOKEN_KEYS"] or [_derived(app.config["SECRET_KEY"])]
    app.extensions["kakaoauth.encryption"] = MultiFernet([Fernet(key) for key in keys])


def _derived(secret: str) -> bytes:
    return urlsafe_b64encode(derive("token vault", secret))


def encrypt(text: str) -> str:
    """Encrypt with the newest key."""
    return _cipher().encrypt(text.encode()).decode()


def decrypt(encrypted: str) -> str | None:
    """Return the text; None if none of the configured keys made it."""
    try:
        return _cipher().decrypt(encrypted.encode()).decode()
    except InvalidToken:
        return None


def encrypted_columns() -> dict[Table, list[Column[Any]]]:
    """Return the `Encrypted` columns of every table that has any."""
    found = {
        table: [column for column in table.columns if isinstance(column.type, Encrypted)]
        for _, table in sorted(Base.metadata.tables.items())
    }
    return {table: columns for table, columns in found.items() if columns}


def reencrypt_batch(table: Table, columns: Sequence[Column[Any]], last: Any, size: int) -> tuple[int, int, Any]:
    """Encrypt the next rows anew with the first key. Return how many were, how many hold what no key opens, and the
    last one's primary key; None: there are no more.

    :param last: the primary key to go on after; None: from the beginning.
    """
    (key,) = table.primary_key.columns
    query = select(key, *columns).order_by(key).limit(size)
    rows = db.session.execute(query if last is None else query.where(key > last)).all()
    done = lost = 0
    for number, *encrypted in rows:
        held = {column: value for column, value in zip(columns, encrypted, strict=True) if value is not None}
        opened = {column: decrypt(value) for column, value in held.items()}
        anew = {column.name: encrypt(value) for column, value in opened.items() if value is not None}
        lost += len(anew) < len(held)
        done += 0 < len(anew) == len(held)
        if anew:
            # What has been renewed since it was read is newer.
            same = [column == value for column, value in held.items()]
            db.session.execute(update(table).where(key == number, *same).values(anew))
    return done, lost, rows[-1][0] if rows else None


def _cipher() -> MultiFernet:
    return cast(MultiFernet, current_app.extensions["kakaoauth.encryption"])
