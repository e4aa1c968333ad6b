"""Ending the logins of one person one by one, or all but one. What is listed as a device: devices."""

from collections.abc import Sequence
from typing import Any, cast

from flask import current_app
from sqlalchemy.engine import CursorResult

from kakaoauth import audit
from kakaoauth.models import User
from kakaoauth.sessions.revocation import uncount_sessions
from kakaoauth.storage.database import db
from kakaoauth.storage.transaction import transaction
from kakaoauth.tokens import refresh_tokens
from kakaoauth.tokens.flows import longest_login
from kakaoauth.tokens.refresh_tokens import TokenFamily


def open_families(user: User, number: int) -> Sequence[TokenFamily]:
    """The newest logins of apps and front ends that are good now."""
    lingering = current_app.config["ACCESS_TOKEN_SECONDS"]
    return refresh_tokens.active_for(user, lingering=lingering, longest=longest_login(user), number=number)


@transaction
def end_own_family(user_id: int, family_id: int) -> bool:
    """End the login of an app or front end. False if this person has none of that number."""
    family = refresh_tokens.find(family_id)
    if family is None or family.user_id != user_id or not refresh_tokens.end(family_id):
        return False
    audit.record("device ended", target=user_id, kind="app", family=family_id)
    return True


@transaction
def end_other_sessions(user: User) -> str:
    """Log a user out everywhere but in the session that asks. Return what `User.get_id` gives to that one from now on.

    One UPDATE does it, for the API's tokens as well, and whatever Redis remembers later.

    :param user: as that session knows them. :raises SessionOver: it was ended itself meanwhile.
    """
    as_known = (User.id == user.id, User.session_version == user.session_version, User.is_active)
    raised = db.update(User).where(*as_known).values(session_version=User.session_version + 1)
    if cast("CursorResult[Any]", db.session.execute(raised)).rowcount != 1:
        raise SessionOver
    uncount_sessions(user.id)
    audit.record("device ended", target=user.id, kind="all others")
    return user.get_id()


class SessionOver(Exception):
    """The session that asked has ended meanwhile, and with it the right to ask."""
