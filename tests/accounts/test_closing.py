"""Leaving with a grace: closed at once, restorable for a while, erased in time; and not signing up again too soon."""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from support import (
    FakeKakao,
    api_client,
    csrf_token,
    is_logged_in,
    log_in,
    person,
    problem,
    run_jobs,
    set_cookie,
    tokens_of,
)
from support.terms import TERMS

from kakaoauth import Refused, signals
from kakaoauth.accounts import leaving, passwords, roles, suspensions
from kakaoauth.accounts.suspensions import Suspension
from kakaoauth.accounts.unlink_jobs import UnlinkJob
from kakaoauth.audit import AuditEvent
from kakaoauth.cli.doctor.findings import Report
from kakaoauth.cli.doctor.machine import _check_content
from kakaoauth.models import Identity, User
from kakaoauth.monitoring import backlog
from kakaoauth.providers.values import AccountEvent
from kakaoauth.storage.database import db
from kakaoauth.tokens.provider_tokens import ProviderToken
from kakaoauth.webhooks import effects

MINJI = 3902187744
GRACE = {"KAKAOAUTH_LEAVE_GRACE_DAYS": 14}
INFO = "https://kapi.kakao.com/v1/user/access_token_info"
APP_ID = 654321
API_LOGIN = {"access_token": "canary-access-token"}
DAY = timedelta(days=1)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(KAKAO_APP_ID=APP_ID, KAKAO_ADMIN_KEY="canary-admin", **GRACE)


@pytest.fixture
def site(make_app: Callable[..., Flask], database_url: str) -> Flask:
    """On both databases."""
    return make_app(DATABASE_URL=database_url, KAKAO_ADMIN_KEY="canary-admin", KAKAOAUTH_REJOIN_BLOCK_DAYS=30, **GRACE)


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(datetime.now(UTC)) as clock:
        yield clock


@pytest.fixture
def kakao(kakao: FakeKakao) -> FakeKakao:
    kakao.mock.get(INFO, json=lambda *_: {"id": kakao.me["id"], "expires_in": 20874, "app_id": APP_ID})
    return kakao


def enter(app: Flask, kakao: FakeKakao, subject: int = MINJI, **account: Any) -> FlaskClient:
    kakao.me = person(subject, **account)
    client = app.test_client()
    assert log_in(client, kakao).location == "/"
    return client


def withdraw(client: FlaskClient) -> Any:
    token = csrf_token(client, "/users/me/withdraw/")
    return client.post("/users/me/withdraw/", data={"csrf_token": token})


def decide(client: FlaskClient, choice: str) -> Any:
    token = csrf_token(client, "/users/me/restore/")
    return client.post("/users/me/restore/", data={"csrf_token": token, "choice": choice})


def unlink_calls(kakao: FakeKakao) -> int:
    return kakao.calls.count("POST /v1/user/unlink")


def minji(app: Flask) -> User | None:
    with app.app_context():
        return db.session.scalar(db.select(User).where(User.email == f"p{MINJI}@example.kr"))


def actions(app: Flask) -> list[tuple[str, str]]:
    with app.app_context():
        return [(one.action, one.result) for one in db.session.scalars(db.select(AuditEvent).order_by(AuditEvent.id))]


def unlinked_at_kakao(app: Flask, clock: Any, subject: int = MINJI) -> None:
    clock.shift(timedelta(seconds=5))
    moment = datetime.now(UTC)
    clock.shift(timedelta(seconds=5))
    with app.app_context():
        effects.apply_event("kakao", AccountEvent(f"jti-{subject}", "user-unlinked", str(subject), moment))


# Closed


