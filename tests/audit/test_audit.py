"""The audit trail: what is written down and what never, how it is read, by whom, and how it ends."""

import html
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, inspect
from support import (
    FakeKakao,
    add_second,
    api_client,
    begin_login,
    come_back,
    csrf_token,
    log_in,
    person,
    tokens_of,
)
from support.devices import CHROME

from kakaoauth import audit, jobs
from kakaoauth.accounts import password_login, roles
from kakaoauth.audit import AuditEvent, Source, search
from kakaoauth.audit.search import Filter
from kakaoauth.config.checks import ConfigError
from kakaoauth.errors import Forbidden
from kakaoauth.models import Identity, User, find_user_by_email
from kakaoauth.staff.audit_log import PAGE
from kakaoauth.storage import cursors
from kakaoauth.storage.columns import now
from kakaoauth.storage.cursors import Cursor, Position
from kakaoauth.storage.database import db

ENGLISH = {"Accept-Language": "en"}
ADMIN_KEY = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
PASSWORD = "correct horse battery staple"
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)

People = dict[str, int]
ClientAs = Callable[[str], FlaskClient]
Written = Callable[[], list[AuditEvent]]


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(KAKAO_ADMIN_KEY=ADMIN_KEY, KAKAO_APP_ID=1)


@pytest.fixture
def written(app: Flask) -> Written:
    """What has been written down since the last time one asked."""
    seen = 0

    def ask() -> list[AuditEvent]:
        nonlocal seen
        with app.app_context():
            found = list(db.session.scalars(db.select(AuditEvent).where(AuditEvent.id > seen).order_by(AuditEvent.id)))
        seen = found[-1].id if found else seen
        return found

    return ask


def only(found: list[AuditEvent]) -> AuditEvent:
    assert len(found) == 1, [(one.action, one.result, one.reason) for one in found]
    return found[0]


def told(one: AuditEvent) -> tuple[Any, ...]:
    return (one.action, one.result, one.target_id, one.actor_id)


def find_identity(app: Flask, user_id: int, provider: str = "kakao") -> int:
    with app.app_context():
        query = db.select(Identity.id).where(Identity.user_id == user_id, Identity.provider == provider)
        return int(db.session.scalars(query).one())


def add_identity(app: Flask, user_id: int, provider: str = "facebook") -> int:
    with app.app_context():
        db.session.add(Identity(provider=provider, subject=f"more-of-{user_id}", user_id=user_id))
        db.session.commit()
    return find_identity(app, user_id, provider)


def press(client: FlaskClient, path: str, **fields: str) -> Any:
    answer = client.post(path, data={"csrf_token": csrf_token(client), **fields})
    assert answer.status_code == 302, answer.text
    return answer


# One row for each


def test_login_and_logouts_are_one_row_each(app: Flask, client_as: ClientAs, people: People, written: Written) -> None:
    minji = people["minji"]
    for path, action in (("/kakao/logout/", "logout"), ("/users/me/logout-everywhere/", "sessions ended")):
        client = client_as("minji")
        login = only(written())
        assert told(login) == ("login", "done", minji, minji)
        assert (login.provider, login.source) == ("kakao", "127.0.0.1")
        press(client, path)
        assert told(only(written())) == (action, "done", minji, minji)


def test_refused_login_is_one_row_with_both_codes(
    app: Flask, client: FlaskClient, kakao: FakeKakao, written: Written
) -> None:
    refusal = {"error": "invalid_client", "error_description": "canary", "error_code": "KOE010"}
    kakao.fails(token={"json": refusal, "status_code": 401})
    assert log_in(client, kakao).status_code == 500
    row = only(written())
    assert told(row) == ("login", "refused", None, None)
    assert (row.provider, row.reason, row.told["provider_code"]) == ("kakao", "MISCONFIGURED", "KOE010")
    assert "canary" not in row.details


def test_login_of_somebody_suspended_is_written_down_as_theirs(
    app: Flask, kakao: FakeKakao, people: People, written: Written
) -> None:
    with app.app_context():
        roles.change_user(people["minji"], is_active=False)
    written()
    kakao.me = person(1000, email="minji@example.kr")
    assert log_in(app.test_client(), kakao).status_code == 403
    row = only(written())
    assert (*told(row), row.reason) == ("login", "refused", people["minji"], None, "ACCOUNT_DISABLED")


