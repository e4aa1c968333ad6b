"""The list of a person's devices, and ending one.

A *device* is a session of a browser, or the login of an app or front end that holds tokens of ours.

A page names a device by a handle: the session's name or the token family's id, signed for its owner. Neither is a
secret; the signature matters: a handle works only for the person it was made for. It also tells a button that was
pressed twice (a valid handle, the device is gone) from a URL that somebody made up.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple

from flask import current_app, g
from flask_login import current_user
from itsdangerous import BadSignature, Signer

from kakaoauth import audit, sessions
from kakaoauth.accounts.roles import refusals_noted, require_superuser
from kakaoauth.audit import AuditEvent
from kakaoauth.audit.visitors import words
from kakaoauth.errors import LogoutUnfinished
from kakaoauth.models import User
from kakaoauth.sessions import ended as ended_sessions
from kakaoauth.sessions import index as session_index
from kakaoauth.sessions import logout, other_devices
from kakaoauth.sessions.store import current_session, current_store, marks
from kakaoauth.storage import keys
from kakaoauth.storage.database import db
from kakaoauth.storage.quick_reads import Asked, together
from kakaoauth.storage.redis import REDIS_ERRORS, get_redis
from kakaoauth.tokens import revocation as token_revocation
from kakaoauth.tokens.refresh_tokens import TokenFamily

log = logging.getLogger("kakaoauth.sessions")

#: Devices on the page; one button ends the others.
LISTED = 50
#: For how long the page tells that a refresh token was used twice.
ALARM_DAYS = 30

#: A session's name, or the number of a token family, which has fewer characters.
Key = str | int
SHORTEST_NAME = 22


class Device(NamedTuple):
    """`words`: browser and system, empty if unknown. `handle`: empty if the viewer may not end it."""

    words: str
    address: str
    first_seen: datetime
    last_seen: datetime
    is_app: bool = False
    is_here: bool = False
    handle: str = ""
    #: What the icon shows. The User-Agent alone says it, and may say anything.
    is_phone: bool = False


class Devices(NamedTuple):
    """What the page shows."""

    listed: list[Device]
    #: Whether the viewer may end them.
    can_end: bool
    #: There are more.
    is_cut: bool
    #: When a refresh token was used twice, and of which browser or app.
    alarms: list[tuple[datetime, str]]


def own(*more: Asked) -> tuple[Devices, Sequence[Any]]:
    """Return the devices of the current user, the current one first, with handles, and what `more` asks for: of the
    database all of it by one statement."""
    user = current_user._get_current_object()
    return _devices(user, more, here=sessions.name(), signer=_signer(user.id))


def of_user(user: User, *, endable: bool = False) -> Devices:
    """Return a user's devices for staff. :param endable: with handles, for superusers."""
    return _devices(user, signer=_signer(user.id) if endable else None)[0]


def sessions_of(user: User) -> list[dict[str, Any]]:
    """Return what the open sessions of a user hold about them, the one seen last first."""
    found = [
        {
            "begun": datetime.fromtimestamp(data.get("_begun", 0), UTC),
            "last_seen": datetime.fromtimestamp(data.get("_seen", 0), UTC),
            "browser": data.get("_agent", ""),
            "address": data.get("_address", ""),
        }
        for data in _open_sessions(user)[0].values()
    ]
    return sorted(found, key=lambda one: one["last_seen"], reverse=True)


def read_handle(handle: str, user_id: int | None = None) -> Key | None:
    """Return the session name or family id of a handle; None if it was not made for that user, or the current one."""
    try:
        key = _signer(_holder_id() if user_id is None else user_id).unsign(handle).decode()
    except BadSignature:
        return None
    return int(key) if len(key) < SHORTEST_NAME else key


def end(key: Key) -> None:
    """End a device of the current user. It may have ended already: the button was pressed twice.

    :raises LogoutUnfinished: neither Redis nor the database could be told.
    """
    is_away, store = "database_away" in g, current_store()
    if isinstance(key, int):
        logout.end_own_family(_holder_id(), key, away=is_away)
        return
    (data,) = store.read_named([key])
    if data is None or not _is_own(key, data):
        return
    is_removed = _dropped(_holder_id(), [key])
    session_left = sessions.ending(data, known_as=key)
    held = logout.end_session(session_left, action="device ended", away=is_away, kind="browser")
    if held is None and not is_removed:
        raise LogoutUnfinished("neither Redis nor the database took the end of a device")
    token_revocation.revoke_at_provider(held or [])


def end_for(user: User, key: Key, *, by: int, reason: str) -> bool:
    """End a device of somebody else. False: it has ended already.

    :param by: the superuser who decides. :raises Forbidden: `by` is none any more.
    """
    with refusals_noted("device ended", user.id):
        if isinstance(key, int):
            return logout.end_family_for(user.id, key, partial(require_superuser, by), actor=by, reason=reason)
        (data,) = current_store().read_named([key])
        if data is None or not _is_open(user, data) or ended_sessions.among([key]):
            return False
        left = sessions.ending(data, known_as=key)
        tokens = logout.end_session_for(left, partial(require_superuser, by), actor=by, reason=reason)
    _dropped(user.id, [key])
    token_revocation.revoke_at_provider(tokens)
    return True


