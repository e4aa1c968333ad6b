"""The last requests, for developers of a client: names of parameters, never their values."""

import re
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from kakaoauth.sandbox.clock import Clock, utc_text

KEPT = 500
# A body that is no form at all (a bare token, say) parses as one long name: only names that look like names are kept
NAME = re.compile(r"[a-z][a-z_.]{0,39}")
MOST_NAMES = 30


@dataclass(frozen=True)
class Entry:
    at: str
    method: str
    path: str
    status: int
    query: list[str]
    form: list[str]
    authorization: str  # the scheme alone
    content_type: str
    fault: str | None


class RequestLog:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: deque[Entry] = deque(maxlen=KEPT)

    def add(self, request: Request, status: int, fault: str | None) -> None:
        """Write a request down; the oldest entry goes when there are too many."""
        self._entries.append(
            Entry(
                at=utc_text(self._clock.now()),
                method=request.method[:10],
                path=request.path[:200],
                status=status,
                query=_names(request.args.keys()),
                form=_form_names(request),
                authorization=_scheme(request.headers.get("Authorization", "")),
                content_type=request.mimetype[:60],
                fault=fault,
            )
        )

    def newest(self, limit: int = KEPT) -> list[dict[str, Any]]:
        """Return the entries, the newest first."""
        return [asdict(entry) for entry in list(self._entries)[::-1][:limit]]

    def clear(self) -> None:
        """Forget every entry."""
        self._entries.clear()


def _form_names(request: Request) -> list[str]:
    try:
        return _names(request.form.keys())
    except RequestEntityTooLarge:
        return []


def _names(names: Any) -> list[str]:
    return [name if NAME.fullmatch(name) else "?" for name in list(names)[:MOST_NAMES]]


def _scheme(header: str) -> str:
    scheme, space, _ = header.partition(" ")
    known = {"bearer": "Bearer", "kakaoak": "KakaoAK", "basic": "Basic", "oauth": "OAuth"}
    return known.get(scheme.lower(), "?") if header and space else "?" if header else ""
