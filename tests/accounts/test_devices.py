"""One's open sessions: listed in words, ended one by one or all others at once, and nobody else's."""

import html
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
import time_machine
from flask import Flask, session
from flask.testing import FlaskClient
from redis import Redis
from support import (
    FakeKakao,
    api_client,
    begin_login,
    come_back,
    csrf_token,
    is_logged_in,
    log_in,
    person,
    problem,
    set_cookie,
)
from support.devices import CHROME, end
from support.stored_sessions import all_opened, edit

from kakaoauth import sessions
from kakaoauth.accounts import password_login, roles
from kakaoauth.accounts.devices import LISTED
from kakaoauth.audit import AuditEvent, visitors
from kakaoauth.errors import SessionOver
from kakaoauth.models import User
from kakaoauth.sessions import index as session_index
from kakaoauth.sessions import other_devices
from kakaoauth.storage.database import db
from kakaoauth.tokens import flows as token_flows
from kakaoauth.tokens.refresh_tokens import TokenFamily

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1"
)
KAKAOTALK = (
    "Mozilla/5.0 (Linux; Android 15; SM-S928N Build/AP3A.240905.015.A2; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Version/4.0 Chrome/131.0.6778.135 Mobile Safari/537.36 KAKAOTALK/25.10.2 (INAPP)"
)

People = dict[str, int]
Enter = Callable[..., FlaskClient]


@dataclass(frozen=True)
class Line:
    """One device as the page shows it."""

    label: str
    tags: list[str]
    told: str
    handle: str


def lines(page: str) -> list[Line]:
    found = []
    listed = page.partition('<ul class="rows devices">')[2].partition("</ul>")[0]
    for item in listed.split("<li>")[1:]:
        handle = re.search(r'action="/users/me/devices/([^/]+)/end/"', item)
        found.append(
            Line(
                html.unescape(re.findall(r"<strong>(.*?)</strong>", item)[0]),
                re.findall(r'<span class="chip[ a-z]*">(.*?)</span>', item),
                re.sub(r"<.*?>", "", re.findall(r'<span class="faint">(.*)</span>', item)[0]),
                handle[1] if handle else "",
            )
        )
    return found


def listed(client: FlaskClient) -> list[Line]:
    return lines(client.get("/users/me/", headers={"Accept-Language": "en"}).text)


def handle_of(client: FlaskClient, label: str) -> str:
    (found,) = {line.handle for line in listed(client) if line.label == label}
    return found


def end_others(client: FlaskClient) -> Any:
    return client.post("/users/me/devices/end-others/", data={"csrf_token": csrf_token(client)})


def events(app: Flask, action: str = "device ended") -> list[AuditEvent]:
    with app.app_context():
        return list(db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == action)))


@pytest.fixture
def enter(app: Flask, people: People, kakao: FakeKakao) -> Enter:
    """A browser of that name and address in which the person has logged in."""

    def browser(name: str, agent: str = CHROME, address: str = "203.0.113.77") -> FlaskClient:
        client = app.test_client()
        client.environ_base.update(HTTP_USER_AGENT=agent, REMOTE_ADDR=address)
        kakao.me = person(1000 + list(people).index(name), email=f"{name}@example.kr", profile={"nickname": name})
        assert log_in(client, kakao).status_code == 302
        return client

    return browser


@pytest.fixture
def app_login(app: Flask, people: People) -> Callable[..., token_flows.TokenPair]:
    def begin(name: str, agent: str = "okhttp/4.12.0", address: str = "198.51.100.9") -> token_flows.TokenPair:
        with app.app_context():
            return token_flows.issue_tokens(db.session.get(User, people[name]), visitors.visitor_of(agent, address))

    return begin


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(datetime(2026, 11, 21, 3, tzinfo=UTC), tick=False) as clock:
        yield clock


# The list


def test_every_browser_is_listed_in_words_and_this_one_is_marked(enter: Enter, clock: Any) -> None:
    enter("minji", KAKAOTALK, "2001:db8:77:1::9")
    clock.shift(3600)
    laptop = enter("minji")
    enter("sora", IPHONE)
    clock.shift(30)
    here, phone = listed(laptop)
    assert (here.label, here.tags) == ("Chrome · Windows", ["this device"])
    assert here.told == "Last seen just now · 203.0.113.x · logged in on Nov 21, 2026"
    assert (phone.label, phone.tags) == ("KakaoTalk in-app · Android", [])
    assert phone.told == "Last seen 1 hour ago · 2001:db8:77::x · logged in on Nov 21, 2026"
    assert "카카오톡 인앱 · Android" in laptop.get("/users/me/", headers={"Accept-Language": "ko"}).text


