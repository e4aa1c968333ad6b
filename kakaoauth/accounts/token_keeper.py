"""The current session's tokens at a provider: a `providers.base.TokenKeeper`."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import current_app
from flask_login import current_user
from redis.exceptions import LockError

from kakaoauth import sessions
from kakaoauth.errors import CodeRefused, ProviderBusy
from kakaoauth.providers.values import TokenSet
from kakaoauth.storage.database import db
from kakaoauth.storage.redis import get_redis, named
from kakaoauth.tokens import provider_tokens
from kakaoauth.tokens import revocation as token_revocation
from kakaoauth.tokens.provider_tokens import ProviderToken

#: Seconds that the lock on a refresh lives, if its worker dies: longer than a login may talk to a provider.
LOCK_SECONDS = 10
#: Seconds another worker waits for it.
WAIT_SECONDS = 6


def fetch_token(provider: str) -> TokenSet | None:
    """Return the tokens of this session's login; None if none can be read."""
    row = _row(provider)
    return provider_tokens.read(row) if row else None


def update_token(provider: str, tokens: TokenSet) -> None:
    """Store the tokens of a refresh."""
    token_id = sessions.token_id()
    if token_id is not None:
        token_revocation.renew(token_id, tokens)


def forget_token(provider: str) -> None:
    """Delete tokens that the provider does not accept any more; the session stays."""
    token_id = sessions.token_id()
    if token_id is not None:
        token_revocation.drop(token_id)


@contextmanager
def renewing(provider: str) -> Iterator[TokenSet | None]:
    """Let one worker refresh at a time: the others wait, and get the new tokens.

    :raises ProviderBusy: the one that refreshes takes too long.
    """
    name = named(f"refresh:{sessions.token_id()}")
    lock = get_redis(current_app).lock(name, timeout=LOCK_SECONDS, blocking_timeout=WAIT_SECONDS)
    if not lock.acquire():
        raise ProviderBusy("another worker refreshes this token")
    try:
        db.session.expire_all()
        yield fetch_token(provider)
    except CodeRefused:
        forget_token(provider)  # Under the lock, so that a waiting worker does not refresh in vain.
        raise
    finally:
        try:
            lock.release()
        except LockError:
            pass  # It has expired; the next worker reads the tokens before it refreshes.


def _row(provider: str) -> ProviderToken | None:
    token_id = sessions.token_id() if current_user.is_authenticated else None
    row = provider_tokens.find(token_id) if token_id is not None else None
    if row is None or row.identity.user_id != current_user.id or row.identity.provider != provider:
        return None
    return row
