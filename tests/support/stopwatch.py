"""How long something takes on a machine that is busy with other work."""

import threading
import time

#: Seconds between two looks at how late this machine wakes a thread.
TICK = 0.01


class Stopwatch:
    """Runs from its making, and leaves out the time for which the machine let a sleeping thread wait."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._late = 0.0
        self._begun = time.monotonic()
        self._watcher = threading.Thread(target=self._look, daemon=True)
        self._watcher.start()

    def seconds(self) -> float:
        """Stop it."""
        taken = time.monotonic() - self._begun
        self._over.set()
        self._watcher.join()
        return taken - self._late

    def _look(self) -> None:
        while not self._over.is_set():
            before = time.monotonic()
            time.sleep(TICK)
            self._late += max(0.0, time.monotonic() - before - 2 * TICK)
