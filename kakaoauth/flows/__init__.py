"""The verbs: what people do to accounts. Each is all or nothing, and nothing else in the house commits."""

from kakaoauth.flows.events import apply_event
from kakaoauth.flows.leave import retry_unlinks, try_unlink, withdraw
from kakaoauth.flows.log_in import Entry, log_in
from kakaoauth.flows.roles import LastSuperuser, create_superuser, demote, end_all_sessions, promote
from kakaoauth.flows.tokens import Held, drop, end_at_provider, renew, reseal_all, take_out
from kakaoauth.flows.transaction import forget_transaction, transaction

__all__ = [
    "Entry",
    "Held",
    "LastSuperuser",
    "apply_event",
    "create_superuser",
    "demote",
    "drop",
    "end_all_sessions",
    "end_at_provider",
    "forget_transaction",
    "log_in",
    "promote",
    "renew",
    "reseal_all",
    "retry_unlinks",
    "take_out",
    "transaction",
    "try_unlink",
    "withdraw",
]
