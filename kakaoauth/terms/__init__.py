"""What people agree to: which terms somebody still has to be asked for, and what they have answered.

Where KAKAOAUTH_TERMS is not set, and the host asks nothing either, none of this is looked at.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy import Connection

from kakaoauth import audit
from kakaoauth.config.terms import Term
from kakaoauth.errors import TermsRequired
from kakaoauth.models import User
from kakaoauth.terms import consents
from kakaoauth.terms.consents import BY_PROVIDER, Agreement

__all__ = [
    "BY_PROVIDER",
    "UNASKED",
    "Agreement",
    "Answer",
    "asked",
    "find",
    "keep",
    "lacks_required",
    "must_agree",
    "settle",
    "to_agree",
]


@dataclass(frozen=True)
class Answer:
    """What somebody has answered."""

    agreements: tuple[Agreement, ...] = ()
    #: The step was answered as a whole: what is optional and was not agreed to is not asked for again.
    is_whole: bool = False
    #: What the host's form has taken, by its fields' names.
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)


UNASKED = Answer()


class Lacking(NamedTuple):
    """What was not agreed to."""

    required: list[Term]
    everything: list[Term]


def asked() -> tuple[Term, ...]:
    """Return the terms of the settings."""
    found: tuple[Term, ...] = current_app.config["KAKAOAUTH_TERMS"]
    return found


def find(term_id: str) -> Term | None:
    """Return the term of the settings with that id."""
    return next((term for term in asked() if term.id == term_id), None)


def settle(user: User | None, answer: Answer) -> tuple[Agreement, ...]:
    """Return what of an answer is to be kept. :param user: None: the account is made by this login.

    :raises TermsRequired: a required term was not agreed to in its version of today, or somebody who is new was not
        asked yet. Within the caller's transaction, so that nobody gets in beside it.
    """
    rows = consents.of_user(user.id) if user is not None else []
    agreements = tuple(one for one in answer.agreements if consents.is_news(one, rows))
    lacking = _lacking(rows, agreements)
    if lacking.required or (user is None and not answer.is_whole):
        raise TermsRequired([term.to_dict() for term in lacking.everything], is_new=user is None)
    return agreements


def lacks_required(connection: Connection, user_id: int) -> bool:
    """Whether somebody who is known has to agree to something first."""
    required = {(term.id, term.version) for term in asked() if term.required}
    return bool(required) and not required <= consents.in_force(connection, user_id)


def to_agree(user: User | None) -> list[Term]:
    """Return what somebody is asked: what they have not agreed to in its version of today, optional ones too."""
    return _lacking(consents.of_user(user.id) if user is not None else [], ()).everything


def must_agree(user_id: int) -> bool:
    """Whether somebody who is known has to agree to something first, asked outside of a login."""
    return bool(asked()) and bool(_lacking(consents.of_user(user_id), ()).required)


def keep(user: User, agreements: Iterable[Agreement], *, actor: int | None = None) -> None:
    """Store what somebody has agreed to, in the caller's transaction."""
    kept = consents.put(user.id, given) if (given := list(agreements)) else []
    if kept:
        said = ", ".join(f"{one.term.id} {one.term.version}" for one in kept)
        sources = " ".join(dict.fromkeys(one.source for one in kept))
        audit.record("consent given", target=user.id, actor=actor or user.id, terms=said, source=sources)


def _lacking(rows: Iterable[consents.Consent], agreements: Iterable[Agreement]) -> Lacking:
    held = {(row.term, row.version) for row in rows if row.withdrawn_at is None}
    held |= {(one.term.id, one.term.version) for one in agreements}
    everything = [term for term in asked() if (term.id, term.version) not in held]
    return Lacking([term for term in everything if term.required], everything)
