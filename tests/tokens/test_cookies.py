"""Front ends on other origins: the login that ends in cookies, the walls around these, and whose scripts may read."""

import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from http.cookies import Morsel, SimpleCookie
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from support import FakeKakao, api_client, begin_login, come_back, log_in, person, problem, set_cookie, tokens_of
from support.ports import free_port

from kakaoauth.accounts import roles
from kakaoauth.config import load
from kakaoauth.devserver import front_end
from kakaoauth.models import User
from kakaoauth.storage.database import db
from kakaoauth.tokens.refresh_tokens import TokenFamily

FRONT = "http://localhost:8002"
WELCOME = f"{FRONT}/welcome?a=1#part"
SCRIPT = {"X-CSRF-Token": "1", "Origin": FRONT}
ME, REFRESH, REVOKE = "/api/users/me/", "/api/token/refresh/", "/api/token/revoke/"
CHANGE = {"nickname": "새 이름"}

MakeApp = Callable[..., Flask]


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app(KAKAOAUTH_FRONTEND_ORIGINS=f"{FRONT}, https://app.example.kr")


@pytest.fixture
def browser(client: FlaskClient, kakao: FakeKakao) -> FlaskClient:
    """One that has come back to the front end, with its cookies."""
    assert log_in(client, kakao, mode="jwt", next=WELCOME).location == WELCOME
    return client


def cookies_in(response: Any) -> dict[str, Morsel[str]]:
    """What the answer sets, except for the session."""
    found: dict[str, Morsel[str]] = {}
    for line in response.headers.getlist("Set-Cookie"):
        found |= {name: cookie for name, cookie in SimpleCookie(line).items() if "session" not in name}
    return found


def tokens_in(response: Any) -> dict[str, str]:
    return {name: cookie.value for name, cookie in cookies_in(response).items()}


def count_families(app: Flask) -> int:
    with app.app_context():
        return db.session.query(TokenFamily).count()


def refresh_cookie(client: FlaskClient) -> str:
    cookie = client.get_cookie("refresh_token", path=REFRESH)
    return cookie.value if cookie else ""


# The login


def test_login_ends_at_the_front_end_with_cookies_and_no_session(client: FlaskClient, kakao: FakeKakao) -> None:
    response = log_in(client, kakao, mode="jwt", next=WELCOME)
    assert (response.status_code, response.location) == (302, WELCOME)
    cookies = cookies_in(response)
    assert {name: cookie["path"] for name, cookie in cookies.items()} == {"access_token": "/", "refresh_token": REFRESH}
    assert cookies["access_token"]["max-age"] == cookies["refresh_token"]["max-age"]
    assert 604790 < int(cookies["refresh_token"]["max-age"]) <= 604800
    for cookie in cookies.values():
        assert (cookie["httponly"], cookie["samesite"], cookie["secure"], cookie["domain"]) == (True, "Lax", "", "")
        assert cookie.value not in response.text
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert client.get("/users/me/").status_code == 302, "a page wants a session"
    assert client.get(ME).get_json()["email"] == "p3902187744@example.kr"


def test_cookies_on_https_carry_their_promise_in_the_name(make_app: MakeApp, kakao: FakeKakao) -> None:
    app = make_app(PUBLIC_URL="https://login.example.kr", KAKAOAUTH_FRONTEND_ORIGINS="https://app.example.kr")
    client = app.test_client()
    response = log_in(client, kakao, mode="jwt", next="https://app.example.kr/")
    assert response.location == "https://app.example.kr/"
    cookies = cookies_in(response)
    assert {name: cookie["path"] for name, cookie in cookies.items()} == {
        "__Host-access_token": "/",
        "__Secure-refresh_token": REFRESH,
    }
    for cookie in cookies.values():
        assert (cookie["httponly"], cookie["samesite"], cookie["secure"], cookie["domain"]) == (True, "Lax", True, "")
    headers = {"X-CSRF-Token": "1", "Origin": "https://app.example.kr"}
    assert client.patch(ME, json=CHANGE, headers=headers).status_code == 200
    assert client.patch(ME, json=CHANGE, headers={**headers, "Origin": "https://login.example.kr"}).status_code == 200
    assert set(tokens_in(client.post(REFRESH, headers=headers))) == set(cookies)


