"""What commands share: a port as an option, text that is harmless for a terminal, a progress line for long work."""

import sys
import time
from collections.abc import Callable

import click

#: Seconds between two looks at a terminal, and where standard error is none, between two lines.
SHOWN_EVERY, TOLD_EVERY = 0.2, 10.0
BAR = 24
PORT = click.IntRange(1, 65535)


def printable(text: str | None) -> str:
    """Replace what a terminal would obey, such as escape sequences in a nickname."""
    return "".join(char if char.isprintable() else "?" for char in text or "-")


class Progress:
    """One line on standard error: how much is done, how fast it goes, and how much time is left."""

    def __init__(self, label: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._label = label
        self._clock = clock
        self._begun = clock()
        self._is_terminal = sys.stderr.isatty()
        self._every = SHOWN_EVERY if self._is_terminal else TOLD_EVERY
        self._next = self._begun + self._every
        self._done = 0

    def update(self, done: int, share: float | None) -> None:
        """:param share: of the whole work, from 0 to 1. None: nobody knows how much there is."""
        self._done = done
        if self._clock() >= self._next:
            self._next = self._clock() + self._every
            self._show(self._line(share), end=not self._is_terminal)

    def finish(self) -> None:
        """Print the last line: how much was done, and in how much time."""
        seconds = self._clock() - self._begun
        self._show(f"{self._label}: {self._counted(seconds)}, {_span(seconds)} in all", end=True)

    def clear(self) -> None:
        """Make room for a line of another kind."""
        if self._is_terminal:
            click.echo("\r\x1b[K", err=True, nl=False)

    def _line(self, share: float | None) -> str:
        seconds = self._clock() - self._begun
        if not share:
            return f"{self._label}: {self._counted(seconds)}"
        share = min(share, 1.0)
        bar = "#" * round(share * BAR)
        left = seconds * (1 - share) / share
        return f"{self._label} [{bar:.<{BAR}}] {share:4.0%}  {self._counted(seconds)}, {_span(left)} left"

    def _counted(self, seconds: float) -> str:
        return f"{self._done:,}, {self._done / max(seconds, 0.001):,.0f} per second"

    def _show(self, line: str, *, end: bool) -> None:
        self.clear()
        click.echo(line, err=True, nl=end)


def _span(seconds: float) -> str:
    """0:07, 12:34 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"
