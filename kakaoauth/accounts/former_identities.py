"""Identities that were removed from an account that stays, as keyed hashes.

An account can outlive the identity whose provider told its e-mail address. If that provider later says that the address
belongs to somebody else, the account must be found.
"""

from sqlalchemy import ForeignKey, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from kakaoauth.models import Identity, User
from kakaoauth.storage import keyed_hashes
from kakaoauth.storage.columns import BigId
from kakaoauth.storage.database import Base, db


class FormerIdentity(Base):
    """An identity that was cut from an account, with the address the account had then. Only keyed hashes of both."""

    __tablename__ = "former_identities"
    __table_args__ = (UniqueConstraint("user_id", "key_hash"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id", ondelete="CASCADE"))
    key_hash: Mapped[str] = mapped_column(String(64), index=True)
    email_hash: Mapped[str] = mapped_column(String(64))


def keep(user: User, identity: Identity) -> None:
    """Remember an identity before it is removed. The caller's transaction has locked the user."""
    if user.email_key is None:
        return
    hashes = [one.hash for one in keyed_hashes.of_identity(identity.provider, identity.subject)]
    email_hash = keyed_hashes.of_email(user.email_key)[0].hash
    query = select(FormerIdentity).where(FormerIdentity.user_id == user.id, FormerIdentity.key_hash.in_(hashes))
    row = db.session.scalar(query.limit(1))
    if row is None:
        db.session.add(FormerIdentity(user_id=user.id, key_hash=hashes[0], email_hash=email_hash))
    else:
        row.email_hash = email_hash


def owner(provider: str, subject: str) -> User | None:
    """Return the account that had this identity, if its e-mail address still is the one from then."""
    hashes = [one.hash for one in keyed_hashes.of_identity(provider, subject)]
    query = select(User, FormerIdentity.email_hash).join(FormerIdentity, FormerIdentity.user_id == User.id)
    for user, email_hash in db.session.execute(query.where(FormerIdentity.key_hash.in_(hashes))):
        if user.email_key and email_hash in [one.hash for one in keyed_hashes.of_email(user.email_key)]:
            return user
    return None
