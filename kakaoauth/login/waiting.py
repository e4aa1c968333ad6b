"""A bound on the threads that wait for the first of several equal callbacks.

A waiting thread serves no other page, so a client that repeats a callback could occupy them all.
"""

import time
from threading import BoundedSemaphore

from kakaoauth.errors import ProviderBusy

#: Threads of one process. People double-click, but not all at the same moment.
WAITING = 4
_slots = BoundedSemaphore(WAITING)


def wait_a_moment(seconds: float) -> None:
    """Sleep. :raises ProviderBusy: too many threads wait already."""
    if not _slots.acquire(blocking=False):
        raise ProviderBusy("too many wait for an equal request to end")
    try:
        time.sleep(seconds)
    finally:
        _slots.release()
