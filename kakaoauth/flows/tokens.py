"""The provider's tokens: renewed, ended, encrypted anew. What they look like: vault."""

import logging
from typing import NamedTuple

from kakaoauth import audit, vault
from kakaoauth.errors import AppError, Unavailable
from kakaoauth.flows.transaction import transaction
from kakaoauth.providers import find_provider
from kakaoauth.providers.base import TokenSet
from kakaoauth.providers.deadline import deadline

log = logging.getLogger("kakaoauth.audit")

#: Rows that are encrypted anew in one transaction.
BATCH = 500
#: Seconds that telling the providers of all logins that have ended may hold the person up.
FAREWELL_SECONDS = 2.0


class Held(NamedTuple):
    """Tokens taken out of the vault, to be ended at the provider."""

    provider: str
    tokens: TokenSet


@transaction
def renew(token_id: int, tokens: TokenSet) -> None:
    """Keep what a refresh brought; of a login that has ended since, nothing."""
    row = vault.find(token_id)
    if row is not None:
        vault.write(row, tokens)


@transaction
def drop(token_id: int) -> None:
    """The provider does not know these tokens any more. The person stays logged in here."""
    vault.forget([token_id])


@transaction
def take_out(*, token_id: int | None = None, user_id: int | None = None, but: int | None = None) -> list[Held]:
    """Remove the tokens of one login, or of all logins of a user `but` one, and return what still works."""
    return taken_out(token_id=token_id, user_id=user_id, but=but)


def taken_out(*, token_id: int | None = None, user_id: int | None = None, but: int | None = None) -> list[Held]:
    """The same, inside another verb's transaction."""
    if user_id is not None:
        rows = [row for row in vault.of_user(user_id) if row.id != but]
    else:
        row = vault.find(token_id) if token_id is not None else None
        rows = [row] if row else []
    held = []
    for row in rows:
        tokens = vault.read(row)
        if tokens is not None:
            held.append(Held(row.identity.provider, tokens))
    vault.forget([row.id for row in rows])
    return held


def end_at_provider(held: list[Held]) -> None:
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


def reseal_all() -> tuple[int, int]:
    """Encrypt every stored token with the newest key. Return how many were, and how many no key opens."""
    done = lost = last = 0
    while True:
        batch_done, batch_lost, last_in_batch = _reseal_after(last)
        done, lost = done + batch_done, lost + batch_lost
        if last_in_batch == last:
            _note_resealed(done, lost)
            return done, lost
        last = last_in_batch


@transaction
def _note_resealed(done: int, lost: int) -> None:
    audit.record("token keys rotated", logins=done, lost=lost)


@transaction
def _reseal_after(last: int) -> tuple[int, int, int]:
    done = lost = 0
    for row in vault.batch_after(last, BATCH):
        if vault.reseal(row):
            done += 1
        else:
            lost += 1
        last = row.id
    return done, lost, last
