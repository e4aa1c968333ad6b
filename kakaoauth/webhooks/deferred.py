"""Messages that came while the database was away: kept in Redis until it is back."""

import json
from datetime import UTC, datetime
from typing import Any, cast

from flask import current_app

from kakaoauth.providers.values import AccountEvent
from kakaoauth.storage.redis import get_redis, named

KEY = "webhooks:waiting"
#: More than a night's; beyond it a message is answered 503, so that the sender knows.
MOST = 100_000


def keep(provider: str, event: AccountEvent) -> None:
    """:raises RedisError: Redis is away as well. :raises OverflowError: too many wait."""
    redis = get_redis(current_app)
    if redis.llen(named(KEY)) >= MOST:
        raise OverflowError
    redis.rpush(named(KEY), json.dumps({"provider": provider, **_as_json(event)}))


def first(after: int = 0) -> bytes | None:
    """The oldest message but `after`, left where it is: it goes only when it has been acted upon."""
    return cast("bytes | None", get_redis(current_app).lindex(named(KEY), after))


def number_waiting() -> int:
    """Return the length of the queue. :raises RedisError:"""
    return get_redis(current_app).llen(named(KEY))


def drop(raw: bytes) -> None:
    """By its content: another worker may have dropped it already, and the oldest is another one by now."""
    get_redis(current_app).lrem(named(KEY), 1, cast(str, raw))


def move_to_end(raw: bytes) -> None:
    """Let the others pass. Should this process end in between, it is there twice, and is acted upon once."""
    get_redis(current_app).rpush(named(KEY), raw)
    drop(raw)


def _as_json(event: AccountEvent) -> dict[str, Any]:
    return {
        "jti": event.jti,
        "kind": event.kind,
        "subject": event.subject,
        "happened_at": event.happened_at.timestamp(),
        "scopes": list(event.scopes),
        # A version that does not know it cannot read it: left out where there is none.
        **({"email": event.email} if event.email else {}),
    }


def read(raw: bytes) -> tuple[str, AccountEvent]:
    """:raises ValueError, KeyError, TypeError, AttributeError: written by another version, or not by this site."""
    data = json.loads(raw)
    provider = data.pop("provider")
    data["happened_at"] = datetime.fromtimestamp(data["happened_at"], UTC)
    data["scopes"] = tuple(data["scopes"])
    return provider, AccountEvent(**data)
