"""A session as a request sees it: the only file that knows when it is read, and what has changed in it since."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from flask.sessions import SessionMixin

from kakaoauth.storage.redis import REDIS_ERRORS, is_full

log = logging.getLogger("kakaoauth.presence")

#: Keys of a session whose change a later request depends on: session_store.
NEEDED = ("_user_id", "_begun", "_state_", "_logout_state", "csrf_token")


class Store(Protocol):
    """What a session asks of session_store."""

    def get(self, sid: str) -> bytes | None: ...

    def encode(self, data: dict[str, Any]) -> bytes: ...

    def decode(self, raw: bytes) -> dict[str, Any] | None: ...


class RedisSession(SessionMixin):
    """A session that is read when first looked at: pages that never look cost no Redis command."""

    def __init__(self, store: Store, cookie: str | None) -> None:
        self._store = store
        #: The id the browser sent, known to Redis or not.
        self.cookie = cookie
        #: The id the data stands under in Redis; None while nothing is stored.
        self.sid: str | None = None
        self.data: dict[str, Any] | None = None
        self.raw = b""
        self.accessed = False
        self.set_cookie = False
        self.ended = False
        #: What is to be done in Redis about an ended one has been done, or cannot be.
        self.removed = False
        #: Redis is away, and this is all that is known.
        self.is_stand_in = False

    def stand_in(self, data: dict[str, Any]) -> None:
        """Go on with `data` in place of what the cookie stands for, which cannot be read now."""
        self.accessed, self.data, self.sid, self.raw = True, data, self.cookie, self._store.encode(data)
        self.removed = self.is_stand_in = True

    def end(self) -> None:
        """Have the stored session and the cookie removed."""
        self.load().clear()
        self.ended = True

    def load(self) -> dict[str, Any]:
        self.accessed = True
        if self.data is None:
            self.data = {}
            if self.cookie:
                self.read(self.cookie)
        return self.data

    def read(self, sid: str) -> bool:
        """Become the stored session `sid`; False if there is none."""
        raw = self._store.get(sid)
        stored = self._store.decode(raw) if raw is not None else None
        if raw is None or stored is None:
            return False
        self.data, self.raw, self.sid = stored, raw, sid
        return True

    def __getitem__(self, key: str) -> Any:
        return self.load()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.load()[key] = value

    def __delitem__(self, key: str) -> None:
        del self.load()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self.load()))

    def __len__(self) -> int:
        return len(self.load())

    @property
    def modified(self) -> bool:  # type: ignore[override]
        return self.data is not None and self._store.encode(self.data) != (self.raw or b"{}")

    @property
    def new(self) -> bool:  # type: ignore[override]
        return self.sid is None

    def may_lose_changes(self) -> bool:
        """Whether somebody who is in can go on if what has changed is not stored: when they were last seen, a message
        that was shown. Not so a login or logout that waits for its return, and a form's token."""
        stored = self._store.decode(self.raw) or {} if self.raw else {}
        changed = [key for key, value in (self.data or {}).items() if stored.get(key) != value]
        return "_user_id" in stored and not any(key.startswith(NEEDED) for key in changed)


@contextmanager
def unless_full(session: RedisSession) -> Iterator[None]:
    """While Redis is at its `maxmemory`, people who are in go on without what they can do without."""
    try:
        yield
    except REDIS_ERRORS as error:
        if not (is_full(error) and session.may_lose_changes()):
            raise
        log.warning("Redis is full: a session's last-seen time is not stored; raise maxmemory")


@contextmanager
def given_up_on_failure(session: RedisSession) -> Iterator[None]:
    """What Redis could not take is dropped: the page that says so shall neither try again, which takes as long once
    more, nor send a cookie for it, which would replace the one of a session that is still good."""
    try:
        yield
    except REDIS_ERRORS:
        session.data, session.set_cookie = None, False
        raise
