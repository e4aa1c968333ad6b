"""How a login waits in the session for its callback (RFC 6749, section 4.1.1).

`_state_<provider>_<state>` -> `{"data": {FIELDS and OPTIONAL}, "exp": unix seconds}`.
The state names its provider: one made for another provider is not found (RFC 9700, section 4.4, mix-up).
"""

import time
from collections.abc import MutableMapping
from typing import Any, TypeGuard

from authlib.integrations.flask_client.apps import session as authlib_session
from authlib.integrations.flask_client.integration import FlaskIntegration

from kakaoauth.providers.values import PENDING_SECONDS, PendingLogin

LIFETIME = PENDING_SECONDS
#: Seconds after its beginning in which a login that took too long is still recognised as one of ours.
REMEMBERED = 3600
#: Logins that may wait in one browser, over all providers: bounds the session's size.
MOST = 10
PREFIX = "_state_"
FIELDS = ("client_id", "redirect_uri", "nonce", "code_verifier", "next")
#: Empty in most logins.
OPTIONAL = ("mode", "link_to", "confirms", "consent", "silent")

Session = MutableMapping[str, Any]


class StateData(FlaskIntegration):
    """Authlib's access to the session. Only whole values are assigned: a nested change would not be stored."""

    name: str
    expires_in = LIFETIME

    def set_state_data(self, session: Session, state: str, data: dict[str, Any]) -> None:
        """Keep a pending login, and drop late ones and the oldest of more than `MOST`."""
        # Authlib adds the whole authorization address, which holds nothing that the fields do not.
        kept = {field: data[field] for field in FIELDS} | {field: data[field] for field in OPTIONAL if data.get(field)}
        own = self._key(state)
        session[own] = {"data": kept, "exp": round(time.time() + LIFETIME, 3)}
        self._clear_session_state(session)
        # Of one second's logins the session's own order tells which is older.
        others = sorted((key for key in _keys(session) if key != own), key=lambda key: _expiry(session[key]))
        for key in others[: max(0, len(others) - MOST + 1)]:
            session.pop(key)

    def get_state_data(self, session: Session, state: str) -> dict[str, Any] | None:
        """Return the data that waits under this state, also of a login that is late."""
        value = session.get(self._key(state))
        if not _is_whole(value) or _is_forgotten(value):
            return None
        data: dict[str, Any] = value["data"]
        return data

    def clear_state_data(self, session: Session, state: str) -> None:
        """Drop a pending login, and late ones with it."""
        session.pop(self._key(state), None)
        self._clear_session_state(session)

    def find_pending(self, state: str) -> PendingLogin | None:
        """As Provider.find_pending."""
        value = authlib_session.get(self._key(state))
        if not _is_whole(value) or _is_forgotten(value):
            return None
        fields = {field: value["data"][field] for field in (*FIELDS, *OPTIONAL) if field in value["data"]}
        return PendingLogin(self.name, state, expires_at=_expiry(value), **fields)

    def forget_pending(self, state: str) -> None:
        """As Provider.forget_pending."""
        self.clear_state_data(authlib_session, state)

    def _key(self, state: str) -> str:
        return f"{PREFIX}{self.name}_{state}"

    def _clear_session_state(self, session: Session) -> None:
        for key in _keys(session):
            if _is_forgotten(session[key]):
                session.pop(key)


def _keys(session: Session) -> list[str]:
    return [key for key in session if key.startswith(PREFIX)]


def _expiry(value: Any) -> float:
    exp = value.get("exp") if isinstance(value, dict) else None
    return exp if isinstance(exp, int | float) else 0


def _is_forgotten(value: Any) -> bool:
    return time.time() > _expiry(value) - LIFETIME + REMEMBERED


def _is_whole(value: Any) -> TypeGuard[dict[str, Any]]:
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, dict):
        return False
    kinds = {type(data.get(field)) for field in FIELDS} | {type(data.get(field, "")) for field in OPTIONAL}
    return kinds == {str}
