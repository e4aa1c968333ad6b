"""A provider's message from its arrival to its effect, whatever stands in its way.

The sender may not repeat it. So what cannot be applied now waits: in Redis while the database is away, or while only
the provider knows whether it still holds; beside the queue, in the database, if the database refuses it. There it stops
nobody else's.
"""

import logging
from collections.abc import Callable
from functools import partial

from kakaoauth.errors import AppError, Unavailable
from kakaoauth.providers import find_provider
from kakaoauth.providers.values import AccountEvent
from kakaoauth.storage import database
from kakaoauth.storage.transaction import forget_transaction, transaction
from kakaoauth.webhooks import deferred
from kakaoauth.webhooks import failed as failed_events
from kakaoauth.webhooks.effects import Unclear, apply_event, ends_access

log = logging.getLogger("kakaoauth.audit")

#: Failed messages that are read at one time.
BATCH = 100


def receive_event(provider: str, event: AccountEvent, *, may_ask: bool = True) -> bool:
    """Act on a message once; ask the provider where only it knows whether the message still holds.

    False if it was acted upon before. :param may_ask: False in a round in which the provider did not answer.
    :raises Unclear: the provider does not answer. :raises Exception: whatever the database says.
    """
    try:
        return apply_event(provider, event)
    except Unclear:
        ends_access(provider, event)  # the message is genuine: only the account waits for the answer
        if not may_ask:
            raise
    return apply_event(provider, event, is_linked=_ask(provider, event.subject))


def _ask(name: str, subject: str) -> bool:
    """:raises Unclear:"""
    forget_transaction()  # a connection is not held while the provider is waited for
    provider = find_provider(name)
    try:
        answer = provider.is_linked(subject) if provider else None
    except Unavailable as error:
        log.warning("whether an unlink still holds cannot be asked now provider=%s code=%s", name, error.code)
        raise Unclear from None
    except AppError as error:
        log.error("whether an unlink still holds may not be asked provider=%s code=%s", name, error.code)
        answer = None
    return bool(answer)  # as far as can be known: the message says that they are not


def is_for_later(error: Exception) -> bool:
    """Whether the message can be applied as it is, but not now."""
    return database.is_away(error) or isinstance(error, Unclear | Unavailable)


def keep_event(provider: str, event: AccountEvent, error: Exception) -> None:
    """Keep a message that has failed with `error`: in the queue if it can be applied later, else aside.

    :raises Unavailable: it can be kept nowhere.
    """
    forget_transaction()
    queue, aside = partial(_queue, provider, event), partial(set_aside, provider, event, error)
    if database.is_away(error):
        places = [queue]
    elif is_for_later(error):
        places = [queue, aside]
    else:
        places = [aside, queue]
    for place in places:
        if _kept(place):
            return
    log.critical("webhook lost provider=%s kind=%s subject=%s", provider, event.kind, event.subject)
    raise Unavailable("the message could be stored nowhere")


def _kept(place: Callable[[], None]) -> bool:
    try:
        place()
    except Exception:
        forget_transaction()
        return False
    return True


def _queue(provider: str, event: AccountEvent) -> None:
    deferred.keep(provider, event)
    log.error("webhook kept for later provider=%s kind=%s", provider, event.kind)


def set_aside(provider: str, event: AccountEvent, error: Exception) -> None:
    """Put a message that cannot be applied where it waits for the operator; sessions and tokens end all the same.

    :raises SQLAlchemyError: the database is away by now. :raises OverflowError: too many wait there.
    """
    try:
        ends_access(provider, event)
    except Exception as failure:
        forget_transaction()
        log.critical("sessions not ended provider=%s kind=%s: %s", provider, event.kind, type(failure).__name__)
    _put_aside(provider, event, type(error).__name__)
    log.critical(
        "webhook set aside, it cannot be applied provider=%s kind=%s error=%s:"
        " mend the cause and run `flask kakao retry`",
        *(provider, event.kind, type(error).__name__),
    )


@transaction
def _put_aside(provider: str, event: AccountEvent, error: str) -> None:
    failed_events.put(provider, event, error)


def retry_failed_events() -> tuple[int, int]:
    """Try again what was set aside. Return how many were applied and how many could not be."""
    done = left = last = 0
    while batch := [(row.id, row.provider, row.as_event()) for row in failed_events.after(last, BATCH)]:
        for last, provider, event in batch:
            if _retry(provider, event):
                _remove(last)
                done += 1
            else:
                left += 1
    return done, left


def _retry(provider: str, event: AccountEvent) -> bool:
    """:raises SQLAlchemyError: the database is away."""
    try:
        receive_event(provider, event)
    except Exception as error:
        forget_transaction()
        if database.is_away(error):
            raise
        _put_aside(provider, event, type(error).__name__)
        return False
    log.info("webhook that was set aside is applied provider=%s kind=%s", provider, event.kind)
    return True


@transaction
def _remove(event_id: int) -> None:
    failed_events.remove(event_id)


@transaction
def forget_old_events() -> None:
    """Of what was never applied, the oldest goes: a row names a person."""
    number = failed_events.remove_old()
    if number:
        log.critical("messages that could never be applied, removed after %s days: %s", failed_events.KEPT_DAYS, number)
