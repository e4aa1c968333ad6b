"""Migration 0004 on a house that is inhabited: everybody is found afterwards, and all is as the models make it."""

import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import text

from kakaoauth import create_app
from kakaoauth.extensions import db
from kakaoauth.listing import SORTS, Budget, Filter, page
from kakaoauth.models import list_keys

INDEX_ONLY = Budget(short=1, long=1, most=100)
PEOPLE = [
    ("Minji@Example.kr", "minji@example.kr", "민지", "김민지"),
    (None, None, "ZOË", None),
    ("sora@example.kr", "sora@example.kr", None, unicodedata.normalize("NFD", "박소라")),
    (None, None, None, None),
    ("quote@example.kr", "quote@example.kr", 'o\'brien \\ "x" 😀', "100%"),
]


@pytest.fixture
def old(settings: dict[str, Any], bare_database_url: str) -> Iterator[Flask]:
    """A site as it was before, with people in it."""
    app = create_app({**settings, "DATABASE_URL": bare_database_url})
    with app.app_context():
        upgrade(revision="0003")
        db.session.execute(
            text(
                "INSERT INTO users (id, email, email_key, nickname, name,"
                " is_active, is_staff, is_superuser, date_joined, session_version)"
                " VALUES (:id, :email, :key, :nickname, :name, true, false, false, '2026-01-01', 0)"
            ),
            [
                {"id": number, "email": email, "key": key, "nickname": nickname, "name": name}
                for number, (email, key, nickname, name) in enumerate(PEOPLE, start=1)
            ],
        )
        db.session.commit()
        db.session.remove()
        yield app
        db.session.remove()
        db.engine.dispose()
    app.extensions["redis"].close()


def definitions() -> set[tuple[Any, ...]]:
    """Of every index, trigger and function on users."""
    queries = ["SELECT name, sql FROM sqlite_master WHERE name LIKE 'user_search%' OR name LIKE 'ix_users%'"]
    if db.engine.dialect.name == "postgresql":
        queries = [
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('users', 'identities')",
            "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE proname = 'search_grams'",
            "SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indrelid = 'users'::regclass",
        ]
    rows = (row for query in queries for row in db.session.execute(text(query)))
    return {tuple(" ".join(str(value).split()) for value in row) for row in rows}


def found(search: str) -> list[int]:
    return [user.id for user in page(Filter(search=search), sort="id", budget=INDEX_ONLY).users]


def test_everybody_who_was_there_is_found_and_sorted(old: Flask) -> None:
    upgrade()
    assert found("minji") == found("김민") == found("지") == [1]
    assert found("zoë") == found("Ë") == [2]
    assert found("박소라") == found("소") == [3]
    assert found("o'b") == found("\\") == found("%") == found("😀") == [5]
    assert found("example") == [1, 3, 5]
    stored = db.session.execute(text("SELECT nickname_key, search_text FROM users ORDER BY id"))
    wanted = [tuple(list_keys(key, nickname, name).values()) for _, key, nickname, name in PEOPLE]
    assert [tuple(row) for row in stored] == wanted
    for sort in SORTS:
        assert len(page(Filter(), sort=sort).users) == len(PEOPLE)


def test_migration_ended_half_way_can_be_run_again(old: Flask) -> None:
    """On PostgreSQL its parts are committed one by one; on SQLite it is all or nothing."""
    if db.engine.dialect.name == "sqlite":
        upgrade()
    else:
        db.session.execute(text("ALTER TABLE users ADD COLUMN nickname_key VARCHAR(100)"))
        db.session.execute(text("ALTER TABLE users ADD COLUMN search_text TEXT NOT NULL DEFAULT ''"))
        db.session.execute(text("UPDATE users SET search_text = 'minji@example.kr' WHERE id = 1"))
        db.session.execute(text("CREATE INDEX ix_users_email_key_id ON users (id)"))
        db.session.commit()
        upgrade()
    assert found("minji") == [1]
    assert found("소라") == [3]


def test_upgrade_makes_what_the_models_make(old: Flask) -> None:
    upgrade()
    upgraded = definitions()
    db.session.remove()
    db.drop_all()
    db.create_all()
    assert definitions() == upgraded
