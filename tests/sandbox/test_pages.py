"""Pages: what stands on them, their headers, own people, home, logout."""

import re

import pytest
from support.sandbox import AFTER_LOGOUT, SETTINGS, Sandbox, page_of, request_id, returned

from kakaoauth.sandbox.pages.texts import TEXTS
from kakaoauth.sandbox.people.kakao import SAMPLE_PEOPLE

NAME = "kakaoauth 샌드박스 — 카카오가 아닙니다 / not Kakao"


def every_page(sandbox):
    chooser = sandbox.authorize()
    yield chooser
    yield sandbox.enter(chooser, "html")
    yield sandbox.authorize(client_id="x")
    yield logout_page(sandbox)
    tools = ("/sandbox/console", "/sandbox/faults", "/sandbox/webhooks", "/sandbox/tools")
    for path in ("/", *tools, "/nowhere", "/oauth/nowhere", "/oauth/authorize/step"):
        yield sandbox.browser.get(path)
    yield sandbox.browser.delete("/oauth/authorize")
    yield sandbox.browser.post("/forget", data={"x": "y" * 70_000})
    yield sandbox.browser.get("/", headers={"Host": "rebound.example"})


def logout_page(sandbox, **query):
    given = {"client_id": SETTINGS.client_id, "logout_redirect_uri": AFTER_LOGOUT, "state": "bye"} | query
    return sandbox.browser.get(
        "/oauth/logout", query_string={name: value for name, value in given.items() if value is not None}
    )


def answer_logout(sandbox, page, decision):
    return sandbox.browser.post("/oauth/logout", data={"request": request_id(page), "decision": decision})


def form_token(sandbox):
    return re.search(r'name="token" value="([^"]+)"', sandbox.browser.get("/").text)[1]


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_page_says_that_it_is_not_kakao(sandbox, language):
    sandbox.browser.environ_base["HTTP_ACCEPT_LANGUAGE"] = language
    for page in every_page(sandbox):
        assert f'<html lang="{language}">' in page.text
        assert NAME in page.text
        assert "(not Kakao)</title>" in page.text
        assert page_of(page)


def test_every_page_has_its_headers_and_nothing_inline(sandbox):
    for page in every_page(sandbox):
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=|type=\"password\"", page.text)


def test_language_follows_the_browser_and_is_korean_otherwise(sandbox):
    assert "누구로 로그인할까요?" in sandbox.authorize().text
    sandbox.browser.environ_base["HTTP_ACCEPT_LANGUAGE"] = "de"
    assert "누구로 로그인할까요?" in sandbox.authorize().text
    sandbox.browser.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en-US,en;q=0.9"
    assert "Log in as whom?" in sandbox.authorize().text


def test_every_text_is_there_in_both_languages():
    for key, pair in TEXTS.items():
        assert len(pair) == 2, key
        assert all(pair), key


def test_assets_are_served_and_may_be_cached(sandbox):
    with sandbox.browser.get("/static/sandbox.css") as answer:
        assert answer.status_code == 200
        assert answer.headers.get("Cache-Control") != "no-store"


def test_cookie_has_its_own_name_and_is_out_of_reach_for_scripts(sandbox):
    cookie = sandbox.authorize().headers["Set-Cookie"]
    assert cookie.startswith("sandbox_session=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_forged_cookie_logs_nobody_in(sandbox):
    sandbox.log_in()
    stranger = Sandbox()
    stranger.browser.set_cookie("sandbox_session", sandbox.browser.get_cookie("sandbox_session").value)
    assert page_of(stranger.authorize()) == "chooser"


def test_chooser_offers_every_sample_person(sandbox):
    text = sandbox.authorize().text
    assert re.findall(r'name="person" value="([\w-]+)"', text) == [person.key for person in SAMPLE_PEOPLE]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<bdi>" in text


def test_sample_people_are_told_apart():
    assert len({person.key for person in SAMPLE_PEOPLE}) == len({person.user_id for person in SAMPLE_PEOPLE})
    for person in SAMPLE_PEOPLE:
        assert person.note_ko
        assert person.note_en
        assert person.email is None or re.search(r"[@.]example\.(com|kr)$", person.email)


def make(sandbox, **form):
    return sandbox.browser.post(
        "/oauth/authorize/new-person", data={"request": request_id(sandbox.authorize(prompt="login"))} | form
    )


def test_person_of_ones_own(sandbox):
    step = make(
        sandbox,
        nickname=" 나 ",
        email="me@example.com",
        email_verified="1",
        big_id="1",
        birthyear="2001",
        gender="male",
        age_range="20~29",
    )
    assert step.status_code == 303
    sandbox.decide(sandbox.browser.get(step.location), "account_email")
    person = list(sandbox.state.people.values())[-1]
    assert (person.nickname, person.email, person.email_verified, person.email_valid) == (
        "나",
        "me@example.com",
        True,
        False,
    )
    assert 2**53 < person.user_id < 2**63
    assert len(str(person.user_id)) == 19
    assert (person.birthyear, person.gender, person.age_range, person.made) == ("2001", "male", "20~29", True)
    assert f'value="{person.key}"' in sandbox.authorize(prompt="login").text


def test_own_person_under_14_with_default_nickname(sandbox):
    step = make(sandbox, default_nickname="1", under_14="1")
    assert returned(sandbox.browser.get(step.location))["error"] == "access_denied"
    person = list(sandbox.state.people.values())[-1]
    assert (person.nickname, person.email, person.default_nickname) == ("닉네임을 등록해주세요", None, True)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"nickname": "  "},
        {"nickname": "x" * 201},
        {"nickname": "a", "email": "no-at"},
        {"nickname": "a", "email": "a@b c"},
        {"nickname": "a", "birthyear": "99"},
        {"nickname": "a", "gender": "x"},
        {"nickname": "a", "age_range": "20-29"},
    ],
)
def test_odd_form_comes_back_with_the_reason_and_what_was_typed(sandbox, form):
    answer = make(sandbox, **form)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert "<details open>" in answer.text
    assert len(sandbox.state.people) == len(SAMPLE_PEOPLE)


