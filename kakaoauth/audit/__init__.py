"""The audit trail: who did what to whom, when, from where, and with which result.

A row is written in the transaction of its change: neither exists without the other. Rows are never changed, and only
their age removes them. They hold numbers instead of names, so an erased person is erased here as well.
"""

import json
import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Index, Integer, String, bindparam, delete, event, literal_column, select
from sqlalchemy.orm import Mapped, mapped_column

from kakaoauth.errors import one_line
from kakaoauth.storage.columns import BigId, UtcDateTime, now
from kakaoauth.storage.database import Base, db
from kakaoauth.storage.quick_read import QuickRead
from kakaoauth.storage.quick_reads import Asked

log = logging.getLogger("kakaoauth.audit")

#: Rows removed in one transaction.
BATCH = 5000


@dataclass(frozen=True)
class Source:
    """Who acts, as far as a guard has found out, from which address and with which browser."""

    actor_id: int | None = None
    address: str = ""
    agent: str = ""


#: Asked when something is written down, because a request's actor is known later than its beginning.
_source: ContextVar[Callable[[], Source]] = ContextVar("kakaoauth_audit_source", default=Source)


class AuditEvent(Base):
    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_at_id", "at", "id"),
        Index("ix_audit_events_target_id_at_id", "target_id", "at", "id"),
        Index("ix_audit_events_actor_id_at_id", "actor_id", "at", "id"),
        Index("ix_audit_events_action_at_id", "action", "at", "id"),
        Index("ix_audit_events_provider_at_id", "provider", "at", "id"),
        Index("ix_audit_events_action_provider", "action", "provider", "at", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    action: Mapped[str] = mapped_column(String(30))
    #: `done` or `refused`.
    result: Mapped[str] = mapped_column(String(10))
    #: Why it was refused, or the reason that a person has given for it.
    reason: Mapped[str] = mapped_column(String(200), default="")
    #: Without a foreign key: the trail outlives the people in it.
    actor_id: Mapped[int | None] = mapped_column(BigId)
    target_id: Mapped[int | None] = mapped_column(BigId)
    provider: Mapped[str] = mapped_column(String(20), default="")
    #: The address it came from; empty for the command line and for what the site does by itself.
    source: Mapped[str] = mapped_column(String(45), default="")
    #: The browser or app it came from, as it calls itself: visitors.
    agent: Mapped[str] = mapped_column(String(200), default="")
    #: A JSON object of short values.
    details: Mapped[str] = mapped_column(String(500), default="{}")

    @property
    def told(self) -> dict[str, Any]:
        """The details as a dict; empty where there are none."""
        found: dict[str, Any] = json.loads(self.details)
        return found


#: Spelled out, for a database knows an index of few rows again only by its very words.
IS_REFUSED = AuditEvent.result == literal_column("'refused'")
for _name, _lead in {
    "refused": (),
    "refused_action": (AuditEvent.action,),
    "refused_provider": (AuditEvent.provider,),
    "refused_action_provider": (AuditEvent.action, AuditEvent.provider),
}.items():
    Index(
        f"ix_audit_events_{_name}",
        *(*_lead, AuditEvent.at, AuditEvent.id),
        postgresql_where=IS_REFUSED,
        sqlite_where=IS_REFUSED,
    )


def acts_from(source: Callable[[], Source]) -> None:
    """Say for the current request how to find out who acts."""
    _source.set(source)


def record(
    action: str,
    *,
    target: int | None = None,
    actor: int | None = None,
    provider: str = "",
    refused: str = "",
    reason: str = "",
    level: int = logging.INFO,
    **details: Any,
) -> None:
    """Write down, in this transaction and in the log, that `action` was done to user `target`.

    :param actor: where it is not the user of the request. :param refused: the error's code, if it was not done.
    :param reason: what a person gave as the reason. :param details: short values; never a token, code or password.
    """
    source = _source.get()()
    who = actor if actor is not None else source.actor_id
    said = _clean(details)
    row = _row(action, source, who, target=target, provider=provider, said=said)
    db.session.add(
        AuditEvent(**{**row, "result": "refused" if refused else "done", "reason": one_line(refused or reason)})
    )
    log.log(level, "%s", _line(action, target, who, provider, refused, said))


def row_of(action: str, *, target: int, provider: str, **details: Any) -> dict[str, Any]:
    """Return what `record` would store of something that a person has done to themselves, for a statement that stores
    it; `tell` then writes the line into the log."""
    return _row(action, _source.get()(), target, target=target, provider=provider, said=_clean(details))


def tell(action: str, *, target: int, provider: str, **details: Any) -> None:
    """Write the line of `record` into the log, for what `row_of` was stored of."""
    log.info("%s", _line(action, target, target, provider, "", _clean(details)))


def _row(
    action: str, source: Source, actor: int | None, *, target: int | None, provider: str, said: Mapping[str, Any]
) -> dict[str, Any]:
    text = json.dumps(said, ensure_ascii=False, sort_keys=True)
    return {
        "action": action,
        "result": "done",
        "reason": "",
        "actor_id": actor,
        "target_id": target,
        "provider": one_line(provider, 20),
        "source": source.address[:45],
        "agent": one_line(source.agent),
        "details": text if len(text) <= 500 else "{}",
    }


def log_only(action: str, *, target: int | None = None, provider: str = "", refused: str = "", **details: Any) -> None:
    """Write the line of `record` into the log, and no row: for what anybody may cause as often as they like."""
    who = _source.get()().actor_id
    log.info("%s, not stored", _line(action, target, who, one_line(provider, 20), one_line(refused), _clean(details)))


def _clean(details: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, int | bool) else one_line(str(value)) for name, value in details.items()}


def _line(
    action: str, target: int | None, actor: int | None, provider: str, refused: str, said: Mapping[str, Any]
) -> str:
    parts = {"user": target, "by": None if actor == target else actor, "provider": provider, "refused": refused, **said}
    told = " ".join(f"{name}={value}" for name, value in parts.items() if value not in (None, ""))
    return f"{action} {told}".rstrip()


#: Made once: to put it together takes longer than to ask it.
_LATEST = QuickRead(
    AuditEvent,
    select(AuditEvent)
    .where(AuditEvent.target_id == bindparam("target"), AuditEvent.action == bindparam("action"))
    .where(AuditEvent.at > bindparam("since"))
    .order_by(AuditEvent.id.desc())
    .limit(bindparam("most", type_=Integer)),
)


def latest(action: str, *, target: int, days: int, limit: int = 3) -> Asked:
    """Ask what of the kind has happened to a user in the last `days`, the newest first."""
    asked = {"target": target, "action": action, "since": now() - timedelta(days=days), "most": limit}
    return Asked(_LATEST, asked)


def older_than(days: int, limit: int = BATCH) -> int:
    """Remove a batch of what is older. Return how many there were: less than `limit` means all."""
    ids = db.session.scalars(
        select(AuditEvent.id).where(AuditEvent.at < now() - timedelta(days=days)).order_by(AuditEvent.at).limit(limit)
    ).all()
    db.session.execute(delete(AuditEvent).where(AuditEvent.id.in_(ids)))
    return len(ids)


def _refuse(_mapper: Any, _connection: Any, _event: AuditEvent) -> None:
    raise TypeError("the audit trail is not changed")


event.listen(AuditEvent, "before_update", _refuse)
event.listen(AuditEvent, "before_delete", _refuse)
