"""A user as the list, a file and the API show them: a row without an object of the session around it, which costs
several times as much, and without what nobody is shown, such as a password's hash."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Table

from kakaoauth.models import Described, User

USERS: Table = User.__table__  # type: ignore[assignment]


class _Columns(NamedTuple):
    """Called as in `users`."""

    id: int
    provider: str | None
    name: str | None
    nickname: str | None
    email: str | None
    age: int | None
    age_range: str | None
    gender: str | None
    profile_image: str | None
    is_active: bool
    is_staff: bool
    is_superuser: bool
    date_joined: datetime
    last_login: datetime | None
    closed_at: datetime | None
    erase_at: datetime | None
    suspended_until: datetime | None
    suspension_text: str | None
    #: What a place in an order is told by.
    email_key: str | None
    nickname_key: str | None


class Person(Described, _Columns):
    """One user at the moment they were read."""

    __slots__ = ()


def columns(rows: FromClause = USERS) -> list[ColumnElement[Any]]:
    """Of `users`, or of a subquery of it: what makes a Person, in order."""
    return [rows.c[name] for name in Person._fields]
