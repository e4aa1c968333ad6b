"""The staff's overview: its numbers are what happened, on the page as in Redis and the database, at one price."""

import html
import json
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask, request_started
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import event
from support import (
    FakeKakao,
    api_client,
    begin_login,
    come_back,
    csrf_token,
    log_in,
    person,
    set_cookie,
    tokens_of,
)

from kakaoauth import days as korean_days
from kakaoauth.accounts import leaving, roles
from kakaoauth.cli import seed as seeding
from kakaoauth.config.settings import ROOT
from kakaoauth.counting import active_users, counters, daily_counts
from kakaoauth.days import KOREA
from kakaoauth.monitoring import numbers as monitoring_numbers
from kakaoauth.providers.values import AccountEvent
from kakaoauth.sessions import index as session_index
from kakaoauth.staff.overview import CHART_LIBRARY
from kakaoauth.storage.database import db
from kakaoauth.tokens import flows as token_flows
from kakaoauth.webhooks import effects

ENGLISH = {"Accept-Language": "en"}
NOON = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)  # of a Friday in Korea
PATH = "/users/overview/"

People = dict[str, int]


def tiles(page: str) -> dict[str, str]:
    listed = page.partition('<dl class="tiles">')[2].partition("</dl>")[0]
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", listed))


def tables(page: str) -> dict[str, list[list[str]]]:
    """The rows of each chart's table, by the chart's title."""
    found = {}
    for table in re.findall(r"<table>.*?</table>", page, re.DOTALL):
        rows = re.findall(r"<tr>(.*?)</tr>", table.partition("<tbody>")[2], re.DOTALL)
        title = re.findall(r"<caption>(.*?)</caption>", table)[0]
        found[title] = [[html.unescape(cell) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row)] for row in rows]
    return found


def drawn(page: str) -> list[dict[str, Any]]:
    return [json.loads(html.unescape(told)) for told in re.findall(r"data-chart='(.*?)'", page)]


def here(app: Flask) -> monitoring_numbers.Now:
    with app.app_context():
        now = monitoring_numbers.read(1).now
        assert now
        return now


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def enter(app: Flask, people: People, kakao: FakeKakao) -> Callable[[str], FlaskClient]:
    """A browser of its own in which that person logs in."""

    def browser(name: str) -> FlaskClient:
        client = app.test_client()
        kakao.me = person(1000 + list(people).index(name), email=f"{name}@example.kr", profile={"nickname": name})
        assert log_in(client, kakao).status_code == 302
        return client

    return browser


# What the page says


def test_page_tells_what_happened(app: Flask, enter: Callable[[str], FlaskClient], kakao: FakeKakao) -> None:
    staff = enter("sora")
    kakao.me = person(77)
    log_in(app.test_client(), kakao)
    begin_login(app.test_client())
    cancelled = app.test_client()
    cancelled.get(
        "/kakao/login/callback/", query_string={"state": begin_login(cancelled)["state"], "error": "access_denied"}
    )
    page = staff.get(PATH, headers=ENGLISH).text
    assert tiles(page) == {
        "Active sessions now": "2",
        "People today": "2",
        "People in 7 days": "2",
        "People in 30 days": "2",
        "Logins today": "2",
        "Sign-ups today": "1",
    }
    found, today = tables(page), korean_days.today().isoformat()
    assert found["Sign-ups and logins"][0] == [today, "1", "2"]
    assert found["From the button to the login"] == [
        ["Begun", "4", "100%"],
        ["Came back", "3", "75%"],
        ["Got in", "2", "50%"],
    ]
    assert found["Refused logins"] == [["Kakao: You cancelled the login (LOGIN_CANCELLED)", "1", "100%"]]
    assert found["People who were here"][0] == [today, "2"]
    as_written = f"{korean_days.today():%b} {korean_days.today().day}, {korean_days.today().year}"
    assert f"Logins: 2, and with 1 of them somebody signed up. Peak: 2 on {as_written}." in page
    assert "Logins begun: 4. Of these 75% came back from the provider, and 50% got in." in page


def test_page_says_the_same_before_and_after_the_numbers_move(
    app: Flask, enter: Callable[[str], FlaskClient], kakao: FakeKakao
) -> None:
    staff = enter("sora")
    enter("minji")
    before = staff.get(PATH).text
    with app.app_context():
        daily_counts.store_counts()
    enter_again = staff.get(PATH).text
    assert (tiles(enter_again), tables(enter_again)) == (tiles(before), tables(before))


