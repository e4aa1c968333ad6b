"""Several calls from one starting line, and waiting for what another thread does."""

import threading
import time
from collections.abc import Callable
from typing import Any

from flask import Flask

from kakaoauth.storage.database import db

Ask = Callable[[], Any]

#: Those who asked, so that a test that failed can wait for them before its servers go.
ASKING: list[threading.Thread] = []


def at_once(site: Flask, *acts: Callable[[], Any]) -> list[Any]:
    """Run each in a thread and a database session of its own, all from one starting line. What each gave or raised."""
    line = threading.Barrier(len(acts))
    ended: list[Any] = [None] * len(acts)

    def run(number: int, act: Callable[[], Any]) -> None:
        with site.app_context():
            db.session.connection()
            db.session.rollback()
            line.wait(10)
            try:
                ended[number] = act()
            except Exception as error:
                ended[number] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return ended


def ask_at_once(asks: dict[str, Ask]) -> dict[str, tuple[Any, float]]:
    """The answer to each and how long it took."""
    ended: dict[str, tuple[Any, float]] = {}

    def run(name: str, ask: Ask) -> None:
        began = time.monotonic()
        answer = ask()
        ended[name] = (answer, time.monotonic() - began)

    threads = [threading.Thread(target=run, args=item, daemon=True) for item in asks.items()]
    for thread in threads:
        thread.start()
    ASKING.extend(threads)
    for thread in threads:
        thread.join(8)
    assert ended.keys() == asks.keys(), "somebody still waits"
    return ended


def until(happens: Callable[[], Any], seconds: float = 10) -> Any:
    """Ask again until the answer is true; the last answer is returned, and fails the test, after `seconds`."""
    give_up = time.monotonic() + seconds
    while not (answer := happens()):
        assert time.monotonic() < give_up, f"not within {seconds} seconds"
        time.sleep(0.02)
    return answer