def test_password_and_api_logins_are_one_row_each(
    app: Flask, client: FlaskClient, kakao: FakeKakao, people: People, written: Written
) -> None:
    hana = people["hana"]
    with app.app_context():
        password_login.set_password(find_user_by_email("hana@example.kr"), PASSWORD)
    assert told(only(written())) == ("password set", "done", hana, None)
    for body in (
        {"email": "hana@example.kr", "password": "wrong"},
        {"email": "nobody@example.kr", "password": "wrong"},
    ):
        assert client.post("/api/token/", json=body).status_code == 401
        assert written() == [], "anybody may send as many as they like"
    assert client.post("/api/token/", json={"email": "hana@example.kr", "password": PASSWORD}).status_code == 200
    assert told(only(written())) == ("login", "done", hana, hana)
    kakao.mock.get("https://kapi.kakao.com/v1/user/access_token_info", json={"id": 1000, "expires_in": 99, "app_id": 1})
    kakao.me = person(1000, email="minji@example.kr")
    assert client.post("/api/auth/kakao/", json={"access_token": "canary"}).status_code == 200
    assert told(only(written())) == ("login", "done", people["minji"], people["minji"])


def test_ends_of_an_apps_login_are_one_row_each(
    app: Flask, client: FlaskClient, people: People, written: Written
) -> None:
    minji = people["minji"]
    pair = tokens_of(app, minji)
    for _ in range(2):
        client.post("/api/token/revoke/", json={"token": pair.refresh_token})
    assert told(only(written())) == ("token family ended", "done", minji, None)
    pair = tokens_of(app, minji)
    client.post("/api/token/revoke/", json={"token": pair.access_token})
    assert told(only(written())) == ("token family ended", "done", minji, None)
    pair, body = tokens_of(app, minji), {}
    body = {"refresh_token": pair.refresh_token}
    assert client.post("/api/token/refresh/", json=body).status_code == 200
    with time_machine.travel(now() + timedelta(seconds=60), tick=False):
        assert client.post("/api/token/refresh/", json=body).status_code == 401
    assert told(only(written())) == ("refresh token reused", "done", minji, None)
    assert (
        api_client(app, tokens_of(app, minji).access_token).post("/api/users/me/logout-everywhere/").status_code == 204
    )
    assert told(only(written())) == ("sessions ended", "done", minji, minji)


def test_linking_and_unlinking_are_one_row_each(
    app: Flask, client_as: ClientAs, kakao: FakeKakao, people: People, written: Written
) -> None:
    minji, client = people["minji"], client_as("minji")
    with add_second(app).app_context():
        db.session.add(Identity(provider="second", subject="1001", user_id=people["sora"]))
        db.session.commit()
    written()

    def link(subject: int) -> Any:
        state = press(client, "/users/me/link/second/").location.split("state=", 1)[1].split("&", 1)[0]
        kakao.me = person(subject)
        return client.get("/second/login/callback/", query_string={"state": state, "code": "canary-code"})

    assert link(1001).status_code == 409
    row = only(written())
    assert (*told(row), row.reason) == ("linked", "refused", None, minji, "IDENTITY_IN_USE")
    assert link(7777).status_code == 302
    row = only(written())
    assert (*told(row), row.provider) == ("linked", "done", minji, minji, "second")
    with app.app_context():
        second = db.session.scalar(db.select(Identity.id).where(Identity.subject == "7777"))
    press(client, f"/users/me/unlink/{second}/")
    assert (*told(only(written())),) == ("unlinked", "done", minji, minji)
    answer = client.post(f"/users/me/unlink/{find_identity(app, minji)}/", data={"csrf_token": csrf_token(client)})
    assert answer.status_code == 409
    row = only(written())
    assert (*told(row), row.reason) == ("unlinked", "refused", minji, minji, "LAST_WAY_IN")


def test_device_profile_and_withdrawal_are_one_row_each(
    app: Flask, client_as: ClientAs, people: People, written: Written
) -> None:
    minji, client = people["minji"], client_as("minji")
    written()
    press(client, "/users/me/devices/end-others/")
    assert told(only(written())) == ("device ended", "done", minji, minji)
    api = api_client(app, tokens_of(app, minji).access_token)
    assert api.patch("/api/users/me/", json={"nickname": "canary-nickname"}).status_code == 200
    assert told(only(written())) == ("profile changed", "done", minji, minji)
    press(client, "/users/me/withdraw/")
    assert told(only(written())) == ("withdrawn", "done", minji, minji)


