"""What every page reads, on PostgreSQL: one round trip, and the same object as by the session."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from flask import Flask
from psycopg import _queries
from redis import Redis
from sqlalchemy import Boolean, ColumnElement, Select, delete, event, inspect, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.compiler import compiles
from support.host import Host
from support.wire import Wire

from kakaoauth import audit
from kakaoauth.accounts import notes, saved_filters, ways_in
from kakaoauth.accounts.notes import UserTag
from kakaoauth.accounts.unlink_jobs import UnlinkJob
from kakaoauth.audit import search
from kakaoauth.errors import InvalidAccessToken
from kakaoauth.models import EndedSession, Identity, User, find_session_user
from kakaoauth.monitoring import backlog
from kakaoauth.sessions import ended, other_devices
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db
from kakaoauth.storage.direct import Direct
from kakaoauth.storage.quick_read import QuickRead
from kakaoauth.storage.quick_reads import together
from kakaoauth.tokens import flows
from kakaoauth.webhooks.failed import FailedEvent


@pytest.fixture
def pg_app(make_app: Callable[..., Flask], postgres_url: str) -> Iterator[Flask]:
    app = make_app(DATABASE_URL=postgres_url)
    with app.app_context():
        yield app


@pytest.fixture
def session_user_id(pg_app: Flask) -> str:
    user = User.objects.create_user("minji@example.kr", nickname="민지", last_login=now())
    db.session.commit()
    found = user.get_id()
    db.session.remove()
    return found


def test_it_is_the_object_that_the_session_reads(session_user_id: str) -> None:
    quick = find_session_user(session_user_id)
    assert quick is not None
    assert inspect(quick).persistent
    assert quick not in db.session.dirty
    values = {attribute.key: getattr(quick, attribute.key) for attribute in inspect(User).column_attrs}
    db.session.remove()
    db.session.execute(text("SELECT 1"))  # from now on the session is in a transaction
    slow = find_session_user(session_user_id)
    assert values == {attribute.key: getattr(slow, attribute.key) for attribute in inspect(User).column_attrs}


def test_no_transaction_is_left_behind(session_user_id: str) -> None:
    assert find_session_user(session_user_id) is not None
    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    db.session.remove()
    with db.engine.connect() as connection:
        assert connection.connection.dbapi_connection.autocommit is False  # type: ignore[union-attr]


def test_it_can_be_changed_like_any_other(session_user_id: str) -> None:
    user = find_session_user(session_user_id)
    assert user is not None
    user.nickname = "새 이름"
    assert user.identities == []
    db.session.commit()
    db.session.remove()
    assert find_session_user(session_user_id).nickname == "새 이름"  # type: ignore[union-attr]


def test_it_is_the_one_object_of_its_row_and_goes_back_with_the_transaction(session_user_id: str) -> None:
    user = find_session_user(session_user_id)
    assert user is not None
    assert db.session.get(User, user.id) is user
    assert db.session.scalar(select(User)) is user
    user.nickname = "not committed"
    assert user in db.session.dirty
    db.session.flush()
    db.session.rollback()
    assert user.nickname == "민지"
    db.session.execute(text("UPDATE users SET nickname = 'another'"))
    db.session.refresh(user)
    assert user.nickname == "another"
    db.session.delete(user)
    db.session.commit()
    assert inspect(user).detached
    assert db.session.get(User, int(session_user_id.partition(".")[0])) is None


def test_a_session_that_was_ended_is_nobodys(session_user_id: str) -> None:
    assert find_session_user(session_user_id, "ended") is not None
    db.session.add(EndedSession(name="ended", until=now()))
    db.session.commit()
    db.session.remove()
    assert find_session_user(session_user_id, "ended") is None
    assert find_session_user(session_user_id, "another") is not None


def test_what_the_transaction_has_changed_is_seen(session_user_id: str) -> None:
    db.session.execute(text("UPDATE users SET nickname = 'not committed'"))
    assert find_session_user(session_user_id).nickname == "not committed"  # type: ignore[union-attr]


def test_connections_that_died_are_not_noticed(session_user_id: str, postgres_admin: psycopg.Connection) -> None:
    assert find_session_user(session_user_id) is not None
    db.session.remove()
    postgres_admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'kept'")
    assert find_session_user(session_user_id) is not None


def test_connection_in_use_while_another_has_died_is_closed_with_the_pool(
    session_user_id: str, postgres_admin: psycopg.Connection
) -> None:
    """A pool of its own would keep it until somebody collects garbage, which is when Python complains."""
    idle, used = db.engine.raw_connection(), db.engine.raw_connection()
    died: Any = idle.dbapi_connection
    driver: Any = used.dbapi_connection
    postgres_admin.execute("SELECT pg_terminate_backend(%s, 5000)", [died.info.backend_pid])
    idle.close()
    assert find_session_user(session_user_id) is not None
    db.session.remove()
    used.close()
    db.engine.dispose()
    assert died.closed
    assert driver.closed


def test_all_that_died_are_replaced_once_one_is_noticed(
    settings: dict[str, Any],
    redis: Redis,
    postgres_url: str,
    create_tables: Callable[[Flask], None],
    postgres_admin: psycopg.Connection,
) -> None:
    """Also where a host's pool asks no connection whether it lives."""
    app = Host({**settings, "DATABASE_URL": postgres_url}).add_kakao().app
    create_tables(app)
    with app.app_context():
        user_id = User.objects.create_user("minji@example.kr").get_id()
        db.session.commit()
        db.session.remove()
        for pooled in [db.engine.raw_connection() for _ in range(3)]:
            pooled.close()
        postgres_admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'kept'")
        assert find_session_user(user_id) is not None
        db.session.remove()
        db.engine.dispose()
    app.extensions["kakaoauth_redis"].close()


