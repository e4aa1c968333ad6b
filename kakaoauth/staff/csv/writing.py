"""From users to lines of a file."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from sqlalchemy import select

from kakaoauth.models import Identity, User
from kakaoauth.staff.csv.cells import row
from kakaoauth.storage.database import db

#: U+FEFF: without it Excel reads a file as the code page of its country.
BOM = "\ufeff"


def _text(value: str | None) -> str:
    return value or ""


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _moment(value: datetime | None) -> str:
    return "" if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


#: Column of `User` -> how it is written. What opens anything, passwords' hashes and tokens, is none of them.
WRITERS: Mapping[str, Callable[[Any], str]] = {
    "id": _number,
    "provider": _text,
    "name": _text,
    "nickname": _text,
    "email": _text,
    "age": _number,
    "age_range": _text,
    "gender": _text,
    "profile_image": _text,
    "is_active": _truth,
    "is_staff": _truth,
    "is_superuser": _truth,
    "date_joined": _moment,
    "last_login": _moment,
    "closed_at": _moment,
    "erase_at": _moment,
}
#: `identities` is how somebody logs in: kakao:123|facebook:456, odd characters as in a URL.
COLUMNS = (*WRITERS, "identities")


def identities_of(user_ids: Iterable[int]) -> dict[int, list[Identity]]:
    """Many users' ways in by one statement, by their user's id and in the order they were linked."""
    found: dict[int, list[Identity]] = {}
    query = select(Identity).where(Identity.user_id.in_(user_ids), Identity.provider != "")
    for one in db.session.scalars(query.order_by(Identity.id)):
        found.setdefault(one.user_id, []).append(one)
    return found


def beginning() -> str:
    """Return the byte order mark and the header line."""
    return BOM + row(COLUMNS)


def lines(users: Sequence[User], identities: Mapping[int, Sequence[Identity]]) -> str:
    """:param identities: by their user's id."""
    return "".join(map(row, (_cells(user, identities.get(user.id, ())) for user in users)))


def _cells(user: User, identities: Sequence[Identity]) -> list[str]:
    cells = [write(getattr(user, column)) for column, write in WRITERS.items()]
    return [*cells, "|".join(f"{one.provider}:{quote(one.subject, safe='+/=')}" for one in identities)]
