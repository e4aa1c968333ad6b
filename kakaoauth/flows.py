"""The verbs: what people do to accounts. The only place that commits; each verb is all or nothing."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from sqlalchemy.exc import IntegrityError, OperationalError

from kakaoauth.errors import AccountDisabled, EmailInUse, EmailRequired
from kakaoauth.extensions import db
from kakaoauth.models import Identity, User, claim_account, find_identity, find_user_by_email, now
from kakaoauth.providers.base import EmailState, Profile

P = ParamSpec("P")
R = TypeVar("R")

#: Two people racing for one row need one repetition; a crowd at one first login needs few more.
TRIES = 4

#: What a login may bring up to date. E-mail has rules of its own.
PROFILE_FIELDS = ("name", "nickname", "profile_image", "age", "age_range", "gender")

log = logging.getLogger("kakaoauth.audit")


class LastSuperuser(Exception):
    """The last active superuser can't be demoted, suspended or deleted: nobody could undo it."""


def transaction(verb: Callable[P, R]) -> Callable[P, R]:
    """Commit what `verb` did, or nothing of it. A lost race (unique key, deadlock) is run again from the start."""

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, TRIES + 1):
            try:
                result = verb(*args, **kwargs)
                db.session.commit()
                return result
            except (IntegrityError, OperationalError) as error:
                db.session.rollback()
                if attempt == TRIES or not _lost_a_race(error):
                    raise
            except BaseException:
                db.session.rollback()
                raise
        raise AssertionError("unreachable")

    return run


def _lost_a_race(error: IntegrityError | OperationalError) -> bool:
    if isinstance(error, IntegrityError):
        return True
    # 40P01 deadlock_detected, 40001 serialization_failure (PostgreSQL, appendix A).
    return getattr(error.orig, "sqlstate", None) in ("40P01", "40001")


@transaction
def log_in(profile: Profile, *, email_required: bool, consent_for_email: tuple[str, ...] = ()) -> User:
    """Find or make the account of `profile`.

    :raises AccountDisabled: suspended. :raises EmailRequired: no trusted e-mail. :raises EmailInUse: another account's.
    """
    identity = find_identity(profile.provider, profile.subject)
    user = identity.user if identity else _owner_of_email(profile)
    if user is not None and not user.is_active:
        raise AccountDisabled(f"user {user.id} is suspended")
    if email_required and profile.email is None and (user is None or user.email is None):
        raise EmailRequired(profile.email_state.value, consent=_askable(profile, consent_for_email))
    if user is None:
        user = User.objects.create_user(profile.email, provider=profile.provider)
    if identity is None and not user.has_identity(profile.provider, profile.subject):
        db.session.add(Identity(provider=profile.provider, subject=profile.subject, user=user))
    _bring_up_to_date(user, profile)
    return user


def _askable(profile: Profile, consent: tuple[str, ...]) -> tuple[str, ...]:
    """Asking Kakao again helps only a person who was asked and has not agreed, or was not asked at all."""
    return consent if profile.email_state in (EmailState.NOT_AGREED, EmailState.NOT_CONFIGURED) else ()


def _owner_of_email(profile: Profile) -> User | None:
    """The account made on the command line for this trusted e-mail: the first login with it takes it over.

    Or the account that another first login of the same person has made since we looked for the identity.

    :raises EmailInUse: the e-mail's account has a provider. Joining the two silently would hand it to whoever
        controls the address today.
    """
    owner = find_user_by_email(profile.email) if profile.email else None
    if owner is None or owner.has_identity(profile.provider, profile.subject):
        return owner
    if owner.provider is not None or owner.identities:
        raise EmailInUse(owner.provider or owner.identities[0].provider)
    if not claim_account(owner, profile.provider):
        db.session.expire(owner)  # Another first login was faster: look again.
        return _owner_of_email(profile)
    return owner


def _bring_up_to_date(user: User, profile: Profile) -> None:
    """Take over what this answer says. What it leaves out stays: Kakao under stress leaves fields out."""
    for field in PROFILE_FIELDS:
        value = getattr(profile, field)
        if value is not None:
            setattr(user, field, value)
    if profile.email and profile.email != user.email:
        owner = find_user_by_email(profile.email)
        if owner is None or owner is user:
            user.set_email(profile.email)
    user.last_login = now()


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
        _keep_a_superuser_besides(user)
    user.is_staff = user.is_superuser = False
    log.info("demoted user=%s", user.id)


def _keep_a_superuser_besides(user: User) -> None:
    """Lock the superusers' rows first: of two who demote each other at once, one waits and is then refused.

    By an UPDATE that changes nothing, because SQLite knows no other lock and ignores FOR UPDATE.
    """
    active = (User.is_superuser, User.is_active)
    db.session.execute(
        db.update(User).where(*active).values(is_superuser=True).execution_options(synchronize_session=False)
    )
    if not set(db.session.scalars(db.select(User.id).where(*active))) - {user.id}:
        raise LastSuperuser


def end_all_sessions(user: User) -> None:
    """Log a user out everywhere: every session holds the version it was begun with."""
    _raise_session_version(user)
    log.info("sessions ended user=%s", user.id)


@transaction
def _raise_session_version(user: Any) -> None:
    user.session_version = User.session_version + 1
