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


def test_narrow_phone_shows_the_menu_the_open_tab_and_what_has_the_focus(context: Context, site: Any) -> None:
    page = context("en-US", phone=True).new_page()
    page.set_viewport_size({"width": 360, "height": 740})
    enter_as(page, site, "haneul")
    site.flask("users", "promote", "haneul@example.kr", "--superuser")
    page.goto(f"{site.url}/users/suspended/")
    name, link = (page.locator(f".frame {each}").bounding_box() for each in (".home", "nav a >> nth=0"))
    assert name is not None
    assert link is not None
    assert name["y"] == link["y"]  # in one line
    expect(page.locator(".desk-nav [aria-current]")).to_be_in_viewport(ratio=1)
    page.goto(f"{site.url}/users/")
    column = page.locator("thead").get_by_role("link", name="E-mail")
    expect(column).not_to_be_in_viewport()
    page.locator("thead a").first.focus()
    page.keyboard.press("Tab")
    expect(column).to_be_focused()
    expect(column).to_be_in_viewport(ratio=1)
    assert fits(page)
