"""Reading a person from JSON: a new one, or changes to one who is there."""

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from kakaoauth.sandbox.people.forms import FormError, check_fields, new_id, new_key
from kakaoauth.sandbox.people.kakao import Person
from kakaoauth.sandbox.state.model import Link

KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
HIGHEST_ID = 2**63 - 1
FLAGS = frozenset(
    {"email_valid", "email_verified", "picture", "default_nickname", "under_14", "preregistered"},
)
NOT_GIVEN = frozenset({"made"})
KNOWN = frozenset(field.name for field in fields(Person)) - NOT_GIVEN


def person_from_json(given: Mapping[str, Any], before: Person | None, taken_ids: Collection[int]) -> Person:
    """Build a person, or `before` with changes. :raise FormError: names the odd field."""
    for name, value in given.items():
        if name not in KNOWN or not _fits(name, value):
            raise FormError(name[:40])
    changes = {"made": True, **given}
    if before is not None:
        person = replace(before, **changes)
    else:
        if "nickname" not in given:
            raise FormError("nickname")
        changes.setdefault("user_id", new_id(taken_ids, big=False))
        person = Person(**{"key": new_key(), **changes})
    if person.user_id in taken_ids and (before is None or before.user_id != person.user_id):
        raise FormError("user_id")
    check_fields({name: value for name, value in asdict(person).items() if isinstance(value, str)})
    return person


def describe_person(person: Person, link: Link | None) -> dict[str, Any]:
    """Return the person as the control API shows them, with the items agreed to."""
    shown = asdict(person)
    return shown | {"linked": link is not None, "agreed": sorted(link.agreed) if link else []}


def _fits(name: str, value: Any) -> bool:
    if name in FLAGS:
        return isinstance(value, bool)
    if name == "user_id":
        return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= HIGHEST_ID
    if name == "key":
        return isinstance(value, str) and KEY.fullmatch(value) is not None
    if name == "nickname":
        return isinstance(value, str)
    return value is None or (isinstance(value, str) and 0 < len(value) <= 300)
