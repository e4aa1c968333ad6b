"""What stands between us and the browser: headers, host names, proxies, language, forged forms, and the logout."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask, request, url_for
from flask.testing import FlaskClient
from redis import Redis
from support import (
    CLIENT_ID,
    KAUTH,
    FakeKakao,
    api_client,
    begin_login,
    csrf_token,
    is_logged_in,
    log_in,
    new_user,
    problem,
    set_cookie,
    tokens_of,
)
from support.apps import close
from support.stored_sessions import opened
from werkzeug.exceptions import BadRequestKeyError

from kakaoauth import create_app

ClientAs = Callable[[str], FlaskClient]
MakeApp = Callable[..., Flask]

#: One of every kind: who asks for it, its address, its status.
KINDS = [
    ("anonymous", "/", 200),
    ("anonymous", "/kakao/login/", 302),
    ("anonymous", "/kakao/login/callback/?code=x&state=y", 400),
    ("anonymous", "/users/", 302),
    ("anonymous", "/nowhere/", 404),
    ("anonymous", "/api/nowhere/", 404),
    ("anonymous", "/healthz", 200),
    ("anonymous", "/kakaoauth/style.css", 200),
    ("minji", "/", 200),
    ("minji", "/users/me/", 200),
    ("minji", "/users/", 403),
    ("minji", "/kakao/logout/", 200),
    ("sora", "/users/", 200),
]


# Headers


@pytest.mark.parametrize(("who", "path", "status"), KINDS)
def test_every_answer_carries_the_walls(client_as: ClientAs, who: str, path: str, status: int) -> None:
    with client_as(who).get(path) as answer:
        assert answer.status_code == status
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' https:",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "form-action": f"'self' {KAUTH} https://accounts.kakao.com",
    }
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Referrer-Policy"] == ("no-referrer" if "/callback/" in path else "same-origin")
    assert "camera=()" in answer.headers["Permissions-Policy"]
    assert "Strict-Transport-Security" not in answer.headers
    if path.startswith("/kakaoauth/"):
        assert "max-age=" in answer.headers["Cache-Control"]
        assert "Set-Cookie" not in answer.headers
    else:
        assert answer.headers["Cache-Control"] == "no-store"
        assert {"Cookie", "Accept-Language"} <= set(answer.headers["Vary"].split(", "))


@pytest.mark.parametrize(("who", "path", "status"), [kind for kind in KINDS if kind[1] != "/kakaoauth/style.css"])
def test_pages_keep_to_their_own_policy(client_as: ClientAs, who: str, path: str, status: int) -> None:
    """The policy forbids them, so a page that had one would be broken in the browser."""
    text = client_as(who).get(path).text
    assert not re.search(r"<script(?! src=./kakaoauth/)|<style|\sstyle=|\son\w+=|javascript:|<iframe|<base", text, re.I)


def test_https_is_promised_on_https_only(make_app: MakeApp) -> None:
    client = make_app(TRUSTED_PROXIES=1, PUBLIC_URL="").test_client()
    answer = client.get("/", headers={"X-Forwarded-Proto": "https", "X-Forwarded-Host": "login.example.kr"})
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Strict-Transport-Security" not in client.get("/").headers


def test_redirect_uri_names_the_only_host_behind_a_proxy(make_app: MakeApp) -> None:
    uri = "https://login.example.kr/kakao/login/callback/"
    client = make_app(TRUSTED_PROXIES=1, PUBLIC_URL="", KAKAO_REDIRECT_URI=uri).test_client()
    for host, status in (("login.example.kr", 200), ("evil.example", 400), ("login.example.kr.evil.example", 400)):
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": host}
        assert client.get("/", headers=headers).status_code == status, host


def test_public_https_address_promises_https(make_app: MakeApp) -> None:
    answer = make_app(PUBLIC_URL="https://login.example.kr").test_client().get("/")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


# Host names


FOREIGN = [
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example:80",
    "localhost@evil.example",
    "evil.example#localhost",
    "10.0.0.1",
    "[::ffff:10.0.0.1]",
    "0.0.0.0",
    "local host",
    "[::1",
    "..",
]


@pytest.mark.parametrize("host", FOREIGN)
def test_foreign_host_is_refused_and_never_in_an_address(client: FlaskClient, redis: Redis, host: str) -> None:
    for path in ("/", "/kakao/login/", "/users/me/", "/nowhere/"):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code == 400, path
        assert "evil" not in answer.text + str(answer.headers)
    assert redis.keys() == []


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST"])
def test_this_machine_is_nobody_foreign(client: FlaskClient, host: str) -> None:
    answer = client.get("/kakao/login/", headers={"Host": host})
    assert answer.status_code == 302
    redirect_uri = parse_qs(urlsplit(answer.location).query)["redirect_uri"][0]
    assert redirect_uri.lower() == f"http://{host.lower()}/kakao/login/callback/"


def test_health_is_answered_whatever_the_load_balancer_calls_us(client: FlaskClient) -> None:
    assert client.get("/healthz", headers={"Host": "10.0.0.7:8000"}).status_code == 200


def test_host_of_the_redirect_uri_is_ours(make_app: MakeApp) -> None:
    uri = "https://login.example.kr/kakao/login/callback/"
    client = make_app(KAKAO_REDIRECT_URI=uri).test_client()
    for host in ("login.example.kr", "LOGIN.example.kr"):
        answer = client.get("/kakao/login/", headers={"Host": host})
        assert parse_qs(urlsplit(answer.location).query)["redirect_uri"] == [uri]
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_with_a_public_url_the_host_header_decides_nothing(make_app: MakeApp) -> None:
    client = make_app(PUBLIC_URL="https://login.example.kr").test_client()
    for host in (*FOREIGN, "localhost", "login.example.kr:8443"):
        answer = client.get("/kakao/login/", headers={"Host": host, "X-Forwarded-Host": "evil.example"})
        assert answer.status_code == 302
        redirect_uri = parse_qs(urlsplit(answer.location).query)["redirect_uri"]
        assert redirect_uri == ["https://login.example.kr/kakao/login/callback/"]


def test_public_url_decides_behind_a_proxy_as_well(make_app: MakeApp) -> None:
    client = make_app(PUBLIC_URL="https://login.example.kr", TRUSTED_PROXIES=1).test_client()
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    answer = client.get("/kakao/login/", headers=headers)
    redirect_uri = parse_qs(urlsplit(answer.location).query)["redirect_uri"]
    assert redirect_uri == ["https://login.example.kr/kakao/login/callback/"]
    assert answer.headers["Set-Cookie"].startswith("__Host-session=")


def test_with_a_public_url_nothing_else_says_the_address(make_app: MakeApp) -> None:
    app = make_app(PUBLIC_URL="https://login.example.kr", TRUSTED_PROXIES=1)
    app.add_url_rule("/seen/", view_func=lambda: [request.environ["SERVER_NAME"], request.remote_addr])
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "203.0.113.9"}
    answer = app.test_client().get("/seen/", headers=headers)
    assert answer.json == ["localhost", "203.0.113.9"]


# Proxies


FORWARDED = {
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "8443",
    "X-Forwarded-Prefix": "/evil",
    "Forwarded": "for=127.0.0.1;proto=https;host=evil.example",
}


@pytest.fixture
def seen(make_app: MakeApp) -> Callable[..., dict[str, Any]]:
    """What a view sees of a request that comes from `address`, with the headers of FORWARDED."""

    def seen(address: str, headers: dict[str, str], **settings: Any) -> dict[str, Any]:
        app = make_app(**settings)

        @app.get("/seen/")
        def view() -> dict[str, Any]:
            return {
                "address": request.remote_addr,
                "scheme": request.scheme,
                "home": url_for("kakaoauth.auth.index", _external=True),
            }

        answer = app.test_client().get("/seen/", headers=headers, environ_base={"REMOTE_ADDR": address})
        return answer.json or {"status": answer.status_code}

    return seen


def test_forwarded_headers_are_ignored_without_a_trusted_proxy(seen: Callable[..., dict[str, Any]]) -> None:
    assert seen("203.0.113.9", FORWARDED) == {
        "address": "203.0.113.9",
        "scheme": "http",
        "home": "http://localhost/",
    }


def test_forwarded_headers_are_believed_of_one_proxy(seen: Callable[..., dict[str, Any]]) -> None:
    headers = {
        "X-Forwarded-For": "198.51.100.1, 203.0.113.9",
        "X-Forwarded-Proto": "http, https",
        "X-Forwarded-Host": "evil.example, login.example.kr",
        "X-Forwarded-Prefix": "/evil",
    }
    assert seen("10.0.0.2", headers, TRUSTED_PROXIES=1) == {
        "address": "203.0.113.9",
        "scheme": "https",
        "home": "https://login.example.kr/",
    }


def test_of_two_proxies_the_second_last_is_the_browser(seen: Callable[..., dict[str, Any]]) -> None:
    headers = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9, 10.0.0.1"}
    assert seen("10.0.0.2", headers, TRUSTED_PROXIES=2)["address"] == "203.0.113.9"


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:5678", "203.0.113.9"),
        ('"203.0.113.9:1"', "203.0.113.9"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ('"[2001:db8::1]:443"', "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:99", "fe80::1"),
        ("[::ffff:203.0.113.9]:80", "203.0.113.9"),
        ("unknown", "unknown"),
        ("_hidden", "unknown"),
        ("203.0.113.9:port", "unknown"),
        ("[2001:db8::1]443x", "unknown"),
        ("999.1.1.1:80", "unknown"),
        (":80", "unknown"),
        ("x" * 5000, "unknown"),
        ("127.0.0.1.evil.example", "unknown"),
    ],
)
def test_a_forwarded_address_has_no_port_and_nonsense_has_one_name(
    seen: Callable[..., dict[str, Any]], written: str, address: str
) -> None:
    headers = {"X-Forwarded-For": f"198.51.100.1, {written}"}
    assert seen("10.0.0.2", headers, TRUSTED_PROXIES=1)["address"] == address


def test_forged_scheme_does_not_change_the_cookie(client: FlaskClient) -> None:
    header = client.get("/kakao/login/", headers=FORWARDED).headers["Set-Cookie"]
    assert header.startswith("session=")
    assert "Secure" not in header


# The embedded parts


@pytest.fixture
def embedded(settings: dict[str, Any], redis_url: str, create_tables: Callable[[Flask], None]) -> Iterator[FlaskClient]:
    """The site with the sandbox embedded."""
    kept = {name: value for name, value in settings.items() if not name.startswith("KAKAO_")}
    app = create_app(kept)
    assert app.config["KAKAOAUTH_EMBEDDED"] == {"kakao"}
    create_tables(app)
    yield app.test_client()
    close(app)


@pytest.mark.parametrize("address", ["192.168.0.7", "203.0.113.9", "::ffff:203.0.113.9", "2001:db8::1"])
def test_embedded_site_refuses_whoever_is_not_on_this_machine(embedded: FlaskClient, address: str) -> None:
    for path in ("/", "/kakao/login/", "/users/", "/kakaoauth/style.css", "/healthz"):
        assert embedded.get(path, environ_base={"REMOTE_ADDR": address}).status_code == 403, path
    forged = {**FORWARDED, "X-Forwarded-Host": "localhost"}
    assert embedded.get("/", headers=forged, environ_base={"REMOTE_ADDR": address}).status_code == 403


@pytest.mark.parametrize(
    "name",
    [
        *("Forwarded", "Via", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded"),
        *(
            "CF-Connecting-IP",
            "CF-Ray",
            "True-Client-IP",
            "X-Client-IP",
            "X-Original-Host",
            "Fly-Client-IP",
            "CDN-Loop",
        ),
    ],
)
@pytest.mark.parametrize("value", ["127.0.0.1", ""])
def test_embedded_site_refuses_what_a_tunnel_has_forwarded(embedded: FlaskClient, name: str, value: str) -> None:
    for path in ("/", "/kakao/login/", "/kakaoauth/style.css", "/healthz", "/api/users/me/", "/nowhere/"):
        answer = embedded.get(path, headers={name: value, "Host": "localhost"})
        assert answer.status_code == 403, path
    assert "ssh -L" in embedded.get("/", headers={name: value}).text


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"])
def test_embedded_site_serves_this_machine(embedded: FlaskClient, address: str) -> None:
    assert embedded.get("/", environ_base={"REMOTE_ADDR": address}).status_code == 200


def test_real_site_serves_everybody(client: FlaskClient) -> None:
    assert client.get("/", environ_base={"REMOTE_ADDR": "203.0.113.9"}).status_code == 200


# Language


def language_of(answer: Any) -> str:
    return re.search(r'<html lang="(\w+)">', answer.text)[1]  # type: ignore[index]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "ko"),
        ("ko", "ko"),
        ("en", "en"),
        ("en-US,en;q=0.9,ko;q=0.8", "en"),
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("fr-FR,fr;q=0.9", "ko"),
        ("fr,en;q=0.5", "en"),
        ("*", "ko"),
        ("ko;q=0,en", "en"),
        ("../../etc/passwd", "ko"),
        ("en;q=nonsense", "ko"),
        ("e" * 9000, "ko"),
        ("\xff\xfe", "ko"),
    ],
)
def test_browsers_wish_decides_the_language(client: FlaskClient, header: str, language: str) -> None:
    answer = client.get("/", headers={"Accept-Language": header} if header else {})
    assert (answer.status_code, language_of(answer)) == (200, language)
    assert ("카카오 로그인" in answer.text) == (language == "ko")


def test_chosen_language_wins_and_is_remembered(client: FlaskClient) -> None:
    chosen = client.get("/?lang=en", headers={"Accept-Language": "ko"})
    assert language_of(chosen) == "en"
    cookie = chosen.headers["Set-Cookie"]
    assert cookie.startswith("lang=en;")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    later = client.get("/users/me/", headers={"Accept-Language": "ko"}, follow_redirects=True)
    assert language_of(later) == "en"
    assert "Set-Cookie" not in later.headers
    assert language_of(client.get("/?lang=ko")) == "ko"
    assert language_of(client.get("/nowhere/")) == "ko"


def test_what_most_requests_lack_makes_no_exception(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """One takes longer than to write a header."""
    made: list[str] = []

    def note(error: BadRequestKeyError, name: str) -> None:
        made.append(name)

    monkeypatch.setattr(BadRequestKeyError, "__init__", note)
    assert client.get("/").status_code == 200
    assert not {"lang", "kakaoauth_last"} & set(made)


def test_what_serves_a_page_is_asked_once_whether_it_is_a_coroutine(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/").status_code == 200
    monkeypatch.delattr("flask.app.iscoroutinefunction")
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "odd", ["../../etc", "fr", "", "EN", "en_US", "ko%00", "e", "en;", "<script>", "%0d%0aSet-Cookie:x=1", "x" * 5000]
)
def test_impossible_language_is_no_choice(client: FlaskClient, odd: str) -> None:
    answer = client.get(f"/?lang={odd}")
    assert (answer.status_code, language_of(answer)) == (200, "ko")
    assert "Set-Cookie" not in answer.headers
    client.set_cookie("lang", "../../etc")
    assert language_of(client.get("/", headers={"Accept-Language": "en"})) == "en"


def test_zero_byte_in_an_address_is_no_error(make_app: MakeApp, postgres_url: str) -> None:
    """PostgreSQL's driver refuses one."""
    app = make_app(DATABASE_URL=postgres_url)
    user_id = new_user(app, "minji@example.kr")
    app_of_hers = api_client(app, tokens_of(app, user_id).access_token)
    for text in ("%00", "a%00b"):
        assert app.test_client().get(f"/kakao/data-deletion/{text}/").status_code == 404
        problem(app_of_hers.delete(f"/api/users/me/consents/{text}/"), 404, "NOT_FOUND")


