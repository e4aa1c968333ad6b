"""Erasing accounts and removing identities.

With KAKAOAUTH_LEAVE_GRACE_DAYS an account that its owner deletes is only closed at first (`closing`). Telling the
provider is a job (`unlink_jobs`), tried until the provider has answered.
"""

import logging
from typing import Any

from kakaoauth import audit
from kakaoauth.accounts import closing, former_identities, hooks, rejoining, suspensions, unlink_jobs, ways_in
from kakaoauth.accounts.erasing import delete_or_empty, erase_identity
from kakaoauth.accounts.roles import keep_a_superuser_besides, refusals_noted, require_superuser
from kakaoauth.errors import AppError, LastSuperuser, Unavailable
from kakaoauth.models import Identity, User, find_user, lock_user
from kakaoauth.providers import find_provider
from kakaoauth.providers.values import TokenSet
from kakaoauth.sessions.revocation import revoke_sessions, uncount_sessions
from kakaoauth.signals import identity_unlinked, user_left
from kakaoauth.storage import encryption
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db
from kakaoauth.storage.transaction import after_commit, forget_transaction, transaction
from kakaoauth.tokens import provider_tokens

log = logging.getLogger("kakaoauth.audit")


def withdraw(user_id: int) -> list[int]:
    """Erase a user at their own request, with identities, tokens and sessions, or close the account if it may be
    restored for a while. Return the ids of the unlink jobs.

    :raises LastSuperuser: nobody could look after the site.
    """
    with refusals_noted("withdrawn", user_id):
        return _close(user_id, "withdrawn")


@transaction
def _close(user_id: int, action: str, *, by: int | None = None, reason: str = "") -> list[int]:
    require_superuser(by)
    user = db.session.get(User, user_id, populate_existing=True)
    if user is not None and user.is_superuser and user.is_active:
        keep_a_superuser_besides(user)
    lock_user(user_id)  # An identity that is being linked now is refused, or gets an unlink job as well.
    user = find_user(user_id)
    if user is None:
        return []
    if by is None and closing.grace():
        if user.is_active:  # else the same button, pressed twice at once
            closing.close(user)
            audit.record(action, target=user_id, erased=False)
        return []
    hooks.ask_before_leave(user)
    return _erase_and_tell(user, action, actor=by, reason=reason, by_themselves=by is None or bool(user.closed_at))


def _erase_and_tell(user: User, action: str, *, by_themselves: bool, **recorded: Any) -> list[int]:
    """Erase a locked user and add the unlink jobs. Return their ids."""
    user_id, jobs = user.id, [job_for(identity) for identity in user.identities]
    if not _erase(user, by_themselves=by_themselves):
        return []  # the same button, pressed twice at once
    db.session.add_all(jobs)
    db.session.flush()
    audit.record(action, target=user_id, **recorded)
    return [job.id for job in jobs]


def erase_due(limit: int = 100) -> tuple[int, int]:
    """Erase accounts that were closed and not restored in time. Return how many were erased, and how many could not
    be. Their unlink jobs are the next round's.

    :param limit: a round ends with the batch in which so many were erased. Those that cannot be do not count, or so
        many of them would keep all others'.
    """
    done = failed = 0
    last: closing.Due | None = None
    while done < limit and (found := closing.due(limit, last)):
        forget_transaction()
        for last in found:
            try:
                _erase_closed(last.user_id, due=True)
                done += 1
            except Exception as error:
                forget_transaction()
                log.error("closed account user=%s not erased: %s", last.user_id, type(error).__name__)
                failed += 1
    return done, failed


def erase_closed(user_id: int, *, reason: str = "") -> bool:
    """Erase a closed account before its time, and unlink at the providers. False if it is not closed."""
    jobs = _erase_closed(user_id, reason=reason)
    for job in jobs or ():
        try_unlink(job)
    return jobs is not None


@transaction
def _erase_closed(user_id: int, *, due: bool = False, reason: str = "") -> list[int] | None:
    lock_user(user_id)
    user = find_user(user_id)
    if user is None or user.erase_at is None or (due and user.erase_at > now()):
        return None  # restored at this moment, or another worker was faster
    suspensions.end_if_over(user)
    hooks.tell_before_leave(user)
    return _erase_and_tell(user, "erased", reason=reason, by_themselves=True)


def delete_user(user_id: int, *, by: int | None = None, reason: str = "") -> bool:
    """Erase a user and tell the providers. False if there is no such user.

    :param by: the superuser who decides; None: the person. :raises Forbidden: `by` is no superuser any more.
    :raises LastSuperuser: nobody could look after the site.
    """
    if find_user(user_id) is None:
        return False
    if by is None:
        jobs = withdraw(user_id)
    else:
        with refusals_noted("deleted", user_id):
            jobs = _close(user_id, "deleted", by=by, reason=reason)
    for job in jobs:
        try_unlink(job)
    return True


def job_for(identity: Identity) -> unlink_jobs.UnlinkJob:
    """Return an unlink job for an identity, with its newest tokens. It is not added to the transaction.

    Those that can be renewed come first: Google gives a refresh token at the first of several logins only.
    """
    rows = provider_tokens.of_identity(identity)
    newest = next((row for row in rows if row.refresh_token), rows[0] if rows else None)
    return unlink_jobs.UnlinkJob(
        provider=identity.provider,
        subject=identity.subject,
        user_id=identity.user_id,
        access_token=newest.access_token if newest else None,
        refresh_token=newest.refresh_token if newest else None,
        token_expires_at=newest.expires_at if newest else None,
    )


