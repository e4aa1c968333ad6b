"""Cursors: where in an order a page begins, as text for a URL.

A cursor is not signed: a changed one shows another page of a list that the user may see anyway. Its values are checked.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from itsdangerous import BadData
from itsdangerous.encoding import base64_decode, base64_encode

from kakaoauth.storage.columns import MAX_ID

#: A nickname of 100 four-byte characters fits; so does the longest e-mail address.
MAX_LENGTH = 1000
MAX_VALUE = 254
SHAPE = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_LENGTH}}}")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

#: What a sort goes by; None stands for a field that is empty.
Value = str | int | datetime | None


class Position(NamedTuple):
    """A place between two users: right after the one with this value and id, in the direction of reading."""

    value: Value
    id: int


class Cursor(NamedTuple):
    position: Position
    #: Read towards the list's beginning.
    backwards: bool


def write(sort: str, cursor: Cursor) -> str:
    """Return the cursor as base64url text; `read` reads it for the same `sort` only."""
    value, user_id = cursor.position
    if isinstance(value, datetime):
        value = (value - EPOCH) // MICROSECOND
    text = json.dumps([sort, int(cursor.backwards), value, user_id], ensure_ascii=False, separators=(",", ":"))
    return base64_encode(text).decode()


def read(text: str, sort: str, kind: type, *, nullable: bool) -> Cursor:
    """Read what `write` wrote for this sort, whose values are of that `kind`.

    :raises ValueError: anything else.
    """
    try:
        if not SHAPE.fullmatch(text):
            raise ValueError("no cursor")
        written_for, backwards, value, user_id = json.loads(base64_decode(text))
        if written_for != sort or backwards not in (0, 1) or type(user_id) is not int or abs(user_id) > MAX_ID:
            raise ValueError("no cursor of this sort")
        if value is not None or not nullable:
            value = _checked(value, kind)
        return Cursor(Position(value, user_id), backwards == 1)
    except (BadData, ValueError, TypeError, OverflowError, RecursionError):
        raise ValueError("no cursor of this sort") from None


def _checked(value: Any, kind: type) -> Value:
    """:raises ValueError: nobody's value, or one a database refuses. :raises OverflowError: beyond the calendar."""
    if kind is datetime and type(value) is int:
        return EPOCH + value * MICROSECOND
    if kind is int and type(value) is int and abs(value) <= MAX_ID:
        return value
    if kind is str and isinstance(value, str) and len(value) <= MAX_VALUE and "\0" not in value:
        value.encode()  # a lone surrogate is refused here
        return value
    raise ValueError("nobody's value")
