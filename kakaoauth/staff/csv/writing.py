"""From users to lines of a file."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from sqlalchemy import select

from kakaoauth.models import Identity
from kakaoauth.staff.csv.cells import row
from kakaoauth.staff.listing.people import Person
from kakaoauth.storage.database import db
from kakaoauth.terms.consents import Consent

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
#: `consents` are there where the site has terms: terms@2026-01@2026-01-31T12:30:00Z@page|news@1@..., a withdrawal's
#: moment behind.
CONSENTS = "consents"
COLUMNS = (*WRITERS, "identities", CONSENTS)

Consents = Mapping[int, Sequence[Consent]]


def identities_of(user_ids: Iterable[int]) -> dict[int, list[Identity]]:
    """Many users' ways in by one statement, by their user's id and in the order they were linked."""
    found: dict[int, list[Identity]] = {}
    query = select(Identity).where(Identity.user_id.in_(user_ids), Identity.provider != "")
    for one in db.session.scalars(query.order_by(Identity.id)):
        found.setdefault(one.user_id, []).append(one)
    return found


def columns(*, with_consents: bool) -> tuple[str, ...]:
    """Return the columns of a file."""
    return COLUMNS if with_consents else tuple(column for column in COLUMNS if column != CONSENTS)


def beginning(*, with_consents: bool = False) -> str:
    """Return the byte order mark and the header line."""
    return BOM + row(columns(with_consents=with_consents))


def lines(
    users: Sequence[Person], identities: Mapping[int, Sequence[Identity]], consents: Consents | None = None
) -> str:
    """:param identities: by their user's id. :param consents: the same; None: the file has no such column."""
    found = []
    for user in users:
        cells = _cells(user, identities.get(user.id, ()))
        found.append(row(cells if consents is None else [*cells, "|".join(map(_consent, consents.get(user.id, ())))]))
    return "".join(found)


def _cells(user: Person, identities: Sequence[Identity]) -> list[str]:
    cells = [write(getattr(user, column)) for column, write in WRITERS.items()]
    return [*cells, "|".join(f"{one.provider}:{quote(one.subject, safe='+/=')}" for one in identities)]


def _consent(consent: Consent) -> str:
    parts = [consent.term, consent.version, _moment(consent.agreed_at), consent.source, _moment(consent.withdrawn_at)]
    return "@".join(filter(None, parts))
