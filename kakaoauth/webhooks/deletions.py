"""Requests to erase what a provider has told us of a person, and their confirmation codes.

A code has to be the same whenever a person asks, and must not be the provider's number for them, which is among the
things that are erased. So it is made from that number with a key of ours, and nothing but the code is stored.
"""

import hmac
from datetime import datetime
from hashlib import sha256

from flask import current_app
from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from kakaoauth.storage import keys
from kakaoauth.storage.columns import UtcDateTime, now
from kakaoauth.storage.database import Base, db

#: Characters of a code: 160 bits, so nobody finds one by trying.
LENGTH = 40


class DataDeletion(Base):
    """One person's request. A second request of the same person keeps the code and gets a new date."""

    __tablename__ = "data_deletions"

    code: Mapped[str] = mapped_column(String(64), primary_key=True)
    provider: Mapped[str] = mapped_column(String(20))
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


def code_for(provider: str, subject: str) -> str:
    """Needs no database: the code can be told while the request itself has to wait."""
    key = keys.derive("data deletion", current_app.config["SECRET_KEY"])
    return hmac.new(key, f"{provider}|{subject}".encode(), sha256).hexdigest()[:LENGTH]


def record(provider: str, subject: str) -> None:
    """Note in this transaction that everything was erased."""
    code = code_for(provider, subject)
    found = find(provider, code)
    if found is None:
        db.session.add(DataDeletion(code=code, provider=provider, requested_at=now()))
        db.session.flush()
    else:
        found.requested_at = now()


def find(provider: str, code: str) -> DataDeletion | None:
    """Return the request with that confirmation code; None if the provider has none."""
    return db.session.scalar(select(DataDeletion).where(DataDeletion.code == code, DataDeletion.provider == provider))
