"""Import users from a file. An import never changes an existing account: otherwise the author of a file could give
somebody else's account a new e-mail address or another login.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select

from kakaoauth import audit
from kakaoauth.accounts import suspensions
from kakaoauth.accounts.unlink_jobs import UnlinkJob
from kakaoauth.models import CLAIMABLE, Identity, User, list_keys
from kakaoauth.staff.csv import bulk
from kakaoauth.staff.csv.people import Newcomer, Refused
from kakaoauth.staff.csv.reading import Batch
from kakaoauth.staff.csv.reasons import Why
from kakaoauth.storage import database
from kakaoauth.storage.columns import among, now
from kakaoauth.storage.database import db
from kakaoauth.storage.transaction import transaction
from kakaoauth.terms.consents import IMPORT

HAS_ACCOUNT = Why("there is an account with it already")
WAS_SUSPENDED = Why("a suspended person's whose account was erased: lift the suspension first")


class Outcome(NamedTuple):
    #: How many became users, or would.
    new: int
    #: How many were left alone, because they are users already.
    known: int
    refused: list[Refused]
    #: Of the new ones, who have no identity and wait for their owners.
    waiting: int = 0


class SomethingRefused(Exception):
    """Nobody was imported, because a line that was good a moment ago is refused now."""

    def __init__(self, refused: Sequence[Refused]) -> None:
        super().__init__()
        self.refused = refused


def look_at_users(people: Sequence[Newcomer], *, skip_known: bool) -> Outcome:
    """What importing them would do. Changes nothing."""
    new, known, refused = _sorted_out(people, skip_known=skip_known)
    return Outcome(len(new), known, refused, _waiting(new))


@transaction
def import_users(people: Sequence[Newcomer], *, skip_known: bool) -> Outcome:
    """Make users of all who are not users yet.

    They log in with one of their identities. An account without an identity belongs to the first login with its trusted
    e-mail address within `CLAIMABLE`, like an account made on the command line.

    :param skip_known: pass over who has an account already, instead of refusing the line.
    """
    with database.unhurried(db.session.connection()):
        new, known, refused = _sorted_out(people, skip_known=skip_known)
        if new:
            _make(new)
    return Outcome(len(new), known, refused, _waiting(new))


def _waiting(people: Sequence[Newcomer]) -> int:
    return sum(not person.identities for person in people)


@transaction
def import_all(read: Callable[[], Iterable[Batch]]) -> int:
    """Make users of everybody, in one transaction, or of nobody. Return how many.

    :param read: the file from its beginning; asked again if the transaction has to be run again.
    :raises SomethingRefused:
    """
    made = 0
    with database.unhurried(db.session.connection()):
        for batch in read():
            new, _, refused = _sorted_out(batch.good, skip_known=False)
            if refused or batch.refused:
                raise SomethingRefused([*batch.refused, *refused])
            if new:
                _make(new)
            made += len(new)
    return made


def _sorted_out(people: Sequence[Newcomer], *, skip_known: bool) -> tuple[list[Newcomer], int, list[Refused]]:
    """Who is new, how many are known, and who can be neither."""
    owners = _owners(people)
    leaving = _leaving(people)
    suspended = _suspended(people)
    new: list[Newcomer] = []
    refused = []
    known = 0
    for person in people:
        taken = {text: (column, owners[text]) for column, text in person.keys() if text in owners}
        accounts = {owner for _, owner in taken.values()}
        if len(accounts) == 1 and skip_known:
            known += 1
        elif accounts:
            why = HAS_ACCOUNT if not skip_known else Why("these belong to different accounts")
            refused.append(Refused(person.line, tuple(dict.fromkeys((column, why) for column, _ in taken.values()))))
        elif not suspended.isdisjoint(text for _, text in person.keys()):
            columns = dict.fromkeys(column for column, text in person.keys() if text in suspended)
            refused.append(Refused(person.line, tuple((column, WAS_SUSPENDED) for column in columns)))
        elif not leaving.isdisjoint(person.identities):
            why = Why("has left, and the provider was not told yet: try again later")
            refused.append(Refused(person.line, (("identities", why),)))
        else:
            new.append(person)
    return new, known, refused


def _owners(people: Sequence[Newcomer]) -> dict[str, int]:
    """Whose the addresses and identities are, in the words of `Newcomer.keys`."""
    keys = [person.values["email_key"] for person in people if person.values["email_key"]]
    addresses = select(User.email_key, User.id).where(among(User.email_key, keys))
    owners: dict[str, int] = {key: owner for key, owner in db.session.execute(addresses) if key}
    logins = select(Identity.provider, Identity.subject, Identity.user_id)
    logins = logins.where(among(Identity.subject, _subjects(people)))
    owners.update({f"{provider}:{subject}": owner for provider, subject, owner in db.session.execute(logins)})
    return owners


def _leaving(people: Sequence[Newcomer]) -> set[tuple[str, str]]:
    """Identities that a waiting unlink would cut off from the new account."""
    query = select(UnlinkJob.provider, UnlinkJob.subject).where(among(UnlinkJob.subject, _subjects(people)))
    return {(provider, subject) for provider, subject in db.session.execute(query)}


def _suspended(people: Sequence[Newcomer]) -> set[str]:
    """What suspended people are known by whose accounts were erased, in the words of `Newcomer.keys`."""
    addresses = [person.values["email_key"] for person in people if person.values["email_key"]]
    return suspensions.known([identity for person in people for identity in person.identities], addresses)


def _subjects(people: Sequence[Newcomer]) -> list[str]:
    return [subject for person in people for _, subject in person.identities]


def _make(people: Sequence[Newcomer]) -> None:
    ids = bulk.insert_users([_row(person) for person in people])
    bulk.insert_identities(list(_identities(people, ids)))
    bulk.insert_consents(list(_consents(people, ids)))
    audit.record(
        "imported", level=logging.DEBUG, users=len(people), first_line=people[0].line, last_line=people[-1].line
    )


def _row(person: Newcomer) -> dict[str, Any]:
    values = person.values
    waits = now() + CLAIMABLE if not person.identities else None
    return {**values, "claimable_until": waits, **list_keys(values["email_key"], values["nickname"], values["name"])}


def _identities(people: Sequence[Newcomer], ids: Sequence[int]) -> Iterator[dict[str, Any]]:
    for person, user_id in zip(people, ids, strict=True):
        for provider, subject in person.identities:
            linked = person.values["date_joined"]
            yield {"provider": provider, "subject": subject, "user_id": user_id, "date_linked": linked}


def _consents(people: Sequence[Newcomer], ids: Sequence[int]) -> Iterator[dict[str, Any]]:
    for person, user_id in zip(people, ids, strict=True):
        for one in person.consents:
            yield {**one._asdict(), "user_id": user_id, "source": IMPORT}
