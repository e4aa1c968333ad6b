"""The page that describes the API, and tries it, in a real browser."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, expect
from support.browser import fits


def test_api_can_be_tried_on_its_page_also_on_a_phone(context: Callable[..., BrowserContext], site: Any) -> None:
    """`context` complains of whatever the Content-Security-Policy has stopped."""
    for phone in (False, True):
        page = context("en-US", phone=phone).new_page()
        page.goto(f"{site.url}/api/docs/")
        assert fits(page)
        operation = page.locator("details", has_text="/api/token/verify/").first
        operation.locator("summary").click()
        operation.get_by_role("textbox").fill('{"token": "made.up.token"}')
        operation.get_by_role("button", name="Send").click()
        answer = operation.get_by_role("status")
        expect(answer).to_contain_text("401")
        expect(answer).to_contain_text("INVALID_ACCESS_TOKEN")
        assert fits(page)
