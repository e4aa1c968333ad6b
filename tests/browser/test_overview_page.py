"""The staff's overview in the hand: charts that the browser draws, and the same numbers as tables."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from support.browser import enter_as, fits

pytestmark = pytest.mark.browser

#: Three months of a site with 3000 people, on top of what the other tests have done. For `flask shell`.
HISTORY = """
from collections import Counter
from datetime import timedelta
from kakaoauth.cli.seed.counts import make_counts
from kakaoauth.days import today
from kakaoauth.storage.transaction import transaction
days = [today() - timedelta(days=back) for back in range(90)]
tally = Counter({(day, "sign_up", "kakao"): 9 + day.toordinal() * 7 % 11 for day in days})
transaction(make_counts)(tally, 1, 3000, random_seed=1)
"""
#: Whether anything is drawn on the canvas.
IS_DRAWN = "e => new Uint32Array(e.getContext('2d').getImageData(0, 0, e.width, e.height).data.buffer).some(p => p)"


def colour(page: Page) -> str:
    """Of the first bar of the funnel."""
    at = "e => [...e.getContext('2d').getImageData(e.width / 2, e.height / 8, 1, 1).data].join()"
    canvas = page.locator("canvas").nth(1)
    page.wait_for_function(IS_DRAWN, arg=canvas.element_handle())
    return str(canvas.evaluate(at))


def test_numbers_are_drawn_and_can_be_read_as_tables(
    context: Callable[..., BrowserContext], site: Any, browser: Any
) -> None:
    site.flask("shell", stdin=HISTORY)
    page = context().new_page()
    enter_as(page, site, "haneul", "/users/me/")
    site.flask("users", "promote", "haneul@example.kr", "--staff")
    page.reload()
    page.goto(f"{site.url}/users/overview/")
    expect(page.locator("h1")).to_have_text("현황")
    expect(page.locator("canvas")).to_have_count(4)
    for canvas in page.locator("canvas").all():
        expect(canvas).to_be_visible()
        page.wait_for_function(IS_DRAWN, arg=canvas.element_handle())
    expect(page.get_by_role("img").first).to_have_attribute(
        "aria-label", re.compile(r"가입과 로그인\. 로그인 [\d,]+건")
    )
    page.get_by_role("link", name="7일", exact=True).click()
    page.get_by_text("표로 보기").first.click()
    expect(page.locator("table").first.locator("tbody tr")).to_have_count(7)
    light = colour(page)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("body")).to_have_css("background-color", "rgb(16, 18, 21)")
    assert colour(page) != light

    phone = context("en-US", phone=True, dark=True).new_page()
    enter_as(phone, site, "haneul", "/users/overview/?days=90")
    expect(phone.locator("canvas")).to_have_count(4)
    assert fits(phone)
    for summary in phone.get_by_text("As a table").all():
        summary.click()
    expect(phone.locator("tbody").first.locator("tr")).to_have_count(90)
    assert fits(phone)
    periods = phone.locator(".periods a").all()
    assert periods
    assert all(button.bounding_box()["height"] >= 44 for button in periods)

    bare = browser.new_context(java_script_enabled=False, locale="ko-KR")
    page = bare.new_page()
    enter_as(page, site, "haneul", "/users/overview/")
    expect(page.locator("table").first).to_be_visible()
    expect(page.locator("canvas").first).to_be_hidden()
    bare.close()
