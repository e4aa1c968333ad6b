"""Deleting one's account: gone here at once and whole, gone at Kakao as soon as Kakao hears it."""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import text
from support import KAPI, FakeKakao, csrf_token, is_logged_in, log_in, person, readable_tables, run_jobs, set_cookie
from support.concurrency import at_once

from kakaoauth import jobs as kakaoauth_jobs
from kakaoauth.accounts import leaving, roles, unlink_jobs
from kakaoauth.accounts.unlink_jobs import UnlinkJob
from kakaoauth.models import Identity, User
from kakaoauth.storage.database import db
from kakaoauth.tokens import revocation as token_revocation
from kakaoauth.tokens.provider_tokens import ProviderToken

ADMIN_KEY = "canary0admin0key0canary0admin0ke"
MINJI = 3902187744
AWAY: dict[str, dict[str, Any]] = {
    "refused connection": {"exc": requests.exceptions.ConnectionError},
    "time-out": {"exc": requests.exceptions.ReadTimeout},
    "500": {"status_code": 500, "text": ""},
    "maintenance in HTML": {"status_code": 200, "text": "<html>", "headers": {"Content-Type": "text/html"}},
    "-9798": {"status_code": 503, "json": {"msg": "maintenance", "code": -9798}},
    "-7": {"status_code": 400, "json": {"msg": "maintenance", "code": -7}},
    "-10": {"status_code": 429, "json": {"msg": "API limit has been exceeded.", "code": -10}},
    "redirect": {"status_code": 302, "headers": {"Location": "https://evil.example/"}},
}
DEAD = {"status_code": 401, "json": {"msg": "this access token does not exist", "code": -401}}
UNLINKED = {"status_code": 400, "json": {"msg": "NotRegisteredUserException", "code": -101}}
KOE322 = {"status_code": 400, "json": {"error": "invalid_grant", "error_code": "KOE322"}}


@pytest.fixture
def site(make_app: Callable[..., Flask], database_url: str) -> Flask:
    """On both databases."""
    return make_app(DATABASE_URL=database_url, KAKAO_ADMIN_KEY=ADMIN_KEY)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(KAKAO_ADMIN_KEY=ADMIN_KEY)


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(datetime.now(UTC)) as clock:
        yield clock


def enter(app: Flask, kakao: FakeKakao, subject: int = MINJI, **account: Any) -> FlaskClient:
    kakao.me = person(subject, **account)
    client = app.test_client()
    assert log_in(client, kakao).status_code == 302
    return client


def withdraw(client: FlaskClient) -> Any:
    token = csrf_token(client, "/users/me/withdraw/")
    return client.post("/users/me/withdraw/", data={"csrf_token": token})


def answers(kakao: FakeKakao, **arguments: Any) -> None:
    """What Kakao says to an unlink from now on."""
    kakao.mock.post(f"{KAPI}/v1/user/unlink", **(arguments or {"json": {"id": MINJI}}))


def unlinks(kakao: FakeKakao) -> list[tuple[str, dict[str, str]]]:
    """Who asked, and with which form."""
    calls = [call for call in kakao.mock.request_history if urlsplit(call.url).path == "/v1/user/unlink"]
    return [
        (call.headers["Authorization"], {name: values[0] for name, values in parse_qs(call.text or "").items()})
        for call in calls
    ]


BY_ADMIN = (f"KakaoAK {ADMIN_KEY}", {"target_id_type": "user_id", "target_id": str(MINJI)})
BY_TOKEN: tuple[str, dict[str, str]] = ("Bearer canary-access-token", {})


def counts(app: Flask) -> tuple[int, int, int]:
    """Users, identities, logins with tokens."""
    with app.app_context():
        users, identities, tokens = (db.session.query(model).count() for model in (User, Identity, ProviderToken))
        return users, identities, tokens


def jobs(app: Flask) -> list[UnlinkJob]:
    with app.app_context():
        found = list(unlink_jobs.waiting())
        db.session.expunge_all()
        return found


def make_superuser(app: Flask, user_id: int) -> None:
    with app.app_context():
        user = db.session.get_one(User, user_id)
        user.is_staff = user.is_superuser = True
        db.session.commit()


