"""Connections to a provider, bounded at every step.

`requests` bounds each wait but not their sum. Here every step takes its time from the deadline: looking the name up,
connecting to each address, TLS, and each piece of the answer, so that a peer sending one byte at a time gains nothing.
"""

import functools
import http.client
import io
import socket
import ssl
import time
from concurrent.futures import Future
from contextlib import closing
from http.client import HTTPResponse
from threading import BoundedSemaphore, Thread
from typing import Any, cast
from urllib.parse import urlsplit

from requests import PreparedRequest
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from kakaoauth.providers.deadline import time_left

#: Largest answer that is read, decompressed. A profile has about 2 kB; the limit protects our memory.
MAX_BYTES = 1024 * 1024
#: A connection idle for longer is opened anew: common load balancers drop idle ones silently after 60 seconds, and a
#: token call that dies on such a connection has burnt its code.
IDLE_SECONDS = 50.0
#: Look-ups in progress, those that nobody waits for any more included: the system's resolver cannot be interrupted.
LOOKUPS = BoundedSemaphore(32)

Addresses = list[tuple[Any, ...]]
Options = list[tuple[int, int, int | bytes]]


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Trust what the machine trusts (`SSL_CERT_FILE` included) and the bundle that comes with requests."""
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


class _BoundedSocket(socket.SocketIO):
    """What an answer is read from: asks for the time left before each wait."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock, "r")
        cast("Any", sock)._io_refs += 1  # As socket.makefile does: the socket stays open until this is closed.
        self._silence = sock.gettimeout() or IDLE_SECONDS

    def makefile(self, _mode: str) -> io.BufferedReader:
        """As a socket's: what http.client reads an answer from."""
        return io.BufferedReader(self)

    def readinto(self, buffer: Any) -> int | None:
        """:raises DeadlinePassed: no time is left. :raises TimeoutError: nothing came in what is left."""
        cast("Any", self)._sock.settimeout(time_left(self._silence))
        return super().readinto(buffer)


class _Answer(HTTPResponse):
    """An answer that is read through a `_BoundedSocket`."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(cast("socket.socket", _BoundedSocket(sock)), *args, **kwargs)  # it only asks for the file


class Bounded(HTTPConnection):
    """A connection that keeps to the deadline."""

    response_class = _Answer
    _used = 0.0
    #: What `ask` has not sent yet.
    _held: bytes | None = None

    @property
    def is_connected(self) -> bool:
        """False also after IDLE_SECONDS: urllib3 then connects anew."""
        return time.monotonic() - self._used < IDLE_SECONDS and super().is_connected

    def ask(self, request: PreparedRequest, connect: float, read: float) -> tuple[HTTPResponse, bytes]:
        """Send a request and read the answer, up to a byte more than MAX_BYTES. It closes what it cannot use again.

        :param connect, read: seconds that connecting may take, and each wait for a piece of the answer.
        """
        if not self.is_connected:
            self.close()
            self.timeout = connect
            self.connect()
        cast("socket.socket", self.sock).settimeout(read)
        self.putrequest(str(request.method), request.path_url, skip_accept_encoding=True)
        for name, value in request.headers.items():
            http.client.HTTPConnection.putheader(self, name, value)  # urllib3's looks for names to be left out
        body = request.body
        self._held = b""
        self.endheaders(body.encode() if isinstance(body, str) else body)
        whole, self._held = self._held, None
        self.send(whole)
        with closing(http.client.HTTPConnection.getresponse(self)) as answer:
            self._used = time.monotonic()
            content = answer.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            self.close()
        elif answer.length:
            raise http.client.IncompleteRead(b"")
        return answer, content

    def send(self, data: Any) -> None:
        """As http.client's; from `ask`, head and body at once, which is one packet and one record of TLS."""
        if self._held is None:
            super().send(data)
        else:
            self._held += data

    def getresponse(self) -> Any:
        """As http.client's; from now on the connection is idle."""
        response = super().getresponse()
        self._used = time.monotonic()
        return response

    def _new_conn(self) -> socket.socket:
        """Connect as urllib3 does, under the deadline, and with its exceptions."""
        limit = self.timeout if isinstance(self.timeout, int | float) else IDLE_SECONDS
        try:
            return _connect(self._dns_host, self.port, time_left(limit), self.socket_options or [])
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "connecting took too long") from error
        except OSError as error:
            raise NewConnectionError(self, type(error).__name__) from error


class BoundedTLS(Bounded, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = Bounded


class _PoolTLS(HTTPSConnectionPool):
    ConnectionCls = BoundedTLS


POOLS = {"http": _Pool, "https": _PoolTLS}


def open_to(scheme: str, host: str) -> Bounded:
    """Return a connection to a host, which may have a port; it is made with the first call."""
    parts = urlsplit(f"//{host}")
    if scheme == "http":
        return Bounded(str(parts.hostname), parts.port)
    return BoundedTLS(str(parts.hostname), parts.port, ssl_context=tls_context())


def _connect(host: str, port: int, seconds: float, options: Options) -> socket.socket:
    """Connect to one of the host's addresses within `seconds` altogether; what is left of them is left for TLS."""
    ends = time.monotonic() + seconds
    addresses = resolve(host.strip("[]"), port, seconds)
    failure: OSError = OSError("the name has no address")
    for tried, (family, kind, protocol, _name, address) in enumerate(addresses):
        left = ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        try:
            # A fair share, so that an address that swallows packets does not use up the time of those that answer.
            sock = _open(family, kind, protocol, address, left / (len(addresses) - tried), options)
        except OSError as error:
            failure = error
        else:
            sock.settimeout(max(ends - time.monotonic(), 0.001))
            return sock
    raise failure


def _open(family: int, kind: int, protocol: int, address: Any, seconds: float, options: Options) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    try:
        for option in options:
            sock.setsockopt(*option)
        sock.settimeout(seconds)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def resolve(host: str, port: int, seconds: float) -> Addresses:
    """Look a name up, waiting at most `seconds`.

    :raises TimeoutError: no answer in time, or too many look-ups already wait for one. :raises socket.gaierror:
    """
    try:
        return cast("Addresses", socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST))
    except socket.gaierror:
        pass
    limit, ends = LOOKUPS, time.monotonic() + seconds
    if not limit.acquire(timeout=seconds):
        raise TimeoutError("too many look-ups")
    answer: Future[Addresses] = Future()
    # A thread of its own, not a pool's: the interpreter would wait for a pool's threads when it ends.
    Thread(target=_look_up, args=(answer, host, port, limit), daemon=True).start()
    return answer.result(max(ends - time.monotonic(), 0))


def _look_up(answer: "Future[Addresses]", host: str, port: int, limit: BoundedSemaphore) -> None:
    try:
        answer.set_result(cast("Addresses", socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)))
    except Exception as error:
        answer.set_exception(error)
    finally:
        limit.release()