def test_nothing_whole_is_stored(enter: Enter, redis: Redis) -> None:
    agent = f"{CHROME} {'x' * 500}\x1b[31m\u202e한"
    enter("minji", agent.encode().decode("latin-1"), "203.0.113.77")
    (data,) = all_opened(redis)
    assert data["_address"] == "203.0.113.x"
    assert data["_agent"] == f"{CHROME} {'x' * 500}"[:200]


def test_line_follows_where_the_session_is_used(enter: Enter, clock: Any) -> None:
    laptop, phone = enter("minji"), enter("minji", IPHONE)
    clock.shift(61)
    phone.environ_base["REMOTE_ADDR"] = "198.51.100.5"
    phone.get("/")
    (told,) = (line.told for line in listed(laptop) if line.label == "Safari · iOS")
    assert told == "Last seen just now · 198.51.100.x · logged in on Nov 21, 2026"


def test_list_holds_names_and_no_ids_and_goes_by_itself(enter: Enter, people: People, redis: Redis) -> None:
    client = enter("minji")
    key = f"sessions-of:{people['minji']}"
    (name,) = redis.zrange(key, 0, -1)
    assert redis.exists(f"session:{name.decode()}")
    assert set_cookie(client).encode() != name
    assert 13 * 86400 < redis.ttl(key) <= 14 * 86400
    client.post("/kakao/logout/", data={"csrf_token": csrf_token(client)})
    assert not redis.exists(key)


def test_sessions_that_ended_otherwise_are_struck_off(
    app: Flask, enter: Enter, people: People, redis: Redis, clock: Any
) -> None:
    key = f"sessions-of:{people['minji']}"
    enter("minji", IPHONE)
    redis.delete(*redis.keys("session:*"))
    assert [line.label for line in listed(enter("minji"))] == ["Chrome · Windows"]
    assert redis.zcard(key) == 1
    with app.app_context():
        roles.end_all_sessions(people["minji"])
    assert [line.label for line in listed(enter("minji", IPHONE))] == ["Safari · iOS"]
    assert redis.zcard(key) == 1


def test_staff_session_that_is_over_is_not_listed_though_redis_has_it(enter: Enter, clock: Any) -> None:
    enter("sora", IPHONE)
    clock.shift(12 * 3600 + 1)
    assert len(listed(enter("sora"))) == 1


def test_list_that_was_lost_comes_back_with_use(enter: Enter, people: People, redis: Redis, clock: Any) -> None:
    laptop, phone = enter("minji"), enter("minji", IPHONE)
    redis.delete(f"sessions-of:{people['minji']}")
    assert [line.tags for line in listed(laptop)] == [["this device"]]
    clock.shift(61)
    phone.get("/")
    assert len(listed(laptop)) == 2


def test_session_begun_before_there_was_a_list_is_unknown_and_can_be_ended(enter: Enter, redis: Redis) -> None:
    old, client = enter("minji", IPHONE), enter("minji")
    for key in redis.keys("session:*"):
        edit(redis, key, lambda data: [data.pop(name) for name in ("_agent", "_address")])
    assert [line.label for line in listed(client)] == ["Chrome · Windows", "Unknown browser"]
    assert "알 수 없는 브라우저" in client.get("/users/me/").text
    assert end(client, handle_of(client, "Unknown browser")).status_code == 302
    assert not is_logged_in(old)


def begin_many(app: Flask, user_id: int, number: int) -> None:
    for _ in range(number):
        with app.test_request_context("/", headers={"User-Agent": IPHONE}):
            sessions.begin(db.session.get(User, user_id))


def test_newest_are_listed_and_the_oldest_of_too_many_are_ended(
    app: Flask, enter: Enter, people: People, redis: Redis, clock: Any
) -> None:
    oldest, second = enter("minji"), enter("minji")
    clock.shift(1)
    second.get("/")
    begin_many(app, people["minji"], session_index.MOST - 2)
    assert is_logged_in(oldest)
    client = enter("minji")
    assert len(redis.keys("session:*")) == redis.zcard(f"sessions-of:{people['minji']}") == session_index.MOST
    assert len([True for one in (oldest, second) if is_logged_in(one)]) == 1
    assert len(listed(client)) == LISTED
    assert "These are the 50 last seen" in client.get("/users/me/?lang=en").text


