"""A database that is not at this version's schema: what visitors see, and what the log tells to do."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import text
from support.apps import close

from kakaoauth import create_app
from kakaoauth.storage import health, schema
from kakaoauth.storage.database import db

CURE = "run: flask kakaoauth upgrade"


@pytest.fixture
def bare(settings: dict[str, Any], redis: Redis, bare_database_url: str) -> Iterator[Flask]:
    app = create_app({**settings, "DATABASE_URL": bare_database_url})
    yield app
    close(app)


def first_page(app: Flask) -> int:
    app.extensions["kakaoauth_health"]["until"] = 0.0  # as if a second had passed
    return app.test_client().get("/").status_code


def at(app: Flask, level: str) -> None:
    with app.app_context():
        db.session.execute(text("UPDATE kakaoauth_version SET version_num = :level"), {"level": level})
        db.session.commit()


def test_visitors_wait_for_the_upgrade_and_the_log_says_once_what_to_do(
    bare: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    assert [first_page(bare), first_page(bare)] == [503, 503]
    assert caplog.text.count(CURE) == 1
    with bare.app_context():
        schema.upgrade()
    assert first_page(bare) == 200


def test_older_schema_waits_too_and_a_newer_one_serves(bare: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """To go back to the version before must not need its schema."""
    with bare.app_context():
        schema.upgrade()
    at(bare, "0003")
    assert first_page(bare) == 503
    assert f"schema 0003 of kakaoauth, this version needs {schema.wanted()}: {CURE}" in caplog.text
    at(bare, "of the future")
    assert first_page(bare) == 200


def test_schema_that_fits_is_asked_for_once(bare: Flask) -> None:
    with bare.app_context():
        schema.upgrade()
        assert health.schema_is_usable()
    assert first_page(bare) == 200
    at(bare, "0003")
    assert first_page(bare) == 200


def test_tables_made_from_the_models_are_at_this_level_and_drop_with_it(bare: Flask) -> None:
    with bare.app_context():
        db.create_all()
        assert health.schema() == schema.wanted()
        db.drop_all()
        assert health.schema() == ""


def test_asking_whether_the_database_answers_drops_no_prepared_statement(
    make_app: Callable[..., Flask], postgres_url: str
) -> None:
    with make_app(DATABASE_URL=postgres_url).app_context():
        with db.engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            driver.execute("SELECT 'a login'", prepare=True)
            driver.commit()
        assert health.database_answers()
        assert driver.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (1,)
        driver.rollback()
