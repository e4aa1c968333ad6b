"""The token vault: the only file that reads or writes a provider's tokens, encrypted at rest.

One row a login, so that a logout ends the tokens of that login and of no other. A copy of the database alone opens
nothing: the keys come from TOKEN_KEYS, or from SECRET_KEY where that is not set. Several keys may stand at once;
the first one encrypts, all of them decrypt. A row that no key opens is as good as no row: nobody is locked out.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import Flask, current_app
from sqlalchemy import Column, ForeignKey, Table, Text, TypeDecorator, delete, select, update
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from kakaoauth.config_checks import ConfigError
from kakaoauth.extensions import Base, db
from kakaoauth.models import BigId, Identity, UtcDateTime, now
from kakaoauth.providers.base import TokenSet

#: Seconds a refresh token lives where the provider does not say: Kakao's two months.
REFRESH_SECONDS = 60 * 86400
#: 32 bytes in base64url. Fernet itself reads `key;key` as the first of the two.
KEY = re.compile(r"[A-Za-z0-9_-]{43}=")
#: How whatever Fernet makes begins: version 0x80 and a time of this century.
MARK = "gAAAA"


class Encrypted(TypeDecorator[str]):
    """What `seal` has made, and nothing else: a text in the clear is refused.

    The type also says which columns are encrypted anew when the keys change (`encrypted_columns`).
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """:raises ValueError: not encrypted."""
        if value is not None and not value.startswith(MARK):
            raise ValueError("this column holds what is encrypted only")
        return value


class ProviderToken(Base):
    """The tokens of one login."""

    __tablename__ = "provider_tokens"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    identity_id: Mapped[int] = mapped_column(BigId, ForeignKey("identities.id", ondelete="CASCADE"), index=True)
    access_token: Mapped[str] = mapped_column(Encrypted)
    refresh_token: Mapped[str | None] = mapped_column(Encrypted)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    refresh_expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)

    identity: Mapped[Identity] = relationship()


def init_app(app: Flask) -> None:
    """:raises ConfigError: a key that is none."""
    try:
        keys = [_read_key(key) for key in app.config["TOKEN_KEYS"]] or [Fernet(_derived(app.config["SECRET_KEY"]))]
    except ValueError:
        raise ConfigError(
            "TOKEN_KEYS must be Fernet keys, comma separated, the newest first: make one with"
            " `python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'`"
        ) from None
    app.extensions["vault"] = MultiFernet(keys)


def _read_key(key: str) -> Fernet:
    """:raises ValueError:"""
    if not KEY.fullmatch(key):
        raise ValueError("not a Fernet key")
    return Fernet(key)


def _derived(secret: str) -> bytes:
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"kakaoauth token vault")
    return urlsafe_b64encode(hkdf.derive(secret.encode()))


def seal(text: str) -> str:
    return _cipher().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str | None:
    """None if none of today's keys made it."""
    try:
        return _cipher().decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


def put(identity: Identity, tokens: TokenSet) -> ProviderToken:
    """Keep the tokens of a login, and forget those of this identity that nobody can use any more."""
    db.session.execute(
        delete(ProviderToken).where(
            ProviderToken.identity_id == identity.id,
            ProviderToken.refresh_expires_at < now(),
            ProviderToken.expires_at < now(),
        )
    )
    row = ProviderToken(identity=identity, refresh_expires_at=tokens.expires_at)
    write(row, tokens)
    db.session.add(row)
    db.session.flush()
    return row


def write(row: ProviderToken, tokens: TokenSet) -> None:
    """Store a refreshed set. An answer without a refresh token leaves the old one in force (Kakao, refresh grant)."""
    row.access_token = seal(tokens.access_token)
    row.expires_at = tokens.expires_at
    if tokens.refresh_token is not None:
        row.refresh_token = seal(tokens.refresh_token)
        row.refresh_expires_at = tokens.refresh_expires_at or now() + timedelta(seconds=REFRESH_SECONDS)


def read(row: ProviderToken) -> TokenSet | None:
    access_token = unseal(row.access_token)
    if access_token is None:
        return None
    refresh_token = unseal(row.refresh_token) if row.refresh_token else None
    return TokenSet(access_token, row.expires_at, refresh_token, row.refresh_expires_at)


def find(token_id: int) -> ProviderToken | None:
    query = select(ProviderToken).where(ProviderToken.id == token_id).options(joinedload(ProviderToken.identity))
    return db.session.scalar(query)


def of_identity(identity: Identity) -> list[ProviderToken]:
    """Newest first."""
    query = select(ProviderToken).where(ProviderToken.identity_id == identity.id).order_by(ProviderToken.id.desc())
    return list(db.session.scalars(query))


def of_user(user_id: int) -> list[ProviderToken]:
    query = select(ProviderToken).join(Identity).where(Identity.user_id == user_id).order_by(ProviderToken.id.desc())
    return list(db.session.scalars(query.options(joinedload(ProviderToken.identity))))


def forget(token_ids: list[int]) -> None:
    """By statement: a row that another request has just removed is no error."""
    db.session.execute(delete(ProviderToken).where(ProviderToken.id.in_(token_ids)))


def forget_all(identity_ids: list[int]) -> None:
    db.session.execute(delete(ProviderToken).where(ProviderToken.identity_id.in_(identity_ids)))


def encrypted_columns() -> dict[Table, list[Column[Any]]]:
    """Of every table of the models that has any."""
    found = {
        table: [column for column in table.columns if isinstance(column.type, Encrypted)]
        for _, table in sorted(Base.metadata.tables.items())
    }
    return {table: columns for table, columns in found.items() if columns}


def reseal_batch(table: Table, columns: Sequence[Column[Any]], last: Any, size: int) -> tuple[int, int, Any]:
    """Encrypt the next rows anew with the first key. Return how many were, how many hold what no key opens, and the
    last one's primary key; None: there are no more.

    :param last: the primary key to go on after; None: from the beginning.
    """
    (key,) = table.primary_key.columns
    query = select(key, *columns).order_by(key).limit(size)
    rows = db.session.execute(query if last is None else query.where(key > last)).all()
    done = lost = 0
    for number, *sealed in rows:
        held = {column: value for column, value in zip(columns, sealed, strict=True) if value is not None}
        opened = {column: unseal(value) for column, value in held.items()}
        anew = {column.name: seal(value) for column, value in opened.items() if value is not None}
        lost += len(anew) < len(held)
        done += 0 < len(anew) == len(held)
        if anew:
            # What has been renewed since it was read is newer.
            same = [column == value for column, value in held.items()]
            db.session.execute(update(table).where(key == number, *same).values(anew))
    return done, lost, rows[-1][0] if rows else None


def _cipher() -> MultiFernet:
    return cast(MultiFernet, current_app.extensions["vault"])
