"""The only file that decides which request may exchange an authorization code, and what its twin is told."""

import hmac
import json
import secrets
import time
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

from flask import current_app

from kakaoauth import twins
from kakaoauth.extensions import redis_of
from kakaoauth.session_store import current_session


class Claim:
    """Who may exchange an authorization code: the first request that brings it.

    A double click brings the callback twice at once, with the same cookie. The second must not spend the code again
    but must end logged in as well, for the browser may have thrown the first answer away. So the new session's id is
    computed from what only this browser and we know (its old session id, the code, our secret, a salt), and the
    second request can compute it too. Whoever lacks one of them, a thief with the address alone for instance, can't.
    """

    def __init__(self, state: str, code: str) -> None:
        self._key = f"login:{sha256(state.encode()).hexdigest()}"
        self._cookie = current_session().cookie or ""
        self._code = code

    def _proof(self) -> str:
        return sha256(f"{self._cookie} {self._code}".encode()).hexdigest()

    def _sid(self, salt: str) -> str:
        secret = str(current_app.config["SECRET_KEY"]).encode()
        message = f"session after login|{salt}|{self._cookie}|{self._code}".encode()
        return urlsafe_b64encode(hmac.digest(secret, message, "sha256")).decode().rstrip("=")

    def take(self, seconds: int) -> str | None:
        """Claim the code for `seconds`. Return the id of the session to begin, None if another request was first."""
        salt = secrets.token_urlsafe(16)
        record = json.dumps({"proof": self._proof(), "salt": salt})
        taken = redis_of(current_app).set(self._key, record, ex=seconds, nx=True)
        return self._sid(salt) if taken else None

    def settle(self, outcome: dict[str, Any]) -> None:
        """Tell the other request how it ended: an Arrival's memo, or an error's."""
        redis = redis_of(current_app)
        raw = redis.get(self._key)
        if raw is not None:
            record = {**json.loads(raw), "outcome": outcome}
            redis.set(self._key, json.dumps(record), xx=True, keepttl=True)

    def outcome(self, patience: float) -> dict[str, Any] | None:
        """How the first request ended, waiting `patience` seconds for it; None for anybody but the same browser.

        On success this browser now has the first request's session. :raises ProviderBusy: too many wait.
        """
        redis = redis_of(current_app)
        give_up = time.monotonic() + patience
        while self._cookie and (raw := redis.get(self._key)) is not None:
            record = json.loads(raw)
            if not hmac.compare_digest(record["proof"], self._proof()):
                return None
            outcome: dict[str, Any] | None = record.get("outcome")
            if outcome is not None:
                has_session = "next" in outcome and "family" not in outcome
                return outcome if not has_session or self._adopt(self._sid(record["salt"])) else None
            if time.monotonic() > give_up:
                return None
            twins.wait_a_moment(0.05)
        return None

    def _adopt(self, sid: str) -> bool:
        """Become the session of the first request, if nobody has ended it since."""
        current = current_session()
        current.data = {}
        current.sid = None
        current.accessed = True
        if not current.read(sid):
            return False
        current.set_cookie = True
        return True
