"""The session object of a request: it is read on first use and knows what has changed since."""

import logging
import marshal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol, cast

from flask import Flask, has_app_context, request
from flask.sessions import SessionMixin
from redis.client import Pipeline
from redis.exceptions import ReadOnlyError

from kakaoauth.config.mounting import BLUEPRINT
from kakaoauth.errors import SessionsUnavailable
from kakaoauth.sessions.csrf_tokens import FIELD, FROM_ID, csrf_secret
from kakaoauth.sessions.encoding import plain
from kakaoauth.sessions.host_data import is_hosts
from kakaoauth.sessions.index import owner_of
from kakaoauth.sessions.names import name_of
from kakaoauth.storage.redis import REDIS_ERRORS, is_full

log = logging.getLogger("kakaoauth.presence")

#: Keys that a later request needs: their change must not be lost.
NEEDED = ("_user_id", "_begun", "_state_", "_logout_state", "csrf_token", "_sign_up")


class Store(Protocol):
    """What a session needs of `sessions.store`."""

    app: Flask
    key_prefix: str

    def find(self, sid: str) -> tuple[str, bytes] | None:
        """Return the name and the stored bytes of a session."""

    def read(self, raw: bytes, sid: str) -> tuple[dict[str, Any] | None, bytes]:
        """Return the data, None if we did not write it, and their text."""


