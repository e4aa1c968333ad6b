"""The privilege boundary: the only file that logs a person in or out."""

import secrets
import time

from flask import Flask, current_app, session
from flask_login import current_user, login_user, logout_user
from flask_wtf.csrf import generate_csrf

from kakaoauth.errors import AccountDisabled
from kakaoauth.extensions import login_manager
from kakaoauth.models import User, find_session_user
from kakaoauth.session_store import RedisSessionInterface, current_session, current_store

#: How many finished logins a browser may come back to with its back button.
DONE = 10


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
    """The session's user, in one statement. A session that is over, or whose user is, ends here and now."""
    user = find_session_user(session_user_id)
    if user is None or _is_over(user):
        current_session().end()
        return None
    return user


def _is_over(user: User) -> bool:
    config = current_app.config
    idle, longest = config["SESSION_IDLE_SECONDS"], config["SESSION_MAX_SECONDS"]
    if user.is_staff:
        idle = min(idle, config["STAFF_SESSION_IDLE_SECONDS"])
        longest = min(longest, config["STAFF_SESSION_MAX_SECONDS"])
    now = time.time()
    return bool(now - session.get("_seen", 0) >= idle or now - session.get("_begun", 0) >= longest)


def begin(user: User, *, sid: str | None = None, token_id: int | None = None) -> None:
    """Log `user` in.

    Crossing from anonymous to somebody is where a planted session id would pay off, so the order matters:

    - what the browser did before is dropped, except logins that wait in other tabs and
      where finished ones went;
    - Flask-Login may refuse (an inactive user), and its refusal is final;
    - only then a new id is made, because there is something to store under it, and the old id is dead;
    - it is stored at once: nobody is told "you are in" before they are.

    :param token_id: where the vault keeps the provider's tokens of this login.
    :param sid: the id for the new session, from `claims.Claim`; random if not given.
    :raises AccountDisabled: inactive user.
    """
    kept = {key: session[key] for key in session if key.startswith(("_state_", "_done"))}
    session.clear()
    if not login_user(user):
        raise AccountDisabled(f"user {user.id} is not active")
    session.update(kept)
    if token_id is not None:
        session["_token"] = token_id
    session["_begun"] = session["_seen"] = round(time.time(), 1)
    generate_csrf()
    store = current_store()
    store.create(current_session(), sid or store.new_id())


def token_id() -> int | None:
    """Where the vault keeps the provider's tokens of this session's login."""
    found = session.get("_token")
    return found if type(found) is int else None


def end() -> None:
    """Log out in this browser: the session is gone from Redis before the answer is sent."""
    logout_user()
    current = current_session()
    current.end()
    if current.sid:
        current_store().delete(current.sid)


def leave_note(key: str, value: str) -> None:
    """Keep a value for a visitor whose session has just ended, in a session of its own: the ended one stays dead."""
    session[key] = value
    store = current_store()
    store.create(current_session(), store.new_id())


def remember_done(state: str, target: str) -> None:
    """The back button leads to the callback again: keep where that login went."""
    done = {**session.get("_done", {}), state: target}
    session["_done"] = dict(list(done.items())[-DONE:])
    current_store().persist(current_session())


def find_done(state: str) -> str | None:
    """Where the login with that state went, if it was finished in this session and the person is still in."""
    if "_user_id" not in session:
        return None
    target = session.get("_done", {}).get(state)
    return target if isinstance(target, str) else None
