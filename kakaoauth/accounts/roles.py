"""Who may do what, and where they are logged in.

Superusers decide about each other, at the same moment too. So whoever decides is looked at again under the lock that
each of these decisions takes first, always the superusers' rows before any other: of two who act on each other, one
waits, and is refused if the other one's decision was about them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from kakaoauth import audit
from kakaoauth.accounts import passwords, suspensions, ways_in
from kakaoauth.audit.refusals import record_refusal
from kakaoauth.errors import AppError, Forbidden, LastSuperuserStays
from kakaoauth.models import User, find_user, find_user_by_email, lock_user
from kakaoauth.sessions.revocation import revoke_all, revoke_sessions
from kakaoauth.storage.columns import MAX_ID
from kakaoauth.storage.database import db
from kakaoauth.storage.transaction import transaction
from kakaoauth.tokens import refresh_tokens


class LastSuperuser(Exception):
    """The last active superuser who has a way in can't be demoted, suspended or deleted: nobody could undo it."""


@contextmanager
def refusals_noted(action: str, user_id: int) -> Iterator[None]:
    """Write down who wanted to do this to a user, and was not let."""
    try:
        yield
    except LastSuperuser:
        record_refusal(LastSuperuserStays(), action=action, target=user_id)
        raise
    except AppError as error:
        record_refusal(error, action=action, target=user_id)
        raise


@transaction
def create_superuser(email: str, password: str | None = None) -> User:
    """Make an account that waits for the owner of `email`: see ways_in.

    :raises ValueError: no e-mail address, or it has an account already, or was a suspended person's; or a password that
        will not do.
    """
    if find_user_by_email(email):
        raise ValueError("an account with this e-mail exists already: use promote")
    user = User.objects.create_superuser(email)
    former = suspensions.find_by_email(user.email_key) if user.email_key else None
    if former is not None:
        raise ValueError(
            f"this is the e-mail of user {former}, who was suspended and erased: use lift-suspension first"
        )
    if password is not None:
        passwords.set_password(user, password)
    audit.record("superuser created", target=user.id)
    return user


@transaction
def promote(user: User, *, superuser: bool) -> datetime | None:
    """Give a role. An account that no identity opens waits for the owner of its e-mail once more: return until when."""
    _lock(user)
    user.is_staff = True
    user.is_superuser = user.is_superuser or superuser
    until = ways_in.open_again(user)
    audit.record("promoted", target=user.id, superuser=user.is_superuser, claimable=until is not None)
    return until


@transaction
def reopen(user: User) -> datetime | None:
    """Let an account that no identity opens wait for the owner of its e-mail once more. Return until when.

    None: there is an identity, or no address. Nothing changes.
    """
    _lock(user)
    until = ways_in.open_again(user)
    if until is not None:
        audit.record("opened again", target=user.id)
    return until


def demote(user: User) -> None:
    """Take every role away.

    :raises LastSuperuser: nobody would be left.
    """
    with refusals_noted("demoted", user.id):
        _demote(user)


@transaction
def _demote(user: User) -> None:
    _change(user, is_staff=False, is_superuser=False)
    audit.record("demoted", target=user.id)


def change_user(
    user_id: int,
    *,
    by: int | None = None,
    reason: str = "",
    is_active: bool | None = None,
    is_staff: bool | None = None,
    is_superuser: bool | None = None,
) -> User | None:
    """Change role or state; None leaves things as they are. Return None if there is no such user.

    A superuser is staff, so who is made one becomes staff, and who is no longer staff is no superuser either. What is
    so already leaves no trace.

    :param by: the superuser who decides. :raises Forbidden: who is none any more.
    :raises ValueError: a superuser who is not staff. :raises LastSuperuser: nobody would be left.
    """
    if is_superuser and is_staff is False:
        raise ValueError("a superuser is staff")
    if is_superuser:
        is_staff = True
    elif is_staff is False:
        is_superuser = False
    with refusals_noted("user changed", user_id):
        return _change_user(user_id, by, reason, is_active=is_active, is_staff=is_staff, is_superuser=is_superuser)


@transaction
def _change_user(user_id: int, by: int | None, reason: str, **values: bool | None) -> User | None:
    require_superuser(by)
    user = db.session.get(User, user_id, populate_existing=True) if 0 < user_id <= MAX_ID else None
    if user is None or user.erased_at is not None:
        return None
    changes = _change(user, **values)
    changed = [("+" if value else "-") + name for name, value in changes.items()]
    if changed:
        audit.record("user changed", target=user.id, actor=by, reason=reason, changed=",".join(changed))
    return user


def _change(user: User, **values: bool | None) -> dict[str, bool]:
    """Return what was not so before."""
    changes = {name: value for name, value in values.items() if value is not None and value != getattr(user, name)}
    lost = [name for name, value in changes.items() if not value]
    if user.is_superuser and user.is_active and {"is_active", "is_superuser"} & set(lost):
        keep_a_superuser_besides(user)
    for name, value in changes.items():
        setattr(user, name, value)
    if "is_active" in lost:
        revoke_sessions(user)  # so that being let in again does not bring old sessions and tokens back
    elif lost:
        refresh_tokens.stop_refreshing(user.id)
    if changes.get("is_active"):
        suspensions.lift(user.id)  # of a login that was cut from the account meanwhile
    db.session.flush()
    return changes


def keep_a_superuser_besides(user: User) -> None:
    """:raises LastSuperuser: nobody would be left who could come in."""
    _lock_superusers()
    others = db.select(User.id).where(User.is_superuser, User.is_active, ways_in.has_way_in(), User.id != user.id)
    if db.session.scalar(others.limit(1)) is None:
        raise LastSuperuser


def require_superuser(user_id: int | None) -> None:
    """Go on only for an active superuser, who stays one until the transaction ends. None: the command line.

    :raises Forbidden:
    """
    if user_id is None:
        return
    _lock_superusers()
    if db.session.scalar(db.select(User.id).where(User.id == user_id, User.is_superuser, User.is_active)) is None:
        raise Forbidden("not a superuser any more")


def _lock_superusers() -> None:
    """Nobody becomes an active superuser, ceases to be one or loses a way in until the transaction ends.

    By an UPDATE that changes nothing, because SQLite knows no other lock and ignores FOR UPDATE.
    """
    active = db.update(User).where(User.is_superuser, User.is_active)
    db.session.execute(active.values(is_superuser=True).execution_options(synchronize_session=False))


def _lock(user: User) -> None:
    """:raises ValueError: the account was erased since it was looked for."""
    user_id = user.id
    lock_user(user_id)
    if find_user(user_id) is None:
        raise ValueError("the account was erased meanwhile")


def end_all_sessions(user_id: int, *, by: int | None = None, reason: str = "") -> None:
    """Log a user out everywhere: every session holds the version it was begun with.

    :param by: the superuser who decides, if it is not the person. :raises Forbidden: who is none any more.
    """
    with refusals_noted("sessions ended", user_id):
        _end_all_sessions(user_id, by, reason)


@transaction
def _end_all_sessions(user_id: int, by: int | None, reason: str) -> None:
    require_superuser(by)
    if revoke_all(user_id):
        audit.record("sessions ended", target=user_id, actor=by, reason=reason)
