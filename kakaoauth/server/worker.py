"""gunicorn's worker with threads, changed so that none of them waits for a client."""

import errno
import gc
import resource
import sys
import time
from collections import deque
from typing import Any

from gunicorn.http.errors import NoMoreData  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from kakaoauth.server.clients import READ, Clients
from kakaoauth.server.connection import Connection
from kakaoauth.server.pool import Pool

#: Bytes of a body that are read for an app that names no MAX_CONTENT_LENGTH.
MAX_BODY = 1024 * 1024
#: Seconds that a stopping worker waits for requests on open connections, as gunicorn's own does.
STOP_SECONDS = 2.0
#: Files that the site itself needs besides its clients' connections: to Redis, the database, the providers.
OTHER_FILES = 256
#: Seconds without new connections where none more is possible.
PAUSE_SECONDS = 0.1
#: New objects after which Python looks for garbage in cycles: its own number, 700, is a few pages. Rarer looks need
#: more memory, 2 to 15 MB in a worker.
GC_THRESHOLDS = (10_000, 20, 50)
#: Seconds between two signs of life to gunicorn's master.
BEAT_SECONDS = 0.5
#: Seconds between two log lines about clients that were too slow.
SECONDS_BETWEEN_LINES = 60.0

NO_MORE_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
#: Nobody is there any more, or another worker was first.
NO_CLIENT = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED, errno.EPROTO)