def test_a_withdrawn_account_is_closed_at_once_and_erased_in_time(app: Flask, kakao: FakeKakao, clock: Any) -> None:
    client, other = enter(app, kakao), enter(app, kakao)
    token = tokens_of(app, 1).access_token
    assert withdraw(client).location == "/users/me/withdrawn/"
    assert not is_logged_in(client)
    assert not is_logged_in(other)
    problem(api_client(app, token).get("/api/users/me/"), 401, "INVALID_ACCESS_TOKEN")
    assert unlink_calls(kakao) == 0  # at Kakao's side nothing has ended, so no message can come of it
    clock.shift(13 * DAY)
    run_jobs(app)
    assert minji(app)
    clock.shift(1.01 * DAY)
    run_jobs(app)
    run_jobs(app)
    assert minji(app) is None
    assert unlink_calls(kakao) == 1
    with app.app_context():
        for table in (Identity, ProviderToken, UnlinkJob, Suspension):
            assert db.session.scalar(db.select(db.func.count()).select_from(table)) == 0, table
    assert actions(app)[-2:] == [("withdrawn", "done"), ("erased", "done")]


def test_the_address_stays_taken(app: Flask, kakao: FakeKakao) -> None:
    withdraw(enter(app, kakao))
    kakao.me = person(7, email=f"p{MINJI}@example.kr")
    answer = log_in(app.test_client(), kakao)
    assert (answer.status_code, "EMAIL_IN_USE" in answer.text) == (409, True)


def test_without_a_grace_the_account_is_erased_and_kakao_told(make_app: Callable[..., Flask], kakao: FakeKakao) -> None:
    app = make_app(KAKAO_ADMIN_KEY="canary-admin")
    client = enter(app, kakao)
    assert withdraw(client).location == "/users/me/withdrawn/"
    assert minji(app) is None
    assert unlink_calls(kakao) == 1
    page = client.get("/users/me/withdrawn/").text
    assert "탈퇴가 끝났어요" in page
    assert "직접 해제해 주세요" in page
    assert "되살릴" not in page


def test_the_page_before_it_promises_no_empty_account_while_it_can_be_restored(app: Flask, kakao: FakeKakao) -> None:
    client = enter(app, kakao)
    for language, words in (("ko", "완전히 삭제된 뒤에 로그인하면"), ("en", "If you log in after that")):
        page = client.get(f"/users/me/withdraw/?lang={language}").text
        assert words in page
        assert "나중에 다시 로그인하면" not in page
        assert "If you log in again later" not in page


def test_the_page_after_it_says_until_when_and_names_nobody(app: Flask, kakao: FakeKakao) -> None:
    client = enter(app, kakao)
    answer = withdraw(client)
    assert answer.headers["Clear-Site-Data"] == '"cache"'
    for language, words in (("ko", "되살릴 수 있어요"), ("en", "you can restore it")):
        page = client.get(f"/users/me/withdrawn/?lang={language}")
        assert (page.status_code, words in page.text) == (200, True)
        assert page.headers["Cache-Control"] == "no-store"
        assert "민지" not in page.text
        assert "example.kr" not in page.text
    stranger = app.test_client().get("/users/me/withdrawn/")
    assert (stranger.status_code, "탈퇴했어요" in stranger.text) == (200, False)


def test_the_last_superuser_cannot_close(app: Flask, kakao: FakeKakao) -> None:
    client = enter(app, kakao)
    with app.app_context():
        roles.promote(db.session.get_one(User, 1), superuser=True)
    client = enter(app, kakao)
    assert withdraw(client).status_code == 409
    assert is_logged_in(client)


def test_a_closed_account_gives_out_no_data_without_being_restored(app: Flask, kakao: FakeKakao) -> None:
    client = enter(app, kakao)
    token, form = tokens_of(app, 1).access_token, {"csrf_token": csrf_token(client)}
    withdraw(client)
    assert client.post("/users/me/data/", data=form).status_code in (302, 400)
    problem(api_client(app, token).get("/api/users/me/data/"), 401, "INVALID_ACCESS_TOKEN")
    offered = app.test_client()
    assert log_in(offered, kakao).location == "/users/me/restore/"
    form = {"csrf_token": csrf_token(offered, "/users/me/restore/")}
    assert offered.post("/users/me/data/", data=form).location == "/"
    assert ("own data exported", "done") not in actions(app)


# Restored