def test_roles_by_api_and_command_line_are_one_row_each(app: Flask, people: People, written: Written) -> None:
    minji, hana = people["minji"], people["hana"]
    api = api_client(app, tokens_of(app, hana).access_token)
    assert api.patch(f"/api/users/{minji}/", json={"is_staff": True}).status_code == 200
    assert told(only(written())) == ("user changed", "done", minji, hana)
    assert api.patch(f"/api/users/{minji}/", json={"is_staff": True}).status_code == 200
    assert written() == [], "nothing was changed"
    assert api.patch(f"/api/users/{hana}/", json={"is_active": False}).status_code == 409
    row = only(written())
    assert (*told(row), row.reason) == ("user changed", "refused", hana, hana, "LAST_SUPERUSER")
    assert api.delete(f"/api/users/{minji}/").status_code == 204
    assert told(only(written())) == ("deleted", "done", minji, hana)
    run = app.test_cli_runner().invoke
    for arguments, action, result in (
        (("users", "promote", "sora@example.kr", "--superuser"), "promoted", "done"),
        (("users", "demote", "sora@example.kr"), "demoted", "done"),
        (("users", "demote", "hana@example.kr"), "demoted", "refused"),
        (("users", "create-superuser", "--email", "new@example.kr"), "superuser created", "done"),
        (("tokens", "rotate-keys"), "signing key rotated", "done"),
        (("kakao", "rotate-keys"), "token keys rotated", "done"),
    ):
        run(args=arguments)
        row = only(written())
        assert (row.action, row.result) == (action, result)
        assert (row.actor_id, row.source, row.agent) == (None, "", ""), "the command line is nobody"


def test_app_that_leaves_is_a_withdrawal(app: Flask, people: People, written: Written) -> None:
    api = api_client(app, tokens_of(app, people["minji"]).access_token)
    assert api.delete("/api/users/me/").status_code == 204
    assert told(only(written())) == ("withdrawn", "done", people["minji"], people["minji"])


def test_providers_message_is_a_row_and_so_is_what_it_ends(
    app: Flask, client: FlaskClient, people: People, written: Written
) -> None:
    form = {"app_id": "1", "user_id": "1000", "referrer_type": "UNLINK_FROM_APPS"}
    for _ in range(2):
        client.post("/webhooks/kakao/unlink/", data=form, headers={"Authorization": f"KakaoAK {ADMIN_KEY}"})
    found = written()
    ended = next(row for row in found if row.action == "unlinked by provider")
    assert (*told(ended), ended.told) == ("unlinked by provider", "done", people["minji"], None, {"erased": True})
    messages = [row for row in found if row.action == "webhook"]
    assert len(found) == len(messages) + 1
    assert [row.target_id for row in messages if row.target_id] == [people["minji"]]


def test_whoever_suspends_themselves_is_the_actor(app: Flask, people: People, written: Written) -> None:
    with app.app_context():
        roles.promote(db.session.get(User, people["sora"]), superuser=True)
    written()
    api = api_client(app, tokens_of(app, people["hana"]).access_token)
    assert api.patch(f"/api/users/{people['hana']}/", json={"is_active": False}).status_code == 200
    assert told(only(written())) == ("user changed", "done", people["hana"], people["hana"])


# What a row holds


def test_rows_hold_no_secret_no_address_and_no_name(
    app: Flask, client_as: ClientAs, kakao: FakeKakao, people: People
) -> None:
    """A tour with values that would be known again."""
    client = client_as("minji")
    kakao.me = person(1000, email="canary@example.kr", profile={"nickname": "canary-nickname"})
    log_in(app.test_client(), kakao)
    state = begin_login(client)["state"]
    come_back(client, state, code="canary-code")
    come_back(client, "canary-state", code="canary-code")
    client.get("/kakao/login/callback/", query_string={"error": "canary-error", "error_description": "canary-words"})
    client.post("/api/token/", json={"email": "canary@example.kr", "password": "canary-password"})
    client.post("/api/auth/kakao/", json={"access_token": "canary-access-token"})
    pair = tokens_of(app, people["minji"])
    api_client(app, pair.access_token).patch("/api/users/me/", json={"nickname": "canary-nickname"})
    client.post("/api/token/revoke/", json={"token": pair.refresh_token})
    press(client, "/users/me/withdraw/")
    with app.app_context():
        rows = db.session.scalars(db.select(AuditEvent)).all()
        assert len(rows) > 5
        columns = [column.key for column in inspect(AuditEvent).columns]
        kept = " ".join(str(getattr(row, column)) for row in rows for column in columns)
    secrets = ("canary", state, pair.access_token, pair.refresh_token, "@example.kr", "minji", "Bearer")
    assert [secret for secret in secrets if secret in kept] == []


