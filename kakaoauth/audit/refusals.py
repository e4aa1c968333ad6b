"""Record refused logins and actions in the audit trail, and remove its old rows."""

import logging

from sqlalchemy.exc import SQLAlchemyError

from kakaoauth import audit
from kakaoauth.counting import counters
from kakaoauth.errors import AppError, one_line
from kakaoauth.storage.transaction import forget_transaction, transaction

log = logging.getLogger("kakaoauth.audit")


def record_refusal(
    error: AppError, provider: str = "", *, action: str = "login", target: int | None = None, stored: bool = True
) -> None:
    """Record that something was refused, by default a login. While the database is away, only the log has it.

    :param target: whom it was about, where the error does not know. :param stored: False: counted and logged, without
        a row, because anybody may cause it as often as they like.
    """
    target = target or error.user_id
    if action == "login":
        counters.count_refusal(error, provider)
    if not stored:
        audit.log_only(action, target=target, provider=provider, refused=error.code, why=one_line(error.reason, 100))
        return
    try:
        _record_refusal(error, provider, action, target)
    except SQLAlchemyError as failure:
        forget_transaction()
        why = type(failure).__name__
        log.error("%s refused=%s provider=%s, not in the audit trail: %s", action, error.code, provider, why)


@transaction
def _record_refusal(error: AppError, provider: str, action: str, target: int | None) -> None:
    audit.record(
        action,
        target=target,
        provider=provider,
        refused=error.code,
        provider_code=one_line(error.provider_code, 20),
        why=one_line(error.reason, 100),
    )


@transaction
def prune(days: int) -> int:
    """Remove a batch of the trail that is older than `days`. Return how many: less than `audit.BATCH` means all."""
    return audit.older_than(days)
