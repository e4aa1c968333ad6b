"""What happened how often: counted in Redis, moved to the database, told to Prometheus."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy.exc import OperationalError
from support import FakeKakao, begin_login, come_back, log_in

from kakaoauth.counting import counters, daily_counts
from kakaoauth.storage.database import db

TOKEN = "a scraper's token of our tests"
MORNING = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)  # one o'clock of the 22nd in Korea


def totals(app: Flask) -> dict[tuple[str, str], int]:
    with app.app_context():
        return dict(counters.totals())


def metric(client: FlaskClient, line: str, **more: Any) -> str | None:
    text = client.get("/metrics", **more).text
    return next((one.rpartition(" ")[2] for one in text.splitlines() if one.startswith(f"{line} ")), None)


def test_login_is_counted_from_its_beginning_to_its_end(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    begin_login(client)
    log_in(client, kakao)
    log_in(app.test_client(), kakao)
    assert totals(app) == {
        ("login_begun", "kakao"): 3,
        ("login_returned", "kakao"): 2,
        ("login_in", "kakao page"): 2,
        ("sign_up", "kakao"): 1,
    }


def test_refusal_is_counted_with_its_code_and_kakaos(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    kakao.fails(token={"status_code": 400, "json": {"error": "invalid_grant", "error_code": "KOE320"}})
    come_back(client, begin_login(client)["state"])
    come_back(client, "x" * 43)
    counted = totals(app)
    assert counted[("login_refused", "kakao CODE_REFUSED KOE320")] == 1
    assert counted[("login_refused", "kakao UNKNOWN_STATE")] == 1


def test_numbers_move_to_the_database_and_are_counted_once(app: Flask, redis: Redis) -> None:
    with app.app_context():
        counters.count("sign_up", "kakao")
        counters.count("sign_up", "kakao")
        before = counters.totals()
        assert daily_counts.store_counts() == 1
        counters.count("sign_up", "kakao")
        assert before == {("sign_up", "kakao"): 2}
        assert counters.totals() == {("sign_up", "kakao"): 3}
        daily_counts.store_counts()
        assert counters.totals() == {("sign_up", "kakao"): 3}
        assert db.session.scalar(db.select(counters.DailyCount.number)) == 3
        assert daily_counts.store_counts() == 0


def test_numbers_stay_in_redis_while_the_database_is_away(app: Flask) -> None:
    with app.app_context():
        counters.count("sign_up", "kakao")
        db.session.execute(db.text("ALTER TABLE daily_counts RENAME TO elsewhere"))
        db.session.commit()
        with pytest.raises(OperationalError):
            daily_counts.store_counts()
        counters.count("sign_up", "kakao")
        db.session.execute(db.text("ALTER TABLE elsewhere RENAME TO daily_counts"))
        db.session.commit()
        daily_counts.store_counts()
        daily_counts.store_counts()
        assert counters.totals() == {("sign_up", "kakao"): 2}


def test_another_worker_that_moves_numbers_is_left_alone(app: Flask, redis: Redis) -> None:
    with app.app_context():
        counters.count("sign_up", "kakao")
        with redis.lock("counters:lock", timeout=5):
            assert daily_counts.store_counts() == 0
        assert daily_counts.store_counts() == 1


def test_days_are_koreas(app: Flask) -> None:
    with app.app_context(), time_machine.travel(MORNING, tick=False) as clock:
        counters.count("sign_up", "kakao")
        clock.shift(timedelta(days=1))
        counters.count("sign_up", "kakao")
        daily_counts.store_counts()
        daily_counts.store_counts()
        assert sorted(counters.per_day(date(2026, 11, 1))) == [date(2026, 11, 22), date(2026, 11, 23)]
        assert sorted(counters.per_day(date(2026, 11, 23))) == [date(2026, 11, 23)]


def test_numbers_of_a_day_are_one_key_that_ends(app: Flask, redis: Redis) -> None:
    """A login does what it can without: nothing has to be told that this day has numbers."""
    with app.app_context():
        counters.count("sign_up", "kakao")
        (key,) = redis.keys()
        assert 39 * 86400 < redis.ttl(key) <= 40 * 86400


def test_numbers_that_waited_for_40_days_are_moved(app: Flask) -> None:
    with app.app_context(), time_machine.travel(MORNING, tick=False) as clock:
        counters.count("sign_up", "kakao")
        clock.shift(timedelta(days=40))
        assert daily_counts.store_counts() == 1
        assert counters.totals() == {("sign_up", "kakao"): 1}


def test_numbers_of_a_worker_that_died_in_between_are_moved(app: Flask) -> None:
    with app.app_context():
        counters.count("sign_up", "kakao")
        with suppress(ZeroDivisionError), counters.taken_day():
            raise ZeroDivisionError
        assert daily_counts.store_counts() == 1
        assert counters.totals() == {("sign_up", "kakao"): 1}


def test_add_counts_holds_on_both_databases(make_app: Callable[..., Flask], database_url: str) -> None:
    with make_app(DATABASE_URL=database_url).app_context():
        for _ in range(2):
            daily_counts.add_counts(date(2026, 11, 21), {("sign_up", "kakao"): 2, ("login_in", "kakao page"): 1})
        assert counters.totals() == {("sign_up", "kakao"): 4, ("login_in", "kakao page"): 2}


def test_login_goes_on_while_nothing_can_be_counted(app: Flask) -> None:
    with app.app_context():
        app.extensions["kakaoauth_redis"] = Redis.from_url("unix:///nowhere")
        counters.count("sign_up", "kakao")
        assert counters.totals() == {}


# Metrics


def test_metrics_tell_what_was_counted(client: FlaskClient, kakao: FakeKakao) -> None:
    log_in(client, kakao)
    assert metric(client, "kakaoauth_redis_up") == "1.0"
    assert metric(client, "kakaoauth_database_up") == "1.0"
    assert metric(client, "kakaoauth_unlinks_waiting") == "0.0"
    assert metric(client, "kakaoauth_webhooks_waiting") == "0.0"
    assert metric(client, 'kakaoauth_login_in_total{door="page",provider="kakao"}') == "1.0"
    assert client.get("/metrics").content_type.startswith("text/plain; version=")


def test_metrics_say_what_is_away(make_app: Callable[..., Flask]) -> None:
    client = make_app(REDIS_URL="unix:///nowhere/redis.sock").test_client()
    assert metric(client, "kakaoauth_redis_up") == "0.0"
    assert metric(client, "kakaoauth_database_up") == "1.0"
    assert metric(client, "kakaoauth_webhooks_waiting") is None


@pytest.mark.parametrize(
    ("environ", "headers", "status"),
    [
        ({}, {}, 200),
        ({"REMOTE_ADDR": "::1"}, {}, 200),
        ({}, {"X-Forwarded-For": "127.0.0.1"}, 404),
        ({}, {"Forwarded": "for=127.0.0.1"}, 404),
        ({"REMOTE_ADDR": "203.0.113.9"}, {}, 404),
        ({"REMOTE_ADDR": "203.0.113.9"}, {"Authorization": f"Bearer {TOKEN}"}, 200),
        ({"REMOTE_ADDR": "203.0.113.9"}, {"Authorization": "Bearer "}, 404),
        ({"REMOTE_ADDR": "203.0.113.9"}, {"Authorization": f"Bearer {TOKEN}x"}, 404),
        ({"REMOTE_ADDR": "203.0.113.9"}, {"Authorization": "Bearer 열쇠"}, 404),
    ],
)
def test_metrics_are_for_this_machine_or_the_token(
    make_app: Callable[..., Flask], environ: dict[str, str], headers: dict[str, str], status: int
) -> None:
    client = make_app(METRICS_TOKEN=TOKEN).test_client()
    encoded = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    assert client.get("/metrics", environ_overrides=environ, headers=encoded).status_code == status


def test_without_a_token_an_empty_one_opens_nothing(client: FlaskClient) -> None:
    away = {"REMOTE_ADDR": "203.0.113.9"}
    assert client.get("/metrics", environ_overrides=away, headers={"Authorization": "Bearer "}).status_code == 404
