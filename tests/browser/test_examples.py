"""Both examples by the one command of their pages: somebody presses the button and is in."""

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.browser import ROOT, agree, choose
from support.concurrency import until
from support.ports import free_ports
from support.programs import Program, run_program

pytestmark = pytest.mark.browser

#: Generous: the machine may be busy with other tests.
SECONDS = 60.0


class Example:
    """A copy of an example, which `kakaoauth dev` serves."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = Path(
            shutil.copytree(ROOT / "examples" / name, folder / name, ignore=shutil.ignore_patterns("instance"))
        )
        (command,) = re.findall(r"^kakaoauth (dev \S+)$", (self.folder / "README.md").read_text(), re.MULTILINE)
        port, sandbox_port = free_ports(2)
        self.url = f"http://localhost:{port}"
        self.env = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR", "LANG") if key in os.environ}
        self.command = ("kakaoauth.cli.console", *command.split(), f"--port={port}", f"--sandbox-port={sandbox_port}")
        self.log = folder / f"{name}.log"

    def start(self) -> Program:
        self.log.touch()
        program = Program(*self.command, env=self.env, stdout=self.log, cwd=self.folder)
        until(lambda: "Ctrl-C" in self.log.read_text() or program.poll() is not None, SECONDS)
        assert program.poll() is None, self.log.read_text()
        return program

    def flask(self, *words: str) -> None:
        done = run_program(*self.command, "--", *words, env=self.env, cwd=self.folder)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def serve() -> Iterator[Callable[[str], Example]]:
    folder = Path(tempfile.mkdtemp(prefix="ka-example-"))  # short, so that the socket's name fits
    started: list[Program] = []

    def begin(name: str) -> Example:
        example = Example(name, folder)
        started.append(example.start())
        return example

    yield begin
    for program in started:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGTERM)
            program.wait(SECONDS)
    shutil.rmtree(folder, ignore_errors=True)


def test_member_of_the_book_club_has_a_shelf_and_staff_sees_the_members(
    serve: Callable[[str], Example], page: Page
) -> None:
    club = serve("bookclub")
    page.goto(club.url)
    page.click("a.login.kakao")
    choose(page, "haneul")
    agree(page)
    expect(page).to_have_url(f"{club.url}/books/")
    expect(page.locator("li")).to_have_text([re.compile("어린 왕자")])
    page.fill("input[name=title]", "토지 <1부>")
    page.click("text=꽂기")
    expect(page.locator("li")).to_have_text([re.compile("어린 왕자"), re.compile("토지 <1부>")])
    page.get_by_role("button", name="어린 왕자 빼기").click()
    expect(page.locator("li")).to_have_text([re.compile("토지 <1부>")])

    page.click("nav >> text=내 계정")
    expect(page.locator(".name")).to_have_text("달빛 책모임")  # the club's layout around kakaoauth's page
    expect(page.locator("[data-page]")).to_contain_text("haneul@example.kr")
    club.flask("kakaoauth", "users", "promote", "haneul@example.kr", "--staff")
    page.click("nav >> text=내 책장")
    page.click("nav >> text=회원")
    expect(page.locator("tr").last).to_have_text(re.compile("하늘다람쥐.*haneul@example.kr.*1권", re.DOTALL))
    page.click("nav >> text=로그아웃")
    expect(page.locator("a.login.kakao")).to_be_visible()


def test_cart_of_the_shop_is_there_after_the_login_and_its_admin_comes_in_as_before(
    serve: Callable[[str], Example], page: Page
) -> None:
    shop = serve("existing")
    page.goto(shop.url)
    page.click("text=Add Green tea")
    page.click("text=Add Green tea")
    page.click("text=Check out")
    page.click("a.login.kakao")
    choose(page, "haneul")
    agree(page)
    expect(page).to_have_url(f"{shop.url}/checkout/")
    expect(page.locator("body")).to_contain_text("2 × Green tea")
    expect(page.locator("body")).to_contain_text("haneul@example.kr")
    page.goto(f"{shop.url}/admin/")
    page.fill("input[name=password]", "a guess")
    page.click("text=Enter")
    expect(page.locator("[role=alert]")).to_have_text("Wrong password.")
