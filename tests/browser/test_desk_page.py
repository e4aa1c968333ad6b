"""A superuser's morning: somebody is found, suspended with a reason, let in again; all of it stands in the trail."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect
from support.browser import agree, choose, enter_as, fits, press_login

pytestmark = pytest.mark.browser

Context = Callable[..., BrowserContext]


def test_suspension_is_asked_done_noticed_and_written_down(context: Context, site: Any) -> None:
    them = context(phone=True).new_page()
    press_login(them, site, "/users/me/")
    choose(them, "haneul")
    if them.locator("[data-page=consent]").count():
        agree(them)
    page = context("en-US", phone=True).new_page()
    enter_as(page, site, "twin-a")
    site.flask("users", "promote", "twins@example.com", "--superuser")
    page.goto(f"{site.url}/users/")
    page.get_by_role("link", name="하늘다람쥐").first.click()
    page.get_by_role("link", name="Suspend", exact=True).click()
    expect(page.locator("main")).to_contain_text("They are logged out everywhere, from their next click")
    button = page.get_by_role("button", name="Suspend", exact=True)
    button.click()
    expect(page.locator("#reason")).to_be_focused()  # the browser wants a reason before anything is sent
    page.keyboard.type("asked for it by phone")
    assert fits(page)
    assert button.evaluate("e => e.getBoundingClientRect().height") >= 44
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("is suspended and logged out everywhere.")
    them.reload()
    expect(them.locator("a.login.kakao")).to_be_visible()
    page.get_by_role("link", name="Reinstate").click()
    page.fill("#reason", "a mistake")
    page.get_by_role("button", name="Reinstate").click()
    expect(page.get_by_role("status")).to_contain_text("can log in again.")
    page.get_by_role("link", name="All of it, in the audit trail").click()
    lines = page.locator(".trail tbody tr", has_text="Role or state changed")
    expect(lines).to_have_count(2)
    expect(lines.last).to_contain_text("asked for it by phone")
    assert fits(page)
    page.select_option("select[name=action]", label="Login")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(lines).to_have_count(0)
    expect(page.locator(".trail tbody tr").first).to_contain_text("Kakao")
