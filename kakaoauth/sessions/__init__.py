"""Begin, renew and end the session of a login. All calls of Flask-Login's `login_user` and `logout_user` are here."""

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, current_app, g, request, session
from flask_login import AnonymousUserMixin, current_user, login_user, logout_user, user_logged_in
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import object_session

from kakaoauth.config.mounting import BLUEPRINT
from kakaoauth.errors import AccountDisabled, DatabaseUnavailable, LogoutUnfinished
from kakaoauth.models import User, find_session_user
from kakaoauth.sessions import ended as ended_sessions
from kakaoauth.sessions import finished_logins, host_data, logout
from kakaoauth.sessions.csrf_tokens import FROM_ID
from kakaoauth.sessions.data import ends_at_last, ends_unused
from kakaoauth.sessions.index import owner_of
from kakaoauth.sessions.login_manager import LoginManager
from kakaoauth.sessions.logout import EndingSession
from kakaoauth.sessions.names import former_name_of
from kakaoauth.sessions.store import RedisSessionInterface, current_session, current_store, marks
from kakaoauth.storage import transaction
from kakaoauth.storage.database import db, in_words, is_away
from kakaoauth.storage.redis import REDIS_ERRORS
from kakaoauth.tokens import revocation as token_revocation

login_manager = LoginManager()

log = logging.getLogger("kakaoauth.sessions")

#: Seconds since the last proof of who it is in which a session may do what cannot be undone, or what opens the account
#: to somebody else: docs/security.md.
FRESH_SECONDS = 300
#: Seconds that a clock may be wrong.
LEEWAY = 60


def init_app(app: Flask, ask_to_log_in: Callable[[], Any]) -> None:
    """Install the session store and Flask-Login.

    :param ask_to_log_in: makes the response for an anonymous visitor on a page with Flask-Login's `login_required`.
    """
    app.session_interface = RedisSessionInterface(app)
    # What else its init_app does: load the user for every page, also for the one that says the database is away, and
    # read the session for every response, because of a remember-me cookie that is never there.
    app.login_manager = login_manager  # type: ignore[attr-defined]
    app.add_template_global(current_user, "current_user")
    login_manager.session_protection = None  # A phone changes its address all day long.
    login_manager.login_message = None  # A flash would store a session for every anonymous hit.
    login_manager.user_loader(load_user)
    login_manager.unauthorized_handler(ask_to_log_in)


def has_cookie() -> bool:
    """Whether the browser sent a session cookie at all."""
    return current_session().cookie is not None


def new_secret() -> str:
    """Return 32 random bytes in base64url."""
    return secrets.token_urlsafe(32)


def load_user(session_user_id: str) -> User | None:
    """Return the session's user, by one statement; None, and end the session, if it is over or was ended before.

    :param session_user_id: `User.get_id`: id and session version.
    :raises DatabaseUnavailable: on a page of a host's: it can show errors of ours, but none of SQLAlchemy's.
    """
    current = current_session()
    try:
        user = find_session_user(session_user_id, current.known_as)
    except SQLAlchemyError as error:
        if BLUEPRINT in request.blueprints or not is_away(error):
            raise
        transaction.forget_transaction()
        g._login_user = AnonymousUserMixin()  # the host's error page can name who is logged in, and must not ask again
        raise DatabaseUnavailable(in_words(error)) from None
    data = current.load()  # itself: each question to `session` goes through a proxy
    if user is None or is_over(user, data):
        current.end()
        return None
    if user.is_staff != ("_staff" in data):
        _mark_role(user)
    return user


def _mark_role(user: User) -> None:
    """Note the role in the session: the store computes the session's end without loading the user."""
    session.pop("_staff", None)
    if user.is_staff:
        session["_staff"] = True


def is_over(user: User, data: Mapping[str, Any]) -> bool:
    """Whether a session of this user that holds `data` has passed its idle or absolute limit."""
    return time.time() >= ends_unused(data, current_app.config, is_staff=user.is_staff)


def begin(
    user: User,
    *,
    sid: str | None = None,
    token_id: int | None = None,
    proven_at: float | None = None,
    finished: tuple[str, str] | None = None,
) -> None:
    """Log `user` in.

    An attacker may have planted the session id before the login (session fixation), so the order matters:

    - the anonymous session's data is dropped, except logins that wait in other tabs and finished ones, and what
      the host has named in KAKAOAUTH_SESSION_KEEP;
    - Flask-Login may refuse (an inactive user), and its refusal is final;
    - only then the session gets a new id, and the old id is deleted;
    - the session is stored at once, before the response says that the login succeeded.

    :param sid: the id for the new session, from `CallbackLock.acquire`; random if not given.
    :param token_id: the row of `provider_tokens` with this login's tokens.
    :param proven_at: when the person proved who they are, in unix seconds; None: the provider does not say.
    :param finished: the login's state, and where it goes: see `finished_logins`.
    :raises AccountDisabled: inactive user.
    """
    before, store = ending(), current_store()
    moment = round(time.time(), 1)
    _enter(user, begun=moment, confirmed=_confirmed_by(user, moment, proven_at), token_id=token_id)
    if finished:
        finished_logins.note(*finished)
    store.create(current_session(), sid or store.new_id())
    logout.remember_ended(before)


def _confirmed_by(user: User, moment: float, told: float | None) -> float:
    proof = proven_at(user, told)
    return moment if proof is None else max(0.0, min(moment, proof))


