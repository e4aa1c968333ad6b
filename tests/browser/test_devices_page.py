"""One's devices as people meet them: found again in words, ended by the keyboard, and out at the next click."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from support.browser import enter_as, fits

pytestmark = pytest.mark.browser

Context = Callable[..., BrowserContext]

GALAXY = (
    "Mozilla/5.0 (Linux; Android 15; SM-S928N Build/AP3A.240905.015.A2; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Version/4.0 Chrome/131.0.6778.135 Mobile Safari/537.36"
)


def device(context: Context, site: Any, agent: str) -> Page:
    page = context(phone=True, agent=agent).new_page()
    enter_as(page, site, "haneul", "/users/me/")
    return page


def test_lost_phone_is_found_and_ended_by_keyboard(context: Context, site: Any) -> None:
    phone = device(context, site, f"{GALAXY} KAKAOTALK/25.10.2 (INAPP)")
    page = context(phone=True).new_page()
    enter_as(page, site, "haneul", "/users/me/")
    here, lost = page.locator(".devices li").first, page.locator(".devices li", has_text="카카오톡 인앱 · Android")
    expect(here).to_contain_text("이 기기")
    expect(lost).to_contain_text("마지막 사용 ")
    assert fits(page)
    assert lost.get_by_role("button").evaluate("e => e.getBoundingClientRect().height") >= 44
    button = page.get_by_role("button", name="로그아웃: 카카오톡 인앱 · Android")
    button.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.url}/users/me/#devices")
    expect(lost).to_have_count(0)
    phone.reload()
    expect(phone.locator("a.login.kakao")).to_be_visible()


def test_all_others_end_at_once_and_this_one_goes_on(context: Context, site: Any) -> None:
    phone, page = device(context, site, GALAXY), context("en-US", dark=True).new_page()
    enter_as(page, site, "haneul", "/users/me/")
    page.get_by_role("button", name="Log out on all other devices").dblclick()
    expect(page.get_by_role("button", name="Log out on all other devices")).to_have_count(0)
    page.goto(f"{site.url}/users/me/")
    expect(page.locator(".devices li")).to_have_count(1)
    expect(page.locator(".devices li")).to_contain_text("this device")
    phone.reload()
    expect(phone.locator("a.login.kakao")).to_be_visible()
