"""What a person does in the pages, in words."""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Page

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ROOT = Path(__file__).resolve().parents[2]


def press_login(page: Page, site: Any, next_path: str = "") -> None:
    page.goto(f"{site.url}{next_path or '/'}")
    page.click("a.login.kakao")


def choose(page: Page, person: str) -> None:
    page.click(f"button[name=person][value={person}]")


def agree(page: Page, *, without: tuple[str, ...] = ()) -> None:
    for item in without:
        page.uncheck(f"input[name=item][value={item}]")
    page.click("button[name=decision][value=agree]")


def log_in_as(page: Page, site: Any, person: str, next_path: str = "") -> None:
    """Through the sandbox, whether or not this person has agreed before."""
    press_login(page, site, next_path)
    choose(page, person)
    if page.locator("[data-page=consent]").count():
        agree(page)


def enter_as(page: Page, site: Any, person: str, path: str = "/") -> None:
    """Log this browser in and open `path`, for tests whose subject is what comes after the login.

    The same requests as `log_in_as`, sent by the browser without showing the sandbox's pages.
    """
    answer = page.request.get(f"{site.url}/kakao/login/")
    for step, choice in (("person", {"person": person}), ("consent", {"decision": "agree"})):
        text = answer.text()
        form = re.search(
            rf'action="(/oauth/authorize/{step})">\s*<input type="hidden" name="request" value="([^"]+)"', text
        )
        if form:
            items = re.findall(r'name="item" value="(\w+)" checked>', text)
            sent = urlencode([("request", form[2]), *choice.items(), *(("item", item) for item in items)])
            answer = page.request.post(f"{site.sandbox}{form[1]}", data=sent, headers=FORM)
    assert answer.url == f"{site.url}/", answer.url
    page.goto(f"{site.url}{path}")


def fits(page: Page) -> bool:
    """Nothing has to be scrolled sideways, once the style sheets are there."""
    page.wait_for_load_state("load")
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def picture(page: Page, name: str, *, phone: str = "") -> None:
    """Keep a picture for the README when asked to (`PICTURES=1 make test`), and another one as on a phone."""
    if not os.environ.get("PICTURES"):
        return
    page.wait_for_load_state("networkidle")
    page.screenshot(path=ROOT / "docs" / "images" / f"{name}.png")
    if phone:
        before = page.viewport_size
        page.set_viewport_size({"width": 375, "height": 740})
        page.screenshot(path=ROOT / "docs" / "images" / f"{phone}.png", animations="disabled")
        page.set_viewport_size(before or {"width": 1100, "height": 760})
