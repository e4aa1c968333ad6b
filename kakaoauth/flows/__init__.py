"""The verbs: what people do to accounts. Each is all or nothing, and nothing else in the house commits."""

from kakaoauth.flows.bearer import (
    Bearer,
    TokenPair,
    begin_family,
    find_bearer,
    issuer,
    pair_in_force,
    refresh,
    rotate_signing_key,
    verify,
)
from kakaoauth.flows.counts import add_counts, keep_people, store_counts
from kakaoauth.flows.devices import end_other_sessions, open_families
from kakaoauth.flows.events import Unclear, apply_event
from kakaoauth.flows.export_users import ExportCut, export_users
from kakaoauth.flows.import_users import Outcome, SomethingRefused, import_all, import_users, look_at_users
from kakaoauth.flows.leave import delete_user, forget_old_unlinks, retry_unlinks, try_unlink, withdraw
from kakaoauth.flows.lifting import lift_suspension
from kakaoauth.flows.linking import SessionOver, confirm, link, require_unlinked, unlink, unlink_for
from kakaoauth.flows.list_keys import mend_list_keys
from kakaoauth.flows.log_in import Entry, log_in
from kakaoauth.flows.logout import (
    Leaving,
    catch_up,
    end_everywhere,
    end_family,
    end_others,
    end_others_later,
    end_own_family,
    end_session,
    remember_ended,
)
from kakaoauth.flows.notes import forget_old_ends, forget_old_notes, note_refusal
from kakaoauth.flows.passwords import confirm_password, log_in_with_password, remove_password, set_password
from kakaoauth.flows.profile import change_profile
from kakaoauth.flows.receive import (
    forget_old_events,
    is_for_later,
    keep_event,
    receive_event,
    retry_failed_events,
    set_aside,
)
from kakaoauth.flows.retention import forget_old_rows
from kakaoauth.flows.roles import (
    LastSuperuser,
    change_user,
    create_superuser,
    demote,
    end_all_sessions,
    promote,
    reopen,
)
from kakaoauth.flows.seed import NotSeeded, seed
from kakaoauth.flows.tokens import Held, Resealed, drop, end_at_provider, renew, reseal_all, take_out
from kakaoauth.flows.transaction import forget_transaction, transaction

__all__ = [
    "Bearer",
    "Entry",
    "ExportCut",
    "Held",
    "LastSuperuser",
    "Leaving",
    "NotSeeded",
    "Outcome",
    "Resealed",
    "SessionOver",
    "SomethingRefused",
    "TokenPair",
    "Unclear",
    "add_counts",
    "apply_event",
    "begin_family",
    "catch_up",
    "change_profile",
    "change_user",
    "confirm",
    "confirm_password",
    "create_superuser",
    "delete_user",
    "demote",
    "drop",
    "end_all_sessions",
    "end_at_provider",
    "end_everywhere",
    "end_family",
    "end_other_sessions",
    "end_others",
    "end_others_later",
    "end_own_family",
    "end_session",
    "export_users",
    "find_bearer",
    "forget_old_ends",
    "forget_old_events",
    "forget_old_notes",
    "forget_old_rows",
    "forget_old_unlinks",
    "forget_transaction",
    "import_all",
    "import_users",
    "is_for_later",
    "issuer",
    "keep_event",
    "keep_people",
    "lift_suspension",
    "link",
    "log_in",
    "log_in_with_password",
    "look_at_users",
    "mend_list_keys",
    "note_refusal",
    "open_families",
    "pair_in_force",
    "promote",
    "receive_event",
    "refresh",
    "remember_ended",
    "remove_password",
    "renew",
    "reopen",
    "require_unlinked",
    "reseal_all",
    "retry_failed_events",
    "retry_unlinks",
    "rotate_signing_key",
    "seed",
    "set_aside",
    "set_password",
    "store_counts",
    "take_out",
    "transaction",
    "try_unlink",
    "unlink",
    "unlink_for",
    "verify",
    "withdraw",
]
