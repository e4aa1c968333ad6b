"""Link a provider's identity to an account, unlink one, and confirm a person by one.

The session that asks can end during the request: a logout everywhere, a suspension. So each function checks again,
under a lock, that the account still has the session version of that session.
"""

from datetime import datetime
from typing import NamedTuple

from kakaoauth import audit
from kakaoauth.accounts import unlink_jobs, ways_in
from kakaoauth.accounts.leaving import cut, job_for
from kakaoauth.accounts.roles import refusals_noted, require_superuser
from kakaoauth.accounts.sign_in import bring_up_to_date, refuse_if_overtaken, refuse_if_suspended
from kakaoauth.errors import (
    AlreadyLinked,
    ConfirmationEnded,
    IdentityInUse,
    LastWayIn,
    LinkEnded,
    OtherAccount,
    SessionOver,
    TheirLastWayIn,
)
from kakaoauth.models import Identity, User, find_identity, lock_user
from kakaoauth.providers.values import Profile
from kakaoauth.signals import identity_linked, identity_unlinked
from kakaoauth.storage.database import db
from kakaoauth.storage.transaction import after_commit, transaction
from kakaoauth.tokens import provider_tokens


@transaction
def link(user_id: int, profile: Profile, *, asked_as: str, begun_at: datetime | None = None) -> None:
    """Let the person of `profile` log in to this account. Linking the same one again changes nothing.

    :param asked_as: `User.get_id` of the session that asked. :param begun_at: when it asked.
    :raises IdentityInUse: another account logs in with it. :raises AlreadyLinked: the account has another identity of
        that provider. :raises LinkEnded: the session has ended, or the person was suspended.
    :raises AccountUnusable: the provider has ended its side meanwhile. :raises AccountDisabled: they were suspended.
    """
    user = _locked(user_id)
    if user is None or not _still_is(user, asked_as):
        raise LinkEnded("the account's sessions ended while the provider was asked")
    identity = find_identity(profile.provider, profile.subject)
    if identity is not None and identity.user_id != user_id:
        raise IdentityInUse(f"{profile.provider} identity of another account")
    if identity is None:
        require_unlinked(user, profile.provider)
        if begun_at is not None:
            refuse_if_overtaken(profile, begun_at)
        refuse_if_suspended(profile)
        user.claimable_until = None
        identity = Identity(provider=profile.provider, subject=profile.subject, user=user)
        db.session.add(identity)
        unlink_jobs.forget(profile.provider, profile.subject)
        audit.record("linked", target=user.id, provider=profile.provider)
        after_commit(identity_linked, user_id=user.id, provider=profile.provider)
    identity.confirm(profile.confirmed_at)
    bring_up_to_date(user, profile, leads=False)
    user.provider = user.provider or profile.provider
    if profile.tokens:
        provider_tokens.put(identity, profile.tokens)


def require_unlinked(user: User, provider: str) -> None:
    """Allow one identity of each provider: a stranger at an open session could add one of their own.

    Checked under the user's lock, not by a constraint: older accounts may have two of one provider.

    :raises AlreadyLinked: there is one.
    """
    if any(one.provider == provider for one in user.identities):
        raise AlreadyLinked(f"user {user.id} has an identity of {provider}")


@transaction
def confirm(user_id: int, profile: Profile, *, asked_as: str, token_id: int | None) -> None:
    """Confirm the person by a login with any identity of their account.

    :param asked_as: as for `link`. :param token_id: the session's row of `provider_tokens`; the new tokens replace it.
    :raises OtherAccount: an identity of another account, or of none. :raises ConfirmationEnded: the session has ended.
    """
    user = _locked(user_id)
    if user is None or not _still_is(user, asked_as):
        raise ConfirmationEnded("the account's sessions ended while the provider was asked")
    identity = user.find_identity(profile.provider, profile.subject)
    if identity is None:
        raise OtherAccount(f"{profile.provider} identity that is none of user {user_id}")
    row = provider_tokens.find(token_id) if token_id is not None else None
    if profile.tokens and row is not None and row.identity_id == identity.id:
        provider_tokens.write(row, profile.tokens)
    audit.record("confirmed", target=user_id, provider=profile.provider)


class Unlinked(NamedTuple):
    """The id of the unlink job, and the new `User.get_id` for the session that goes on."""

    job: int
    session_user_id: str


def unlink(user_id: int, identity_id: int, *, asked_as: str) -> Unlinked | None:
    """Unlink an identity, and end every session and token of the person: a thief may have logged in by it.

    Return None if this person has no such identity.

    :param asked_as: as for `link`. :raises LastWayIn: none would be left. :raises SessionOver: the session has ended.
    """
    with refusals_noted("unlinked", user_id):
        return _unlink_own(user_id, identity_id, asked_as)


@transaction
def _unlink_own(user_id: int, identity_id: int, asked_as: str) -> Unlinked | None:
    user = _locked(user_id)
    identity = _find_own(user, identity_id)
    if user and identity and _is_last_way_in(user):
        raise LastWayIn(f"only identity of user {user_id}")
    if user is None or not _still_is(user, asked_as):
        raise SessionOver  # not least the second of a double click
    return _unlink(user, identity) if identity else None


def unlink_for(user_id: int, identity_id: int, *, by: int, reason: str) -> Unlinked | None:
    """As `unlink`, decided by a superuser. None if there is no such user or identity.

    :raises TheirLastWayIn: none would be left. :raises Forbidden: `by` is no superuser any more.
    """
    with refusals_noted("unlinked", user_id):
        return _unlink_for(user_id, identity_id, by, reason)


@transaction
def _unlink_for(user_id: int, identity_id: int, by: int, reason: str) -> Unlinked | None:
    require_superuser(by)
    user = _locked(user_id)
    identity = _find_own(user, identity_id)
    if user is None or identity is None:
        return None
    if _is_last_way_in(user):
        raise TheirLastWayIn(f"only identity of user {user_id}")
    return _unlink(user, identity, actor=by, reason=reason)


def _find_own(user: User | None, identity_id: int) -> Identity | None:
    return next((one for one in user.identities if one.id == identity_id), None) if user else None


def _is_last_way_in(user: User) -> bool:
    return len(user.identities) == 1 and not ways_in.has_password_login(user)


def _unlink(user: User, identity: Identity, *, actor: int | None = None, reason: str = "") -> Unlinked:
    job, provider = job_for(identity), user.provider
    cut(user, identity)
    # Left with a password only, the account still is nobody's to take over by its e-mail address.
    user.provider = user.provider or provider
    db.session.add(job)
    db.session.flush()
    audit.record("unlinked", target=user.id, actor=actor, provider=job.provider, reason=reason)
    after_commit(identity_unlinked, user_id=user.id, provider=job.provider)
    return Unlinked(job.id, user.get_id())


def _locked(user_id: int) -> User | None:
    lock_user(user_id)
    return db.session.get(User, user_id)


def _still_is(user: User, asked_as: str) -> bool:
    return user.is_active and user.get_id() == asked_as