def end_others(session_user_id: str) -> None:
    """While the database is away: end all sessions of the person but this one in Redis, and keep the rest for later.

    :param session_user_id: their `User.get_id`. :raises DatabaseUnavailable: it cannot be kept for later.
    """
    user_id, here, store = _holder_id(), sessions.name(), current_store()
    names = [name for name in session_index.names_of(get_redis(current_app), user_id) if name != here]
    held = dict(zip(names, store.read_named(names), strict=True))
    others = [name for name, data in held.items() if data and data.get("_user_id") == session_user_id]
    store.drop(user_id, others)
    logout.end_others_later(user_id, others, sessions.ending({"_user_id": session_user_id}).until)


def sweep(session_user_id: str) -> None:
    """Delete sessions from Redis that the database has ended: they hold browsers and networks.

    :param session_user_id: their `User.get_id`; a login at this moment gets another one.
    """
    user_id, store = int(session_user_id.partition(".")[0]), current_store()
    with suppress(*REDIS_ERRORS):  # it goes by itself, later
        names = session_index.names_of(get_redis(current_app), user_id)
        held = zip(names, store.read_named(names), strict=True)
        store.drop(user_id, [name for name, data in held if data is None or data.get("_user_id") == session_user_id])


def _holder_id() -> int:
    return int((sessions.holder() or "0").partition(".")[0])


def _is_own(name: str, data: Mapping[str, Any]) -> bool:
    """Whether a session is open and the current user's; while the database is away, by Redis alone."""
    if "database_away" in g:
        return data.get("_user_id") == sessions.holder()
    return _is_open(current_user, data) and not ended_sessions.among([name])


def _dropped(user_id: int, names: Sequence[str]) -> bool:
    """Delete sessions from Redis. False: Redis takes no writes."""
    try:
        current_store().drop(user_id, names)
    except REDIS_ERRORS as error:
        log.error("sessions not removed from Redis: %s", type(error).__name__)
        return False
    return True


def _devices(
    user: User, more: Sequence[Asked] = (), *, here: str = "", signer: Signer | None = None
) -> tuple[Devices, Sequence[Any]]:
    def handle(key: Key) -> str:
        return signer.sign(str(key)).decode() if signer else ""

    held, (families, alarms, *others) = _open_sessions(
        user,
        other_devices.open_families(user, LISTED + 1),
        audit.latest("refresh token reused", target=user.id, days=ALARM_DAYS),
        *more,
        but=here,
    )
    devices = [_of_session(data, handle(name)) for name, data in held.items()]
    if here:  # as it is now; and it is on the page even if the list has lost it
        devices.append(_of_session({**current_session().load(), **marks()}, handle(here), is_here=True))
    devices += [_of_family(family, handle(family.id)) for family in families]
    devices.sort(key=lambda device: (device.is_here, device.last_seen), reverse=True)
    return Devices(devices[:LISTED], bool(here), len(devices) > LISTED, [_alarm(event) for event in alarms]), others


def _open_sessions(user: User, *more: Asked, but: str = "") -> tuple[dict[str, dict[str, Any]], list[Sequence[Any]]]:
    """Return the data of a user's open sessions by name, in three round trips at most, and what `more` asks for.

    :param but: one that need not be looked at.
    """
    redis = get_redis(current_app)
    names = [name for name in session_index.names_of(redis, user.id) if name != but]
    held = zip(names, current_store().read_named(names), strict=True)
    found = {name: data for name, data in held if data is not None and _is_open(user, data)}
    asked = [ended_sessions.asked(list(found)), *more] if found else more
    rows = together(db.session(), *asked)
    came_back = {row.name for row in rows.pop(0)} if found else set()  # ended once, and in Redis again
    if came_back:
        _dropped(user.id, sorted(came_back))
    found = {name: data for name, data in found.items() if name not in came_back}
    session_index.strike(redis, user.id, [name for name in names if name not in found])
    return found, rows


def _is_open(user: User, data: Mapping[str, Any]) -> bool:
    return data.get("_user_id") == user.get_id() and not sessions.is_over(user, data)


def _of_session(data: Mapping[str, Any], handle: str, *, is_here: bool = False) -> Device:
    first, last = (datetime.fromtimestamp(data.get(key, 0), UTC) for key in ("_begun", "_seen"))
    agent = data.get("_agent", "")
    is_phone = "Mobi" in agent or "Android" in agent
    return Device(
        words(agent), data.get("_address", ""), first, last, is_here=is_here, handle=handle, is_phone=is_phone
    )


def _of_family(family: TokenFamily, handle: str) -> Device:
    return Device(words(family.agent), family.address, family.created_at, family.rotated_at, is_app=True, handle=handle)


def _alarm(event: AuditEvent) -> tuple[datetime, str]:
    return event.at, words(str(event.told.get("agent", "")))


def _signer(user_id: int) -> Signer:
    """The key is of one person alone, so that it is derived once for all of their devices."""
    return Signer(keys.mac("device", str(user_id)), key_derivation="none", digest_method=sha256)
