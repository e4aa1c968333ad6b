"""How many may talk to a provider at once."""

import threading
import time

import pytest
from support.stopwatch import Stopwatch

from kakaoauth.errors import ProviderBusy
from kakaoauth.providers import http
from kakaoauth.providers.http import ConcurrencyLimit


def test_burst_is_served_while_the_provider_is_quick() -> None:
    limit = ConcurrencyLimit(2, waiting=50)
    together, most, lock = [0], [0], threading.Lock()
    refused: list[Exception] = []

    def call() -> None:
        try:
            with limit.taken():
                with lock:
                    together[0] += 1
                    most[0] = max(most[0], together[0])
                time.sleep(0.005)
                with lock:
                    together[0] -= 1
        except ProviderBusy as busy:
            refused.append(busy)

    threads = [threading.Thread(target=call) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == []
    assert most == [2]


def test_nobody_waits_for_a_slow_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SLOW_SECONDS", 0.05)
    limit = ConcurrencyLimit(1, waiting=1)
    with limit.taken():
        with pytest.raises(ProviderBusy), limit.taken():
            pass
        watch = Stopwatch()
        for _ in range(20):
            with pytest.raises(ProviderBusy), limit.taken():
                pass
        assert watch.seconds() < 0.5
    with limit.taken():
        pass


def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "WAIT_SECONDS", 0.05)
    limit = ConcurrencyLimit(1, waiting=1)
    with limit.taken(), pytest.raises(ProviderBusy), limit.taken():
        pass


def test_failed_conversation_gives_its_place_back() -> None:
    limit = ConcurrencyLimit(1, waiting=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), limit.taken():
            raise ZeroDivisionError


def test_only_so_many_wait_and_the_rest_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SLOW_SECONDS", 600)
    monkeypatch.setattr(http, "WAIT_SECONDS", 600)
    limit = ConcurrencyLimit(1, waiting=2)
    go_on, ended = threading.Event(), threading.Semaphore(0)
    results: list[str] = []

    def call() -> None:
        try:
            with limit.taken():
                go_on.wait(30)
                results.append("served")
        except ProviderBusy:
            results.append("refused")
        ended.release()

    threads = [threading.Thread(target=call) for _ in range(10)]
    for thread in threads:
        thread.start()
    for _ in range(7):
        assert ended.acquire(timeout=30), "refused although the first one is still talking"
    assert results == ["refused"] * 7
    go_on.set()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["refused"] * 7 + ["served"] * 3


@pytest.mark.parametrize(("calls", "held"), [(1, 6), (16, 28)])
def test_a_silent_provider_holds_so_many_threads(calls: int, held: int) -> None:
    assert http.threads_held(calls) == held
