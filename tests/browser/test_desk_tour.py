"""A walk through the staff's pages, as a superuser who sees them for the first time; the README's pictures of them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from support.browser import enter_as, fits, picture

pytestmark = pytest.mark.browser


def look(page: Page, heading: str | re.Pattern[str], name: str, *, phone: str = "") -> None:
    expect(page.locator("h1")).to_have_text(heading)
    assert fits(page)
    picture(page, name, phone=phone)


def test_superuser_finds_every_page_of_the_desk(context: Callable[..., BrowserContext], full_house: Any) -> None:
    page = context().new_page()
    enter_as(page, full_house, "haneul", "/users/me/")
    full_house.flask("users", "promote", "haneul@example.kr", "--superuser")
    page.reload()
    picture(page, "me-ko", phone="me-phone-ko")
    page.get_by_role("link", name="사용자", exact=True).click()
    look(page, "사용자", "users-ko", phone="users-phone-ko")
    page.locator("tbody a").last.click()
    look(page, re.compile("."), "user-ko")
    page.get_by_role("link", name="이용 정지", exact=True).click()
    page.fill("#reason", "본인이 전화로 요청")
    look(page, "이용 정지", "decision-ko")
    page.goto(f"{full_house.url}/users/")
    page.get_by_role("link", name="감사 기록").click()
    look(page, "감사 기록", "audit-ko")
    page.get_by_role("link", name="현황", exact=True).click()
    expect(page.locator("canvas").first).to_be_visible()
    look(page, "현황", "overview-ko", phone="overview-phone-ko")