def test_made_people_are_limited(sandbox, monkeypatch):
    monkeypatch.setattr("kakaoauth.sandbox.kakao.authorize.MOST_PEOPLE", 1)
    assert make(sandbox, nickname="a").status_code == 303
    assert make(sandbox, nickname="b").status_code == 422


def test_home_shows_settings_and_who_is_linked(sandbox):
    sandbox.log_in()
    text = sandbox.browser.get("/").text
    for value in (SETTINGS.client_id, SETTINGS.client_secret, SETTINGS.issuer, *SETTINGS.redirect_uris, AFTER_LOGOUT):
        assert value in text
    assert re.findall(r'name="person" value="([\w-]+)"', text) == ["haneul"]
    assert "CLIENT_SECRET" not in Sandbox(client_secret=None).browser.get("/").text


def test_unlink_on_the_home_page(sandbox):
    token = sandbox.tokens()["access_token"]
    answer = sandbox.browser.post("/unlink", data={"token": form_token(sandbox), "person": "haneul"})
    assert (answer.status_code, answer.location) == (303, "/")
    assert not sandbox.state.links
    assert sandbox.call("GET", "/v2/user/me", token).status_code == 401


def test_forgetting_everything_ends_every_session(sandbox):
    make(sandbox, nickname="mine")
    sandbox.log_in("haneul", prompt="login")
    other_browser = sandbox.app.test_client()
    assert other_browser.post("/forget", data={"token": "x"}).status_code == 400
    kid = sandbox.server.get("/.well-known/jwks.json").json["keys"][0]["kid"]
    sandbox.browser.post("/forget", data={"token": form_token(sandbox)})
    assert not sandbox.state.links
    assert list(sandbox.state.people) == [person.key for person in SAMPLE_PEOPLE]
    assert page_of(sandbox.authorize()) == "chooser"
    assert sandbox.server.get("/.well-known/jwks.json").json["keys"][0]["kid"] == kid


@pytest.mark.parametrize("path", ["/forget", "/unlink"])
@pytest.mark.parametrize("token", [None, "", "wrong", "한글"])
def test_forms_of_other_sites_are_refused(sandbox, path, token):
    sandbox.log_in()
    data = {"person": "haneul"} | ({} if token is None else {"token": token})
    assert sandbox.browser.post(path, data=data).status_code == 400
    assert sandbox.state.links


def test_logout_ends_the_account_session_and_returns(sandbox):
    sandbox.log_in()
    page = logout_page(sandbox)
    assert page_of(page) == "logout"
    assert "하늘다람쥐" in page.text
    answer = answer_logout(sandbox, page, "logout")
    assert answer.location == f"{AFTER_LOGOUT}?state=bye"
    assert page_of(sandbox.authorize()) == "chooser"


def test_logout_cancelled_returns_and_keeps_the_session(sandbox):
    sandbox.log_in()
    assert answer_logout(sandbox, logout_page(sandbox, state=None), "cancel").location == AFTER_LOGOUT
    assert "code" in returned(sandbox.authorize())


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"logout_redirect_uri": AFTER_LOGOUT + "x"}, "KOE007"),
        ({"client_id": "x"}, "KOE101"),
        ({"client_id": None}, "KOE207"),
        ({"logout_redirect_uri": None}, "KOE207"),
        ({"logout_redirect_uri": SETTINGS.redirect_uris[0]}, "KOE007"),
    ],
)
def test_logout_configuration_errors(sandbox, query, code):
    page = logout_page(sandbox, **query)
    assert page.status_code == 400
    assert f"({code})" in page.text


def test_logout_answer_from_elsewhere_is_refused(sandbox):
    sandbox.log_in()
    page = logout_page(sandbox)
    stranger = sandbox.app.test_client()
    assert stranger.post("/oauth/logout", data={"request": request_id(page), "decision": "logout"}).status_code == 400
    assert answer_logout(sandbox, page, "perhaps").status_code == 400
    assert "code" in returned(sandbox.authorize())


def test_own_bug_is_reported_without_a_traceback(sandbox, monkeypatch):
    sandbox.app.testing = False
    monkeypatch.setattr(sandbox.state, "find_link", lambda user_id: 1 / 0)
    answer = sandbox.admin("GET", "/v2/user/me", 1)
    assert (answer.status_code, answer.json["code"]) == (500, -1)
