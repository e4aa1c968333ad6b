"""Audit events in words: for staff, and for the person they are about."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from kakaoauth import errors
from kakaoauth.audit import AuditEvent, visitors
from kakaoauth.translation import format_end, gettext, language, lazy_gettext

_ = lazy_gettext

#: Action -> its name on the audit log's page, in the order of its filter. Others are shown as they are.
ACTIONS: Mapping[str, Any] = {
    "login": _("Login"),
    "logout": _("Logout"),
    "confirmed": _("Confirmed who they are"),
    "sessions ended": _("Logged out everywhere"),
    "device ended": _("Device logged out"),
    "token family ended": _("App logged out"),
    "refresh token reused": _("App's login used twice"),
    "linked": _("Sign-in method connected"),
    "unlinked": _("Sign-in method disconnected"),
    "unlinked by provider": _("Disconnected at the login provider"),
    "unlink given up": _("Disconnecting given up"),
    "webhook": _("Message from the provider"),
    "profile changed": _("Profile changed"),
    "consent given": _("Consent given"),
    "consent withdrawn": _("Consent withdrawn"),
    "user changed": _("Role or state changed"),
    "promoted": _("Role given"),
    "demoted": _("Roles taken away"),
    "superuser created": _("Superuser made"),
    "opened again": _("Account opened to its e-mail address again"),
    "suspension lifted": _("Suspension lifted after the account was erased"),
    "suspension over": _("Suspension ended by itself"),
    "password set": _("Password set"),
    "password removed": _("Password removed"),
    "withdrawn": _("Left"),
    "restored": _("Account restored"),
    "erased": _("Closed account erased"),
    "deleted": _("Account deleted"),
    "own data exported": _("Own data downloaded"),
    "note added": _("Note added"),
    "note removed": _("Note removed"),
    "tags changed": _("Tags changed"),
    "exported": _("Users exported"),
    "trail exported": _("Audit trail exported"),
    "import confirmed": _("Import confirmed"),
    "imported": _("Users imported"),
    "signing key rotated": _("Signing key changed"),
    "token keys rotated": _("Token keys changed"),
}
#: As their owner reads them, where that is more than the above.
OWN: Mapping[str, Any] = {
    "confirmed": _("Confirmed with %(provider)s that it is you"),
    "logout": _("Logged out"),
    "token family ended": _("An app was logged out"),
    "refresh token reused": _("An app's login was used twice and ended"),
    "linked": _("%(provider)s connected"),
    "unlinked": _("%(provider)s disconnected"),
    "unlinked by provider": _("Disconnected at %(provider)s"),
    "webhook": _("Message from %(provider)s about your account there"),
    "user changed": _("Your role or state was changed"),
    "promoted": _("You were given a role"),
    "demoted": _("Your roles were taken away"),
}
#: What `device ended` and `user changed` say more.
DEVICES: Mapping[str, Any] = {
    "browser": _("A device was logged out"),
    "app": _("An app was logged out"),
    "all others": _("All other devices were logged out"),
}
CHANGES: Mapping[str, Any] = {
    "+is_active": _("reinstated"),
    "suspension": _("suspension changed"),
    "-is_active": _("suspended"),
    "+is_staff": _("made staff"),
    "-is_staff": _("no longer staff"),
    "+is_superuser": _("made superuser"),
    "-is_superuser": _("no longer superuser"),
}
#: Names and values of other details.
DETAILS: Mapping[str, Any] = {
    "new": _("first login"),
    "kind": _("what"),
    "family": _("app login number"),
    "superuser": _("as superuser"),
    "claimable": _("can be claimed by e-mail"),
    "erased": _("account erased"),
    "effect": _("what was done"),
    "terms": _("terms"),
    "why": _("technical detail"),
    "fields": _("fields"),
    "users": _("number of users"),
    "searched": _("with a search"),
    "ids": _("chosen users"),
    "begun": _("begun"),
    "broken off": _("broken off"),
    "kept": _("known by"),
    "tries": _("tries"),
    "role": _("role"),
    "state": _("state"),
    "provider": _("sign-in method"),
    "linked": _("connected"),
    "email": _("e-mail"),
    "tag": _("tag"),
    "agreed": _("agreed"),
    "not_agreed": _("not agreed"),
    "joined_from": _("joined from"),
    "joined_until": _("joined until"),
    "login_from": _("last login from"),
    "login_until": _("last login until"),
}
VALUES: Mapping[str, Any] = {
    "browser": _("browser"),
    "app": _("app"),
    "all others": _("all other devices"),
    "user": _("user"),
    "staff": _("staff"),
    "superuser": _("superuser"),
    "active": _("active"),
    "suspended": _("suspended"),
    "closed": _("closed"),
    # What a provider's message was about, and what it changed: kinds and effects of webhooks/effects.py.
    "user-linked": _("connected with this site"),
    "user-unlinked": _("disconnected from this site"),
    "user-scope-consent": _("agreed to give more"),
    "user-scope-withdraw": _("withdrew a consent"),
    "user-profile-changed": _("profile changed there"),
    "account-disabled": _("account suspended there"),
    "account-enabled": _("account open again there"),
    "account-purged": _("account deleted there"),
    "sessions-revoked": _("logged out there"),
    "tokens-revoked": _("all tokens ended there"),
    "token-revoked": _("token ended there"),
    "token-issued": _("token issued there"),
    "credential-compromise": _("password stolen there"),
    "credential-change": _("password changed there"),
    "account-credential-change-required": _("has to change the password there"),
    "identifier-changed": _("e-mail or phone number changed there"),
    "identifier-recycled": _("e-mail or phone number belongs to somebody else now"),
    "assurance-level-change": _("proof of identity changed there"),
    "email-disabled": _("forwarding of e-mail switched off"),
    "email-enabled": _("forwarding of e-mail switched on"),
    # Where somebody agreed to terms.
    "page": _("on this site"),
    "api": _("in an app"),
    "kakao": _("at Kakao"),
    "import": _("imported"),
    "data-deletion": _("asks to delete their data"),
    "nobody": _("no user here"),
    "overtaken": _("nothing, a newer login came first"),
    "none": _("nothing"),
    "none (unknown kind)": _("nothing, unknown kind"),
    "unlinked": _("sign-in method disconnected"),
    "erased": _("account deleted"),
    "logged out everywhere": _("logged out everywhere"),
    "tokens dropped": _("tokens removed"),
    "e-mail erased": _("e-mail erased"),
    "e-mail kept: login name of a password": _("e-mail kept, a password needs it"),
    "e-mail undeliverable": _("e-mail marked as not reachable"),
    "e-mail deliverable": _("e-mail reachable again"),
    "fields erased": _("withdrawn data erased"),
}


class Line(NamedTuple):
    """One event, ready for a page."""

    at: datetime
    action: str
    is_refused: bool = False
    #: Why it was refused, in words, or the reason that a person gave.
    reason: str = ""
    #: The same as the code that it was refused with.
    code: str = ""
    provider: str = ""
    actor: int | None = None
    target: int | None = None
    source: str = ""
    browser: str = ""
    details: Sequence[str] = ()


def action_label(action: str) -> str:
    """Return an action's name in the request's language; an unknown action as it is."""
    return str(ACTIONS.get(action, action))


def provider_label(name: str) -> str:
    """Of a way in: a password is one as well."""
    return str(gettext("password")) if name == "password" else errors.provider_label(name) if name else ""


def lines(events: Iterable[AuditEvent], *, shortened: bool) -> list[Line]:
    """For the staff. :param shortened: the network instead of the whole address."""
    return [_line(event, shortened) for event in events]


def own_lines(events: Iterable[AuditEvent], user_id: int) -> list[Line]:
    """For the person themselves: no numbers of others, no codes, and no reason that somebody gave about them."""
    return [_own_line(event, user_id) for event in events]


def _line(event: AuditEvent, shortened: bool) -> Line:
    refused = event.result == "refused"
    return Line(
        at=event.at,
        action=action_label(event.action),
        is_refused=refused,
        reason=_refusal(event) if refused else event.reason,
        code=event.reason if refused else "",
        provider=provider_label(event.provider),
        actor=event.actor_id,
        target=event.target_id,
        source=visitors.shortened(event.source) if shortened else event.source,
        browser=visitors.words(event.agent),
        details=list(_details(event)),
    )


def _own_line(event: AuditEvent, user_id: int) -> Line:
    by_others = event.actor_id not in (None, user_id)
    refused = event.result == "refused"
    return Line(
        at=event.at,
        action=_own_words(event),
        is_refused=refused,
        reason=_refusal(event) if refused else str(gettext("by the people who run this site")) if by_others else "",
        # Of another person's browser it is none of theirs.
        source="" if by_others else visitors.shortened(event.source),
        browser="" if by_others else visitors.words(event.agent),
    )


def _own_words(event: AuditEvent) -> str:
    kind = str(event.told.get("kind", "")) if event.action == "device ended" else ""
    return _words(language(), event.action, event.result == "refused", event.provider, kind)


@lru_cache(maxsize=1000)  # most of what is on a page happened more than once
def _words(_language: str, action: str, is_refused: bool, provider: str, kind: str) -> str:
    """:param kind: of the device that was ended."""
    label = provider_label(provider)
    if action == "login" and is_refused:
        return str(gettext("A login with %(provider)s was refused", provider=label))
    if is_refused:
        return str(gettext("Refused: %(action)s", action=action_label(action)))
    if action == "login":
        return str(gettext("Logged in with %(provider)s", provider=label))
    if action == "device ended":
        return str(DEVICES.get(kind, ACTIONS[action]))
    return str(OWN.get(action, action_label(action))).replace("%(provider)s", label)


def _refusal(event: AuditEvent) -> str:
    """The title of the page that was shown; empty for a code of an older version."""
    title = errors.title_of(event.reason)
    return str(title).replace("%(provider)s", provider_label(event.provider)) if title else ""


def _details(event: AuditEvent) -> Iterator[str]:
    for name, value in event.told.items():
        if name == "changed":
            yield ", ".join(str(CHANGES.get(change, change)) for change in str(value).split(",") if change)
        elif name == "source":
            yield ", ".join(str(VALUES.get(one, one)) for one in str(value).split())
        elif name == "until" and value:
            yield gettext("through %(day)s", day=format_end(datetime.fromisoformat(str(value))))
        elif value not in ("", False):
            words = str(DETAILS.get(name, name))
            yield words if value is True else f"{words}: {_value(name, value)}"


def _value(name: str, value: object) -> str:
    """In words where it is one of ours: a tag or a number is shown as it is."""
    if name in ("provider", "linked"):
        return provider_label(str(value))
    return str(VALUES.get(str(value), value) if name in ("kind", "effect", "role", "state") else value)
