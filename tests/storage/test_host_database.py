"""The app's own Flask-SQLAlchemy: one pool and one transaction for both, and several apps in one process."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask_sqlalchemy import SQLAlchemy
from redis import Redis
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError
from support import profile
from support.host import Host, bare_host

from kakaoauth import KakaoAuth
from kakaoauth.accounts import leaving, sign_in
from kakaoauth.config.checks import ConfigError
from kakaoauth.models import Identity, User, find_user
from kakaoauth.storage import schema
from kakaoauth.storage.database import BoundedConnection, db
from kakaoauth.storage.transaction import transaction

HostMaker = Callable[..., Host]


@pytest.fixture
def make_host(settings: dict[str, Any], redis: Redis, bare_database_url: str) -> Iterator[HostMaker]:
    """An app with both parts' tables."""
    made: list[Host] = []

    def make(url: str = "", **options: Any) -> Host:
        host = Host({**settings, "DATABASE_URL": url or bare_database_url}, **options).add_kakao()
        made.append(host)
        with host.app.app_context():
            schema.upgrade()
            host.db.create_all()
        return host

    yield make
    for host in made:
        with host.app.app_context():
            host.db.engine.dispose()
        host.app.extensions["kakaoauth_redis"].close()


def join(subject: str = "1") -> User:
    return sign_in.log_in(profile(subject), email_required=False).user


def test_both_parts_have_one_transaction(make_host: HostMaker) -> None:
    host = make_host()

    @transaction
    def join_with_book(*, fails: bool) -> None:
        user = User.objects.create_user("minji@example.kr")
        db.session.add(host.Book(title="welcome", owner=user))
        host.db.session.flush()
        if fails:
            raise KeyError

    def rows() -> tuple[int, int]:
        return host.db.session.query(User).count(), db.session.query(host.Book).count()

    with host.app.app_context():
        assert db.session is host.db.session
        assert db.engine is host.db.engine
        with pytest.raises(KeyError):
            join_with_book(fails=True)
        assert rows() == (0, 0)
        join_with_book(fails=False)
        assert rows() == (1, 1)
        assert host.db.session.query(host.Book).one().owner.email == "minji@example.kr"


def test_apps_in_one_process_have_their_own_people(make_host: HostMaker, tmp_path: Path) -> None:
    one, other = make_host(), make_host(f"sqlite:///{tmp_path / 'other.db'}")
    with one.app.app_context():
        join()
        with other.app.app_context():
            assert db.session.query(User).count() == 0
            join("2")
        assert [identity.subject for identity in db.session.query(Identity)] == ["1"]


def test_app_and_the_reference_site_side_by_side(make_host: HostMaker, make_app: Callable[..., Any]) -> None:
    host, site = make_host(), make_app()
    with host.app.app_context():
        join()
    with site.app_context():
        assert db.session.query(User).count() == 0


@pytest.mark.parametrize("rule", [None, "RESTRICT", "CASCADE", "SET NULL"])
def test_person_leaves_whatever_the_hosts_model_says(make_host: HostMaker, rule: str | None) -> None:
    host = make_host(rule=rule)
    with host.app.app_context():
        number = join().id
        db.session.add(host.Book(title="theirs", owner_id=number))
        db.session.commit()
        leaving.withdraw(number)
        assert db.session.query(Identity).count() == 0
        assert find_user(number) is None
        left = [book.owner_id for book in host.db.session.query(host.Book)]
        assert left == {None: [number], "RESTRICT": [number], "CASCADE": [], "SET NULL": [None]}[rule]
        empty = db.session.query(User).one_or_none()
        assert (empty is not None and empty.erased_at is not None) == (rule in (None, "RESTRICT"))
        if empty:
            assert host.db.session.query(host.Book).one().owner is empty, "the host can tell by erased_at"


