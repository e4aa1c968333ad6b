"""From a file to its people: records with the lines they begin on, never more than one batch of them in memory."""

import csv
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import chain, islice
from typing import BinaryIO, NamedTuple

from kakaoauth.errors import one_line
from kakaoauth.staff.csv.columns import SEPARATOR, column_of, delimiter_of
from kakaoauth.staff.csv.encodings import Source, Unreadable, open_as_utf8
from kakaoauth.staff.csv.people import READERS, Newcomer, Refused, read_person
from kakaoauth.staff.csv.reasons import Why
from kakaoauth.staff.csv.seen import Seen, nothing_seen
from kakaoauth.staff.csv.writing import BOM

#: Records of a batch.
BATCH = 2_000
#: Bytes of a record: ten times what the longest user can have. Without a limit a quote that is never closed would take
#: the rest of the file into memory.
LONGEST = 65_536
TOO_LONG = "far too long"


class Batch(NamedTuple):
    good: list[Newcomer]
    refused: list[Refused]


class _Record(NamedTuple):
    #: The physical line it begins on: a quoted cell may hold line breaks.
    line: int
    cells: list[str]
    #: Why it cannot be taken apart; empty if it can.
    wrong: Why | None = None


class _Lines:
    """A file's lines as text. What is no UTF-8 becomes lone surrogates. Goes on after a record that is too long."""

    def __init__(self, file: Source) -> None:
        self._file = file
        self.number = 0
        #: Bytes since the record began.
        self.taken = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        raw = self._file.readline(LONGEST)
        if not raw:
            raise StopIteration
        self.number += 1
        self.taken += len(raw)
        while raw and not raw.endswith(b"\n") and len(raw) == LONGEST:
            raw = self._file.readline(LONGEST)
        if self.taken >= LONGEST:
            raise csv.Error(TOO_LONG)
        text = raw.decode("utf-8", "surrogateescape")
        return text.removeprefix(BOM) if self.number == 1 else text


def batches(file: BinaryIO, *, with_roles: bool) -> Generator[Batch, None, None]:
    """Everybody in the file, and every line that makes nobody.

    :raises Unreadable: there is no header that says what the columns are.
    """
    batch = Batch([], [])
    with nothing_seen() as seen, closing(_people(file, seen, with_roles=with_roles)) as people:
        for one in people:
            if isinstance(one, Newcomer):
                batch.good.append(one)
            else:
                batch.refused.append(one)
            if len(batch.good) + len(batch.refused) == BATCH:
                yield batch
                batch = Batch([], [])
        yield batch


def _people(file: BinaryIO, seen: Seen, *, with_roles: bool) -> Generator[Newcomer | Refused, None, None]:
    records = _records(open_as_utf8(file))
    columns = _header(next(records, None))
    for line, cells, wrong in records:
        if wrong:
            yield Refused(line, (("", wrong),))
        elif len(cells) != len(columns):
            why = Why("has %(cells)s cells, and the header %(columns)s", cells=len(cells), columns=len(columns))
            yield Refused(line, (("", why),))
        else:
            person = read_person(line, dict(zip(columns, cells, strict=True)), with_roles=with_roles)
            yield seen.enter(person) if isinstance(person, Newcomer) else person


def _records(file: Source) -> Iterator[_Record]:
    lines = _Lines(file)
    try:
        first, delimiter = _first_line(lines)
    except csv.Error as error:
        yield _Record(1, [], _explained(str(error), 1, lines.number))
        return
    reader = csv.reader(chain(first, lines), delimiter=delimiter, strict=True)
    begin = lines.number
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _Record(begin, [], _explained(str(error), begin, lines.number))
        else:
            if not all(map(_is_text, cells)):
                yield _Record(begin, [], Why("not UTF-8: in Excel, save as CSV UTF-8"))
            elif any("\0" in cell for cell in cells):
                yield _Record(begin, [], Why("a NUL character is in it"))
            elif any(cells):
                yield _Record(begin, cells)
        begin, lines.taken = lines.number + 1, 0


def _first_line(lines: _Lines) -> tuple[list[str], str]:
    """The header, if there is one, and what parts its cells.

    :raises csv.Error: it is far too long.
    """
    for line in lines:
        separator = SEPARATOR.fullmatch(line)
        if separator:
            return list(islice(lines, 1)), separator[1]
        if line.strip(" \t\r\n,;"):
            return [line], delimiter_of(line)
        lines.taken = 0
    return [], ","


def _is_text(cell: str) -> bool:
    return cell.isascii() or not any("\ud800" <= char <= "\udfff" for char in cell)


def _explained(error: str, begin: int, end: int) -> Why:
    """What a reader of the file can do something about. A quote that is not closed may have taken further lines."""
    why = Why(TOO_LONG) if error == TOO_LONG else Why("quotes that do not fit together")
    return Why("%(why)s; read as one with what follows up to line %(end)s", why=why, end=end) if end > begin else why


def _header(record: _Record | None) -> list[str]:
    """:raises Unreadable:"""
    if record is None:
        raise Unreadable(Why("it is empty: the first line must name the columns"))
    if record.wrong:
        raise Unreadable(Why("its first line cannot be read: %(why)s", why=record.wrong))
    names = [(cell.strip().lower(), column_of(cell)) for cell in record.cells]
    unknown = [one_line(name, 50) or "(no name)" for name, column in names if column is None]
    if unknown:
        names_of = {"names": ", ".join(unknown[:20]), "known": ", ".join(READERS)}
        raise Unreadable(Why("no such column: %(names)s; there are %(known)s", **names_of))
    columns = [column for _, column in names if column is not None]
    if len(set(columns)) < len(columns):
        raise Unreadable(Why("a column is there twice"))
    if not {"email", "identities"} & set(columns):
        raise Unreadable(Why("it has neither the column email nor identities, so nobody could log in"))
    return columns
