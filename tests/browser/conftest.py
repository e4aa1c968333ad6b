"""A real browser before everything: the site, its Redis and the sandbox, started as `make run` starts them."""

import contextlib
import json
import os
import shutil
import signal
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from support.ports import free_ports
from support.programs import Program, run_program
from support.terms import TERMS

from kakaoauth.config.embedded import SANDBOX_FACEBOOK_CLIENT_ID
from kakaoauth.config.sandbox import SANDBOX_APPLE_CLIENT_ID, SANDBOX_GOOGLE_CLIENT_ID, SANDBOX_NAVER_CLIENT_ID

#: The first is the one without windows, which takes a quarter of a processor's time.
CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONE = {"width": 375, "height": 740}
DESKTOP = {"width": 1100, "height": 760}


class Site:
    def __init__(self, instance: Path, **settings: str) -> None:
        self.port, self.sandbox_port, self.front_end_port = free_ports(3)
        self.url = f"http://localhost:{self.port}"
        self.sandbox = f"http://127.0.0.1:{self.sandbox_port}"
        self.front_end = f"http://localhost:{self.front_end_port}"
        ours = ("KAKAO_", "FACEBOOK_", "COV_", "REDIS_", "DATABASE_", "FRONTEND_")
        keep = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        self.env = {
            **keep,
            "PORT": str(self.port),
            "SANDBOX_PORT": str(self.sandbox_port),
            "FRONTEND_PORT": str(self.front_end_port),
            "INSTANCE_PATH": str(instance),
            **settings,
        }

    def flask(self, *arguments: str, stdin: str = "") -> str:
        done = run_program("flask", "--app", "wsgi", *arguments, env=self.env, stdin=stdin)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr, done.stderr  # a shell goes on after one
        return done.stdout


@contextlib.contextmanager
def running(**settings: str) -> Iterator[Site]:
    instance = Path(tempfile.mkdtemp(prefix="ka-site-"))
    site = Site(instance, **settings)
    process = Program("kakaoauth.devserver", env=site.env, stdout=instance / "log")
    try:
        wait_for(f"{site.url}/readyz", process)
        wait_for(f"{site.sandbox}/.well-known/jwks.json", process)
        wait_for(f"{site.front_end}/", process)
        yield site
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        shutil.rmtree(instance, ignore_errors=True)


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with running() as site:
        yield site


@pytest.fixture(scope="session")
def site_with_facebook() -> Iterator[Site]:
    """One more, that offers the sandbox's Facebook as well."""
    with running(FACEBOOK_CLIENT_ID=SANDBOX_FACEBOOK_CLIENT_ID) as site:
        yield site


@pytest.fixture(scope="session")
def site_with_all() -> Iterator[Site]:
    """One more, that offers the sandbox's Naver, Google and Apple as well."""
    with running(
        NAVER_CLIENT_ID=SANDBOX_NAVER_CLIENT_ID,
        GOOGLE_CLIENT_ID=SANDBOX_GOOGLE_CLIENT_ID,
        APPLE_CLIENT_ID=SANDBOX_APPLE_CLIENT_ID,
    ) as site:
        yield site


@pytest.fixture(scope="session")
def site_with_terms() -> Iterator[Site]:
    """One more, on which a first login ends on the sign-up step, and a closed account can be restored."""
    with running(KAKAOAUTH_TERMS=json.dumps(TERMS), KAKAOAUTH_LEAVE_GRACE_DAYS="7") as site:
        yield site


@pytest.fixture
def full_house(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A site to show: with 3000 people where pictures are made of it, otherwise the one of all tests."""
    if not os.environ.get("PICTURES"):
        yield request.getfixturevalue("site")
        return
    with running() as site:
        site.flask("users", "seed", "3000")
        yield site


@pytest.fixture(autouse=True)
def nobody_has_agreed_yet(request: pytest.FixtureRequest) -> None:
    """The sandbox as at its start, but strict: this site keeps to Kakao's documents. Who agreed in another test is
    asked again in this one."""
    if "site" in request.fixturenames:
        for path, body in (("reset", b""), ("console", b'{"strict": true}')):
            address = f"{request.getfixturevalue('site').sandbox}/sandbox/api/{path}"
            call = urllib.request.Request(address, data=body, headers={"X-Sandbox": "1"})
            urllib.request.urlopen(call, timeout=10).close()


def wait_for(url: str, process: Program, seconds: float = 40) -> None:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        assert process.poll() is None, "the site ended at its start"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"{url} did not answer")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    # Without a sandbox of its own: as root Chromium refuses to start otherwise. Nothing here looks up foreign hosts.
    # One renderer for all pages, and drawing in the browser's own process, as each further process costs.
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    arguments += ["--in-process-gpu", "--renderer-process-limit=1", "--disable-site-isolation-trials"]
    # The sandbox's pictures point at Kakao's picture host; nothing outside this machine is asked.
    # A proxy would look it up itself.
    arguments += ["--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=arguments)
        yield running
        running.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """A browser of somebody's own; its pages must not break the Content-Security-Policy."""
    made: list[BrowserContext] = []
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text or "Content-Security-Policy" in message.text:
            complaints.append(message.text)

    def make(
        language: str = "ko-KR", *, phone: bool = False, dark: bool = False, agent: str | None = None
    ) -> BrowserContext:
        made.append(
            browser.new_context(
                locale=language,
                user_agent=agent,
                viewport=PHONE if phone else DESKTOP,
                color_scheme="dark" if dark else "light",
                timezone_id="Asia/Seoul",
            )
        )
        made[-1].set_default_timeout(15_000)
        made[-1].on("console", listen)
        return made[-1]

    yield make
    for one in made:
        one.close()
    assert complaints == []


@pytest.fixture
def page(context: Callable[..., BrowserContext]) -> Page:
    return context().new_page()
