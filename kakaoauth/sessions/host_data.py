"""What a host's own pages keep in the session, beside our keys."""

from collections.abc import Collection, Mapping
from typing import Any

from flask.json.tag import TaggedJSONSerializer

#: Flask's own marks: a host uses them by `flash` and `session.permanent`.
FLASKS = ("_flashes", "_permanent")
#: Our keys without an underscore in front.
OURS = ("csrf_token", "finished_")
#: Where the stored object has a host's data, as text: Flask's serializer knows more types than JSON.
STORED = "_host"

_serializer = TaggedJSONSerializer()


def is_hosts(key: str) -> bool:
    """Whether a key of the session is the host's."""
    return key in FLASKS or not key.startswith(("_", *OURS))


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