def test_rows_are_one_line_without_terminal_codes_and_bounded(app: Flask) -> None:
    evil = "x\nINFO kakaoauth.audit promoted user=1\r\x1b[31m\x85\u2028"
    with app.test_request_context(environ_base={"REMOTE_ADDR": "::1"}, headers={"User-Agent": "evil\x1b[31m"}):
        audit.acts_from(lambda: Source(None, "1" * 100, evil * 20))
        audit.record("login", refused=evil, provider=evil, kind=evil, long="y" * 5000)
        db.session.commit()
        row = db.session.scalars(db.select(AuditEvent)).one()
        texts = [row.reason, row.provider, row.details, row.agent, row.source]
        assert all(text.isprintable() for text in texts)
        lengths = {
            column.key: column.type.length for column in inspect(AuditEvent).columns if hasattr(column.type, "length")
        }
        for name in ("reason", "provider", "details", "agent", "source"):
            assert len(getattr(row, name)) <= lengths[name]
        json.loads(row.details)


def test_rows_cannot_be_changed_nor_removed_one_by_one(app: Flask) -> None:
    with app.app_context():
        audit.record("login")
        db.session.commit()
        row = db.session.scalars(db.select(AuditEvent)).one()
        row.action = "logout"
        with pytest.raises(TypeError):
            db.session.commit()
        db.session.rollback()
        db.session.delete(row)
        with pytest.raises(TypeError):
            db.session.commit()
        db.session.rollback()
        assert db.session.scalars(db.select(AuditEvent.action)).one() == "login"


def test_what_is_not_done_is_not_written_down(app: Flask) -> None:
    with app.app_context(), pytest.raises(Forbidden):
        roles.change_user(1, by=999, is_staff=True)
    with app.app_context():
        rows = db.session.scalars(db.select(AuditEvent)).all()
        assert [(row.action, row.result) for row in rows] == [("user changed", "refused")]


# Reading


