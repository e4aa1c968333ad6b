"""A redis-server of a test's own."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from kakaoauth.devserver.redis import redis_executable
from support.concurrency import until
from support.ports import free_cluster_port


def answers(client: Any) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


class RedisServer:
    """A redis-server that a test may stop, freeze and start again."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.port = free_cluster_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._directory = directory
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.client = Redis(port=self.port, socket_timeout=2)

    def start(self) -> "RedisServer":
        command = [str(redis_executable()), *self._options, "--port", str(self.port), "--bind", "127.0.0.1"]
        self._process = subprocess.Popen(
            [*command, "--save", "", "--dir", str(self._directory)], stdout=subprocess.DEVNULL, cwd=self._directory
        )
        until(lambda: answers(self.client))
        return self

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
        self._process = None

    def freeze(self) -> None:
        assert self._process
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        os.kill(self._process.pid, signal.SIGCONT)

    def close(self) -> None:
        self.client.close()
        self.stop()
