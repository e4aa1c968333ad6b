"""The state of the app that answers, and the browser's session: which browser this is, and who is logged in."""

import hmac
import secrets
from typing import cast

from flask import current_app, request, session

from kakaoauth.sandbox.errors import PageError
from kakaoauth.sandbox.people.kakao import Person
from kakaoauth.sandbox.state.state import State

EXTENSION = "kakaoauth_sandbox"
SESSION_SECONDS = 86400  # a Kakao Account session: 24 hours, not prolonged by use


def current_state() -> State:
    """Return what the app that answers remembers."""
    return cast(State, current_app.extensions[EXTENSION])


def browser_id() -> str:
    """Return this browser's random name, which is also the anti-forgery token of its forms."""
    if "browser" not in session:
        session["browser"] = secrets.token_urlsafe(24)
    return str(session["browser"])


def check_form_token() -> None:
    """Refuse a form that another site made this browser send. :raise PageError:"""
    sent = request.form.get("token", "")
    if not hmac.compare_digest(sent.encode(), browser_id().encode()):
        raise PageError(None)


def signed_in() -> tuple[Person, int] | None:
    """Return the person of the account session and when they logged in."""
    state = current_state()
    auth_time = session.get("auth_time", 0)
    # "Forget everything" ends the sessions of other browsers, too: their cookie names an older generation
    if session.get("generation") != state.generation or auth_time + SESSION_SECONDS <= state.clock.now():
        return None
    person = state.people.get(session.get("person", ""))
    return (person, auth_time) if person else None


def sign_in(person: Person) -> int:
    """Begin the account session of this browser, and return when: Unix time in seconds."""
    state = current_state()
    auth_time = int(state.clock.now())
    session.update(person=person.key, auth_time=auth_time, generation=state.generation)
    return auth_time


def sign_out() -> None:
    """End the account session of this browser."""
    for name in ("person", "auth_time", "generation"):
        session.pop(name, None)


def facebook_key() -> str | None:
    """Return the key of the person whom this browser knows at Facebook: another account, another session."""
    known = session.get("facebook_generation") == current_state().generation
    return str(session["facebook"]) if known and "facebook" in session else None


def enter_facebook(person_key: str) -> None:
    """Begin the Facebook session of this browser."""
    session.update(facebook=person_key, facebook_generation=current_state().generation)


def leave_facebook() -> None:
    """End the Facebook session of this browser."""
    for name in ("facebook", "facebook_generation"):
        session.pop(name, None)


def account_session(provider: str) -> tuple[str | None, int]:
    """Return whom this browser knows at Naver, Google or Apple, and when they logged in there."""
    known = session.get(f"{provider}_generation") == current_state().generation
    return (session.get(provider), int(session.get(f"{provider}_time", 0))) if known else (None, 0)


def enter_account(provider: str, person_key: str) -> int:
    """Begin this browser's session at Naver, Google or Apple, and return when."""
    now = int(current_state().clock.now())
    session.update(
        {provider: person_key, f"{provider}_time": now, f"{provider}_generation": current_state().generation}
    )
    return now


def leave_account(provider: str) -> None:
    """End this browser's session at Naver, Google or Apple."""
    for name in (provider, f"{provider}_time", f"{provider}_generation"):
        session.pop(name, None)
