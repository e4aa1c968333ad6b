"""Linking a second login as people meet it: found, understood, finished at the provider, taken away by keyboard."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from support.browser import choose, enter_as, fits, picture

pytestmark = pytest.mark.browser

Context = Callable[..., BrowserContext]


def link_facebook(page: Page, person: str, *, decision: str = "agree") -> None:
    """From one's own page, through the sandbox's dialog, which asks only for what it does not know yet."""
    page.get_by_role("button", name="페이스북 연결").click()
    if page.locator("button[name=person]").count():
        choose(page, person)
    if page.locator("button[name=decision]").count():
        page.click(f"button[name=decision][value={decision}]")


def test_facebook_is_linked_used_and_unlinked_by_keyboard(context: Context, site_with_facebook: Any) -> None:
    site, page = site_with_facebook, context(phone=True).new_page()
    enter_as(page, site, "haneul", "/users/me/")
    expect(page.locator("main")).to_contain_text("어느 쪽으로 로그인해도 지금 이 계정으로")
    picture(page, "linking-ko")
    link_facebook(page, "minji", decision="cancel")
    page.get_by_role("link", name="내 페이지", exact=True).click()
    link_facebook(page, "minji")
    expect(page).to_have_url(f"{site.url}/users/me/")
    expect(page.locator(".ways .linked strong")).to_have_text(["카카오", "페이스북"])
    assert fits(page)

    other = context().new_page()
    other.goto(f"{site.url}/facebook/login/")
    choose(other, "minji")
    expect(other.locator("h1")).to_contain_text("하늘다람쥐")

    summary = page.locator(".ways summary").last
    summary.focus()
    assert summary.evaluate("e => getComputedStyle(e).outlineStyle") != "none"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="페이스북 연결 끊기")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".ways .linked strong")).to_have_text(["카카오"])
    expect(page.locator(".ways summary")).to_have_count(0)
    other.goto(f"{site.url}/users/me/")
    expect(other.locator("a.login.kakao")).to_be_visible()


def test_login_of_somebody_else_is_refused_without_a_name(context: Context, site_with_facebook: Any) -> None:
    site, owner, page = site_with_facebook, context().new_page(), context(dark=True).new_page()
    enter_as(owner, site, "twin-a", "/users/me/")
    link_facebook(owner, "sameid")
    expect(owner.locator(".ways .linked strong")).to_have_count(2)
    enter_as(page, site, "bigid", "/users/me/")
    link_facebook(page, "sameid")
    expect(page.locator("h1")).to_have_text("이미 사용 중인 로그인 방법이에요")
    assert "쌍둥이" not in page.content()
    assert "twins@" not in page.content()
    page.get_by_role("link", name="내 페이지", exact=True).click()
    expect(page.locator(".ways .linked strong")).to_have_text(["카카오"])
