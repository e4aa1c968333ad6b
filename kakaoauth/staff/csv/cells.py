"""One cell of a CSV file, written so that a spreadsheet never takes it for a formula.

A spreadsheet calculates what begins with =, +, - or @, and on a Korean keyboard with their full-width forms, whether or
not blanks, or characters that are drawn as nothing, stand before (OWASP, "CSV Injection"; `=HYPERLINK(...)` sends what
is in the row elsewhere). An apostrophe before it all says "this is text". Reading takes away just that one: a text that
has apostrophes of its own before a formula gets one more, so there is no text that comes back changed.
"""

import re
from collections.abc import Iterable

#: Spaces, and what is drawn as none: zero-width, bidi, fillers, variation selectors, tags.
_NOTHING = (
    " \u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u202a-\u202f\u205f-\u206f\u2800"
    "\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)
_FORMULA = re.compile(rf"'*[{_NOTHING}]*[\t\r\n=+\-@＝＋－＠﹦﹢﹣﹫]")
#: No column means anything by a line break or a control character. A tab is kept: it counts as a formula's beginning.
_BREAKS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]+")


def row(cells: Iterable[str]) -> str:
    """One line of a file."""
    return '"' + '","'.join(map(written, cells)) + '"\r\n'


def written(text: str) -> str:
    """What stands between a cell's quotes."""
    if text.isalnum() and text.isascii():
        return text
    if not text.isprintable():
        text = _BREAKS.sub(" ", text)
    if _FORMULA.match(text):
        text = f"'{text}"
    return text.replace('"', '""')


def read(cell: str) -> str:
    """The text again, from a cell that was taken out of its quotes."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell, 1) else cell
