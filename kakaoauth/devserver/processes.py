"""Start and end processes. Each part has its own process group, so that a terminal's Ctrl-C
reaches the supervisor alone, and is gone when the supervisor is gone, however that came about."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TextIO

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
#: Loaded before the first fork: a child of a process with threads shall not load libraries.
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class Refused(Exception):
    """One line that says why nothing runs and what to do; empty when a part has said it already."""


class Ended(Exception):
    """Somebody wants us to end."""


def say(text: str, file: TextIO | None = None) -> None:
    """Print; the terminal may be gone by now."""
    try:
        print(text, file=file or sys.stdout, flush=True)
    except OSError:
        pass


@dataclass
class Part:
    """A process that we started, leader of its own group."""

    name: str
    pid: int
    pid_file: Path
    #: How long it may take to end by itself: Redis saves, the site finishes its answers.
    patience: float
    status: int | None = None

    def poll(self) -> int | None:
        """Return how it ended, as `waitstatus_to_exitcode` says it, or None while it lives."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def end(self) -> None:
        """Ask, wait, insist; whatever the part had started ends with it."""
        if self.poll() is None:
            _signal_group(self.pid, signal.SIGTERM)
            _wait(lambda: self.poll() is not None, self.patience)
        _signal_group(self.pid, signal.SIGKILL)
        _wait(lambda: self.poll() is not None, 5)
        self.pid_file.unlink(missing_ok=True)


def start(name: str, run: Callable[[], object], run_folder: Path, *, patience: float) -> Part:
    """Call `run` in a process of its own.

    A fork and no new interpreter: the supervisor has imported the whole site by now, which takes a second and would
    take it once more for each part.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    with warnings.catch_warnings():
        # Test runners have threads. What redis_server() forks there does nothing but exec.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        _become(run, parent)
    part = Part(name, pid, run_folder / f"{name}.pid", patience)
    part.pid_file.write_text(f"{pid} {_birth(pid)}")
    return part


def end_leftovers(run_folder: Path) -> None:
    """End what a supervisor left behind that was killed, where the kernel did not do it for us."""
    for pid_file in run_folder.glob("*.pid"):
        pid, _, birth = pid_file.read_text().partition(" ")
        if pid.isdecimal() and birth and _birth(int(pid)) == birth:
            _end_stranger(int(pid), birth)
        pid_file.unlink(missing_ok=True)


def _end_stranger(pid: int, birth: str) -> None:
    for signum in (signal.SIGTERM, signal.SIGKILL):
        _signal_group(pid, signum)
        _wait(lambda: _birth(pid) != birth, 5)


def _become(run: Callable[[], object], parent: int) -> NoReturn:
    """The child's whole life. It must never return into the supervisor's code."""
    status = 1
    try:
        os.setpgid(0, 0)
        die_with(parent)
        _forget_signals()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        run()
        status = 0
    except SystemExit as end:
        status = _status_of(end)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)


def die_with(parent: int) -> None:
    """Have the kernel end us when our parent dies, and see to it that it has not died already."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)


def _forget_signals() -> None:
    signal.set_wakeup_fd(-1)
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(signum, signal.SIG_DFL)


def _status_of(end: SystemExit) -> int:
    if isinstance(end.code, str):
        print(end.code, file=sys.stderr)
        return 1
    return end.code or 0


def _signal_group(pid: int, signum: int) -> None:
    try:
        os.killpg(pid, signum)
    except (ProcessLookupError, PermissionError):
        # Gone; macOS says "not permitted" of a group in which only zombies are left.
        pass


def _wait(done: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        time.sleep(0.01)


def _birth(pid: int) -> str:
    """When the process was started, which tells it from a later one of the same number; "" when there is none."""
    if Path("/proc/self/stat").exists():
        try:
            # After the name, which may hold anything: state is field 3, start time field 22 of proc(5).
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] == "Z" else fields[19]
    ps = shutil.which("ps")
    if ps is None:
        return ""
    return subprocess.run([ps, "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()  # noqa: S603
