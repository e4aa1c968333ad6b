"""Confirming that it is still oneself: stopped with a reason, asked by the provider, back where one was."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from redis import Redis
from support.browser import agree, choose, enter_as, fits
from support.stored_sessions import edit

from kakaoauth.config.embedded import embedded_redis_socket
from kakaoauth.sessions.names import name_of

pytestmark = pytest.mark.browser

Context = Callable[..., BrowserContext]


def age(page: Page, site: Any, minutes: int = 6) -> None:
    """Let the login of this browser be so old."""
    (sid,) = [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "session"]
    with Redis(unix_socket_path=str(embedded_redis_socket(Path(site.env["INSTANCE_PATH"])))) as redis:
        key = f"session:{name_of(sid)}"
        edit(redis, key, lambda data: data.update(_confirmed=data["_confirmed"] - minutes * 60))


def test_old_session_leaves_only_after_the_provider_has_asked(context: Context, site: Any) -> None:
    page = context(phone=True).new_page()
    enter_as(page, site, "bigid", "/users/me/")
    page.get_by_role("link", name="회원 탈퇴").click()
    age(page, site)
    page.fill("#typed", "탈퇴")
    page.locator("button.danger").click()
    expect(page.locator("h1")).to_have_text("본인 확인이 필요해요")
    assert fits(page)
    page.get_by_role("button", name="본인 확인하기: 카카오").click()
    choose(page, "twin-a")  # somebody else's account in the same browser
    if page.locator("[data-page=consent]").count():
        agree(page)
    expect(page.locator("h1")).to_have_text("다른 계정으로 로그인하셨어요")
    page.get_by_role("link", name="다시 시도").click()
    page.get_by_role("button", name="본인 확인하기: 카카오").focus()
    page.keyboard.press("Enter")
    choose(page, "bigid")
    expect(page).to_have_url(f"{site.url}/users/me/withdraw/")
    expect(page.get_by_role("status")).to_have_text("본인 확인이 끝났어요. 버튼을 한 번 더 눌러 주세요.")
    page.locator("button.danger").click()
    expect(page).to_have_url(f"{site.url}/users/me/withdrawn/")


def test_superuser_finds_the_form_filled_in_without_scripts(context: Context, site: Any, browser: Any) -> None:
    made = browser.new_context(locale="en-US", java_script_enabled=False)
    page = made.new_page()
    enter_as(page, site, "defaultpicture", "/users/me/")
    email = page.locator("dd", has_text="@").first.inner_text()
    site.flask("users", "promote", email, "--superuser")
    page.goto(f"{site.url}/users/")
    page.locator("tbody a").first.click()
    page.get_by_role("link", name="Suspend", exact=True).click()
    page.fill("#reason", "asked for it on the phone")
    age(page, site)
    address = page.url
    page.locator("form.decide button").click()
    expect(page.locator("h1")).to_have_text("Please confirm that it is you")
    expect(page.locator("main")).to_contain_text("What you typed is kept.")
    page.get_by_role("button", name="Confirm with Kakao").click()
    choose(page, "defaultpicture")
    expect(page).to_have_url(address)
    expect(page.locator("#reason")).to_have_value("asked for it on the phone")
    expect(page.get_by_role("status")).to_contain_text("press the button once more")
    made.close()
