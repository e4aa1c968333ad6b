"""The privilege boundary: the only file that logs a person in or out."""

import hmac
import logging
import secrets
import time
from collections.abc import Mapping
from typing import Any

from flask import Flask, current_app, g, session
from flask_login import AnonymousUserMixin, current_user, login_user, logout_user
from flask_login import LoginManager as FlaskLoginManager
from flask_wtf.csrf import CSRFError

from kakaoauth.errors import AccountDisabled, LogoutUnfinished
from kakaoauth.models import User, find_session_user
from kakaoauth.sessions import ended as ended_sessions
from kakaoauth.sessions import finished_logins, logout
from kakaoauth.sessions.csrf_tokens import csrf
from kakaoauth.sessions.data import ends_at_last, ends_unused
from kakaoauth.sessions.index import owner_of
from kakaoauth.sessions.logout import Leaving
from kakaoauth.sessions.store import RedisSessionInterface, current_session, current_store, marks, name_of
from kakaoauth.storage.redis import REDIS_ERRORS
from kakaoauth.tokens import revocation as token_revocation


class LoginManager(FlaskLoginManager):
    """Flask-Login without the remember-me cookie, which would read the session on every answer, health checks too."""

    def _update_remember_cookie(self, response: Any) -> Any:
        return response


login_manager = LoginManager()

log = logging.getLogger("kakaoauth.sessions")

#: Seconds since the last proof of who it is in which a session may do what cannot be undone, or what opens the account
#: to somebody else: docs/security.md.
FRESH_SECONDS = 300
#: Seconds that a clock may be wrong.
LEEWAY = 60


def init_app(app: Flask) -> None:
    app.session_interface = RedisSessionInterface(app)
    # Its own context processor would load the user for every page, also for the one that says the database is away.
    login_manager.init_app(app, add_context_processor=False)
    app.add_template_global(current_user, "current_user")
    login_manager.session_protection = None  # A phone changes its address all day long.
    login_manager.login_message = None  # A flash would store a session for every anonymous hit.
    login_manager.user_loader(load_user)


def has_cookie() -> bool:
    """Whether the browser sent a session cookie at all."""
    return current_session().cookie is not None


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def load_user(session_user_id: str) -> User | None:
    """The session's user, in one statement. A session that is over, or whose user is, ends here and now; so does one
    that was ended before and is in Redis again."""
    user = find_session_user(session_user_id, name())
    if user is None or is_over(user, session):
        current_session().end()
        return None
    if user.is_staff != ("_staff" in session):
        _mark_role(user)
    return user


def _mark_role(user: User) -> None:
    """For the store, which has the session without its user and must know when it ends."""
    session.pop("_staff", None)
    if user.is_staff:
        session["_staff"] = True


def is_over(user: User, data: Mapping[str, Any]) -> bool:
    """Whether a session of this user that holds `data` was unused, or there, for too long."""
    return time.time() >= ends_unused(data, current_app.config, is_staff=user.is_staff)


def begin(user: User, *, sid: str | None = None, token_id: int | None = None, proven_at: float | None = None) -> None:
    """Log `user` in.

    Crossing from anonymous to somebody is where a planted session id would pay off, so the order matters:

    - what the browser did before is dropped, except logins that wait in other tabs and
      where finished ones went;
    - Flask-Login may refuse (an inactive user), and its refusal is final;
    - only then a new id is made, because there is something to store under it, and the old id is dead;
    - it is stored at once: nobody is told "you are in" before they are.

    :param token_id: where the vault keeps the provider's tokens of this login.
    :param sid: the id for the new session, from `claims.Claim`; random if not given.
    :param proven_at: when the person proved who they are, in unix seconds; None: the provider does not say.
    :raises AccountDisabled: inactive user.
    """
    before, store = leaving(), current_store()
    sid = sid or store.new_id()
    moment = round(time.time(), 1)
    _enter(user, sid, begun=moment, confirmed=_confirmed_by(user, moment, proven_at), token_id=token_id)
    store.create(current_session(), sid)
    logout.remember_ended(before)


def _confirmed_by(user: User, moment: float, told: float | None) -> float:
    proof = proven_at(user, told)
    return moment if proof is None else max(0.0, min(moment, proof))


def proven_at(user: User, told: float | None) -> float | None:
    """Whoever sits in somebody's open browser can log in once more without a word, while the provider's own session is
    open as well. So a login is as old as the proof behind it; where that is unknown, one in the same person's session
    proves nothing new.

    :param told: by the provider, in unix seconds. Return None: as old as the login.
    """
    is_theirs = (holder() or "").partition(".")[0] == str(user.id)
    return confirmed_at() if told is None and is_theirs else told


def renew(session_user_id: str, *, sid: str | None = None) -> bool:
    """Give this session a new id and a new CSRF token, because what it may do has changed.

    It stays the same login, and its age goes on counting. False: it was ended while its request was on the way, here
    or everywhere, and stays so.

    :param session_user_id: what `User.get_id` must give. :param sid: as for `begin`.
    """
    return _renew(session_user_id, sid, confirmed_at())


def confirm(session_user_id: str, *, sid: str | None = None) -> bool:
    """As `renew`, for a person who has just proved again who they are. The session ends no later for it."""
    return _renew(session_user_id, sid, round(time.time(), 1))


