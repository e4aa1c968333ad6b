"""The lock on a callback: one of several equal requests exchanges the code, the others get its result."""

import hmac
import json
import secrets
import time
from contextlib import AbstractContextManager
from hashlib import sha256
from typing import Any

from flask import Flask, current_app
from itsdangerous import base64_encode
from redis.client import Pipeline

from kakaoauth.errors import LoginInterrupted
from kakaoauth.login import waiting
from kakaoauth.sessions.store import current_session
from kakaoauth.storage import keys
from kakaoauth.storage.heartbeat import LEASE, Heartbeat
from kakaoauth.storage.redis import get_redis, named

#: Seconds in which a repeated callback still finds out how the first one ended: as long as a login may take.
SECONDS = 600


def init_app(app: Flask) -> None:
    """Prepare the heartbeat of the requests that hold a lock."""
    app.extensions["kakaoauth_callback_heartbeat"] = Heartbeat(get_redis(app))


class CallbackLock:
    """The right to exchange an authorization code. The first request that brings it gets the right.

    A double click brings the callback twice at once, with the same cookie. The second must not spend the code again
    but must end logged in as well, for the browser may have thrown the first answer away. So the new session's id is
    computed from what only this browser and we know (its old session id, the code, our secret, a salt), and the
    second request can compute it too. A thief who has only the address cannot.
    """

    def __init__(self, state: str, code: str) -> None:
        digest = sha256(state.encode()).hexdigest()
        self._key, self._alive = named(f"login:{digest}"), named(f"login-alive:{digest}")
        self._cookie = current_session().cookie or ""
        self._code = code
        self._record: dict[str, Any] = {}
        #: Whether `add_outcome` has told how the login ends.
        self.has_outcome = False

    def _proof(self) -> str:
        return sha256(f"{self._cookie} {self._code}".encode()).hexdigest()

    def _sid(self, salt: str) -> str:
        return base64_encode(keys.mac("session after login", f"{salt}|{self._cookie}|{self._code}")).decode()

    def acquire(self) -> str | None:
        """Take the code for `SECONDS`. Return the id of the session to begin; None if another request was first."""
        salt = secrets.token_urlsafe(16)
        self._record = {"proof": self._proof(), "salt": salt}
        taken = get_redis(current_app).set(self._key, json.dumps(self._record), ex=SECONDS, nx=True)
        return self._sid(salt) if taken else None

    def kept_alive(self) -> AbstractContextManager[None]:
        """Return a context in which the other request sees that this process still works on the login."""
        heartbeat: Heartbeat = current_app.extensions["kakaoauth_callback_heartbeat"]
        return heartbeat.of(self._alive)

    def publish(self, outcome: dict[str, Any]) -> None:
        """Store the result for the other request.

        :param outcome: `LoginResult.to_dict()` or `AppError.to_dict()`.
        """
        commands = get_redis(current_app).pipeline(transaction=False)
        self.add_outcome(commands, outcome)
        commands.execute()

    def add_outcome(self, commands: Pipeline, outcome: dict[str, Any]) -> None:
        """As `publish`, with the commands of a pipeline."""
        commands.set(self._key, json.dumps({**self._record, "outcome": outcome}), xx=True, keepttl=True)
        self.has_outcome = True

    def wait(self, patience: float) -> dict[str, Any] | None:
        """Return the result of the first request; None for another browser.

        On success this browser now has the first request's session.

        :param patience: seconds to wait.
        :raises LoginInterrupted: the first request's process has been gone, or stopped, for `LEASE` seconds.
        :raises ProviderBusy: too many wait.
        """
        give_up = time.monotonic() + patience
        while self._cookie:
            raw, is_alive = self._look()
            if raw is None:
                return None
            record = json.loads(raw)
            if not hmac.compare_digest(record["proof"], self._proof()):
                return None
            outcome: dict[str, Any] | None = record.get("outcome")
            if outcome is not None:
                has_session = "next" in outcome and "family" not in outcome
                return outcome if not has_session or self._adopt(self._sid(record["salt"])) else None
            if not is_alive or time.monotonic() > give_up:
                raise LoginInterrupted("the first of two equal callbacks has not ended")
            waiting.wait_a_moment(0.05)
        return None

    def _look(self) -> tuple[bytes | None, bool]:
        """Return the record, and whether its maker is at work: the record is young, or its heartbeat is."""
        commands = get_redis(current_app).pipeline(transaction=False)
        commands.get(self._key)
        commands.pttl(self._key)
        commands.exists(self._alive)
        raw, left, beats = commands.execute()
        return raw, bool(beats) or left > (SECONDS - LEASE) * 1000

    def _adopt(self, sid: str) -> bool:
        """Make the first request's session this one. False if it was ended since."""
        current = current_session()
        current.data = {}
        current.sid = None
        current.accessed = True
        if not current.read(sid):
            return False
        current.set_cookie = True
        return True
