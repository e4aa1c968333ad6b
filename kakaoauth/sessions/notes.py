"""What a session keeps of somebody who is not logged in: who has shown to be the owner of a closed account."""

import time
from typing import Any

from flask import session

from kakaoauth.sessions.store import current_session, current_store

#: Seconds in which the owner decides. Afterwards they log in once more.
CLOSING_SECONDS = 600


def keep_closing(account: dict[str, Any], *, sid: str | None = None) -> None:
    """Keep whose closed account this visitor may restore, and store the session at once.

    An anonymous session gets a new id: somebody else may have planted the old one.

    :param account: JSON values. :param sid: as for `sessions.begin`.
    """
    session["_closing"] = {**account, "until": round(time.time()) + CLOSING_SECONDS}
    store, current = current_store(), current_session()
    if "_user_id" in session:
        store.persist(current)
    else:
        session.pop("csrf_token", None)
        store.create(current, sid or store.new_id())


def closing() -> dict[str, Any] | None:
    """Return what `keep_closing` has kept; None: nothing, or it is too old."""
    kept = session.get("_closing")
    if not isinstance(kept, dict) or kept.get("until", 0) < time.time():
        return None
    return kept


def forget_closing() -> None:
    """Drop it."""
    session.pop("_closing", None)
