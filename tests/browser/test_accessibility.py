"""axe-core finds nothing on any page: what it knows of contrast, names, headings, landmarks and sizes of targets."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page
from support.browser import enter_as

pytestmark = pytest.mark.browser

AXE = Axe()
OPTIONS = {"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}
ANYONE = ("/", "/login/", "/nothing/", "/kakao/login/callback/?code=x&state=y", "/users/me/withdrawn/", "/api/docs/")
MEMBER = ("/", "/users/me/", "/kakao/logout/", "/users/me/withdraw/", "/users/me/confirm/?next=/users/me/")
STAFF = (
    *("/users/", "/users/{id}/", "/users/{id}/end-sessions/", "/users/overview/", "/users/audit/"),
    *("/users/suspended/", "/users/import/", "/users/export/", "/users/many/suspend/?user={id}"),
)
SANDBOX = ("/", *(f"/sandbox/{name}" for name in ("console", "faults", "webhooks", "facebook", "naver", "tools")))


def complaints(page: Page, address: str) -> list[str]:
    page.goto(address)
    page.evaluate(AXE.axe_script)
    found = page.evaluate("options => axe.run(options).then(results => results.violations)", OPTIONS)
    nodes = [(one["id"], node) for one in found for node in one["nodes"]]
    return [f"{address}: {kind}: {node['html'][:100]} {node['failureSummary'][:200]}" for kind, node in nodes]


def test_axe_finds_nothing_on_any_page(context: Callable[..., BrowserContext], site: Any) -> None:
    page = context().new_page()
    found = [one for path in ANYONE for one in complaints(page, site.url + path)]
    found += [one for path in SANDBOX for one in complaints(page, site.sandbox + path)]
    page = context("en-US", dark=True, phone=True).new_page()
    enter_as(page, site, "haneul", "/users/me/")
    found += [one for path in MEMBER for one in complaints(page, site.url + path)]
    site.flask("users", "promote", "haneul@example.kr", "--superuser")
    page.goto(f"{site.url}/users/")
    number = str(page.locator(".people a.name").last.get_attribute("href")).strip("/").split("/")[-1]
    found += [one for path in STAFF for one in complaints(page, site.url + path.format(id=number))]
    assert found == []
