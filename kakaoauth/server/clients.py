"""The connections of a worker, as its main thread sees them: reading, sending, and closing, under deadlines.

A connection is in one phase at a time, or with a thread of the pool. All of a phase have the same patience, so the
first of its dict is the first whose time is over.
"""

import selectors
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from gunicorn import util  # type: ignore[import-untyped]

from kakaoauth.server.connection import Connection
from kakaoauth.server.incoming import Arrived

#: Seconds for a request's head, from its first byte or from the connection's beginning. Browsers send it at once; those
#: that open a connection ahead of need open another.
HEAD_SECONDS = 10.0
#: Seconds for its body: 1 MiB in 20 seconds is 52 kB a second, which a poor phone network has.
BODY_SECONDS = 20.0
#: Seconds to take what is left of an answer, at most `connection.MAX_UNSENT`: 35 kB a second.
SEND_SECONDS = 60.0
#: Seconds in which a client that is told to go may still be sending: closing at once would destroy the answer that is
#: on its way.
LINGER_SECONDS = 2.0
#: Bytes of requests and of answers, each, that wait in a worker for clients.
MAX_HELD = 64 * 1024 * 1024

#: What is refused without asking the site.
REFUSED = {
    Arrived.HEAD_TOO_LONG: (431, "Request Header Fields Too Large"),
    Arrived.BODY_TOO_LONG: (413, "Content Too Large"),
    Arrived.MALFORMED: (400, "Bad Request"),
}

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

Phase = dict[Connection, float]


