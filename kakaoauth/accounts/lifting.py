"""Lift the suspension of a person whose account was erased."""

from kakaoauth import audit
from kakaoauth.accounts import suspensions
from kakaoauth.accounts.roles import refusals_noted, require_superuser
from kakaoauth.storage.transaction import transaction


def lift_suspension(user_id: int, *, by: int | None = None, reason: str = "") -> bool:
    """Forget the hashes that recognise the suspended person with this former user id. False: there are none.

    :param by: the superuser who decides; None: the command line. :raises Forbidden: `by` is none any more.
    """
    with refusals_noted("suspension lifted", user_id):
        return _lift(user_id, by, reason)


@transaction
def _lift(user_id: int, by: int | None, reason: str) -> bool:
    require_superuser(by)
    kept = suspensions.lift(user_id)
    if kept:
        audit.record("suspension lifted", target=user_id, actor=by, reason=reason, kept=",".join(kept))
    return bool(kept)
