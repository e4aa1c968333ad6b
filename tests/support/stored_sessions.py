"""Sessions as they stand in Redis."""

import json
from collections.abc import Callable
from typing import Any

from redis import Redis

from kakaoauth.sessions import encoding


def opened(raw: bytes) -> dict[str, Any]:
    """The data of a session, without the CSRF token that is made from its id."""
    return encoding.read(encoding.stretch(raw), "", is_former=not raw.startswith(encoding.MARK))


def all_opened(redis: Redis) -> list[dict[str, Any]]:
    return [opened(redis.get(key)) for key in redis.keys("*session:*")]


def edit(redis: Redis, key: Any, change: Callable[[dict[str, Any]], Any]) -> None:
    """Let the stored data be changed, in place, by somebody else."""
    raw = redis.get(key)
    data = opened(raw)
    change(data)
    text = json.loads(encoding.plain(data, ""))
    if encoding.DERIVED in json.loads(encoding.stretch(raw)):
        text[encoding.DERIVED] = 0
    redis.set(key, encoding.squeeze(json.dumps(text).encode()), keepttl=True)
