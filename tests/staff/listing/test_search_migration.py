"""Migrations 0004 and 0008 on a site with people: everybody is found afterwards, and all is as the models make it."""

import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from kakaoauth import create_app, jobs
from kakaoauth.models import User, list_keys
from kakaoauth.staff.listing import page, stale_keys
from kakaoauth.staff.listing.filters import Filter
from kakaoauth.staff.listing.ordering import SORTS
from kakaoauth.staff.listing.planner import Budget
from kakaoauth.storage.database import db
from kakaoauth.storage.schema import downgrade, upgrade

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
    app.extensions["kakaoauth_redis"].close()


def definitions() -> set[tuple[Any, ...]]:
    """Of every index, trigger and function on users."""
    queries = ["SELECT name, sql FROM sqlite_master WHERE name LIKE 'user_search%' OR name LIKE 'ix_users%'"]
    queries.append("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    if db.engine.dialect.name == "postgresql":
        queries = [
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('users', 'identities')",
            "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE proname IN ('search_grams', 'keep_list_keys')",
            "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger"
            " WHERE tgrelid = 'users'::regclass AND NOT tgisinternal",
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


# What the version before writes once the schema is there: it does not know of the keys


def as_before(number: int, nickname: str | None, name: str | None = None) -> None:
    """An INSERT of the version before 0004."""
    db.session.execute(
        text(
            "INSERT INTO users (id, email, email_key, nickname, name,"
            " is_active, is_staff, is_superuser, date_joined, session_version, own_fields)"
            " VALUES (:id, :email, :email, :nickname, :name, true, false, false, '2026-01-01', 0, '')"
        ),
        {"id": number, "email": f"late{number}@example.kr", "nickname": nickname, "name": name},
    )
    db.session.commit()


def change_as_before(number: int, **fields: str | None) -> None:
    """An UPDATE of the version before 0004."""
    named = ", ".join(f"{field} = :{field}" for field in fields)
    db.session.execute(text(f"UPDATE users SET {named} WHERE id = :id"), {"id": number, **fields})
    db.session.commit()


def words_of(number: int) -> str:
    words = db.session.scalar(text("SELECT search_text FROM users WHERE id = :id"), {"id": number})
    db.session.rollback()  # or the migration would wait for this reader
    assert words is not None
    return words


def assert_kept() -> None:
    """Every row has the keys that Python would give it, and no row is marked."""
    rows = db.session.execute(
        text("SELECT email_key, nickname, name, nickname_key, search_text, keys_are_stale FROM users ORDER BY id")
    )
    for email_key, nickname, name, key, words, stale in rows.all():
        assert {"nickname_key": key, "search_text": words} == list_keys(email_key, nickname, name)
        assert not stale


def test_row_of_the_version_before_is_found_and_sorted_at_once(old: Flask) -> None:
    upgrade()
    as_before(20, "가을", "박가을")
    as_before(21, "Zed")
    as_before(22, None)
    assert found("가을") == found("박가") == [20]
    assert found("zed") == [21]
    assert found("late") == [20, 21, 22]
    in_order = [user.id for user in page(Filter(search="late"), sort="nickname").users]
    assert in_order == [21, 20, 22], "by nickname, those without one last"
    change_as_before(20, nickname="하늘", email_key="sky@example.kr")
    change_as_before(1, name=None)
    change_as_before(21, nickname=None)
    assert found("가을") == [20], "the name is as it was"
    assert found("하늘") == found("sky@") == [20]
    assert found("김민") == []
    assert found("zed") == []
    assert [user.id for user in page(Filter(search="late2"), sort="nickname").users] == [21, 22]


def test_running_site_computes_what_no_trigger_can(old: Flask) -> None:
    upgrade()
    nfd = unicodedata.normalize("NFD", "한결")
    as_before(20, f"  {nfd}   STRASSE ", "\tÉmile")
    change_as_before(2, nickname="ẞ")
    change_as_before(3, name=nfd)
    jobs.run_once()
    assert found("한결") == [3, 20]
    assert found("한결 strasse") == found("émile") == [20]
    assert found("ss") == [2, 20]
    assert_kept()


def test_more_rows_than_one_batch_are_mended(old: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade()
    monkeypatch.setattr(stale_keys, "BATCH", 2)
    for number in range(20, 25):
        as_before(number, f"사람{number}")
    assert stale_keys.mend_list_keys() == 5
    assert stale_keys.mend_list_keys() == 0
    assert_kept()


def test_upgrade_mends_what_was_written_between(old: Flask) -> None:
    """From 0004 on the columns were there, and nobody kept them for writers who do not know of them."""
    upgrade(revision="0005")
    db.session.execute(text("UPDATE users SET own_fields = ''"))
    as_before(20, unicodedata.normalize("NFD", "가을"), "STRASSE")
    change_as_before(1, nickname="민서")
    assert "가을" not in words_of(20)
    assert "민서" not in words_of(1)
    upgrade()
    assert found("가을") == [20]
    assert found("민서") == [1]
    assert_kept()


def test_todays_version_is_not_marked(old: Flask) -> None:
    upgrade()
    user = User.objects.create_user("today@example.kr", nickname="오늘", id=100)
    nobody = User.objects.create_user(id=101)
    db.session.commit()
    user.nickname = "내일"
    db.session.commit()
    assert found("내일") == [user.id]
    assert nobody.search_text == ""
    assert_kept()


def test_upgrade_can_be_taken_back(old: Flask) -> None:
    upgrade()
    downgrade(revision="0005")
    as_before(19, "봄")
    assert words_of(19) == ""
    upgrade()
    assert found("봄") == [19]
    as_before(20, "가을")
    assert found("가을") == [20]
