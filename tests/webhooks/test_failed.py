"""What cannot be done stops nothing else: messages that the database refuses, unlinks while a provider is away."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import exc, text
from support import KAPI, FakeKakao, api_client, log_in, person, run_jobs, tokens_of
from support.facebook import GRAPH, SETTINGS

from kakaoauth import jobs
from kakaoauth.accounts import leaving, unlink_jobs
from kakaoauth.accounts.unlink_jobs import UnlinkJob
from kakaoauth.counting import daily_counts
from kakaoauth.models import User, find_identity
from kakaoauth.monitoring import backlog
from kakaoauth.providers.values import AccountEvent
from kakaoauth.storage import database
from kakaoauth.storage.database import db, unhurried
from kakaoauth.webhooks import deferred, receiving
from kakaoauth.webhooks import failed as failed_events

ADMIN_KEY = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
MINJI, SORA = "3902187744", "7"


@pytest.fixture
def site(make_app: Callable[..., Flask], database_url: str, kakao: FakeKakao) -> Iterator[Flask]:
    app = make_app(DATABASE_URL=database_url, KAKAO_ADMIN_KEY=ADMIN_KEY, **SETTINGS)
    yield app
    with app.app_context():
        for number in (1, 2):
            _mend(number)


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(datetime.now(UTC)) as clock:
        yield clock


def enter(app: Flask, kakao: FakeKakao, subject: str = MINJI) -> FlaskClient:
    kakao.me = person(int(subject))
    client = app.test_client()
    assert log_in(client, kakao).status_code == 302
    return client


def user_of(app: Flask, subject: str = MINJI) -> int | None:
    with app.app_context():
        identity = find_identity("kakao", subject)
        return identity.user_id if identity else None


def break_for(app: Flask, user_id: int | None) -> None:
    """A trigger of the host's forbids to take this person's identity away, whichever way."""
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            for way in ("DELETE", "UPDATE OF subject"):
                when = f"BEFORE {way} ON identities WHEN old.user_id = {user_id}"
                no = "BEGIN SELECT RAISE(ABORT, 'no'); END"
                db.session.execute(text(f"CREATE TRIGGER keep_{user_id}_{way[:6]} {when} {no}"))
        else:
            body = "BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'integrity_constraint_violation'; END"
            db.session.execute(text(f"CREATE FUNCTION keep_{user_id}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$"))
            when = f"BEFORE DELETE OR UPDATE OF subject ON identities FOR EACH ROW WHEN (old.user_id = {user_id})"
            db.session.execute(text(f"CREATE TRIGGER keep_{user_id} {when} EXECUTE FUNCTION keep_{user_id}()"))
        db.session.commit()


def _mend(user_id: int | None) -> None:
    if db.engine.dialect.name == "sqlite":
        for way in ("DELETE", "UPDATE"):
            db.session.execute(text(f"DROP TRIGGER IF EXISTS keep_{user_id}_{way}"))
    else:
        db.session.execute(text(f"DROP TRIGGER IF EXISTS keep_{user_id} ON identities"))
        db.session.execute(text(f"DROP FUNCTION IF EXISTS keep_{user_id}()"))
    db.session.commit()


def mend(app: Flask, user_id: int | None) -> None:
    with app.app_context():
        _mend(user_id)


def unlink(app: Flask, subject: str = MINJI) -> int:
    form = {"user_id": subject, "referrer_type": "UNLINK_FROM_APPS"}
    headers = {"Authorization": f"KakaoAK {ADMIN_KEY}"}
    return app.test_client().post("/webhooks/kakao/unlink/", data=form, headers=headers).status_code


def queue(app: Flask, subject: str, kind: str = "user-unlinked") -> None:
    """A message that came while the database was away."""
    with app.app_context():
        moment = datetime.now(UTC)
        deferred.keep("kakao", AccountEvent(f"{kind}-{subject}-{moment.timestamp()}", kind, subject, moment))


def numbers(app: Flask) -> backlog.Backlog:
    with app.app_context():
        return backlog.read()


def command(app: Flask) -> str:
    result = app.test_cli_runner().invoke(args=["kakao", "retry"])
    assert result.exit_code == 0, result.output
    return str(result.output)


# Messages


def test_message_that_the_database_refuses_goes_aside_and_ends_sessions_and_tokens_at_once(
    site: Flask, kakao: FakeKakao, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    minji = enter(site, kakao)
    number = user_of(site)
    assert number
    pair = tokens_of(site, number)
    break_for(site, number)
    assert unlink(site) == 200
    assert numbers(site).webhooks_failed == 1
    assert redis.llen(deferred.KEY) == 0
    assert minji.get("/users/me/").status_code == 302
    assert api_client(site, pair.access_token).get("/api/users/me/").status_code == 401
    answer = site.test_client().post("/api/token/refresh/", json={"refresh_token": pair.refresh_token})
    assert answer.status_code == 401
    (line,) = [one for one in caplog.records if "webhook set aside" in one.getMessage()]
    assert line.levelno == logging.CRITICAL
    assert MINJI not in line.getMessage()


def test_message_in_the_queue_that_is_refused_stops_none_behind_it(site: Flask, kakao: FakeKakao, redis: Redis) -> None:
    minji, sora = enter(site, kakao), enter(site, kakao, SORA)
    break_for(site, user_of(site))
    for subject in (MINJI, SORA, "99"):
        queue(site, subject)
    with site.app_context():
        db.session.add(UnlinkJob(provider="kakao", subject="5"))
        db.session.commit()
    kakao.mock.post(f"{KAPI}/v1/user/unlink", json={"id": 5})
    assert run_jobs(site) == (3, 1), "sora's, nobody's, and the unlink"
    assert redis.llen(deferred.KEY) == 0
    assert user_of(site, SORA) is None
    assert numbers(site) == (0, 0, 1, 0)
    assert minji.get("/users/me/").status_code == 302
    assert sora.get("/users/me/").status_code == 302


def test_what_was_set_aside_is_tried_again_by_the_command(site: Flask, kakao: FakeKakao) -> None:
    enter(site, kakao)
    number = user_of(site)
    break_for(site, number)
    unlink(site)
    assert command(site) == "0 done, 1 could not be done yet.\n"
    assert numbers(site).webhooks_failed == 1
    mend(site, number)
    assert command(site) == "1 done, 0 could not be done yet.\n"
    assert numbers(site).webhooks_failed == 0
    assert user_of(site) is None


def test_trying_again_in_vain_ends_no_new_session(site: Flask, kakao: FakeKakao, clock: Any) -> None:
    enter(site, kakao)
    break_for(site, user_of(site))
    queue(site, MINJI)
    assert run_jobs(site) == (0, 1)
    clock.shift(120)
    minji = enter(site, kakao)
    assert run_jobs(site, failed=True) == (1, 0)
    assert minji.get("/users/me/").status_code == 200, "the unlink was overtaken by the login"


def test_failed_messages_are_bounded_and_hold_no_more_than_is_needed(
    site: Flask, monkeypatch: pytest.MonkeyPatch, redis: Redis
) -> None:
    monkeypatch.setattr(failed_events, "MOST", 2)
    columns = {column.key for column in failed_events.FailedEvent.__table__.columns}
    assert columns == {
        *("id", "provider", "jti", "kind", "subject", "happened_at", "scopes", "error", "failed_at", "tries")
    }
    with site.app_context():
        for number in range(4):
            event = AccountEvent(f"j{number}", "user-unlinked", "1", datetime.now(UTC))
            receiving.keep_event("kakao", event, RuntimeError("secret text"))
        assert failed_events.number() == 2
        assert deferred.number_waiting() == 2, "what finds no room there waits in the queue"
        assert {row.error for row in failed_events.after(0, 10)} == {"RuntimeError"}


def test_failed_message_ends_after_90_days_and_says_so(
    site: Flask, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with site.app_context():
        receiving.keep_event("kakao", AccountEvent("j", "user-unlinked", "1", datetime.now(UTC)), RuntimeError())
        clock.shift(89 * 86400)
        receiving.forget_old_events()
        assert failed_events.number() == 1
        clock.shift(2 * 86400)
        receiving.forget_old_events()
        assert failed_events.number() == 0
    assert "could never be applied" in caplog.text


def test_each_work_is_done_although_the_one_before_has_failed(
    site: Flask, kakao: FakeKakao, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done = []

    def fails() -> tuple[int, int]:
        raise RuntimeError("with a secret")

    monkeypatch.setattr(jobs, "act_on_waiting", fails)
    monkeypatch.setattr(leaving, "retry_unlinks", lambda *_, **__: fails())
    monkeypatch.setattr(daily_counts, "store_counts", lambda: done.append("counters"))
    with pytest.raises(RuntimeError):
        run_jobs(site)
    assert done == ["counters"]
    assert "retries put off: RuntimeError (webhooks)" in caplog.text
    assert "retries put off: RuntimeError (unlinks)" in caplog.text
    assert "secret" not in caplog.text


SLOW = "CREATE FUNCTION crawl() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(20); RETURN old; END$$"


def test_message_with_a_time_out_of_its_own_stops_none_behind_it(
    make_app: Callable[..., Flask], postgres_url: str, kakao: FakeKakao, redis: Redis
) -> None:
    """It fails as if the database were away, and the others show that it is not."""
    app = make_app(DATABASE_URL=postgres_url, KAKAO_ADMIN_KEY=ADMIN_KEY)
    enter(app, kakao)
    enter(app, kakao, SORA)
    number = user_of(app)
    with app.app_context():
        db.session.execute(text(SLOW))
        when = f"BEFORE UPDATE ON users FOR EACH ROW WHEN (old.id = {number})"
        db.session.execute(text(f"CREATE TRIGGER crawl {when} EXECUTE FUNCTION crawl()"))
        db.session.commit()
    try:
        queue(app, MINJI)
        with pytest.raises(Exception, match="statement timeout"):
            run_jobs(app)
        assert redis.llen(deferred.KEY) == 1, "alone, it may be the database"
        queue(app, SORA)
        assert run_jobs(app)[0] == 1
        assert user_of(app, SORA) is None
        assert (redis.llen(deferred.KEY), numbers(app).webhooks_failed) == (0, 1)
    finally:
        with app.app_context():
            db.session.execute(text("DROP TRIGGER crawl ON users"))
            db.session.execute(text("DROP FUNCTION crawl()"))
            db.session.commit()
    assert command(app) == "1 done, 0 could not be done yet.\n"
    assert user_of(app) is None


# What counts as the database being away


class Said(Exception):
    def __init__(self, **told: Any) -> None:
        super().__init__()
        self.__dict__.update(told)


@pytest.mark.parametrize(
    ("kind", "told", "away"),
    [
        (exc.OperationalError, {"sqlstate": "53100"}, True),  # disk full
        (exc.OperationalError, {"sqlstate": "57P01"}, True),  # admin shutdown
        (exc.OperationalError, {"sqlstate": "55P03"}, True),  # lock not available
        (exc.OperationalError, {"sqlstate": None}, True),  # no connection
        (exc.InternalError, {"sqlstate": "25006"}, True),  # read-only
        (exc.InterfaceError, {}, True),
        (exc.IntegrityError, {"sqlstate": "23503"}, False),
        (exc.DataError, {"sqlstate": "22001"}, False),
        (exc.ProgrammingError, {"sqlstate": "42P01"}, False),
        (exc.InternalError, {"sqlstate": "P0001"}, False),  # raised by a trigger
        (exc.OperationalError, {"sqlite_errorcode": sqlite3.SQLITE_BUSY}, True),
        (exc.OperationalError, {"sqlite_errorcode": sqlite3.SQLITE_FULL}, True),
        (exc.OperationalError, {"sqlite_errorcode": sqlite3.SQLITE_READONLY_DBMOVED}, True),
        (exc.OperationalError, {"sqlite_errorcode": sqlite3.SQLITE_ERROR}, False),
        (exc.IntegrityError, {"sqlite_errorcode": sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY}, False),
    ],
)
def test_only_what_would_stop_every_statement_is_an_outage(kind: Any, told: dict[str, Any], away: bool) -> None:
    assert database.is_away(kind("", {}, Said(**told))) == away


def test_pool_without_a_free_connection_is_an_outage_and_a_mistake_is_none() -> None:
    assert database.is_away(exc.TimeoutError())
    assert not database.is_away(exc.InvalidRequestError())
    assert not database.is_away(ValueError())


# Where it is shown


def test_metrics_staff_and_doctor_show_what_could_not_be_done(site: Flask, kakao: FakeKakao) -> None:
    with site.app_context():
        for number in range(3):
            event = AccountEvent(f"j{number}", "user-unlinked", "1", datetime.now(UTC))
            receiving.keep_event("kakao", event, RuntimeError())
        db.session.add(UnlinkJob(provider="kakao", subject="5", given_up_at=datetime.now(UTC), tries=700))
        db.session.commit()
    shown = site.test_client().get("/metrics").text
    assert "kakaoauth_webhooks_failed 3.0" in shown
    assert "kakaoauth_unlinks_given_up 1.0" in shown
    assert "kakaoauth_unlinks_waiting 0.0" in shown
    sora = enter(site, kakao, SORA)
    with site.app_context():
        db.session.get_one(User, user_of(site, SORA)).is_staff = True
        db.session.commit()
    page = sora.get("/users/?lang=en").text
    assert "Messages from providers: 3." in page
    assert "given up on" in page
    assert "처리하지 못한 메시지" in sora.get("/users/?lang=ko").text


# Unlinks


def wait(app: Flask, provider: str, *subjects: str, **fields: Any) -> None:
    with app.app_context():
        with unhurried(db.session.connection()):  # a busy machine takes longer for many
            db.session.add_all(UnlinkJob(provider=provider, subject=subject, **fields) for subject in subjects)
            db.session.commit()


def calls(kakao: FakeKakao, path: str) -> int:
    return sum(call.url.startswith(path) for call in kakao.mock.request_history)


@pytest.mark.parametrize(
    "away",
    [
        {"exc": requests.exceptions.ReadTimeout},
        {"status_code": 503, "text": ""},
        {"status_code": 400, "json": {"msg": "maintenance", "code": -7}},
    ],
)
@pytest.mark.parametrize("everything", [False, True])
def test_round_ends_at_the_first_failure_of_a_provider_and_goes_on_with_the_others(
    site: Flask, kakao: FakeKakao, away: dict[str, Any], everything: bool
) -> None:
    wait(site, "kakao", *map(str, range(100, 250)))
    wait(site, "facebook", "5", "6")
    kakao.mock.post(f"{KAPI}/v1/user/unlink", **away)
    for subject in ("5", "6"):
        kakao.mock.delete(f"{GRAPH}/{subject}/permissions", json={"success": True})
    done, left = run_jobs(site, everything=everything)
    assert done == 2
    assert left == (150 if everything else 100)
    assert calls(kakao, f"{KAPI}/v1/user/unlink") == 1
    assert numbers(site).unlinks_waiting == 150


def test_command_does_what_waits_whatever_its_next_date(site: Flask, kakao: FakeKakao) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    wait(site, "kakao", *map(str, range(100, 250)), next_try_at=tomorrow)
    wait(site, "kakao", "1", given_up_at=datetime.now(UTC))
    assert run_jobs(site) == (0, 0)
    assert command(site) == "151 done, 0 could not be done yet.\n"
    assert numbers(site) == (0, 0, 0, 0)


def test_command_leaves_a_job_to_the_worker_that_has_it(site: Flask, kakao: FakeKakao, clock: Any) -> None:
    wait(site, "kakao", "1")
    with site.app_context():
        (number,) = unlink_jobs.due("kakao")
        assert leaving._take(number) is not None
    assert command(site) == "0 done, 0 could not be done yet.\n"
    clock.shift(unlink_jobs.HOLD + 1)
    assert command(site) == "1 done, 0 could not be done yet.\n"


def test_job_is_given_up_loudly_after_30_days(
    site: Flask, kakao: FakeKakao, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    wait(site, "kakao", "1", user_id=77)
    kakao.mock.post(f"{KAPI}/v1/user/unlink", status_code=400, json={"msg": "?", "code": -1})
    clock.shift(29 * 86400)
    assert run_jobs(site) == (0, 1)
    assert numbers(site).unlinks_given_up == 0
    clock.shift(86400 + 3601)
    assert run_jobs(site) == (0, 1)
    assert numbers(site) == (0, 1, 0, 0)
    (line,) = [one for one in caplog.records if "unlink given up" in one.getMessage() and one.levelno > 40]
    assert "provider=kakao" in line.getMessage()
    with site.app_context():
        written = db.session.execute(text("SELECT target_id FROM audit_events WHERE action = 'unlink given up'"))
        assert written.scalars().all() == [77]
    clock.shift(86400)
    assert run_jobs(site) == (0, 0), "nobody tries it any more"
    with site.app_context():
        leaving.forget_old_unlinks()
        assert unlink_jobs.number_given_up() == 1
        clock.shift(61 * 86400)
        leaving.forget_old_unlinks()
        assert unlink_jobs.number_given_up() == 0


def test_mistake_of_ours_with_one_job_leaves_the_others(
    site: Flask, kakao: FakeKakao, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait(site, "kakao", "1", "2")
    plain = leaving._tokens_of

    def tokens_of_job(job: UnlinkJob) -> Any:
        if job.subject == "1":
            raise ValueError("a secret")
        return plain(job)

    monkeypatch.setattr(leaving, "_tokens_of", tokens_of_job)
    assert run_jobs(site) == (1, 1)
    with site.app_context():
        (job,) = unlink_jobs.waiting()
        assert (job.subject, job.last_error) == ("1", "ValueError")
