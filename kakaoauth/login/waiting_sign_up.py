"""Sign-ups that wait for an answer: whom the provider has named, encrypted in the session of their browser.

Nothing of it is anywhere else until the person agrees.
"""

import json
import secrets
import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flask import g, session
from flask_login import current_user

from kakaoauth import sessions, terms
from kakaoauth.login import packed_profile
from kakaoauth.providers.values import PendingLogin, Profile
from kakaoauth.sessions import finished_logins
from kakaoauth.sessions.csrf_tokens import FROM_ID
from kakaoauth.sessions.store import current_session, current_store
from kakaoauth.storage import encryption
from kakaoauth.terms import Agreement, Answer

#: In the session: name -> encrypted text.
KEY = "_sign_up"
#: Seconds that one waits.
SECONDS = 30 * 60
#: How many wait in one browser: tabs with different people.
MOST = 3
#: What the step needs of the login that led here.
KEPT_OF_LOGIN = ("provider", "state", "next", "expires_at", "mode", "consent")


@dataclass(frozen=True)
class Waiting:
    """A login that the provider has confirmed and that waits for the person's agreement."""

    profile: Profile
    pending: PendingLogin
    #: What they have agreed to at the provider.
    answer: Answer
    #: Unix seconds of the login.
    at: float


def keep(waiting: Waiting, name: str, *, sid: str) -> None:
    """Keep it in this browser's session, which gets a new id: somebody may have planted the old one.

    Who is logged in stays so until the other person has agreed.

    :param name: hard to guess: `new_name`. :param sid: the session's new id.
    """
    others = _waiting_texts()
    kept = {**others, name: encryption.encrypt(json.dumps(_packed(waiting)))}
    if not (current_user.is_authenticated and sessions.renew(current_user.get_id(), sid=sid)):
        session["csrf_token"] = FROM_ID
        g.pop("csrf_token", None)
        session[KEY] = dict(list(kept.items())[-MOST:])
        current_store().create(current_session(), sid)
        return
    session[KEY] = dict(list(kept.items())[-MOST:])
    current_store().persist(current_session())


def new_name() -> str:
    """Return a name for one."""
    return secrets.token_urlsafe(24)


def remember_address(waiting: Waiting, address: str) -> None:
    """Lead who comes back to the callback by the back button to the step's page."""
    finished_logins.remember(waiting.pending.state, address, with_tokens=True)


def find(name: str) -> Waiting | None:
    """Return what waits in this browser under that name; None: nothing, or not any more."""
    text = _waiting_texts().get(name)
    opened = encryption.decrypt(text) if text is not None else None
    if opened is None:
        return None
    try:
        waiting = _unpacked(json.loads(opened))
    except (ValueError, KeyError, TypeError):
        return None  # another version has written it
    return waiting if time.time() - waiting.at <= SECONDS else None


def with_name(profile: Profile) -> Profile:
    """Add the name that the same person brought here before: Apple says it once, and this may be their second try."""
    if profile.name is not None or not profile.name_fills_gap:
        return profile
    whose = (profile.provider, profile.subject)
    others = [other.profile for name in _waiting_texts() if (other := find(name)) is not None]
    names = [other.name for other in others if (other.provider, other.subject) == whose and other.name]
    return replace(profile, name=names[-1]) if names else profile


def drop(name: str) -> None:
    """Forget one."""
    left = {other: text for other, text in _waiting_texts().items() if other != name}
    if left:
        session[KEY] = left
    else:
        session.pop(KEY, None)


def _waiting_texts() -> dict[str, str]:
    found = session.get(KEY)
    found = found if isinstance(found, dict) else {}
    return {name: text for name, text in found.items() if isinstance(text, str)}


def _packed(waiting: Waiting) -> dict[str, Any]:
    """As JSON values."""
    return {
        "profile": packed_profile.pack(waiting.profile),
        "pending": {name: getattr(waiting.pending, name) for name in KEPT_OF_LOGIN},
        "agreed": [
            {"id": one.term.id, "version": one.term.version, "at": one.at.isoformat() if one.at else None}
            for one in waiting.answer.agreements
        ],
        "at": waiting.at,
    }


def _unpacked(data: dict[str, Any]) -> Waiting:
    """:raises ValueError, KeyError, TypeError: not as `_packed` writes it."""
    pending = PendingLogin(
        **{name: data["pending"][name] for name in KEPT_OF_LOGIN},
        client_id="",
        redirect_uri="",
        nonce=None,
        code_verifier=None,
    )
    answer = Answer(tuple(_agreements(data["agreed"])))
    return Waiting(packed_profile.unpack(data["profile"]), pending, answer, float(data["at"]))


def _agreements(data: list[dict[str, Any]]) -> list[Agreement]:
    """Those whose version is still today's."""
    found = []
    for entry in data:
        term = terms.find(entry["id"])
        if term is not None and term.version == entry["version"]:
            at = datetime.fromisoformat(entry["at"]) if entry["at"] else None
            found.append(Agreement(term, terms.BY_PROVIDER, at))
    return found