class RedisSession(SessionMixin):
    """A session that is read from Redis on first use; a page that does not use it costs no Redis command."""

    def __init__(self, store: Store, cookie: str | None) -> None:
        self._store = store
        #: The id the browser sent, known to Redis or not.
        self.cookie = cookie
        #: The id the data stands under in Redis; None while nothing is stored.
        self.sid: str | None = None
        self.data: dict[str, Any] | None = None
        #: What it is called there, what stands there, and the text of that (`encoding.plain`).
        self.name = ""
        self.raw = self.text = b""
        #: `_image` of the data as they were read or stored; None: unknown.
        self._image_read: bytes | None = None
        #: What stands under the cookie, where it was read before it was needed.
        self._ahead: bytes | None = None
        self.accessed = False
        self.set_cookie = False
        self.ended = False
        #: The ended session was removed from Redis already, or cannot be.
        self.removed = False
        #: Redis is away: the data is a substitute, the stored session is unknown.
        self.is_substitute = False
        #: `User.get_id` of whose login stands in Redis.
        self.known_user: Any = None
        #: Add commands to the pipeline that stores the session: what need not be known before, such as counters.
        self.along: list[Callable[[Pipeline], None]] = []

    def use_substitute(self, data: dict[str, Any]) -> None:
        """Use `data` as a substitute for the stored session, which cannot be read now."""
        self.accessed, self.data, self.sid = True, data, self.cookie
        self.text = plain(data, self.sid or "")
        self.removed = self.is_substitute = True

    def end(self) -> None:
        """Mark the session as ended: `save_session` removes it from Redis and deletes the cookie."""
        self.load().clear()
        self.ended = True

    def give_up(self) -> None:
        """Drop the changes, because Redis fails. The error page must not try again, which takes as long once more, nor
        send a cookie, which would replace the one of a valid session."""
        self.data, self.set_cookie = None, False

    def load(self) -> dict[str, Any]:
        """Return the data, read from Redis at the first call.

        :raises SessionsUnavailable: on a page of a host's: it can show errors of ours, but none of Redis. Its error
            page then finds an empty session. :raises RedisError: on our own pages.
        """
        self.accessed = True
        if self.data is None:
            self.data = {}
            try:
                if self.cookie:
                    self.read(self.cookie)
            except REDIS_ERRORS as error:
                if BLUEPRINT in request.blueprints:
                    raise
                raise SessionsUnavailable(type(error).__name__) from None
        return self.data

    def ask_ahead(self, commands: Pipeline) -> bool:
        """Have a pipeline read the session, whose answer `take` takes. False if there is nothing to read."""
        if not self.cookie or self.data is not None:
            return False
        commands.get(self._store.key_prefix + name_of(self.cookie))
        return True

    def take(self, raw: bytes | None) -> None:
        """Use what was read by `ask_ahead`, once, instead of reading it."""
        self._ahead = raw

    def read(self, sid: str) -> bool:
        """Load the stored session `sid` into this object; False if there is none."""
        ahead, self._ahead = self._ahead, None
        is_here = ahead is not None and sid == self.cookie
        found = (name_of(sid), cast(bytes, ahead)) if is_here else self._store.find(sid)
        if found is None:
            return False
        name, raw = found
        stored, text = self._store.read(raw, sid)
        if stored is None:
            return False
        self.data = stored
        self.stands(sid, name, raw, text)
        return True

    def stands(self, sid: str, name: str, raw: bytes, text: bytes) -> None:
        """Note that the data stand in Redis: their id, their name there, the bytes, and their text."""
        data = self.data or {}
        self.sid, self.name, self.raw, self.text, self._image_read = sid, name, raw, text, _image(data)
        self.known_user = data.get("_user_id")

    @property
    def known_as(self) -> str:
        """A hash of its id, for logs and tables; empty while it is not stored."""
        return self.name or (name_of(self.sid) if self.sid else "")

    @property
    def owner(self) -> int | None:
        """The id of the user whose login stands in Redis."""
        return owner_of({"_user_id": self.known_user})

    def put_along(self, commands: Pipeline) -> None:
        """Move what waits in `along` into a pipeline."""
        while self.along:
            self.along.pop(0)(commands)

    def __getitem__(self, key: str) -> Any:
        value = self.load()[key]
        if key != FIELD or value != FROM_ID:
            return value
        with context_of(self._store.app):
            return csrf_secret(self.sid or "")

    def __setitem__(self, key: str, value: Any) -> None:
        self.load()[key] = value

    def __delitem__(self, key: str) -> None:
        del self.load()[key]

    # Without these two, Python would ask for the value to know whether it is there, or to drop it.
    def __contains__(self, key: object) -> bool:
        return key in self.load()

    def clear(self) -> None:
        """Drop all."""
        self.load().clear()

    def __iter__(self) -> Iterator[str]:
        return iter(list(self.load()))

    def __len__(self) -> int:
        return len(self.load())

    @property
    def modified(self) -> bool:  # type: ignore[override]
        """Whether the data differs from what was read."""
        if self.data is None or (self._image_read is not None and _image(self.data) == self._image_read):
            return False
        return plain(self.data, self.sid or "") != (self.text or b"{}")

    @property
    def new(self) -> bool:  # type: ignore[override]
        """Whether nothing is stored yet."""
        return self.sid is None

    def holds_unknown_user(self) -> bool:
        """Whether a user is in here whom no login of ours has put here: ours are stored at once."""
        user = (self.data or {}).get("_user_id")
        return user is not None and bool(user != self.known_user)

    def drop_login(self) -> bool:
        """Drop what is left of a login that the host has taken out, by `session.clear()` or Flask-Login's
        `logout_user()`. Return whether it has."""
        if self.ended or self.data is None or "_user_id" in self.data or self.known_user is None:
            return False
        self.data = {key: value for key, value in self.data.items() if is_hosts(key)}
        self.ended = not self.data
        return True

    def may_lose_changes(self) -> bool:
        """Whether the changes of a logged-in session can be dropped: last use, a message that was shown. A state that
        waits for its callback, a CSRF token and a host's data cannot."""
        stored = self._store.read(self.raw, self.sid or "")[0] or {} if self.raw else {}
        changed = [key for key, value in (self.data or {}).items() if stored.get(key) != value]
        return "_user_id" in stored and not any(
            is_hosts(key) or key.startswith(NEEDED) for key in changed if key != "_flashes"
        )


def _image(data: dict[str, Any]) -> bytes | None:
    """Return bytes that are equal only for equal data, in a tenth of the time that their JSON takes; None for data that
    hold more than JSON's types."""
    try:
        return marshal.dumps(data, 2)  # later versions depend on how many variables hold a value
    except ValueError:
        return None


def context_of(app: Flask) -> AbstractContextManager[Any]:
    """Return an app context for the secrets of `app`, where a test that looks into a session has none."""
    return nullcontext() if has_app_context() else app.app_context()


@contextmanager
def unless_full(session: RedisSession) -> Iterator[None]:
    """While Redis is at its `maxmemory`, or a replica, drop changes that `may_lose_changes` allows to drop."""
    try:
        yield
    except REDIS_ERRORS as error:
        if not ((is_full(error) or isinstance(error, ReadOnlyError)) and session.may_lose_changes()):
            raise
        why = "full: raise maxmemory" if is_full(error) else "a replica"
        log.warning("a session's last-seen time is not stored, Redis is %s", why)