def proven_at(user: User, told: float | None) -> float | None:
    """Return when the person proved who they are, in unix seconds; None: at this login.

    While the provider's own session is open, a stranger at the browser can log in again without a password. So a
    login is as old as the proof behind it. Where the provider does not say, a login in the same person's session is as
    old as the one before.

    :param told: by the provider, in unix seconds.
    """
    is_theirs = (holder() or "").partition(".")[0] == str(user.id)
    return confirmed_at() if told is None and is_theirs else told


def renew(session_user_id: str, *, sid: str | None = None) -> bool:
    """Give this session a new id and a new CSRF token, because what it may do has changed.

    It stays the same login and gets no younger. False: it was ended during this request, and stays ended.

    :param session_user_id: what `User.get_id` must give. :param sid: as for `begin`.
    """
    return _renew(session_user_id, sid, confirmed_at())


def confirm(session_user_id: str, *, sid: str | None = None) -> bool:
    """As `renew`, for a person who has just confirmed who they are. The session's absolute end stays."""
    return _renew(session_user_id, sid, round(time.time(), 1))


def _renew(session_user_id: str, sid: str | None, confirmed: float) -> bool:
    before, store = ending(), current_store()
    user = find_session_user(session_user_id, before.name)
    if user is not None:
        drafts = session.get("_draft")
        theirs = {key: session[key] for key in session if host_data.is_hosts(key)}
        _enter(user, begun=session.get("_begun", 0), confirmed=confirmed, token_id=token_id())
        session.update(theirs)
        if drafts:
            session["_draft"] = drafts
        if store.create(current_session(), sid or store.new_id()):
            logout.remember_ended(before)
            return True
    end()
    return False


def confirmed_at() -> float:
    """Return when the person last proved who they are, in unix seconds; in sessions of an older version the login."""
    return float(session.get("_confirmed", session.get("_begun", 0)))


def is_fresh() -> bool:
    """Whether `confirmed_at` is at most FRESH_SECONDS ago. A time in the future, from a wrong clock, is not."""
    return -LEEWAY <= time.time() - confirmed_at() <= FRESH_SECONDS


def is_stored() -> bool:
    """Whether the session that this request came with still exists."""
    sid = current_session().sid
    found = current_store().find(sid) if sid is not None else None
    return found is not None and not ended_sessions.among([found[0]])


def _enter(user: User, *, begun: float, confirmed: float, token_id: int | None) -> None:
    own = current_session()  # itself: each question to `session` goes through a proxy
    kept = {key: own[key] for key in own if key.startswith(("_state_", *finished_logins.KEYS))}
    kept |= host_data.kept_through_login(own, current_app.config["KAKAOAUTH_SESSION_KEEP"])
    own.clear()
    if user_logged_in.has_receivers_for(current_app._get_current_object()):  # type: ignore[attr-defined]
        db.session.add(user)
    if not login_user(user):
        raise AccountDisabled(f"user {user.id} is not active")
    if object_session(user) is None:
        del g._login_user  # it cannot load its relations: `current_user` shall be another, read when asked for
    own.update(kept)
    if token_id is not None:
        own["_token"] = token_id
    own.update(_begun=begun, _confirmed=confirmed, **marks())
    _mark_role(user)
    own["csrf_token"] = FROM_ID
    g.pop("csrf_token", None)  # what Flask-WTF has made of the old one


def holder() -> str | None:
    """Return the `User.get_id` that this session holds. The session may be over by now."""
    found = session.get("_user_id")
    return str(found) if found else None


def ending(data: Mapping[str, Any] = session, *, known_as: str = "") -> EndingSession:
    """Return what is needed to end a session: this one, or the one named `known_as` that holds `data`."""
    until = ends_at_last(data if "_user_id" in data else {}, current_app.config)
    current = current_session()
    former = former_name_of(current.sid) if current.sid and current.is_substitute and not known_as else ""
    return EndingSession(known_as or name(), until, owner_of(data), token_id(data), former)


def token_id(data: Mapping[str, Any] = session) -> int | None:
    """Return the id of the `provider_tokens` row of this session's login, or of the one that holds `data`."""
    found = data.get("_token")
    return found if type(found) is int else None


def end() -> bool:
    """Log out in this browser: delete the session from Redis now, and the cookie with the response.

    False: Redis did not delete it. Then the session is over only if the database records its end.
    """
    logout_user()
    current = current_session()
    current.end()
    current.removed = True
    if not current.sid or current.is_substitute:
        return not current.is_substitute
    try:
        current_store().remove(current)
    except REDIS_ERRORS as error:
        log.error("session not removed from Redis: %s", type(error).__name__)
        return False
    return True


def log_out(action: str, **details: Any) -> None:
    """End this session in Redis and in the database, and revoke its tokens at the provider.

    :param action: its name in the audit log. :raises LogoutUnfinished: neither Redis nor the database recorded the
        end. The cookie is deleted all the same.
    """
    session_left = ending()
    is_removed = end()
    tokens = logout.end_session(session_left, action=action, away="database_away" in g, **details)
    if tokens is None and not is_removed:
        raise LogoutUnfinished("neither Redis nor the database took the end of a session")
    token_revocation.revoke_at_provider(tokens or [])


def name() -> str:
    """Return this session's name, a hash of its id for logs and tables; empty while it is not stored."""
    return current_session().known_as


def store_for_anonymous(key: str, value: str) -> bool:
    """Store a value in a new anonymous session, after the login's session has ended.

    False: Redis is away, nothing was stored.
    """
    current, store = current_session(), current_store()
    if current.is_substitute:
        return False
    session[key] = value
    try:
        store.create(current, store.new_id())
    except REDIS_ERRORS as error:
        log.warning("nothing kept for after the logout: %s", type(error).__name__)
        current.end()
        return False
    return True