def test_name_without_the_promise_counts_for_nothing_on_https(make_app: MakeApp, kakao: FakeKakao) -> None:
    """A sister sub-domain can plant a plain name, and so can anybody on plain http."""
    client = make_app(PUBLIC_URL="https://login.example.kr").test_client()
    token = tokens_in(log_in(client, kakao, mode="jwt"))["__Host-access_token"]
    other = client.application.test_client()
    other.set_cookie("access_token", token)
    problem(other.get(ME), 401, "INVALID_ACCESS_TOKEN")


def test_foreign_address_becomes_the_first_page(client: FlaskClient, kakao: FakeKakao) -> None:
    for target in ("https://evil.example/", "http://localhost:8003/", f"{FRONT}.evil.example/", "//localhost:8002/"):
        assert log_in(client, kakao, mode="jwt", next=target).location == "/", target


def test_who_is_in_with_a_session_stays_in_with_it(client: FlaskClient, kakao: FakeKakao) -> None:
    log_in(client, kakao)
    kakao.me = person(5)
    log_in(client, kakao, mode="jwt", next=FRONT)
    assert "p3902187744@example.kr" in client.get("/users/me/").text
    assert client.get(ME).get_json()["email"] == "p5@example.kr"


def test_other_modes_are_plain_logins(client: FlaskClient, kakao: FakeKakao) -> None:
    for mode in ("", "JWT", "session", "jwt,jwt"):
        response = log_in(client, kakao, mode=mode, next=WELCOME)
        assert response.location == WELCOME
        assert not cookies_in(response).keys() & {"access_token", "refresh_token"}, mode


def test_every_way_on_from_an_error_page_leads_back_to_the_front_end(client: FlaskClient, kakao: FakeKakao) -> None:
    state = begin_login(client, mode="jwt", next=WELCOME)["state"]
    query = {"error": "access_denied", "error_description": "x", "state": state}
    assert "mode=jwt" in client.get("/kakao/login/callback/", query_string=query).text
    kakao.me = person(1, email=None, email_needs_agreement=True)
    response = log_in(client, kakao, mode="jwt", next=WELCOME)
    assert response.status_code == 403
    links = [line for line in response.text.split('href="') if line.startswith("/kakao/login/")]
    assert len(links) == 2
    assert all("mode=jwt" in link and "next=http://localhost:8002/welcome" in link for link in links)
    assert cookies_in(response) == {}


# The same callback twice


def test_two_equal_callbacks_at_once_both_end_there_with_tokens(
    app: Flask, client: FlaskClient, kakao: FakeKakao
) -> None:
    state, cookie = begin_login(client, mode="jwt", next=WELCOME)["state"], set_cookie(client)
    arrived, go_on = threading.Event(), threading.Event()

    def slow_token(request: Any, context: Any) -> dict[str, Any]:
        arrived.set()
        assert go_on.wait(5)
        return kakao._token(request, context)

    kakao.fails(token={"json": slow_token})
    answers: list[Any] = []

    def click() -> None:
        browser = app.test_client()
        browser.set_cookie("session", cookie)
        answers.append(come_back(browser, state))

    threads = [threading.Thread(target=click) for _ in range(2)]
    threads[0].start()
    assert arrived.wait(5)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert [(answer.status_code, answer.location) for answer in answers] == [(302, WELCOME)] * 2
    first, second = (tokens_in(answer) for answer in answers)
    assert first["refresh_token"] == second["refresh_token"], "whichever answer the browser keeps"
    assert api_client(app, second["access_token"]).get(ME).status_code == 200
    assert [call for call in kakao.calls if call.startswith("POST")] == ["POST /oauth/token"]
    assert count_families(app) == 1


