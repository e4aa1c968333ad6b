"""Whether a whole request has come, head and body. Nothing here decides what a request says: gunicorn's parser does,
from the same bytes. If the two disagree about a request's end, that parser meets the end of the data and the connection
is closed; no thread waits and nothing is taken for another request's beginning.
"""

import re
from enum import Enum, auto

#: Bytes of a request's head. gunicorn's own limit is 100 fields of 8190; proxies pass on 32 kB (nginx).
MAX_HEAD = 64 * 1024
#: Bytes of a request line, and of a chunk's size line with its extensions, as in gunicorn (limit_request_line).
MAX_LINE = 8190

#: The fields that say how long a body is, or that the client waits before it sends one.
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|expect)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_BARE_LF = re.compile(rb"(?<!\r)\n")
_DIGITS = re.compile(rb"[0-9]{1,18}")
_HEX = re.compile(rb"[0-9A-Fa-f]{1,15}")


class Arrived(Enum):
    NOT_YET = auto()
    #: Not yet, and the client waits for "100 Continue" before it sends the rest.
    ASKS_TO_CONTINUE = auto()
    WHOLE = auto()
    #: A head that is longer than any that is meant.
    HEAD_TOO_LONG = auto()
    #: A body in chunks that is longer than the site reads: the site would be given its beginning as if it were all.
    BODY_TOO_LONG = auto()
    #: A body in chunks that are none. gunicorn would find out while the site reads it, too late for a 400.
    MALFORMED = auto()


class Incoming:
    """The bytes of one request, and what follows it on the connection.

    `is_cut` is set when the request is handed on without all of its body: the site refuses it, or gunicorn does, and
    the connection must be closed after the answer.
    """

    __slots__ = ("_body", "_body_at", "_chunk_at", "_limit", "_needed", "_seen", "data", "is_cut")

    def __init__(self, limit: int, data: bytes = b"") -> None:
        """:param limit: bytes of a body that the site reads at most."""
        self.data = bytearray(data)
        self.is_cut = False
        self._limit = limit
        #: Up to where the end of the head has been looked for.
        self._seen = 0
        #: Where the body begins, as soon as the head is whole.
        self._body_at = 0
        #: With how many bytes the request is whole. 0: its body comes in chunks.
        self._needed = 0
        #: Where the next chunk's size line begins, and the bytes in the chunks before it.
        self._chunk_at = 0
        self._body = 0

    @property
    def has_head(self) -> bool:
        """Whether the request's head has come completely."""
        return self._body_at > 0

    def look(self) -> Arrived:
        """Call it whenever `data` has grown."""
        if self._body_at:
            return self._look_at_body()
        end = self.data.find(b"\r\n\r\n", self._seen)
        if end > MAX_HEAD:
            return Arrived.HEAD_TOO_LONG
        if end >= 0:
            return self._read_head(end)
        return self._look_at_half_a_head()

    def _look_at_half_a_head(self) -> Arrived:
        # A request line that gunicorn refuses for its length, or a line end that it never accepts.
        if (len(self.data) > MAX_LINE + 2 and self.data.find(b"\r\n", 2, MAX_LINE + 4) < 0) or _BARE_LF.search(
            self.data, self._seen
        ):
            return self._cut()
        if len(self.data) > MAX_HEAD:
            return Arrived.HEAD_TOO_LONG
        self._seen = max(0, len(self.data) - 3)
        return Arrived.NOT_YET

    def _read_head(self, end: int) -> Arrived:
        self._body_at = self._needed = end + 4
        fields = _FRAMING.findall(self.data, 0, end)
        if not fields:
            return Arrived.WHOLE
        named: dict[bytes, list[bytes]] = {}
        for name, value in fields:
            named.setdefault(name.lower(), []).append(value.strip(b" \t").lower())
        expected = named.get(b"expect", [])
        codings, lengths = named.get(b"transfer-encoding", []), named.get(b"content-length", [])
        if any(value != b"100-continue" for value in expected):
            return self._cut()  # gunicorn answers 417
        if codings:
            # Whatever else stands in these fields: gunicorn judges it.
            if lengths or codings[-1].rpartition(b",")[2].strip(b" \t") != b"chunked":
                return self._cut()
            self._needed, self._chunk_at = 0, self._body_at
        elif lengths:
            if len(lengths) > 1 or not _DIGITS.fullmatch(lengths[0]) or int(lengths[0]) > self._limit:
                return self._cut()
            self._needed += int(lengths[0])
        arrived = self._look_at_body()
        asks = expected and arrived is Arrived.NOT_YET and not self._is_http10()
        return Arrived.ASKS_TO_CONTINUE if asks else arrived

    def _is_http10(self) -> bool:
        return self.data.split(b"\r\n", 1)[0].endswith(b"HTTP/1.0")

    def _look_at_body(self) -> Arrived:
        if self._needed:
            return Arrived.WHOLE if len(self.data) >= self._needed else Arrived.NOT_YET
        while True:
            line_end = self.data.find(b"\r\n", self._chunk_at)
            if line_end < 0:
                is_long = len(self.data) - self._chunk_at > MAX_LINE
                return Arrived.MALFORMED if is_long else Arrived.NOT_YET
            written = bytes(self.data[self._chunk_at : line_end]).partition(b";")[0].rstrip(b" \t")
            if not _HEX.fullmatch(written):
                return Arrived.MALFORMED
            size = int(written, 16)
            if size == 0:
                return self._look_at_trailers(line_end)
            came = len(self.data) - line_end - 2
            # Size lines are no body, but they are memory as well.
            if self._body + size > self._limit or len(self.data) > MAX_HEAD + 2 * self._limit:
                return Arrived.BODY_TOO_LONG
            if came < size + 2:
                return Arrived.NOT_YET
            if not self.data.startswith(b"\r\n", line_end + 2 + size):
                return Arrived.MALFORMED
            self._body += size
            self._chunk_at = line_end + 2 + size + 2

    def _look_at_trailers(self, line_end: int) -> Arrived:
        end = self.data.find(b"\r\n\r\n", line_end)
        if end >= 0:
            return Arrived.WHOLE
        return Arrived.MALFORMED if len(self.data) - line_end > MAX_HEAD else Arrived.NOT_YET

    def _cut(self) -> Arrived:
        self.is_cut = True
        return Arrived.WHOLE
