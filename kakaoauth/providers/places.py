"""How many may talk to a provider at once: the only file that makes a login wait for another one, or turns it away."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from kakaoauth.errors import ProviderBusy

#: Seconds a login may wait for a place as long as the provider is quick: a burst is served one after the other.
WAIT_SECONDS = 4.0
#: Once a conversation has lasted so many seconds the provider is slow, and nobody waits for it any more: threads that
#: wait are threads that serve no other page.
SLOW_SECONDS = 2.5
#: Threads that may wait at once for another one to get a provider's signing keys.
WAITING_FOR_KEYS = 4


def waiting(calls: int) -> int:
    """Return how many may wait for a place among so many `calls`; the rest is told at once that it is slow."""
    return max(1, calls // 2)


def threads_held(calls: int) -> int:
    """Return how many threads of a process a silent provider can hold at most, with so many calls in flight."""
    return calls + waiting(calls) + WAITING_FOR_KEYS


class Places:
    """A bounded number of conversations, and of threads that wait for one. Safe for threads."""

    def __init__(self, number: int, waiting: int) -> None:
        self._number = number
        self._waiting = waiting
        self._changed = Condition()
        #: When each conversation began.
        self._begun: list[float] = []

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a place.

        :raises ProviderBusy: none came free, none can be expected to, or too many are waiting for one.
        """
        with self._changed:
            self._wait_for_one()
            begun = time.monotonic()
            self._begun.append(begun)
        try:
            yield
        finally:
            with self._changed:
                self._begun.remove(begun)
                self._changed.notify()

    def _wait_for_one(self) -> None:
        if len(self._begun) < self._number:
            return
        if not self._waiting:
            raise ProviderBusy("too many wait for a call in flight")
        self._waiting -= 1
        try:
            give_up = time.monotonic() + WAIT_SECONDS
            while len(self._begun) >= self._number:
                patience = min(give_up, min(self._begun) + SLOW_SECONDS) - time.monotonic()
                if patience <= 0:
                    raise ProviderBusy("too many calls in flight")
                self._changed.wait(patience)
        finally:
            self._waiting += 1