def test_reload_finds_the_tokens_of_a_lost_answer(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    state, cookie = begin_login(client, mode="jwt", next=WELCOME)["state"], set_cookie(client)
    come_back(client, state)
    browser = app.test_client()
    browser.set_cookie("session", cookie)
    assert come_back(browser, state).location == WELCOME
    assert browser.get(ME).status_code == 200
    assert count_families(app) == 1
    assert kakao.calls.count("POST /oauth/token") == 1


def test_reload_brings_nobody_back_in(client: FlaskClient, kakao: FakeKakao) -> None:
    """After a logout, after ten minutes, with another code, and in another browser."""
    state = begin_login(client, mode="jwt", next=WELCOME)["state"]
    come_back(client, state)
    assert tokens_in(come_back(client, state)) != {}
    other_code = come_back(client, state, "another-code")
    assert (other_code.location, tokens_in(other_code)) == (WELCOME, {})
    assert come_back(client.application.test_client(), state).status_code == 400
    assert client.post(REVOKE, headers=SCRIPT).status_code == 200
    after = come_back(client, state)
    assert (after.location, tokens_in(after)) == (WELCOME, {})


def test_reload_after_ten_minutes_leads_there_without_tokens(client: FlaskClient, kakao: FakeKakao, redis: Any) -> None:
    state = begin_login(client, mode="jwt", next=WELCOME)["state"]
    come_back(client, state)
    claims = redis.keys("login:*")
    assert [540 < redis.ttl(key) <= 600 for key in claims] == [True]
    redis.delete(*claims)  # Redis has a clock of its own
    response = come_back(client, state)
    assert (response.location, tokens_in(response)) == (WELCOME, {})


def test_callbacks_address_alone_brings_another_browser_no_tokens(
    app: Flask, client: FlaskClient, kakao: FakeKakao
) -> None:
    """Somebody who has seen the address, in a log or a history, has a session of their own at most."""
    state = begin_login(client, mode="jwt", next=WELCOME)["state"]
    come_back(client, state)
    thief = app.test_client()
    begin_login(thief, mode="jwt", next=WELCOME)
    answer = come_back(thief, state)
    assert answer.status_code == 400
    assert tokens_in(answer) == {}
    assert thief.get(ME).status_code == 401


def test_suspended_between_two_callbacks_gets_no_tokens(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    state = begin_login(client, mode="jwt", next=WELCOME)["state"]
    come_back(client, state)
    with app.app_context():
        db.session.query(User).one().is_active = False
        db.session.commit()
    assert tokens_in(come_back(client, state)) == {}


def test_demoted_between_two_callbacks_gets_no_tokens(app: Flask, client_as: Any, kakao: FakeKakao) -> None:
    """A refresh would be refused to them as well."""
    client = client_as("sora")
    state = begin_login(client, mode="jwt", next=WELCOME)["state"]
    assert tokens_in(come_back(client, state)) != {}
    assert tokens_in(come_back(client, state)) != {}, "a browser may have lost them"
    with app.app_context():
        roles.change_user(db.session.query(User.id).filter_by(nickname="sora").scalar(), is_staff=False)
    after = come_back(client, state)
    assert (after.location, tokens_in(after)) == (WELCOME, {})


# The cookie is not enough


#: What a browser may send along with the cookie -> the header that is wrong or missing.
FORGED: list[tuple[dict[str, str], str]] = [
    ({}, "X-CSRF-Token"),
    ({"Origin": FRONT}, "X-CSRF-Token"),
    ({"Origin": FRONT, "X-CSRF-Token": ""}, "X-CSRF-Token"),
    ({"X-CSRF-Token": "1", "Origin": "https://evil.example"}, "Origin"),
    ({"X-CSRF-Token": "1", "Origin": "http://localhost:8003"}, "Origin"),
    ({"X-CSRF-Token": "1", "Origin": "http://sister.localhost"}, "Origin"),
    ({"X-CSRF-Token": "1", "Origin": "https://localhost"}, "Origin"),
    ({"X-CSRF-Token": "1", "Origin": "null"}, "Origin"),
    ({"X-CSRF-Token": "1", "Origin": ""}, "Origin"),
    ({"X-CSRF-Token": "1", "Sec-Fetch-Site": "cross-site"}, "Origin"),
    ({"X-CSRF-Token": "1", "Sec-Fetch-Site": "same-site"}, "Origin"),
    ({"X-CSRF-Token": "1", "Origin": "null", "Sec-Fetch-Site": "same-origin"}, "Origin"),
    ({"X-CSRF-Token": "1", "Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"}, "Origin"),
]
UNSAFE = [("PATCH", ME), ("DELETE", ME), ("POST", f"{ME}logout-everywhere/"), ("POST", REFRESH), ("POST", REVOKE)]


@pytest.mark.parametrize(("method", "path"), UNSAFE)
def test_forged_change_is_refused(browser: FlaskClient, method: str, path: str) -> None:
    for headers, field in FORGED:
        answer = browser.open(path, method=method, json=CHANGE if path == ME else {}, headers=headers)
        assert list(problem(answer, 400, "INVALID_REQUEST")["fields"]) == [field], headers
    assert browser.get(ME).get_json()["nickname"] == "민지"


def test_change_from_a_script_of_ours_is_made(browser: FlaskClient) -> None:
    for number, headers in enumerate(
        [
            {"X-CSRF-Token": "1"},
            {"X-CSRF-Token": "1", "Sec-Fetch-Site": "same-origin"},
            {"X-CSRF-Token": "any value", "Origin": "http://localhost"},
            {"X-CSRF-Token": "1", "Origin": FRONT, "Sec-Fetch-Site": "same-site"},
            {"X-CSRF-Token": "1", "Origin": "https://app.example.kr", "Sec-Fetch-Site": "cross-site"},
        ]
    ):
        nickname = f"이름 {number}"
        assert browser.patch(ME, json={"nickname": nickname}, headers=headers).status_code == 200, headers
        assert browser.get(ME).get_json()["nickname"] == nickname, "reading needs no header"


def test_header_comes_before_the_cookie(app: Flask, browser: FlaskClient, kakao: FakeKakao) -> None:
    other = app.test_client()
    kakao.me = person(7)
    token = tokens_in(log_in(other, kakao, mode="jwt"))["access_token"]
    theirs = {"Authorization": f"Bearer {token}"}
    assert browser.get(ME, headers=theirs).get_json()["email"] == "p7@example.kr"
    assert browser.patch(ME, json=CHANGE, headers=theirs).status_code == 200, "no browser sends that by itself"
    for wrong in ("Bearer nonsense", "Basic bWluamk6", "Bearer"):
        problem(browser.get(ME, headers={"Authorization": wrong}), 401, "INVALID_ACCESS_TOKEN")


def test_forged_cookies_open_nothing(app: Flask) -> None:
    client = app.test_client(use_cookies=False)
    for value in ("", "x", "a.b.c", "x" * 8000, "%00", "é", '"', "null"):
        for name, address, method in (("access_token", ME, "GET"), ("refresh_token", REFRESH, "POST")):
            cookie = f"{name}={value}".encode().decode("latin-1")
            response = client.open(address, method=method, headers={"Cookie": cookie, **SCRIPT})
            problem(response, 401, "INVALID_ACCESS_TOKEN")
            assert cookies_in(response) == {}


def test_two_cookies_of_one_name_are_none(browser: FlaskClient) -> None:
    token = set_cookie(browser, "access_token")
    alone = browser.application.test_client(use_cookies=False)
    assert alone.get(ME, headers={"Cookie": f"access_token={token}"}).status_code == 200
    for pair in ((token, "planted"), ("planted", token), (token, token)):
        cookie = "; ".join(f"access_token={value}" for value in pair)
        other = browser.application.test_client(use_cookies=False)
        problem(other.get(ME, headers={"Cookie": cookie}), 401, "INVALID_ACCESS_TOKEN")


def test_each_cookie_opens_its_own_address_only(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    tokens = tokens_in(log_in(app.test_client(), kakao, mode="jwt"))
    log_in(client, kakao)
    problem(client.get(ME), 401, "INVALID_ACCESS_TOKEN")
    for name, value in {**tokens, "session": tokens["access_token"]}.items():
        browser = app.test_client()
        browser.set_cookie(name, value)
        assert browser.get("/users/me/").status_code == 302, name
    crossed = app.test_client()
    crossed.set_cookie("access_token", tokens["refresh_token"])
    crossed.set_cookie("refresh_token", tokens["access_token"], path=REFRESH)
    problem(crossed.get(ME), 401, "INVALID_ACCESS_TOKEN")
    problem(crossed.post(REFRESH, headers=SCRIPT), 401, "INVALID_ACCESS_TOKEN")


# Refreshed, ended


def test_refresh_by_cookie_turns_both_cookies_and_shows_no_token(browser: FlaskClient) -> None:
    bodies: list[dict[str, Any]] = [{"json": {}}, {"json": {"refresh_token": None}}, {}]
    for body in bodies:
        old = {set_cookie(browser, "access_token"), refresh_cookie(browser)}
        browser.delete_cookie("access_token")  # as browsers do when its time is over
        problem(browser.get(ME), 401, "INVALID_ACCESS_TOKEN")
        response = browser.post(REFRESH, headers=SCRIPT, **body)
        assert response.get_json() == {"token_type": "Cookie", "expires_in": 300}
        new = tokens_in(response)
        assert set(new) == {"access_token", "refresh_token"}
        assert not old & set(new.values())
        assert not any(token in response.text for token in new.values())
        assert browser.get(ME).status_code == 200


def test_refresh_by_body_answers_in_the_body(app: Flask, browser: FlaskClient, people: dict[str, int]) -> None:
    """Also in a browser that has cookies, and without the header: it is no browser that sends it by itself."""
    pair = tokens_of(app, people["sora"])
    response = browser.post(REFRESH, json={"refresh_token": pair.refresh_token})
    assert cookies_in(response) == {}
    assert response.get_json()["refresh_token"] != pair.refresh_token


def test_two_tabs_that_refresh_at_once_stay_in(app: Flask, browser: FlaskClient) -> None:
    other = app.test_client()
    other.set_cookie("refresh_token", refresh_cookie(browser), path=REFRESH)
    answers = [tokens_in(tab.post(REFRESH, headers=SCRIPT)) for tab in (browser, other)]
    assert answers[0]["refresh_token"] == answers[1]["refresh_token"]
    assert browser.post(REFRESH, headers=SCRIPT).status_code == 200


def test_stolen_refresh_cookie_ends_the_login(app: Flask, browser: FlaskClient) -> None:
    thief = app.test_client()
    thief.set_cookie("refresh_token", refresh_cookie(browser), path=REFRESH)
    for _ in range(2):
        assert browser.post(REFRESH, headers=SCRIPT).status_code == 200
    problem(thief.post(REFRESH, headers=SCRIPT), 401, "INVALID_ACCESS_TOKEN")
    problem(browser.get(ME), 401, "INVALID_ACCESS_TOKEN")
    problem(browser.post(REFRESH, headers=SCRIPT), 401, "EXPIRED_TOKEN")


def test_logout_ends_the_family_and_clears_the_cookies(app: Flask, browser: FlaskClient) -> None:
    token = set_cookie(browser, "access_token")
    response = browser.post(REVOKE, headers=SCRIPT)
    cookies = cookies_in(response)
    assert (response.status_code, response.get_json()) == (200, {})
    assert {name: (cookie.value, cookie["path"], cookie["max-age"]) for name, cookie in cookies.items()} == {
        "access_token": ("", "/", "0"),
        "refresh_token": ("", REFRESH, "0"),
    }
    assert refresh_cookie(browser) == ""
    assert count_families(app) == 0
    problem(api_client(app, token).get(ME), 401, "INVALID_ACCESS_TOKEN")


def test_logout_with_an_access_token_that_is_over_ends_the_login(app: Flask, browser: FlaskClient) -> None:
    """A front end that slept over lunch: the browser still sends the cookie, which says whose login it is."""
    refresh_token = refresh_cookie(browser)
    with time_machine.travel(time.time() + 3600):
        problem(browser.get(ME), 401, "EXPIRED_TOKEN")
        assert browser.post(REVOKE, headers=SCRIPT).status_code == 200
        answer = app.test_client().post(REFRESH, json={"refresh_token": refresh_token})
        problem(answer, 401, "EXPIRED_TOKEN")
    assert count_families(app) == 0


def test_form_on_another_site_logs_nobody_out(app: Flask, browser: FlaskClient) -> None:
    """SameSite keeps the cookies out of such a post, so nothing stands in it that could be refused."""
    bare = app.test_client()
    for data in ({}, {"data": "", "content_type": "application/x-www-form-urlencoded"}):
        response = bare.post(REVOKE, headers={"Origin": "https://evil.example"}, **data)
        assert cookies_in(response) == {}
    assert cookies_in(bare.post(REVOKE, data="token=x", content_type="text/plain")) == {}
    assert browser.get(ME).status_code == 200


# Whose scripts may read


NOT_OURS = (
    f"{FRONT}.evil.example",
    "http://evil-localhost:8002",
    "http://localhost:80022",
    "http://localhost:800",
    "http://localhost",
    "http://localhost:8003",
    "https://localhost:8002",
    f"{FRONT}/",
    "http://LOCALHOST:8002",
    "https://app.example.kr.evil.example",
    "https://evil.app.example.kr",
    "https://example.kr",
    "null",
    "*",
    "",
    f"{FRONT},https://evil.example",
)
ASKED = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "content-type,x-csrf-token"}


def permissions(response: Any) -> dict[str, str]:
    head = "Access-Control-"
    return {name.removeprefix(head): value for name, value in response.headers.items() if name.startswith(head)}


def test_no_other_origin_may_read(browser: FlaskClient) -> None:
    for origin in NOT_OURS:
        for response in (
            browser.get(ME, headers={"Origin": origin}),
            browser.options(ME, headers={"Origin": origin, **ASKED}),
            browser.options(REFRESH, headers={"Origin": origin, **ASKED}),
        ):
            assert permissions(response) == {}, origin
            assert "Origin" in response.vary
    assert permissions(browser.get(ME)) == permissions(browser.options(ME, headers=ASKED)) == {}
    assert "Origin" in browser.get(ME).vary


def test_preflight_is_answered_before_any_guard(client: FlaskClient) -> None:
    for origin in (FRONT, "https://app.example.kr"):
        for path in (ME, "/api/users/", "/api/users/1/", REFRESH, REVOKE, "/api/auth/kakao/"):
            response = client.options(path, headers={"Origin": origin, **ASKED})
            assert (response.status_code, response.data) == (204, b""), path
            assert "Origin" in response.vary
            assert permissions(response) == {
                "Allow-Origin": origin,
                "Allow-Credentials": "true",
                "Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
                "Allow-Headers": "Authorization, Content-Type, X-CSRF-Token",
                "Expose-Headers": "Retry-After, WWW-Authenticate",
                "Max-Age": "600",
            }


def test_front_end_may_read_answers_and_refusals(browser: FlaskClient) -> None:
    bare = browser.application.test_client()
    for response, status in (
        (browser.get(ME, headers=SCRIPT), 200),
        (bare.get(ME, headers=SCRIPT), 401),
        (browser.get("/api/nowhere/", headers=SCRIPT), 404),
        (browser.put(ME, headers=SCRIPT), 405),
        (browser.patch(ME, json={"is_staff": True}, headers=SCRIPT), 400),
    ):
        assert response.status_code == status
        assert permissions(response) == {
            "Allow-Origin": FRONT,
            "Allow-Credentials": "true",
            "Expose-Headers": "Retry-After, WWW-Authenticate",
        }
        assert {"origin", "cookie"} <= {name.lower() for name in response.vary}


def test_outside_the_api_no_script_may_read(browser: FlaskClient) -> None:
    for path in ("/", "/users/me/", "/kakao/login/", "/healthz", "/.well-known/jwks.json", "/apiary"):
        for method in ("GET", "OPTIONS"):
            response = browser.open(path, method=method, headers={"Origin": FRONT, **ASKED})
            assert permissions(response) == {}, path


# The settings, and the example


@pytest.mark.parametrize(
    ("given", "origins"),
    [
        ("https://App.Example.KR/", ("https://app.example.kr",)),
        ("https://a.kr:443,http://localhost:80", ("https://a.kr", "http://localhost")),
        ("https://a.kr:8443, http://[::1]:3000", ("https://a.kr:8443", "http://[::1]:3000")),
    ],
)
def test_origins_are_kept_as_browsers_write_them(
    settings: dict[str, Any], given: str, origins: tuple[str, ...]
) -> None:
    assert load({**settings, "KAKAOAUTH_FRONTEND_ORIGINS": given})["KAKAOAUTH_FRONTEND_ORIGINS"] == origins


def test_example_goes_with_the_sandbox_until_front_ends_are_named(settings: dict[str, Any]) -> None:
    bare = {name: value for name, value in settings.items() if not name.startswith("KAKAO_")}
    with_sandbox = load({**bare, "FRONTEND_PORT": 9002})
    assert with_sandbox["KAKAOAUTH_FRONTEND_ORIGINS"] == ("http://localhost:9002",)
    assert front_end.is_wanted(with_sandbox)
    assert front_end.is_wanted(
        load({**bare, "KAKAOAUTH_FRONTEND_ORIGINS": "http://localhost:3000, http://localhost:8002"})
    )
    assert not front_end.is_wanted(load({**bare, "KAKAOAUTH_FRONTEND_ORIGINS": "http://localhost:3000"}))
    assert load(settings)["KAKAOAUTH_FRONTEND_ORIGINS"] == ()
    assert not front_end.is_wanted(load({**settings, "KAKAOAUTH_FRONTEND_ORIGINS": "http://localhost:8002"}))


def test_example_serves_its_three_files_and_nothing_else() -> None:
    port = free_port()
    origin = f"http://localhost:{port}"
    server = front_end.Server(port, origin, "http://localhost:8000")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()

    def ask(path: str, method: str = "GET", host: str = f"localhost:{port}") -> tuple[int, Any, str]:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request(method, path, headers={"Host": host})
        answer = connection.getresponse()
        found = answer.status, answer.headers, answer.read().decode()
        connection.close()
        assert "script-src 'self'; style-src 'self'; connect-src http://localhost:8000;" in str(
            answer.headers["Content-Security-Policy"]
        )
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        return found

    try:
        status, headers, page = ask("/?a=1")
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert '<meta name="site" content="http://localhost:8000">' in page
        assert ask("/front_end.js")[1]["Content-Type"] == "text/javascript; charset=utf-8"
        assert ask("/front_end.css")[0] == 200
        assert ask("/", "HEAD")[::2] == (200, "")
        for path in ("/index.html", "/front_end.py", "/../front_end.py", "/%2e%2e/config.py", "//etc/passwd"):
            assert ask(path)[0] == 404, path
        assert ask("/", "POST")[0] == 501
        for host in (f"127.0.0.1:{port}", "evil.example"):
            status, headers, page = ask("/", host=host)
            assert (status, headers["Location"], page) == (302, f"{origin}/", "")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