def _renew(session_user_id: str, sid: str | None, confirmed: float) -> bool:
    before, store = leaving(), current_store()
    user = find_session_user(session_user_id, before.name)
    if user is not None:
        sid = sid or store.new_id()
        drafts = session.get("_draft")
        _enter(user, sid, begun=session.get("_begun", 0), confirmed=confirmed, token_id=token_id())
        if drafts:
            session["_draft"] = drafts
        if store.create(current_session(), sid):
            logout.remember_ended(before)
            return True
    end()
    return False


def confirmed_at() -> float:
    """When the person last proved who they are, in unix seconds. A session of an older version knows its login only."""
    return float(session.get("_confirmed", session.get("_begun", 0)))


def is_fresh() -> bool:
    """Whether that was a moment ago. A time from the future, which a clock has written that was wrong, was not."""
    return -LEEWAY <= time.time() - confirmed_at() <= FRESH_SECONDS


def is_stored() -> bool:
    """Whether the session that this request came with has not been ended since."""
    sid = current_session().sid
    return sid is not None and current_store().get(sid) is not None and not ended_sessions.among([name_of(sid)])


def _enter(user: User, sid: str, *, begun: float, confirmed: float, token_id: int | None) -> None:
    kept = {key: session[key] for key in session if key.startswith(("_state_", *finished_logins.KEYS))}
    session.clear()
    if not login_user(user):
        raise AccountDisabled(f"user {user.id} is not active")
    session.update(kept)
    if token_id is not None:
        session["_token"] = token_id
    session.update(_begun=begun, _confirmed=confirmed, **marks())
    _mark_role(user)
    session["csrf_token"] = _csrf_secret(sid)
    g.pop("csrf_token", None)  # what Flask-WTF has made of the old one


def _csrf_secret(sid: str) -> str:
    """What the form's CSRF tokens of a session are made from, by Flask-WTF. Made from the session's id, so that a form
    can be recognised as this session's own when Redis cannot be asked; whoever knows it does not know the id."""
    secret = str(current_app.config["SECRET_KEY"]).encode()
    return hmac.digest(secret, f"csrf|{sid}".encode(), "sha256").hex()


def holder() -> str | None:
    """What `User.get_id` gave to this session, as the session itself says; it may be over by now."""
    found = session.get("_user_id")
    return str(found) if found else None


def go_on_without_user() -> None:
    """Let nobody ask the database for the user again during this request: it is away."""
    g._login_user = AnonymousUserMixin()


def stand_in() -> bool:
    """While Redis is away: go on for whoever holds this cookie, as nobody, if the form that came was made for them."""
    current = current_session()
    if current.cookie is None:
        return False
    current.stand_in({"csrf_token": _csrf_secret(current.cookie)})
    go_on_without_user()
    try:
        csrf.protect()
    except CSRFError:
        return False
    return True


def leaving(data: Mapping[str, Any] = session, *, known_as: str = "") -> Leaving:
    """What must be known of a session to end it: of this one, or of the one called `known_as` that holds `data`."""
    until = ends_at_last(data if "_user_id" in data else {}, current_app.config)
    return Leaving(known_as or name(), until, owner_of(data), token_id(data))


def token_id(data: Mapping[str, Any] = session) -> int | None:
    """Where the vault keeps the provider's tokens of this session's login, or of the one that holds `data`."""
    found = data.get("_token")
    return found if type(found) is int else None


def end() -> bool:
    """Log out in this browser: the session is gone from Redis before the answer is sent, and the cookie with it.

    False: Redis could not do its part. Then the session is over only if the database knows of it.
    """
    logout_user()
    current = current_session()
    current.end()
    current.removed = True
    if not current.sid or current.is_stand_in:
        return not current.is_stand_in
    try:
        current_store().remove(current.sid, current.raw)
    except REDIS_ERRORS as error:
        log.error("session not removed from Redis: %s", type(error).__name__)
        return False
    return True


def log_out(action: str, **details: Any) -> None:
    """End this session for good: in Redis, in the database's memory, and its tokens at the provider. One of the first
    two is enough.

    :param action: what the audit trail calls it. :raises LogoutUnfinished: neither. The cookie goes all the same.
    """
    session_left = leaving()
    is_removed = end()
    held = logout.end_session(session_left, action=action, away="database_away" in g, **details)
    if held is None and not is_removed:
        raise LogoutUnfinished("neither Redis nor the database took the end of a session")
    token_revocation.revoke_at_provider(held or [])


def name() -> str:
    """What this session is called where its id must not stand; empty while it is not stored."""
    sid = current_session().sid
    return name_of(sid) if sid else ""


def store_for_anonymous(key: str, value: str) -> bool:
    """Keep a value for a visitor whose session has just ended, in a session of its own: the ended one stays dead.

    False: Redis is away.
    """
    current, store = current_session(), current_store()
    if current.is_stand_in:
        return False
    session[key] = value
    try:
        store.create(current, store.new_id())
    except REDIS_ERRORS as error:
        log.warning("nothing kept for after the logout: %s", type(error).__name__)
        current.end()
        return False
    return True
