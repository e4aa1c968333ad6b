"""Which fault is switched on at which address, and for how many calls."""

import re
import threading
from dataclasses import asdict, dataclass, field
from typing import Any

from kakaoauth.sandbox.faults import catalogue

LONGEST_WAIT = 120_000  # milliseconds
MOST_CALLS = 1_000_000
REASON = re.compile(r"[A-Z][A-Z0-9_]{0,59}")


class FaultError(ValueError):
    """This fault can't be switched on like this."""


@dataclass
class ActiveFault:
    """A fault that is switched on. `calls` counts down; None: until switched off."""

    endpoint: str
    fault: str
    calls: int | None = None
    milliseconds: int | None = None
    status: int | None = None
    fields: tuple[str, ...] = field(default=())
    reason: str | None = None  # beside a kapi code

    def __post_init__(self) -> None:
        if self.fault not in catalogue.FAULTS:
            raise FaultError(f"unknown fault: {self.fault}")
        if self.endpoint not in catalogue.FAULTS[self.fault].endpoints:
            raise FaultError(f"{self.fault} does not happen at {self.endpoint}")
        _check_range("calls", self.calls, 1, MOST_CALLS)
        _check_range("milliseconds", self.milliseconds, 0, LONGEST_WAIT)
        _check_range("status", self.status, 200, 599)
        if self.reason is not None:
            _check_reason(self.reason, self.fault)


class ActiveFaults:
    """At most one fault for each address: a new one replaces the old."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: dict[str, ActiveFault] = {}

    def switch_on(self, fault: ActiveFault) -> None:
        """Put it in the place of the one that was on at this address."""
        with self._lock:
            self._active[fault.endpoint] = fault

    def take(self, endpoint: str) -> ActiveFault | None:
        """Return the fault for this call, and count the call."""
        with self._lock:
            fault = self._active.get(endpoint)
            if fault is not None and fault.calls is not None:
                fault.calls -= 1
                if not fault.calls:
                    del self._active[endpoint]
            return fault

    def switch_off(self, endpoint: str) -> None:
        """Let this address work again, if it did not."""
        with self._lock:
            self._active.pop(endpoint, None)

    def clear(self) -> None:
        """Let every address work again."""
        with self._lock:
            self._active.clear()

    def describe(self) -> list[dict[str, Any]]:
        """Return the faults that are on, as the control API shows them."""
        with self._lock:
            return [asdict(fault) for fault in self._active.values()]


def _check_reason(reason: str, fault: str) -> None:
    if not catalogue.is_kapi_code(fault):
        raise FaultError(f"reason goes with a kapi code, not with {fault}")
    if not REASON.fullmatch(reason):
        raise FaultError("reason must look like ACCESS_TOKEN_EXPIRED")


def _check_range(name: str, value: int | None, low: int, high: int) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high):
        raise FaultError(f"{name} must be a number from {low} to {high}")