def test_charts_draw_what_the_tables_say(enter: Callable[[str], FlaskClient]) -> None:
    page = enter("sora").get(f"{PATH}?days=7", headers=ENGLISH).text
    logins, funnel, people = drawn(page)
    assert (logins["kind"], len(logins["labels"])) == ("days", 7)
    assert [(one["name"], one["values"]) for one in logins["series"]] == [
        ("Logins", [0, 0, 0, 0, 0, 0, 1]),
        ("Sign-ups", [0, 0, 0, 0, 0, 0, 0]),
    ]
    assert (funnel["kind"], funnel["labels"]) == ("bars", ["Begun", "Came back", "Got in"])
    assert funnel["series"][0]["values"] == [1, 1, 1]
    assert people["series"][0]["values"] == [0, 0, 0, 0, 0, 0, 1]
    assert page.count('role="img"') == page.count("<caption>") == 3


@pytest.mark.parametrize(("asked", "days"), [("7", 7), ("90", 90), ("", 30), ("8", 30), ("-7", 30), ("7x", 30)])
def test_only_offered_periods_are_read(enter: Callable[[str], FlaskClient], asked: str, days: int) -> None:
    page = enter("sora").get(f"{PATH}?days={asked}", headers=ENGLISH).text
    assert len(tables(page)["Sign-ups and logins"]) == days
    assert re.findall(r'aria-current="page">(\d+) days', page) == [str(days)]


def test_days_are_koreas_and_without_a_gap(app: Flask, clock: Any) -> None:
    clock.move_to(NOON.replace(hour=14, minute=59))
    with app.app_context():
        counters.count_entry("kakao", "page", is_new=True)
        clock.shift(timedelta(minutes=1))
        counters.count_entry("kakao", "page")
        found = monitoring_numbers.read(7).days
    assert [day.day for day in found] == [date(2026, 11, day) for day in range(15, 22)]
    assert [(day.logins, day.sign_ups) for day in found[-3:]] == [(0, 0), (1, 1), (1, 0)]


def test_reasons_are_the_ten_most_frequent_and_a_rest(app: Flask, clock: Any) -> None:
    with app.app_context():
        numbers = {("login_refused", f"kakao CODE_REFUSED KOE{n}"): n for n in range(301, 313)}
        daily_counts.add_counts(korean_days.today(), numbers)
        found = monitoring_numbers.read(7)
    assert [reason.provider_code for reason in found.reasons] == [f"KOE{n}" for n in range(312, 302, -1)]
    assert (found.refused, found.other_reasons) == (sum(range(301, 313)), 301 + 302)


def test_reason_of_another_version_speaks_for_itself(app: Flask, enter: Callable[[str], FlaskClient]) -> None:
    staff = enter("sora")
    with app.app_context():
        daily_counts.add_counts(korean_days.today(), {("login_refused", "<i>x OLD_CODE KOE1"): 1})
    page = staff.get(PATH, headers=ENGLISH).text
    assert tables(page)["Refused logins"] == [["<I>X: OLD_CODE KOE1 (OLD_CODE)", "1", "100%"]]
    assert "<i>" not in page.lower()


def test_funnel_holds_only_what_began_with_the_button(app: Flask, clock: Any) -> None:
    with app.app_context():
        for provider, way in (("kakao", "page"), ("kakao", "front-end"), ("kakao", "api"), ("password", "page")):
            counters.count_entry(provider, way)
        found = monitoring_numbers.read(7)
    assert (found.came_in, found.logins) == (2, 4)


