"""The webhooks on their way and those that were sent: one background thread, in order."""

import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kakaoauth.sandbox.clock import Clock, utc_text
from kakaoauth.sandbox.delivery.http import DeliveryError, deliver

KEPT = 100
MOST_WAITING = 1000
LONGEST_ANSWER = 8 * 1024


@dataclass(frozen=True)
class Message:
    """A webhook ready to be sent; sent again, it is the same to the byte."""

    kind: str  # unlink, account-status, facebook
    name: str  # the referrer type, the event's name, or which of Facebook's callbacks
    user_id: str
    method: str
    url: str
    flaws: tuple[str, ...] = ()
    jti: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    reads_answer: bool = False  # the body of the answer counts, too


@dataclass
class Delivery:
    """One attempt; `status`, `problem` and `milliseconds` are known when it is over."""

    id: int
    at: str
    message: Message
    status: int | None = None
    problem: str | None = None
    milliseconds: int | None = None
    answer: dict[str, str] | None = None  # the texts of a JSON answer, where they count

    def describe(self) -> dict[str, Any]:
        """Return what may be shown: neither the admin key nor the query it came with."""
        message = self.message
        return {
            "id": self.id,
            "at": self.at,
            "kind": message.kind,
            "name": message.name,
            "user_id": message.user_id,
            "method": message.method,
            "url": message.url.partition("?")[0],
            "flaws": list(message.flaws),
            "jti": message.jti,
            "status": self.status,
            "problem": self.problem,
            "milliseconds": self.milliseconds,
            "answer": self.answer,
        }


class Outbox:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: deque[Delivery] = deque()
        self._deliveries: deque[Delivery] = deque(maxlen=KEPT)
        self._working = False
        self._count = 0

    def send(self, message: Message) -> Delivery:
        """Return at once; a thread sends what waits, one after the other."""
        with self._changed:
            self._count += 1
            delivery = Delivery(self._count, utc_text(self._clock.now()), message)
            self._deliveries.append(delivery)
            if len(self._waiting) >= MOST_WAITING:
                delivery.problem = "too many are waiting"
                return delivery
            self._waiting.append(delivery)
            if not self._working:
                self._working = True
                threading.Thread(target=self._work, name="sandbox-outbox", daemon=True).start()
            return delivery

    def again(self, delivery_id: int) -> Delivery | None:
        """Send the same message once more, or return None when it is not remembered."""
        with self._changed:
            found = next((one for one in self._deliveries if one.id == delivery_id), None)
        return self.send(found.message) if found else None

    def join(self, seconds: float | None = None) -> bool:
        """Wait until nothing is on its way; False: it took longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._working, seconds)

    def newest(self) -> list[Delivery]:
        """Return copies, the newest first."""
        with self._changed:
            return [replace(delivery) for delivery in reversed(self._deliveries)]

    def clear(self) -> None:
        """Forget what was sent and what waits; what is on its way arrives."""
        with self._changed:
            self._waiting.clear()
            self._deliveries.clear()

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._working = False
                    self._changed.notify_all()
                    return
                delivery = self._waiting.popleft()
            self._deliver(delivery)

    def _deliver(self, delivery: Delivery) -> None:
        message = delivery.message
        status, problem, answer = None, None, None
        # A measured length of time, not a time of day: the sandbox's movable clock has no say in it
        begun = time.monotonic()
        try:
            most = LONGEST_ANSWER if message.reads_answer else 0
            status, body = deliver(message.method, message.url, message.headers, message.body, most)
            answer = _read_texts(body) if message.reads_answer else None
        except DeliveryError as error:
            problem = str(error)
        milliseconds = round((time.monotonic() - begun) * 1000)
        with self._changed:
            delivery.status, delivery.problem, delivery.milliseconds = status, problem, milliseconds
            delivery.answer = answer


def _read_texts(body: bytes) -> dict[str, str] | None:
    """Return the texts of a JSON object, None if it is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    return {name[:40]: value[:500] for name, value in found.items() if isinstance(value, str)}
