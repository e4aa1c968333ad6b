"""The threads that answer requests."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

from kakaoauth.server.connection import Connection


class Pool:
    """Does what ThreadPoolExecutor does for gunicorn, without a Future for each request: its locks cost a tenth of an
    empty page. A thread begins when all others have something to do.

    :param most: so many threads at most. :param serve: called in one of them; raises nothing.
    """

    def __init__(self, most: int, serve: Callable[[Connection], object]) -> None:
        self._most = most
        self._serve = serve
        self._waiting: SimpleQueue[Connection | None] = SimpleQueue()
        #: The main thread's alone.
        self._busy = self._threads = 0

    def submit(self, conn: Connection) -> None:
        """Have a thread answer the request that has come; call `answered` afterwards. Both in the main thread."""
        self._busy += 1
        if self._threads < min(self._busy, self._most):
            self._threads += 1
            Thread(target=self._run).start()
        self._waiting.put(conn)

    def answered(self) -> None:
        """One of the requests has been answered."""
        self._busy -= 1

    def shutdown(self, *, wait: bool) -> None:
        """End each thread after what waits for it; gunicorn waits for none."""
        for _ in range(self._threads):
            self._waiting.put(None)

    def _run(self) -> None:
        while (conn := self._waiting.get()) is not None:
            self._serve(conn)
