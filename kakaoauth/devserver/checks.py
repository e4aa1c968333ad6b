"""What would make a start fail, found before anything is started and said in one line."""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

from kakaoauth.devserver import front_end
from kakaoauth.devserver.processes import Refused

#: What to add to the command for another port.
MAKE_RUN = {
    "PORT": "make run PORT=8010",
    "SANDBOX_PORT": "make run SANDBOX_PORT=8011",
    "FRONTEND_PORT": "make run FRONTEND_PORT=8012",
}
DEV = {"PORT": "--port 8010", "SANDBOX_PORT": "--sandbox-port 8011"}


@contextmanager
def only_one(run_folder: Path, what: str = "make run") -> Iterator[None]:
    """Hold the folder's lock. A POSIX lock: forked parts do not inherit it, and it ends with the process.

    :param what: the command that wants it, for the message.
    :raises Refused: another one runs here, or the folder cannot be written to.
    """
    try:
        run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(run_folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Refused(
            f"{run_folder} cannot be written to ({error.strerror}): make the folder writable or set INSTANCE_PATH"
        ) from None
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise Refused(f"{what} is already running in this folder (process {_owner(file)}): stop that one") from None
    try:
        os.truncate(file, 0)
        os.write(file, str(os.getpid()).encode())
        yield
    finally:
        os.close(file)


def _owner(file: int) -> str:
    owner = os.pread(file, 20, 0).decode(errors="replace").strip()
    os.close(file)
    return owner or "unknown"


def require_ports(settings: Mapping[str, Any], cures: Mapping[str, str] = MAKE_RUN) -> None:
    """:raises Refused: a port that is needed cannot be used."""
    ports = ["PORT"]
    if "kakao" in settings["KAKAOAUTH_EMBEDDED"]:
        ports.append("SANDBOX_PORT")
    if front_end.is_wanted(settings):
        ports.append("FRONTEND_PORT")
    for one, other in combinations(ports, 2):
        if settings[one] == settings[other]:
            raise Refused(f"{one} and {other} are both {settings[one]}: give each a port of its own")
    for name in ports:
        port = settings[name]
        if not 1 <= port <= 65535:
            raise Refused(f"{name} is {port}: choose a port from 1 to 65535, e.g. {cures[name]}")
        reason = _why_taken(port)
        if reason:
            raise Refused(f"port {port} {reason}: choose another, e.g. {cures[name]}")


def _why_taken(port: int) -> str:
    # Somebody on ::1 alone would get the browser's requests for localhost.
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.create_server((host, port), family=family):
                pass
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "is taken by another program"
            if error.errno == errno.EACCES:
                return "needs more rights than yours"
            if family == socket.AF_INET:
                return f"cannot be used ({error.strerror})"
    return ""
