"""Users as a CSV file: its columns, import and export.

What is written is UTF-8 with a byte order mark, by which Excel knows Hangul, every cell in quotes, and lines that end
in CR LF (RFC 4180). What is read may also be as Korean offices make it: encodings, columns. Both directions work
piece by piece, so a million users need no more memory than a thousand.
"""

from kakaoauth.staff.csv.cells import row
from kakaoauth.staff.csv.encodings import Unreadable
from kakaoauth.staff.csv.people import Newcomer, Refused
from kakaoauth.staff.csv.reading import Batch, batches
from kakaoauth.staff.csv.writing import BOM, COLUMNS, beginning, lines

__all__ = ["BOM", "COLUMNS", "Batch", "Newcomer", "Refused", "Unreadable", "batches", "beginning", "lines", "row"]
