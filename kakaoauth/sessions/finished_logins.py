"""Where the last logins of a browser went. The back button and a reload send an old callback again."""

from flask import session

from kakaoauth.sessions.store import current_session, current_store

#: In the session, and what a release calls it whose sessions are still read: state -> next.
FINISHED, FORMERLY = "finished_logins", "_done"
#: The same for logins that ended in tokens: who comes back need not be logged in here.
WITH_TOKENS, FORMERLY_WITH_TOKENS = "finished_with_tokens", "_landed"
KEYS = (FINISHED, FORMERLY, WITH_TOKENS, FORMERLY_WITH_TOKENS)
#: Characters of a state that are kept: 66 bits, to tell ten of them apart.
SHORT = 11
#: How many a browser may come back to.
MOST = 10


def remember(state: str, target: str, *, with_tokens: bool = False) -> None:
    """Keep where the login with that state went, and store the session."""
    note(state, target, with_tokens=with_tokens)
    current_store().persist(current_session())


def note(state: str, target: str, *, with_tokens: bool = False) -> None:
    """The same for a session that is about to be stored."""
    key, former = (WITH_TOKENS, FORMERLY_WITH_TOKENS) if with_tokens else (FINISHED, FORMERLY)
    finished = {**session.pop(former, {}), **session.get(key, {}), state[:SHORT]: target}
    session[key] = dict(list(finished.items())[-MOST:])


def find(state: str) -> str | None:
    """Where the login with that state went, if it was finished in this session and the person is still in."""
    return _find(state, FINISHED, FORMERLY) if "_user_id" in session else None


def find_with_tokens(state: str) -> str | None:
    """Where the login with that state went, if it was finished in this browser and ended in tokens."""
    return _find(state, WITH_TOKENS, FORMERLY_WITH_TOKENS)


def _find(state: str, key: str, former: str) -> str | None:
    known = {**session.get(former, {}), **session.get(key, {})}
    found: str | None = known.get(state[:SHORT]) or known.get(state)  # the whole one is an older version's
    return found
