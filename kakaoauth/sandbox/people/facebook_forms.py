"""Reading a Facebook person from the chooser's form and from JSON."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from kakaoauth.sandbox.people.facebook import FacebookPerson
from kakaoauth.sandbox.people.forms import MOST_PEOPLE, NICKNAME_LENGTH, FormError, check_fields, new_key
from kakaoauth.sandbox.people.from_json import KEY
from kakaoauth.sandbox.state.facebook import FacebookStore
from kakaoauth.sandbox.state.facebook_model import Installation

USER_ID = re.compile(r"[1-9][0-9]{0,39}")
KNOWN = frozenset(field.name for field in fields(FacebookPerson)) - {"made"}


def person_from_form(form: Mapping[str, str], store: FacebookStore) -> FacebookPerson:
    """:raise FormError: a field is missing or odd."""
    email = form.get("email", "").strip()
    return person_from_json({"name": form.get("nickname", "").strip(), "email": email or None}, None, store)


def person_from_json(given: Mapping[str, Any], before: FacebookPerson | None, store: FacebookStore) -> FacebookPerson:
    """Build a person, or `before` with changes. :raise FormError: names the odd field."""
    for name, value in given.items():
        if name not in KNOWN or not _fits(name, value):
            raise FormError("nickname" if name == "name" else name[:40])
    if before is not None:
        person = replace(before, **given, made=True)
    else:
        if sum(one.made for one in store.people.values()) >= MOST_PEOPLE:
            raise FormError("full")
        person = FacebookPerson(
            **({"key": new_key(), "user_id": _new_id(store)} | _names(given) | {**given, "made": True})
        )
    check_fields({"nickname": person.name, "email": person.email or ""})
    other = store.find_person(person.user_id)
    if other is not None and other.key != person.key:
        raise FormError("user_id")
    return person


def describe_person(person: FacebookPerson, installation: Installation | None) -> dict[str, Any]:
    """Return the person as the control API shows them."""
    shown = asdict(person) | {"installed": installation is not None}
    return shown | {"permissions": dict(installation.permissions) if installation else {}}


def _names(given: Mapping[str, Any]) -> dict[str, Any]:
    """Cut the name in two, as Facebook keeps it."""
    first, _, last = given.get("name", "").partition(" ")
    return {"name": "", "first_name": first, "last_name": last or None}


def _new_id(store: FacebookStore) -> str:
    taken = {person.user_id for person in store.people.values()}
    while (user_id := str(10**16 + secrets.randbelow(9 * 10**16))) in taken:
        pass
    return user_id


def _fits(name: str, value: Any) -> bool:
    if name == "picture":
        return isinstance(value, bool)
    if name in ("email", "last_name"):
        return value is None or (isinstance(value, str) and 0 < len(value) <= 300)
    if name == "key":
        return isinstance(value, str) and KEY.fullmatch(value) is not None
    if name == "user_id":
        return isinstance(value, str) and USER_ID.fullmatch(value) is not None
    return isinstance(value, str) and len(value) <= NICKNAME_LENGTH
