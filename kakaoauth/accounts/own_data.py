"""Everything that is held about a person, as one JSON document for them.

Each part is a function under a name in PARTS. What adds a table about people adds its part by `@part("name")`, and a
host its own by `KakaoAuth.export`. No part gives out what opens anything (tokens, hashes, ids of sessions), nor
anything of other people.
"""

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import or_, select

from kakaoauth import audit, terms
from kakaoauth.accounts import devices, hooks, notes, provider_events, saved_filters, suspensions, unlink_jobs
from kakaoauth.accounts.former_identities import FormerIdentity
from kakaoauth.accounts.provider_events import ProviderEvent
from kakaoauth.audit import AuditEvent, visitors
from kakaoauth.models import User, find_user
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db
from kakaoauth.storage.transaction import transaction
from kakaoauth.terms import consents
from kakaoauth.tokens import provider_tokens
from kakaoauth.tokens.refresh_tokens import TokenFamily

Part = Callable[[User], Any]

#: Name in the document -> what makes the part, in this order.
PARTS: dict[str, Part] = {}

#: Columns of `User` that only the site works with: secrets, counters, and copies of other columns.
NOT_TOLD = frozenset(
    ("password_hash", "session_version", "email_key", "nickname_key", "search_text", "keys_are_stale", "erased_at")
)
#: What an audit row's details may tell: the rest are numbers of the site's own.
DETAILS = ("kind", "new", "changed", "erased", "terms")


def part(name: str) -> Callable[[Part], Part]:
    """Decorator: the function makes the part `name` for a user: values that JSON has, dates and times."""

    def register(make: Part) -> Part:
        PARTS[name] = make
        return make

    return register


@transaction
def export(user_id: int) -> str | None:
    """Return the document, and record that it was given out. None: there is no such user any more."""
    user = find_user(user_id)
    if user is None:
        return None
    document = {"made_at": now(), **{name: make(user) for name, make in PARTS.items()}}
    if theirs := hooks.ask_export(user):
        document["site"] = theirs
    audit.record("own data exported", target=user_id)
    return json.dumps(document, ensure_ascii=False, indent=2, default=_text)


def file_name() -> str:
    """Return what the file is called, by the day."""
    return f"my-data-{now():%Y-%m-%d}.json"


def _text(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"a part holds what JSON has not: {type(value).__name__}")


def columns_of(row: Any, *names: str) -> dict[str, Any]:
    """Return these attributes of a row, by name."""
    return {name: getattr(row, name) for name in names}


@part("profile")
def _profile(user: User) -> dict[str, Any]:
    told = [column.key for column in User.__table__.columns if column.key not in NOT_TOLD]
    return {**columns_of(user, *told), "has_password": user.password_hash is not None}


@part("sign_in_methods")
def _identities(user: User) -> list[dict[str, Any]]:
    names = ("provider", "subject", "date_linked", "confirmed_at")
    return [columns_of(one, *names) for one in user.identities]


@part("former_sign_in_methods")
def _former_identities(user: User) -> list[str]:
    query = select(FormerIdentity.id).where(FormerIdentity.user_id == user.id)
    return ["a code that cannot be read back" for _ in db.session.scalars(query)]


@part("provider_tokens")
def _provider_tokens(user: User) -> list[dict[str, Any]]:
    rows = provider_tokens.of_user(user.id)
    return [{"provider": row.identity.provider, **columns_of(row, "expires_at", "refresh_expires_at")} for row in rows]


@part("sessions")
def _sessions(user: User) -> list[dict[str, Any]]:
    return devices.sessions_of(user)


@part("apps")
def _apps(user: User) -> list[dict[str, Any]]:
    query = select(TokenFamily).where(TokenFamily.user_id == user.id).order_by(TokenFamily.id)
    names = ("created_at", "proven_at", "rotated_at", "expires_at", "ends_at", "agent", "address")
    return [columns_of(row, *names) for row in db.session.scalars(query)]


@part("consents")
def _consents(user: User) -> list[dict[str, Any]]:
    names = ("term", "version", "agreed_at", "withdrawn_at", "source")
    titles = {term.id: term.title for term in terms.asked()}
    rows = consents.of_user(user.id)
    return [{"title": titles.get(row.term, row.term), **columns_of(row, *names)} for row in rows]


@part("suspensions")
def _suspensions(user: User) -> list[dict[str, Any]]:
    return [columns_of(row, "kind", "kept_at", "ends_at") for row in suspensions.of_user(user.id)]


@part("staff_notes")
def _notes(user: User) -> list[dict[str, Any]]:
    return [columns_of(row, "text", "written_at") for row in notes.notes_of(user.id)]


@part("staff_tags")
def _tags(user: User) -> list[str]:
    return notes.tags_of([user.id]).get(user.id, [])


@part("saved_filters")
def _filters(user: User) -> list[str]:
    """Their names: what is looked for may be other people's."""
    return [row.name for row in saved_filters.of_owner(user.id)]


@part("pending_disconnects")
def _unlink_jobs(user: User) -> list[dict[str, Any]]:
    names = ("provider", "subject", "created_at", "next_try_at", "given_up_at")
    return [columns_of(row, *names) for row in unlink_jobs.waiting_of(user.id)]


@part("provider_messages")
def _messages(user: User) -> list[dict[str, Any]]:
    rows: list[ProviderEvent] = []
    for one in user.identities:
        rows += provider_events.about(one.provider, one.subject)
    return [columns_of(row, "provider", "kind", "happened_at", "received_at") for row in rows]


@part("events")
def _events(user: User) -> list[dict[str, Any]]:
    query = select(AuditEvent).where(or_(AuditEvent.target_id == user.id, AuditEvent.actor_id == user.id))
    return [_event(row, user.id) for row in db.session.scalars(query.order_by(AuditEvent.id))]


def _event(row: AuditEvent, user_id: int) -> dict[str, Any]:
    """What was done by somebody else names neither them nor their browser; what was done to somebody else, not whom."""
    by_others = row.actor_id not in (None, user_id)
    told: dict[str, Any] = columns_of(row, "at", "action", "result", "provider")
    if row.target_id not in (None, user_id):
        return {**told, "about": "somebody else"}
    told |= {"reason": row.reason, **_named(row.told)}
    if by_others:
        return {**told, "by": "the people who run this site"}
    address = row.source if row.actor_id == user_id else visitors.shortened(row.source)
    return {**told, "address": address, "browser": row.agent}


def _named(details: Mapping[str, Any]) -> dict[str, Any]:
    return {name: details[name] for name in DETAILS if name in details}
