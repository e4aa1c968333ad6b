"""What time it is. Everything asks this clock, so that a test can move time for the whole sandbox."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

FARTHEST = 20 * 365 * 86400


class Clock:
    """Unix time that can be pushed forward or back."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._offset = 0.0

    def now(self) -> float:
        """Return Unix time in seconds, as far ahead or back as the clock was moved."""
        return self._source() + self._offset

    @property
    def offset(self) -> float:
        """Seconds by which this clock is ahead of the real one."""
        return self._offset

    def reset(self) -> None:
        """Go with the real time again."""
        self._offset = 0.0

    def advance(self, seconds: float) -> None:
        """Move by so many seconds, back if negative, on top of earlier moves."""
        self._offset += seconds


def utc_text(moment: float) -> str:
    """Write a moment the way kapi does, e.g. 2025-11-02T03:04:05Z."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def move_clock(clock: Clock, seconds: float) -> None:
    """Move the clock, within reason. :raise ValueError: so far that dates could not be written any more."""
    if not abs(clock.offset + seconds) <= FARTHEST:  # NaN is refused, too
        raise ValueError(f"the clock can be moved by at most {FARTHEST} seconds")
    clock.advance(seconds)
