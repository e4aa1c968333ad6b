"""Compute the list's keys of rows that an older version of the site has written: see listing.triggers."""

from sqlalchemy import select, update

from kakaoauth.models import User, list_keys
from kakaoauth.staff.listing.indexes import ARE_STALE
from kakaoauth.storage.database import db
from kakaoauth.storage.transaction import transaction

#: Rows in one transaction.
BATCH = 500


def mend_list_keys() -> int:
    """Compute the keys of marked rows. Return how many rows were marked."""
    mended = 0
    while batch := _mend_batch():
        mended += batch
        if batch < BATCH:
            break
    return mended


@transaction
def _mend_batch() -> int:
    sources = (User.email_key, User.nickname, User.name)
    rows = db.session.execute(select(User.id, *sources).where(ARE_STALE).order_by(User.id).limit(BATCH)).all()
    for user_id, *texts in rows:
        # What has changed since it was read is marked again, or has its keys.
        same = [column.is_not_distinct_from(text) for column, text in zip(sources, texts, strict=True)]
        mend = update(User).where(User.id == user_id, *same).values(**list_keys(*texts), keys_are_stale=False)
        db.session.execute(mend.execution_options(synchronize_session=False))
    return len(rows)
