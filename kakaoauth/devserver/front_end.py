"""The server of the example front end: three files on an origin of its own, as any static host would.

It is no part of the site and has none of its secrets: what it may do, every front end on
KAKAOAUTH_FRONTEND_ORIGINS may.
"""

from collections.abc import Mapping
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent / "front_end"
TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}


class File(NamedTuple):
    body: bytes
    type: str


def origin(settings: Mapping[str, Any]) -> str:
    """Return the example front end's origin."""
    return f"http://localhost:{settings['FRONTEND_PORT']}"


def is_wanted(settings: Mapping[str, Any]) -> bool:
    """It goes with the sandbox; where KAKAOAUTH_FRONTEND_ORIGINS names others only, no login would return to it."""
    return "kakao" in settings["KAKAOAUTH_EMBEDDED"] and origin(settings) in settings["KAKAOAUTH_FRONTEND_ORIGINS"]


def serve(settings: Mapping[str, Any]) -> None:
    """Serve on FRONTEND_PORT until the process ends."""
    site = settings["PUBLIC_URL"] or f"http://localhost:{settings['PORT']}"
    Server(settings["FRONTEND_PORT"], origin(settings), site).serve_forever()


class Server(ThreadingHTTPServer):
    def __init__(self, port: int, origin: str, site: str) -> None:
        self.origin = origin
        self.headers = {
            "Content-Security-Policy": (
                f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src {site}; "
                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            ),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-cache",
        }
        self.files = {
            f"/{path.name}": File(path.read_bytes(), f"{TYPES[path.suffix[1:]]}; charset=utf-8")
            for path in FOLDER.iterdir()
            if path.suffix[1:] in TYPES
        }
        index = self.files.pop("/index.html")
        self.files["/"] = index._replace(body=index.body.replace(b"{site}", escape(site).encode()))
        super().__init__(("127.0.0.1", port), Handler)

    def server_bind(self) -> None:
        """Bind without looking up this machine's name."""
        # HTTPServer's own looks this machine's name up as well, which can take seconds, and needs it for nothing here.
        TCPServer.server_bind(self)


class Handler(BaseHTTPRequestHandler):
    server: Server
    server_version, sys_version = "kakaoauth", ""
    error_message_format, error_content_type = "%(code)d %(message)s\n", "text/plain; charset=utf-8"
    #: Seconds that a connection may say nothing.
    timeout = 10

    def do_GET(self) -> None:
        """Answer with a file, 404, or a redirect to the one right origin."""
        if f"http://{self.headers.get('Host')}" != self.server.origin:
            # 127.0.0.1 is another site than localhost, and would not get its cookies.
            self._answer(302, b"", Location=f"{self.server.origin}/")
            return
        file = self.server.files.get(self.path.partition("?")[0])
        if file is None:
            self.send_error(404)
        else:
            self._answer(200, file.body, **{"Content-Type": file.type})

    do_HEAD = do_GET

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def end_headers(self) -> None:
        """Add the security headers to every answer."""
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal is the site's."""
