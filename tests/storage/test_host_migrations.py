"""The app's own Alembic history beside ours: neither sees the other's tables."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import appcontext_pushed
from flask_migrate import Migrate
from redis import Redis
from sqlalchemy import inspect, text
from support.host import Host

from kakaoauth.storage import schema
from kakaoauth.storage.database import Base, db

#: Flask-Migrate's template asks for it first.
pytestmark = pytest.mark.filterwarnings("ignore:'get_engine' is deprecated")

Shop = tuple[Host, Callable[..., Result]]


@pytest.fixture(autouse=True)
def loggers_as_they_were() -> Iterator[None]:
    """Flask-Migrate's env.py has logging.config switch off all loggers that it does not name."""
    root, manager = logging.root, logging.root.manager
    before = (list(root.handlers), root.level)
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    for logger in manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.disabled = False


@pytest.fixture
def make_shop(settings: dict[str, Any], redis: Redis, bare_database_url: str, tmp_path: Path) -> Iterator[Any]:
    """An app with Flask-Migrate, and its commands."""
    made: list[Host] = []

    def make(*, migrate_first: bool = True, **options: Any) -> Shop:
        host = Host({**settings, "DATABASE_URL": bare_database_url})
        migrate = Migrate(directory=str(tmp_path / "migrations"), **options)
        if migrate_first:
            migrate.init_app(host.app, host.db)
        host.add_kakao()
        if not migrate_first:
            migrate.init_app(host.app, host.db)
        made.append(host)
        return host, lambda *words: host.app.test_cli_runner().invoke(args=list(words))

    yield make
    for host in made:
        with host.app.app_context():
            host.db.engine.dispose()
        host.app.extensions["kakaoauth_redis"].close()


def tables(host: Host) -> set[str]:
    with host.app.app_context():
        return set(inspect(db.engine).get_table_names())


def versions(tmp_path: Path) -> list[str]:
    return [file.read_text() for file in sorted((tmp_path / "migrations" / "versions").glob("*.py"))]


@pytest.mark.parametrize("migrate_first", [True, False], ids=["migrate first", "kakaoauth first"])
def test_hosts_migrations_neither_see_nor_touch_ours(make_shop: Any, tmp_path: Path, migrate_first: bool) -> None:
    host, run = make_shop(migrate_first=migrate_first)
    assert run("kakaoauth", "upgrade").exit_code == 0
    assert run("db", "init").exit_code == 0
    assert run("db", "migrate").exit_code == 0
    (first,) = versions(tmp_path)
    assert first.count("op.") == first.count("op.create_table('books'") + first.count("op.drop_table('books')") == 2
    assert "['users.id']" in first
    assert run("db", "upgrade").exit_code == 0
    assert {"books", "alembic_version", "users", "kakaoauth_version"} <= tables(host)
    run("db", "migrate")
    assert len(versions(tmp_path)) == 1, "a second one finds no change"
    assert run("kakaoauth", "upgrade").exit_code == 0
    assert run("kakaoauth", "check").exit_code == 0
    with host.app.app_context():
        levels = {name: db.session.scalars(text(f"SELECT version_num FROM {name}")).all() for name in schema_tables()}
    assert levels["kakaoauth_version"] == [schema.wanted()]
    assert len(levels["alembic_version"]) == 1
    assert run("db", "downgrade").exit_code == 0
    assert "users" in tables(host)
    assert run("kakaoauth", "downgrade", "base").exit_code == 0
    assert tables(host) == {"alembic_version", "kakaoauth_version"}


def test_what_an_app_that_has_answered_migrates_is_its_own_alone_and_no_request_looks_for_it(
    make_shop: Any, tmp_path: Path
) -> None:
    host, run = make_shop(migrate_first=False)
    run("kakaoauth", "upgrade")
    run("db", "init")
    host.app.test_client().get("/")
    assert list(appcontext_pushed.receivers_for(host.app)) == []
    run("db", "migrate")
    (first,) = versions(tmp_path)
    assert first.count("op.") == 2, "create and drop the host's table"


def schema_tables() -> tuple[str, str]:
    return schema.VERSION_TABLE, schema.FORMER_VERSION_TABLE


def test_filter_that_the_host_has_given_holds_too(make_shop: Any, tmp_path: Path) -> None:
    def no_books(_thing: Any, name: str, *_: Any) -> bool:
        return name != "books"

    _, run = make_shop(include_object=no_books)
    run("kakaoauth", "upgrade")
    run("db", "init")
    run("db", "migrate")
    assert versions(tmp_path) == []


def test_filter_in_env_py_is_left_alone_and_told_of(
    make_shop: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    env = tmp_path / "migrations" / "env.py"
    env.parent.mkdir()
    env.write_text("context.configure(include_object=mine, **conf_args)")
    host, _ = make_shop()
    with host.app.app_context():
        assert "include_object" not in host.app.extensions["migrate"].configure_args
    assert "kakaoauth.storage.schema.include_object" in caplog.text


def test_host_table_with_our_name_is_not_hidden_but_refused(make_shop: Any, tmp_path: Path) -> None:
    host, run = make_shop()
    host.db.Table("identities", host.db.Column("id", host.db.Integer, primary_key=True))
    refused = run("kakaoauth", "upgrade")
    assert (refused.exit_code, "'identities'" in refused.output) == (1, True)
    run("db", "init")
    refused = run("db", "migrate")
    assert (refused.exit_code, "'identities'" in refused.output) == (1, True)
    assert versions(tmp_path) == []


@pytest.mark.parametrize("bare_database_url", ["sqlite"], indirect=True)
def test_all_that_the_migrations_make_is_known_by_name(make_shop: Any) -> None:
    host, run = make_shop()
    run("kakaoauth", "upgrade")
    assert tables(host) == schema.TABLES
    assert set(Base.metadata.tables) < schema.TABLES


def old_site(host: Host, level: str) -> None:
    """As it was when the level stood in Alembic's usual table."""
    with host.app.app_context():
        schema.upgrade(level)
        db.session.execute(text("DROP TABLE kakaoauth_version"))
        db.session.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        db.session.execute(text("INSERT INTO alembic_version VALUES (:level)"), {"level": level})
        db.session.commit()


def test_site_from_before_is_taken_over_by_its_first_upgrade(make_shop: Any) -> None:
    host, run = make_shop()
    old_site(host, "0009")
    assert "0009" in run("kakaoauth", "current").output
    done = run("kakaoauth", "upgrade")
    assert (done.exit_code, schema.wanted() in done.output) == (0, True)
    assert "alembic_version" not in tables(host)
    assert run("kakaoauth", "check").exit_code == 0


def test_version_table_of_the_hosts_is_left_alone(make_shop: Any) -> None:
    """Even where it holds a number that one of our revisions has."""
    host, run = make_shop()
    with host.app.app_context():
        db.session.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        db.session.execute(text("INSERT INTO alembic_version VALUES ('0009')"))
        db.session.commit()
    assert "no level" in run("kakaoauth", "current").output
    assert run("kakaoauth", "upgrade").exit_code == 0
    with host.app.app_context():
        assert db.session.scalars(text("SELECT version_num FROM alembic_version")).all() == ["0009"]
    assert "users" in tables(host)


def test_what_alembic_cannot_do_is_one_line(make_shop: Any) -> None:
    _, run = make_shop()
    refused = run("kakaoauth", "upgrade", "9999")
    assert refused.exit_code == 1
    assert "9999" in refused.output
    assert "Traceback" not in refused.output