# The question


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        (
            "ko",
            (
                "되돌릴 수 없어요",
                "삭제되는 정보",
                "이메일, 닉네임, 이름, 사진, 나이, 성별",
                "모든 기기에서 바로 로그아웃돼요",
                "카카오계정과 이 사이트의 연결",
                "보관되는 정보",
                "카카오계정은 그대로 남아요",
                "예전 회원 번호",
                "비어 있는 새 계정",
            ),
        ),
        (
            "en",
            (
                "cannot be undone",
                "What is gone",
                "e-mail, nickname, name, picture, age, gender",
                "Every session on every device",
                "The link between your Kakao account and this site",
                "What is kept",
                "Your Kakao account itself",
                "your former number here",
                "a new, empty account",
            ),
        ),
    ],
)
def test_page_says_what_is_gone_and_what_is_kept(
    app: Flask, kakao: FakeKakao, lang: str, said: tuple[str, ...]
) -> None:
    client = enter(app, kakao)
    assert 'href="/users/me/withdraw/"' in client.get("/users/me/").text
    page = client.get(f"/users/me/withdraw/?lang={lang}").text
    assert f'<html lang="{lang}">' in page
    places = [page.find(words) for words in said]
    assert -1 not in places
    assert 'method="post" action="/users/me/withdraw/"' in page


def test_asking_changes_nothing(app: Flask, kakao: FakeKakao) -> None:
    client = enter(app, kakao)
    for method in ("GET", "HEAD", "OPTIONS"):
        assert client.open("/users/me/withdraw/", method=method).status_code == 200
    assert counts(app) == (1, 1, 1)
    assert is_logged_in(client)
    assert unlinks(kakao) == []


@pytest.mark.parametrize("form", [{}, {"csrf_token": ""}, {"csrf_token": "forged"}])
def test_form_without_its_token_changes_nothing(app: Flask, kakao: FakeKakao, form: dict[str, str]) -> None:
    client = enter(app, kakao)
    assert client.post("/users/me/withdraw/", data=form).status_code == 400
    assert counts(app) == (1, 1, 1)
    assert is_logged_in(client)


def test_nobody_logged_in_is_sent_to_the_first_page(app: Flask, kakao: FakeKakao) -> None:
    enter(app, kakao)
    for method in ("GET", "POST"):
        answer = app.test_client().open("/users/me/withdraw/", method=method)
        assert (answer.status_code, urlsplit(answer.location).path) == (302, "/")
    assert counts(app) == (1, 1, 1)


# The deed


def test_everything_of_the_person_is_gone_and_nothing_of_others(site: Flask, kakao: FakeKakao, redis: Redis) -> None:
    mine = [enter(site, kakao, profile={"nickname": "민지민지"}) for _ in range(3)]
    other = enter(site, kakao, 5)
    assert counts(site) == (2, 2, 4)
    cookies = [set_cookie(browser) for browser in mine]
    answer = withdraw(mine[1])
    assert (answer.status_code, answer.location) == (302, "/users/me/withdrawn/")
    assert answer.headers["Clear-Site-Data"] == '"cache"'
    assert counts(site) == (1, 1, 1)
    for browser, cookie in zip(mine, cookies, strict=True):
        browser.set_cookie("session", cookie)
        assert not is_logged_in(browser)
    assert is_logged_in(other)
    with site.app_context():
        for name in readable_tables():
            everything = repr(db.session.execute(text(f"SELECT * FROM {name}")).all())
            assert "민지민지" not in everything, name
            assert f"p{MINJI}@" not in everything, name
            assert str(MINJI) not in everything, name


def test_kakao_is_told_with_the_persons_token_and_nothing_waits(site: Flask, kakao: FakeKakao) -> None:
    withdraw(enter(site, kakao))
    assert unlinks(kakao) == [BY_TOKEN]
    assert jobs(site) == []


def test_account_is_closed_before_kakao_is_asked(site: Flask, kakao: FakeKakao) -> None:
    client = enter(site, kakao)
    cookie = set_cookie(client)
    seen: list[Any] = []

    def look(*_: Any) -> dict[str, Any]:
        def ask() -> None:
            seen.append(counts(site))
            browser = site.test_client()
            browser.set_cookie("session", cookie)
            seen.append(is_logged_in(browser))

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(10)
        return {"id": MINJI}

    answers(kakao, json=look)
    withdraw(client)
    assert seen == [(0, 0, 0), False]