def test_it_is_one_statement_without_a_transaction_around_it(session_user_id: str) -> None:
    assert find_session_user(session_user_id) is not None  # prepares the connection
    db.session.remove()
    assert len(asked_while(lambda: find_session_user(session_user_id))) == 1


def test_several_are_one_statement(session_user_id: str) -> None:
    user = find_session_user(session_user_id)
    assert user is not None
    asked = ways_in.identities_of(user), ended.asked(["a", "b"]), audit.latest("login", target=user.id, days=1)
    assert together(db.session(), *asked) == [[], [], []]  # prepares the connection
    assert len(asked_while(lambda: together(db.session(), *asked))) == 1


def test_what_the_own_page_asks_is_short_enough_for_psycopg_to_keep(session_user_id: str) -> None:
    user = find_session_user(session_user_id)
    assert user is not None

    def ask() -> None:
        families = other_devices.open_families(user, 50)
        alarms = audit.latest("login", target=user.id, days=1)
        together(
            db.session(), ended.asked(["a"]), families, alarms, ways_in.identities_of(user), search.own(user.id, 10)
        )

    ask()
    before = _queries._query2pg.cache_info()
    ask()
    after = _queries._query2pg.cache_info()
    assert (after.hits - before.hits, after.misses - before.misses) == (1, 0)


def asked_while(act: Callable[[], object]) -> list[str]:
    """Return the lines of the protocol's trace with which something waits for PostgreSQL's answer."""
    pooled = db.engine.raw_connection()
    driver: Any = pooled.dbapi_connection
    trace = tempfile.TemporaryFile()
    driver.pgconn.trace(trace.fileno())
    pooled.close()
    act()
    db.session.remove()
    driver.pgconn.untrace()
    trace.seek(0)
    asked = [line for line in trace.read().decode().splitlines() if "\tF\t" in line]
    trace.close()
    return [line for line in asked if "\tSync" in line or "\tQuery" in line]


def test_whoever_listens_to_statements_hears_of_it(session_user_id: str) -> None:
    heard: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        heard.append(statement)

    event.listen(db.engine, "before_cursor_execute", hear)
    assert find_session_user(session_user_id) is not None
    assert len(heard) == 1


def test_no_connection_is_told_as_the_session_tells_it(
    make_app: Callable[..., Flask], postgres_url: str, wire: Wire
) -> None:
    app = make_app(DATABASE_URL=f"postgresql+psycopg://postgres@127.0.0.1:{wire.port}{urlsplit(postgres_url).path}")
    with app.app_context():
        db.engine.dispose()
        wire.cut()
        for _ in range(2):
            with pytest.raises(OperationalError):
                find_session_user("1.0")


def test_what_is_only_looked_at_is_what_the_session_reads(session_user_id: str) -> None:
    user = find_session_user(session_user_id)
    assert user is not None
    db.session.add(Identity(user_id=user.id, provider="kakao", subject="1", confirmed_at=now()))
    db.session.commit()
    audit.record("login", target=user.id, actor=user.id, provider="kakao", new=True)
    db.session.commit()
    db.session.remove()
    user = find_session_user(session_user_id)
    assert user is not None
    asked = ways_in.identities_of(user), search.own(user.id, 10), audit.latest("login", target=user.id, days=1)
    quick = [row for one in asked for row in one.all(db.session())]
    at_once = [row for rows in together(db.session(), *asked) for row in rows]
    assert [inspect(one).session for one in quick] == [None] * 3
    db.session.execute(text("SELECT 1"))  # from now on the session is in a transaction
    slow = [row for rows in together(db.session(), *asked) for row in rows]
    assert [columns_of(one) for one in quick] == [columns_of(one) for one in slow]
    assert [columns_of(one) for one in at_once] == [columns_of(one) for one in slow]


