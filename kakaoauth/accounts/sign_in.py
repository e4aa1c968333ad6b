"""Sign-in: find or create the account for a provider's profile."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from kakaoauth import audit, terms
from kakaoauth.accounts import closing, hooks, provider_events, suspensions, unlink_jobs, ways_in
from kakaoauth.accounts.provider_events import ENDS_LOGIN
from kakaoauth.audit import alarms
from kakaoauth.errors import (
    AccountDisabled,
    AccountUnusable,
    EmailInUse,
    EmailRequired,
    ExpiredToken,
    NotClaimable,
    NotFound,
    RejoinBlocked,
)
from kakaoauth.models import Identity, User, find_identity, find_user_by_email
from kakaoauth.providers.values import EmailState, Profile
from kakaoauth.signals import user_logged_in, user_signed_up
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db
from kakaoauth.storage.transaction import after_commit, keep_as_stored, transaction
from kakaoauth.text import normal_form
from kakaoauth.tokens import provider_tokens
from kakaoauth.tokens.provider_tokens import ProviderToken

#: Fields that a login updates. E-mail has rules of its own.
PROFILE_FIELDS = ("name", "nickname", "profile_image", "age", "age_range", "gender")


class Entry(NamedTuple):
    """The user, and the `provider_tokens` row of this login; None if the provider gave no tokens."""

    user: User
    token_id: int | None
    #: Whether this login made the account.
    is_new: bool = False


@transaction
def log_in(
    profile: Profile,
    *,
    email_required: bool,
    consent_for_email: tuple[str, ...] = (),
    begun_at: datetime | None = None,
    shares_email: bool = False,
    answer: terms.Answer = terms.UNASKED,
    restores: bool = False,
) -> Entry:
    """Find or create the account of `profile`, and record the login.

    :param shares_email: the login was begun to share the e-mail address, so a conflict is an error.
    :param answer: what they have answered in the sign-up step, or elsewhere.
    :param restores: an account that its owner has closed is opened again, if nothing else refuses the login.
    :raises AccountDisabled: suspended, now or when erased. :raises EmailRequired: no trusted one. :raises EmailInUse:
    :raises TermsRequired: the sign-up step comes first. :raises AccountClosing: closed by its owner.
    :raises RejoinBlocked: they left not long ago. :raises ExpiredToken: an id_token that is overtaken by a message.
    """
    identity = _find_identity(profile, restores=restores)
    user = _known_user(profile, identity, begun_at)
    if user is None or user.email is None:
        if email_required and profile.email is None:
            raise _email_required(profile, consent_for_email)
        if user is not None and (email_required or shares_email):
            _refuse_email_of_another(user, profile)
    is_new = user is None
    agreements = _settle(user, answer)
    if user is None:
        hooks.ask_before_sign_up(replace(profile, fields=answer.fields))
        user = _new_user(profile)
    else:
        bring_up_to_date(user, profile, leads=user.provider in (None, profile.provider))
        user.last_login = now()
    token = _store(user, identity, profile)
    audit.record("login", target=user.id, actor=user.id, provider=profile.provider, new=is_new)
    terms.keep(user, agreements)
    _tell(user, profile, answer, is_new=is_new)
    keep_as_stored(user)
    return Entry(user, token.id if token else None, is_new)


def _new_user(profile: Profile) -> User:
    """Return somebody without identities, who is stored together with the first one."""
    said = {field: getattr(profile, field) for field in PROFILE_FIELDS}
    fields = {**said, "provider": profile.provider, "last_login": now(), "identities": []}
    return User.objects.create_user(profile.email, at_once=False, **fields)


def _store(user: User, identity: Identity | None, profile: Profile) -> ProviderToken | None:
    """Store the user and the identity they have come by, which may both be new; return this login's tokens."""
    known = identity or user.find_identity(profile.provider, profile.subject)
    identity = known or Identity(provider=profile.provider, subject=profile.subject, user=user)
    identity.confirm(profile.confirmed_at, is_read=not profile.is_brief)
    db.session.add(identity)
    token = provider_tokens.put(identity, profile.tokens) if profile.tokens else None
    db.session.flush()
    if known is None:
        unlink_jobs.forget(profile.provider, profile.subject)
    return token


def _tell(user: User, profile: Profile, answer: terms.Answer, *, is_new: bool) -> None:
    """Of `fields` only where there is a form: a receiver of before takes none."""
    if is_new:
        told = {"fields": answer.fields} if hooks.sign_up_form() else {}
        after_commit(user_signed_up, user_id=user.id, provider=profile.provider, **told)
    after_commit(user_logged_in, user_id=user.id, provider=profile.provider, is_new=is_new)


def _settle(user: User | None, answer: terms.Answer) -> Sequence[terms.Agreement]:
    """:raises TermsRequired: as `log_in`. Where nothing is asked here, nothing is looked up."""
    is_asked = terms.asked() or (user is None and hooks.sign_up_form())
    return terms.settle(user, answer) if is_asked else ()


def _find_identity(profile: Profile, *, restores: bool) -> Identity | None:
    identity = find_identity(profile.provider, profile.subject)
    if identity is None or not restores:
        return identity
    with suppress(NotFound):  # it is not closed, or not any more
        closing.restore_within(identity.user_id)
    return find_identity(profile.provider, profile.subject)  # it may have been erased while another held the lock


def _known_user(profile: Profile, identity: Identity | None, begun_at: datetime | None) -> User | None:
    """Return the identity's user, or the account that this e-mail address may claim.

    :raises AccountDisabled: :raises AccountClosing: :raises AccountUnusable: :raises EmailInUse: :raises ExpiredToken:
    :raises RejoinBlocked:
    """
    if begun_at is not None:
        _refuse_old_proof(profile, begun_at)
    if identity is None:
        if begun_at is not None:
            refuse_if_overtaken(profile, begun_at)
    user = identity.user if identity else _owner_of_email(profile)
    if user is not None:
        suspensions.end_if_over(user)
        if not user.is_active:
            raise ways_in.closed(user)
    return user