def test_page_costs_the_same_for_two_devices_and_for_fifty(
    app: Flask, enter: Enter, people: People, redis: Redis, count_statements: Callable[..., int]
) -> None:
    enter("minji")
    client = enter("minji")
    few = costs(redis, client), count_statements(lambda: client.get("/users/me/"))
    begin_many(app, people["minji"], 48)
    assert (costs(redis, client), count_statements(lambda: client.get("/users/me/"))) == few
    assert few[0] == 3  # this session; the list; what the others hold
    # Who it is; what they come in with; which sessions were ended; app logins; what to warn of; what happened.
    assert few[1] == 6


def costs(redis: Redis, client: FlaskClient) -> int:
    """Redis reads what comes in one round trip at once. The least of three: a heartbeat of the login may come in."""

    def once() -> int:
        before = redis.info("stats")["total_reads_processed"]
        client.get("/users/me/")
        return int(redis.info("stats")["total_reads_processed"] - before - 1)

    return min(once() for _ in range(3))


def test_login_costs_no_round_trip_more_than_storing_it(app: Flask, people: People, redis: Redis) -> None:
    with app.test_request_context("/"):
        user = db.session.get(User, people["minji"])
        app.extensions["kakaoauth_redis"].ping()  # connected
        before = redis.info("stats")["total_reads_processed"]
        sessions.begin(user)
        assert redis.info("stats")["total_reads_processed"] - before - 1 == 1


def test_no_command_goes_through_the_keys(enter: Enter, redis: Redis) -> None:
    redis.config_resetstat()
    phone, laptop = enter("minji", IPHONE), enter("minji")
    end(laptop, handle_of(laptop, "Safari · iOS"))
    end_others(laptop)
    laptop.post("/users/me/logout-everywhere/", data={"csrf_token": csrf_token(laptop)})
    assert not is_logged_in(phone)
    used = {name.removeprefix("cmdstat_") for name in redis.info("commandstats")}
    assert "zadd" in used
    assert not used & {"keys", "scan", "sscan", "hscan", "zscan", "randomkey"}


def test_odd_value_in_redis_makes_its_session_anonymous_and_alarms(enter: Enter, redis: Redis, caplog: Any) -> None:
    client = enter("minji")
    (key,) = redis.keys("session:*")
    good = redis.get(key)
    for field, value in product(
        ("_agent", "_address", "_user_id", "_begun", "_seen"), (["x"], {}, 1e300, float("inf"), -1, None)
    ):
        caplog.clear()
        redis.set(key, good)
        edit(redis, key, lambda data, field=field, value=value: data.update({field: value}))
        assert client.get("/users/me/").status_code == 302, (field, value)
        assert "CRITICAL" in {record.levelname for record in caplog.records}, (field, value)
    redis.set(key, good)
    assert is_logged_in(client)


# Ending one


def test_ended_device_is_out_on_its_next_request(app: Flask, enter: Enter, redis: Redis, people: People) -> None:
    phone, laptop = enter("minji", IPHONE), enter("minji")
    answer = end(laptop, handle_of(laptop, "Safari · iOS"))
    assert (answer.status_code, answer.location) == (302, "/users/me/#devices")
    assert not is_logged_in(phone)
    assert [line.label for line in listed(laptop)] == ["Chrome · Windows"]
    (event,) = events(app)
    assert (event.target_id, event.actor_id, event.told) == (people["minji"], people["minji"], {"kind": "browser"})


def test_provider_tokens_of_an_ended_device_are_ended_too(enter: Enter, kakao: FakeKakao) -> None:
    enter("minji", IPHONE)
    laptop = enter("minji")
    end(laptop, handle_of(laptop, "Safari · iOS"))
    assert kakao.calls.count("POST /v1/user/logout") == 1


