"""What the databases do for a page of the list, with so many users that a bad plan shows: no table is read through, and
no more rows are looked at than the budget allows."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import func, select, text
from support.plans import explained, filled_app, statements, steps

from kakaoauth.cli import seed as seeding
from kakaoauth.models import User
from kakaoauth.staff.listing import counted, estimate, page, planner
from kakaoauth.staff.listing.filters import Filter, conditions
from kakaoauth.staff.listing.ordering import SORTS
from kakaoauth.staff.listing.planner import Budget
from kakaoauth.staff.listing.statistics import Statistics
from kakaoauth.storage.cursors import Cursor, Position, write
from kakaoauth.storage.database import db

#: Twice as many as a page may walk along or sort.
USERS = 40_000
TODAY = date.today()

#: Filter, sort, how deep into the list.
SHAPES: dict[str, tuple[Filter, str, float]] = {
    **{f"first by {sort}": (Filter(), sort, 0) for sort in SORTS},
    **{f"deep by {sort}": (Filter(), sort, 0.9) for sort in SORTS},
    "superusers": (Filter(role="superuser"), "-date_joined", 0),
    "staff by e-mail": (Filter(role="staff"), "email", 0),
    "no staff": (Filter(role="user"), "-date_joined", 0.5),
    "suspended, deep": (Filter(state="suspended"), "-date_joined", 0.9),
    "suspended by nickname": (Filter(state="suspended"), "nickname", 0.5),
    "facebook, deep": (Filter(provider="facebook"), "date_joined", 0.9),
    "facebook suspended": (Filter(provider="facebook", state="suspended"), "-last_login", 0),
    "a provider nobody has": (Filter(provider="myspace"), "email", 0),
    "days": (Filter(joined_from=TODAY - timedelta(300), joined_until=TODAY - timedelta(200)), "-date_joined", 0.1),
    "days by e-mail": (Filter(joined_from=TODAY - timedelta(9), joined_until=TODAY), "-email", 0),
    "nobody": (Filter(search="nobody"), "-date_joined", 0),
    "one": (Filter(search="sora777@"), "-date_joined", 0),
    "half": (Filter(search="naver"), "nickname", 0.5),
    "few": (Filter(search="하늘77"), "-last_login", 0),
    "two characters": (Filter(search="김민"), "-date_joined", 0),
    "one character": (Filter(search="남"), "email", 0),
    "one rare character": (Filter(search="뷁"), "email", 0),
    "number": (Filter(search="777"), "id", 0),
    "long": (Filter(search="sora777@naver.seed.exampl"), "-id", 0),
    "without e-mail": (Filter(email="none"), "-date_joined", 0),
    "linked, deep": (Filter(linked="facebook"), "-date_joined", 0.9),
    "linked and most have it": (Filter(linked="kakao"), "nickname", 0.5),
    "a tag nobody has": (Filter(tag="vip"), "-date_joined", 0),
    "a term nobody agrees to": (Filter(agreed="tos"), "-date_joined", 0),
    "and everybody does not": (Filter(not_agreed="tos"), "nickname", 0.5),
    "closed by e-mail": (Filter(state="closed"), "email", 0),
    "suspended, by last login": (Filter(state="suspended"), "-last_login", 0),
    "last login": (Filter(login_from=TODAY - timedelta(9), login_until=TODAY), "email", 0),
    "long away": (Filter(login_until=TODAY - timedelta(60)), "-last_login", 0.1),
    "some": (Filter(ids=(5, 7, 39_000)), "nickname", 0),
    "many filters": (Filter(search="smith", provider="facebook", state="suspended", role="user"), "nickname", 0),
    "many, and nobody": (Filter(search="naver", provider="facebook", role="superuser", state="active"), "email", 0),
}
#: What one statement may look at, the page's own rows and those who might join meanwhile included.
MOST_ROWS = Budget().long + 200


def seed() -> None:
    seeding.seed(USERS, random_seed=1, report=lambda _: None)


@pytest.fixture(scope="module")
def filled_postgresql(module_postgres_url: str, tmp_path_factory: Any, redis_url: str) -> Iterator[Flask]:
    with filled_app(module_postgres_url, tmp_path_factory.mktemp("plans"), redis_url, seed) as app:
        with psycopg.connect(module_postgres_url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE users, identities")  # as autovacuum does within a minute
        yield app


@pytest.fixture
def postgresql(filled_postgresql: Flask) -> Iterator[Flask]:
    with filled_postgresql.app_context():
        yield filled_postgresql


@pytest.fixture(scope="module")
def filled_sqlite(tmp_path_factory: Any, redis_url: str) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("plans")
    with filled_app(f"sqlite:///{folder / 'plans.db'}", folder, redis_url, seed) as app:
        yield app


@pytest.fixture
def sqlite(filled_sqlite: Flask) -> Iterator[Flask]:
    with filled_sqlite.app_context():
        yield filled_sqlite


def cursor_at(sort: str, depth: float) -> str | None:
    if not depth:
        return None
    order = SORTS[sort]
    count = db.session.scalar(select(func.count(User.id)).where(order.key.is_not(None))) or 0
    key = order.key.desc() if order.descending else order.key
    query = select(order.key, User.id).where(order.key.is_not(None)).order_by(key).offset(int(count * depth)).limit(1)
    return write(sort, Cursor(Position(*db.session.execute(query).one()), backwards=False))


def asked_for(name: str) -> list[tuple[str, Any]]:
    chosen, sort, depth = SHAPES[name]
    cursor = cursor_at(sort, depth)
    return statements(lambda: (page(chosen, sort=sort, cursor=cursor), counted(chosen), estimate(chosen)))


def test_postgresql_goes_by_indexes_and_looks_at_few_rows(postgresql: Flask) -> None:
    for name in SHAPES:
        asked = asked_for(name)
        assert len(asked) <= 26, name
        for statement, parameters in asked:
            for node in explained(statement, parameters):
                assert node["Node Type"] not in ("Seq Scan", "Gather"), (name, statement, node)
                looked_at = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
                if node["Node Type"] != "Bitmap Index Scan":  # which counts what it only reads in the index
                    assert looked_at <= MOST_ROWS, (name, statement, node)


def test_sqlite_goes_by_indexes_and_works_little(sqlite: Flask) -> None:
    for name in SHAPES:
        for statement, parameters in asked_for(name):
            connection = db.session.connection()
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            # In the order of ids the table is its own index, and the limit ends the walk.
            walks = re.search(r"ORDER BY users\.id (ASC|DESC)\s+LIMIT", statement)
            assert "SCAN users" not in plan or walks, (name, statement, plan)
            assert not [line for line in plan if re.search("AUTOMATIC|SCAN identities", line)], (name, statement, plan)
            assert steps(connection, statement, parameters) < 60 * MOST_ROWS, (name, statement, plan)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_total_says_more_than_and_never_about(request: Any, database: str) -> None:
    """It is right where it says a number, and a lower bound where it says "more than"."""
    request.getfixturevalue(database)
    for name, (chosen, _, _) in SHAPES.items():
        said, whole = counted(chosen)
        tests = [condition.holds(User) for condition in conditions(chosen)]
        number = db.session.scalar(select(func.count(User.id)).where(*tests)) or 0
        assert said == number if whole else said < number or said == 0, name
        assert whole or said >= 1_000 or not said, name
    assert counted(Filter()) == (10_000, False)
    assert counted(Filter(role="user", provider="kakao")) == (1_000, False)


@pytest.mark.parametrize(
    ("sort", "walks"), [("-date_joined", 1), ("date_joined", 1), ("id", 1), ("-last_login", 1), ("nickname", 2)]
)
def test_walk_that_met_too_few_is_not_gone_again_but_for_texts(
    postgresql: Flask, monkeypatch: pytest.MonkeyPatch, sort: str, walks: int
) -> None:
    """Where the walk had to stop, a page ends: who stands before that, only the database can tell of a text."""
    hopeful = Statistics(USERS, {"17@": 0.9}, 0)
    monkeypatch.setattr(planner, "statistics", lambda: hopeful)
    chosen, budget, seen, cursor = Filter(search="17@"), Budget(long=1_500), [], None
    for _ in range(4):
        look = partial(page, chosen, sort=sort, cursor=cursor, budget=budget)
        asked = statements(lambda look=look: seen.append(look()))  # type: ignore[misc]
        if cursor is None:
            assert sum("rows_read" in statement for statement, _ in asked) == walks
        assert seen[-1].cut
        cursor = seen[-1].next
    order = SORTS[sort]
    first = select(User.id).where(order.key.is_not(None)).limit(4 * budget.long)
    walked = db.session.scalars(first.order_by(*(k.desc() if order.descending else k for k in (order.key, User.id))))
    met = set(db.session.scalars(select(User.id).where(*(one.holds(User) for one in conditions(chosen)))))
    assert [user.id for found in seen for user in found.users] == [number for number in walked if number in met]
    back = page(chosen, sort=sort, cursor=seen[-1].previous, budget=budget)
    assert {user.id for user in back.users} <= {user.id for user in seen[-2].users}


def test_many_users_with_one_value_are_no_detour(sqlite: Flask) -> None:
    """SQLite goes to a place by two columns only if the first is given; else it would start at the first of all."""
    with db.session.begin_nested() as change:
        db.session.execute(text("UPDATE users SET nickname_key = 'same'"))
        cursor = write("nickname", Cursor(Position("same", USERS - 100), backwards=False))
        for chosen in (Filter(), Filter(role="user")):
            for statement, parameters in statements(partial(page, chosen, sort="nickname", cursor=cursor)):
                assert steps(db.session.connection(), statement, parameters) <= 20_000
        change.rollback()
