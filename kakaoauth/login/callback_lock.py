"""The lock on a callback: one of several equal requests exchanges the code, the others get its result."""

import hmac
import json
import time
from contextlib import AbstractContextManager
from hashlib import sha256
from typing import Any

from flask import Flask, current_app
from itsdangerous import base64_encode
from redis.client import Pipeline

from kakaoauth.errors import LoginInterrupted
from kakaoauth.login import waiting
from kakaoauth.sessions import finished_logins
from kakaoauth.sessions.store import current_session, current_store
from kakaoauth.storage import keys
from kakaoauth.storage.heartbeat import LEASE, Heartbeat
from kakaoauth.storage.redis import add, get_redis, named

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
        digest = _digest(state)
        self._key, self._alive = named(f"login:{digest}"), named(f"login-alive:{digest}")
        self._cookie = current_session().cookie or ""
        self._state, self._code = state, code
        self._record: dict[str, Any] = {}
        #: Whether `add_end` has told that the session is the result.
        self.has_outcome = False

    def _proof(self) -> str:
        return _digest(f"{self._cookie} {self._code}")

    def _sid(self) -> str:
        return base64_encode(keys.mac("session after login", f"{self._state}|{self._cookie}|{self._code}")).decode()

    def acquire(self) -> str | None:
        """Take the code for `SECONDS`. Return the id of the session to begin; None if another request was first."""
        sid = self._sid()
        self._record = {"proof": self._proof()}
        commands = get_redis(current_app).pipeline(transaction=False)
        add(commands, "SET", self._key, json.dumps(self._record), "EX", SECONDS, "NX")
        current_store().look_for(commands, sid)
        taken, is_done = commands.execute()
        if taken and is_done:  # the first one has ended since this one has read its session
            get_redis(current_app).delete(self._key)
        return sid if taken and not is_done else None

    def kept_alive(self) -> AbstractContextManager[None]:
        """Return a context in which the other request sees that this process still works on the login."""
        heartbeat: Heartbeat = current_app.extensions["kakaoauth_callback_heartbeat"]
        return heartbeat.of(self._alive)

    def publish(self, outcome: dict[str, Any]) -> None:
        """Store the result for the other request.

        :param outcome: `LoginResult.to_dict()` or `AppError.to_dict()`.
        """
        record = json.dumps({**self._record, "outcome": outcome})
        get_redis(current_app).set(self._key, record, xx=True, keepttl=True)

    def add_end(self, commands: Pipeline) -> None:
        """With the commands of the pipeline that stores the session, which is the result."""
        commands.delete(self._key)
        self.has_outcome = True

    def wait(self, patience: float) -> dict[str, Any] | None:
        """Return the result of the first request; None for another browser.

        On success this browser now has the first request's session.

        :param patience: seconds to wait.
        :raises LoginInterrupted: the first request's process has been gone, or stopped, for `LEASE` seconds.
        :raises ProviderBusy: too many wait.
        """
        give_up, has_seen = time.monotonic() + patience, False
        while self._cookie:
            raw, is_alive = self._look()
            if raw is None:
                outcome = self._finished()
                if outcome is None and has_seen:  # a Cluster may delete here before it stores there
                    waiting.wait_a_moment(0.05)
                    outcome = self._finished()
                return outcome
            has_seen = True
            record = json.loads(raw)
            if not hmac.compare_digest(record["proof"], self._proof()):
                return None
            outcome = record.get("outcome")
            if outcome is not None:
                has_session = "next" in outcome and "family" not in outcome
                return outcome if not has_session or self._adopt() else None
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

    def _finished(self) -> dict[str, Any] | None:
        """Return the result if it is a session that was begun in the last SECONDS, which this browser has then."""
        store, sid = current_store(), self._sid()
        found = store.find(sid)
        begun = (store.decode(found[1]) or {}).get("_begun", 0) if found else 0
        if abs(time.time() - begun) > SECONDS or not self._adopt():
            return None
        target = finished_logins.find(self._state)
        return {"next": target} if target else None

    def _adopt(self) -> bool:
        """Make the first request's session this one. False if it was ended since."""
        current = current_session()
        current.data = {}
        current.sid = None
        current.accessed = True
        if not current.read(self._sid()):
            return False
        current.set_cookie = True
        return True


def _digest(text: str) -> str:
    return base64_encode(sha256(text.encode()).digest()[:16]).decode()