def columns_of(one: Any) -> dict[str, Any]:
    return {attribute.key: getattr(one, attribute.key) for attribute in inspect(type(one)).column_attrs}


def test_what_waits_in_the_session_is_read_as_well(session_user_id: str) -> None:
    user = find_session_user(session_user_id)
    assert user is not None
    db.session.add(Identity(user_id=user.id, provider="kakao", subject="1"))
    (found,) = together(db.session(), ways_in.identities_of(user))
    assert [one.subject for one in found] == ["1"]


def test_staffs_backlog_is_the_same_in_a_transaction(session_user_id: str) -> None:
    assert backlog.for_staff() == ([], 0)
    jobs = [UnlinkJob(provider="kakao", subject=str(number), user_id=7) for number in (1, 2)]
    failed = FailedEvent(provider="kakao", jti="j", kind="user-unlinked", subject="3", happened_at=now(), error="X")
    db.session.add_all([*jobs, failed])
    db.session.commit()
    db.session.remove()
    quick = backlog.for_staff()
    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    db.session.execute(text("SELECT 1"))  # from now on the session is in a transaction
    for found in (quick, backlog.for_staff()):
        assert [(job.provider, job.subject, job.tries) for job in found.unlinks] == [
            ("kakao", "1", 0),
            ("kakao", "2", 0),
        ]
        assert found.webhooks_failed == 1
    db.session.execute(delete(UnlinkJob))
    assert backlog.for_staff() == ([], 1)


def test_saved_filters_are_read_without_a_transaction(session_user_id: str) -> None:
    owner = int(session_user_id.partition(".")[0])
    saved_filters.save(owner, "late", "sort=last_login")
    saved_filters.save(owner, "early", "sort=id")
    db.session.remove()
    assert [(one.name, one.query) for one in saved_filters.of_owner(owner)] == [
        ("late", "sort=last_login"),
        ("early", "sort=id"),
    ]
    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert not saved_filters.of_owner(owner + 1)


def test_tags_of_many_users(session_user_id: str) -> None:
    ids = [int(session_user_id.partition(".")[0])]
    ids += [User.objects.create_user(f"p{number}@example.kr").id for number in range(60)]
    db.session.add_all([UserTag(user_id=ids[0], tag=tag) for tag in ("vip", "early")])
    db.session.add(UserTag(user_id=ids[60], tag="vip"))
    db.session.commit()
    assert notes.tags_of(ids) == {ids[0]: ["early", "vip"], ids[60]: ["vip"]}
    assert notes.tags_of(ids[1:2]) == notes.tags_of([]) == {}


def test_ended_sessions_among_others(session_user_id: str) -> None:
    db.session.add(EndedSession(name="ended", until=now()))
    db.session.commit()
    assert ended.among(["ended", "another"]) == {"ended"}


def test_bearer_is_read_without_a_transaction(session_user_id: str) -> None:
    user = find_session_user(session_user_id)
    assert user is not None
    text_of_it = flows.issue_tokens(user).access_token
    db.session.remove()
    quick = flows.authenticate_bearer(text_of_it)
    assert inspect(quick.user).persistent
    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    db.session.execute(text("UPDATE users SET session_version = session_version + 1"))
    db.session.commit()
    db.session.remove()
    with pytest.raises(InvalidAccessToken):
        flows.authenticate_bearer(text_of_it)


class Noted(ColumnElement[bool]):
    """A condition whose compiling is noted."""

    inherit_cache = False
    type = Boolean()

    def __init__(self) -> None:
        self.compiled_by: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None


@compiles(Noted)
def note(element: Noted, compiler: Any, **_options: Any) -> str:
    element.compiled_by.append(threading.current_thread().name)
    meanwhile, element.meanwhile = element.meanwhile, lambda: None
    meanwhile()
    return "true"


def read_directly(query: Select[Any]) -> object:
    direct = Direct(db.engine)
    try:
        return direct.first(query, {})
    finally:
        direct.close()


@pytest.mark.parametrize(
    "reads",
    [
        lambda query: partial(lambda read: read.all(db.session()), QuickRead(User, query)),
        lambda query: partial(read_directly, query),
    ],
    ids=["quick read", "direct"],
)
def test_statement_is_compiled_by_one_thread_first(
    session_user_id: str, pg_app: Flask, reads: Callable[[Any], Callable[[], object]]
) -> None:
    """SQLAlchemy's parts of a statement know their columns only afterwards. A second thread had taken some from a table
    that nobody had narrowed down: other people's."""
    condition = Noted()
    read = reads(select(User).where(condition))

    def elsewhere() -> None:
        with pg_app.app_context():
            read()

    second = threading.Thread(target=elsewhere, name="second")

    def let_it_try() -> None:
        second.start()
        second.join(0.3)
        assert "second" not in condition.compiled_by

    condition.meanwhile = let_it_try
    read()
    second.join()
    assert condition.compiled_by
