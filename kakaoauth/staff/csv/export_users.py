"""Users handed out as a file. An export takes minutes where there are a million users, so it holds nothing meanwhile:
no transaction, no connection, no more than one batch of users.
"""

import logging
from collections.abc import Callable, Generator, Iterator
from dataclasses import fields
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from kakaoauth import audit, terms
from kakaoauth.staff import listing
from kakaoauth.staff.csv import writing
from kakaoauth.staff.listing.filters import Filter
from kakaoauth.storage.transaction import forget_transaction, transaction
from kakaoauth.terms import consents

log = logging.getLogger("kakaoauth.audit")

#: Users of one statement.
BATCH = 1_000

Report = Callable[[int], object]


class ExportCut(Exception):
    """The database failed in the middle: the pieces so far must not pass for a whole file."""


def export_users(
    chosen: Filter, *, sort: str = "id", actor: int | None = None, report: Report | None = None
) -> Generator[bytes, None, None]:
    """Return the chosen users as the pieces of a CSV file. Users may join or leave meanwhile.

    The audit trail has the beginning before this returns, and the number of users when the iterator ends or is closed.
    If the database fails in between, the iterator raises ExportCut.

    :param report: is told of users as they are handed out. :raises SQLAlchemyError: it could not be begun.
    """
    asked = _asked(chosen)
    _note(actor, begun=True, **asked)
    return _pieces(chosen, sort, actor, asked, report or (lambda number: None))


def _pieces(
    chosen: Filter, sort: str, actor: int | None, asked: dict[str, Any], report: Report
) -> Generator[bytes, None, None]:
    done, whole = 0, False
    try:
        yield writing.beginning(with_consents=bool(terms.asked())).encode()
        for text, number in _batches(chosen, sort):
            done += number
            yield text.encode("utf-8", "replace")
            report(number)
        whole = True
    except SQLAlchemyError as error:
        log.error("export of users cut after %s: %s", done, type(error).__name__)
        raise ExportCut from None
    finally:
        _note_end(actor, done, whole, asked)


def _batches(chosen: Filter, sort: str) -> Iterator[tuple[str, int]]:
    """Lines, and of how many users."""
    cursor: str | None = None
    while True:
        page = listing.page(chosen, sort=sort, cursor=cursor, limit=BATCH, budget=listing.UNHURRIED)
        held = consents.of_users(user.id for user in page.users) if terms.asked() else None
        text = writing.lines(page.users, writing.identities_of(user.id for user in page.users), held)
        number, cursor = len(page.users), page.next
        forget_transaction()  # the reader may be slow, and must not hold a connection
        if number:
            yield text, number
        if cursor is None:
            return


def _asked(chosen: Filter) -> dict[str, Any]:
    """The filter as the audit trail keeps it, without the search text, which may be a name."""
    said = {field.name: getattr(chosen, field.name) for field in fields(chosen) if getattr(chosen, field.name)}
    searched = said.pop("search", "") != ""
    if chosen.ids:
        said["ids"] = len(chosen.ids)
    return {**said, "searched": True} if searched else said


@transaction
def _note(actor: int | None, **details: Any) -> None:
    audit.record("exported", actor=actor, **details)


def _note_end(actor: int | None, done: int, whole: bool, asked: dict[str, Any]) -> None:
    """While the database is away the log alone has it."""
    try:
        _note(actor, users=done, **asked, **({} if whole else {"broken off": True}))
    except SQLAlchemyError as failure:
        forget_transaction()
        log.error("exported users=%s by=%s, not in the audit trail: %s", done, actor, type(failure).__name__)
