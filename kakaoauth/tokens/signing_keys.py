"""The keys that sign our access tokens, generated here and stored encrypted in the database.

The newest key of the configured algorithm signs. An older one verifies until its last token has expired. `flask tokens
rotate-keys` rotates.
"""

import json
import secrets
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from joserfc.jwk import ECKey, OctKey, RSAKey
from sqlalchemy import String, bindparam, delete, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column

from kakaoauth.storage import encryption
from kakaoauth.storage.columns import UtcDateTime, now
from kakaoauth.storage.database import Base, db
from kakaoauth.storage.quick_read import QuickRead

Key = OctKey | RSAKey | ECKey

#: Seconds that a key verifies longer than its last token lives: for the clocks of other machines.
LEEWAY = 60


class SigningKey(Base):
    """One key, under its `kid`."""

    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(String(43), primary_key=True)
    algorithm: Mapped[str] = mapped_column(String(10))
    #: The private key as a JWK (RFC 7517), encrypted.
    sealed: Mapped[str] = mapped_column(encryption.Encrypted)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    #: None while it may sign.
    retires_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


def make(algorithm: str) -> SigningKey:
    """Add a new key to the transaction."""
    row = SigningKey(kid=secrets.token_urlsafe(12), algorithm=algorithm)
    row.sealed = encryption.encrypt(json.dumps(_generate(algorithm).as_dict(private=True)))
    db.session.add(row)
    db.session.flush()
    return row


def newest(algorithm: str) -> SigningKey | None:
    """Return the key that signs. One that cannot be decrypted, after a change of SECRET_KEY or KAKAOAUTH_TOKEN_KEYS, is
    skipped."""
    query = select(SigningKey).where(SigningKey.algorithm == algorithm, SigningKey.retires_at.is_(None))
    rows = db.session.scalars(query.order_by(SigningKey.created_at.desc(), SigningKey.kid))
    return next((row for row in rows if key_of(row) is not None), None)


_FIND = QuickRead(
    SigningKey,
    select(SigningKey).where(
        SigningKey.kid == bindparam("kid"),
        or_(SigningKey.retires_at.is_(None), SigningKey.retires_at > bindparam("moment")),
    ),
)


def find(kid: str) -> SigningKey | None:
    """Return a key that still verifies."""
    return next(iter(_FIND.all(db.session(), kid=kid, moment=now())), None)


def key_of(row: SigningKey) -> Key | None:
    """Return the decrypted key; None if no encryption key decrypts it."""
    opened = encryption.decrypt(row.sealed)
    return _import(row.algorithm, opened) if opened is not None else None


def retire_all_but(kid: str, seconds: int) -> None:
    """Let the other keys verify for another `seconds`, and delete those whose time is over."""
    others = SigningKey.kid != kid
    until = now() + timedelta(seconds=seconds + LEEWAY if seconds else 0)
    db.session.execute(delete(SigningKey).where(others, SigningKey.retires_at <= now()))
    sooner = or_(SigningKey.retires_at.is_(None), SigningKey.retires_at > until)
    db.session.execute(update(SigningKey).where(others, sooner).values(retires_at=until))


def published() -> list[dict[str, Any]]:
    """Return the public keys that verify now, as JWKs; HS256 has no public key."""
    query = select(SigningKey).where(
        SigningKey.algorithm != "HS256", or_(SigningKey.retires_at.is_(None), SigningKey.retires_at > now())
    )
    found = []
    for row in db.session.scalars(query.order_by(SigningKey.created_at.desc(), SigningKey.kid)):
        key = key_of(row)
        if key is not None:
            members = {"kid": row.kid, "alg": row.algorithm, "use": "sig"}
            found.append({**key.as_dict(private=False), **members})
    return found


def _generate(algorithm: str) -> Key:
    if algorithm == "RS256":
        return RSAKey.generate_key(2048, auto_kid=False)
    if algorithm == "ES256":
        return ECKey.generate_key("P-256", auto_kid=False)
    return OctKey.generate_key(256, auto_kid=False)


@lru_cache(maxsize=16)
def _import(algorithm: str, opened: str) -> Key:
    # Kept because reading an RSA key takes longer than everything else in a request.
    kind: Any = {"RS256": RSAKey, "ES256": ECKey}.get(algorithm, OctKey)
    key: Key = kind.import_key(json.loads(opened))
    return key
