"""Naver, Google and Apple in a real browser. Site and sandbox are two sites to it: localhost and 127.0.0.1."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect

pytestmark = pytest.mark.browser

Context = Callable[..., BrowserContext]
KAKAOTALK = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 KAKAOTALK 11.2.3"


def choose(page: Page, person: str) -> None:
    """Choose the person; the consent page may follow."""
    page.click(f'button[name="person"][value="{person}"]')
    expect(page.locator("body")).to_have_attribute("data-page", "account_consent")


def agree(page: Page) -> None:
    page.click('button[name="decision"][value="agree"]')


def test_apples_post_ends_logged_in_with_a_lax_cookie(context: Context, site_with_all: Any) -> None:
    browser = context()
    page = browser.new_page()
    posts: list[Request] = []
    page.on("request", lambda request: posts.append(request) if request.method == "POST" else None)
    page.goto(f"{site_with_all.url}/users/me/")
    page.click("a.login.apple")
    choose(page, "hidden")
    agree(page)
    page.wait_for_url(f"{site_with_all.url}/users/me/")
    expect(page.locator("body")).to_contain_text("김미나")
    (posted,) = [one for one in posts if one.url.startswith(site_with_all.url)]
    assert posted.url == f"{site_with_all.url}/apple/login/callback/"
    assert "cookie" not in posted.all_headers()
    sessions = [cookie for cookie in browser.cookies(site_with_all.url) if cookie["httpOnly"]]
    assert sessions
    assert {cookie["sameSite"] for cookie in sessions} == {"Lax"}
    page.reload()
    expect(page.locator("body")).to_contain_text("김미나")
    # Behind the page of the account the form of Apple's page is not sent again
    page.go_back()
    page.goto(f"{site_with_all.url}/users/me/")
    expect(page.locator("body")).to_contain_text("김미나")


def test_apples_double_click_and_cancel(context: Context, site_with_all: Any) -> None:
    page = context().new_page()
    page.goto(site_with_all.url)
    page.click("a.login.apple")
    choose(page, "haneul")
    page.click('button[name="decision"][value="cancel"]')
    page.wait_for_url(f"{site_with_all.url}/apple/login/callback/**")
    expect(page.locator("[data-code]")).to_have_attribute("data-code", "LOGIN_CANCELLED")
    page.goto(f"{site_with_all.url}/apple/login/")
    page.dblclick('button[name="decision"][value="agree"]')
    page.wait_for_url(f"{site_with_all.url}/")
    page.goto(f"{site_with_all.url}/users/me/")
    expect(page.locator("body")).to_contain_text("김하늘")


def test_google_logs_in(context: Context, site_with_all: Any) -> None:
    page = context("en-US", dark=True).new_page()
    page.goto(f"{site_with_all.url}/users/me/")
    page.click("a.login.google")
    choose(page, "gmail")
    agree(page)
    page.wait_for_url(f"{site_with_all.url}/users/me/")
    expect(page.locator("body")).to_contain_text("서지메")


def test_google_inside_kakaotalk_is_led_outside(context: Context, site_with_all: Any) -> None:
    page = context(phone=True, agent=KAKAOTALK).new_page()
    page.goto(site_with_all.url)
    page.click("a.login.google")
    expect(page.locator("[data-code]")).to_have_attribute("data-code", "EMBEDDED_BROWSER")
    way = page.get_by_role("link", name="브라우저에서 열기")
    address = way.get_attribute("href") or ""
    assert address.startswith("kakaotalk://web/openExternal?url=http%3A%2F%2Flocalhost")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_naver_says_how_to_come_in(context: Context, site_with_all: Any) -> None:
    page = context().new_page()
    page.goto(site_with_all.url)
    page.click("a.login.naver")
    choose(page, "boram")
    agree(page)
    page.wait_for_url(f"{site_with_all.url}/naver/login/callback/**")
    expect(page.locator("[data-code]")).to_have_attribute("data-code", "EMAIL_REQUIRED")
    expect(page.locator("body")).to_contain_text("본인 것인지 알려 주지 않아서")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    ("language", "labels"),
    [
        ("ko-KR", {"naver": "네이버 로그인", "google": "Google로 로그인", "apple": "Apple로 로그인"}),
        ("en-US", {"naver": "Log in with Naver", "google": "Sign in with Google", "apple": "Sign in with Apple"}),
    ],
)
def test_buttons_keep_their_design_rules(
    context: Context, site_with_all: Any, language: str, labels: dict[str, str], dark: bool
) -> None:
    page = context(language, phone=True, dark=dark).new_page()
    page.goto(site_with_all.url)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    colours = {"naver": "rgb(3, 169, 77)", "google": "rgb(255, 255, 255)"}
    colours["apple"] = "rgb(255, 255, 255)" if dark else "rgb(0, 0, 0)"
    sizes: list[Any] = []
    for name, label in labels.items():
        button = page.get_by_role("link", name=label, exact=True)
        expect(button).to_have_css("background-color", colours[name])
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        sizes.append((box["width"], box["height"]))
        symbol = button.locator("svg").bounding_box()
        assert symbol is not None
        assert symbol["height"] >= 16
    kakao = page.locator("a.login.kakao").bounding_box()
    assert kakao is not None
    assert {*sizes} == {(kakao["width"], kakao["height"])}
