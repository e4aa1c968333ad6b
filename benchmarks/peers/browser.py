"""Browsers that log in and look at pages: a connection each that stays open, and the cookies of whoever uses it."""

import http.client
import itertools
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

from peers.provider import code_for, email_of, nickname_of
from peers.systems import System

T = TypeVar("T")
#: How many are at it at the same time.
AT_ONCE = 8
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


class Unexpected(Exception):
    """A system that does not do what is measured."""


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: str


@dataclass
class Browser:
    """:ivar person: whose address it comes from."""

    connection: http.client.HTTPConnection
    person: int
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, status: int) -> Answer:
        """Ask for a page. :raises Unexpected: the answer has another status."""
        number = self.person
        headers = {
            "User-Agent": AGENT,
            "Accept": "text/html",
            "Accept-Language": "ko",
            "Accept-Encoding": "gzip",
            "X-Forwarded-For": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        }
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        self.connection.request("GET", path, headers=headers)
        response = self.connection.getresponse()
        data = response.read()
        for line in response.headers.get_all("Set-Cookie") or ():
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name.strip()] = value
        if response.status != status:
            raise Unexpected(f"{path.partition('?')[0]}: {response.status} {response.getheader('Location')}")
        plain = response.getheader("Content-Encoding") is None
        return Answer(response.status, response.headers, data.decode() if plain else "")

    def log_in(self, system: System, *, with_id_token: bool = False) -> float:
        """Start, callback, the page after it. Return how many seconds the callback took."""
        start = self.get(system.start, 302)
        asked = {name: values[0] for name, values in parse_qs(urlsplit(start.headers["Location"]).query).items()}
        code = code_for(self.person, asked.get("nonce", ""), with_id_token=with_id_token)
        path = urlsplit(asked["redirect_uri"]).path
        begun = time.perf_counter()
        callback = self.get(f"{path}?code={code}&state={asked['state']}", 302)
        took = time.perf_counter() - begun
        self.get(urlsplit(callback.headers["Location"]).path, 200)
        return took

    def check(self, path: str) -> None:
        """:raises Unexpected: the page does not know who is logged in."""
        body = self.get(path, 200).body
        if body and email_of(self.person) not in body and nickname_of(self.person) not in body:
            raise Unexpected(f"{path} does not show who is logged in")


def connect(system: System) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", system.port, timeout=30)


def spread(system: System, items: Iterable[T], act: Callable[[http.client.HTTPConnection, T], object]) -> float:
    """Do something with each item, AT_ONCE at a time. Return how many seconds all of it took."""
    waiting = iter(list(items))

    def work(_number: int) -> None:
        connection = connect(system)
        try:
            for item in waiting:
                act(connection, item)
        finally:
            connection.close()

    begun = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(work, range(AT_ONCE)))
    return time.perf_counter() - begun


def log_in_all(system: System, people: Iterable[int]) -> tuple[float, list[Browser]]:
    """Log people in, each in a browser of their own. Return how long it took, and the browsers."""
    browsers: list[Browser] = []

    def log_in(connection: http.client.HTTPConnection, person: int) -> None:
        browser = Browser(connection, person)
        browser.log_in(system)
        browsers.append(browser)

    return spread(system, people, log_in), browsers


def look(system: System, browsers: Iterable[Browser], path: str, times: int) -> float:
    """Have the browsers look at a page, one after the other, so many times altogether."""

    def ask(connection: http.client.HTTPConnection, browser: Browser) -> None:
        Browser(connection, browser.person, dict(browser.cookies)).get(path, 200)

    return spread(system, itertools.islice(itertools.cycle(list(browsers)), times), ask)