def test_a_login_opens_nothing_and_leads_to_the_choice(app: Flask, kakao: FakeKakao) -> None:
    withdraw(enter(app, kakao))
    client = app.test_client()
    client.get("/kakao/login/")
    planted = set_cookie(client)
    assert log_in(client, kakao, next="/users/me/").location == "/users/me/restore/"
    assert not is_logged_in(client)
    page = client.get("/users/me/restore/")
    assert (page.status_code, "민지" in page.text) == (200, False)
    assert set_cookie(client) != planted
    assert client.post("/users/me/restore/", data={"choice": "restore"}).status_code == 400
    assert not is_logged_in(client)
    assert ("login", "refused") in actions(app)


def test_restoring_brings_back_everything_and_logs_in(site: Flask, kakao: FakeKakao, clock: Any) -> None:
    withdraw(enter(site, kakao))
    client = site.test_client()
    log_in(client, kakao, next="/users/me/")
    assert decide(client, "restore").location == "/users/me/"
    assert is_logged_in(client)
    user = minji(site)
    assert user
    assert (user.id, user.is_active, user.nickname, user.closed_at, user.erase_at) == (1, True, "민지", None, None)
    clock.shift(20 * DAY)
    run_jobs(site)
    assert minji(site)
    assert unlink_calls(kakao) == 0
    assert actions(site)[-2:] == [("restored", "done"), ("login", "done")]


def test_leaving_it_closed_changes_nothing_and_ends_the_offer(app: Flask, kakao: FakeKakao) -> None:
    withdraw(enter(app, kakao))
    client = app.test_client()
    log_in(client, kakao)
    assert decide(client, "leave").location == "/users/me/withdrawn/"
    assert client.get("/users/me/restore/").location == "/"
    user = minji(app)
    assert user
    assert user.erase_at


@pytest.mark.parametrize("how", ["late", "restored elsewhere", "closed again", "suspended"])
def test_an_old_offer_restores_nothing(app: Flask, kakao: FakeKakao, clock: Any, how: str) -> None:
    withdraw(enter(app, kakao))
    client = app.test_client()
    log_in(client, kakao)
    token = csrf_token(client, "/users/me/restore/")
    if how == "late":
        clock.shift(timedelta(seconds=601))
    elif how == "suspended":
        with app.app_context():
            roles.change_user(1, is_active=False)
    else:
        again = app.test_client()
        log_in(again, kakao)
        decide(again, "restore")
        if how == "closed again":
            clock.shift(timedelta(seconds=5))
            withdraw(again)
    assert client.post("/users/me/restore/", data={"csrf_token": token, "choice": "restore"}).location == "/"
    assert not is_logged_in(client)


def test_a_front_end_logs_in_again_after_it(make_app: Callable[..., Flask], kakao: FakeKakao) -> None:
    app = make_app(KAKAOAUTH_FRONTEND_ORIGINS="https://front.example", **GRACE)
    withdraw(enter(app, kakao))
    client = app.test_client()
    assert log_in(client, kakao, mode="jwt", next="https://front.example/in").location == "/users/me/restore/"
    page = decide(client, "restore")
    assert "/kakao/login/?next=https://front.example/in&amp;mode=jwt" in page.text
    assert log_in(client, kakao, mode="jwt", next="https://front.example/in").location == "https://front.example/in"


def test_a_password_proves_it_as_well(app: Flask, kakao: FakeKakao) -> None:
    with app.app_context():
        roles.create_superuser("first@example.kr", "a long password of hers")
        roles.create_superuser("second@example.kr", "a long password of hers")
        leaving.withdraw(1)
    client = app.test_client()
    form = {"email": "first@example.kr", "password": "a long password of hers"}
    answer = client.post("/login/", data={**form, "csrf_token": csrf_token(client, "/login/")})
    assert answer.location == "/users/me/restore/"
    assert decide(client, "restore").location == "/"
    assert is_logged_in(client)


