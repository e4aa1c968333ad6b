"""Serving the sandbox: on this computer only, with connections that stay open.

Not werkzeug's server: it closes every connection after one answer, and a client's connection pool would go
untested.
"""

import logging
import socketserver
import sys
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any, cast
from urllib.parse import unquote

from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import run_wsgi_app

from kakaoauth.sandbox.app import LARGEST_BODY, create_sandbox
from kakaoauth.sandbox.state.context import EXTENSION
from kakaoauth.sandbox.state.settings import SandboxSettings
from kakaoauth.sandbox.transport import ENVIRON_KEY, Transport, in_chunks

ADDRESS = "127.0.0.1"  # never another one: everybody who reaches the sandbox can be anybody in it
access_log = logging.getLogger("kakaoauth.sandbox.access")


class SandboxServer(ThreadingHTTPServer):
    """One thread per connection. :raise OSError: the port is taken."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, app: Flask, port: int) -> None:
        self.app = app
        super().__init__((ADDRESS, port), Handler)

    def server_bind(self) -> None:
        # HTTPServer's own version asks the name server who 127.0.0.1 is
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            logging.getLogger(__name__).exception("connection from %s failed", client_address[0])


class Handler(BaseHTTPRequestHandler):
    """Hand each request to the app with its whole body read, so that the next one starts where it should."""

    protocol_version = "HTTP/1.1"
    server_version = "kakaoauth-sandbox"
    sys_version = ""
    timeout = 75  # an idle connection ends
    disable_nagle_algorithm = True  # or headers and body wait 40 ms for each other
    wbufsize = -1

    def _answer(self) -> None:
        body = self._read_body()
        if body is None:
            return
        transport = Transport()
        app = cast(SandboxServer, self.server).app
        environ = self._environ(body) | {ENVIRON_KEY: transport}
        chunks, status, headers = run_wsgi_app(app.wsgi_app, environ, buffered=False)
        try:
            out, self.wfile = self.wfile, BytesIO()  # the head is kept back: it travels as the transport says
            try:
                content = self._begin_answer(status, headers, chunks, transport)
                head = self.wfile.getvalue()
            finally:
                self.wfile = out
            if not transport.send(head, content, out):
                self.close_connection = True
        finally:
            getattr(chunks, "close", lambda: None)()

    def _begin_answer(
        self, status: str, headers: Headers, chunks: Iterable[bytes], transport: Transport
    ) -> Iterable[bytes]:
        """Write the head and return the body as it is to be sent."""
        code, _, reason = status.partition(" ")
        bodiless = self.command == "HEAD" or int(code) in (204, 304)
        self.send_response(int(code), reason)
        for name, value in headers.items():
            if name.lower() != "content-length" or self.command == "HEAD" or transport.stream:
                self.send_header(name, value)
        content = chunks
        if not transport.stream:
            content = [b"".join(chunks)]
            if self.command != "HEAD":
                self.send_header("Content-Length", str(len(content[0])))
        elif "Content-Length" not in headers:
            self.send_header("Transfer-Encoding", "chunked")
            content = in_chunks(chunks)
        self.end_headers()
        return [] if bodiless else content

    def date_time_string(self, timestamp: float | None = None) -> str:
        # The Date of an answer follows the sandbox's clock, which can be moved
        state = cast(SandboxServer, self.server).app.extensions[EXTENSION]
        return super().date_time_string(state.clock.now() if timestamp is None else timestamp)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer

    def _read_body(self) -> bytes | None:
        """Return the body, or None after answering with an error that closes the connection."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or not self.path.startswith("/"):
            self.send_error(400)
            return None
        if int(length) > LARGEST_BODY:
            self.send_error(413)
            return None
        return self.rfile.read(int(length))

    def _environ(self, body: bytes) -> dict[str, Any]:
        server = cast(SandboxServer, self.server)
        path, _, query = self.path.partition("?")
        environ: dict[str, Any] = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.run_once": False,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "SERVER_PROTOCOL": self.request_version,
            "SERVER_NAME": ADDRESS,
            "SERVER_PORT": str(server.server_port),
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
        }
        for name in {name.upper() for name in self.headers} - {"CONTENT-LENGTH", "CONTENT-TYPE"}:
            if "_" not in name:
                environ[f"HTTP_{name.replace('-', '_')}"] = ",".join(self.headers.get_all(name, []))
        return environ

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        # Without the query: it carries codes and states
        path = getattr(self, "path", "-").partition("?")[0]
        safe = path[:200].encode("unicode_escape").decode("ascii")
        access_log.info("%s %s %s", self.command or "-", safe, int(code) if isinstance(code, int) else code)

    def log_error(self, format: str, *args: Any) -> None:
        """Say nothing: the text would quote the request line, query included."""


def bind(app: Flask, port: int) -> SandboxServer:
    """Return a server that listens already; `serve_forever()` starts it. Port 0 picks a free one.

    :raise OSError: the port is taken.
    """
    return SandboxServer(app, port)


def serve(settings: SandboxSettings, port: int) -> None:
    """Serve until interrupted. :raise OSError: the port is taken."""
    with bind(create_sandbox(settings), port) as server:
        run(server)


def run(server: SandboxServer) -> None:
    """Answer until interrupted, with a line on standard error for each request."""
    if not access_log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("[sandbox] %(asctime)s %(message)s", "%H:%M:%S"))
        access_log.addHandler(handler)
        access_log.propagate = False
    access_log.setLevel(logging.INFO)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
