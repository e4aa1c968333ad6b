"""One's open sessions as people see them: the only file that lists them, and knows how a page names one.

A *device* is a session of a browser, or the login of an app or front end that holds tokens of ours.

A page names a device by a handle: what it is kept under, signed for its owner. What it is kept under is no secret: a
session's name is the hash of its id and opens nothing, and a login's number stands in its own tokens. The signature is
what counts: nobody gets anywhere with a handle that was made for another. And because a handle proves by itself that we
have made it, a button that is pressed twice is told from an address that somebody has made up.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

from flask import current_app, session
from flask_login import current_user
from itsdangerous import BadSignature, URLSafeSerializer

from kakaoauth import audit, flows, session_index, sessions
from kakaoauth.audit import AuditEvent
from kakaoauth.extensions import REDIS_ERRORS, redis_of
from kakaoauth.models import User
from kakaoauth.session_store import current_store, marks
from kakaoauth.token_families import TokenFamily
from kakaoauth.visitors import words

#: More than a page should hold. Who has more ends the others with one button.
LISTED = 50
#: For how long the page tells that a refresh token was used twice.
ALARM_DAYS = 30

#: A session's name, or the number of a token family.
Key = str | int


@dataclass(frozen=True)
class Device:
    """`words`: browser and system, empty if unknown. `handle`: empty for whoever may not end it."""

    words: str
    address: str
    first_seen: datetime
    last_seen: datetime
    is_app: bool = False
    is_here: bool = False
    handle: str = ""


class Devices(NamedTuple):
    listed: list[Device]
    #: Whether whoever looks may end them.
    can_end: bool
    #: There are more.
    is_cut: bool
    #: When a refresh token was used twice, and of which browser or app.
    alarms: list[tuple[datetime, str]]


def own() -> Devices:
    """Those of the person who is in, this one first, with handles."""
    user = current_user._get_current_object()
    return _devices(user, here=sessions.name(), serializer=_serializer(user.id))


def of_user(user: User) -> Devices:
    """For staff, who look and do not touch: without handles."""
    return _devices(user)


def read_handle(handle: str) -> Key | None:
    """What a handle stands for; None if it was not made for the person who is in."""
    try:
        key = _serializer(current_user.id).loads(handle)
    except BadSignature:
        return None
    return key if isinstance(key, str | int) else None


def end(key: Key) -> None:
    """End a device of the person who is in. One that has ended already is no mistake: the button was pressed twice."""
    if isinstance(key, int):
        flows.end_own_family(current_user.id, key)
        return
    user_id, store = current_user.id, current_store()
    (data,) = store.read_named([key])
    if data is None or not _is_open(current_user, data):
        return
    flows.note_session_ended(user_id)
    store.drop(user_id, [key])
    flows.end_at_provider(flows.take_out(token_id=sessions.token_id(data)))


def sweep(user_id: int, session_user_id: str) -> None:
    """Remove what is left in Redis of sessions that the database has ended: they name browsers and networks.

    :param session_user_id: what `User.get_id` gave to them. Who logs in at this moment gets another.
    """
    store = current_store()
    with suppress(*REDIS_ERRORS):  # it goes by itself, later
        names = session_index.names_of(redis_of(current_app), user_id)
        held = zip(names, store.read_named(names), strict=True)
        store.drop(user_id, [name for name, data in held if data is None or data.get("_user_id") == session_user_id])


def _devices(user: User, *, here: str = "", serializer: URLSafeSerializer | None = None) -> Devices:
    def handle(key: Key) -> str:
        return str(serializer.dumps(key)) if serializer else ""

    found = {name: _of_session(data, handle(name)) for name, data in _open_sessions(user).items()}
    if here:  # as it is now; and it is on the page even if the list has lost it
        found[here] = _of_session({**session, **marks()}, handle(here), is_here=True)
    families = flows.open_families(user, LISTED + 1)
    devices = [*found.values(), *(_of_family(family, handle(family.id)) for family in families)]
    devices.sort(key=lambda device: (device.is_here, device.last_seen), reverse=True)
    alarms = audit.latest("refresh token reused", target=user.id, days=ALARM_DAYS)
    return Devices(devices[:LISTED], bool(here), len(devices) > LISTED, [_alarm(event) for event in alarms])


def _open_sessions(user: User) -> dict[str, dict[str, Any]]:
    """By name. Three round trips at most, however many there are."""
    redis = redis_of(current_app)
    names = session_index.names_of(redis, user.id)
    held = zip(names, current_store().read_named(names), strict=True)
    found = {name: data for name, data in held if data is not None and _is_open(user, data)}
    session_index.strike(redis, user.id, [name for name in names if name not in found])
    return found


def _is_open(user: User, data: Mapping[str, Any]) -> bool:
    return data.get("_user_id") == user.get_id() and not sessions.is_over(user, data)


def _of_session(data: Mapping[str, Any], handle: str, *, is_here: bool = False) -> Device:
    first, last = (datetime.fromtimestamp(data.get(key, 0), UTC) for key in ("_begun", "_seen"))
    return Device(words(data.get("_agent", "")), data.get("_address", ""), first, last, is_here=is_here, handle=handle)


def _of_family(family: TokenFamily, handle: str) -> Device:
    return Device(words(family.agent), family.address, family.created_at, family.rotated_at, is_app=True, handle=handle)


def _alarm(event: AuditEvent) -> tuple[datetime, str]:
    return event.at, words(str(event.told.get("agent", "")))


def _serializer(user_id: int) -> URLSafeSerializer:
    how = {"key_derivation": "hmac", "digest_method": sha256}
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt=f"device of user {user_id}", signer_kwargs=how)
