"""Local passwords of superusers, for the day the provider is down."""

from kakaoauth import audit
from kakaoauth.accounts import passwords, suspensions, ways_in
from kakaoauth.accounts.roles import keep_a_superuser_besides
from kakaoauth.audit.refusals import record_refusal
from kakaoauth.errors import AccountClosing, AccountDisabled, InvalidCredentials, SessionOver
from kakaoauth.models import User, find_user, find_user_by_email, lock_user
from kakaoauth.sessions.revocation import revoke_sessions
from kakaoauth.signals import user_logged_in
from kakaoauth.storage.columns import now
from kakaoauth.storage.transaction import after_commit, transaction


def log_in_with_password(email: str, password: str) -> User:
    """Return the active superuser with this e-mail address and password.

    :raises InvalidCredentials: wrong, or not a superuser; takes as long as a right password, so time reveals nothing.
    :raises AccountDisabled: they are right, but the account is suspended. :raises AccountClosing: they have closed it.
    """
    try:
        return _log_in(email, password)
    except (InvalidCredentials, AccountDisabled, AccountClosing) as error:
        # Anybody can send a wrong password, so only the right one of a suspended account gets an audit row.
        record_refusal(error, "password", stored=not isinstance(error, InvalidCredentials))
        raise


@transaction
def _log_in(email: str, password: str) -> User:
    user = find_user_by_email(email)
    stored = user.password_hash if user is not None and user.is_superuser else None
    is_right = passwords.matches(stored, password)
    if user is None or stored is None:
        raise InvalidCredentials("no superuser with a password has this e-mail")
    if not is_right:
        raise InvalidCredentials(f"wrong password for user {user.id}", user_id=user.id)
    suspensions.end_if_over(user)
    if not user.is_active:
        raise ways_in.closed(user)
    if passwords.is_outdated(stored):
        passwords.set_password(user, password)
    user.last_login = now()
    audit.record("login", target=user.id, actor=user.id, provider="password")
    after_commit(user_logged_in, user_id=user.id, provider="password", is_new=False)
    return user


def confirm_password(user_id: int, password: str, *, asked_as: str) -> None:
    """Confirm a superuser by password.

    :param asked_as: `User.get_id` of the session that asks. :raises InvalidCredentials: wrong, or not a superuser.
    :raises SessionOver: the session has ended, or the account was suspended.
    """
    try:
        _confirm(user_id, password, asked_as)
    except InvalidCredentials as error:
        record_refusal(error, "password", action="confirmed")
        raise


@transaction
def _confirm(user_id: int, password: str, asked_as: str) -> None:
    user = find_user(user_id)
    stored = user.password_hash if user is not None and user.is_superuser else None
    if not passwords.matches(stored, password):
        raise InvalidCredentials(f"wrong password for user {user_id}", user_id=user_id)
    lock_user(user_id)  # After the slow comparison. A new password has ended this session.
    user = find_user(user_id)
    if user is None or not user.is_active or user.get_id() != asked_as:
        raise SessionOver
    audit.record("confirmed", target=user_id, provider="password")


@transaction
def set_password(user: User, password: str) -> None:
    """Give a superuser a password. Ends every session and token: a thief may know the old one.

    :raises ValueError: not a superuser, or the password does not meet the rules.
    """
    if not user.is_superuser:
        raise ValueError("only superusers have a password: use promote first")
    passwords.set_password(user, password)
    revoke_sessions(user)
    audit.record("password set", target=user.id)


@transaction
def remove_password(user: User) -> None:
    """Remove the password, and end every session and token.

    :raises LastSuperuser: no superuser with a way in would be left.
    """
    lock_user(user.id)
    if user.is_active and ways_in.has_password_login(user) and not ways_in.has_other_way_in(user):
        keep_a_superuser_besides(user)
    user.password_hash = None
    revoke_sessions(user)
    audit.record("password removed", target=user.id)
