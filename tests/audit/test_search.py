"""What the databases do for a page of the trail, whatever is asked at once: no page looks at more rows than its budget,
also where two filters are common alone and never meet, and where all that is asked for is long ago."""

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from support.plans import explained, filled_app, statements, steps, write_rows

from kakaoauth.audit import AuditEvent, search
from kakaoauth.audit.search import BUDGET, Filter
from kakaoauth.storage.database import db

#: Eight times what one page may look at.
EVENTS = 40_000
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
DAY = BEGINNING.date()
BUSY, RARE = 7, 8

#: Each alone is common, none stands at the newer end, and some of them never meet.
ASKED: dict[str, list[Any]] = {
    "action": ["", "webhook", "login"],
    "provider": ["", "facebook", "kakao"],
    "result": ["", "refused", "done"],
    "person": [None, BUSY, RARE],
    "since": [None, DAY],
    "until": [None, DAY + timedelta(days=14)],
}
#: A third of all: any three of the filters meet in every way.
SHAPES = [
    Filter(**{name: ASKED[name][number] for name, number in zip(ASKED, chosen, strict=True)})
    for chosen in itertools.product(*(range(len(values)) for values in ASKED.values()))
    if sum(chosen) % 3 == 0
]
#: Events on a page where all of them are read.
LIMIT = 200


def event_of(number: int) -> dict[str, Any]:
    """The newest third is quite another; before it webhooks of Facebook and logins by Kakao take turns, and the busy
    person's are done where others' are refused."""
    old, turn = number < EVENTS * 2 // 3, number % 2
    action = ("webhook" if turn else "login") if old else "profile changed"
    provider = ("kakao" if turn else "facebook") if old else ""
    busy = number % 4 < 2
    return {
        "at": BEGINNING + timedelta(minutes=number),
        "action": action,
        "provider": provider,
        "result": "done" if busy or not old else "refused",
        "target_id": BUSY if busy else (RARE if number % 10_000 == 3 else number + 100),
        "actor_id": BUSY if busy else None,
    }


def write_trail() -> None:
    write_rows(AuditEvent.__table__, [event_of(number) for number in range(EVENTS)])


@pytest.fixture(scope="module")
def filled_postgresql(module_postgres_url: str, tmp_path_factory: Any, redis_url: str) -> Iterator[Flask]:
    with filled_app(module_postgres_url, tmp_path_factory.mktemp("trail"), redis_url, write_trail) as app:
        with psycopg.connect(module_postgres_url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE audit_events")  # as autovacuum does within a minute
        yield app


@pytest.fixture
def postgresql(filled_postgresql: Flask) -> Iterator[Flask]:
    with filled_postgresql.app_context():
        yield filled_postgresql


@pytest.fixture(scope="module")
def filled_sqlite(tmp_path_factory: Any, redis_url: str) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("trail")
    with filled_app(f"sqlite:///{folder / 'trail.db'}", folder, redis_url, write_trail) as app:
        yield app


@pytest.fixture
def sqlite(filled_sqlite: Flask) -> Iterator[Flask]:
    with filled_sqlite.app_context():
        yield filled_sqlite


def matching(chosen: Filter) -> Callable[[dict[str, Any]], bool]:
    def holds(one: dict[str, Any]) -> bool:
        return (
            one["action"] == (chosen.action or one["action"])
            and one["provider"] == (chosen.provider or one["provider"])
            and one["result"] == (chosen.result or one["result"])
            and (chosen.person is None or chosen.person in (one["target_id"], one["actor_id"]))
            and (chosen.since is None or one["at"] >= BEGINNING - timedelta(hours=9))
            and (chosen.until is None or one["at"] < BEGINNING + timedelta(days=15, hours=-9))
        )

    return holds


def pages(chosen: Filter) -> Iterator[search.Page]:
    cursor = None
    while True:
        page = search.page(chosen, cursor=cursor, limit=LIMIT)
        yield page
        if page.older is None:
            return
        cursor = page.older


def asked_for(chosen: Filter) -> list[tuple[str, Any]]:
    """The first page, one further back, and the way back from it."""

    def act() -> None:
        page = search.page(chosen)
        for _ in range(2):
            if page.older:
                page = search.page(chosen, cursor=page.older)
        if page.newer:
            search.page(chosen, cursor=page.newer)

    return statements(act)


def test_postgresql_looks_at_few_rows_whatever_is_asked(postgresql: Flask) -> None:
    for chosen in SHAPES:
        for statement, parameters in asked_for(chosen):
            for node in explained(statement, parameters):
                assert node["Node Type"] not in ("Seq Scan", "Gather"), (chosen, statement, node)
                looked_at = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
                assert looked_at <= BUDGET, (chosen, statement, node)


def test_sqlite_looks_at_few_rows_whatever_is_asked(sqlite: Flask) -> None:
    for chosen in SHAPES:
        for statement, parameters in asked_for(chosen):
            connection = db.session.connection()
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            assert not [step for step in plan if "SCAN audit_events" in step and "INDEX" not in step], (chosen, plan)
            assert steps(connection, statement, parameters) < 60 * BUDGET, (chosen, statement, plan)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_pages_that_stop_on_the_way_find_everything_together(request: Any, database: str) -> None:
    request.getfixturevalue(database)
    for chosen in (
        Filter(action="login", result="refused", person=BUSY),
        Filter(result="done", action="login"),
        Filter(person=RARE, result="refused"),
        Filter(person=BUSY, provider="kakao", result="refused"),
        Filter(person=BUSY, action="profile changed", until=DAY + timedelta(days=25)),
        Filter(provider="facebook", action="webhook"),
    ):
        read = list(pages(chosen))
        found = [event.at for page in read for event in page.events]
        holds = matching(chosen)
        if chosen.until is None:
            expected = [one["at"] for number in reversed(range(EVENTS)) if holds(one := event_of(number))]
            assert found == expected, chosen
        assert len(set(found)) == len(found)
        for page in read:
            assert (page.searched_to is None) == (len(page.events) == LIMIT or page.older is None)
        back = read[-1]
        seen = [event.at for event in back.events]
        while back.newer:
            back = search.page(chosen, cursor=back.newer, limit=LIMIT)
            seen = [event.at for event in back.events] + seen
        assert seen == found, "and the way back"


def test_page_that_stopped_says_how_far_it_came(sqlite: Flask) -> None:
    page = search.page(Filter(result="refused", person=BUSY))
    assert page.events == []
    assert page.searched_to is not None
    assert page.older is not None
