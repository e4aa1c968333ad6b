"""The staff's notes on a user, and the tags they give them. Nobody but staff sees either, and the person in the file
with everything that is held about them."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, String, any_, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column

from kakaoauth import audit
from kakaoauth.models import User, find_user, lock_user
from kakaoauth.storage.columns import MAX_ID, BigId, UtcDateTime, now
from kakaoauth.storage.database import Base, db
from kakaoauth.storage.transaction import transaction
from kakaoauth.text import comparable

#: Characters, as long as the columns; and how many one user has at most.
NOTE_LENGTH, TAG_LENGTH = 1000, 30
MOST_NOTES, MOST_TAGS = 50, 10


class StaffNote(Base):
    __tablename__ = "staff_notes"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    #: No foreign key: the note outlives its author's account.
    author_id: Mapped[int] = mapped_column(BigId)
    text: Mapped[str] = mapped_column(String(NOTE_LENGTH))
    written_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class UserTag(Base):
    __tablename__ = "user_tags"

    tag: Mapped[str] = mapped_column(String(TAG_LENGTH), primary_key=True)
    user_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )


_TAGS = select(UserTag.user_id, UserTag.tag).order_by(UserTag.tag)
_TAGS_OF = _TAGS.where(UserTag.user_id.in_(bindparam("ids", expanding=True)))
#: As PostgreSQL takes a list: one text, however many.
_TAGS_OF_ARRAY = _TAGS.where(UserTag.user_id == any_(bindparam("ids", type_=postgresql.ARRAY(BigId))))


def clean_tag(text: str) -> str:
    """A tag as it is kept and looked for: one line, small letters, without what parts two tags."""
    return comparable(text.replace(",", " "))[:TAG_LENGTH].strip()


def notes_of(user_id: int) -> Sequence[StaffNote]:
    """Return a user's notes, the newest first."""
    query = select(StaffNote).where(StaffNote.user_id == user_id)
    return db.session.scalars(query.order_by(StaffNote.id.desc()).limit(MOST_NOTES)).all()


def tags_of(user_ids: Iterable[int]) -> dict[int, list[str]]:
    """Return many users' tags by one statement."""
    found: dict[int, list[str]] = {}
    ids = list(user_ids)
    if not ids:
        return found
    is_postgres = db.session.get_bind().dialect.name == "postgresql"
    for user_id, tag in db.session.execute(_TAGS_OF_ARRAY if is_postgres else _TAGS_OF, {"ids": ids}).all():
        found.setdefault(user_id, []).append(tag)
    return found


@transaction
def add_note(user_id: int, text: str, *, by: int) -> bool:
    """Add a note. False: there is no such user any more, or they have MOST_NOTES."""
    lock_user(user_id)
    there = db.session.scalar(select(func.count()).where(StaffNote.user_id == user_id)) or 0
    if find_user(user_id) is None or there >= MOST_NOTES:
        return False
    db.session.add(StaffNote(user_id=user_id, author_id=by, text=text))
    audit.record("note added", target=user_id, actor=by)
    return True


@transaction
def remove_note(user_id: int, note_id: int, *, by: User) -> bool:
    """Remove a note: one's own, or as a superuser. False: there is none that one may remove."""
    chosen = [StaffNote.id == min(note_id, MAX_ID), StaffNote.user_id == user_id]
    if not by.is_superuser:
        chosen.append(StaffNote.author_id == by.id)
    gone = db.session.scalars(delete(StaffNote).where(*chosen).returning(StaffNote.id)).all()
    if gone:
        audit.record("note removed", target=user_id, actor=by.id)
    return bool(gone)


@transaction
def set_tags(user_id: int, tags: Sequence[str], *, by: int) -> bool:
    """Give a user these tags and no others. False: there is no such user any more."""
    lock_user(user_id)
    if find_user(user_id) is None:
        return False
    before = tags_of([user_id]).get(user_id, [])
    if sorted(tags) == sorted(before):
        return True
    db.session.execute(delete(UserTag).where(UserTag.user_id == user_id))
    db.session.add_all(UserTag(user_id=user_id, tag=tag) for tag in tags)
    audit.record("tags changed", target=user_id, actor=by)
    return True


def erase(user_id: int) -> None:
    """Delete what staff have written about a user whose row stays. Within the caller's transaction."""
    for table in (StaffNote, UserTag):
        db.session.execute(delete(table).where(table.user_id == user_id))
