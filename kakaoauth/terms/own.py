"""A person's consents: listed for them and for staff, given and withdrawn afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kakaoauth import audit, terms
from kakaoauth.config.terms import Term
from kakaoauth.errors import ConsentNeeded, NotFound, TermsChanged
from kakaoauth.models import find_user, lock_user
from kakaoauth.storage.transaction import transaction
from kakaoauth.terms import consents
from kakaoauth.terms.consents import Agreement, Consent


@dataclass(frozen=True)
class Line:
    """One term with what the person has said to it, the oldest first. `term` is None for one that is asked no more."""

    id: str
    term: Term | None
    rows: list[Consent] = field(default_factory=list)

    @property
    def title(self) -> str:
        """In the visitor's language; of a term that is asked no more, its id."""
        return self.term.title if self.term else self.id

    @property
    def url(self) -> str:
        """Where it can be read."""
        return self.term.url if self.term else ""

    @property
    def in_force(self) -> Consent | None:
        """The newest agreement that was not withdrawn."""
        return next((row for row in reversed(self.rows) if row.withdrawn_at is None), None)

    @property
    def last(self) -> Consent | None:
        """The newest row, whatever became of it."""
        return self.rows[-1] if self.rows else None

    @property
    def is_current(self) -> bool:
        """Whether the version of today was agreed to."""
        return any(
            row.withdrawn_at is None and self.term is not None and row.version == self.term.version for row in self.rows
        )

    @property
    def may_withdraw(self) -> bool:
        """Whether there is something to withdraw that no account needs."""
        return self.in_force is not None and not (self.term and self.term.required)

    @property
    def may_agree(self) -> bool:
        """Whether it can be agreed to now."""
        return self.term is not None and not self.is_current

    def to_dict(self) -> dict[str, Any]:
        """As the API and a copy of everything say it."""
        gone = {"id": self.id, "title": self.id, "url": None, "version": None, "required": False}
        said = self.term.to_dict() if self.term else gone
        return {**said, "agreed": self.is_current, "history": [row_as_dict(row) for row in self.rows]}


def row_as_dict(row: Consent) -> dict[str, Any]:
    """One agreement: version, moments, source."""
    return {
        "version": row.version,
        "agreed_at": row.agreed_at,
        "withdrawn_at": row.withdrawn_at,
        "source": row.source,
    }


def lines(user_id: int) -> list[Line]:
    """Return every term of the settings with what the user has said, then what is asked no more.

    Empty, and without a statement, where KAKAOAUTH_TERMS is not set.
    """
    return _lines(consents.of_user(user_id)) if terms.asked() else []


def _lines(rows: Sequence[Consent]) -> list[Line]:
    said: dict[str, list[Consent]] = {}
    for row in rows:
        said.setdefault(row.term, []).append(row)
    asked = [Line(term.id, term, said.pop(term.id, [])) for term in terms.asked()]
    return [*asked, *(Line(term_id, None, left) for term_id, left in said.items())]


@transaction
def agree(user_id: int, term_id: str, version: str | None = None, *, source: str = consents.PAGE) -> None:
    """Agree to a term of the settings later than at the sign-up. :param version: the one that was shown.

    :raises NotFound: no such term, or no such user any more. :raises TermsChanged: it has another version by now.
    """
    term, user = terms.find(term_id), find_user(user_id)
    if term is None or user is None:
        raise NotFound
    if version is not None and version != term.version:
        raise TermsChanged("another version than the one shown")
    terms.keep(user, [Agreement(term, source)])


@transaction
def withdraw(user_id: int, term_id: str) -> None:
    """Withdraw an optional consent, in every version. Twice is once.

    :raises ConsentNeeded: no account can be without it. :raises NotFound: nothing was ever agreed to.
    """
    term = terms.find(term_id)
    if term is not None and term.required:
        raise ConsentNeeded("a required term")
    lock_user(user_id)
    versions = consents.end(user_id, term_id)
    if versions:
        audit.record("consent withdrawn", target=user_id, actor=user_id, terms=f"{term_id} {', '.join(versions)}")
    elif term is None and not any(row.term == term_id for row in consents.of_user(user_id)):
        raise NotFound