def test_language_cookie_is_secure_on_https(make_app: MakeApp) -> None:
    client = make_app(PUBLIC_URL="https://login.example.kr").test_client()
    assert "Secure" in client.get("/?lang=en").headers["Set-Cookie"]


# Forged forms


@pytest.fixture
def minji(client_as: ClientAs) -> FlaskClient:
    return client_as("minji")


GOOD: list[dict[str, str]] = [
    {},
    {"Origin": "http://localhost"},
    {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    # Browsers send "null" after a redirect and under some privacy settings; they vouch for themselves beside it.
    {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
]
BAD: list[dict[str, str]] = [
    {"Origin": "https://evil.example"},
    {"Origin": "http://evil.localhost"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost:81"},
    {"Origin": "https://localhost"},
    {"Origin": "http://localhost@evil.example"},
    {"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"},
    {"Origin": "null"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Origin": ""},
    {"Origin": "http://[::1"},
    {"Origin": "localhost"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "nonsense"},
]


@pytest.mark.parametrize("headers", GOOD, ids=str)
def test_form_of_ours_is_obeyed(minji: FlaskClient, headers: dict[str, str]) -> None:
    answer = minji.post("/kakao/logout/", data={"csrf_token": csrf_token(minji)}, headers=headers)
    assert answer.status_code == 302
    assert not is_logged_in(minji)


@pytest.mark.parametrize("headers", BAD, ids=str)
def test_form_from_elsewhere_is_refused_even_with_the_token(minji: FlaskClient, headers: dict[str, str]) -> None:
    answer = minji.post("/kakao/logout/", data={"csrf_token": csrf_token(minji)}, headers=headers)
    assert answer.status_code == 400
    assert 'data-code="FORM_EXPIRED"' in answer.text
    assert is_logged_in(minji)


def test_page_on_a_public_host_is_on_https_whatever_the_proxy_speaks(make_app: MakeApp) -> None:
    host = "login.example.kr"
    client = make_app(PUBLIC_URL="", KAKAO_REDIRECT_URI=f"https://{host}/kakao/login/callback/").test_client()
    page = client.get("/login/", base_url=f"http://{host}")
    data = {"csrf_token": page.text.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]}
    for origin, is_ours in ((f"https://{host}", True), (f"http://{host}", False)):
        answer = client.post("/login/", data=data, base_url=f"http://{host}", headers={"Origin": origin})
        assert ('data-code="FORM_EXPIRED"' not in answer.text) == is_ours, origin


def test_form_without_this_sessions_token_is_refused(client_as: ClientAs, minji: FlaskClient) -> None:
    token, theirs = csrf_token(minji), csrf_token(client_as("sora"))
    forged = [{}, {"csrf_token": ""}, {"csrf_token": "x"}, {"csrf_token": token[:-1]}, {"csrf_token": theirs}]
    for data in forged:
        answer = minji.post("/kakao/logout/", data=data)
        assert answer.status_code == 400, data
        assert 'data-code="FORM_EXPIRED"' in answer.text
    assert minji.post(f"/kakao/logout/?csrf_token={token}").status_code == 400
    assert is_logged_in(minji)


def test_token_of_before_the_login_is_worthless_after_it(app: Flask, kakao: FakeKakao) -> None:
    client = app.test_client()
    log_in(client, kakao)
    before = csrf_token(client)
    log_in(client, kakao)
    assert client.post("/kakao/logout/", data={"csrf_token": before}).status_code == 400
    assert is_logged_in(client)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_logout_by_a_link_changes_nothing(minji: FlaskClient, method: str) -> None:
    cookie = set_cookie(minji)
    token = csrf_token(minji)
    for query in ("", "?account=1", f"?csrf_token={token}"):
        assert minji.open(f"/kakao/logout/{query}", method=method).status_code == 200
    assert set_cookie(minji) == cookie
    assert is_logged_in(minji)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_methods_are_not_for_the_logout(minji: FlaskClient, method: str) -> None:
    assert minji.open("/kakao/logout/", method=method, data={"csrf_token": csrf_token(minji)}).status_code == 405
    assert is_logged_in(minji)


# Logout


def leave_account(client: FlaskClient) -> Any:
    return client.post("/kakao/logout/", data={"csrf_token": csrf_token(client, "/kakao/logout/"), "account": "1"})


def test_logout_page_asks_which_one(minji: FlaskClient) -> None:
    text = minji.get("/kakao/logout/?lang=en").text
    assert "Log out of this site and of Kakao" in text
    assert text.count('method="post" action="/kakao/logout/"') >= 2


def test_local_logout_ends_here(minji: FlaskClient, kakao: FakeKakao) -> None:
    before = len(kakao.calls)
    answer = minji.post("/kakao/logout/", data={"csrf_token": csrf_token(minji)})
    assert (answer.status_code, answer.location) == (302, "/")
    assert answer.headers["Clear-Site-Data"] == '"cache"'
    assert kakao.calls[before:] == ["POST /v1/user/logout"]


def test_account_logout_goes_to_kakao_after_the_local_one(
    app: Flask, minji: FlaskClient, kakao: FakeKakao, redis: Redis
) -> None:
    copied = set_cookie(minji)
    before = len(kakao.calls)
    answer = leave_account(minji)
    assert answer.status_code == 302
    address = urlsplit(answer.location)
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{KAUTH}/oauth/logout"
    query = dict(parse_qs(address.query))
    (state,) = query.pop("state")
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", state)
    assert query == {"client_id": [CLIENT_ID], "logout_redirect_uri": ["http://localhost/kakao/logout/callback/"]}
    assert kakao.calls[before:] == ["POST /v1/user/logout"], "to /oauth/logout goes the browser, not we"
    thief = app.test_client()
    thief.set_cookie("session", copied)
    assert not is_logged_in(thief), "the local session ended first"
    assert not is_logged_in(minji)
    (left,) = redis.keys("session:*")
    assert "_user_id" not in opened(redis.get(left)), "what waits for the way back from Kakao"


def test_return_from_kakaos_logout_is_believed_once(minji: FlaskClient) -> None:
    state = parse_qs(urlsplit(leave_account(minji).location).query)["state"][0]
    answer = minji.get(f"/kakao/logout/callback/?state={state}")
    assert (answer.status_code, answer.location) == (302, "/")
    assert minji.get(f"/kakao/logout/callback/?state={state}").status_code == 400


@pytest.mark.parametrize("query", ["", "?state=", "?state=forged", "?state={state}x", "?state={state}&state={state}"])
def test_forged_return_from_kakaos_logout_is_nobodys(minji: FlaskClient, query: str) -> None:
    state = parse_qs(urlsplit(leave_account(minji).location).query)["state"][0]
    answer = minji.get("/kakao/logout/callback/" + query.format(state=state))
    assert answer.status_code == 400
    assert "forged" not in answer.text


def test_return_without_a_logout_is_nobodys_and_logs_nobody_out(minji: FlaskClient) -> None:
    assert minji.get("/kakao/logout/callback/").status_code == 400
    assert minji.get("/kakao/logout/callback/?state=None").status_code == 400
    assert is_logged_in(minji)


def test_return_address_of_the_logout_is_on_the_public_url(make_app: MakeApp, kakao: FakeKakao) -> None:
    client = make_app(PUBLIC_URL="https://login.example.kr").test_client()
    base = "https://login.example.kr"
    sent = client.get("/kakao/login/", base_url=base)
    query = {name: values[0] for name, values in parse_qs(urlsplit(sent.location).query).items()}
    client.get("/kakao/login/callback/", query_string={"state": query["state"], "code": "c"}, base_url=base)
    page = client.get("/kakao/logout/", base_url=base)
    token = page.text.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]
    answer = client.post(
        "/kakao/logout/", data={"csrf_token": token, "account": "1"}, base_url=base, headers={"Origin": base}
    )
    wanted = ["https://login.example.kr/kakao/logout/callback/"]
    assert parse_qs(urlsplit(answer.location).query)["logout_redirect_uri"] == wanted


def test_login_right_after_an_account_logout_works(minji: FlaskClient, kakao: FakeKakao) -> None:
    leave_account(minji)
    assert begin_login(minji)["state"]
    assert log_in(minji, kakao).status_code == 302
    assert is_logged_in(minji)
