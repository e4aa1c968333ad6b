"""How many wait for the first of two equal requests."""

import threading
import time

import pytest

from kakaoauth.errors import ProviderBusy
from kakaoauth.login import waiting


def test_so_many_wait_and_the_next_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()

    def sleep(_seconds: float) -> None:
        begun.release()
        assert go_on.wait(30)

    monkeypatch.setattr(time, "sleep", sleep)
    threads = [threading.Thread(target=waiting.wait_a_moment, args=(0.05,)) for _ in range(waiting.WAITING)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert begun.acquire(timeout=30)
    with pytest.raises(ProviderBusy):
        waiting.wait_a_moment(0.05)
    go_on.set()
    for thread in threads:
        thread.join()
    waiting.wait_a_moment(0.05)
