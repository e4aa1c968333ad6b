"""The audit trail handed out as a file, as `export_users` hands out users: page after page, holding nothing between."""

import logging
from collections.abc import Generator, Iterator

from sqlalchemy.exc import SQLAlchemyError

from kakaoauth import audit
from kakaoauth.audit import labels, search
from kakaoauth.audit.labels import Line
from kakaoauth.audit.search import Filter
from kakaoauth.staff.csv.cells import row
from kakaoauth.staff.csv.export_users import ExportCut
from kakaoauth.staff.csv.writing import BOM
from kakaoauth.storage.transaction import forget_transaction, transaction

log = logging.getLogger("kakaoauth.audit")

#: Events of one statement.
BATCH = 500
#: In English, as in the users' file, so that a script reads it whatever the language.
COLUMNS = (
    *("time", "action", "result", "reason", "code", "sign_in_method"),
    *("actor", "target", "location", "browser", "details"),
)


def export_trail(chosen: Filter, *, actor: int) -> Generator[bytes, None, None]:
    """Return the chosen events as the pieces of a CSV file, the newest first.

    :raises SQLAlchemyError: it could not be begun. If the database fails later, the iterator raises ExportCut.
    """
    _note(actor)
    return _pieces(chosen)


def _pieces(chosen: Filter) -> Generator[bytes, None, None]:
    yield (BOM + row(COLUMNS)).encode()
    try:
        for text in _batches(chosen):
            yield text.encode("utf-8", "replace")
    except SQLAlchemyError as error:
        log.error("export of the audit trail cut: %s", type(error).__name__)
        raise ExportCut from None


def _batches(chosen: Filter) -> Iterator[str]:
    cursor: str | None = None
    while True:
        page = search.page(chosen, cursor=cursor, limit=BATCH)
        lines = labels.lines(page.events, shortened=False)
        cursor = page.older
        forget_transaction()  # the reader may be slow, and must not hold a connection
        if lines:
            yield "".join(row(_cells(line)) for line in lines)
        if cursor is None:
            return


def _cells(line: Line) -> list[str]:
    people = ["" if number is None else str(number) for number in (line.actor, line.target)]
    result = "refused" if line.is_refused else "done"
    told = [line.action, result, line.reason, line.code, line.provider, *people, line.source, line.browser]
    return [line.at.strftime("%Y-%m-%dT%H:%M:%SZ"), *map(str, told), " · ".join(line.details)]


@transaction
def _note(actor: int) -> None:
    audit.record("trail exported", actor=actor)
