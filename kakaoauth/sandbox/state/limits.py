"""Counting calls in a sliding window, by the sandbox's own clock."""

from collections import deque

from kakaoauth.sandbox.clock import Clock


class Limiter:
    """Remember when each key was used; the caller holds the state's lock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times: dict[str, deque[float]] = {}

    def allow(self, key: str, *, limit: int, seconds: float) -> bool:
        """Count one use of `key`, or return False when `limit` uses lie within the last `seconds`."""
        now = self._clock.now()
        times = self._times.setdefault(key, deque())
        while times and times[0] <= now - seconds:
            times.popleft()
        if len(times) >= limit:
            return False
        times.append(now)
        return True

    def clear(self) -> None:
        """Forget every use."""
        self._times.clear()
