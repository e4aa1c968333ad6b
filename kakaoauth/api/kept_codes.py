"""Whom a code has named that lacked an agreement: the app repeats its call with what was agreed to, and a code is good
for one exchange at the provider only.

Kept encrypted, under a keyed hash of all that the app must bring again: the code, and what belongs to its request.
"""

import json
import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

from flask import current_app
from pydantic import BaseModel

from kakaoauth.login import packed_profile
from kakaoauth.providers.values import Profile
from kakaoauth.storage import encryption, keys
from kakaoauth.storage.redis import get_redis, named

#: Seconds that a person may read: as long as on a page.
SECONDS = 30 * 60
#: What an app adds to the second call.
ADDED = {"agreed", "fields", "restore"}


class Kept(NamedTuple):
    profile: Profile
    begun_at: datetime
    #: Unix seconds at which it is forgotten.
    until: float


def take(provider: str, body: BaseModel) -> Kept | None:
    """Return what the code has named before, and forget it; None: it is new."""
    raw: Any = get_redis(current_app).getdel(_key(provider, body))
    opened = encryption.decrypt(raw.decode()) if raw else None
    if opened is None:
        return None
    found = json.loads(opened)
    begun_at = datetime.fromtimestamp(found["begun_at"], UTC)
    return Kept(packed_profile.unpack(found["profile"]), begun_at, found["until"])


def keep(provider: str, body: BaseModel, profile: Profile, begun_at: datetime, until: float | None) -> None:
    """Keep whom the code has named. :param until: of the first time, if this is not it."""
    until = until or time.time() + SECONDS
    values = {"profile": packed_profile.pack(profile), "begun_at": begun_at.timestamp(), "until": until}
    seconds = max(1, int(until - time.time()))
    get_redis(current_app).set(_key(provider, body), encryption.encrypt(json.dumps(values)), ex=seconds)


def _key(provider: str, body: BaseModel) -> str:
    brought = json.dumps([provider, body.model_dump(exclude=ADDED)], sort_keys=True)
    return named(f"sign-up-code:{keys.mac('sign-up code', brought).hex()}")
