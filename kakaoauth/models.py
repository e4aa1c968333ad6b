"""The nouns: who the people are and how they log in, with the queries over them. Nothing here commits: see flows."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, cast

from flask_login import UserMixin
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    String,
    TypeDecorator,
    UniqueConstraint,
    and_,
    or_,
    select,
    update,
)
from sqlalchemy.engine import CursorResult, Dialect
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from kakaoauth.emails import normal_form
from kakaoauth.extensions import Base, db

#: 64 bits everywhere; SQLite counts up only in a column it calls INTEGER, which is 64 bits there.
BigId = BigInteger().with_variant(Integer(), "sqlite")
#: PostgreSQL's bigint. A larger number is nobody's id, and asking for it is an error there.
MAX_ID = 2**63 - 1
#: What `User.get_id` gives: the number and the session version, which PostgreSQL keeps in 32 bits.
SESSION_USER_ID = re.compile(r"([0-9]{1,19})\.([0-9]{1,9})")


def now() -> datetime:
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, always in UTC and always aware; SQLite forgets the zone, this puts it back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class UserManager:
    """The only way users are made. Superuser implies staff."""

    def create_user(self, email: str | None = None, **fields: Any) -> "User":
        """Add a user to the transaction.

        :raises ValueError: `email` is no e-mail address. :raises IntegrityError: it belongs to somebody.
        """
        user = User(**fields)
        user.set_email(email)
        db.session.add(user)
        db.session.flush()
        return user

    def create_superuser(self, email: str, **fields: Any) -> "User":
        """:raises ValueError: no e-mail address, which is how its owner will be known. :raises IntegrityError:"""
        if not email:
            raise ValueError("not an e-mail address")
        return self.create_user(email, **{**fields, "is_staff": True, "is_superuser": True})


class User(UserMixin, Base):
    """A person. Known by their identities, never by e-mail alone."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("is_staff OR NOT is_superuser", name="superuser_is_staff"),
        Index("ix_users_date_joined_id", "date_joined", "id"),
        # SQLite would give the number of a deleted user, and with it their open sessions, to the next one.
        {"sqlite_autoincrement": True},
    )
    objects: ClassVar[UserManager] = UserManager()

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str | None] = mapped_column(String(100))
    nickname: Mapped[str | None] = mapped_column(String(100))
    #: In years, as of the last login that told the birth year.
    age: Mapped[int | None]
    age_range: Mapped[str | None] = mapped_column(String(10))
    gender: Mapped[str | None] = mapped_column(String(10))
    profile_image: Mapped[str | None] = mapped_column(String(500))
    #: How they signed up; None for accounts made on the command line until their first login.
    provider: Mapped[str | None] = mapped_column(String(20))
    #: As the person writes it.
    email: Mapped[str | None] = mapped_column(String(254), unique=True)
    #: As it is compared: `emails.normal_form`.
    email_key: Mapped[str | None] = mapped_column(String(254), unique=True)
    is_active: Mapped[bool] = mapped_column(default=True)
    is_staff: Mapped[bool] = mapped_column(default=False)
    is_superuser: Mapped[bool] = mapped_column(default=False)
    date_joined: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    last_login: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: Part of what a session holds; one more ends every session of this user.
    session_version: Mapped[int] = mapped_column(default=0)

    identities: Mapped[list["Identity"]] = relationship(back_populates="user", order_by="Identity.id")

    def get_id(self) -> str:
        return f"{self.id}.{self.session_version}"

    def find_identity(self, provider: str, subject: str) -> "Identity | None":
        return next((one for one in self.identities if (one.provider, one.subject) == (provider, subject)), None)

    @property
    def display_name(self) -> str:
        return self.nickname or self.name or (self.email or "").split("@")[0]

    def set_email(self, email: str | None) -> None:
        key = normal_form(email) if email else None
        if email and key is None:
            raise ValueError("not an e-mail address")
        self.email = email.strip() if email else None
        self.email_key = key

    def __repr__(self) -> str:
        return f"<User {self.id}>"


class Identity(Base):
    """One way a user logs in: the provider and its id for the person, kept exactly as text."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("provider", "subject"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    provider: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    date_linked: Mapped[datetime] = mapped_column(UtcDateTime, default=now)

    user: Mapped[User] = relationship(back_populates="identities")


def find_session_user(session_user_id: str) -> User | None:
    """The active user that a session belongs to, in one statement; `session_user_id` is what `User.get_id` gave."""
    match = SESSION_USER_ID.fullmatch(session_user_id)
    if not match or int(match[1]) > MAX_ID:
        return None
    query = select(User).where(User.id == int(match[1]), User.session_version == int(match[2]), User.is_active)
    return db.session.scalar(query)


def find_user(user_id: int) -> User | None:
    return db.session.get(User, user_id) if 0 < user_id <= MAX_ID else None


def find_user_by_email(email: str) -> User | None:
    key = normal_form(email)
    return db.session.scalar(select(User).where(User.email_key == key)) if key else None


def find_identity(provider: str, subject: str) -> Identity | None:
    query = select(Identity).where(Identity.provider == provider, Identity.subject == subject)
    return db.session.scalar(query.options(joinedload(Identity.user)))


def claim_account(user: User, provider: str) -> bool:
    """Mark an account that has no provider yet as taken over by this one; False if another login was faster."""
    query = update(User).where(User.id == user.id, User.provider.is_(None)).values(provider=provider)
    return cast("CursorResult[Any]", db.session.execute(query)).rowcount == 1


def page_of_users(*, search: str = "", before: tuple[datetime, int] | None = None, size: int = 50) -> Sequence[User]:
    """Newest first. `before`: (date_joined, id) of the last row of the page before; `search` is literal."""
    query = select(User).order_by(User.date_joined.desc(), User.id.desc()).limit(size)
    if before:
        joined, user_id = before
        query = query.where(or_(User.date_joined < joined, and_(User.date_joined == joined, User.id < user_id)))
    if search:
        search = unicodedata.normalize("NFC", search)  # as names are stored; a Mac types Hangul in parts
        matches = [
            User.email_key.contains(search.lower(), autoescape=True),
            User.nickname.icontains(search, autoescape=True),
            User.identities.any(Identity.subject == search),
        ]
        if search.isdecimal() and len(search) < 20 and int(search) <= MAX_ID:
            matches.append(User.id == int(search))
        query = query.where(or_(*matches))
    return db.session.scalars(query).all()
