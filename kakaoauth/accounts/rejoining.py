"""Who has left by themselves may not sign up again for KAKAOAUTH_REJOIN_BLOCK_DAYS.

They are known again by keyed hashes, in the table of suspensions. An account that is deleted by a superuser leaves
none: whoever is to stay out is suspended first.
"""

from datetime import datetime, timedelta

from flask import current_app

from kakaoauth.accounts import suspensions
from kakaoauth.models import User
from kakaoauth.storage.columns import now


def ends_at(user: User) -> datetime | None:
    """Return until when this person may not sign up again if they leave now, or have closed the account; None: they
    may at once. It counts from the day they closed it."""
    days: int = current_app.config["KAKAOAUTH_REJOIN_BLOCK_DAYS"]
    end = (user.closed_at or now()) + timedelta(days=days)
    return end if days and end > now() else None


def keep(user: User) -> None:
    """Remember a person who leaves by themselves, before the account is erased. Within the caller's transaction."""
    end = ends_at(user)
    if end is not None:
        suspensions.keep(user, ends_at=end)