def test_an_app_is_told_and_can_restore(app: Flask, kakao: FakeKakao) -> None:
    withdraw(enter(app, kakao))
    client = app.test_client()
    told = problem(client.post("/api/auth/kakao/", json=API_LOGIN), 403, "ACCOUNT_CLOSING")
    assert datetime.fromisoformat(told["erase_at"]) > datetime.now(UTC) + 13 * DAY
    problem(client.post("/api/auth/kakao/", json={**API_LOGIN, "restore": False}), 403, "ACCOUNT_CLOSING")
    answer = client.post("/api/auth/kakao/", json={**API_LOGIN, "restore": True})
    assert (answer.status_code, answer.json["user"]["id"]) == (200, 1)
    assert api_client(app, answer.json["access_token"]).get("/api/users/me/").status_code == 200


def test_an_app_closes_by_the_api(app: Flask, kakao: FakeKakao) -> None:
    client = enter(app, kakao)
    assert api_client(app, tokens_of(app, 1).access_token).delete("/api/users/me/").status_code == 204
    assert not is_logged_in(client)
    assert log_in(app.test_client(), kakao).location == "/users/me/restore/"


# Erased before its time, or not


def test_an_unlink_at_kakao_erases_at_once(app: Flask, kakao: FakeKakao, clock: Any) -> None:
    withdraw(enter(app, kakao))
    unlinked_at_kakao(app, clock)
    assert minji(app) is None
    with app.app_context():
        assert suspensions.number() == 0  # closed is not suspended


def test_an_unlink_of_one_of_two_erases_a_closed_account(app: Flask, kakao: FakeKakao, clock: Any) -> None:
    client = enter(app, kakao)
    with app.app_context():
        db.session.add(Identity(provider="facebook", subject="77", user=db.session.get(User, 1)))
        db.session.commit()
    withdraw(client)
    unlinked_at_kakao(app, clock)
    assert minji(app) is None
    with app.app_context():
        assert [job.subject for job in db.session.scalars(db.select(UnlinkJob))] == ["77"]


def test_one_that_cannot_be_erased_keeps_no_other(app: Flask, kakao: FakeKakao, clock: Any) -> None:
    left = []

    def fails(user: User) -> None:
        left.append(user.id)
        if datetime.now(UTC) > begun + DAY and user.id == 1:
            raise Refused("no")

    app.extensions["kakaoauth"].before_leave(fails)
    begun = datetime.now(UTC)
    withdraw(enter(app, kakao))
    withdraw(enter(app, kakao, 5))
    clock.shift(15 * DAY)
    run_jobs(app)
    assert left == [1, 2, 1, 2]
    with app.app_context():
        assert db.session.scalar(db.select(db.func.count(User.id))) == 0  # by then nobody may refuse


