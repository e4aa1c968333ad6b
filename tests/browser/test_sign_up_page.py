"""The sign-up step on a phone without scripts, and "agree to all" with them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, expect
from support.browser import agree, choose, fits, press_login

pytestmark = pytest.mark.browser


def test_phone_without_scripts_signs_up(browser: Browser, site_with_terms: Any) -> None:
    site = site_with_terms
    made = browser.new_context(locale="ko-KR", java_script_enabled=False, viewport={"width": 375, "height": 740})
    made.route("https://**", lambda route: route.abort())
    page = made.new_page()
    press_login(page, site, "/?next=/users/me/")
    choose(page, "haneul")
    agree(page)
    expect(page.locator("h1")).to_have_text("거의 다 됐어요")
    assert fits(page)
    expect(page.get_by_text("모두 동의")).to_be_hidden()
    boxes = page.get_by_role("checkbox")
    assert [round(box.bounding_box()["height"]) >= 44 for box in page.locator("li label").all()] == [True] * 3
    boxes.nth(0).check()
    page.get_by_role("button", name="동의하고 가입하기").click()  # the browser stops it: one more is required
    expect(page.locator("h1")).to_have_text("거의 다 됐어요")
    boxes.nth(1).check()
    page.get_by_role("button", name="동의하고 가입하기").click()
    expect(page).to_have_url(f"{site.url}/users/me/")
    expect(page.locator("#consents + ul li")).to_have_count(3)
    assert fits(page)
    made.close()


def test_agree_to_all_and_cancel(context: Callable[..., BrowserContext], site_with_terms: Any) -> None:
    site = site_with_terms
    page = context("en-US", phone=True).new_page()
    press_login(page, site)
    choose(page, "bigid")
    agree(page)
    expect(page.locator("h1")).to_have_text("Almost there")
    assert fits(page)
    page.get_by_label("Agree to all").check()
    assert all(box.is_checked() for box in page.locator("li input").all())
    page.locator("li input").last.uncheck()
    expect(page.get_by_label("Agree to all")).not_to_be_checked()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("h1")).to_have_text("You cancelled the login")
    press_login(page, site)
    expect(page.locator("[data-page=consent]")).to_be_visible()  # Kakao asks anew: the connection has ended


@pytest.fixture
def kakao_sync(site_with_terms: Any) -> Iterator[None]:
    """Kakao asks for the terms that have a tag there."""

    def set_terms(tags: dict[str, str]) -> None:
        address = f"{site_with_terms.sandbox}/sandbox/api/console"
        answer = requests.post(address, json={"service_terms": tags}, headers={"X-Sandbox": "1"}, timeout=10)
        assert answer.status_code == 200, answer.text

    set_terms({"service_tos": "required", "news_tag": "optional"})
    yield
    set_terms({})


@pytest.mark.usefixtures("kakao_sync")
def test_agreed_at_kakao_closed_and_restored(context: Callable[..., BrowserContext], site_with_terms: Any) -> None:
    site = site_with_terms
    page = context("en-US", phone=True).new_page()
    press_login(page, site, "/?next=/users/me/")
    choose(page, "defaultname")
    agree(page)
    expect(page.locator("h1")).to_have_text("Almost there")
    expect(page.locator("main")).to_contain_text("Already agreed at Kakao: Terms of service")
    page.get_by_label("I am 14 or older").check()
    page.get_by_role("button", name="Agree and sign up").click()
    expect(page.locator("#consents + ul")).to_contain_text("at Kakao")
    page.goto(f"{site.url}/users/me/withdraw/")
    page.fill("#typed", "delete")
    page.locator("button.danger").click()
    expect(page.locator("h1")).to_have_text("Your account is closed")
    press_login(page, site, "/?next=/users/me/")  # Kakao knows the person and asks nothing
    expect(page.locator("h1")).to_have_text("You have closed this account")
    assert fits(page)
    page.get_by_role("button", name="Restore my account").click()
    expect(page).to_have_url(f"{site.url}/users/me/")
    expect(page.locator("#consents + ul li")).to_have_count(3)
