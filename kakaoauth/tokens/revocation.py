"""Store, delete, revoke and re-encrypt the providers' tokens. Their table: `provider_tokens`."""

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

#: Rows that are re-encrypted in one transaction.
BATCH = 500
#: Seconds that revocation at the providers may delay a logout.
REVOCATION_SECONDS = 2.0


class RevocableTokens(NamedTuple):
    """Tokens that are deleted here and still have to be revoked at the provider."""

    provider: str
    tokens: TokenSet


@transaction
def renew(token_id: int, tokens: TokenSet) -> None:
    """Store the tokens of a refresh, unless the login has ended since."""
    row = provider_tokens.find(token_id)
    if row is not None:
        provider_tokens.write(row, tokens)


@transaction
def drop(token_id: int) -> None:
    """Delete tokens that the provider does not accept any more. The login here goes on."""
    provider_tokens.forget([token_id])


@transaction
def pop_tokens(
    *, token_id: int | None = None, user_id: int | None = None, but: int | None = None
) -> list[RevocableTokens]:
    """Delete the tokens of one login, or of all logins of a user but the row `but`, and return them decrypted."""
    return popped_tokens(token_id=token_id, user_id=user_id, but=but)


def popped_tokens(
    *, token_id: int | None = None, user_id: int | None = None, but: int | None = None
) -> list[RevocableTokens]:
    """As `pop_tokens`, within the caller's transaction."""
    if user_id is not None:
        rows = [row for row in provider_tokens.of_user(user_id) if row.id != but]
    else:
        row = provider_tokens.find(token_id) if token_id is not None else None
        rows = [row] if row else []
    revocable = []
    for row in rows:
        tokens = provider_tokens.read(row)
        if tokens is not None:
            revocable.append(RevocableTokens(row.identity.provider, tokens))
    provider_tokens.forget([row.id for row in rows])
    return revocable


def revoke_at_provider(revocable: list[RevocableTokens]) -> None:
    """Revoke tokens at their providers, in REVOCATION_SECONDS together. A failure is only logged."""
    with deadline(REVOCATION_SECONDS):
        for provider_name, tokens in revocable:
            provider = find_provider(provider_name)
            if provider is None:
                continue
            try:
                provider.end_token(tokens.access_token)
            except AppError as error:
                log.info("token not ended at %s: %s %s", provider_name, error.code, error.provider_code or "-")
                if isinstance(error, Unavailable) and not error.provider_code:
                    return  # no answer, so the next call would wait as well; a code is about this token only


class Reencrypted(NamedTuple):
    """Rows of one table: `done` were re-encrypted with the newest key, `lost` are decrypted by none."""

    table: str
    done: int
    lost: int


def reencrypt_all() -> list[Reencrypted]:
    """Re-encrypt every encrypted column of every table with the newest key."""
    reencrypted = [_reencrypt(table, columns) for table, columns in encryption.encrypted_columns().items()]
    _record_reencrypted(reencrypted)
    return reencrypted


def _reencrypt(table: Table, columns: Sequence[Column[Any]]) -> Reencrypted:
    total, last = Reencrypted(table.name, 0, 0), None
    while True:
        done, lost, last = _reencrypt_after(table, columns, last)
        if last is None:
            return total
        total = total._replace(done=total.done + done, lost=total.lost + lost)


@transaction
def _reencrypt_after(table: Table, columns: Sequence[Column[Any]], last: Any) -> tuple[int, int, Any]:
    return encryption.reencrypt_batch(table, columns, last, BATCH)


@transaction
def _record_reencrypted(reencrypted: list[Reencrypted]) -> None:
    done = " ".join(f"{each.table}:{each.done}" for each in reencrypted)
    audit.record("token keys rotated", done=done, lost=sum(each.lost for each in reencrypted))
