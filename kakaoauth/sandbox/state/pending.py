"""Requests that wait for a person's answer: few, short-lived, each bound to one browser."""

import secrets
from typing import Generic, Protocol, TypeVar

from kakaoauth.sandbox.clock import Clock

KEPT = 500  # an endless loop of redirects must not fill the memory
SECONDS = 3600  # a person may go for a coffee in front of the consent page


class Waits(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def browser(self) -> str: ...
    @property
    def created_at(self) -> float: ...


Record = TypeVar("Record", bound=Waits)


class Waiting(Generic[Record]):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[str, Record] = {}

    def put(self, record: Record) -> Record:
        """Keep the record and return it; the oldest goes when there are too many."""
        while len(self._records) >= KEPT:
            del self._records[next(iter(self._records))]
        self._records[record.id] = record
        return record

    def find(self, record_id: str, browser: str) -> Record | None:
        """Return the record only to the browser that began it: nobody can answer for somebody else."""
        record = self._records.get(record_id)
        if record is None or not secrets.compare_digest(record.browser.encode(), browser.encode()):
            return None
        return record if record.created_at + SECONDS > self._clock.now() else None

    def clear(self) -> None:
        """Forget every record."""
        self._records.clear()