def test_open_connection_of_the_host_checks_foreign_keys_too(settings: dict[str, Any], redis: Redis) -> None:
    host = Host(settings)
    with host.app.app_context():
        assert host.db.session.execute(text("PRAGMA foreign_keys")).scalar() == 0
        host.db.session.remove()
    host.add_kakao()
    with host.app.app_context():
        schema.upgrade()
        host.db.create_all()
        host.db.session.add(host.Book(owner_id=77))
        with pytest.raises(IntegrityError):
            host.db.session.commit()
        host.db.session.remove()
        host.db.engine.dispose()


def test_hosts_connections_stay_as_the_host_made_them(make_host: HostMaker) -> None:
    host = make_host()
    with host.app.app_context():
        if db.engine.dialect.name == "sqlite":
            assert db.session.execute(text("PRAGMA journal_mode")).scalar() == "delete"
            assert db.session.execute(text("PRAGMA synchronous")).scalar() == 2
            mode = stat.S_IMODE(os.stat(str(db.engine.url.database)).st_mode)
            assert mode == 0o666 & ~_umask()
        else:
            assert db.session.execute(text("SHOW statement_timeout")).scalar() == "0"
            driver = db.session.connection().connection.dbapi_connection
            assert not isinstance(driver, BoundedConnection)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_database_of_its_own_beside_the_hosts(settings: dict[str, Any], redis: Redis, tmp_path: Path) -> None:
    """With db=False a host may have a table `users` of its own."""
    app, host_db = bare_host(settings), SQLAlchemy()
    host_db.Table("users", host_db.Column("id", host_db.Integer, primary_key=True))
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'host.db'}"
    host_db.init_app(app)
    KakaoAuth(app, db=False)
    with app.app_context():
        host_db.create_all()
        schema.upgrade()
        join()
        assert [one["name"] for one in inspect(host_db.engine).get_columns("users")] == ["id"]
        for engine in (host_db.engine, db.engine):
            engine.dispose()


def refused(app: Any, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        KakaoAuth(app, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_used_is_refused_in_one_line(settings: dict[str, Any], redis: Redis) -> None:
    host = Host(settings)
    assert "KakaoAuth(app, db=db)" in refused(host.app)
    assert "db.init_app(app)" in refused(bare_host(settings), db=host.db)
    host = Host(settings)
    host.db.Table("users", host.db.Column("id", host.db.Integer, primary_key=True))
    assert "'users'" in refused(host.app, db=host.db)


@pytest.mark.parametrize("when", ["before", "after"])
def test_model_may_refer_to_ours_by_name(
    settings: dict[str, Any], redis: Redis, bare_database_url: str, when: str
) -> None:
    """Whether it is defined before kakaoauth is set up or after."""
    host = Host({**settings, "DATABASE_URL": bare_database_url})
    if when == "after":
        host.add_kakao()

    class Note(host.db.Model):  # type: ignore[name-defined,misc]
        id = host.db.Column(host.db.Integer, primary_key=True)
        user_id = host.db.Column(host.db.ForeignKey("users.id"))
        user = host.db.relationship(User)

    if when == "before":
        host.add_kakao()
    with host.app.app_context():
        schema.upgrade()
        host.db.create_all()
        db.session.add(Note(user=join()))
        db.session.commit()
        assert db.session.query(Note).join(User).one().user.provider == "kakao"
        db.session.add(Note(user_id=77))
        with pytest.raises(IntegrityError):
            db.session.flush()
        db.session.remove()
        db.engine.dispose()


def test_db_without_a_database_for_everybody_is_refused(settings: dict[str, Any], redis: Redis) -> None:
    app, host_db = bare_host(settings), SQLAlchemy()
    app.config |= {"SQLALCHEMY_DATABASE_URI": None, "SQLALCHEMY_BINDS": {"other": "sqlite://"}}
    host_db.init_app(app)
    assert "SQLALCHEMY_DATABASE_URI" in refused(app, db=host_db)