def _email_required(profile: Profile, consent: tuple[str, ...]) -> EmailRequired:
    """Return the error, with `consent` if asking the provider again can help: the person did not agree, or was not
    asked. If the provider's console has no such item, alert the operator: the person can do nothing."""
    if profile.email_state is EmailState.NOT_CONFIGURED:
        alarms.email_is_not_configured(profile.provider)
    helps = profile.email_state in (EmailState.NOT_AGREED, EmailState.NOT_SAID)
    return EmailRequired(profile.email_state.value, consent=consent if helps else ())


def _refuse_email_of_another(user: User, profile: Profile) -> None:
    """:raises EmailInUse: the account has no e-mail, and cannot have this one."""
    owner = find_user_by_email(profile.email) if profile.email else None
    if owner is not None and owner is not user:
        raise EmailInUse(owner.provider or (owner.identities[0].provider if owner.identities else ""))


def refuse_if_overtaken(profile: Profile, begun_at: datetime) -> None:
    """Refuse a login during which the provider ended the link; its message may come before the identity is stored.

    :raises AccountUnusable: such a message is about a moment after this login was begun.
    """
    message = provider_events.latest(profile.provider, profile.subject, ENDS_LOGIN)
    begun = begun_at.replace(microsecond=0)  # senders count whole seconds
    if message is None or message.happened_at < begun:
        return
    # Of the same second: what had come here by then came before.
    if message.happened_at < begun + timedelta(seconds=1) and message.received_at < begun_at:
        return
    raise AccountUnusable("the provider ended the link while the login was under way")


def _refuse_old_proof(profile: Profile, begun_at: datetime) -> None:
    """Refuse an id_token that is genuine still, and older than what ended the link or every session of its person.

    :raises ExpiredToken: who agrees again, or has their account back, gets a new one.
    """
    if profile.confirmed_at >= begun_at:
        return
    message = provider_events.latest(profile.provider, profile.subject, ENDS_LOGIN)
    # Of the same second, either may have come first.
    if message is not None and message.happened_at.replace(microsecond=0) > profile.confirmed_at:
        raise ExpiredToken("id_token: the provider has told of something newer")


def refuse_if_suspended(profile: Profile) -> datetime | None:
    """Refuse a person whose account was erased while suspended. Return until when they may not sign up again, if they
    have left by themselves; None: they may.

    Call it after looking for accounts: one that is erased in between leaves its suspension to be found.

    :raises AccountDisabled: they are one.
    """
    key = normal_form(profile.email) if profile.email else None
    found = suspensions.of_person(profile.provider, profile.subject, key)
    if found.user_id is not None:
        raise AccountDisabled(f"user {found.user_id} was suspended and erased", user_id=found.user_id)
    return found.ends_at


def _suspended_owner(email: str) -> int | None:
    key = normal_form(email)
    return suspensions.find_by_email(key) if key else None


def _owner_of_email(profile: Profile) -> User | None:
    """Return the account with this verified e-mail, if the login may claim it, or if the same person has just made it
    in another request.

    :raises EmailInUse: that account has a provider, or this provider may not claim accounts. Joining the two silently
        would give the account to a later owner of the address.
    :raises NotClaimable: it has no provider, and cannot be claimed any more.
    :raises AccountDisabled: :raises RejoinBlocked: as `log_in`.
    """
    owner = find_user_by_email(profile.email) if profile.email else None
    ends_at = refuse_if_suspended(profile)
    if owner is None and ends_at is not None:
        raise RejoinBlocked(ends_at.isoformat())
    if owner is None or owner.find_identity(profile.provider, profile.subject):
        return owner
    if owner.identities:
        raise EmailInUse(owner.provider or owner.identities[0].provider)
    if not ways_in.can_be_claimed(owner):
        if owner.provider is not None:
            raise EmailInUse(owner.provider)
        raise NotClaimable(f"user {owner.id} waits for nobody", user_id=owner.id)
    if not profile.email_opens_waiting_account:
        raise EmailInUse("")
    if not ways_in.claim(owner, profile.provider):
        return _owner_of_email(profile)  # Another first login was faster: look again.
    return owner


def bring_up_to_date(user: User, profile: Profile, *, leads: bool) -> None:
    """Update the account from a profile. Fields that are missing stay (Kakao under load leaves some out), and so do
    fields that the person has set here.

    :param leads: whether the account follows this provider. Others only fill gaps, or nickname and e-mail would change
        with each login.
    """
    for field, value in news(user, profile, leads=leads).items():
        if field != "email":
            setattr(user, field, value)
        elif profile.email:
            owner = find_user_by_email(profile.email)
            if owner is user or (owner is None and _suspended_owner(profile.email) is None):
                user.set_email(profile.email)


def news(user: Any, profile: Profile, *, leads: bool) -> dict[str, str | int]:
    """Return what a profile says that the account would take over, by field. The e-mail still has to be nobody's.

    :param user: a User, or a row with its columns.
    """
    own = user.own_fields.split(",")
    found: dict[str, str | int] = {}
    for field in PROFILE_FIELDS:
        value = getattr(profile, field)
        replaces = leads and not (field == "name" and profile.name_fills_gap)
        is_new = value is not None and value != getattr(user, field)
        if is_new and field not in own and (replaces or getattr(user, field) is None):
            found[field] = value
    if profile.email and profile.email != user.email and (leads or user.email is None):
        found["email"] = profile.email
    return found
