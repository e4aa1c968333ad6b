"""The provider's tokens: renewed, ended, encrypted anew. What they look like: vault."""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, Table

from kakaoauth import audit
from kakaoauth.errors import AppError, Unavailable
from kakaoauth.providers import find_provider
from kakaoauth.providers.deadline import deadline
from kakaoauth.providers.values import TokenSet
from kakaoauth.storage import encryption
from kakaoauth.storage.transaction import transaction
from kakaoauth.tokens import provider_tokens

log = logging.getLogger("kakaoauth.audit")

#: Rows that are encrypted anew in one transaction.
BATCH = 500
#: Seconds that telling the providers of all logins that have ended may hold the person up.
FAREWELL_SECONDS = 2.0


class RevocableTokens(NamedTuple):
    """Tokens taken out of the vault, to be ended at the provider."""

    provider: str
    tokens: TokenSet


@transaction
def renew(token_id: int, tokens: TokenSet) -> None:
    """Keep what a refresh brought; of a login that has ended since, nothing."""
    row = provider_tokens.find(token_id)
    if row is not None:
        provider_tokens.write(row, tokens)


@transaction
def drop(token_id: int) -> None:
    """The provider does not know these tokens any more. The person stays logged in here."""
    provider_tokens.forget([token_id])


@transaction
def pop_tokens(
    *, token_id: int | None = None, user_id: int | None = None, but: int | None = None
) -> list[RevocableTokens]:
    """Remove the tokens of one login, or of all logins of a user `but` one, and return what still works."""
    return popped_tokens(token_id=token_id, user_id=user_id, but=but)


def popped_tokens(
    *, token_id: int | None = None, user_id: int | None = None, but: int | None = None
) -> list[RevocableTokens]:
    """The same, inside another verb's transaction."""
    if user_id is not None:
        rows = [row for row in provider_tokens.of_user(user_id) if row.id != but]
    else:
        row = provider_tokens.find(token_id) if token_id is not None else None
        rows = [row] if row else []
    held = []
    for row in rows:
        tokens = provider_tokens.read(row)
        if tokens is not None:
            held.append(RevocableTokens(row.identity.provider, tokens))
    provider_tokens.forget([row.id for row in rows])
    return held


def revoke_at_provider(held: list[RevocableTokens]) -> None:
    """Best effort: what is logged out here stays logged out, whatever the provider says."""
    with deadline(FAREWELL_SECONDS):
        for provider_name, tokens in held:
            provider = find_provider(provider_name)
            if provider is None:
                continue
            try:
                provider.end_token(tokens.access_token)
            except AppError as error:
                log.info("token not ended at %s: %s %s", provider_name, error.code, error.provider_code or "-")
                if isinstance(error, Unavailable) and not error.provider_code:
                    return  # no answer: the next one would only wait as well. A code of its own is about this call.


class Resealed(NamedTuple):
    """Rows of one table: how many are encrypted with the newest key, and how many hold what no key opens."""

    table: str
    done: int
    lost: int


def reseal_all() -> list[Resealed]:
    """Encrypt every encrypted column of every table with the newest key."""
    resealed = [_reseal(table, columns) for table, columns in encryption.encrypted_columns().items()]
    _note_resealed(resealed)
    return resealed


def _reseal(table: Table, columns: Sequence[Column[Any]]) -> Resealed:
    total, last = Resealed(table.name, 0, 0), None
    while True:
        done, lost, last = _reseal_after(table, columns, last)
        if last is None:
            return total
        total = total._replace(done=total.done + done, lost=total.lost + lost)


@transaction
def _reseal_after(table: Table, columns: Sequence[Column[Any]], last: Any) -> tuple[int, int, Any]:
    return encryption.reencrypt_batch(table, columns, last, BATCH)


@transaction
def _note_resealed(resealed: list[Resealed]) -> None:
    done = " ".join(f"{each.table}:{each.done}" for each in resealed)
    audit.record("token keys rotated", done=done, lost=sum(each.lost for each in resealed))
