"""What is shown of the list of users, as conditions: how each is seen on a row, and which index finds its rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, ColumnExpressionArgument, Select, and_, bindparam, not_, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from kakaoauth import terms
from kakaoauth.accounts.notes import UserTag
from kakaoauth.days import start_of
from kakaoauth.models import Identity
from kakaoauth.staff.listing.candidates import Candidates, grams_of, matching, matching_search
from kakaoauth.staff.listing.ordering import SORTS, Span, Test, within
from kakaoauth.storage.columns import MAX_ID, now
from kakaoauth.storage.database import db
from kakaoauth.storage.quick_read import QuickRead
from kakaoauth.terms.consents import Consent
from kakaoauth.text import comparable

#: Longer than any e-mail address or name.
SEARCH_LENGTH = 254
#: Longer than any provider's id.
SUBJECT_LENGTH = 255

BY_DATE = ("date_joined",)
#: `indexes` has one for each.
EACH_ORDER = ("date_joined", "email_key", "nickname_key", "last_login")

#: The highest role that somebody has.
ROLES: Mapping[str, Test] = {
    "user": lambda u: ~u.is_staff,
    "staff": lambda u: and_(u.is_staff, ~u.is_superuser),
    "superuser": lambda u: u.is_superuser,
}
STATES: Mapping[str, Test] = {
    "active": lambda u: or_(u.is_active, and_(u.suspended_until <= now(), u.erased_at.is_(None), u.erase_at.is_(None))),
    "suspended": lambda u: and_(
        ~u.is_active,
        or_(u.suspended_until.is_(None), u.suspended_until > now()),
        u.erased_at.is_(None),
        u.closed_at.is_(None),
    ),
    "closed": lambda u: and_(
        ~u.is_active, or_(u.closed_at.is_not(None), and_(u.erase_at.is_not(None), u.suspended_until <= now()))
    ),
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
    #: The same for the last login.
    login_from: date | None = None
    login_until: date | None = None
    #: One that they have linked, whichever they signed up with.
    linked: str = ""
    #: "none": without an e-mail address.
    email: str = ""
    tag: str = ""
    #: Ids of terms that they agree, or do not agree, to in the version of today.
    agreed: str = ""
    not_agreed: str = ""
    #: These alone.
    ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.role not in ("", *ROLES) or self.state not in ("", *STATES):
            raise ValueError("no such role or state")


@dataclass(frozen=True, eq=False)
class Condition:
    holds: Test
    #: All who meet it, and maybe some more, from an index. None: no index tells.
    candidates: Candidates | None = None
    #: By what else that index has them sorted: keys of orders.
    orders: Sequence[str] = ()
    #: Set if this is all that is asked: when they joined, or what `sort` says.
    span: Span | None = None
    #: The order that has such a span.
    sort: str = "date_joined"
    #: What is asked, such as `("role", "staff")`: under this name the statistics keep how many meet it.
    key: tuple[object, ...] = ()
    #: A statement with as many rows as meet it, where the test alone does not tell PostgreSQL how many.
    rows: Select[Any] | None = None
    #: Those are the rows of all others.
    is_rest: bool = False
    #: Of a search, in place of a key: trigrams that are in the text.
    grams: tuple[str, ...] = ()

    def besides(self, others: Sequence["Condition"]) -> list[Test]:
        """What is left to test on its candidates, of these conditions: itself only where the index may have more."""
        return [one.holds for one in others if one is not self or one.grams]


def conditions(chosen: Filter) -> Iterator[Condition]:
    """What is rare comes first."""
    if chosen.ids:
        among: Test = lambda u: u.id.in_(chosen.ids)  # noqa: E731
        yield Condition(among, matching(among), key=("ids", chosen.ids))
    if chosen.tag:
        yield _listed_in(UserTag.user_id, UserTag.tag == chosen.tag, ("tag", chosen.tag))
    if chosen.role:
        yield _told_by(ROLES[chosen.role], ("role", chosen.role), indexed=chosen.role != "user")
    if chosen.state:
        yield _told_by(
            STATES[chosen.state], ("state", chosen.state), indexed=chosen.state != "active", orders=EACH_ORDER
        )
    if chosen.provider:
        yield _told_by(lambda u: u.provider == chosen.provider, ("provider", chosen.provider), indexed=True)
    if chosen.email:
        yield Condition(_has_no_email, matching(_has_no_email), key=("email", chosen.email))
    if chosen.linked:
        yield _listed_in(Identity.user_id, Identity.provider == chosen.linked, ("linked", chosen.linked))
    if chosen.agreed:
        yield _agrees(chosen.agreed)
    if chosen.not_agreed:
        yield _without(_agrees(chosen.not_agreed))
    if chosen.login_from or chosen.login_until:
        yield _in_span("last_login", _span(chosen.login_from, chosen.login_until))
    if chosen.joined_from or chosen.joined_until:
        yield replace(_in_span("date_joined", _span(chosen.joined_from, chosen.joined_until)), orders=BY_DATE)
    search = comparable(chosen.search)[:SEARCH_LENGTH].strip()
    if search:
        yield _search(search, subject=chosen.search.strip())


def _has_no_email(u: Any) -> ColumnElement[bool]:
    test: ColumnElement[bool] = u.email_key.is_(None)
    return test


def _in_span(sort: str, span: Span) -> Condition:
    tests = within(SORTS[sort], span)

    def holds(u: Any) -> ColumnElement[bool]:
        return and_(True, *(test(u) for test in tests))

    return Condition(holds, matching(holds), span=span, sort=sort, key=(sort, span))


def _span(first: date | None, last: date | None) -> Span:
    low = start_of(first) if first else None
    return Span(low, start_of(last) + timedelta(days=1) if last else None)


def _listed_in(user_id: InstrumentedAttribute[int], test: ColumnElement[bool], key: tuple[object, ...]) -> Condition:
    """Those whom an index of another table finds. A row is tested by a look of its own into that index: with IN, or
    EXISTS, PostgreSQL may read all of the other table."""
    ids = select(user_id).where(test)

    def holds(u: Any) -> ColumnElement[bool]:
        return select(user_id).where(user_id == u.id, test).limit(1).scalar_subquery().is_not(None)

    return Condition(holds, Candidates(ids, lambda u: u.id.in_(ids)), key=key, rows=ids)


def _agrees(term_id: str) -> Condition:
    term = terms.find(term_id)
    version = term.version if term else ""
    test = and_(Consent.term == term_id, Consent.version == version, Consent.withdrawn_at.is_(None))
    return _listed_in(Consent.user_id, test, ("agreed", term_id, version))


def _without(condition: Condition) -> Condition:
    """Everybody else. No index has them."""
    return replace(
        condition,
        holds=lambda u: not_(condition.holds(u)),
        candidates=None,
        key=("not", *condition.key),
        is_rest=True,
    )


def _told_by(test: Test, key: tuple[object, ...], *, indexed: bool, orders: Sequence[str] = BY_DATE) -> Condition:
    return Condition(test, matching(test), orders=orders, key=key) if indexed else Condition(test, key=key)


def _search(search: str, *, subject: str) -> Condition:
    exact = _exactly(search, subject if subject.isprintable() else search)

    def holds(u: Any) -> ColumnExpressionArgument[bool]:
        text: ColumnElement[bool] = u.search_text.contains(search, autoescape=True)
        return or_(text, u.id.in_(exact)) if exact else text

    return Condition(holds, matching_search(search, exact), grams=tuple(grams_of(search)))


_OF_SUBJECT = QuickRead(Identity, select(Identity).where(Identity.subject == bindparam("subject_")))


def _exactly(search: str, subject: str) -> Sequence[int]:
    """What ids there may be of whom this is the id, or a provider's id, in which case does make a difference."""
    if len(search) > SUBJECT_LENGTH:
        return []
    ids = [identity.user_id for identity in _OF_SUBJECT.all(db.session(), subject_=subject)]
    number = int(search) if search.isascii() and search.isdecimal() else 0
    return [*ids, number] if 0 < number <= MAX_ID else ids
