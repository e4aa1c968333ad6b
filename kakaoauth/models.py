"""User, Identity and EndedSession, with the queries over them. Nothing here commits."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from flask_login import UserMixin
from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    bindparam,
    event,
    exists,
    false,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from kakaoauth.storage.columns import MAX_ID, BigId, UtcDateTime, now
from kakaoauth.storage.database import Base, db
from kakaoauth.storage.quick_read import NotQuickly, QuickRead
from kakaoauth.text import comparable, normal_form

#: How long an account that was made for an e-mail address waits for its owner: long enough for a holiday, and too short
#: for the address to have another owner by then.
CLAIMABLE = timedelta(days=7)
#: What `User.get_id` gives: the number and the session version, which PostgreSQL keeps in 32 bits.
SESSION_USER_ID = re.compile(r"([0-9]{1,19})\.([0-9]{1,9})")


def list_keys(email_key: str | None, nickname: str | None, name: str | None) -> dict[str, str | None]:
    """The columns that the user list sorts and searches by. Code that updates rows by a statement must set them too."""
    texts = [comparable(text or "") for text in (email_key, nickname, name)]
    return {"nickname_key": texts[1][:100] or None, "search_text": "\n".join(dict.fromkeys(filter(None, texts)))}


def _list_key(column: str) -> Callable[[Any], str | None]:
    """A column's default, from the row that is inserted."""

    def key(context: Any) -> str | None:
        row = context.get_current_parameters()
        return list_keys(row.get("email_key"), row.get("nickname"), row.get("name"))[column]

    return key


class UserManager:
    """The only way users are made. Superuser implies staff."""

    def create_user(self, email: str | None = None, *, at_once: bool = True, **fields: Any) -> "User":
        """Add a user to the transaction. :param at_once: False: it is stored, and has a number, from the next flush on.

        :raises ValueError: `email` is no e-mail address. :raises IntegrityError: it belongs to somebody.
        """
        user = User(**fields)
        user.set_email(email)
        db.session.add(user)
        if at_once:
            db.session.flush()
        return user

    def create_superuser(self, email: str, **fields: Any) -> "User":
        """:raises ValueError: no e-mail address, which is how its owner will be known. :raises IntegrityError:"""
        if not email:
            raise ValueError("not an e-mail address")
        waits = {"claimable_until": now() + CLAIMABLE}
        return self.create_user(email, **{**waits, **fields, "is_staff": True, "is_superuser": True})


class Described:
    """What the columns of a user say together: of a `User`, and of a row that was read without one."""

    __slots__ = ()

    @property
    def display_name(self: Any) -> str:
        """Nickname, name, or the local part of the e-mail address; may be empty."""
        return self.nickname or self.name or (self.email or "").split("@")[0]

    @property
    def is_suspended(self: Any) -> bool:
        """Kept out by a superuser at this moment, whatever `is_active` still says, and not by their own wish."""
        return not self.is_let_in and self.closed_at is None

    @property
    def is_let_in(self: Any) -> bool:
        """Whether they may log in: active, or their suspension is over by now."""
        is_over = self.suspended_until is not None and self.suspended_until <= now()
        return self.is_active or (is_over and self.erase_at is None)


class User(UserMixin, Described, Base):
    """A person. Known by their identities, never by e-mail alone."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("is_staff OR NOT is_superuser", name="superuser_is_staff"),
        Index("ix_users_date_joined_id", "date_joined", "id"),
        Index(
            "ix_users_erase_at",
            "erase_at",
            postgresql_where=text("erase_at IS NOT NULL"),
            sqlite_where=text("erase_at IS NOT NULL"),
        ),
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
    email: Mapped[str | None] = mapped_column(String(254), unique=True)
    #: `email` as it is compared: `text.normal_form`.
    email_key: Mapped[str | None] = mapped_column(String(254), unique=True)
    #: Since when the address takes no mail: its owner has switched Apple's forwarding off.
    email_undeliverable_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: False from a suspension on, until a superuser or the first login after its end reinstates: see `is_suspended`.
    is_active: Mapped[bool] = mapped_column(default=True)
    is_staff: Mapped[bool] = mapped_column(default=False)
    is_superuser: Mapped[bool] = mapped_column(default=False)
    date_joined: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    last_login: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: Profile fields that the person has set here, comma separated: a login leaves them alone.
    own_fields: Mapped[str] = mapped_column(String(100), default="")
    #: Argon2, in the form that names its parameters. Only superusers made on the command line have one.
    password_hash: Mapped[str | None] = mapped_column(String(255))
    #: When all that is personal was erased from this row. It stays, empty, where another table refers to it.
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: When its owner closed the account, which is not `is_active` since: until `erase_at` they may restore it.
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: When the jobs erase it: of a closed account, also if it was suspended since.
    erase_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: Part of what a session and a token hold; one more ends every session and token of this user.
    session_version: Mapped[int] = mapped_column(default=0)
    #: Without an identity, and until then: the first login with its trusted e-mail makes this account its own. Only a
    #: command sets it.
    claimable_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: What the list of users sorts and searches by: `list_keys`.
    nickname_key: Mapped[str | None] = mapped_column(String(100), default=_list_key("nickname_key"))
    search_text: Mapped[str] = mapped_column(Text, default=_list_key("search_text"), server_default="")
    #: A version of the site that does not know these columns wrote the row: see staff.listing.triggers.
    keys_are_stale: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: When the suspension ends by itself, if it does; and what the person is told of it.
    suspended_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    suspension_text: Mapped[str | None] = mapped_column(String(300))

    identities: Mapped[list["Identity"]] = relationship(
        back_populates="user",
        order_by="Identity.id",
        primaryjoin="and_(User.id == Identity.user_id, Identity.provider != '')",
    )

    def get_id(self) -> str:
        """Return `<id>.<session version>`, which Flask-Login keeps in the session."""
        return f"{self.id}.{self.session_version}"

    def find_identity(self, provider: str, subject: str) -> "Identity | None":
        """Return this user's identity at a provider; None if it is not theirs."""
        return next((one for one in self.identities if (one.provider, one.subject) == (provider, subject)), None)

    def set_email(self, email: str | None) -> None:
        """Set or remove the address. :raises ValueError: not an e-mail address."""
        key = normal_form(email) if email else None
        if email and key is None:
            raise ValueError("not an e-mail address")
        if key != self.email_key:
            self.email_undeliverable_at = None
        self.email = email.strip() if email else None
        self.email_key = key

    def __repr__(self) -> str:
        return f"<User {self.id}>"