@pytest.mark.parametrize("how", ["one", "others", "everywhere"])
def test_request_in_flight_does_not_bring_an_ended_device_back(
    app: Flask, enter: Enter, redis: Redis, people: People, clock: Any, how: str
) -> None:
    inside, go_on = threading.Event(), threading.Event()

    @app.get("/slow/")
    def slow() -> str:
        session["changed"] = True
        inside.set()
        assert go_on.wait(5)
        return "done"

    phone, laptop = enter("minji", IPHONE), enter("minji")
    handle = handle_of(laptop, "Safari · iOS")
    clock.shift(61)  # so that the phone's request has to write when it was seen, too
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(phone.get("/slow/")))
    thread.start()
    assert inside.wait(5)
    if how == "one":
        end(laptop, handle)
    elif how == "others":
        end_others(laptop)
    else:
        laptop.post("/users/me/logout-everywhere/", data={"csrf_token": csrf_token(laptop)})
    go_on.set()
    thread.join(10)
    assert answers[0].text == "done"
    assert "Set-Cookie" not in answers[0].headers
    assert not is_logged_in(phone)
    left = 0 if how == "everywhere" else 1
    assert len(redis.keys("session:*")) == redis.zcard(f"sessions-of:{people['minji']}") == left


def test_another_persons_device_answers_404(app: Flask, enter: Enter, app_login: Any) -> None:
    phone, sora, hana = enter("minji", IPHONE), enter("sora"), enter("hana")
    pair = app_login("minji")
    for line in listed(phone):
        assert line.handle
        assert end(sora, line.handle).status_code == end(hana, line.handle).status_code == 404
    assert is_logged_in(phone)
    assert api_client(app, pair.access_token).get("/api/users/me/").status_code == 200
    assert events(app) == []


