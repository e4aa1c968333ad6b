"""What `make run` and `kakaoauth dev` start, in which order, what it says, and how all of it ends together.

Redis, the sandbox, the example front end and the schema come up at the same time, then the site. The end goes the other
way round: the site first, which still needs Redis for its last answers.
"""

import os
import select
import signal
import socket
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from kakaoauth.config.embedded import embedded_redis_socket
from kakaoauth.devserver import front_end
from kakaoauth.devserver.processes import Ended, Part, Refused, say, start
from kakaoauth.devserver.redis import SECONDS_TO_START, answers, start_redis, why_it_ended
from kakaoauth.devserver.site import Site

NAMES = {
    "redis": "the embedded Redis",
    "sandbox": "the Kakao sandbox",
    "front_end": "the example front end",
    "preparation": "the preparation of the database",
    "site": "the site",
}
#: A migration of a large table is no failure.
SECONDS_TO_PREPARE = 600.0


class Watch:
    """Sleeps until something happens: a signal to end, or the end of a child."""

    def __init__(self) -> None:
        self.ended = False
        self._wake, write = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup says that a closed terminal is no reason to end.
            if signum != signal.SIGHUP or signal.getsignal(signum) != signal.SIG_IGN:
                signal.signal(signum, self._note)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _note(self, *_: object) -> None:
        self.ended = True

    def sleep(self, seconds: float | None) -> None:
        """:raises Ended: a signal came."""
        if not self.ended and select.select([self._wake], [], [], seconds)[0]:
            os.read(self._wake, 1024)
        if self.ended:
            raise Ended


class Supervisor:
    """The parts of one `make run` or `kakaoauth dev`."""

    def __init__(self, settings: dict[str, Any], run_folder: Path, app: Site) -> None:
        self.settings = settings
        self.app = app
        self.run_folder = run_folder
        self.redis_folder = Path(settings["INSTANCE_PATH"]) / "redis"
        self.parts: list[Part] = []
        self.watch = Watch()

    def run(self) -> None:
        """Serve until a signal comes.

        :raises Ended: the signal.
        :raises Refused: a part could not be started, or died.
        """
        try:
            self._start_ground()
            self._start_site()
            say(describe(self.settings, self.app))
            while True:
                self.watch.sleep(None)
                self._require_alive()
        finally:
            for part in reversed(self.parts):
                part.end()

    def _start_ground(self) -> None:
        socket_path = embedded_redis_socket(Path(self.settings["INSTANCE_PATH"]))
        embedded = self.settings["KAKAOAUTH_EMBEDDED"]
        if "redis" in embedded:
            self.parts.append(start_redis(self.redis_folder, socket_path, self.run_folder))
        if "kakao" in embedded:
            self._start("sandbox", self.app.serve_sandbox, patience=2)
        if front_end.is_wanted(self.settings):
            self._start("front_end", lambda: front_end.serve(self.settings), patience=2)
        preparation = self._start("preparation", self.app.prepare, patience=5)
        if "redis" in embedded:
            self._wait_until(lambda: answers(socket_path), "redis")
        self._wait_until(lambda: preparation.poll() is not None, "preparation", seconds=SECONDS_TO_PREPARE)
        self._require_alive()

    def _start_site(self) -> None:
        self._start("site", self.app.serve, patience=5)
        if probe := self.app.probe:
            self._wait_until(lambda: responds(self.settings["PORT"], probe), "site")
        if "kakao" in self.settings["KAKAOAUTH_EMBEDDED"]:
            self._wait_until(lambda: listens(self.settings["SANDBOX_PORT"]), "sandbox")
        if front_end.is_wanted(self.settings):
            self._wait_until(lambda: listens(self.settings["FRONTEND_PORT"]), "front_end")

    def _start(self, name: str, run: Callable[[], object], *, patience: float) -> Part:
        self.parts.append(start(name, run, self.run_folder, patience=patience))
        return self.parts[-1]

    def _wait_until(self, ready: Callable[[], bool], name: str, seconds: float = SECONDS_TO_START) -> None:
        until = time.monotonic() + seconds
        while not ready():
            self._require_alive()
            if time.monotonic() > until:
                raise Refused(f"{NAMES[name]} does not answer after {seconds:.0f} seconds: stopping")
            self.watch.sleep(0.02)

    def _require_alive(self) -> None:
        """:raises Refused: a part ended by itself; the preparation may, when it is done, and a server that reloads."""
        for part in list(self.parts):
            status = part.poll()
            if status is None:
                continue
            if part.name == "preparation" and status == 0:
                part.end()
                self.parts.remove(part)
            elif part.name == "preparation" and status > 0:
                raise Refused  # it has said why
            elif part.name == "site" and status == self.app.again:
                part.end()
                self.parts.remove(part)
                self._start("site", self.app.serve, patience=5)
            else:
                raise Refused(f"{NAMES[part.name]} ended by itself ({self._how(part, status)}): stopping the rest")

    def _how(self, part: Part, status: int) -> str:
        if status < 0:
            return f"signal {-status}"
        return why_it_ended(self.redis_folder) if part.name == "redis" else f"exit status {status}"


def describe(settings: dict[str, Any], app: Site) -> str:
    """Where everything is, and what of it is real."""
    kakao = f"the real one, {settings['KAKAO_KAUTH_URL']}"
    if "kakao" in settings["KAKAOAUTH_EMBEDDED"]:
        kakao = f"sandbox on http://127.0.0.1:{settings['SANDBOX_PORT']} (for the real one set KAKAO_CLIENT_ID)"
    redis = "your own, REDIS_URL"
    if "redis" in settings["KAKAOAUTH_EMBEDDED"]:
        redis = f"embedded, data in {Path(settings['INSTANCE_PATH']) / 'redis'} (for your own set REDIS_URL)"
    lines = {"Site": f"http://localhost:{settings['PORT']}", "Kakao": kakao, "Redis": redis, **app.describe(settings)}
    if front_end.is_wanted(settings):
        lines["Front end"] = f"{front_end.origin(settings)} (an example that logs in here, with tokens in cookies)"
    told = "".join(f"  {label:<9} {text}\n" for label, text in lines.items())
    return f"\n{told}\nCtrl-C stops everything.\n"


def listens(port: int) -> bool:
    """Whether something accepts connections on that port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def responds(port: int, path: str) -> bool:
    """Whether a GET is answered with 200."""
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
