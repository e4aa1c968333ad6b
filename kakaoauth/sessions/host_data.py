"""What a host's own pages keep in the session, beside our keys."""

from collections.abc import Collection, Mapping
from typing import Any

from flask.json.tag import TaggedJSONSerializer

#: Our keys, see sessions.data. All others are the host's, with an underscore in front as well, as Flask's own
#: `_flashes` and `_permanent`.
OURS = frozenset(
    (
        *("_user_id", "_fresh", "_id", "_remember", "_remember_seconds"),
        *("_begun", "_seen", "_confirmed", "_draft", "_staff", "_agent", "_address", "_token", "_logout_state"),
        *("_closing", "_left", "_silent", "_sign_up"),
        *("_told", "finished_logins", "_done", "finished_with_tokens", "_landed", "csrf_token"),
    )
)
#: And those that begin with this: logins that wait. An OAuth of the host's by Authlib names its own so, too.
WAITING = "_state_"
#: Where the stored object has a host's data, as text: Flask's serializer knows more types than JSON.
STORED = "_host"

_serializer = TaggedJSONSerializer()


def is_hosts(key: str) -> bool:
    """Whether a key of the session is the host's. It may be a number: Flask takes some."""
    return key not in OURS and key != STORED and not str(key).startswith(WAITING)


def kept_through_login(data: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return what stays when somebody logs in. :param names: KAKAOAUTH_SESSION_KEEP."""
    return {name: data[name] for name in names if name in data and is_hosts(name)}


def pack(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data with the host's part under one key. :raises TypeError: a value that Flask cannot keep either."""
    theirs = {key: value for key, value in data.items() if is_hosts(key)}
    if not theirs:
        return dict(data)
    return {**{key: value for key, value in data.items() if key not in theirs}, STORED: _serializer.dumps(theirs)}


def unpack(stored: dict[str, Any]) -> dict[str, Any]:
    """Undo `pack`. :raises ValueError: the host's part is not as we write it."""
    packed = stored.pop(STORED, None)
    if packed is None:
        return stored
    theirs = _serializer.loads(packed) if isinstance(packed, str) else None
    if not isinstance(theirs, dict):
        raise ValueError("no object")
    return {**stored, **theirs}
