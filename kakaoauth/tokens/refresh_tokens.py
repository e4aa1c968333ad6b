"""Our refresh tokens: their format, and the table of token families.

All refresh tokens of one login are a *family*. A family is one row, however often it is refreshed, and
the row holds hashes. A token is `base64url(family id, generation, MAC)`, and its MAC is made from SECRET_KEY and the
family's salt, which gives three things without keeping old tokens:

- the current token can be made again for a client that has lost the answer;
- an old token is recognised as ours however old it is, so its reuse is detected;
- nobody can end another person's family with an invented token.

A copy of the database opens nothing: it lacks SECRET_KEY.
"""

import hmac
import secrets
import struct
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, cast

from itsdangerous import BadData, base64_decode, base64_encode
from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Mapped, contains_eager, mapped_column, relationship

from kakaoauth.audit.visitors import NOBODY, Visitor
from kakaoauth.models import User
from kakaoauth.storage import keys
from kakaoauth.storage.columns import MAX_ID, BigId, UtcDateTime, database_now, now
from kakaoauth.storage.database import Base, db
from kakaoauth.storage.quick_read import NotQuickly, QuickRead
from kakaoauth.storage.quick_reads import Asked

#: Logins of one person that hold tokens, as many as sessions (`sessions.index.MOST`). One more ends the one that was
#: refreshed least recently.
MOST = 100
#: Rows removed by one login: of a time before MOST there may be many.
BATCH = 500
_HEAD = struct.Struct(">QI")
#: Head and MAC: 44 bytes, 59 characters.
LENGTH = 59


class TokenFamily(Base):
    """One login of an app or front end."""

    __tablename__ = "token_families"
    # SQLite would give the number of a family that is gone, and with it its access tokens, to the next one.
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    #: The user's at the login: one more there ends the family.
    session_version: Mapped[int]
    salt: Mapped[str] = mapped_column(String(43))
    #: How often it was refreshed.
    generation: Mapped[int] = mapped_column(default=0)
    #: SHA-256 of the token in force, and of the one before it.
    token_hash: Mapped[str] = mapped_column(String(64))
    previous_hash: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    #: When the person proved to the provider who they are, if it said so and the login was a browser's.
    proven_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    rotated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    #: The token in force ends unused ...
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    #: ... and the whole family whatever happens.
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    #: Where the login, or the last refresh, came from: visitors.
    agent: Mapped[str] = mapped_column(String(200), default="")
    address: Mapped[str] = mapped_column(String(45), default="")

    user: Mapped[User] = relationship()


@dataclass(frozen=True)
class Presented:
    """The parts of a presented refresh token, not verified."""

    family_id: int
    generation: int
    mac: bytes
    hash: str


def read(text: str) -> Presented | None:
    """Take a refresh token apart. None if it has not the form of one; its MAC is not checked (`is_ours`)."""
    if len(text) != LENGTH or not text.isascii():
        return None
    try:
        raw = base64_decode(text)
        family_id, generation = _HEAD.unpack_from(raw)
    except (BadData, struct.error):
        return None
    if not 0 < family_id <= MAX_ID or base64_encode(raw).decode() != text:
        return None
    return Presented(family_id, generation, raw[_HEAD.size :], hash_of(text))


def hash_of(text: str) -> str:
    """Return the hash under which the table keeps a token."""
    return sha256(text.encode()).hexdigest()


def token_of(family: TokenFamily, generation: int) -> str:
    """Return the refresh token of a generation; `family.generation` is the valid one."""
    raw = _HEAD.pack(family.id, generation) + _mac(family, generation)
    return base64_encode(raw).decode()


def is_ours(family: TokenFamily, presented: Presented) -> bool:
    """Whether this family has ever had that token."""
    genuine = hmac.compare_digest(_mac(family, presented.generation), presented.mac)
    return genuine and presented.generation <= family.generation


def _mac(family: TokenFamily, generation: int) -> bytes:
    return keys.mac("refresh token", f"{family.id}|{generation}|{family.salt}")


def begin(
    user: User, *, seconds: int, longest: int, visitor: Visitor = NOBODY, proven_at: datetime | None = None
) -> TokenFamily:
    """Add the family of a new login. It ends after `seconds` without a refresh, and after `longest` seconds in any
    case."""
    _forget_dead_of(user)
    family = TokenFamily(
        user_id=user.id,
        session_version=user.session_version,
        salt=secrets.token_urlsafe(32),
        generation=0,
        proven_at=proven_at,
        token_hash=secrets.token_hex(32),  # until the id is known that the token holds
        expires_at=now() + timedelta(seconds=min(seconds, longest)),
        ends_at=now() + timedelta(seconds=longest),
        agent=visitor.agent,
        address=visitor.address,
    )
    db.session.add(family)
    db.session.flush()
    family.token_hash = hash_of(token_of(family, 0))
    return family


def find(family_id: int) -> TokenFamily | None:
    """Return a family with its user, freshly read, valid or not."""
    query = select(TokenFamily).where(TokenFamily.id == family_id).join(TokenFamily.user)
    return db.session.scalar(query.options(contains_eager(TokenFamily.user)).execution_options(populate_existing=True))


