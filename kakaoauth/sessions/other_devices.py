"""End one login of a person, or all but the current one. The list of devices: `accounts.devices`."""

from flask import current_app

from kakaoauth import audit
from kakaoauth.errors import SessionOver
from kakaoauth.models import User
from kakaoauth.sessions.revocation import revoke_all
from kakaoauth.storage.quick_reads import Asked
from kakaoauth.storage.transaction import transaction
from kakaoauth.tokens import refresh_tokens
from kakaoauth.tokens.flows import longest_login


def open_families(user: User, number: int) -> Asked:
    """Ask for the valid token families of a user, the last refreshed first, at most `number`."""
    lingering = current_app.config["KAKAOAUTH_ACCESS_TOKEN_SECONDS"]
    return refresh_tokens.active_for(user, lingering=lingering, longest=longest_login(user), number=number)


@transaction
def end_own_family(user_id: int, family_id: int) -> bool:
    """End the login of an app or front end. False if this person has no such family."""
    family = refresh_tokens.find(family_id)
    if family is None or family.user_id != user_id or not refresh_tokens.end(family_id):
        return False
    audit.record("device ended", target=user_id, kind="app", family=family_id)
    return True


@transaction
def end_other_sessions(user: User) -> str:
    """Log a user out everywhere but in the session that asks. Return the new `User.get_id` for that session.

    One UPDATE ends sessions and tokens, whatever Redis holds later.

    :param user: with the session version of that session. :raises SessionOver: it was ended itself meanwhile.
    """
    if not revoke_all(user.id, User.session_version == user.session_version, User.is_active):
        raise SessionOver
    audit.record("device ended", target=user.id, kind="all others")
    return user.get_id()
