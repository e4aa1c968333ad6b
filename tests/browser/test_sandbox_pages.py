"""The sandbox's own pages on a phone, and its people's pictures on the site."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from support.browser import fits, log_in_as, press_login

TOOLS = ("", *(f"sandbox/{name}" for name in ("console", "faults", "webhooks", "tools", "facebook", "naver", "google")))


@pytest.mark.parametrize(("language", "dark"), [("ko-KR", False), ("en-US", True)])
def test_phone_shows_every_page_of_the_sandbox_without_sideways_scrolling(
    site: Any, context: Callable[..., BrowserContext], language: str, dark: bool
) -> None:
    page = context(language, phone=True, dark=dark).new_page()
    press_login(page, site)
    assert fits(page), "the login page"
    page.locator("details summary").first.click()
    assert fits(page), "with the form for somebody new"
    log_in_as(page, site, "longname")
    for path in TOOLS:
        page.goto(f"{site.sandbox}/{path}")
        assert fits(page), path


def test_somebody_is_found_chosen_and_seen_on_the_site(site: Any, page: Page) -> None:
    press_login(page, site, "/users/me/")
    page.fill("input[name=q]", "평범한")
    page.click(".search button")
    expect(page.locator("button[name=person]")).to_have_count(1)
    face = page.locator("button[name=person] img").get_attribute("src") or ""
    page.click("button[name=person]")
    if page.locator("[data-page=consent]").count():
        page.click("button[name=decision][value=agree]")
    picture = page.locator(".avatar img").first
    expect(picture).to_have_attribute("src", f"{site.sandbox}{face}")
    page.wait_for_function("document.querySelector('.avatar img').naturalWidth > 0")
