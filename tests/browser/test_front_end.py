"""The example front end, on an origin of its own: what its script can do with cookies that it cannot read."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect
from support.browser import agree, choose

pytestmark = pytest.mark.browser

Context = Callable[..., BrowserContext]
TWO_CALLS = 'Promise.all([call("GET", "/api/users/me/"), call("GET", "/api/users/me/")])'


def log_in(page: Page, site: Any, person: str) -> None:
    page.goto(site.front_end)
    page.click("#login")
    choose(page, person)
    if page.locator("[data-page=consent]").count():
        agree(page)
    expect(page).to_have_url(f"{site.front_end}/")
    expect(page.locator("#inside")).to_be_visible()


def save(page: Page, nickname: str) -> None:
    page.bring_to_front()  # Chromium takes its time for a tab that nobody sees
    page.fill("#nickname", nickname)
    page.click("#profile button")


@pytest.mark.parametrize(
    ("language", "phone", "words"),
    [
        ("ko-KR", False, ("카카오 로그인", "안녕하세요, {} 님", "닉네임을 바꿨어요.", "로그아웃했어요.")),
        ("en-US", True, ("Login with Kakao", "Hello, {}", "Your nickname is changed.", "You are logged out.")),
    ],
)
def test_front_end_stays_in_without_ever_seeing_a_token(
    context: Context, site: Any, language: str, phone: bool, words: tuple[str, str, str, str]
) -> None:
    login, hello, saved, logged_out = words
    browser = context(language, phone=phone, dark=phone)
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{site.front_end_port}/")
    expect(page).to_have_url(f"{site.front_end}/")
    expect(page.get_by_role("link", name=login, exact=True)).to_have_css("background-color", "rgb(254, 229, 0)")

    log_in(page, site, "html")
    expect(page.locator("h1")).to_contain_text("<b>여우</b>")
    assert page.locator("main b").count() == 0
    expect(page.locator("#email")).to_have_text("fox+tag@example.com")
    assert {cookie["name"] for cookie in browser.cookies()} >= {"access_token", "refresh_token"}
    assert page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]") == ["", 0, 0]
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")

    refreshes: list[Request] = []
    page.on("request", lambda one: refreshes.append(one) if one.url.endswith("/refresh/") else None)
    browser.clear_cookies(name="access_token")
    save(page, "바뀐 여우")
    expect(page.locator("#message")).to_have_text(saved)
    expect(page.locator("h1")).to_have_text(hello.format("바뀐 여우"))
    assert [one.method for one in refreshes if one.method == "POST"] == ["POST"], "it came back by itself"

    browser.clear_cookies(name="access_token")
    assert [user["nickname"] for user in page.evaluate(TWO_CALLS)] == ["바뀐 여우"] * 2
    assert len([one for one in refreshes if one.method == "POST"]) == 2, "two calls share one refresh"

    save(page, "")
    expect(page.locator("#message")).to_have_text(saved)
    page.click("#logout")
    expect(page.locator("#message")).to_have_text(logged_out)
    expect(page.locator("#login")).to_be_visible()
    assert "fox" not in page.locator("main").inner_text()
    assert not {cookie["name"] for cookie in browser.cookies()} & {"access_token", "refresh_token"}


def test_two_tabs_refresh_at_once_and_log_out_together(context: Context, site: Any) -> None:
    browser = context(phone=True)
    first, second = browser.new_page(), browser.new_page()
    log_in(first, site, "bigid")
    second.goto(site.front_end)
    expect(second.locator("#inside")).to_be_visible()
    browser.clear_cookies(name="access_token")
    for tab in (first, second):
        tab.evaluate("document.getElementById('refresh').click()")
    for tab in (first, second):
        expect(tab.locator("#message")).to_contain_text("새 토큰을 받았어요")
    for tab in (first, second):
        save(tab, "큰번호고래")
        expect(tab.locator("#message")).to_have_text("닉네임을 바꿨어요.")

    first.bring_to_front()
    first.click("#logout")
    expect(first.locator("#message")).to_have_text("로그아웃했어요.")
    save(second, "아무개")
    expect(second.locator("#message")).to_have_text("로그인이 끝났어요. 다시 로그인해 주세요.")
    expect(second.locator("#login")).to_be_visible()
    site_away = "**/api/**"
    second.route(site_away, lambda route: route.abort())
    second.reload()
    expect(second.locator("#message")).to_have_text("사이트가 응답하지 않아요. 잠시 뒤에 다시 해 주세요.")