@event.listens_for(User, "before_update")
def _keep_keys(_mapper: Any, _connection: Any, user: User) -> None:
    for column, value in list_keys(user.email_key, user.nickname, user.name).items():
        setattr(user, column, value)


class Identity(Base):
    """One way a user logs in: the provider and its id for the person, kept exactly as text.

    Where a table of the app refers to a row that was to be deleted, it stays without either: `provider` is "".
    """

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("provider", "subject"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    provider: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(255))
    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    date_linked: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    #: When the provider last said that this person is linked: at a login or a linking. None: not since `date_linked`.
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: When the provider's page about them was read. None: not since this is kept.
    profile_read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship(back_populates="identities")

    def confirm(self, moment: datetime, *, is_read: bool = False) -> None:
        """The provider has said that they are linked. Of two logins that end at once the later one counts.

        :param is_read: its page about them was read.
        """
        if is_read:
            self.profile_read_at = moment
        self.confirmed_at = max(moment, self.confirmed_at) if self.confirmed_at else moment


class EndedSession(Base):
    """A session that was ended by itself, and not with all others of its user: see sessions.ended."""

    __tablename__ = "ended_sessions"

    #: What Redis keeps it under: the SHA-256 of its id, which opens nothing.
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    #: When it would have ended anyway.
    until: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


_SESSION_USER = select(User).where(
    User.id == bindparam("user_id"),
    User.session_version == bindparam("version"),
    User.is_active,
    ~exists().where(EndedSession.name == bindparam("session_name")),
)
_read_session_user = QuickRead(User, _SESSION_USER)


def find_session_user(session_user_id: str, name: str = "") -> User | None:
    """The active user that a session belongs to, in one statement; `session_user_id` is what `User.get_id` gave.

    :param name: what the session is called: one that was ended is nobody's, whatever Redis has of it.
    """
    match = SESSION_USER_ID.fullmatch(session_user_id)
    if not match or int(match[1]) > MAX_ID:
        return None
    values = {"user_id": int(match[1]), "version": int(match[2]), "session_name": name}
    try:
        return _read_session_user.read(db.session(), **values)
    except NotQuickly:
        return db.session.scalar(_SESSION_USER, values)


def find_user(user_id: int) -> User | None:
    """None also for a row that was erased and had to stay."""
    user = db.session.get(User, user_id) if 0 < user_id <= MAX_ID else None
    return user if user is not None and user.erased_at is None else None


def names_of(user_ids: Iterable[int]) -> dict[int, str]:
    """How those of them are called who still have an account."""
    names = select(User.id, User.nickname, User.name, User.email)
    users = db.session.execute(names.where(User.id.in_(set(user_ids)), User.erased_at.is_(None))).all()
    return {user_id: nickname or name or (email or "").split("@")[0] for user_id, nickname, name, email in users}


def lock_user(user_id: int) -> None:
    """Let nobody else change this user until the transaction ends; what was read before is read again.

    By an UPDATE that changes nothing, because SQLite knows no other lock and ignores FOR UPDATE.
    """
    same = update(User).where(User.id == user_id).values(session_version=User.session_version)
    db.session.execute(same.execution_options(synchronize_session=False))
    db.session.expire_all()


_BY_EMAIL = select(User).where(User.email_key == bindparam("email_key"))
_IS_IDENTITY = (Identity.provider == bindparam("provider"), Identity.subject == bindparam("subject"))
_BY_IDENTITY = select(Identity).where(*_IS_IDENTITY).options(joinedload(Identity.user))


def find_user_by_email(email: str) -> User | None:
    """Return the user with that address, however it is written; None if there is none."""
    key = normal_form(email)
    return db.session.scalar(_BY_EMAIL, {"email_key": key}) if key else None


def find_identity(provider: str, subject: str) -> Identity | None:
    """Return the identity together with its user; None if nobody has linked it."""
    return db.session.scalar(_BY_IDENTITY, {"provider": provider, "subject": subject})
