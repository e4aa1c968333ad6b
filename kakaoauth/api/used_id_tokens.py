"""Which id_tokens have logged somebody in: each does so once, so that one which leaks afterwards is worth nothing."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256

from flask import current_app

from kakaoauth.errors import InvalidAccessToken
from kakaoauth.providers.oidc import LEEWAY
from kakaoauth.providers.values import ID_TOKEN_SECONDS
from kakaoauth.storage.redis import REDIS_ERRORS, get_redis, named

#: Seconds after which any id_token that is genuine today is too old to be taken: it may be issued LEEWAY ahead of our
#: clock, and be LEEWAY late.
REMEMBERED = ID_TOKEN_SECONDS + 2 * LEEWAY + 1


@contextmanager
def taken_once(id_token: str) -> Iterator[None]:
    """Log somebody in with a validated id_token. A login that fails inside leaves the token as it was.

    :raises InvalidAccessToken: it has logged somebody in, or does so right now. :raises RedisError: not known now.
    """
    # By what was signed: the signature's last character has spare bits, so it can be spelled in several ways.
    key = named(f"id_token:{sha256(id_token.rpartition('.')[0].encode()).hexdigest()}")
    redis, mine = get_redis(current_app), secrets.token_hex(8)
    # The client sends a command again whose answer was lost: then our own mark is there already.
    if not redis.set(key, mine, ex=REMEMBERED, nx=True) and redis.get(key) not in (mine, mine.encode()):
        raise InvalidAccessToken("id_token: taken before")
    try:
        yield
    except BaseException:
        with suppress(*REDIS_ERRORS):
            redis.delete(key)
        raise
