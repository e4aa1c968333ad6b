"""Filters of the user list that staff have kept under a name, each for themselves."""

from collections.abc import Sequence

from sqlalchemy import ForeignKey, String, bindparam, delete, func, select
from sqlalchemy.orm import Mapped, mapped_column

from kakaoauth.models import lock_user
from kakaoauth.storage.columns import MAX_ID, BigId
from kakaoauth.storage.database import Base, db
from kakaoauth.storage.quick_read import QuickRead
from kakaoauth.storage.transaction import transaction

NAME_LENGTH, QUERY_LENGTH = 40, 600
MOST = 20


class SavedFilter(Base):
    __tablename__ = "saved_filters"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    owner_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    #: The query of the list's address.
    query: Mapped[str] = mapped_column(String(QUERY_LENGTH))


_OF_OWNER = QuickRead(
    SavedFilter,
    select(SavedFilter).where(SavedFilter.owner_id == bindparam("owner")).order_by(SavedFilter.id).limit(MOST),
)


def of_owner(owner_id: int) -> Sequence[SavedFilter]:
    """Return somebody's filters, the oldest first."""
    return _OF_OWNER.all(db.session(), owner=owner_id)


@transaction
def save(owner_id: int, name: str, query: str) -> bool:
    """Keep a filter, in place of one with the same name. False: they have MOST already."""
    lock_user(owner_id)
    mine = SavedFilter.owner_id == owner_id
    db.session.execute(delete(SavedFilter).where(mine, SavedFilter.name == name))
    if (db.session.scalar(select(func.count()).where(mine)) or 0) >= MOST:
        return False
    db.session.add(SavedFilter(owner_id=owner_id, name=name, query=query))
    return True


@transaction
def remove(owner_id: int, filter_id: int) -> None:
    """Forget one of somebody's own."""
    chosen = (SavedFilter.owner_id == owner_id, SavedFilter.id == min(filter_id, MAX_ID))
    db.session.execute(delete(SavedFilter).where(*chosen))


def erase(owner_id: int) -> None:
    """Delete all of somebody's whose row stays. Within the caller's transaction."""
    db.session.execute(delete(SavedFilter).where(SavedFilter.owner_id == owner_id))
