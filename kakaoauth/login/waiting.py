"""How many threads may wait for the first of two equal requests. Each serves no other page meanwhile, and whoever
repeats a callback often enough would have all of them.
"""

import time
from threading import BoundedSemaphore

from kakaoauth.errors import ProviderBusy

#: In a process, at once. People double-click; they do not do it all at the same moment.
WAITING = 4
_places = BoundedSemaphore(WAITING)


def wait_a_moment(seconds: float) -> None:
    """Sleep. :raises ProviderBusy: too many do."""
    if not _places.acquire(blocking=False):
        raise ProviderBusy("too many wait for an equal request to end")
    try:
        time.sleep(seconds)
    finally:
        _places.release()