def test_newest_logins_token_is_used(app: Flask, kakao: FakeKakao) -> None:
    first = enter(app, kakao)
    kakao.token = {"access_token": "newest"}
    enter(app, kakao)
    withdraw(first)
    assert unlinks(kakao) == [("Bearer newest", {})]


def test_expired_token_is_renewed_for_the_last_call(app: Flask, kakao: FakeKakao, clock: Any) -> None:
    kakao.token = {"expires_in": 60}
    client = enter(app, kakao)
    clock.shift(90)
    kakao.token = {"access_token": "fresh-access"}
    withdraw(client)
    assert unlinks(kakao) == [("Bearer fresh-access", {})]
    assert jobs(app) == []


def test_admin_key_unlinks_where_kakao_does_not_know_the_token(app: Flask, kakao: FakeKakao) -> None:
    client = enter(app, kakao)
    answers(kakao, response_list=[DEAD, {"json": {"id": MINJI}}])
    withdraw(client)
    assert unlinks(kakao) == [BY_TOKEN, BY_ADMIN]
    assert jobs(app) == []


def test_token_that_kakao_does_not_know_is_renewed_once_where_there_is_no_admin_key(
    make_app: Callable[..., Flask], kakao: FakeKakao
) -> None:
    app = make_app()
    client = enter(app, kakao)
    kakao.token = {"access_token": "fresh-access"}
    answers(kakao, response_list=[DEAD, {"json": {"id": MINJI}}])
    withdraw(client)
    assert unlinks(kakao) == [BY_TOKEN, ("Bearer fresh-access", {})]
    assert jobs(app) == []


def test_admin_key_unlinks_where_the_token_cannot_be_renewed(app: Flask, kakao: FakeKakao, clock: Any) -> None:
    kakao.token = {"expires_in": 60}
    client = enter(app, kakao)
    clock.shift(90)
    kakao.fails(token=KOE322)
    withdraw(client)
    assert unlinks(kakao) == [BY_ADMIN]
    assert jobs(app) == []


def test_admin_key_unlinks_where_no_token_is_kept(app: Flask, kakao: FakeKakao) -> None:
    client = enter(app, kakao)
    with app.app_context():
        token_revocation.drop(1)
    withdraw(client)
    assert unlinks(kakao) == [BY_ADMIN]


def test_without_token_and_admin_key_the_account_is_closed_and_the_job_waits(
    make_app: Callable[..., Flask], kakao: FakeKakao
) -> None:
    app = make_app()
    client = enter(app, kakao)
    answers(kakao, **DEAD)
    assert withdraw(client).status_code == 302
    assert counts(app) == (0, 0, 0)
    (job,) = jobs(app)
    assert job.last_error == "MISCONFIGURED"


@pytest.mark.parametrize("by", ["token", "admin key"])
def test_person_who_is_not_linked_any_more_counts_as_unlinked(app: Flask, kakao: FakeKakao, by: str) -> None:
    client = enter(app, kakao)
    answers(kakao, response_list=[UNLINKED] if by == "token" else [DEAD, UNLINKED])
    withdraw(client)
    assert unlinks(kakao) == ([BY_TOKEN] if by == "token" else [BY_TOKEN, BY_ADMIN])
    assert jobs(app) == []


