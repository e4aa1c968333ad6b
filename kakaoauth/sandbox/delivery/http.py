"""One HTTP request to a webhook on this computer, with one deadline for all of it."""

import socket
import ssl
import time
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from urllib.parse import urlsplit

from kakaoauth.sandbox.loopback import is_loopback, is_webhook_address

SECONDS = 3.0  # Kakao waits no longer for an answer
LONGEST_HEAD = 16 * 1024


class DeliveryError(Exception):
    """No HTTP status came back."""


def deliver(method: str, url: str, headers: Mapping[str, str], body: bytes, most: int = 0) -> tuple[int, bytes]:
    """Send, and return the status and at most so many bytes of the answer; a redirect is not followed.

    :raise DeliveryError: no answer, or none that is HTTP.
    """
    if not is_webhook_address(url):
        raise DeliveryError("not an address on this computer")
    deadline = time.monotonic() + SECONDS
    try:
        with _connect(url, deadline) as connection:
            connection.sendall(_head(method, url, headers, body) + body)
            status, rest = _read_status(connection, deadline)
            return status, _read_body(connection, deadline, rest, most)
    except TimeoutError as error:
        raise DeliveryError(f"no answer within {SECONDS:g} seconds") from error
    except OSError as error:
        raise DeliveryError(error.strerror or str(error)) from error
    except (ValueError, HTTPException) as error:
        raise DeliveryError(str(error)) from error


def _connect(url: str, deadline: float) -> socket.socket:
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection = socket.create_connection(
        (host, parts.port or (443 if parts.scheme == "https" else 80)), _left(deadline)
    )
    # What "localhost" means is written in a file that can be edited
    if not is_loopback(str(connection.getpeername()[0])):
        connection.close()
        raise DeliveryError(f"{host} is not this computer")
    if parts.scheme == "https":
        return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
    return connection


def _head(method: str, url: str, headers: Mapping[str, str], body: bytes) -> bytes:
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {parts.netloc}", "User-Agent: kakaoauth-sandbox", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}"] if method == "POST" else []
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _read_status(connection: socket.socket, deadline: float) -> tuple[int, bytes]:
    """Read up to the end of the head, and return the status and all that has come.

    Of most answers the status is all that counts, and the body is not read.
    """
    answer = b""
    while b"\r\n\r\n" not in answer:
        connection.settimeout(_left(deadline))
        part = connection.recv(4096)
        answer += part
        if not part or len(answer) > LONGEST_HEAD:
            raise ValueError("the connection ended without an answer" if not part else "the answer's head has no end")
    version, status = answer.split(b" ", 2)[:2]
    if not version.startswith(b"HTTP/1.") or len(status) != 3 or not status.isdigit():
        raise ValueError("the answer is not HTTP")
    return int(status), answer


def _read_body(connection: socket.socket, deadline: float, answer: bytes, most: int) -> bytes:
    """Read on to the end, which the other side was asked to mark by closing; take the body out of its coding."""
    if not most:
        return b""
    while len(answer) <= LONGEST_HEAD + most:
        connection.settimeout(_left(deadline))
        part = connection.recv(4096)
        answer += part
        if not part:
            break
    parsed = HTTPResponse(_Received(answer))  # type: ignore[arg-type]
    parsed.begin()
    return parsed.read(most)


class _Received:
    """What has come, where http.client expects a socket."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, _mode: str) -> BytesIO:
        return BytesIO(self._content)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
