"""What is shown of the list of users, as conditions: how each is seen on a row, and which index finds its rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, ColumnExpressionArgument, and_, or_, select, union_all

from kakaoauth.days import start_of
from kakaoauth.models import Identity, User, comparable
from kakaoauth.staff.listing.candidates import Candidates, grams_of, matching, matching_search
from kakaoauth.staff.listing.ordering import SORTS, Span, Test, within
from kakaoauth.storage.columns import MAX_ID
from kakaoauth.storage.database import db

#: Longer than any e-mail address or name.
SEARCH_LENGTH = 254
#: Longer than any provider's id.
SUBJECT_LENGTH = 255

#: The highest role that somebody has.
ROLES: Mapping[str, Test] = {
    "user": lambda u: ~u.is_staff,
    "staff": lambda u: and_(u.is_staff, ~u.is_superuser),
    "superuser": lambda u: u.is_superuser,
}
STATES: Mapping[str, Test] = {
    "active": lambda u: u.is_active,
    "suspended": lambda u: and_(~u.is_active, u.erased_at.is_(None), u.closed_at.is_(None)),
    "closed": lambda u: and_(~u.is_active, u.closed_at.is_not(None)),
}


@dataclass(frozen=True)
class Filter:
    """Which users; every field empty: all of them. :raises ValueError: no such role or state."""

    #: Part of an e-mail address, nickname or name; a whole id or provider's id. Every character means itself.
    search: str = ""
    #: The one they signed up with, which is the one the list shows.
    provider: str = ""
    #: One of ROLES.
    role: str = ""
    #: One of STATES.
    state: str = ""
    #: Days in Seoul, the first and the last.
    joined_from: date | None = None
    joined_until: date | None = None

    def __post_init__(self) -> None:
        if self.role not in ("", *ROLES) or self.state not in ("", *STATES):
            raise ValueError("no such role or state")


@dataclass(frozen=True, eq=False)
class Condition:
    holds: Test
    #: All who meet it, and maybe some more, from an index. None: no index tells.
    candidates: Candidates | None = None
    #: That index has them in the order they joined.
    by_date: bool = False
    #: Set if this is all that is asked: when they joined.
    span: Span | None = None
    #: What is asked, such as `("role", "staff")`: under this name the statistics keep how many meet it.
    key: tuple[object, ...] = ()
    #: Of a search, in place of a key: trigrams that are in the text.
    grams: tuple[str, ...] = ()


def conditions(chosen: Filter) -> Iterator[Condition]:
    """What is rare comes first."""
    if chosen.role:
        yield _told_by(ROLES[chosen.role], ("role", chosen.role), indexed=chosen.role != "user")
    if chosen.state:
        yield _told_by(STATES[chosen.state], ("state", chosen.state), indexed=chosen.state != "active")
    if chosen.provider:
        yield _told_by(lambda u: u.provider == chosen.provider, ("provider", chosen.provider), indexed=True)
    if chosen.joined_from or chosen.joined_until:
        span = Span(
            start_of(chosen.joined_from) if chosen.joined_from else None,
            start_of(chosen.joined_until) + timedelta(days=1) if chosen.joined_until else None,
        )
        tests = within(SORTS["date_joined"], span)
        joined = _told_by(lambda u: and_(*(test(u) for test in tests)), ("joined", span), indexed=True)
        yield replace(joined, span=span)
    search = comparable(chosen.search)[:SEARCH_LENGTH].strip()
    if search:
        yield _search(search, subject=chosen.search.strip())


def _told_by(test: Test, key: tuple[object, ...], *, indexed: bool) -> Condition:
    return Condition(test, matching(test), by_date=True, key=key) if indexed else Condition(test, key=key)


def _search(search: str, *, subject: str) -> Condition:
    exact = _exactly(search, subject if subject.isprintable() else search)

    def holds(u: Any) -> ColumnExpressionArgument[bool]:
        text: ColumnElement[bool] = u.search_text.contains(search, autoescape=True)
        return or_(text, u.id.in_(exact)) if exact else text

    return Condition(holds, matching_search(search, exact), grams=tuple(grams_of(search)))


def _exactly(search: str, subject: str) -> Sequence[int]:
    """The ids of whom this is the id, or a provider's id, in which case does make a difference."""
    if len(search) > SUBJECT_LENGTH:
        return []
    subjects = select(Identity.user_id).where(Identity.subject == subject)
    number = int(search) if search.isascii() and search.isdecimal() else 0
    if not 0 < number <= MAX_ID:
        return db.session.scalars(subjects).all()
    return db.session.scalars(union_all(subjects, select(User.id).where(User.id == number))).all()