def fails_in_the_database(app: Flask, *user_ids: int) -> Any:
    """Erasing these fails, for a reason that may pass: nothing of the host's, and no emptied row either."""

    def fail(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        if statement.startswith("DELETE FROM users") and set(dict_values(parameters)) & set(user_ids):
            raise sqlite3.InterfaceError("out of order")

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", fail)


def dict_values(parameters: Any) -> list[Any]:
    return list(parameters.values()) if isinstance(parameters, dict) else list(parameters)


def test_a_hundred_that_cannot_be_erased_keep_no_other(app: Flask, kakao: FakeKakao, clock: Any) -> None:
    with app.app_context():
        moment = datetime.now(UTC)
        closed = {"is_active": False, "closed_at": moment, "erase_at": moment + DAY}
        for number in range(104):
            db.session.add(User(email=f"p{number}@example.kr", email_key=f"p{number}@example.kr", **closed))
        db.session.commit()
    fails_in_the_database(app, *range(1, 103))
    clock.shift(1.01 * DAY)
    run_jobs(app)
    with app.app_context():
        left = set(db.session.scalars(db.select(User.id)))
        assert left == set(range(1, 103))
        assert backlog.read().erasings_overdue == 0
    clock.shift(DAY)
    shown = app.test_client().get("/metrics").text
    assert "kakaoauth_erasings_overdue 102.0" in shown
    report = Report()
    with app.test_request_context("/?lang=en"):
        _check_content(report)
    (found,) = [one for one in report.findings() if one.id == "machine.backlog"]
    assert (found.status.value, "should be erased by now: 102" in found.detail) == ("warning", True)


def test_hooks_may_refuse_the_closing_and_change_nothing(app: Flask, kakao: FakeKakao) -> None:
    refuses = True

    def ask(user: User) -> None:
        user.nickname = "changed"
        db.session.flush()
        if refuses:
            raise Refused("아직 주문이 있어요")

    app.extensions["kakaoauth"].before_leave(ask)
    client = enter(app, kakao)
    answer = withdraw(client)
    assert (answer.status_code, "아직 주문이 있어요" in answer.text) == (403, True)
    assert is_logged_in(client)
    refuses = False
    withdraw(client)
    user = minji(app)
    assert user
    assert (user.nickname, bool(user.closed_at)) == ("민지", True)


def test_hosts_are_told(app: Flask, kakao: FakeKakao, clock: Any) -> None:
    told: list[str] = []

    def hear(name: str) -> Callable[..., None]:
        return lambda _app, user_id, **_: told.append(f"{name} {user_id}")

    receivers = [(getattr(signals, name), hear(name)) for name in ("user_closed", "user_restored", "user_left")]
    for signal, receiver in receivers:
        signal.connect(receiver, app)
    withdraw(enter(app, kakao))
    client = app.test_client()
    log_in(client, kakao)
    decide(client, "restore")
    withdraw(client)
    clock.shift(15 * DAY)
    run_jobs(app)
    assert told == ["user_closed 1", "user_restored 1", "user_closed 1", "user_left 1"]


# Staff and commands


def test_superusers_see_restore_suspend_and_erase(app: Flask, kakao: FakeKakao, clock: Any) -> None:
    withdraw(enter(app, kakao))
    with app.app_context():
        roles.create_superuser("hana@example.kr", "a long password of hers")
    client = app.test_client()
    form = {"email": "hana@example.kr", "password": "a long password of hers"}
    client.post("/login/", data={**form, "csrf_token": csrf_token(client, "/login/")})
    page = client.get("/users/1/?lang=en").text
    assert "They closed their account on" in page
    assert "/users/1/restore/" in page
    assert "/users/1/reactivate/" not in page
    assert "/users/1/" in client.get("/users/?state=closed").text
    assert "/users/1/" not in client.get("/users/?state=suspended").text

    def act(action: str, **form: str) -> None:
        token = csrf_token(client, f"/users/1/{action}/")
        answer = client.post(f"/users/1/{action}/", data={"csrf_token": token, "reason": "asked", **form})
        assert answer.status_code == 302, answer.text

    act("restore")
    user = minji(app)
    assert user
    assert (user.is_active, user.closed_at, user.erase_at) == (True, None, None)
    withdraw(enter(app, kakao))
    act("suspend")
    assert log_in(app.test_client(), kakao).status_code == 403
    clock.shift(15 * DAY)
    run_jobs(app)
    assert minji(app) is None
    assert log_in(app.test_client(), kakao).status_code == 403  # a suspension outlives the account


def closed_and_suspended(app: Flask, kakao: FakeKakao, days: int) -> None:
    withdraw(enter(app, kakao))
    with app.app_context():
        roles.change_user(1, is_active=False, suspended_until=datetime.now(UTC) + days * DAY)


@pytest.mark.parametrize("way", ["page", "app"])
def test_after_a_suspension_it_is_closed_again_and_restorable(
    site: Flask, make_app: Callable[..., Flask], kakao: FakeKakao, clock: Any, way: str
) -> None:
    app = make_app(DATABASE_URL=site.config["DATABASE_URL"], KAKAO_APP_ID=APP_ID, **GRACE)
    closed_and_suspended(app, kakao, 3)
    assert log_in(app.test_client(), kakao).status_code == 403
    clock.shift(3.01 * DAY)
    client = app.test_client()
    if way == "app":
        problem(client.post("/api/auth/kakao/", json=API_LOGIN), 403, "ACCOUNT_CLOSING")
        assert client.post("/api/auth/kakao/", json={**API_LOGIN, "restore": True}).status_code == 200
    else:
        assert log_in(client, kakao).location == "/users/me/restore/"
        assert not is_logged_in(client)
        user = minji(app)
        assert user
        assert (user.is_active, bool(user.closed_at), bool(user.erase_at)) == (False, True, True)
        assert decide(client, "restore").location == "/"
        assert is_logged_in(client)
    clock.shift(15 * DAY)
    run_jobs(app)
    assert minji(app)


def test_after_a_suspension_it_is_erased_in_time_whoever_comes(site: Flask, kakao: FakeKakao, clock: Any) -> None:
    closed_and_suspended(site, kakao, 3)
    clock.shift(4 * DAY)
    log_in(site.test_client(), kakao)
    clock.shift(11 * DAY)
    run_jobs(site)
    assert minji(site) is None
    assert "REJOIN_BLOCKED" in log_in(site.test_client(), kakao).text


def test_a_suspension_that_was_over_keeps_nobody_out_for_good(site: Flask, kakao: FakeKakao, clock: Any) -> None:
    closed_and_suspended(site, kakao, 3)
    clock.shift(15 * DAY)
    run_jobs(site)
    assert minji(site) is None
    assert "REJOIN_BLOCKED" in log_in(site.test_client(), kakao).text  # as who has left, not as who was suspended
    clock.shift(31 * DAY)
    assert log_in(site.test_client(), kakao).location == "/"


def test_a_reinstated_account_is_not_erased(app: Flask, kakao: FakeKakao, clock: Any) -> None:
    withdraw(enter(app, kakao))
    with app.app_context():
        roles.change_user(1, is_active=False)
        roles.change_user(1, is_active=True)
    clock.shift(15 * DAY)
    run_jobs(app)
    assert minji(app)


def test_commands_show_restore_and_erase(app: Flask, kakao: FakeKakao) -> None:
    runner = app.test_cli_runner()
    withdraw(enter(app, kakao))
    assert "\tclosed\n" in runner.invoke(args=["users", "list"]).output
    assert runner.invoke(args=["users", "restore", "1"]).exit_code == 0
    assert runner.invoke(args=["users", "erase", "1"]).exit_code == 1  # only a closed one
    withdraw(enter(app, kakao))
    assert runner.invoke(args=["users", "erase", "1"]).exit_code == 0
    assert minji(app) is None
    assert unlink_calls(kakao) == 1


# Signing up again


def test_who_has_left_signs_up_again_later(make_app: Callable[..., Flask], kakao: FakeKakao, clock: Any) -> None:
    app = make_app(KAKAO_APP_ID=APP_ID, KAKAOAUTH_REJOIN_BLOCK_DAYS=30)
    client = enter(app, kakao)
    withdraw(client)
    assert "다시 가입할 수 있어요" in client.get("/users/me/withdrawn/").text
    answer = log_in(app.test_client(), kakao)
    day = datetime.now(UTC) + 30 * DAY + timedelta(hours=9)
    until = f"{day.year}. {day.month}. {day.day}. ".replace(" ", "\N{NO-BREAK SPACE}")
    assert (answer.status_code, until in answer.text, "REJOIN_BLOCKED" in answer.text) == (403, True, True)
    told = problem(app.test_client().post("/api/auth/kakao/", json=API_LOGIN), 403, "REJOIN_BLOCKED")
    assert datetime.fromisoformat(told["until"]) > datetime.now(UTC) + 29 * DAY
    kakao.me = person(9, email=f"P{MINJI}@example.kr")  # the same address, by another account
    assert log_in(app.test_client(), kakao).status_code == 403
    kakao.me = person(10)
    assert log_in(app.test_client(), kakao).location == "/"
    kakao.me = person(MINJI)
    clock.shift(31 * DAY)
    assert log_in(app.test_client(), kakao).location == "/"


def test_the_block_counts_from_the_withdrawal(site: Flask, kakao: FakeKakao, clock: Any) -> None:
    withdraw(enter(site, kakao))
    clock.shift(15 * DAY)
    run_jobs(site)
    assert "REJOIN_BLOCKED" in log_in(site.test_client(), kakao).text
    clock.shift(15 * DAY)
    assert log_in(site.test_client(), kakao).location == "/"


def test_an_unlink_at_kakao_blocks_and_a_superusers_deletion_does_not(
    make_app: Callable[..., Flask], kakao: FakeKakao, clock: Any
) -> None:
    app = make_app(KAKAOAUTH_REJOIN_BLOCK_DAYS=30)
    enter(app, kakao)
    unlinked_at_kakao(app, clock)
    assert "REJOIN_BLOCKED" in log_in(app.test_client(), kakao).text
    enter(app, kakao, 5)
    with app.app_context():
        hana = roles.create_superuser("hana@example.kr", "a long password of hers")
        leaving.delete_user(2, by=hana.id, reason="asked")
    assert log_in(app.test_client(), kakao).location == "/"


def test_superusers_lift_the_block(make_app: Callable[..., Flask], kakao: FakeKakao) -> None:
    app = make_app(KAKAOAUTH_REJOIN_BLOCK_DAYS=30)
    withdraw(enter(app, kakao))
    with app.app_context():
        (one,) = suspensions.page(None, 10)
        assert one.ends_at
    runner = app.test_cli_runner()
    assert "\tuntil 20" in runner.invoke(args=["users", "suspensions"]).output
    assert runner.invoke(args=["users", "lift-suspension", "1"]).exit_code == 0
    assert log_in(app.test_client(), kakao).location == "/"


def test_a_block_keeps_nobody_from_linking(make_app: Callable[..., Flask], kakao: FakeKakao) -> None:
    app = make_app(KAKAOAUTH_REJOIN_BLOCK_DAYS=30)
    withdraw(enter(app, kakao))
    with app.app_context():
        user = User.objects.create_user("other@example.kr", is_staff=True, is_superuser=True)
        passwords.set_password(user, "a long password of hers")
        db.session.commit()
    client = app.test_client()
    form = {"email": "other@example.kr", "password": "a long password of hers"}
    client.post("/login/", data={**form, "csrf_token": csrf_token(client, "/login/")})
    answer = client.post("/users/me/link/kakao/", data={"csrf_token": csrf_token(client)})
    state = answer.location.split("state=")[1].split("&")[0]
    kakao.nonce = answer.location.split("nonce=")[1].split("&")[0]
    back = client.get("/kakao/login/callback/", query_string={"state": state, "code": "canary-code"})
    assert back.location == "/users/me/"


def test_an_apps_code_restores_when_it_is_sent_again(app: Flask, kakao: FakeKakao) -> None:
    withdraw(enter(app, kakao))
    client = app.test_client()
    code = {"code": "canary-code-2", "redirect_uri": "https://app.example.kr/oauth"}
    problem(client.post("/api/auth/kakao/", json=code), 403, "ACCOUNT_CLOSING")
    asked = kakao.calls.count("POST /oauth/token")
    answer = client.post("/api/auth/kakao/", json={**code, "restore": True})
    assert (answer.status_code, answer.json["user"]["id"]) == (200, 1)
    assert kakao.calls.count("POST /oauth/token") == asked  # Kakao takes a code once


def test_who_may_not_sign_up_again_is_not_asked_for_terms(make_app: Callable[..., Flask], kakao: FakeKakao) -> None:
    withdraw(enter(make_app(KAKAOAUTH_REJOIN_BLOCK_DAYS=30), kakao))
    later = make_app(KAKAOAUTH_REJOIN_BLOCK_DAYS=30, KAKAOAUTH_TERMS=TERMS)
    assert "REJOIN_BLOCKED" in log_in(later.test_client(), kakao).text
