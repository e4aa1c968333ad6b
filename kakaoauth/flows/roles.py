"""Who may do what, and where they are logged in."""

import logging

from kakaoauth.extensions import db
from kakaoauth.flows.transaction import transaction
from kakaoauth.models import User, find_user_by_email

log = logging.getLogger("kakaoauth.audit")


class LastSuperuser(Exception):
    """The last active superuser can't be demoted, suspended or deleted: nobody could undo it."""


@transaction
def create_superuser(email: str) -> User:
    """:raises ValueError: no e-mail address, or it has an account already."""
    if find_user_by_email(email):
        raise ValueError("an account with this e-mail exists already: use promote")
    user = User.objects.create_superuser(email)
    log.info("superuser created user=%s", user.id)
    return user


@transaction
def promote(user: User, *, superuser: bool) -> None:
    user.is_staff = True
    user.is_superuser = user.is_superuser or superuser
    log.info("promoted user=%s superuser=%s", user.id, user.is_superuser)


@transaction
def demote(user: User) -> None:
    """Take every role away.

    :raises LastSuperuser: nobody would be left.
    """
    if user.is_superuser and user.is_active:
        keep_a_superuser_besides(user)
    user.is_staff = user.is_superuser = False
    log.info("demoted user=%s", user.id)


def keep_a_superuser_besides(user: User) -> None:
    """Lock the superusers' rows first: of two who demote each other at once, one waits and is then refused.

    By an UPDATE that changes nothing, because SQLite knows no other lock and ignores FOR UPDATE.
    """
    active = (User.is_superuser, User.is_active)
    db.session.execute(
        db.update(User).where(*active).values(is_superuser=True).execution_options(synchronize_session=False)
    )
    if not set(db.session.scalars(db.select(User.id).where(*active))) - {user.id}:
        raise LastSuperuser


@transaction
def end_all_sessions(user_id: int) -> None:
    """Log a user out everywhere: every session holds the version it was begun with."""
    db.session.execute(db.update(User).where(User.id == user_id).values(session_version=User.session_version + 1))
    log.info("sessions ended user=%s", user_id)
