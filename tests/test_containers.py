"""Dockerfile and compose.yaml, as far as they can be checked without a container engine."""

import fnmatch
import http.server
import json
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.redis_server import RedisServer

from kakaoauth import config
from kakaoauth.config.settings import NAMES

ROOT = Path(__file__).resolve().parent.parent
VARIABLE = re.compile(r"\$\{([A-Z_]+)(:[?-])?([^}]*)\}")
#: What an operator must write into `.env`.
REQUIRED = {"SECRET_KEY", "POSTGRES_PASSWORD", "KAKAO_CLIENT_ID", "PUBLIC_URL"}
GIVEN = {
    "SECRET_KEY": "s" * 32,
    "POSTGRES_PASSWORD": "p" * 32,
    "KAKAO_CLIENT_ID": "k" * 32,
    "PUBLIC_URL": "https://login.example.kr",
}


# The image


def instructions() -> list[tuple[str, str]]:
    """Name and arguments, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n", "", "\n".join(lines))
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in joined.splitlines() if line.strip()]


def last_stage() -> list[tuple[str, str]]:
    steps = instructions()
    begin = max(number for number, (name, _) in enumerate(steps) if name == "FROM")
    return steps[begin:]


def is_ignored(path: str) -> bool:
    """By the rules of .dockerignore: the last line that fits the path, or a folder above it, decides."""
    parts = path.split("/")
    names = ["/".join(parts[: length + 1]) for length in range(len(parts))]
    ignored = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!").strip()
        if pattern and not line.startswith("#"):
            anywhere = pattern.removeprefix("**/")
            tried = names if anywhere == pattern else [*names, *parts]
            if any(fnmatch.fnmatchcase(name, anywhere) for name in tried):
                ignored = not line.startswith("!")
    return ignored


def test_what_the_image_copies_is_there_and_is_sent_to_the_engine() -> None:
    copied = [words for name, words in instructions() if name == "COPY" and "--from" not in words]
    sources = [source for words in copied for source in words.split()[:-1]]
    assert {"kakaoauth", "templates", "wsgi.py", "gunicorn.conf.py"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), f"Dockerfile copies {source}, which is not there"
        assert not is_ignored(source), f".dockerignore keeps {source} from the engine"


@pytest.mark.parametrize(
    "path", [".env", ".git/config", "instance/secret_key", "tests/conftest.py", "kakaoauth/__pycache__/x.pyc", ".venv"]
)
def test_what_is_nobody_elses_stays_out_of_the_image(path: str) -> None:
    assert is_ignored(path)


def test_image_is_of_a_python_that_is_tested_and_built_with_the_same() -> None:
    bases = {words.split()[0] for name, words in instructions() if name == "FROM"}
    assert len(bases) == 1
    version = re.fullmatch(r"python:(3\.[0-9]+)-slim", bases.pop())
    assert version
    assert f"Programming Language :: Python :: {version[1]}\n" in (ROOT / "setup.cfg").read_text()


def test_image_runs_as_nobody_special() -> None:
    users = [words for name, words in last_stage() if name == "USER"]
    assert users
    assert int(users[-1]) > 0
    after = [name for name, _ in last_stage()][[name for name, _ in last_stage()].index("USER") :]
    assert "COPY" not in after, "what is copied before belongs to root, so that the site cannot change itself"


@pytest.fixture
def answer_with() -> Iterator[Callable[[int], int]]:
    """A server that answers every GET with one status; returns its port."""
    servers: list[http.server.HTTPServer] = []

    def serve(status: int) -> int:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status if self.path == "/healthz" else 404)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        servers.append(http.server.HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return int(servers[-1].server_port)

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_health_check_tells_a_site_that_serves(answer_with: Callable[[int], int], status: int, healthy: bool) -> None:
    steps = dict(last_stage())
    check = json.loads(steps["HEALTHCHECK"].partition("CMD ")[2])
    assert f"0.0.0.0:{steps['EXPOSE']}" in steps["CMD"]
    assert check[0] == "python"
    program = check[2].replace(f":{steps['EXPOSE']}/", f":{answer_with(status)}/")
    assert program != check[2]
    done = subprocess.run([sys.executable, *check[1:-1], program], capture_output=True, timeout=60)
    assert (done.returncode == 0) is healthy


# What runs beside it


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def filled_in(text: str) -> str:
    """As the engine does it with a `.env` that holds what is required and nothing else."""
    return VARIABLE.sub(lambda found: GIVEN.get(found[1], found[3]), text)


def test_variables_are_settings_and_the_required_ones_stop_the_start(compose: Any) -> None:
    found = {(name, kind) for name, kind, _ in VARIABLE.findall(json.dumps(compose))}
    assert {name for name, kind in found if kind == ":?"} == REQUIRED
    assert {name for name, kind in found if kind != ":-"} == REQUIRED, "a variable without a default is required"
    assert {name for name, _ in found} - {"POSTGRES_PASSWORD"} <= set(NAMES)


@pytest.mark.parametrize("service", ["web", "migrate"])
def test_settings_make_a_whole_configuration_with_nothing_embedded(compose: Any, service: str) -> None:
    given = {name: filled_in(value) for name, value in compose["services"][service]["environment"].items()}
    loaded = config.load(given)
    assert loaded["KAKAOAUTH_EMBEDDED"] == frozenset()
    assert loaded["SQLALCHEMY_DATABASE_URI"].endswith(f":{GIVEN['POSTGRES_PASSWORD']}@postgres/kakaoauth")
    assert loaded["TRUSTED_PROXIES"] == 1


def test_schema_is_there_before_the_site_serves(compose: Any) -> None:
    web, migrate = compose["services"]["web"], compose["services"]["migrate"]
    assert web["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert migrate["command"] == ["flask", "--app", "wsgi", "db", "upgrade"]
    assert migrate["restart"] == "no"
    for name in ("postgres", "valkey"):
        assert migrate["depends_on"][name]["condition"] == "service_healthy"
        assert "test" in compose["services"][name]["healthcheck"]


def test_data_survives_a_restart_and_only_the_site_reaches_it(compose: Any) -> None:
    for name, place in (("postgres", "/var/lib/postgresql"), ("valkey", "/data")):
        service = compose["services"][name]
        (volume,) = service["volumes"]
        source, _, target = volume.partition(":")
        assert source in compose["volumes"]
        assert target == place
        assert "ports" not in service
        assert service["networks"] == ["data"]
    assert compose["networks"]["data"]["internal"] is True
    assert compose["services"]["postgres"]["image"] == "postgres:18"
    assert all(port.startswith("127.0.0.1:") for port in compose["services"]["web"]["ports"])


def test_sessions_are_kept_in_a_file_and_none_is_dropped(compose: Any, start_redis: Callable[..., RedisServer]) -> None:
    program, *options = shlex.split(compose["services"]["valkey"]["command"])
    assert program == "valkey-server"
    client = start_redis(*options).client
    wanted = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "save": ""}
    assert {name: client.config_get(name)[name] for name in wanted} == wanted


def test_site_in_its_container_can_write_nowhere_and_gain_nothing(compose: Any) -> None:
    for name in ("web", "migrate"):
        service = compose["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
