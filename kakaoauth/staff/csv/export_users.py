"""Users handed out as a file. An export takes minutes where there are a million users, so it holds nothing meanwhile:
no transaction, no connection, no more than one batch of users.
"""

import logging
from collections.abc import Callable, Generator, Iterator
from dataclasses import fields
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from kakaoauth import audit
from kakaoauth.models import identities_of
from kakaoauth.staff import listing
from kakaoauth.staff.csv import writing
from kakaoauth.staff.listing.filters import Filter
from kakaoauth.storage.transaction import forget_transaction, transaction

log = logging.getLogger("kakaoauth.audit")

#: Users of one statement.
BATCH = 1_000

Report = Callable[[int], object]


class ExportCut(Exception):
    """The database has failed in the middle. What was handed out so far must not pass for the whole."""


def export_users(
    chosen: Filter, *, sort: str = "id", actor: int | None = None, report: Report | None = None
) -> Generator[bytes, None, None]:
    """Hand out who is chosen as the pieces of a file, whoever joins or leaves meanwhile.

    That it has begun is in the trail before this returns; how many users it was, as soon as the iterator ends or is
    closed. With a failure in between the iterator raises ExportCut.

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
        yield writing.beginning().encode()
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
        page = listing.page(chosen, sort=sort, cursor=cursor, limit=BATCH)
        text = writing.lines(page.users, identities_of(user.id for user in page.users))
        number, cursor = len(page.users), page.next
        forget_transaction()  # whoever reads this may read slowly
        if number:
            yield text, number
        if cursor is None:
            return


def _asked(chosen: Filter) -> dict[str, Any]:
    """Whom the trail says it was about. Not what was searched for: that may be somebody's name."""
    said = {field.name: getattr(chosen, field.name) for field in fields(chosen) if getattr(chosen, field.name)}
    searched = said.pop("search", "") != ""
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
