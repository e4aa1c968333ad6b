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
        operation = page.locator(".opblock", has_text="/api/token/verify/")
        operation.get_by_role("button", name="/api/token/verify/").first.click()
        operation.get_by_role("button", name="Try it out").click()
        operation.locator("textarea").fill('{"token": "made.up.token"}')
        operation.get_by_role("button", name="Execute").click()
        answer = operation.locator(".live-responses-table")
        expect(answer.locator("tbody .response-col_status")).to_have_text("401")
        expect(answer).to_contain_text("INVALID_ACCESS_TOKEN")
        assert fits(page)
