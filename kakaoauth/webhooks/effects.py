"""The effect of each kind of a provider's message about an account. Unknown kinds have none."""

from datetime import timedelta

from kakaoauth import audit
from kakaoauth.accounts import former_identities, provider_events, suspensions, unlink_jobs
from kakaoauth.accounts.leaving import remove_identity
from kakaoauth.accounts.provider_events import ENDS_LINK, ERASES
from kakaoauth.models import Identity, User, find_identity, lock_user
from kakaoauth.providers.values import AccountEvent
from kakaoauth.sessions.revocation import revoke_sessions
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db
from kakaoauth.storage.transaction import transaction
from kakaoauth.text import normal_form
from kakaoauth.tokens import provider_tokens
from kakaoauth.webhooks import deletions

#: Somebody else may hold the account or its password: every session and token here ends.
ENDS_SESSIONS = (
    "account-disabled",
    "sessions-revoked",
    "tokens-revoked",
    "credential-compromise",
    "credential-change",
    "account-credential-change-required",
    "identifier-changed",
)
#: Kakao's tokens are dead; who is logged in here stays so.
ENDS_TOKENS = ("token-revoked",)
#: The e-mail address belongs to somebody else now.
ENDS_EMAIL = ("identifier-recycled",)
#: A consent was withdrawn: what it covered is erased.
ENDS_CONSENT = ("user-scope-withdraw",)
#: Apple's forwarding of mail to the person was switched off, or on again.
MAIL_STOPS, MAIL_GOES = "email-disabled", "email-enabled"
#: Known, and nothing to do: the next login brings what is new. `user-linked` comes at each sign-up.
NO_EFFECT = (
    "user-linked",
    "user-scope-consent",
    "token-issued",
    "account-enabled",
    "assurance-level-change",
    "user-profile-changed",
)

#: Consent item -> the fields it covers.
COVERED = {
    "profile": ("nickname", "profile_image"),
    "profile_nickname": ("nickname",),
    "profile_image": ("profile_image",),
    "name": ("name",),
    "gender": ("gender",),
    "age_range": ("age_range",),
    "birthyear": ("age",),
    "account_email": ("email", "email_key"),
}


#: A message without a time may have been under way this long: within it, a login may have ended after it was sent.
UNDER_WAY = timedelta(seconds=60)
#: How far the clocks of the site's hosts may be apart. A link from further in the future comes from a wrong file.
CLOCKS = timedelta(seconds=60)


class Unclear(Exception):
    """Whether the person has linked again since the message was sent, the provider alone knows."""


@transaction
def apply_event(provider: str, event: AccountEvent, *, is_linked: bool | None = None) -> bool:
    """Act on a message once. False if it was acted upon before, here or by another worker.

    :param is_linked: what the provider has said since the message came; None: it was not asked.
    :raises Unclear: it has to be.
    """
    if provider_events.is_known(provider, event.jti):
        return False
    provider_events.forget_old()
    provider_events.remember(provider, event.jti, kind=event.kind, subject=event.subject, happened_at=event.happened_at)
    identity = find_identity(provider, event.subject)
    user_id = identity.user_id if identity else None
    if identity is not None and event.kind in (*ENDS_LINK, ERASES):
        lock_user(identity.user_id)  # A login that ends at this moment comes before it, or after it.
        identity = find_identity(provider, event.subject)
    if identity is None:
        user_id = _drop_named_token(provider, event)
        effect = "nobody" if user_id is None else "tokens dropped"
    elif _is_overtaken(identity, event, is_linked):
        effect = "overtaken"
    else:
        effect = _act(identity, event)
    former = former_identities.owner(provider, event.subject) if event.kind in ENDS_EMAIL else None
    if former is not None and former.find_identity(provider, event.subject) is None:
        user_id, effect = former.id, _end_email(former)
    if event.kind == ERASES:
        unlink_jobs.forget(provider, event.subject)  # the unlink that waits is done, and it holds their number
        deletions.record(provider, event.subject)
    target = user_id if effect != "nobody" else None
    audit.record("webhook", target=target, provider=provider, kind=event.kind, effect=effect)
    return True


def ends_access(provider: str, event: AccountEvent) -> None:
    """Of a message that cannot be applied, or not yet: end what it would have ended before anything else, sessions and
    tokens."""
    if event.kind in (*ENDS_LINK, ERASES, *ENDS_SESSIONS, *ENDS_EMAIL):
        _end_access(provider, event)


@transaction
def _end_access(provider: str, event: AccountEvent) -> None:
    identity = find_identity(provider, event.subject)
    if identity is not None and not _is_overtaken(identity, event, is_linked=False):
        _end_sessions(identity)


