"""The providers' tokens, encrypted at rest (`storage.encryption`).

There is one row for each login, so that a logout ends the tokens of that login only. A row that no key decrypts counts
as no row: nobody is locked out.
"""

import hmac
from base64 import b64encode
from datetime import datetime, timedelta
from hashlib import sha512
from typing import Any

from sqlalchemy import ForeignKey, delete, select
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from kakaoauth.models import Identity
from kakaoauth.providers.values import TokenSet
from kakaoauth.storage.columns import BigId, UtcDateTime, now
from kakaoauth.storage.database import Base, db
from kakaoauth.storage.encryption import Encrypted, decrypt, encrypt

#: How many refresh tokens are looked through for one that is named by a part of it: each has to be decrypted, which is
#: a second for all of them. One that is not found stays until it ends by itself; nothing can be done with it.
LOOKED_THROUGH = 20_000
#: Characters of a refresh token by which Google names it.
PREFIX = 16
#: Seconds a refresh token lives where the provider does not say: Kakao's two months.
REFRESH_SECONDS = 60 * 86400


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


def put(identity: Identity, tokens: TokenSet) -> ProviderToken:
    """Add the tokens of a login to the transaction. Expired ones go with `kakaoauth.retention`."""
    row = ProviderToken(identity=identity, **row_of(tokens))
    db.session.add(row)
    return row


def row_of(tokens: TokenSet) -> dict[str, Any]:
    """Return what `put` stores, for a statement that stores it."""
    return {"refresh_token": None, "refresh_expires_at": tokens.expires_at, **_encrypted(tokens)}


def write(row: ProviderToken, tokens: TokenSet) -> None:
    """Store refreshed tokens. Without a new refresh token the old one stays valid (RFC 6749, section 6)."""
    for name, value in _encrypted(tokens).items():
        setattr(row, name, value)


def _encrypted(tokens: TokenSet) -> dict[str, Any]:
    found = {"access_token": encrypt(tokens.access_token), "expires_at": tokens.expires_at}
    if tokens.refresh_token is None:
        return found
    ends = tokens.refresh_expires_at or now() + timedelta(seconds=REFRESH_SECONDS)
    return {**found, "refresh_token": encrypt(tokens.refresh_token), "refresh_expires_at": ends}


def read(row: ProviderToken) -> TokenSet | None:
    """Return the decrypted tokens; None if no key decrypts them."""
    access_token = decrypt(row.access_token)
    if access_token is None:
        return None
    refresh_token = decrypt(row.refresh_token) if row.refresh_token else None
    return TokenSet(access_token, row.expires_at, refresh_token, row.refresh_expires_at)


def find(token_id: int) -> ProviderToken | None:
    """Return a row with its identity."""
    query = select(ProviderToken).where(ProviderToken.id == token_id).options(joinedload(ProviderToken.identity))
    return db.session.scalar(query)


def of_identity(identity: Identity) -> list[ProviderToken]:
    """Return the rows of an identity, the newest first."""
    query = select(ProviderToken).where(ProviderToken.identity_id == identity.id).order_by(ProviderToken.id.desc())
    return list(db.session.scalars(query))


def of_user(user_id: int) -> list[ProviderToken]:
    """Return the rows of all identities of a user, the newest first."""
    query = select(ProviderToken).join(Identity).where(Identity.user_id == user_id).order_by(ProviderToken.id.desc())
    return list(db.session.scalars(query.options(joinedload(ProviderToken.identity))))


def forget(token_ids: list[int]) -> None:
    """Delete rows by statement: another request may have deleted one already."""
    db.session.execute(delete(ProviderToken).where(ProviderToken.id.in_(token_ids)))


def forget_all(identity_ids: list[int]) -> None:
    """Delete all rows of these identities."""
    db.session.execute(delete(ProviderToken).where(ProviderToken.identity_id.in_(identity_ids)))


def forget_named(provider: str, how: str, name: str) -> int | None:
    """Delete the row of a refresh token that the provider does not name in full. Return its user; None: none is kept.

    :param how: as in RISC, `prefix` (its first 16 characters) or `hash_base64_sha512_sha512`.
    """
    query = (
        select(ProviderToken.id, ProviderToken.refresh_token, Identity.user_id)
        .join(Identity)
        .where(Identity.provider == provider, ProviderToken.refresh_token.is_not(None))
        .order_by(ProviderToken.id.desc())
        .limit(LOOKED_THROUGH)
    )
    found = [row for row in db.session.execute(query) if _is_named(decrypt(row.refresh_token) or "", how, name)]
    forget([row.id for row in found])  # the rows of several logins may hold the same one
    return found[0].user_id if found else None


def _is_named(token: str, how: str, name: str) -> bool:
    if how == "prefix":
        return len(name) == PREFIX and hmac.compare_digest(token[:PREFIX].encode(), name.encode())
    if how == "hash_base64_sha512_sha512":
        digest = b64encode(sha512(sha512(token.encode()).digest()).digest())
        return hmac.compare_digest(digest, name.encode())
    return False
