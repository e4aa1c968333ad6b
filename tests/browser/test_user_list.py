"""The user list in the hand: searched, filtered, sorted and turned over on a phone, by links and one plain form."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from support.browser import enter_as, fits

pytestmark = pytest.mark.browser


def downloaded(page: Page) -> str:
    """The list as a file, from a button that a thumb can press."""
    button = page.get_by_role("button", name="Download as CSV")
    box = button.bounding_box()
    assert box is not None
    assert box["height"] >= 44
    with page.expect_download() as download:
        button.click()
    assert download.value.suggested_filename.endswith(".csv")
    return Path(download.value.path()).read_bytes().decode()


def test_somebody_is_found_on_a_phone_passed_on_by_the_address_and_downloaded(
    context: Callable[..., BrowserContext], site: Any
) -> None:
    enter_as(context().new_page(), site, "bigid", "/users/me/")
    page = context("en-US", phone=True).new_page()
    enter_as(page, site, "haneul", "/users/me/")
    site.flask("users", "promote", "haneul@example.kr", "--staff")
    page.goto(f"{site.url}/users/")
    assert fits(page)
    page.keyboard.press("/")
    expect(page.locator("input[name=q]")).to_be_focused()
    page.fill("input[name=q]", "BIGID@")
    page.select_option("select[name=state]", "active")
    page.select_option("select[name=sort]", "email")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator(".total")).to_have_text("Users: 1")
    assert fits(page)
    address = page.url
    page.get_by_role("link", name="Clear filters").click()
    expect(page).to_have_url(f"{site.url}/users/")
    page.goto(address)
    expect(page.locator("select[name=sort]")).to_have_value("email")
    expect(page.locator("input[name=q]")).to_have_value("BIGID@")
    header, *lines = downloaded(page).splitlines()
    assert header.startswith('\ufeff"id","provider",')
    assert [line.split('","')[4] for line in lines] == ["bigid@example.com"]
    page.keyboard.press("j")
    expect(page.locator(".people .name")).to_be_focused()
    page.keyboard.press("x")
    expect(page.locator(".many")).to_be_visible()
    page.keyboard.press("x")
    expect(page.locator(".many")).to_be_hidden()
    page.set_viewport_size({"width": 1100, "height": 760})
    page.get_by_role("link", name="E-mail", exact=True).click()
    expect(page.locator("th[aria-sort=descending]")).to_have_text("E-mail")
    page.wait_for_load_state()  # the keys work once the script ran
    page.keyboard.press("k")
    expect(page.locator(".people .name")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("큰번호고래")
    assert fits(page)
