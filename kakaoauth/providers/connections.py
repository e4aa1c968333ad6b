"""Connections to a provider: a pool that outlives Authlib's sessions, bounded at every step.

Authlib builds a `requests.Session` for each call and closes it afterwards; `requests` bounds each wait but not their
sum. Here every step takes its time from the deadline: looking the name up, connecting to each address, TLS, and each
piece of the answer, so that a peer sending one byte at a time gains nothing.
"""

import functools
import io
import socket
import ssl
import time
from concurrent.futures import Future
from http.client import HTTPResponse
from threading import BoundedSemaphore, Thread
from typing import Any, cast

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ProtocolError

from kakaoauth.providers.deadline import time_left

#: A connection idle for longer is opened anew: common load balancers drop idle ones silently after 60 seconds, and a
#: token call that dies on such a connection has burnt its code.
IDLE_SECONDS = 50.0
#: Look-ups in progress, those that nobody waits for any more included: the system's resolver cannot be interrupted.
LOOKUPS = BoundedSemaphore(32)

Addresses = list[tuple[Any, ...]]
Options = list[tuple[int, int, int | bytes]]


class Adapter(HTTPAdapter):
    """Kept-alive connections, shared by all sessions that mount it; a session's end leaves them open."""

    def __init__(self, size: int) -> None:
        super().__init__(pool_connections=4, pool_maxsize=size)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        """Use pools whose connections keep to the deadline."""
        super().init_poolmanager(connections, maxsize, block, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """The same pools behind a proxy."""
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def build_connection_pool_key_attributes(self, request: PreparedRequest, verify: Any, cert: Any = None) -> Any:
        """Use one TLS context for all connections."""
        attributes: Any = super().build_connection_pool_key_attributes(request, verify, cert)
        host, options = attributes
        if verify is True and host["scheme"] == "https":
            options["ssl_context"] = tls_context()
        return host, options

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Do nothing where the shared TLS context verifies."""
        # requests would have the certificate bundle parsed again for each connection; the context holds it already.
        if verify is not True or cert:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send; repeat a GET once if the connection was closed meanwhile."""
        try:
            return super().send(request, *args, **kwargs)
        except RequestsConnectionError as error:
            # The provider may close a kept-alive connection just as we use it. Only a GET is repeated: whether a
            # token call that was cut off has burnt its code nobody can tell (RFC 6749, section 4.1.2).
            if request.method != "GET" or not _was_reset(error):
                raise
        return super().send(request, *args, **kwargs)

    def close(self) -> None:
        """Do nothing: Authlib closes its session after each call, and the connections are to stay."""

    def shut(self) -> None:
        """Really close all connections."""
        super().close()


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

    def readinto(self, buffer: Any) -> int | None:
        """:raises DeadlinePassed: no time is left. :raises TimeoutError: nothing came in what is left."""
        cast("Any", self)._sock.settimeout(time_left(self._silence))
        return super().readinto(buffer)


class _Answer(HTTPResponse):
    """An answer that is read through a `_BoundedSocket`."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_BoundedSocket(sock))


class _Bounded(HTTPConnection):
    """A connection that keeps to the deadline."""

    response_class = _Answer
    _used = 0.0

    @property
    def is_connected(self) -> bool:
        """False also after IDLE_SECONDS: urllib3 then connects anew."""
        return time.monotonic() - self._used < IDLE_SECONDS and super().is_connected

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


class _BoundedTLS(_Bounded, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Bounded


class _PoolTLS(HTTPSConnectionPool):
    ConnectionCls = _BoundedTLS


_POOLS = {"http": _Pool, "https": _PoolTLS}


def _was_reset(error: RequestsConnectionError) -> bool:
    cause = error.args[0] if error.args else None
    return isinstance(cause, ProtocolError) and len(cause.args) > 1 and isinstance(cause.args[1], ConnectionError)


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