def find_now(family_id: int) -> tuple[TokenFamily, datetime] | None:
    """As `find`, with the time by the database's clock, from the same statement.

    With the machines' own clocks, which differ, one would take an honest repetition for a theft, or accept a login that
    is over on the other.
    """
    query = select(TokenFamily, database_now()).where(TokenFamily.id == family_id).join(TokenFamily.user)
    query = query.options(contains_eager(TokenFamily.user)).execution_options(populate_existing=True)
    found = db.session.execute(query).one_or_none()
    return (found[0], found[1]) if found else None


def rotate(
    family: TokenFamily, presented: Presented, moment: datetime, *, seconds: int, visitor: Visitor = NOBODY
) -> bool:
    """Rotate to the next token if `presented` is the valid one. Of several equal requests at once one gets True.

    :param moment: by the database's clock.
    """
    result = db.session.execute(
        update(TokenFamily)
        .where(TokenFamily.id == family.id, TokenFamily.token_hash == presented.hash)
        .values(
            generation=presented.generation + 1,
            token_hash=hash_of(token_of(family, presented.generation + 1)),
            previous_hash=presented.hash,
            rotated_at=database_now(),
            expires_at=min(moment + timedelta(seconds=seconds), family.ends_at),
            agent=visitor.agent or family.agent,
            address=visitor.address or family.address,
        )
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[Any]", result).rowcount == 1


def is_valid(family: TokenFamily, moment: datetime) -> bool:
    """Whether the family is not over at `moment`, neither by time nor by a change of the account."""
    user = family.user
    return user.is_active and user.session_version == family.session_version and family.ends_at > moment


def _bearer_query(moment: ColumnElement[datetime]) -> Select[User, datetime]:
    query = select(User, func.coalesce(TokenFamily.proven_at, TokenFamily.created_at, type_=UtcDateTime())).join(
        TokenFamily,
        and_(TokenFamily.user_id == User.id, TokenFamily.session_version == User.session_version),
    )
    is_theirs = and_(User.id == bindparam("user"), TokenFamily.id == bindparam("family"))
    return query.where(is_theirs, User.is_active, TokenFamily.ends_at > moment)


#: For PostgreSQL, by the database's clock.
_read_bearer = QuickRead(User, _bearer_query(func.clock_timestamp(type_=UtcDateTime())))


def find_bearer(user_id: int, family_id: int) -> tuple[User, datetime] | None:
    """Return the user and when they logged in, if family and account are valid. One statement for each request."""
    asked = {"user": user_id, "family": family_id}
    try:
        row: Any = _read_bearer.read_row(db.session(), **asked)
    except NotQuickly:
        row = db.session.execute(_bearer_query(database_now()), asked).one_or_none()
    return (row[0], row[1]) if row else None


#: Made once: to put it together takes longer than to ask it.
_ACTIVE = QuickRead(
    TokenFamily,
    select(TokenFamily)
    .where(
        TokenFamily.user_id == bindparam("user"),
        TokenFamily.session_version == bindparam("version"),
        TokenFamily.expires_at > bindparam("late"),
        TokenFamily.created_at > bindparam("first"),
        TokenFamily.ends_at > bindparam("moment"),
    )
    .order_by(TokenFamily.rotated_at.desc(), TokenFamily.id.desc())
    .limit(bindparam("most", type_=Integer)),
)


def active_for(user: User, *, lingering: int, longest: int, number: int) -> Asked:
    """Ask for the valid families of a user, the last refreshed first, at most `number`.

    :param lingering: seconds that the last access token outlives its refresh token. :param longest: as for `begin`.
    """
    moment, late = now(), now() - timedelta(seconds=lingering)
    asked = {
        "user": user.id,
        "version": user.session_version,
        "late": late,
        "first": late - timedelta(seconds=longest),
        "moment": moment,
        "most": number,
    }
    return Asked(_ACTIVE, asked)


def end(family_id: int) -> bool:
    """Delete a family. False if it was gone already."""
    result = db.session.execute(delete(TokenFamily).where(TokenFamily.id == family_id))
    return cast("CursorResult[Any]", result).rowcount == 1


def end_begun_before(user_id: int, moment: datetime) -> None:
    """Delete the families of a user that were begun until `moment`."""
    db.session.execute(delete(TokenFamily).where(TokenFamily.user_id == user_id, TokenFamily.created_at <= moment))


def stop_refreshing(user_id: int) -> None:
    """Expire the refresh tokens of a user: they log in again when their access tokens have expired."""
    db.session.execute(update(TokenFamily).where(TokenFamily.user_id == user_id).values(expires_at=database_now()))


def end_beyond(user_id: int) -> int:
    """Delete the families of a user beyond MOST. Return how many there were."""
    newest = select(TokenFamily.id).where(TokenFamily.user_id == user_id)
    newest = newest.order_by(TokenFamily.rotated_at.desc(), TokenFamily.id.desc())
    beyond = db.session.scalars(newest.offset(MOST).limit(BATCH)).all()
    if beyond:
        db.session.execute(delete(TokenFamily).where(TokenFamily.id.in_(beyond)))
    return len(beyond)


def _forget_dead_of(user: User) -> None:
    """Delete the dead families of a user at each login, so that no job has to scan the table."""
    over = or_(TokenFamily.expires_at <= now() - timedelta(days=1), TokenFamily.session_version != user.session_version)
    db.session.execute(delete(TokenFamily).where(TokenFamily.user_id == user.id, over))
