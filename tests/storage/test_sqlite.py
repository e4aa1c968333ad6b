"""SQLite's file: for its owner alone, and without what was erased, in its pages, its log and its search index."""

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from support import profile

from kakaoauth import create_app
from kakaoauth.accounts import leaving, sign_in
from kakaoauth.models import User
from kakaoauth.providers.values import EmailState
from kakaoauth.storage import sqlite
from kakaoauth.storage.database import db

NICKNAME = "곶쥬뺌"  # three characters: as they are, one word of the search index
EMAIL = "erased.person@example.kr"


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


def file_of(app: Flask) -> Path:
    with app.app_context():
        return Path(str(db.engine.url.database))


def found_in(app: Flask, *words: str) -> set[str]:
    """Which words stand in which of the database's files."""
    files = {path.name: path.read_bytes() for path in file_of(app).parent.glob(f"{file_of(app).name}*")}
    return {f"{word} in {name}" for name, content in files.items() for word in words if word.encode() in content}


def join(app: Flask, subject: str = "1", **fields: Any) -> int:
    with app.app_context():
        state = EmailState.TRUSTED if "email" in fields else EmailState.NOT_CONFIGURED
        return sign_in.log_in(profile(subject, email_state=state, **fields), email_required=False).user.id


def erase(app: Flask, user_id: int) -> None:
    with app.app_context():
        leaving.withdraw(user_id)


def test_erased_person_leaves_no_byte_behind_while_the_site_runs(app: Flask) -> None:
    for number in range(2, 30):
        join(app, str(number), nickname=f"사람{number}", email=f"{number}@example.kr")
    user_id = join(app, "1", nickname=NICKNAME, email=EMAIL)
    assert found_in(app, NICKNAME, EMAIL)
    erase(app, user_id)
    assert found_in(app, NICKNAME, EMAIL) == set()


def test_replaced_value_leaves_no_byte_behind(app: Flask) -> None:
    join(app, nickname=NICKNAME, email=EMAIL)
    join(app, nickname="새이름", email="new@example.kr")
    assert found_in(app, NICKNAME, EMAIL) == set()
    assert found_in(app, "새이름", "new@example.kr")