class Clients:
    """:param answer: gets a connection whose request is whole; call `answered` afterwards, in the main thread."""

    def __init__(self, poller: Any, answer: Callable[[Connection], object], idle_seconds: float) -> None:
        self.count = 0
        #: Closed since somebody looked, because they were too slow or too many.
        self.too_slow = 0
        self.head: Phase = {}
        self.body: Phase = {}
        self.idle: Phase = {}
        self.sending: Phase = {}
        self.closing: Phase = {}
        self._phases = (self.head, self.body, self.idle, self.sending, self.closing)
        self._poller = poller
        self._answer = answer
        self._idle_seconds = idle_seconds
        self._requests = self._answers = 0

    def add(self, conn: Connection) -> None:
        """Begin to read from a new connection."""
        self.count += 1
        self._enter(conn, self.head, HEAD_SECONDS)
        self._receive(conn)

    def answered(self, conn: Connection, *, keeps: bool) -> None:
        """:param keeps: whether the connection may be used again."""
        conn.keeps = keeps
        self._hold(conn, 0)
        if conn.sock.is_over:  # gunicorn has cut it, because an answer failed half way
            self._drop(conn)
        elif conn.sock.unsent:
            self._enter(conn, self.sending, SEND_SECONDS)
            self._hold(conn, answer=len(conn.sock.unsent))
            self._watch(conn, WRITE)
            while self._answers > MAX_HELD:
                self._push_out(self.sending)
        else:
            self._next(conn)

    def make_room(self) -> bool:
        """Close the oldest connection of whichever kind there are most, so that newcomers get in."""
        crowd = max(self._phases, key=len)
        if crowd:
            self._push_out(crowd)
        return bool(crowd)

    def hurry(self, seconds: float) -> None:
        """Wait for requests so long at most from now on."""
        self._idle_seconds = min(self._idle_seconds, seconds)
        soon = time.monotonic() + seconds
        for phase in (self.head, self.body, self.idle):
            for conn in phase:
                phase[conn] = min(phase[conn], soon)

    def close_late(self) -> None:
        """Close every connection whose time is over."""
        now = time.monotonic()
        for phase in self._phases:
            while phase:
                conn, ends = next(iter(phase.items()))
                if ends > now:
                    break
                self._time_out(conn)

    def drop_all(self) -> None:
        """All but those that a thread has."""
        for phase in self._phases:
            for conn in list(phase):
                self._drop(conn)

    # Called by the poller

    def _act(self, conn: Connection, _sock: Any) -> None:
        if conn.phase is self.sending:
            self._send_rest(conn)
        elif conn.phase is not None:
            self._receive(conn)
        else:  # closed since, in the same round of events; or a thread answers, and what comes now waits for that
            conn.is_early = True
            self._watch(conn, 0)

    def _send_rest(self, conn: Connection) -> None:
        try:
            is_sent = conn.sock.flush()
        except OSError:
            self._drop(conn)
        else:
            if is_sent:
                self._next(conn)

    def _receive(self, conn: Connection) -> None:
        data = conn.sock.receive()
        if data is None:
            self._watch(conn, READ)
        elif not data:
            self._drop(conn)
        elif conn.phase is not self.closing:  # what is sent after the last answer is nobody's
            if conn.phase is self.idle:
                self._enter(conn, self.head, HEAD_SECONDS)
            conn.incoming.data += data
            self._look(conn)

    def _look(self, conn: Connection) -> None:
        arrived = conn.incoming.look()
        if arrived is Arrived.WHOLE:
            self._leave(conn)  # still watched: most clients say nothing before they have their answer
            self._hold(conn, len(conn.incoming.data))
            conn.hand_over()
            self._answer(conn)
        elif arrived in REFUSED:
            self._refuse(conn, *REFUSED[arrived])
        else:
            if conn.incoming.has_head and conn.phase is self.head:
                self._enter(conn, self.body, BODY_SECONDS)
            if arrived is Arrived.ASKS_TO_CONTINUE and not conn.sock.say(b"HTTP/1.1 100 Continue\r\n\r\n"):
                self._drop(conn)
                return
            self._watch(conn, READ)
            self._hold(conn, len(conn.incoming.data))
            while self._requests > MAX_HELD and (self.body or self.head):
                self._push_out(self.body or self.head)

    # Steps

    def _next(self, conn: Connection) -> None:
        """What comes after an answer that is sent."""
        if not conn.keeps:
            self._close(conn)
            return
        if conn.incoming.data:
            self._enter(conn, self.head, HEAD_SECONDS)
            self._look(conn)
        else:
            self._enter(conn, self.idle, self._idle_seconds)
            self._watch(conn, READ)

    def _close(self, conn: Connection) -> None:
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(conn)
        else:
            self._enter(conn, self.closing, LINGER_SECONDS)
            self._watch(conn, READ)

    def _refuse(self, conn: Connection, status: int, reason: str) -> None:
        try:
            util.write_error(conn.sock, status, reason, "")
        except OSError:
            self._drop(conn)
        else:
            self.answered(conn, keeps=False)

    def _time_out(self, conn: Connection) -> None:
        if conn.phase in (self.head, self.body) and conn.incoming.data:
            self.too_slow += 1
            self._refuse(conn, 408, "Request Timeout")
        else:  # nothing was asked, or everything is said
            self.too_slow += conn.phase is self.sending
            self._drop(conn)

    def _push_out(self, crowd: Phase) -> None:
        self.too_slow += 1
        self._drop(next(iter(crowd)))

    def _drop(self, conn: Connection) -> None:
        self._leave(conn)
        self._watch(conn, 0)
        self._hold(conn, 0)
        self.count -= 1
        conn.sock.release()

    def _enter(self, conn: Connection, phase: Phase, seconds: float) -> None:
        self._leave(conn)
        conn.phase = phase
        phase[conn] = time.monotonic() + seconds

    def _leave(self, conn: Connection) -> None:
        if conn.phase is not None:
            del conn.phase[conn]
            conn.phase = None

    def _watch(self, conn: Connection, events: int) -> None:
        if conn.watched != events:
            if conn.watched:
                self._poller.unregister(conn.sock)
            if events:
                self._poller.register(conn.sock, events, partial(self._act, conn))
            conn.watched = events

    def _hold(self, conn: Connection, request: int = 0, answer: int = 0) -> None:
        """Count the bytes that wait in this connection."""
        held_request, held_answer = conn.held
        self._requests += request - held_request
        self._answers += answer - held_answer
        conn.held = (request, answer)
