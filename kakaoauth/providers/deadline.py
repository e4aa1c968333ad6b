"""One deadline for all calls to a provider that one login makes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ends: ContextVar[float | None] = ContextVar("kakaoauth_deadline", default=None)


class DeadlinePassed(TimeoutError):
    """The time is over; no further byte is waited for."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let nothing inside wait longer than `seconds` in total. Inside another deadline the earlier one counts."""
    ends = time.monotonic() + seconds
    outer = _ends.get()
    mark = _ends.set(ends if outer is None else min(ends, outer))
    try:
        yield
    finally:
        _ends.reset(mark)


def time_left(limit: float) -> float:
    """Return how long one step may still take: `limit` seconds, or less if the deadline comes first.

    :raises DeadlinePassed: no time is left.
    """
    ends = _ends.get()
    if ends is None:
        return limit
    left = ends - time.monotonic()
    if left <= 0:
        raise DeadlinePassed("deadline passed")
    return min(limit, left)