def _is_overtaken(identity: Identity, event: AccountEvent, is_linked: bool | None) -> bool:
    """Whether the person has agreed again after what the message tells.

    :raises Unclear:
    """
    ends_link = event.kind in (*ENDS_LINK, ERASES)
    moments = [identity.date_linked, identity.confirmed_at if ends_link else None]
    known = [min(one, now()) for one in moments if one is not None and one < now() + CLOCKS]
    # Senders count whole seconds: what happened in the second of the linking came after it.
    if known and max(known).replace(microsecond=0) > event.happened_at:
        return True
    if event.is_timed or not ends_link or identity.confirmed_at is None:
        return False
    if event.happened_at - identity.confirmed_at > UNDER_WAY:
        return False
    if is_linked is None:
        raise Unclear
    return is_linked


def _act(identity: Identity, event: AccountEvent) -> str:
    kind = event.kind
    if kind in ENDS_LINK:
        remove_identity(identity)
        return "unlinked"
    if kind == ERASES:
        _erase_profile(identity.user)
        remove_identity(identity)
        return "erased"
    if kind in ENDS_SESSIONS:
        _end_sessions(identity)
        return "logged out everywhere"
    if kind in ENDS_TOKENS:
        provider_tokens.forget_all([identity.id])
        return "tokens dropped"
    if kind in ENDS_EMAIL:
        provider_tokens.forget_all([identity.id])
        return _end_email(identity.user)
    if kind in (MAIL_STOPS, MAIL_GOES):
        return _note_delivery(identity, event)
    if kind in ENDS_CONSENT:
        return _erase_fields(identity, event.scopes)
    return "none" if kind in NO_EFFECT else "none (unknown kind)"


def _drop_named_token(provider: str, event: AccountEvent) -> int | None:
    """Return whose it was, of a message that names a token and nobody."""
    if event.kind not in ENDS_TOKENS or event.subject or len(event.scopes) != 2:
        return None
    return provider_tokens.forget_named(provider, *event.scopes)


def _erase_profile(user: User) -> None:
    """Of an account that other providers keep open: nobody knows which of them told what, so all of it goes that the
    person has not set here, and the next login brings back what is still shared. A superuser's e-mail address is the
    operators' word."""
    own = user.own_fields.split(",")
    for field in {field for fields in COVERED.values() for field in fields if not field.startswith("email")}:
        if field not in own:
            setattr(user, field, None)
    if not user.is_superuser:
        _forget_email(user)


def _end_email(user: User) -> str:
    """The address has another owner by now: erase it, and end every session of this account."""
    is_erased = _forget_email(user)
    revoke_sessions(user)
    return "e-mail erased" if is_erased else "e-mail kept: login name of a password"


def _note_delivery(identity: Identity, event: AccountEvent) -> str:
    """Note whether the account's address takes mail, if the message is about that one. Messages overtake each other, so
    the one with the latest time decides."""
    user = identity.user
    is_its = normal_form(event.email) == user.email_key if event.email else user.provider == identity.provider
    if user.email_key is None or not is_its:
        return "none"
    last = provider_events.latest(identity.provider, identity.subject, (MAIL_STOPS, MAIL_GOES))
    stops = last is not None and last.kind == MAIL_STOPS
    user.email_undeliverable_at = last.happened_at if last is not None and stops else None
    return "e-mail undeliverable" if stops else "e-mail deliverable"


def _forget_email(user: User) -> bool:
    """Erase the address at a provider's word. False if it stays: it is the login name of a password, which no message
    takes away. Nobody claims the account by it in either case, and a suspended person is known again by it."""
    lock_user(user.id)
    if user.is_suspended:
        suspensions.keep_email(user)
    user.claimable_until = None
    if user.password_hash is not None:
        return False
    user.set_email(None)
    return True


def _end_sessions(identity: Identity) -> None:
    revoke_sessions(identity.user)
    provider_tokens.forget_all([identity.id])
    db.session.flush()


def _erase_fields(identity: Identity, scopes: tuple[str, ...]) -> str:
    """All but what the person has set here, and an address that stays."""
    user = identity.user
    kept = set(user.own_fields.split(","))
    covered = {field for scope in scopes for field in COVERED.get(scope, ())} - kept
    fields = {field for field in covered if not field.startswith("email")}
    for field in fields:
        setattr(user, field, None)
    if "email" in covered and _forget_email(user):
        _end_sessions(identity)  # a site that requires an e-mail asks for it at the next login
        return "fields erased"
    return "fields erased" if fields else "none"