def _erase(user: User, *, by_themselves: bool) -> bool:
    """Erase a locked user. False if another request has just done it.

    Every way to erase an account ends here, so that a suspended person is always recognised later.
    """
    if user.is_suspended:
        suspensions.keep(user)
    elif by_themselves:
        rejoining.keep(user)
    uncount_sessions(user.id)
    after_commit(user_left, user_id=user.id)
    return delete_or_empty(user)


def try_unlink(job_id: int, *, everything: bool = False) -> bool:
    """Unlink at the provider now. True if that worked; otherwise the job waits for its next try.

    :param everything: also before its next date, and if it was given up.
    """
    try:
        return _try_unlink(job_id, everything=everything)
    except Unavailable:
        return False


def _try_unlink(job_id: int, *, everything: bool) -> bool:
    """:raises Unavailable: the provider is away, so further jobs would fail as well."""
    job = _take(job_id, everything=everything)
    if job is None:
        return False
    provider = find_provider(job.provider)
    try:
        if provider is None:
            raise AppError("provider is not configured")
        provider.unlink(job.subject, _tokens_of(job))
    except AppError as error:
        log.warning("unlink waits provider=%s tries=%s code=%s", job.provider, job.tries, error.code)
        _put_off(job_id, f"{error.code} {error.provider_code}".strip())
        if isinstance(error, Unavailable):
            raise
        return False
    except Exception as error:
        # A bug with one job must not block the others.
        log.error("unlink waits provider=%s tries=%s error=%s", job.provider, job.tries, type(error).__name__)
        _put_off(job_id, type(error).__name__)
        return False
    _finish(job_id)
    log.info("unlinked at provider=%s", job.provider)
    return True


def retry_unlinks(limit: int | None = 100, *, everything: bool = False) -> tuple[int, int]:
    """Try the jobs that are due; for a provider that is away only one. Return how many were done, how many still wait.

    :param limit: jobs of one provider. :param everything: also before their next date, and those given up.
    """
    done = found = 0
    for provider in unlink_jobs.providers_due(everything=everything):
        jobs = unlink_jobs.due(provider, limit, everything=everything)
        forget_transaction()  # a connection is not held while a provider is waited for
        found += len(jobs)
        try:
            for job_id in jobs:
                done += _try_unlink(job_id, everything=everything)
        except Unavailable as error:
            log.info("unlinks of provider=%s wait for the next round: %s", provider, error.code)
    return done, found - done


@transaction
def _take(job_id: int, *, everything: bool = False) -> unlink_jobs.UnlinkJob | None:
    job = unlink_jobs.take(job_id, everything=everything)
    if job is not None:
        db.session.flush()
        db.session.expunge(job)
    return job


@transaction
def _put_off(job_id: int, error: str) -> None:
    job = db.session.get(unlink_jobs.UnlinkJob, job_id)
    if job is not None and unlink_jobs.put_off(job, error):
        log.critical(
            "unlink given up provider=%s job=%s tries=%s last_error=%s: mend the cause and run `flask kakao retry`,"
            " or unlink the person at the provider; the list of users shows whom",
            *(job.provider, job.id, job.tries, job.last_error),
        )
        audit.record("unlink given up", target=job.user_id, provider=job.provider, tries=job.tries)


@transaction
def forget_old_unlinks() -> None:
    """Delete jobs that were given up long ago."""
    unlink_jobs.remove_old()


@transaction
def _finish(job_id: int) -> None:
    db.session.execute(db.delete(unlink_jobs.UnlinkJob).where(unlink_jobs.UnlinkJob.id == job_id))


def _tokens_of(job: unlink_jobs.UnlinkJob) -> TokenSet | None:
    access_token = encryption.decrypt(job.access_token) if job.access_token else None
    if access_token is None or job.token_expires_at is None:
        return None
    refresh_token = encryption.decrypt(job.refresh_token) if job.refresh_token else None
    return TokenSet(access_token, job.token_expires_at, refresh_token)


def remove_identity(identity: Identity) -> None:
    """Remove an identity whose owner withdrew their consent at the provider. Within the caller's transaction.

    If it was the only way in, or the owner has closed the account, the whole account is erased: the consent to keep the
    data is gone. Only the last active superuser's account stays, without a way in, until `users promote` opens it.
    """
    user, identity_id = identity.user, identity.id
    erased = False
    lock_user(user.id)  # Of two that go at once, the second is the only one left.
    if db.session.get(Identity, identity_id) is None:
        return
    is_only_way = len(user.identities) == 1 and not ways_in.has_password_login(user) and not _is_last_superuser(user)
    if is_only_way or user.closed_at is not None:
        hooks.tell_before_leave(user)
        others = [job_for(other) for other in user.identities if other.id != identity_id]
        erased = _erase(user, by_themselves=True)
        db.session.add_all(others)
    else:
        cut(user, identity)
        after_commit(identity_unlinked, user_id=user.id, provider=identity.provider)
    audit.record("unlinked by provider", target=user.id, provider=identity.provider, erased=erased)


def _is_last_superuser(user: User) -> bool:
    if not (user.is_superuser and user.is_active):
        return False
    try:
        keep_a_superuser_besides(user)
    except LastSuperuser:
        return True
    return False


def cut(user: User, identity: Identity) -> None:
    """Delete an identity and end its user's sessions. The caller's transaction has locked the user."""
    revoke_sessions(user)
    if user.is_suspended:
        suspensions.keep_identity(user, identity.provider, identity.subject)
    former_identities.keep(user, identity)
    user.claimable_until = None
    left = [other for other in user.identities if other is not identity]
    user.provider = left[0].provider if left else None
    erase_identity(identity.id)
    db.session.expunge(identity)