def test_double_click_comes_back_once(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    sent, cookie = begin_login(client), set_cookie(client)
    second = threading.Event()
    arrived: list[Flask] = []

    def arrive(sender: Flask) -> None:
        arrived.append(sender)
        if len(arrived) == 2:
            second.set()

    def token_while_the_second_waits(request: Any, context: Any) -> dict[str, Any]:
        assert second.wait(5)
        return kakao._token(request, context)

    def click() -> None:
        browser = app.test_client()
        browser.set_cookie("session", cookie)
        come_back(browser, sent["state"])

    kakao.fails(token={"json": token_while_the_second_waits})
    clicks = [threading.Thread(target=click) for _ in range(2)]
    with request_started.connected_to(arrive, app):
        for one in clicks:
            one.start()
        for one in clicks:
            one.join(10)
    with app.app_context():
        found = monitoring_numbers.read(7)
    assert (found.begun, found.returned, found.came_in) == (1, 1, 1)


def test_site_on_which_nothing_happened_says_so(app: Flask, enter: Callable[[str], FlaskClient], redis: Redis) -> None:
    staff = enter("sora")
    for key in (*redis.keys("counters:*"), *redis.keys("{people}:*")):
        redis.delete(key)
    page = staff.get(PATH, headers=ENGLISH).text
    assert "Nothing was counted in these days" in page
    assert "<table>" not in page


def test_page_is_korean_for_koreans(enter: Callable[[str], FlaskClient]) -> None:
    page = enter("sora").get(PATH).text
    assert list(tiles(page)) == [
        "접속 중인 세션",
        "오늘 이용자",
        "7일간 이용자",
        "30일간 이용자",
        "오늘 로그인",
        "오늘 가입",
    ]
    assert list(tables(page)) == ["가입과 로그인", "버튼에서 로그인까지", "이용자"]


def test_page_without_redis_says_what_is_missing(app: Flask, enter: Callable[[str], FlaskClient]) -> None:
    staff = enter("sora")
    with app.app_context():
        daily_counts.store_counts()
    # The sessions' connection stays, or nobody could look.
    app.extensions["kakaoauth_redis"] = Redis.from_url("unix:///nowhere")
    page = staff.get(PATH, headers=ENGLISH)
    assert page.status_code == 200
    assert "Redis does not answer" in page.text
    assert tiles(page.text)["Active sessions now"] == tiles(page.text)["People in 30 days"] == "–"
    assert tables(page.text)["Sign-ups and logins"][0][1:] == ["0", "1"]
    assert tables(page.text)["People who were here"][0][1:] == ["1"]


# What it costs


def test_price_is_the_same_for_any_number_of_people_and_no_user_is_read(app: Flask, redis: Redis) -> None:
    def price() -> tuple[list[str], int]:
        statements: list[str] = []

        def listen(*seen: Any) -> None:
            statements.append(seen[2])

        before = redis.info("stats")["total_commands_processed"]
        with app.app_context():
            event.listen(db.engine, "before_cursor_execute", listen)
            monitoring_numbers.read(90)
            event.remove(db.engine, "before_cursor_execute", listen)
        return statements, redis.info("stats")["total_commands_processed"] - before

    empty = price()
    with app.app_context():
        seeding.seed(300, random_seed=1, report=lambda _done: None)
        for _ in range(20):
            counters.count_entry("kakao", "page")
        db.session.remove()
    full = price()
    assert [len(statements) for statements, _ in (empty, full)] == [1, 1]
    assert not any(re.search(r"\busers\b|\bidentities\b", statement) for statement in full[0])
    assert full[1] <= empty[1] + 2, "the day that waits is read, and what is being moved of it"


def test_chart_library_is_the_one_that_its_folder_says(client: FlaskClient) -> None:
    file = ROOT / "kakaoauth" / "static" / CHART_LIBRARY
    version = re.findall(r"chart\.js-([\d.]+)/", CHART_LIBRARY)[0]
    assert f"Chart.js v{version}\n" in file.read_text()[:200]
    assert "MIT" in (file.parent / "LICENSE.md").read_text()
    assert client.get(f"/kakaoauth/{CHART_LIBRARY}", buffered=True).status_code == 200


# Who is here


def test_person_counts_once_a_day_and_once_in_many(app: Flask, enter: Callable[[str], FlaskClient], clock: Any) -> None:
    for days in (0, 1, 6):
        clock.move_to(NOON + timedelta(days=days))
        enter("minji")
        enter("minji")
    enter("sora")
    now = here(app)
    assert (now.people_today, now.people_7, now.people_30) == (2, 2, 2)
    clock.move_to(NOON + timedelta(days=29))
    now = here(app)
    assert (now.people_today, now.people_7, now.people_30) == (0, 0, 2)
    clock.move_to(NOON + timedelta(days=36))
    assert here(app).people_30 == 0


def test_session_that_is_used_on_another_day_counts_there(
    app: Flask, enter: Callable[[str], FlaskClient], clock: Any
) -> None:
    browser = enter("minji")
    clock.shift(timedelta(days=1))
    assert here(app).people_today == 0
    assert browser.get("/users/me/").status_code == 200
    assert here(app).people_today == 1


def test_people_of_apps_count_too(app: Flask, people: People, clock: Any) -> None:
    pair = tokens_of(app, people["minji"])
    assert here(app).people_today == 1
    clock.shift(timedelta(days=1))
    assert app.test_client().post("/api/token/refresh/", json={"refresh_token": pair.refresh_token}).status_code == 200
    now = here(app)
    assert (now.people_today, now.people_7, now.open_sessions) == (1, 1, 0)


def test_days_people_are_kept_when_redis_forgets_them(app: Flask, redis: Redis, clock: Any) -> None:
    with app.app_context():
        for user_id in range(5):
            active_users.mark_active_app(user_id)
        clock.shift(timedelta(days=1))
        active_users.mark_active_app(1)
        daily_counts.store_counts()
        clock.shift(timedelta(days=1))
        redis.flushall()
        active_users.mark_active_app(2)
        daily_counts.store_counts()
        assert [day.people for day in monitoring_numbers.read(7).days[-4:]] == [0, 5, 1, 1]
        redis.flushall()
        active_users.mark_active_app(2)
        daily_counts.store_counts()
        assert monitoring_numbers.read(7).days[-1].people == 1


def test_people_are_stored_on_both_databases(make_app: Callable[..., Flask], database_url: str) -> None:
    with make_app(DATABASE_URL=database_url).app_context():
        for number in (3, 7, 5):
            daily_counts.keep_people(date(2026, 11, 20), number)
        assert counters.totals() == {("people", ""): 7}


# Open sessions


def test_sessions_are_open_until_they_are_logged_out(app: Flask, enter: Callable[[str], FlaskClient]) -> None:
    first, second = enter("minji"), enter("minji")
    assert log_in_again(enter, first) == 2
    second.post("/kakao/logout/", data={"csrf_token": csrf_token(second)})
    assert here(app).open_sessions == 1


def log_in_again(enter: Callable[[str], FlaskClient], browser: FlaskClient) -> int:
    """Somebody who is in and looks around has no more sessions than before."""
    browser.get("/")
    browser.get("/users/me/")
    return here(browser.application).open_sessions


def test_anonymous_visitors_have_no_open_session(app: Flask) -> None:
    begin_login(app.test_client())
    assert here(app).open_sessions == 0


@pytest.mark.parametrize(("name", "hours"), [("minji", 14 * 24), ("sora", 12)])
def test_unused_sessions_close_by_themselves(
    app: Flask, enter: Callable[[str], FlaskClient], clock: Any, name: str, hours: int
) -> None:
    enter(name)
    clock.shift(timedelta(hours=hours, seconds=-1))
    assert here(app).open_sessions == 1
    clock.shift(timedelta(seconds=1))
    assert here(app).open_sessions == 0


def test_use_keeps_a_session_open_and_entries_tidy_up(
    app: Flask, enter: Callable[[str], FlaskClient], clock: Any, redis: Redis
) -> None:
    enter("minji")
    browser = enter("minji")
    clock.shift(timedelta(days=8))
    assert browser.get("/users/me/").status_code == 200
    clock.shift(timedelta(days=8))
    assert here(app).open_sessions == 1
    assert browser.get("/users/me/").status_code == 200
    assert redis.zcard(session_index.OPEN) == 1


def test_sessions_of_a_new_staff_member_get_staffs_limits(
    app: Flask, people: People, enter: Callable[[str], FlaskClient], clock: Any
) -> None:
    browser = enter("minji")
    with app.app_context():
        roles.change_user(people["minji"], is_staff=True)
    clock.shift(timedelta(minutes=2))
    assert browser.get("/users/").status_code == 200
    clock.shift(timedelta(hours=13))
    assert here(app).open_sessions == 0


def test_sessions_that_the_database_ends_count_no_more(
    app: Flask, people: People, enter: Callable[[str], FlaskClient], clock: Any
) -> None:
    """By somebody who has no session to sweep them from: an app, the command line, a provider."""
    late = datetime.now(UTC) + timedelta(days=9)
    ends: dict[str, Callable[[int], object]] = {
        "everywhere": roles.end_all_sessions,
        "suspended": lambda user_id: roles.change_user(user_id, is_active=False),
        "by the provider": lambda _: effects.apply_event("kakao", AccountEvent("1", "sessions-revoked", "1000", late)),
        "deleted": lambda user_id: leaving.delete_user(user_id),
    }
    enter("sora")
    for end in ends.values():
        enter("minji")
        enter("minji")
        assert here(app).open_sessions == 3
        with app.app_context():
            roles.change_user(people["minji"], is_active=True)
            end(people["minji"])
            roles.change_user(people["minji"], is_active=True)
        assert here(app).open_sessions == 1


def test_other_devices_that_are_ended_count_no_more(app: Flask, enter: Callable[[str], FlaskClient]) -> None:
    browser = enter("minji")
    for _ in range(3):
        enter("minji")
    browser.post("/users/me/devices/end-others/", data={"csrf_token": csrf_token(browser)})
    assert here(app).open_sessions == 1
    assert "\nkakaoauth_sessions_open 1.0\n" in browser.get("/metrics").text
    assert browser.get("/users/me/").status_code == 200


def test_app_that_logs_out_everywhere_closes_the_browsers(
    app: Flask, people: People, enter: Callable[[str], FlaskClient]
) -> None:
    enter("minji")
    client = api_client(app, tokens_of(app, people["minji"]).access_token)
    assert client.post("/api/users/me/logout-everywhere/").status_code == 204
    assert here(app).open_sessions == 0


def test_ending_goes_on_while_nothing_can_be_counted(app: Flask, people: People) -> None:
    with app.app_context():
        app.extensions["kakaoauth_redis"] = Redis.from_url("unix:///nowhere")
        roles.end_all_sessions(people["minji"])
        assert token_flows.issue_tokens(roles.change_user(people["minji"], is_staff=True)).user_id == people["minji"]


# A site to try it with


def test_seeded_site_has_counted_its_people(make_app: Callable[..., Flask], database_url: str) -> None:
    with make_app(DATABASE_URL=database_url).app_context():
        seeding.seed(600, random_seed=1, report=lambda _done: None)
        joined = db.session.execute(db.text("SELECT date_joined, provider FROM users")).all()
        found = monitoring_numbers.read(60)
        korean = [moment_of(joined_at) for joined_at, provider in joined if provider]
        assert {day.day: day.sign_ups for day in found.days if day.sign_ups} == {
            day: korean.count(day) for day in set(korean) if day >= found.days[0].day
        }
        assert found.begun > found.returned > found.came_in > 0
        assert found.came_in + found.refused == found.returned
        assert found.now
        assert 0 < found.now.people_7 < found.now.people_30 < 600
        seeding.seed(100, random_seed=2, report=lambda _done: None)
        assert monitoring_numbers.read(60).logins > found.logins


def moment_of(joined: datetime | str) -> date:
    moment = datetime.fromisoformat(joined).replace(tzinfo=UTC) if isinstance(joined, str) else joined
    return (moment.astimezone(UTC) + KOREA).date()


def test_terms_stand_in_the_funnel_once_somebody_was_asked(app: Flask, enter: Callable[[str], FlaskClient]) -> None:
    staff = enter("sora")
    assert "Terms agreed" not in staff.get(PATH, headers=ENGLISH).text
    with app.app_context():
        for name in ("terms_asked", "terms_asked", "terms_agreed"):
            counters.count(name, "kakao")
    steps = tables(staff.get(PATH, headers=ENGLISH).text)["From the button to the login"]
    assert [step[:2] for step in steps] == [
        ["Begun", "1"],
        ["Came back", "1"],
        ["Terms shown", "2"],
        ["Terms agreed", "1"],
        ["Got in", "1"],
    ]


def test_days_that_are_over_are_compared_with_those_before(
    app: Flask, enter: Callable[[str], FlaskClient], clock: Any
) -> None:
    staff = enter("sora")
    today = korean_days.today()
    with app.app_context():
        for back, number in ((1, 30), (7, 15), (8, 40), (14, 5), (15, 1000)):
            daily_counts.put_counts(today - timedelta(days=back), {("login_in", "kakao page"): number})
        db.session.commit()
        found = monitoring_numbers.read(7)
    assert (found.finished.logins, found.before.logins) == (45, 45)
    assert found.logins == 31  # with today, and without the day a week ago
    page = staff.get(f"{PATH}?days=7", headers=ENGLISH).text
    assert "<dt>Logins</dt><dd><strong>45</strong></dd>" in page
    assert "before: 45" in page