def test_handle_that_nobody_was_given_answers_404(enter: Enter) -> None:
    client = enter("minji")
    handle = listed(client)[0].handle
    made_up = ["x", "1", "MQ", "%2e%2e", "null", "A" * 3000, "é", handle[:-1], f"{handle}."]
    for at in (0, len(handle) // 2, handle.rindex(".") + 1):
        made_up.append(f"{handle[:at]}{'A' if handle[at] != 'A' else 'B'}{handle[at + 1 :]}")
    assert {end(client, one).status_code for one in made_up} == {404}
    assert is_logged_in(client)


def test_button_pressed_twice_is_no_mistake_and_one_event(app: Flask, enter: Enter, app_login: Any) -> None:
    enter("minji", IPHONE)
    app_login("minji")
    laptop = enter("minji")
    for handle in [line.handle for line in listed(laptop)][1:]:
        assert [end(laptop, handle).status_code for _ in range(2)] == [302, 302]
    assert sorted(event.told["kind"] for event in events(app)) == ["app", "browser"]


def test_ending_this_one_is_a_logout(app: Flask, enter: Enter, kakao: FakeKakao, redis: Redis) -> None:
    laptop, phone = enter("minji"), enter("minji", IPHONE)
    copied = set_cookie(laptop)
    answer = end(laptop, handle_of(laptop, "Chrome · Windows"))
    assert (answer.location, answer.headers["Clear-Site-Data"]) == ("/", '"cache"')
    assert set_cookie(laptop) == ""
    laptop.set_cookie("session", copied)
    assert not is_logged_in(laptop)
    assert is_logged_in(phone)
    assert kakao.calls.count("POST /v1/user/logout") == 1
    assert len(events(app)) == 1


@pytest.mark.parametrize("path", ["x/end/", "end-others/"])
def test_nothing_ends_by_get_nor_without_the_token_nor_from_another_site(enter: Enter, path: str) -> None:
    phone, laptop = enter("minji", IPHONE), enter("minji")
    path = f"/users/me/devices/{path.replace('x', handle_of(laptop, 'Safari · iOS'))}"
    token = {"csrf_token": csrf_token(laptop)}
    assert laptop.get(path).status_code == 405
    assert laptop.post(path).status_code == 400
    assert laptop.post(path, data={"csrf_token": csrf_token(phone)}).status_code == 400
    assert laptop.post(path, data=token, headers={"Origin": "https://evil.example"}).status_code == 400
    assert is_logged_in(phone)


# Ending all others


def test_all_others_are_out_and_this_one_goes_on_under_a_new_id(
    app: Flask, enter: Enter, app_login: Any, redis: Redis
) -> None:
    phone, tablet, laptop, sora = enter("minji", IPHONE), enter("minji", KAKAOTALK), enter("minji"), enter("sora")
    pair = app_login("minji")
    before, token = set_cookie(laptop), csrf_token(laptop)
    answer = end_others(laptop)
    assert (answer.status_code, answer.location) == (302, "/users/me/#devices")
    assert [is_logged_in(one) for one in (phone, tablet, laptop, sora)] == [False, False, True, True]
    problem(api_client(app, pair.access_token).get("/api/users/me/"), 401, "INVALID_ACCESS_TOKEN")
    refused = app.test_client().post("/api/token/refresh/", json={"refresh_token": pair.refresh_token})
    problem(refused, 401, "EXPIRED_TOKEN")
    assert set_cookie(laptop) != before
    assert csrf_token(laptop) != token
    assert [line.tags for line in listed(laptop)] == [["this device"]]
    assert len(redis.keys("session:*")) == 2, "nothing is left of the others"
    assert [event.told["kind"] for event in events(app)] == ["all others"]


def test_all_others_stay_out_when_redis_remembers_an_older_day(enter: Enter, redis: Redis) -> None:
    phone, laptop = enter("minji", IPHONE), enter("minji")
    backup = {key: redis.dump(key) for key in redis.keys()}
    end_others(laptop)
    redis.flushall()
    for key, value in backup.items():
        redis.restore(key, 60_000, value)
    assert not is_logged_in(phone)


def test_provider_tokens_of_all_others_are_ended_and_ours_stay(app: Flask, enter: Enter, kakao: FakeKakao) -> None:
    enter("minji", IPHONE)
    laptop = enter("minji")
    end_others(laptop)
    assert kakao.calls.count("POST /v1/user/logout") == 1
    laptop.post("/kakao/logout/", data={"csrf_token": csrf_token(laptop)})
    assert kakao.calls.count("POST /v1/user/logout") == 2


def test_of_two_devices_that_end_each_other_one_stays(app: Flask, enter: Enter, people: People) -> None:
    laptop = enter("minji")
    with app.app_context():
        known_to_the_phone = db.session.get(User, people["minji"])
        db.session.expunge(known_to_the_phone)
        end_others(laptop)
        with pytest.raises(SessionOver):
            other_devices.end_other_sessions(known_to_the_phone)
    assert is_logged_in(laptop)


@pytest.mark.parametrize("path", ["logout-everywhere", "withdraw"])
def test_redis_keeps_no_browser_and_no_network_of_whoever_has_left(enter: Enter, redis: Redis, path: str) -> None:
    enter("minji", IPHONE)
    laptop = enter("minji")
    laptop.post(f"/users/me/{path}/", data={"csrf_token": csrf_token(laptop)})
    # Who has deleted their account is told so on the next page, by a session that knows no more than that.
    assert [set(data) for data in all_opened(redis)] == ([{"_left"}] if path == "withdraw" else [])
    assert redis.keys("sessions-of:*") == []


# Apps and front ends


def test_login_of_an_app_is_listed_and_ended(app: Flask, enter: Enter, app_login: Any) -> None:
    laptop, pair, other = enter("minji"), app_login("minji"), app_login("minji", "Dart/3.5 (dart:io)")
    assert [(line.label, line.tags) for line in listed(laptop)][1:] == [
        ("Unknown app", ["app or front end"]),
        ("okhttp", ["app or front end"]),
    ]
    assert listed(laptop)[2].told.startswith("Last seen just now · 198.51.100.x · ")
    assert end(laptop, handle_of(laptop, "okhttp")).status_code == 302
    problem(api_client(app, pair.access_token).get("/api/users/me/"), 401, "INVALID_ACCESS_TOKEN")
    refused = app.test_client().post("/api/token/refresh/", json={"refresh_token": pair.refresh_token})
    problem(refused, 401, "EXPIRED_TOKEN")
    assert api_client(app, other.access_token).get("/api/users/me/").status_code == 200
    assert len(listed(laptop)) == 2


def test_login_by_the_api_and_its_refresh_say_where_they_come_from(app: Flask, people: People) -> None:
    with app.app_context():
        password_login.set_password(db.session.get(User, people["hana"]), "correct horse battery staple")
    phone = app.test_client()
    phone.environ_base.update(HTTP_USER_AGENT="MyApp/3 CFNetwork/1490.0.4 Darwin/23.2.0", REMOTE_ADDR="203.0.113.4")
    body = {"email": "hana@example.kr", "password": "correct horse battery staple"}
    pair = phone.post("/api/token/", json=body).get_json()

    def kept() -> tuple[str, str]:
        with app.app_context():
            family = db.session.scalars(db.select(TokenFamily)).one()
            return visitors.words(family.agent), family.address

    assert kept() == ("MyApp · iOS", "203.0.113.x")
    phone.environ_base["REMOTE_ADDR"] = "::ffff:198.51.100.4"
    assert phone.post("/api/token/refresh/", json={"refresh_token": pair["refresh_token"]}).status_code == 200
    assert kept() == ("MyApp · iOS", "198.51.100.x")


def test_login_of_a_front_end_is_listed(make_app: Any, kakao: FakeKakao) -> None:
    app = make_app(KAKAOAUTH_FRONTEND_ORIGINS="https://front.example")
    browser = app.test_client()
    browser.environ_base.update(HTTP_USER_AGENT=IPHONE, REMOTE_ADDR="203.0.113.4")
    come_back(browser, begin_login(browser, mode="jwt", next="https://front.example/welcome")["state"])
    laptop = app.test_client()
    log_in(laptop, kakao)
    assert [(line.label, line.tags) for line in listed(laptop)][1:] == [("Safari · iOS", ["app or front end"])]


def test_app_login_that_is_over_is_not_listed(app: Flask, enter: Enter, app_login: Any, clock: Any) -> None:
    app_login("minji")
    app_login("sora")
    clock.shift(7 * 86400 - 1)
    assert len(listed(enter("minji"))) == 2
    clock.shift(400)  # the last access token is over as well
    assert len(listed(enter("minji", IPHONE))) == 2
    assert len(listed(enter("sora"))) == 1


def test_stolen_refresh_token_is_told_on_the_page_for_a_month(
    app: Flask, enter: Enter, app_login: Any, clock: Any
) -> None:
    pair = app_login("minji")
    for status, agent in ((200, "okhttp/4.12.0"), (401, "curl/8.5.0")):
        body = {"refresh_token": pair.refresh_token}
        answer = app.test_client().post("/api/token/refresh/", json=body, headers={"User-Agent": agent})
        assert answer.status_code == status
        clock.shift(60)
    page = enter("minji").get("/users/me/?lang=en").text.replace("\N{NO-BREAK SPACE}", " ")
    assert "On Nov 21, 2026 12:01 two used the same login of an app (okhttp)" in page
    assert "okhttp" not in enter("sora").get("/users/me/?lang=en").text
    clock.shift(31 * 86400)
    assert "two used the same login" not in enter("minji").get("/users/me/?lang=en").text


# The staff's view


def at_desk(page: str) -> tuple[list[str], list[str]]:
    """What devices are called on the staff's page, and the addresses that end one."""
    part = page.partition('id="devices"')[2].partition("</section>")[0]
    return sorted(re.findall(r"<strong>(.*?)</strong>", part)), re.findall(r'href="([^"]+/devices/[^"]+/end/)"', part)


def test_staff_see_the_same_and_can_do_nothing(enter: Enter, people: People, app_login: Any) -> None:
    phone = enter("minji", IPHONE)
    app_login("minji")
    page = enter("sora").get(f"/users/{people['minji']}/", headers={"Accept-Language": "en"}).text
    assert at_desk(page) == (["Safari · iOS", "okhttp"], [])
    assert "/devices/" not in page
    assert phone.get(f"/users/{people['minji']}/").status_code == 403


def test_superuser_ends_one_session_and_leaves_the_others(
    app: Flask, enter: Enter, people: People, app_login: Any
) -> None:
    phone, laptop = enter("minji", IPHONE), enter("minji")
    pair = app_login("minji")
    hana, minji = enter("hana"), people["minji"]
    asked = {}
    for address in at_desk(hana.get(f"/users/{minji}/").text)[1]:
        page = hana.get(address, headers={"Accept-Language": "en"}).text
        asked[next(name for name in ("okhttp", "iOS", "Windows", "unknown") if name in page or name == "unknown")] = (
            address
        )
    assert len(asked) == 3
    token = csrf_token(hana)
    refused = hana.post(asked["iOS"], data={"csrf_token": token, "reason": "x"})
    assert (refused.status_code, is_logged_in(phone)) == (400, True)
    form = {"csrf_token": token, "reason": "stolen phone"}
    assert hana.post(asked["iOS"], data=form).status_code == 302
    assert (is_logged_in(phone), is_logged_in(laptop)) == (False, True)
    assert (
        "No change needed"
        in hana.post(asked["iOS"], data=form, headers={"Accept-Language": "en"}, follow_redirects=True).text
    )
    assert hana.post(asked["okhttp"], data=form).status_code == 302
    again = app.test_client().post("/api/token/refresh/", json={"refresh_token": pair.refresh_token})
    assert again.status_code == 401
    assert is_logged_in(laptop)
    with app.app_context():
        query = db.select(AuditEvent).filter_by(action="device ended", target_id=minji).order_by(AuditEvent.id)
        found = [(event.actor_id, event.reason, event.told["kind"]) for event in db.session.scalars(query)]
    assert found == [(people["hana"], "stolen phone", "browser"), (people["hana"], "stolen phone", "app")]


def test_handle_of_another_ends_nothing(enter: Enter, people: People) -> None:
    enter("minji", IPHONE)
    hana, sora = enter("hana"), enter("sora")
    (address,) = at_desk(hana.get(f"/users/{people['minji']}/").text)[1]
    form = {"csrf_token": csrf_token(hana), "reason": "stolen phone"}
    for wrong in (address.replace(f"/{people['minji']}/", f"/{people['sora']}/"), address.replace("/end/", "x/end/")):
        assert hana.get(wrong).status_code == 404
        assert hana.post(wrong, data=form).status_code == 404
    assert sora.get(address).status_code == 403


def test_staff_see_that_nobody_is_in(enter: Enter, people: People) -> None:
    page = enter("sora").get(f"/users/{people['minji']}/", headers={"Accept-Language": "en"}).text
    assert "Active sessions" in page
    assert at_desk(page) == ([], [])
    assert "None." in page


# Words


#: What browsers send, and how people call them, in Korean.
AGENTS = [
    (CHROME, "Chrome · Windows"),
    (IPHONE, "Safari · iOS"),
    (KAKAOTALK, "카카오톡 인앱 · Android"),
    (KAKAOTALK.replace(" KAKAOTALK/25.10.2 (INAPP)", ";KAKAOTALK 2511260"), "카카오톡 인앱 · Android"),
    (IPHONE.replace("Safari/604.1", "KAKAOTALK 10.8.5 (INAPP)"), "카카오톡 인앱 · iOS"),
    (KAKAOTALK.partition(" KAKAOTALK")[0], "인앱 브라우저 · Android"),
    (f"{KAKAOTALK.partition(' KAKAOTALK')[0]} NAVER(inapp; search; 2000; 12.9.3)", "네이버 앱 · Android"),
    (CHROME.replace("Safari", "Whale/3.27.254.15 Safari"), "네이버 웨일 · Windows"),
    (f"{CHROME} Edg/142.0.0.0", "Edge · Windows"),
    (
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 "
        "Chrome/130.0.0.0 Mobile Safari/537.36",
        "삼성 인터넷 · Android",
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.1 Safari/605.1.15",
        "Safari · macOS",
    ),
    ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", "Firefox · Ubuntu"),
    ("curl/8.5.0", "curl"),
    ("Mozilla/5.0", ""),
    ("", ""),
    (f"{'A' * 150}/1.0 CFNetwork/1490.0.4 Darwin/23.2.0", f"{'A' * 40} · iOS"),
]


def test_browsers_are_called_as_people_call_them(app: Flask) -> None:
    with app.test_request_context("/?lang=ko"):
        assert [(agent, visitors.words(agent)) for agent, _ in AGENTS] == AGENTS


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.x"),
        ("::ffff:203.0.113.77", "203.0.113.x"),
        ("2001:db8:77:1::9", "2001:db8:77::x"),
        ("2001:db8::1", "2001:db8::x"),
        ("fe80::1%eth0", "fe80::x"),
        ("127.0.0.1", "127.0.0.x"),
        ("::1", "::x"),
        ("", ""),
        ("unix:", ""),
        ("203.0.113.77, 10.0.0.1", ""),
    ],
)
def test_address_is_cut_to_its_network(address: str, network: str) -> None:
    assert visitors.shortened(address) == network


def test_name_that_means_to_be_code_is_only_text(enter: Enter) -> None:
    client = enter("minji", "<script>alert(1)</script>/1.0 CFNetwork/1490.0.4 Darwin/23.2.0")
    page = client.get("/users/me/").text
    assert "<script>alert" not in page
