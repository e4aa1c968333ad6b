"""Signs of life in Redis: a process that waits for another one learns within `LEASE` seconds that it is gone."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis

from kakaoauth.storage.redis import REDIS_ERRORS

log = logging.getLogger("kakaoauth.heartbeat")

#: Seconds after its last sign of life that a process counts as gone. A busy machine may be late by a second, and
#: the process that waits shall know within two.
LEASE = 1.5
#: Seconds between two signs.
BEAT = 0.4


class Heartbeat:
    """One thread for all work of this process, while there is any.

    Work that is done before the first beat, as nearly every login is, costs no Redis command.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._keys: set[str] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def of(self, key: str) -> Iterator[None]:
        """Have `key` stand in Redis while this lasts, from the first beat on, and at most `LEASE` seconds longer."""
        with self._changed:
            self._keys.add(key)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._keys.discard(key)

    def _beat(self) -> None:
        while True:
            with self._changed:
                self._changed.wait(BEAT)
                if not self._keys:
                    self._thread = None
                    return
                keys = list(self._keys)
            try:
                commands = self._redis.pipeline(transaction=False)
                for key in keys:
                    commands.set(key, "1", px=int(LEASE * 1000))
                commands.execute()
            except (*REDIS_ERRORS, ValueError) as error:  # redis-py's ValueError: the client is closed while it reads
                log.warning("no sign of life: %s", type(error).__name__)
