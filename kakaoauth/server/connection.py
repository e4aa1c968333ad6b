"""A client's connection. Reading never waits; sending keeps what the client does not take, for the poller to send."""

import contextlib
import select
import socket
import time
from collections.abc import Iterable
from typing import Any

from gunicorn import http  # type: ignore[import-untyped]

from kakaoauth.server.incoming import Incoming

#: Bytes that one reading takes at most.
PIECE = 64 * 1024
#: Bytes of an answer that wait for a client while its thread goes on. Longer than every page and file of the site; the
#: thread of a longer answer, a download, waits for its client.
MAX_UNSENT = 2 * 1024 * 1024
#: Seconds in which the client of a download must have taken half of that: 17 kB a second.
STALLED_SECONDS = 60.0
#: Bytes of a body that are worth copying to go with their head.
MAX_TOGETHER = 64 * 1024


class ClientSocket(socket.socket):
    """What gunicorn writes an answer into. It takes everything at once and sends what the client takes at once."""

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        self.unsent = bytearray()
        #: The head of an answer whose body follows at once: both go in one packet.
        self._head = b""
        self._begins = False
        #: Closed by whoever answers. The poller may still watch it, so its number must stay taken until `release`.
        self.is_over = False

    def close(self) -> None:
        """End the connection; the worker's main thread gives the socket back afterwards."""
        self.is_over = True
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Close, once no poller watches it."""
        super().close()

    def receive(self) -> bytes | None:
        """Return what is there: None if nothing is, empty at the end, also where the connection is broken."""
        try:
            return self.recv(PIECE, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return b""

    def say(self, data: bytes) -> bool:
        """Send; return False if the connection is broken."""
        try:
            self.sendall(data)
        except OSError:
            return False
        return True

    def sendall(self, data: Any, flags: int = 0) -> None:
        """:raises OSError: the connection is broken, or (TimeoutError) the client takes a long answer too slowly."""
        if self._begins:
            self._begins = False
            # A stream's body may come late; its head says no length, and goes at once.
            if b"\r\nContent-Length: " in data:
                self._head = data
                return
        if self._head and len(data) <= MAX_TOGETHER:
            data, self._head = self._head + data, b""
        self.send_head()
        self._take(data)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """:raises OSError: like `sendall`."""
        self.send_head()
        return super().sendfile(file, offset, count)

    def begin(self) -> None:
        """Take what comes next for an answer's head, and keep it until its body comes, or `send_head`."""
        self._begins = True

    def send_head(self) -> None:
        """Send the head that is held, if any. :raises OSError: like `sendall`."""
        self._begins = False
        if self._head:
            head, self._head = self._head, b""
            self._take(head)

    def _take(self, data: Any) -> None:
        sent = 0 if self.unsent else self._send(data)
        if sent < len(data):
            self.unsent += memoryview(data)[sent:]
            if len(self.unsent) > MAX_UNSENT:
                self._wait_for_client()

    def flush(self) -> bool:
        """Send what the client takes; return whether all is sent. :raises OSError: the connection is broken."""
        del self.unsent[: self._send(self.unsent)]
        return not self.unsent

    def _send(self, data: Any) -> int:
        try:
            return self.send(data, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return 0

    def _wait_for_client(self) -> None:
        ends = time.monotonic() + STALLED_SECONDS
        waiting = select.poll()
        waiting.register(self, select.POLLOUT)
        while not self.flush() and len(self.unsent) > MAX_UNSENT // 2:
            left = ends - time.monotonic()
            if left <= 0:
                raise TimeoutError("the client takes the answer too slowly")
            waiting.poll(left * 1000)


class Connection:
    """A client's connection, with the names that gunicorn's ThreadWorker uses."""

    is_http2 = False

    def __init__(self, cfg: Any, accepted: socket.socket, client: Any, server: Any, limit: int) -> None:
        """:param limit: bytes of a body that the site reads at most."""
        self.sock = ClientSocket(accepted)
        self.client = client
        self.server = server
        nothing: Iterable[bytes] = ()
        # It reads what `hand_over` gives it and meets the end of the data there. It never sees the socket.
        self.parser = http.get_parser(cfg, nothing, client)
        self.incoming = Incoming(limit)
        self._limit = limit
        #: The worker's: in which phase it is, until when, and what the poller watches the socket for.
        self.phase: dict[Connection, float] | None = None
        self.watched = 0
        #: Bytes of its request and of its answer that the worker has counted as waiting.
        self.held = (0, 0)
        #: What the worker does after the answer is sent: keep the connection, or close it.
        self.keeps = False
        #: Whether the client did something while a thread answers it: then nobody watches it until that thread tells.
        self.is_early = False

    def hand_over(self) -> None:
        """Give gunicorn's parser what came, once the request is whole."""
        self.is_early = False
        self.sock.begin()
        self.parser.unreader.unread(self.incoming.data)
        self.incoming.data.clear()

    def take_back(self) -> None:
        """Begin the next request, with what the client has sent of it already. Called by the thread that answers."""
        self.parser.mesg = None  # its end is reached: the parser need not look again, nor keep its cookies
        self.incoming = Incoming(self._limit, self.parser.unreader.take_buffered())