@pytest.fixture
def crowd(app: Flask, people: People) -> None:
    """130 events, three in each moment."""
    with app.app_context():
        for number in range(130):
            refused = number % 5 == 0
            db.session.add(
                AuditEvent(
                    at=BEGINNING + timedelta(hours=number // 3),
                    action="login" if number % 2 else "logout",
                    result="refused" if refused else "done",
                    reason="EMAIL_REQUIRED" if refused else "",
                    actor_id=people["minji"] if number % 3 == 0 else None,
                    target_id=people["minji"] if number % 4 == 0 else 4242,
                    provider="facebook" if number % 10 == 0 else "kakao",
                    source="203.0.113.77",
                    agent=CHROME,
                    details=json.dumps({"number": number}),
                )
            )
        db.session.commit()


@pytest.fixture
def quiet(app: Flask, crowd: None) -> Iterator[None]:
    """Only they: a page is read without logging in."""
    with app.app_context():
        yield


def numbers(events: Any) -> list[int]:
    return [one.told["number"] for one in events]


def walk(chosen: Filter, limit: int) -> list[int]:
    """To the end, and back again the same way."""
    page, seen = search.page(chosen, limit=limit), []
    while True:
        seen += numbers(page.events)
        if page.older is None:
            break
        page = search.page(chosen, cursor=page.older, limit=limit)
    back: list[int] = numbers(page.events)
    while page.newer is not None:
        page = search.page(chosen, cursor=page.newer, limit=limit)
        back = numbers(page.events) + back
    assert back == seen
    return seen


@pytest.mark.parametrize("limit", [7, 13, 200])
def test_pages_go_both_ways_without_gap_or_repetition(quiet: None, limit: int) -> None:
    assert walk(Filter(), limit) == list(reversed(range(130)))


def test_filters_find_what_they_say(quiet: None, people: People) -> None:
    day, hours = (BEGINNING + timedelta(hours=9)).date(), 24 - 9
    minji = people["minji"]
    for chosen, holds in (
        (Filter(action="login"), lambda n: n % 2 == 1),
        (Filter(action="nonsense"), lambda n: False),
        (Filter(result="refused"), lambda n: n % 5 == 0),
        (Filter(result="done"), lambda n: n % 5),
        (Filter(provider="facebook"), lambda n: n % 10 == 0),
        (Filter(person=minji), lambda n: n % 3 == 0 or n % 4 == 0),
        (Filter(person=4242), lambda n: n % 4),
        (Filter(person=999), lambda n: False),
        (Filter(until=day), lambda n: n // 3 < hours),
        (Filter(since=day + timedelta(days=1)), lambda n: n // 3 >= hours),
        (Filter(since=day, until=day), lambda n: n // 3 < hours),
        (Filter(person=minji, result="refused", action="logout"), lambda n: n % 10 == 0 and (n % 3 == 0 or n % 4 == 0)),
    ):
        expected = [n for n in reversed(range(130)) if holds(n)]
        assert walk(chosen, 9) == walk(chosen, 1000) == expected, chosen


def test_what_is_written_down_meanwhile_neither_repeats_nor_hides_anything(quiet: None) -> None:
    first = search.page(Filter(), limit=50)
    db.session.add(AuditEvent(action="login", result="done", details='{"number": 999}'))
    db.session.commit()
    assert first.older is not None
    second = search.page(Filter(), cursor=first.older, limit=50)
    assert numbers(second.events) == list(reversed(range(30, 80)))
    assert second.newer is not None
    back = search.page(Filter(), cursor=second.newer, limit=50)
    assert numbers(back.events) == numbers(first.events)
    assert back.newer is not None
    assert numbers(search.page(Filter(), cursor=back.newer, limit=50).events) == [999]


def test_on_postgresql_it_is_the_same(make_app: Callable[..., Flask], postgres_url: str) -> None:
    with make_app(DATABASE_URL=postgres_url).app_context():
        for number in range(20):
            audit.record(
                "login", target=number % 3, actor=number % 2 + 1, refused="X" * (number % 4 == 0), number=number
            )
        db.session.commit()
        for chosen, holds in (
            (Filter(), lambda n: True),
            (Filter(person=2), lambda n: n % 3 == 2 or n % 2 == 1),
            (Filter(result="refused", action="login"), lambda n: n % 4 == 0),
            (Filter(since=now().date() - timedelta(days=1)), lambda n: True),
        ):
            assert walk(chosen, 3) == [n for n in reversed(range(20)) if holds(n)]


def test_no_filter_reads_everything_or_sorts_it(app: Flask) -> None:
    day = BEGINNING.date()
    for chosen in (
        Filter(),
        Filter(action="login"),
        Filter(result="refused"),
        Filter(provider="kakao"),
        Filter(person=1),
        Filter(person=1, action="login", result="refused"),
        Filter(since=day, until=day),
        Filter(action="login", since=day),
    ):
        for plan in plans_of(app, chosen):
            looks = [step for step in plan if "audit_events" in step]
            assert looks
            assert all(re.search("USING (COVERING )?INDEX ix_audit_events", look) for look in looks), plan
            assert not [step for step in plan if "TEMP B-TREE" in step], plan


def plans_of(app: Flask, chosen: Filter) -> list[list[str]]:
    """SQLite's, for a page in the middle."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        statements.append((statement, parameters))

    cursor = cursors.write(search.ORDER, Cursor(Position(BEGINNING, 5), backwards=False))
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", note)
        search.page(chosen, cursor=cursor)
        event.remove(db.engine, "before_cursor_execute", note)
        explain = [
            db.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            for statement, parameters in statements
        ]
        return [[row[-1] for row in plan] for plan in explain]


# The page


def times_on(page: str) -> list[str]:
    return re.findall(r'<time datetime="([^"]+)"', page)


def test_trail_is_turned_over_by_its_links(
    crowd: None, client_as: ClientAs, count_statements: Callable[[Callable[[], Any]], int]
) -> None:
    hana = client_as("hana")

    def follow(page: str, rel: str) -> str:
        return hana.get(html.unescape(page.split(f'rel="{rel}" href="', 1)[1].split('"', 1)[0])).text

    first = hana.get("/users/audit/?provider=kakao").text
    assert first.count("<tr>") == PAGE + 1
    assert 'rel="prev"' not in first
    second = follow(first, "next")
    assert times_on(second) != times_on(first)
    assert times_on(follow(second, "prev")) == times_on(first)
    assert count_statements(lambda: hana.get("/users/audit/")) == 3  # who asks, the page, who the people are


def test_trail_shows_seouls_time_and_says_utc(crowd: None, client_as: ClientAs) -> None:
    page = client_as("hana").get("/users/audit/?until=2026-01-01&action=login", headers=ENGLISH).text
    assert '<time datetime="2026-01-01T14:00:00.000Z" title="2026-01-01 23:00:00">' in page
    assert "Chrome · Windows" in page
    assert "203.0.113.77" in page


def test_trail_links_people_who_are_still_there(crowd: None, app: Flask, client_as: ClientAs, people: People) -> None:
    page = client_as("hana").get("/users/audit/?until=2026-01-02", headers=ENGLISH).text
    assert f'href="/users/{people["minji"]}/">minji</a>' in page
    assert '4242 <span class="faint">erased</span>' in page


def test_trail_tells_refusals_in_words_and_keeps_the_code(crowd: None, client_as: ClientAs) -> None:
    hana = client_as("hana")
    page = hana.get("/users/audit/?result=refused", headers=ENGLISH).text
    assert "We need your e-mail address" in page
    assert "<code>EMAIL_REQUIRED</code>" in page
    assert "이메일 주소가 필요해요" in hana.get("/users/audit/?result=refused").text


def test_action_of_another_version_is_shown_as_it_is(app: Flask, client_as: ClientAs) -> None:
    with app.app_context():
        audit.record("<b>teleported</b>", refused="NO_SUCH_CODE", place="moon")
        db.session.commit()
    page = client_as("hana").get("/users/audit/", query_string={"action": "<b>teleported</b>"}).text
    assert "<strong>&lt;b&gt;teleported&lt;/b&gt;</strong>" in page
    assert "<code>NO_SUCH_CODE</code>" in page
    assert "place: moon" in page
    assert '<option value="&lt;b&gt;teleported&lt;/b&gt;" selected>' in page


def test_odd_filters_and_cursors_are_no_error(crowd: None, client_as: ClientAs) -> None:
    hana = client_as("hana")
    odd = {
        "action": ["x" * 31, "\0"],
        "result": ["maybe", "DONE"],
        "provider": ["x" * 21, "\x1b"],
        "person": ["x", "-1", "1.0", "9" * 40, str(2**63), "١", "1 OR 1=1"],
        "since": ["x", "2026-13-01", "0", "99999-01-01", "2026-01-01T00:00:00"],
        "until": ["<script>", "2026-02-30"],
    }
    for name, values in odd.items():
        for value in values:
            answer = hana.get("/users/audit/", query_string={name: value}, headers=ENGLISH)
            assert answer.status_code == 200, (name, value)
            assert "Part of the filter could not be understood" in answer.text, (name, value)
            assert answer.text.count("<tr>") == PAGE + 1
    fine = {
        "action": "nonsense",
        "provider": "myspace",
        "person": str(2**63 - 1),
        "since": "0001-01-01",
        "until": "9999-12-31",
    }
    for name, value in fine.items():
        answer = hana.get("/users/audit/", query_string={name: value}, headers=ENGLISH)
        assert answer.status_code == 200, (name, value)
        assert "could not be understood" not in answer.text, (name, value)
    for cursor in ("x", "é", "A" * 3000, "W10", "bnVsbA", "\0"):
        assert hana.get("/users/audit/", query_string={"cursor": cursor}).text.count("<tr>") == PAGE + 1


def test_providers_message_is_told_in_words(app: Flask, client_as: ClientAs) -> None:
    hana = client_as("hana")
    with app.app_context():
        audit.record("webhook", provider="kakao", kind="user-linked", effect="nobody")
        audit.record("exported", provider="kakao", role="staff", tag="erased", users=3)
        db.session.commit()
    page = hana.get("/users/audit/", headers={"Accept-Language": "ko"}).text
    assert "구분: 이 사이트와 연결" in page
    assert "처리 결과: 해당하는 사용자 없음" in page
    assert "user-linked" not in page
    assert "태그: erased" in page, "what somebody typed is shown as it is"


# One's own


def own(client: FlaskClient, language: str = "en") -> list[str]:
    """The list on one's own page, line by line."""
    page = client.get("/users/me/", headers={"Accept-Language": language}).text
    items = page.split('id="events"', 1)[1].split("</ul>", 1)[0].split("<li>")[1:]
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", item)).split()) for item in items]


def test_own_page_tells_the_last_ten_in_words(
    app: Flask, people: People, client_as: ClientAs, kakao: FakeKakao
) -> None:
    with time_machine.travel("2026-11-21T03:00:00Z", tick=False):
        kakao.me = person(1000, email="minji@example.kr")
        minji = app.test_client()
        minji.environ_base.update(HTTP_USER_AGENT=CHROME, REMOTE_ADDR="203.0.113.77")
        log_in(minji, kakao)
        assert own(minji) == ["Logged in with Kakao Chrome · Windows · 203.0.113.x just now"]
        assert own(minji, "ko") == ["카카오 로그인 Chrome · Windows · 203.0.113.x 방금 전"]
        with app.app_context():
            for number in range(30):
                audit.record("login", target=people["minji"], provider="kakao", refused="EMAIL_IN_USE", number=number)
            db.session.commit()
        lines = own(minji)
    assert len(lines) == 10
    assert lines[0].startswith("A login with Kakao was refused This e-mail address already has an account")


def test_own_page_says_what_others_did_and_neither_who_nor_why(app: Flask, client_as: ClientAs, people: People) -> None:
    minji, hana = client_as("minji"), client_as("hana")
    press(hana, f"/users/{people['minji']}/make-staff/", reason="canary-reason")
    page = minji.get("/users/me/", headers=ENGLISH).text
    assert "Your role or state was changed" in page
    assert "by the people who run this site" in page
    assert "canary-reason" not in page
    assert "hana" not in page
    assert [line for line in own(hana) if "role" in line] == [], "what one did to others is not one's own"


def test_own_page_does_not_say_that_what_was_refused_was_done(client_as: ClientAs, people: People) -> None:
    hana = client_as("hana")
    form = {"csrf_token": csrf_token(hana), "reason": "tired of it"}
    assert hana.post(f"/users/{people['hana']}/demote/", data=form).status_code == 409
    assert own(hana)[0].startswith("Refused: Role or state changed This is the last superuser")


def test_own_page_shows_nobody_elses(client_as: ClientAs) -> None:
    minji, sora = client_as("minji"), client_as("sora")
    assert len(own(minji)) == len(own(sora)) == 1


# The end


def fill(app: Flask, days: list[int]) -> None:
    with app.app_context():
        moment = now()
        db.session.add_all(
            [AuditEvent(action="login", result="done", at=moment - timedelta(days=age, minutes=1)) for age in days]
        )
        db.session.commit()


def left(app: Flask) -> int:
    with app.app_context():
        return db.session.query(AuditEvent).count()


def test_command_removes_what_is_too_old(make_app: Callable[..., Flask], database_url: str) -> None:
    app = make_app(DATABASE_URL=database_url, KAKAOAUTH_AUDIT_DAYS=30)
    fill(app, [0, 29, 30, 31, 400])
    for removed in (3, 0):
        result = app.test_cli_runner().invoke(args=["audit", "prune"])
        assert result.output == f"{removed} events older than 30 days are removed.\n"
    assert left(app) == 2


def test_running_site_removes_a_batch_an_hour_and_goes_on_while_there_is_more(app: Flask) -> None:
    fill(app, [400] * (audit.BATCH + 1))
    with app.app_context():
        due = jobs.tidy(0.0)
        assert due == 0.0, "there is more"
        assert left(app) == 1
        due = jobs.tidy(due)
        assert left(app) == 0
        fill(app, [400])
        assert jobs.tidy(due) == due
        assert left(app) == 1, "not before an hour has gone"


def test_nonsensical_retention_stops_the_start(make_app: Callable[..., Flask]) -> None:
    for days in (0, -1, 40000):
        with pytest.raises(ConfigError, match="KAKAOAUTH_AUDIT_DAYS must"):
            make_app(KAKAOAUTH_AUDIT_DAYS=days)
