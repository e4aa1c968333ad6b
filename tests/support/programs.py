"""Python programs in processes of their own, as `python -m` starts them, without importing the site anew each time.

A process that has imported the site forks for each (multiprocessing's "forkserver"): 0.1 seconds of a processor's time
instead of 2 to 3. That every program also starts from nothing, a few tests see to, with real interpreters.
"""

import multiprocessing
import os
import runpy
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kakaoauth.config.settings import ROOT

#: What the programs import, each with all that it needs.
PRELOADED = (
    "kakaoauth.site",
    "kakaoauth.server.worker",
    "kakaoauth.devserver.supervisor",
    "kakaoauth.devserver.host",
    "alembic.command",
    "gunicorn.arbiter",
)
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(list(PRELOADED))


class Program:
    """A process, with the part of `subprocess.Popen` that tests use; leader of a session of its own."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        env: Mapping[str, str],
        stdout: Path,
        stderr: Path | None = None,
        stdin: Path = Path(os.devnull),
        cwd: Path = ROOT,
    ) -> None:
        files = (str(stdin), str(stdout), str(stderr or stdout))
        self._process = _context.Process(target=_become, args=(module, arguments, dict(env), files, cwd))
        self._process.start()
        self.pid: int = self._process.pid or 0

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, seconds: float) -> int:
        self._process.join(seconds)
        assert self._process.exitcode is not None, f"still there after {seconds} seconds"
        return self._process.exitcode

    def send_signal(self, signum: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, signum)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _become(
    module: str, arguments: tuple[str, ...], env: dict[str, str], files: tuple[str, str, str], cwd: Path
) -> None:
    """The child's whole life."""
    os.setsid()
    for signum in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(signum, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, (file, mode) in enumerate(zip(files, (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY), strict=True)):
        os.dup2(os.open(file, mode | (os.O_CREAT | os.O_APPEND if number else 0), 0o600), number)
    sys.stdin = open(0, closefd=False)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[0:0] = [str(ROOT)]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


@dataclass
class Ended:
    returncode: int
    stdout: str
    stderr: str


def run_program(module: str, *arguments: str, env: Mapping[str, str], stdin: str = "", cwd: Path = ROOT) -> Ended:
    """Run it to its end."""
    with tempfile.TemporaryDirectory(prefix="ka-program-") as folder:
        given, out, err = (Path(folder) / name for name in ("in", "out", "err"))
        given.write_text(stdin)
        program = Program(module, *arguments, env=env, stdin=given, stdout=out, stderr=err, cwd=cwd)
        return Ended(program.wait(60), out.read_text(), err.read_text())
