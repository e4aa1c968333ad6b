"""In which encoding a file is: UTF-8, what Korean Windows writes as "CSV" (CP949), or Excel's "Unicode text" (UTF-16).

A file that can be read twice is looked through first, so that it is read from its first row to its last, or not at all.
Memory for a piece of it is enough.
"""

import codecs
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple, Protocol

from kakaoauth.staff.csv.reasons import Why

#: Bytes that are read at a time.
PIECE = 65_536
#: How a character that cannot be is passed on, so that its row is refused: as a lone surrogate.
_ERRORS = {"cp949": "surrogateescape", "utf-16-le": "surrogatepass", "utf-16-be": "surrogatepass"}


class Unreadable(Exception):
    """The file as a whole is none of ours."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


class Source(Protocol):
    def readline(self, size: int, /) -> bytes: ...


class Recoded:
    """A file of another encoding as one in UTF-8."""

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)(_ERRORS[encoding])
        self._buffer = b""
        self._is_over = False

    def readline(self, size: int, /) -> bytes:
        """With no more than `size` bytes, as a file does."""
        while not self._is_over and len(self._buffer) < size and b"\n" not in self._buffer:
            self._buffer += self._more()
        end = min(self._buffer.find(b"\n") + 1 or len(self._buffer), size)
        line, self._buffer = self._buffer[:end], self._buffer[end:]
        return line

    def _more(self) -> bytes:
        raw = self._file.read(8_192)
        self._is_over = not raw
        try:
            text = self._decoder.decode(raw, final=self._is_over)
        except UnicodeDecodeError:
            text = "\udcff"  # half a character at the end
        return text.encode("utf-8", "surrogatepass")


def open_as_utf8(file: BinaryIO) -> Source:
    """:raises Unreadable: no encoding that a whole CSV file can be in."""
    head = _peek(file)
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise Unreadable(Why("it is UTF-32: in Excel, save as CSV UTF-8"))
    for bom, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if head.startswith(bom) or _is_bare_utf16(head, encoding):
            return Recoded(file, encoding)
    if head.startswith(codecs.BOM_UTF8) or not _is_cp949(file, head):
        return file
    return Recoded(file, "cp949")


def _peek(file: BinaryIO) -> bytes:
    if file.seekable():
        start = file.tell()
        head = file.read(PIECE)
        file.seek(start)
        return head
    peek = getattr(file, "peek", None)
    return bytes(peek(PIECE)) if peek is not None else b""


def _is_bare_utf16(head: bytes, encoding: str) -> bool:
    """Without a byte order mark: the first line names columns, with something in it that parts or ends them."""
    if b"\0" not in head[:2_000]:
        return False
    try:
        first = codecs.getincrementaldecoder(encoding)().decode(head[:2_000]).split("\n")[0]
    except UnicodeDecodeError:
        return False
    return "\0" not in first and any(char in first for char in ",;\t\r") and not first.startswith("\ufffe")


def _is_cp949(file: BinaryIO, head: bytes) -> bool:
    """False: UTF-8. Of a pipe only the beginning tells, and rows that do not fit are refused one by one.

    :raises Unreadable: neither of them throughout.
    """
    if not file.seekable():
        # What follows the last line end may be cut within a character.
        return _tally(head[: head.rfind(b"\n") + 1].splitlines()).cp949 > 0
    start = file.tell()
    found = _tally(_whole_lines(file))
    file.seek(start)
    if not found.cp949 and not found.neither:
        return False
    # A line of CP949 can be UTF-8 by chance, but not most of them.
    if found.neither or found.cp949 <= found.utf8:
        why = Why("line %(line)s is not in the encoding of the others: in Excel, save as CSV UTF-8", line=found.first)
        raise Unreadable(why)
    return True


class _Tally(NamedTuple):
    """Lines that are UTF-8 and more than ASCII, lines that are not UTF-8, and the first of these."""

    utf8: int
    cp949: int
    neither: int
    first: int


def _tally(lines: Iterable[bytes]) -> _Tally:
    utf8 = cp949 = neither = first = 0
    for number, line in enumerate(lines, 1):
        if line.isascii():
            continue
        if _is(line, "utf-8"):
            utf8 += 1
            continue
        first = first or number
        if _is(line, "cp949"):
            cp949 += 1
        else:
            neither += 1
    return _Tally(utf8, cp949, neither, first)


def _whole_lines(file: BinaryIO) -> Iterator[bytes]:
    """One that is far too long, and refused later, may be cut within a character: it tells nothing."""
    while line := file.readline(PIECE):
        if len(line) < PIECE or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(PIECE)
        yield b""


def _is(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