def test_no_token_and_no_admin_key_in_a_page_or_a_log(
    app: Flask, kakao: FakeKakao, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = enter(app, kakao)
    answers(kakao, response_list=[DEAD, AWAY["500"]])
    answer = withdraw(client)
    shown = caplog.text + answer.text + str(answer.headers) + repr(jobs(app)[0].__dict__)
    assert "unlink waits provider=kakao" in caplog.text
    assert not [word for word in ("canary-access", "canary-refresh", ADMIN_KEY) if word in shown]


def test_pressed_twice_at_once_is_one_withdrawal(site: Flask, kakao: FakeKakao) -> None:
    enter(site, kakao)
    ended = at_once(site, *[lambda: leaving.withdraw(1)] * 2)
    assert sorted(map(len, ended)) == [0, 1], ended
    assert len(jobs(site)) == 1
    assert counts(site) == (0, 0, 0)


# Kakao is away


@pytest.mark.parametrize("case", AWAY)
def test_account_is_closed_though_kakao_is_away_and_the_unlink_waits(
    app: Flask, kakao: FakeKakao, clock: Any, case: str
) -> None:
    client = enter(app, kakao)
    cookie = set_cookie(client)
    answers(kakao, **AWAY[case])
    answer = withdraw(client)
    assert (answer.status_code, answer.location) == (302, "/users/me/withdrawn/")
    assert counts(app) == (0, 0, 0)
    client.set_cookie("session", cookie)
    assert not is_logged_in(client)
    (job,) = jobs(app)
    assert (job.provider, job.subject, job.tries) == ("kakao", str(MINJI), 1)
    assert run_jobs(app) == (0, 0), "not at once again"
    answers(kakao)
    clock.shift(61)
    assert run_jobs(app) == (1, 0)
    assert unlinks(kakao)[-1] == BY_TOKEN
    assert jobs(app) == []
    assert run_jobs(app) == (0, 0)


def test_waiting_tokens_are_encrypted(site: Flask, kakao: FakeKakao) -> None:
    client = enter(site, kakao)
    answers(kakao, **AWAY["500"])
    withdraw(client)
    with site.app_context():
        kept = repr(db.session.execute(text("SELECT * FROM unlink_jobs")).all())
    assert "gAAAA" in kept
    assert "canary" not in kept


def test_staff_sees_what_waits_and_no_token(app: Flask, kakao: FakeKakao) -> None:
    staff = enter(app, kakao, 7)
    make_superuser(app, 1)
    assert "Pending disconnects" not in staff.get("/users/?lang=en").text
    client = enter(app, kakao)
    answers(kakao, **AWAY["-9798"])
    withdraw(client)
    (job,) = jobs(app)
    for lang, words in {
        "en": ("Pending disconnects", "tries: 1"),
        "ko": ("연결 끊기 대기 중", "1번 시도"),
    }.items():
        page = staff.get(f"/users/?lang={lang}").text
        for said in (*words, f"<code>{MINJI}</code>", "PROVIDER_UNAVAILABLE -9798"):
            assert said in page
        assert "canary" not in page
        assert job.access_token is not None
        assert job.access_token not in page


def test_retry_command_finishes_when_kakao_is_back(site: Flask, kakao: FakeKakao, clock: Any) -> None:
    clients = [enter(site, kakao), enter(site, kakao, 5)]
    answers(kakao, **AWAY["500"])
    for client in clients:
        withdraw(client)
    clock.shift(61)
    runner = site.test_cli_runner()
    result = runner.invoke(args=["kakao", "retry"])
    assert (result.exit_code, result.output) == (0, "0 done, 2 could not be done yet.\n")
    answers(kakao)
    clock.shift(121)
    result = runner.invoke(args=["kakao", "retry"])
    assert (result.exit_code, result.output) == (0, "2 done, 0 could not be done yet.\n")
    assert jobs(site) == []


def test_one_that_cannot_be_done_does_not_hold_up_the_rest(app: Flask, kakao: FakeKakao, clock: Any) -> None:
    clients = [enter(app, kakao), enter(app, kakao, 5)]
    answers(kakao, **AWAY["500"])
    for client in clients:
        withdraw(client)
    clock.shift(61)
    blocked = {"status_code": 403, "json": {"msg": "blocked", "code": -4}}
    answers(kakao, response_list=[blocked, {"json": {"id": 5}}])
    assert run_jobs(app) == (1, 1)
    (job,) = jobs(app)
    assert (job.subject, job.last_error) == (str(MINJI), "ACCOUNT_UNUSABLE -4")


def test_waiting_time_grows_and_is_capped(site: Flask, kakao: FakeKakao, clock: Any) -> None:
    client = enter(site, kakao)
    answers(kakao, **AWAY["500"])
    withdraw(client)
    waits = []
    for tries in range(1, 15):
        (job,) = jobs(site)
        assert job.tries == tries
        left = (job.next_try_at - datetime.now(UTC)).total_seconds()
        waits.append(round(left / 60))
        clock.shift(left + 1)
        assert run_jobs(site) == (0, 1)
    assert waits == [1, 2, 4, 8, 16, 32, *[60] * 8]


def test_very_many_tries_overflow_nothing(app: Flask) -> None:
    with app.app_context():
        job = UnlinkJob(provider="kakao", subject="1", tries=10**6)
        unlink_jobs.put_off(job, "x" * 500)
    assert job.next_try_at <= datetime.now(UTC) + timedelta(seconds=unlink_jobs.LONGEST_WAIT)
    assert job.last_error == "x" * 100


def test_two_workers_never_take_one_job(site: Flask, kakao: FakeKakao, clock: Any) -> None:
    client = enter(site, kakao)
    answers(kakao, **AWAY["500"])
    withdraw(client)
    answers(kakao)
    for _ in range(5):
        with site.app_context():
            db.session.execute(db.update(UnlinkJob).values(next_try_at=datetime.now(UTC)))
            db.session.commit()
        taken = at_once(site, *[lambda: leaving._take(1)] * 4)
        assert sorted(job is not None for job in taken) == [False, False, False, True], taken


def test_workers_at_once_tell_kakao_once(site: Flask, kakao: FakeKakao, clock: Any) -> None:
    client = enter(site, kakao)
    answers(kakao, **AWAY["500"])
    withdraw(client)
    before = len(unlinks(kakao))
    answers(kakao)
    clock.shift(61)
    ended = at_once(site, *[lambda: kakaoauth_jobs.run_once()] * 4)
    assert sum(done for done, _ in ended) == 1, ended
    assert len(unlinks(kakao)) == before + 1
    assert jobs(site) == []


def test_worker_that_died_loses_its_job(site: Flask, kakao: FakeKakao, clock: Any) -> None:
    client = enter(site, kakao)
    answers(kakao, **AWAY["500"])
    withdraw(client)
    clock.shift(61)
    with site.app_context():
        assert leaving._take(1) is not None  # and dies
    answers(kakao)
    clock.shift(unlink_jobs.HOLD - 5)
    assert run_jobs(site) == (0, 0)
    clock.shift(6)
    assert run_jobs(site) == (1, 0)


def test_job_of_a_provider_that_is_not_offered_any_more_waits(
    app: Flask, kakao: FakeKakao, caplog: pytest.LogCaptureFixture
) -> None:
    with app.app_context():
        db.session.add(UnlinkJob(provider="facebook", subject="1"))
        db.session.commit()
    assert run_jobs(app) == (0, 1)
    assert jobs(app)[0].tries == 1


# The running site


def until(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not true():
        assert time.monotonic() < ends, "it never became true"
        threading.Event().wait(0.02)


def retry_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "retries"]


def test_running_site_retries_by_itself_and_ends_by_its_event(
    app: Flask, kakao: FakeKakao, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    monkeypatch.setattr(kakaoauth_jobs, "PAUSE", 0.02)
    client = enter(app, kakao)
    answers(kakao, **AWAY["500"])
    withdraw(client)
    answers(kakao)
    clock.shift(61)
    ended = kakaoauth_jobs.start(app)
    (thread,) = retry_threads()
    assert thread.daemon
    try:
        until(lambda: jobs(app) == [])
    finally:
        ended.set()
        thread.join(10)
    assert retry_threads() == []


def test_running_site_goes_on_after_a_failure_and_tells_no_details(
    app: Flask, kakao: FakeKakao, monkeypatch: pytest.MonkeyPatch, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kakaoauth_jobs, "PAUSE", 0.02)
    client = enter(app, kakao)
    answers(kakao, **AWAY["500"])
    withdraw(client)
    answers(kakao)
    clock.shift(61)
    with app.app_context():
        db.session.execute(text("ALTER TABLE unlink_jobs RENAME TO away"))
        db.session.commit()
    ended = kakaoauth_jobs.start(app)
    (thread,) = retry_threads()
    try:
        until(lambda: "retries put off: OperationalError" in caplog.text)
        with app.app_context():
            db.session.execute(text("ALTER TABLE away RENAME TO unlink_jobs"))
            db.session.commit()
        until(lambda: jobs(app) == [])
    finally:
        ended.set()
        thread.join(10)
    assert "SELECT" not in caplog.text


# Superusers


def test_last_superuser_stays_and_is_told_why(site: Flask, kakao: FakeKakao) -> None:
    client = enter(site, kakao)
    make_superuser(site, 1)
    answer = withdraw(client)
    assert answer.status_code == 409
    assert 'data-code="LAST_SUPERUSER"' in answer.text
    assert counts(site) == (1, 1, 1)
    assert is_logged_in(client)
    assert unlinks(kakao) == []
    assert jobs(site) == []


def test_suspended_superuser_is_no_second_one(app: Flask, kakao: FakeKakao) -> None:
    client = enter(app, kakao)
    make_superuser(app, 1)
    with app.app_context():
        User.objects.create_superuser("old@example.kr", is_active=False)
        db.session.commit()
    assert withdraw(client).status_code == 409


def test_superuser_may_leave_another_one_behind(site: Flask, kakao: FakeKakao) -> None:
    client = enter(site, kakao)
    make_superuser(site, 1)
    with site.app_context():
        roles.create_superuser("duri@example.kr")
    assert withdraw(client).status_code == 302
    with site.app_context():
        assert [user.email for user in db.session.scalars(db.select(User))] == ["duri@example.kr"]


def test_two_superusers_who_leave_at_once_leave_one(site: Flask) -> None:
    for _ in range(5):
        with site.app_context():
            db.session.execute(db.delete(User))
            db.session.commit()
            numbers = [roles.create_superuser(f"{name}@example.kr").id for name in ("hana", "duri")]
        ended = at_once(site, *(lambda number=number: leaving.withdraw(number) for number in numbers))
        assert sorted(type(end).__name__ for end in ended) == ["LastSuperuser", "list"], ended
        with site.app_context():
            assert db.session.query(User).filter_by(is_superuser=True).count() == 1


# Coming back


def test_same_person_comes_back_as_somebody_new(site: Flask, kakao: FakeKakao) -> None:
    client = enter(site, kakao, profile={"nickname": "옛이름"})
    make_superuser(site, 1)
    with site.app_context():
        roles.create_superuser("duri@example.kr")
        before = db.session.get_one(User, 1).date_joined
    old_cookie = set_cookie(client)
    withdraw(client)
    back = enter(site, kakao, profile=None)
    with site.app_context():
        user = db.session.scalars(db.select(User).order_by(User.id.desc())).first()
        assert user is not None
        assert user.id not in (1, 2)
        assert (user.is_staff, user.is_superuser, user.nickname) == (False, False, None)
        assert user.date_joined > before
    assert "옛이름" not in back.get("/users/me/").text
    assert back.get("/users/").status_code == 403
    old = site.test_client()
    old.set_cookie("session", old_cookie)
    assert not is_logged_in(old)


def test_number_of_the_last_account_is_not_given_again(site: Flask, kakao: FakeKakao) -> None:
    thief = enter(site, kakao)
    cookie = set_cookie(thief)
    withdraw(thief)
    enter(site, kakao, 5)
    thief.set_cookie("session", cookie)
    assert not is_logged_in(thief)


def test_late_unlink_does_not_cut_off_who_has_come_back(site: Flask, kakao: FakeKakao, clock: Any) -> None:
    client = enter(site, kakao)
    answers(kakao, **AWAY["500"])
    withdraw(client)
    before = unlinks(kakao)
    answers(kakao)
    enter(site, kakao)
    clock.shift(61)
    run_jobs(site)
    assert unlinks(kakao) == before
    assert jobs(site) == []
    assert counts(site) == (1, 1, 1)


def test_only_the_former_number_is_in_the_log(app: Flask, kakao: FakeKakao, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client = enter(app, kakao, profile={"nickname": "민지민지"})
    withdraw(client)
    assert re.search(r"withdrawn user=1\b", caplog.text)
    assert not [word for word in ("민지민지", str(MINJI), "@example") if word in caplog.text]


def test_login_under_way_during_the_withdrawal_makes_a_new_account(site: Flask, kakao: FakeKakao) -> None:
    client = enter(site, kakao)

    def meanwhile(*_: Any) -> dict[str, Any]:
        def leave() -> None:
            with site.app_context():
                left.append(leaving.withdraw(1))

        left: list[list[int]] = []
        thread = threading.Thread(target=leave)
        thread.start()
        thread.join(10)
        assert left
        return kakao._token(None, None)

    kakao.fails(token={"json": meanwhile})
    other = site.test_client()
    assert log_in(other, kakao).status_code == 302
    assert is_logged_in(other)
    assert not is_logged_in(client)
    with site.app_context():
        assert [user.id for user in db.session.scalars(db.select(User))] == [2]


def test_retry_says_in_a_line_that_the_database_is_away(make_app: Any, tmp_path: Any) -> None:
    app = make_app()
    with app.app_context():
        db.session.execute(db.text("DROP TABLE unlink_jobs"))
        db.session.commit()
    done = app.test_cli_runner().invoke(args=["kakao", "retry"])
    assert done.exit_code == 1
    assert "nothing is lost" in done.output
    assert "Traceback" not in done.output
