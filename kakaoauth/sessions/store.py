"""The session store in Redis.

A session is one Redis string, `session:<hash of its id>`, holding an object (its keys: `sessions.data`) as
`sessions.encoding` writes it. The id itself is only in the cookie, so a copy of Redis opens no session.
"""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, cast

from flask import Flask, Request, Response, current_app, g, session
from flask_session.base import ServerSideSessionInterface
from redis.client import Pipeline

from kakaoauth.audit import visitors
from kakaoauth.config.checks import ConfigError
from kakaoauth.counting import active_users
from kakaoauth.sessions import encoding, host_data
from kakaoauth.sessions import index as session_index
from kakaoauth.sessions.cookie import SessionCookie, cookies_of, vary_by_cookie
from kakaoauth.sessions.csrf_tokens import FIELD
from kakaoauth.sessions.data import ends_unused
from kakaoauth.sessions.names import SID, former_name_of, name_of
from kakaoauth.sessions.redis_session import RedisSession, context_of, unless_full
from kakaoauth.storage.redis import REDIS_ERRORS, add, get_redis, read, read_all

log = logging.getLogger("kakaoauth.audit")

#: The lifetime is extended, and `_seen` written, at most this often (seconds).
TOUCH = 60
#: An anonymous session holds logins that may take 10 minutes; late ones are recognised within the hour.
ANONYMOUS_SECONDS = 3600
#: Replace the value only if it is still what we read. A deleted session stays deleted: a request in flight during a
#: logout loses. Returns 1, 0 for "deleted", or the value that another request wrote.
REPLACE = """
local now = redis.call('GET', KEYS[1])
if not now then return 0 end
if now ~= ARGV[1] then return now end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


def marks() -> dict[str, Any]:
    """Return `_seen`, `_agent` and `_address` of this request."""
    visitor = visitors.visitor()
    return {"_seen": round(time.time(), 1), "_agent": visitor.agent, "_address": visitor.address}


class RedisSessionInterface(SessionCookie, ServerSideSessionInterface):
    """Flask-Session's interface with our own way to store: atomic updates (REPLACE), JSON, hashed ids."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app, key_prefix=f"{app.config['KAKAOAUTH_REDIS_PREFIX']}session:", sid_length=32)
        self.redis = get_redis(app)
        self.replace_script = self.redis.register_script(REPLACE)

    # Flask's two calls.

    def open_session(self, app: Flask, request: Request) -> RedisSession:
        """Return a session that is not read yet (called by Flask before each request)."""
        cookies = cookies_of(request)
        cookie = cookies.get(self.get_cookie_name(app), "") if cookies else ""
        return RedisSession(self, cookie if SID.fullmatch(cookie) else None)

    def save_session(self, app: Flask, session: RedisSession, response: Response) -> None:
        """Store the session and send its cookie (called by Flask after each request)."""
        if session.accessed:
            vary_by_cookie(response)
        try:
            self._save(app, session, response)
        finally:
            self._run_along(session)

    def _run_along(self, session: RedisSession) -> None:
        """Run what the storing of the session did not take along. While Redis is away it is dropped."""
        if session.along:
            session.put_along(commands := self.redis.pipeline(transaction=False))
            with suppress(*REDIS_ERRORS):
                commands.execute()

    def _save(self, app: Flask, session: RedisSession, response: Response) -> None:
        if session.data is None:
            return
        if session.holds_unknown_user():
            session.give_up()
            raise ConfigError(
                "the app has called flask_login.login_user: remove that, people log in on kakaoauth's pages"
            )
        is_logged_out = not session.is_substitute and session.drop_login()
        if session.ended and not session.data:
            if session.sid:
                self._remove_if_possible(session)
                self.send_cookie(app, response, "", 0)
            return
        if not session.data and session.sid is None:
            return
        try:
            if is_logged_out:
                self.create(session, self.new_id())  # deletes the login's
            self.persist(session)
        except REDIS_ERRORS:
            session.give_up()
            raise
        if session.set_cookie and session.sid:
            is_lasting = "_user_id" in session.data or session.data.get("_permanent")
            lifetime = self.lifetime(session.data) if is_lasting else None
            self.send_cookie(app, response, session.sid, lifetime)

    def _remove_if_possible(self, session: RedisSession) -> None:
        """Delete an ended session. If Redis fails, the session is over all the same: the database says so."""
        if session.sid and not session.removed:
            with suppress(*REDIS_ERRORS):
                self.remove(session)

    # Storing.

    def persist(self, session: RedisSession) -> None:
        """Write what changed since it was read, and the last-seen time at most once a minute."""
        data = session.load()
        if session.sid is None:
            self.create(session, self.new_id())
            return
        # A page that did not load the user does not know whether the session is over, so it extends nothing.
        is_due = "_seen" in data and time.time() - data["_seen"] >= self.touch_seconds() and "_login_user" in g
        if is_due:
            data.update(marks())
            session.set_cookie = True  # the browser's copy of the lifetime goes on as well
        if not session.modified:
            return
        with unless_full(session):
            self._upsert_session(timedelta(seconds=self.lifetime(data)), session, self._key(session.name))
            if is_due and session.set_cookie:  # it was still there
                self._execute(self.redis.pipeline(transaction=False), session.name, data)

    def create(self, session: RedisSession, sid: str) -> bool:
        """Store the session under a new id and delete the old one. False if the old one was deleted already."""
        data = session.load()
        text = encoding.plain(data, sid)
        raw, name = encoding.squeeze(text), name_of(sid)
        old, owner = session.name, session.owner
        commands = self.redis.pipeline(transaction=False)
        add(commands, "SET", self._key(name), raw, "EX", self.lifetime(data))
        if old and owner is None:
            commands.delete(self._key(old))
        try:
            session.put_along(commands)
            answers = self._execute(commands, name, data)
        except REDIS_ERRORS:
            session.give_up()
            raise
        session.stands(sid, name, raw, text)
        session.set_cookie = True
        if not old or owner is None:
            return not old or answers[1] == 1
        return self.drop(owner, [old]) == 1  # a login's goes only after the other one is stored

    def _execute(self, commands: Pipeline, name: str, data: dict[str, Any]) -> list[Any]:
        """Run `commands` and, with them, count the user as active and index the session; return all answers."""
        user_id = session_index.owner_of(data)
        if user_id is None:
            return commands.execute()
        active_users.mark_active(commands, user_id)
        answers = session_index.enter(
            commands,
            user_id,
            name,
            seen=data["_seen"],
            until=ends_unused(data, self.app.config, is_staff=data.get("_staff") is True),
            seconds=self.app.config["KAKAOAUTH_SESSION_IDLE_SECONDS"],
        )
        if beyond := session_index.beyond(answers):
            self.drop(user_id, beyond)
        return answers

    def touch_seconds(self) -> float:
        """Return how often last use is written: each minute, or more often where the idle limit is short."""
        config = self.app.config
        idle = min(config["KAKAOAUTH_SESSION_IDLE_SECONDS"], config["KAKAOAUTH_STAFF_SESSION_IDLE_SECONDS"])
        return float(min(TOUCH, idle / 4))

    def lifetime(self, data: dict[str, Any]) -> int:
        """Return the seconds that Redis keeps it. Limits by role are checked when the user is loaded."""
        if "_user_id" not in data:
            kept = any(map(host_data.is_hosts, data))
            return int(self.app.config["KAKAOAUTH_SESSION_IDLE_SECONDS"]) if kept else ANONYMOUS_SECONDS
        config = self.app.config
        left = data.get("_begun", 0) + config["KAKAOAUTH_SESSION_MAX_SECONDS"] - int(time.time())
        return int(max(1, min(config["KAKAOAUTH_SESSION_IDLE_SECONDS"], left)))

    def new_id(self) -> str:
        """Return a new session id: 32 random bytes in base64url."""
        return cast(str, self._generate_sid(32))

    def remove(self, session: RedisSession) -> bool:
        """Delete what is stored of a session. False if there is none."""
        return self.drop(session.owner, [session.name]) == 1

    def drop(self, user_id: int | None, names: Sequence[str]) -> int:
        """Delete sessions by name, also from their owner's list. Return how many there were."""
        commands = self.redis.pipeline(transaction=False)
        for name in names:
            commands.delete(self.key_prefix + name)
        if user_id is not None:
            session_index.strike(commands, user_id, names)
        return sum(commands.execute()[: len(names)])

    def find(self, sid: str) -> tuple[str, bytes] | None:
        """Return the name and the stored bytes of a session; None if there is none."""
        for naming in (name_of, former_name_of):
            name = naming(sid)
            if (raw := read(self.redis, self._key(name))) is not None:
                return name, raw
        return None

    def look_for(self, commands: Pipeline, sid: str) -> None:
        """Ask within a pipeline whether there is such a session."""
        commands.exists(self._key(name_of(sid)))

    def read_named(self, names: Sequence[str]) -> list[dict[str, Any] | None]:
        """Return the data of sessions by name, in one round trip; None for one that is gone."""
        found = read_all(self.redis, [self._key(name) for name in names])
        return [self.decode(raw) if raw is not None else None for raw in found]

    def decode(self, raw: bytes, sid: str = "") -> dict[str, Any] | None:
        """Return the data of a session; None, which makes the visitor anonymous, if we did not write it.

        :param sid: its id; without it the data lacks what is made from that.
        """
        return self.read(raw, sid)[0]

    def read(self, raw: bytes, sid: str) -> tuple[dict[str, Any] | None, bytes]:
        """As `decode`, with what `encoding.plain` gives for these data."""
        try:
            text, is_former = encoding.stretch(raw), not raw.startswith(encoding.MARK)
            data = encoding.read(text, sid, is_former=is_former)
            if is_former:
                with context_of(self.app):
                    text = encoding.plain(data, sid)
            return data, text
        except (ValueError, TypeError):
            log.critical("a session in Redis is not ours: somebody else writes there")
            return None, b""

    # Flask-Session's verbs.

    def _key(self, name: str) -> str:
        return f"{self.key_prefix}{name}"

    def _retrieve_session_data(self, store_id: str) -> None:
        raise NotImplementedError  # abstract there; what calls it is replaced here: open_session, save_session

    _delete_session = _retrieve_session_data

    def _upsert_session(self, session_lifetime: timedelta, session: RedisSession, store_id: str) -> None:
        """Merge our changes into the stored session. Two tabs that change different keys both succeed."""
        mine, sid = session.load(), session.sid or ""
        base = self.decode(session.raw, sid) or {}
        changed = {key: value for key, value in mine.items() if key not in base or base[key] != value}
        removed = base.keys() - mine.keys()
        current, text = session.raw, encoding.plain(mine, sid)
        seconds = int(session_lifetime.total_seconds())
        for _attempt in range(20):
            value = encoding.squeeze(text)
            answer = self.replace_script(keys=[store_id], args=[current, value, seconds])
            if answer == 1:
                session.stands(sid, session.name, value, text)
                return
            if answer == 0:
                session.set_cookie = False
                return
            current = answer
            theirs = self.decode(current, sid) or {}
            text = encoding.plain({k: v for k, v in {**theirs, **changed}.items() if k not in removed}, sid)
        log.warning("a session changed too often to be written")

    def regenerate(self, session: RedisSession) -> None:
        """Give the session a new id, as a host knows it from Flask-Session."""
        if FIELD in session:
            session[FIELD] = session[FIELD]  # which was made from the old one: forms that are open stay valid
        self.create(session, self.new_id())


def current_store() -> RedisSessionInterface:
    """Return the app's session store."""
    return cast(RedisSessionInterface, current_app.session_interface)


def current_session() -> RedisSession:
    """Return this request's session object.

    :raises ConfigError: the app has replaced the session store after `KakaoAuth.init_app`.
    """
    current = session._get_current_object()  # type: ignore[attr-defined]
    if not isinstance(current, RedisSession):
        raise ConfigError("app.session_interface was replaced after kakaoauth's init_app: remove that")
    return current
