"""Which users an index finds, the search index among them."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakSet

from sqlalchemy import (
    CompoundSelect,
    FromClause,
    Integer,
    Select,
    cast,
    column,
    func,
    inspect,
    literal,
    or_,
    select,
    table,
    union_all,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.engine import Engine

from kakaoauth.staff.listing.ordering import Test
from kakaoauth.staff.listing.people import USERS
from kakaoauth.storage.database import db

#: Enough to be rare; each one more costs a look into the index.
MAX_GRAMS = 8
#: Where the table for the search was seen. It may be missing, and to ask each time would take longer than a search.
_searchable: WeakSet[Engine] = WeakSet()

Ids = Select[Any] | CompoundSelect[Any]


class Candidates(NamedTuple):
    """Users whom an index finds: their ids, and the same as a test of a row, from which the planner knows the index."""

    ids: Ids
    test: Test

    def rows(self, most: int) -> FromClause:
        """Return the rows of so many. The limit keeps the planner from using another condition's index instead."""
        return select(USERS).where(self.test(USERS.c), USERS.c.erased_at.is_(None)).limit(most).cte("few")


def matching(test: Test) -> Candidates:
    """Those who meet a test that an index goes by."""
    return Candidates(select(USERS.c.id).where(test(USERS.c)).correlate(None), test)


def matching_search(search: str, also: Sequence[int]) -> Candidates | None:
    """Those whose text may contain `search`, as the index tells; for some it does not. And those with these ids.

    None: there is no index.
    """
    if _dialect() == "postgresql":
        query = " & ".join(_quoted(gram, "'", ":*") for gram in grams_of(search))

        def test(u: Any) -> Any:
            found = func.search_grams(u.search_text).bool_op("@@")(cast(literal(query), TSQUERY))
            return or_(found, u.id.in_(also)) if also else found

        return matching(test)
    if _dialect() == "sqlite" and _is_searchable(db.engine):
        query = " AND ".join(_quoted(gram, '"', "*") for gram in grams_of(search))
        index = table("user_search", column("user_search"), column("rowid", Integer))
        found = select(index.c.rowid).where(index.c.user_search.match(query))
        ids = union_all(found, select(USERS.c.id).where(USERS.c.id.in_(also)).correlate(None)) if also else found
        return Candidates(ids, lambda u: u.id.in_(ids))
    return None


def grams_of(search: str) -> list[str]:
    """Trigrams that a text with `search` in it has; of a shorter search, how such a trigram begins."""
    count = max(1, len(search) - 2)
    step = max(1, count / MAX_GRAMS)
    starts = {round(number * step) for number in range(MAX_GRAMS)} | {count - 1}
    return [search[start : start + 3] for start in sorted(starts) if start < count]


def _quoted(gram: str, quote: str, prefix: str) -> str:
    escaped = gram.replace("\\", "\\\\") if quote == "'" else gram
    return quote + escaped.replace(quote, quote * 2) + quote + (prefix if len(gram) < 3 else "")


def _dialect() -> str:
    return db.session.get_bind().dialect.name


def _is_searchable(engine: Engine) -> bool:
    if engine not in _searchable and inspect(engine).has_table("user_search"):
        _searchable.add(engine)
    return engine in _searchable
