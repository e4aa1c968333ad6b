"""The pool of connections to a provider, under requests. It outlives Authlib's sessions: Authlib builds a
`requests.Session` for each call and closes it afterwards.
"""

import io
import ssl
import weakref
from typing import Any, cast
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import SSLError
from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError

from kakaoauth.providers.connections import POOLS, Bounded, open_to, tls_context

#: Hosts to which connections are kept: a provider has two or three.
HOSTS = 4

Idle = dict[tuple[str, str], list[Bounded]]


class Adapter(HTTPAdapter):
    """Kept-alive connections, shared by all sessions that mount it; a session's end leaves them open.

    A call that needs no proxy and no certificates of its own is made here: for it requests and urllib3 would need three
    times as long. They make all others.
    """

    def __init__(self, size: int) -> None:
        super().__init__(pool_connections=HOSTS, pool_maxsize=size)
        #: Connections that wait for a call, by scheme and host. Of one host: as many as there were ever calls at once.
        self._idle: Idle = {}
        weakref.finalize(self, _close_all, self._idle)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        """Use pools whose connections keep to the deadline."""
        super().init_poolmanager(connections, maxsize, block, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """The same pools behind a proxy."""
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = POOLS
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

    def send(self, request: PreparedRequest, *args: Any, **how: Any) -> Response:
        """Send; repeat a GET once if the connection was closed meanwhile."""
        send = self._send_directly if not args and self._is_direct(request, **how) else super().send
        try:
            return send(request, *args, **how)
        except (RequestsConnectionError, ConnectionError) as error:
            # The provider may close a kept-alive connection just as we use it. Only a GET is repeated: whether a
            # token call that was cut off has burnt its code nobody can tell (RFC 6749, section 4.1.2).
            if request.method != "GET" or not _was_reset(error):
                raise
        return send(request, *args, **how)

    def _is_direct(self, request: PreparedRequest, **how: Any) -> bool:
        if how.get("proxies") or how.get("cert") or how.get("verify") is not True:
            return False
        has_room = len(self._idle) < HOSTS or _place(request) in self._idle
        return has_room and isinstance(request.body, str | bytes | None)

    def _send_directly(self, request: PreparedRequest, *, timeout: tuple[float, float], **_: Any) -> Response:
        place = _place(request)
        idle = self._idle.setdefault(place, [])
        try:
            connection = idle.pop()
        except IndexError:
            connection = open_to(*place)
        try:
            answer, body = connection.ask(request, *timeout)
        except ssl.SSLError as error:
            connection.close()
            raise SSLError(error, request=request) from error
        except BaseException:
            connection.close()
            raise
        if not connection.is_closed:
            idle.append(connection)
        # As pairs: requests would look each name up among all of them. Of two of one name the first counts, as there.
        answer.headers = cast("Any", reversed(answer.getheaders()))
        response: Response = self.build_response(request, cast("Any", answer))
        response.raw = io.BytesIO(body)
        if "Content-Encoding" in response.headers:
            response.raw = HTTPResponse(response.raw, response.headers, preload_content=False)
        return response

    def close(self) -> None:
        """Do nothing: Authlib closes its session after each call, and the connections are to stay."""

    def shut(self) -> None:
        """Really close all connections."""
        _close_all(self._idle)
        super().close()


def _close_all(connections: Idle) -> None:
    for idle in connections.values():
        while idle:
            idle.pop().close()


def _place(request: PreparedRequest) -> tuple[str, str]:
    parts = urlsplit(str(request.url))
    return parts.scheme, parts.netloc


def _was_reset(error: Exception) -> bool:
    if isinstance(error, ConnectionError):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(cause, ProtocolError) and len(cause.args) > 1 and isinstance(cause.args[1], ConnectionError)
