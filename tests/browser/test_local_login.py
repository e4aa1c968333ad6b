"""The password login in a real browser, on a phone."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, expect

Context = Callable[..., BrowserContext]


def test_superuser_comes_in_with_a_password(context: Context, site: Any) -> None:
    site.flask("users", "create-superuser", "--email", "ops@example.kr", "--password-stdin", stdin="twelve birds fly\n")
    page = context("en-US", phone=True, dark=True).new_page()
    page.goto(f"{site.url}/login/?next=/users/")
    page.get_by_label("E-mail address").fill("ops@example.kr")
    page.get_by_label("Password").fill("thirteen birds fly")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("E-mail address or password is wrong")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert page.evaluate("document.querySelector('input[type=password]').getBoundingClientRect().height") >= 40
    expect(page.get_by_label("E-mail address")).to_have_value("ops@example.kr")
    page.get_by_label("Password").fill("twelve birds fly")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.url}/users/")
