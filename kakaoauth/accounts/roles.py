"""Roles, suspension, and ending all sessions of a user.

Two superusers can act on each other at the same moment. So each action first locks the superusers' rows, before any
other row, and checks again that the actor is one: the second waits, and is refused if the first has demoted them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from kakaoauth import audit
from kakaoauth.accounts import closing, passwords, suspensions, ways_in
from kakaoauth.audit.refusals import record_refusal
from kakaoauth.errors import AppError, Forbidden, LastSuperuser, SessionOver
from kakaoauth.models import User, find_user, find_user_by_email, lock_user
from kakaoauth.sessions.revocation import revoke_all, revoke_sessions
from kakaoauth.storage.columns import MAX_ID, now
from kakaoauth.storage.database import db
from kakaoauth.storage.transaction import transaction
from kakaoauth.text import clean_text
from kakaoauth.tokens import refresh_tokens

#: Characters of what a suspended person is told, as the column holds.
LONGEST_TEXT = 300


@contextmanager
def refusals_noted(action: str, user_id: int) -> Iterator[None]:
    """Record a refused action on a user in the audit log, and raise its error again."""
    try:
        yield
    except SessionOver:
        raise  # nobody has refused it
    except AppError as error:
        record_refusal(error, action=action, target=user_id)
        raise


@transaction
def create_superuser(email: str, password: str | None = None) -> User:
    """Make an account that waits for the owner of `email`: see ways_in.

    :raises ValueError: no e-mail address, or it has an account, or was a suspended person's; or the password does not
        meet the rules.
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
    """Make a user staff or superuser. An account without an identity can be claimed by its e-mail again: return until
    when, else None."""
    _lock(user)
    user.is_staff = True
    user.is_superuser = user.is_superuser or superuser
    until = ways_in.open_again(user)
    audit.record("promoted", target=user.id, superuser=user.is_superuser, claimable=until is not None)
    return until


@transaction
def reopen(user: User) -> datetime | None:
    """Let an account without an identity be claimed by its e-mail again. Return until when.

    None: there is an identity, or no address, and nothing changes.
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
    suspended_until: datetime | None = None,
    suspension_text: str | None = None,
) -> User | None:
    """Change role or state; None leaves things as they are. Return None if there is no such user.

    A superuser is staff, so a new one becomes staff, and who loses staff loses superuser as well. A change that changes
    nothing writes no audit row.

    :param by: the superuser who decides. :raises Forbidden: `by` is none any more.
    :param suspended_until: when the suspension ends by itself. :param suspension_text: what the person is told of it.
        With `is_active=False`, None is neither end nor text; else it leaves what the suspension has, if there is one.
    :raises ValueError: superuser without staff, or an end that is over. :raises LastSuperuser: nobody would be left.
    """
    if suspended_until is not None and suspended_until <= now():
        raise ValueError("the end is not in the future")
    terms = {"suspended_until": suspended_until, "suspension_text": clean_text(suspension_text, limit=LONGEST_TEXT)}
    if is_active is not False:
        terms = {name: value for name, value in terms.items() if value is not None}
    if is_superuser and is_staff is False:
        raise ValueError("a superuser is staff")
    if is_superuser:
        is_staff = True
    elif is_staff is False:
        is_superuser = False
    with refusals_noted("user changed", user_id):
        values = {"is_active": is_active, "is_staff": is_staff, "is_superuser": is_superuser}
        return _change_user(user_id, by, reason, terms, **values)


@transaction
def _change_user(
    user_id: int, by: int | None, reason: str, terms: dict[str, Any], **values: bool | None
) -> User | None:
    require_superuser(by)
    user = db.session.get(User, user_id, populate_existing=True) if 0 < user_id <= MAX_ID else None
    if user is None or user.erased_at is not None:
        return None
    suspensions.end_if_over(user)
    changes = _change(user, **values)
    changed = [("+" if value else "-") + name for name, value in changes.items()]
    if user.is_suspended and _change_terms(user, terms) and not changed:
        changed = ["suspension"]
    if changed:
        until = user.suspended_until.isoformat(timespec="minutes") if user.suspended_until and terms else ""
        audit.record("user changed", target=user.id, actor=by, reason=reason, changed=",".join(changed), until=until)
    return user


def _change_terms(user: User, terms: dict[str, Any]) -> bool:
    """Set the end and the text of a suspension. False if they were so already."""
    differ = any(getattr(user, name) != value for name, value in terms.items())
    for name, value in terms.items():
        setattr(user, name, value)
    db.session.flush()
    return differ


def _change(user: User, **values: bool | None) -> dict[str, bool]:
    """Apply the values. Return those that differed."""
    changes = {name: value for name, value in values.items() if value is not None and value != getattr(user, name)}
    lost = [name for name, value in changes.items() if not value]
    if user.is_superuser and user.is_active and {"is_active", "is_superuser"} & set(lost):
        keep_a_superuser_besides(user)
    if values.get("is_active") and user.erase_at is not None:
        closing.reopen(user)
    elif values.get("is_active") is False and user.closed_at is not None:
        user.closed_at = None  # suspended from now on, and still erased in time
        changes["is_active"] = False
    for name, value in changes.items():
        setattr(user, name, value)
    if "is_active" in lost:
        revoke_sessions(user)  # or reactivation would bring old sessions and tokens back
    elif lost:
        refresh_tokens.stop_refreshing(user.id)
    if changes.get("is_active"):
        user.suspended_until = user.suspension_text = None
        suspensions.lift(user.id)  # of a login that was cut from the account meanwhile
    db.session.flush()
    return changes


def keep_a_superuser_besides(user: User) -> None:
    """Check that another active superuser has a way in, and lock them. :raises LastSuperuser: there is none."""
    _lock_superusers()
    others = db.select(User.id).where(User.is_superuser, User.is_active, ways_in.has_way_in(), User.id != user.id)
    if db.session.scalar(others.limit(1)) is None:
        raise LastSuperuser


def require_superuser(user_id: int | None) -> None:
    """Require an active superuser, and lock them until the transaction ends. None: the command line.

    :raises Forbidden: not one, or not any more.
    """
    if user_id is None:
        return
    _lock_superusers()
    if db.session.scalar(db.select(User.id).where(User.id == user_id, User.is_superuser, User.is_active)) is None:
        raise Forbidden("not a superuser any more")


def _lock_superusers() -> None:
    """Lock the active superusers' rows until the transaction ends.

    By an UPDATE that changes nothing, because SQLite ignores FOR UPDATE.
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
    """Log a user out everywhere.

    :param by: the superuser who decides; None: the command line. :raises Forbidden: `by` is none any more.
    """
    with refusals_noted("sessions ended", user_id):
        _end_all_sessions(user_id, by, reason)


@transaction
def _end_all_sessions(user_id: int, by: int | None, reason: str) -> None:
    require_superuser(by)
    if revoke_all(user_id):
        audit.record("sessions ended", target=user_id, actor=by, reason=reason)
