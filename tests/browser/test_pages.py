"""The pages as people meet them: pressed, read, gone back, on a phone, in both languages."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from support.browser import agree, choose, enter_as, log_in_as, picture, press_login

pytestmark = pytest.mark.browser

Context = Callable[..., BrowserContext]


def test_new_person_is_in_and_known_the_next_time(context: Context, site: Any) -> None:
    page = context().new_page()
    page.goto(site.url)
    picture(page, "login-ko")
    page.click("a.login.kakao")
    expect(page.locator("body")).to_contain_text("카카오가 아닙니다")
    choose(page, "haneul")
    agree(page)
    expect(page).to_have_url(f"{site.url}/")
    expect(page.locator("h1")).to_have_text("안녕하세요, 하늘다람쥐 님")
    again = context().new_page()
    press_login(again, site)
    choose(again, "haneul")
    expect(again.locator("h1")).to_have_text("안녕하세요, 하늘다람쥐 님")


def test_button_is_kakaos(context: Context, site: Any) -> None:
    for language, label in (("ko-KR", "카카오 로그인"), ("en-US", "Login with Kakao"), ("fr-FR", "카카오 로그인")):
        page = context(language).new_page()
        page.goto(site.url)
        button = page.get_by_role("link", name=label, exact=True)
        expect(button).to_have_css("background-color", "rgb(254, 229, 0)")
        expect(button).to_have_css("border-radius", "12px")
        expect(button).to_have_css("color", "rgba(0, 0, 0, 0.85)")
        assert button.locator("svg path").get_attribute("fill") == "#000000"
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        expect(button).to_be_focused()
        assert button.evaluate("e => getComputedStyle(e).outlineStyle") != "none"


def test_cancel_says_so_and_offers_another_try(page: Page, site: Any) -> None:
    press_login(page, site)
    choose(page, "defaultpicture")
    page.click("button[name=decision][value=cancel]")
    expect(page.locator("h1")).to_have_text("로그인을 취소했어요")
    page.click("text=다시 시도하기")
    agree(page)
    expect(page.locator("h1")).to_contain_text("안녕하세요")


def test_refused_email_is_asked_for_and_ends_at_next(context: Context, site: Any) -> None:
    page = context(phone=True).new_page()
    press_login(page, site, "/users/me/")
    choose(page, "refuses")
    agree(page, without=("account_email",))
    expect(page.locator("h1")).to_have_text("이메일 주소가 필요해요")
    page.click("text=이메일 제공에 동의하기")
    expect(page.locator("input[name=item]")).to_have_count(1)
    page.check("input[name=item][value=account_email]")
    agree(page)
    expect(page).to_have_url(f"{site.url}/users/me/")


@pytest.mark.parametrize(
    ("person", "words"),
    [
        ("noemail", "등록된 이메일이 없어요"),
        ("unverified", "아직 인증되지 않았어요"),
        ("invalid", "다른 계정에서 쓰고 있어요"),
        ("under14", "만 14세 미만"),
    ],
)
def test_those_who_cannot_come_in_learn_why(page: Page, site: Any, person: str, words: str) -> None:
    log_in_as(page, site, person)
    expect(page.locator("main")).to_contain_text(words)
    page.goto(f"{site.url}/users/me/")
    expect(page.locator("a.login.kakao")).to_be_visible()


def test_nickname_from_outside_is_only_text(page: Page, site: Any) -> None:
    enter_as(page, site, "html")
    expect(page.locator("h1")).to_contain_text("<b>")
    assert page.locator("main b").count() == 0


def test_nineteen_digits_survive(page: Page, site: Any) -> None:
    enter_as(page, site, "bigid", "/users/me/")
    site.flask("users", "promote", "bigid@example.com", "--staff")
    page.goto(f"{site.url}/users/?q=1376016924429759228")
    page.click("tbody a")
    expect(page.locator("code")).to_have_text("1376016924429759228")


def test_two_tabs_both_end_where_they_wanted(context: Context, site: Any) -> None:
    browser = context()
    first, second = browser.new_page(), browser.new_page()
    press_login(first, site, "/users/me/")
    press_login(second, site)
    choose(first, "twin-a")
    agree(first)
    expect(first).to_have_url(f"{site.url}/users/me/")
    choose(second, "twin-a")
    expect(second).to_have_url(f"{site.url}/")
    expect(second.locator("h1")).to_contain_text("안녕하세요")
    first.reload()
    expect(first).to_have_url(f"{site.url}/users/me/")


def test_back_and_reload_after_login_do_no_harm(page: Page, site: Any) -> None:
    callbacks: list[str] = []
    page.on("request", lambda request: callbacks.append(request.url) if "/callback/" in request.url else None)
    log_in_as(page, site, "haneul", "/users/me/")
    expect(page).to_have_url(f"{site.url}/users/me/")
    page.goto(callbacks[0])
    expect(page).to_have_url(f"{site.url}/users/me/")
    page.go_back()
    page.reload()
    assert page.locator("[data-page=problem]").count() == 0


def test_double_click_logs_in_once(page: Page, site: Any) -> None:
    page.goto(site.url)
    page.dblclick("a.login.kakao", no_wait_after=True)
    page.wait_for_selector("[data-page=chooser]")
    choose(page, "haneul")
    if page.locator("[data-page=consent]").count():
        page.dblclick("button[name=decision][value=agree]", no_wait_after=True)
    expect(page.locator("h1")).to_contain_text("안녕하세요")


def test_logout_and_back_shows_nothing_private(page: Page, site: Any) -> None:
    enter_as(page, site, "haneul", "/users/me/")
    expect(page.locator("main")).to_contain_text("haneul@example.kr")
    page.get_by_role("button", name="로그아웃", exact=True).click()
    expect(page.locator("a.login.kakao")).to_be_visible()
    page.go_back()
    expect(page.locator("a.login.kakao")).to_be_visible()
    assert "haneul@example.kr" not in page.content()


def test_logout_with_the_account_asks_again_who_one_is(page: Page, site: Any) -> None:
    enter_as(page, site, "haneul", "/kakao/logout/")
    page.goto(f"{site.url}/kakao/logout/")
    page.click("text=카카오계정과 함께 로그아웃")
    page.click("button[name=decision][value=logout]")
    expect(page.locator("a.login.kakao")).to_be_visible()
    page.click("a.login.kakao")
    expect(page.locator("[data-page=chooser]")).to_be_visible()


def test_staff_sees_the_list_and_searches_it(context: Context, site: Any) -> None:
    page = context().new_page()
    enter_as(page, site, "longname", "/users/me/")
    email = page.locator("dd").first.inner_text()
    page.goto(f"{site.url}/users/")
    expect(page.locator("h1")).to_have_text("이 페이지를 볼 수 없어요")
    site.flask("users", "promote", email, "--staff")
    page.goto(site.url)
    page.click("header >> text=사용자")
    expect(page.locator("tbody tr").first).to_be_visible()
    page.fill("input[name=q]", email)
    page.get_by_role("button", name="검색").click()
    expect(page.locator("tbody tr")).to_have_count(1)


@pytest.mark.parametrize(("language", "dark"), [("ko-KR", False), ("en-US", True)])
def test_phone_shows_every_page_without_sideways_scrolling(
    context: Context, site: Any, language: str, dark: bool
) -> None:
    page = context(language, phone=True, dark=dark).new_page()
    page.goto(site.url)
    if language == "ko-KR" and not dark:
        picture(page, "phone-ko")
    enter_as(page, site, "bigid")
    site.flask("users", "promote", "bigid@example.com", "--staff")
    for path in (
        "/",
        "/users/me/",
        "/users/",
        "/users/1/",
        "/users/me/withdraw/",
        "/kakao/logout/",
        "/nowhere/",
        "/kakao/login/callback/",
    ):
        page.goto(f"{site.url}{path}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 375, path
        small = page.evaluate(
            "[...document.querySelectorAll('a.button, button, a.login')]"
            ".filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 40).map(e => e.textContent)"
        )
        assert small == [], path


def test_language_can_be_chosen(page: Page, site: Any) -> None:
    page.goto(site.url)
    page.click("text=English")
    expect(page.locator("h1")).to_have_text("Welcome to kakaoauth")
    page.goto(f"{site.url}/nowhere/")
    expect(page.locator("h1")).to_have_text("There is nothing here")


def test_pages_work_without_script(browser: Any, site: Any) -> None:
    bare = browser.new_context(java_script_enabled=False, locale="ko-KR")
    page = bare.new_page()
    log_in_as(page, site, "haneul", "/users/me/")
    page.get_by_role("button", name="로그아웃", exact=True).click()
    expect(page.locator("a.login.kakao")).to_be_visible()
    bare.close()


def test_leaving_for_good_unlinks_at_kakao_too(context: Context, site: Any) -> None:
    page = context(phone=True).new_page()
    enter_as(page, site, "defaultname", "/users/me/")
    page.click("text=회원 탈퇴")
    expect(page.locator("main")).to_contain_text("삭제되는 정보")
    expect(page.locator("main")).to_contain_text("보관되는 정보")
    page.fill("#typed", "탈퇴")
    page.get_by_role("button", name="탈퇴하기").click()
    expect(page.locator("[data-page=withdrawn]")).to_be_visible()
    page.goto(f"{site.url}/users/me/")
    page.click("a.login.kakao")
    expect(page.locator("[data-page=consent]")).to_be_visible()
    agree(page)
    expect(page).to_have_url(f"{site.url}/users/me/")


def test_leaving_can_be_thought_over(page: Page, site: Any) -> None:
    enter_as(page, site, "haneul", "/users/me/")
    page.click("text=회원 탈퇴")
    page.click("text=아니요, 계속 쓸게요")
    expect(page.locator("main")).to_contain_text("haneul@example.kr")


def test_logout_everywhere_reaches_the_other_device(context: Context, site: Any) -> None:
    phone, laptop = context(phone=True).new_page(), context().new_page()
    for page in (phone, laptop):
        enter_as(page, site, "defaultpicture", "/users/me/")
    laptop.get_by_role("button", name="모든 기기에서 로그아웃", exact=True).click()
    expect(laptop.locator("a.login.kakao")).to_be_visible()
    phone.reload()
    expect(phone.locator("a.login.kakao")).to_be_visible()


def test_another_account_can_be_chosen(page: Page, site: Any) -> None:
    enter_as(page, site, "haneul")
    page.get_by_role("button", name="로그아웃", exact=True).click()
    page.click("text=다른 카카오계정으로 로그인")
    expect(page.locator("[data-page=chooser]")).to_be_visible()


def test_unlinking_at_kakao_ends_the_session_here(context: Context, site: Any) -> None:
    browser = context()
    page, console = browser.new_page(), browser.new_page()
    enter_as(page, site, "longname", "/users/me/")
    console.goto(site.sandbox)
    console.click("button[name=person][value=longname]")
    for _ in range(50):  # the sandbox sends its webhook in the background
        page.goto(f"{site.url}/users/me/")
        if page.locator("a.login.kakao").count():
            break
    expect(page.locator("a.login.kakao")).to_be_visible()