def test_reader_keeps_the_log_only_until_it_is_done(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "PAUSE", 0.0)
    user_id = join(app, nickname=NICKNAME, email=EMAIL)
    other = join(app, "2", nickname="남은사람")
    reader = sqlite3.connect(file_of(app), isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM users").fetchone()
    erase(app, user_id)  # waits for nobody
    assert found_in(app, NICKNAME)
    reader.execute("COMMIT")
    reader.close()
    with app.app_context():
        assert db.session.get(User, other) is not None  # any visit at all
    assert found_in(app, NICKNAME, EMAIL) == set()


def test_next_try_after_a_reader_comes_later(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "PAUSE", 3600.0)
    user_id = join(app, nickname=NICKNAME)
    reader = sqlite3.connect(file_of(app), isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM users").fetchone()
    erase(app, user_id)
    reader.close()
    join(app, "2")
    assert found_in(app, NICKNAME), "no try within the pause"


def test_large_search_index_is_merged_in_steps(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2, 60):
        join(app, str(number), nickname=f"사람{number}", email=f"{number}@example.kr")
    user_id = join(app, "1", nickname=NICKNAME, email=EMAIL)
    monkeypatch.setattr(sqlite, "MERGED_PAGES", 1)
    erase(app, user_id)
    assert found_in(app, NICKNAME, EMAIL) == set()
    with app.app_context():
        check = text("INSERT INTO user_search (user_search) VALUES ('integrity-check')")
        db.session.execute(check)
        hits = db.session.execute(text("SELECT count(*) FROM user_search WHERE user_search MATCH '\"사람1\"'"))
        assert hits.scalar_one() > 0


def test_what_a_killed_process_left_in_the_log_goes_with_the_next_one(app: Flask) -> None:
    user_id = join(app, nickname=NICKNAME)
    killed = sqlite3.connect(file_of(app))  # never closed in time, so the log stays
    for nickname in ("잠깐있던", "x"):
        killed.execute("UPDATE users SET nickname = ? WHERE id = ?", (nickname, user_id))
        killed.commit()
    assert found_in(app, "잠깐있던")
    engine = create_engine(f"sqlite:///{file_of(app)}")
    sqlite.prepare(engine, file_of(app).parent)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    assert not {word for word in found_in(app, "잠깐있던") if word.endswith("-wal")}
    engine.dispose()
    killed.close()


def test_every_connection_overwrites_what_it_deletes(app: Flask) -> None:
    with app.app_context(), db.engine.connect() as one, db.engine.connect() as two:
        for connection in (one, two):
            assert connection.execute(text("PRAGMA secure_delete")).scalar() == 1


def test_database_in_memory_needs_none_of_it() -> None:
    engine = create_engine("sqlite://")
    sqlite.prepare(engine, Path("/nowhere"))
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE things (name TEXT)"))
        connection.execute(text("DELETE FROM things"))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM things")).scalar() == 0
    engine.dispose()  # from 3.13 on Python warns of one that is left open


# The file's mode


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path, name: str) -> dict[str, int]:
    return {
        path.name.removeprefix(name): stat.S_IMODE(path.stat().st_mode)
        for path in folder.iterdir()
        if path.name.startswith(name)
    }


@contextmanager
def written(file: Path, instance: Path) -> Iterator[None]:
    """Something was written, and the connection is open."""
    engine = create_engine(f"sqlite:///{file}")
    sqlite.prepare(engine, instance)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS things (name TEXT)"))
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO things VALUES ('x')"))
        yield
    engine.dispose()


@pytest.mark.usefixtures("usual_umask")
@pytest.mark.parametrize("place", ["instance", "elsewhere"])
def test_new_file_is_for_its_owner_alone(tmp_path: Path, place: str) -> None:
    for name in ("instance", "elsewhere"):
        (tmp_path / name).mkdir()
    with written(tmp_path / place / "site.db", tmp_path / "instance"):
        assert modes(tmp_path / place, "site.db") == {"": 0o600, "-wal": 0o600, "-shm": 0o600}


@pytest.mark.usefixtures("usual_umask")
def test_older_file_of_ours_is_closed_to_others_with_all_that_lies_beside_it(tmp_path: Path) -> None:
    for suffix in ("", "-journal"):
        (tmp_path / f"kakaoauth.db{suffix}").touch(0o644)
    left_open = sqlite3.connect(tmp_path / "kakaoauth.db")
    left_open.execute("PRAGMA journal_mode=WAL")
    left_open.execute("CREATE TABLE old (name TEXT)")
    assert set(modes(tmp_path, "kakaoauth.db").values()) == {0o644}
    with written(tmp_path / "kakaoauth.db", tmp_path):
        assert set(modes(tmp_path, "kakaoauth.db").values()) == {0o600}
    left_open.close()


@pytest.mark.usefixtures("usual_umask")
def test_older_file_elsewhere_keeps_the_mode_that_its_owner_chose(tmp_path: Path) -> None:
    (tmp_path / "shared.db").touch(0o640)
    os.chmod(tmp_path / "shared.db", 0o660)
    with written(tmp_path / "shared.db", tmp_path / "instance"):
        assert modes(tmp_path, "shared.db")[""] == 0o660


@pytest.mark.usefixtures("usual_umask")
def test_site_makes_its_own_file_for_its_owner_alone(settings: dict[str, Any], redis: Redis) -> None:
    app = create_app({**settings, "DATABASE_URL": ""})
    Path(settings["INSTANCE_PATH"]).mkdir(parents=True, exist_ok=True)
    with app.app_context():
        db.create_all()
        assert file_of(app).parent == Path(settings["INSTANCE_PATH"])
        assert set(modes(file_of(app).parent, file_of(app).name).values()) == {0o600}
        db.engine.dispose()


def test_folder_that_is_missing_is_named_by_sqlite(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/nowhere/site.db")
    sqlite.prepare(engine, tmp_path)
    with pytest.raises(OperationalError, match="unable to open database file"):
        engine.connect()