def look_for_less_garbage() -> None:
    """Take what is loaded so far for what it is, never garbage: no look for garbage goes through it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


class Settings:
    """gunicorn's settings, each looked up once, since none changes in a worker. Its own object finds them by
    `__getattr__`, after a search in vain; a request asks for some thirty, which was a seventh of an empty page."""

    def __init__(self, cfg: Any) -> None:
        self._cfg = cfg

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._cfg, name)
        setattr(self, name, value)
        return value


class BufferingWorker(ThreadWorker):
    """`gunicorn -k kakaoauth.server.BufferingWorker`. The settings of gthread count: threads, keepalive,
    worker_connections. HTTP/1 alone: TLS, HTTP/2 and the PROXY protocol are for a proxy before it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # gunicorn uses its C parser wherever that is installed, any version from 0.4.1 on. Up to 0.6.9 it ends a head
        # at an empty line with a bare LF, so that the rest of the head becomes another request; 0.6.10 still takes
        # request lines that the Python parser refuses. It would save 0.01 ms of a request.
        self.cfg.set("http_parser", "python")
        self.cfg: Any = Settings(self.cfg)
        self.worker_connections: int = self.cfg.worker_connections
        self.max_body = MAX_BODY
        self._next_line = self._next_accept = self._next_beat = 0.0
        #: What threads have answered, and whether the connection may be used again.
        self._answered: deque[tuple[Connection, bool]] = deque()

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Exit where a setting asks for TLS, HTTP/2 or the PROXY protocol."""
        super().check_config(cfg, log)
        if cfg.is_ssl or cfg.proxy_protocol != "off" or cfg.protocol != "http" or "h2" in cfg.http_protocols:
            sys.exit(
                "kakaoauth: this server speaks plain HTTP/1.1: leave TLS, HTTP/2 and the PROXY protocol to a proxy"
                " before it (docs/operations.md)"
            )

    def init_process(self) -> None:
        """Raise the limit of open files as far as allowed, then start as gunicorn does."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = self.worker_connections + OTHER_FILES
        if 0 <= soft < wanted:
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            self.worker_connections = max(self.cfg.threads + 1, soft - OTHER_FILES)
        self.max_keepalived = self.worker_connections  # the oldest are closed when there is no more room
        super().init_process()

    def get_thread_pool(self) -> Pool:
        """Return the threads that answer (called by gunicorn)."""
        return Pool(self.cfg.threads, self._serve)

    # The main thread

    def run(self) -> None:
        """Serve until gunicorn's master asks the worker to stop."""
        look_for_less_garbage()
        self.max_body = getattr(self.wsgi, "config", {}).get("MAX_CONTENT_LENGTH") or MAX_BODY
        self.clients = Clients(self.poller, self.tpool.submit, self.cfg.keepalive)
        self.poller.register(self.method_queue.fileno(), READ, self.method_queue.run_callbacks)
        while self.alive:
            now = time.monotonic()
            if now >= self._next_beat:
                self._next_beat = now + BEAT_SECONDS
                self.notify()
                if not self.is_parent_alive():
                    break
                self._tell()
            self.set_accept_enabled(now >= self._next_accept)
            self.wait_for_and_dispatch_events(1.0 if self._accepting else PAUSE_SECONDS)
            self.clients.close_late()
        self.set_accept_enabled(False)
        self._finish_up()

    def _finish_up(self) -> None:
        """Answer what is on its way, a little shorter than graceful_timeout: then gunicorn's master kills."""
        ends = time.monotonic() + max(self.cfg.graceful_timeout - 0.5, self.cfg.graceful_timeout / 2)
        self.clients.hurry(STOP_SECONDS)
        while self.clients.count and time.monotonic() < ends:
            self.notify()
            self.wait_for_and_dispatch_events(PAUSE_SECONDS)
            self.clients.close_late()
        self.clients.drop_all()
        self.tpool.shutdown(wait=False)
        self.poller.close()
        self.method_queue.close()
        for listener in self.sockets:
            listener.close()

    def accept(self, listener: Any) -> None:
        """Take one new connection; if there is no room, close the oldest one first."""
        if self.clients.count >= self.worker_connections and not self.clients.make_room():
            self._next_accept = time.monotonic() + PAUSE_SECONDS  # every request that came is waiting for a thread
            return
        try:
            accepted, client = listener.accept()
        except OSError as error:
            if error.errno in NO_MORE_FILES:
                self.clients.make_room()
                self._next_accept = time.monotonic() + PAUSE_SECONDS
            elif error.errno not in NO_CLIENT:
                raise
            return
        self.clients.add(Connection(self.cfg, accepted, client, listener.getsockname(), self.max_body))

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait for clients, or for a thread that has to tell something now."""
        events = self.poller.select(timeout)
        self._take_answered()
        for key, _ in events:
            key.data(key.fileobj)
        self._take_answered()

    def _take_answered(self) -> None:
        while self._answered:
            conn, keeps = self._answered.popleft()
            self.tpool.answered()
            self.clients.answered(conn, keeps=keeps)

    def _tell(self) -> None:
        now = time.monotonic()
        if self.clients.too_slow and now >= self._next_line:
            self.log.warning("closed %s connections: clients were too slow, or too many", self.clients.too_slow)
            self.clients.too_slow, self._next_line = 0, now + SECONDS_BETWEEN_LINES

    # A thread of the pool

    def _serve(self, conn: Connection) -> None:
        keeps = False
        try:
            keeps = self.handle(conn)
            conn.sock.send_head()
            if keeps:
                conn.take_back()
        except (OSError, SystemExit):  # an app's view that exits, too, ends no thread
            keeps = False
        finally:
            self._answered.append((conn, keeps))
            # The main thread sees it when this client or another one does something, or a second later. It is woken
            # only if something is to be done before. It sets `is_early` before it looks for answers: one of the two
            # sees what the other did.
            if not keeps or conn.is_early or not conn.watched or conn.sock.unsent or conn.incoming.data:
                self.method_queue.defer(self._take_answered)

    def handle(self, conn: Connection) -> bool:
        """Answer the request that has come. Return whether the connection may be used again."""
        request = None
        try:
            request = next(conn.parser)
            request._expected_100_continue = False  # the main thread has said it, if it was asked
            if conn.incoming.is_cut:
                request.force_close()
            return bool(self.handle_request(request, conn) and conn.parser.finish_body())
        except (NoMoreData, StopIteration, ConnectionError, TimeoutError) as error:
            self.log.debug("Closing connection: %s", type(error).__name__)
        except OSError as error:
            if error.errno not in (errno.ENOTCONN, errno.EBADF):
                self.log.exception("Socket error processing request.")
        except Exception as error:
            self.handle_error(request, conn.sock, conn.client, error)
        return False
