"""An account at Naver, Google or Apple: one shape for the three, with what each of them has."""

import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from kakaoauth.sandbox.people.forms import MOST_PEOPLE, NICKNAME_LENGTH, FormError, check_fields, new_key
from kakaoauth.sandbox.people.from_json import KEY

SUBJECT = re.compile(r"[A-Za-z0-9._+/=-]{1,255}")
TEXT_LENGTH = 300


@dataclass(frozen=True)
class Account:
    """None: the account has no such data."""

    key: str
    subject: str
    name: str
    note_ko: str = ""
    note_en: str = ""
    email: str | None = None
    email_verified: bool = True  # Google's and Apple's word; Naver has none
    given_name: str | None = None
    family_name: str | None = None
    nickname: str | None = None
    picture: bool = True
    gender: str | None = None
    age: str | None = None
    birthday: str | None = None
    birthyear: str | None = None
    mobile: str | None = None
    hd: str | None = None  # Google: the organisation's domain
    hides_email: bool = False  # Apple: hides the address unless told otherwise
    made: bool = False


COMMON = frozenset({"key", "subject", "name", "email"})
#: What an account has at each provider.
KNOWN: dict[str, frozenset[str]] = {
    "naver": COMMON | {"nickname", "picture", "gender", "age", "birthday", "birthyear", "mobile"},
    "google": COMMON | {"email_verified", "given_name", "family_name", "picture", "hd"},
    "apple": COMMON | {"email_verified", "given_name", "family_name", "hides_email"},
}
FLAGS = frozenset(field.name for field in fields(Account) if field.type == "bool" or field.type is bool)


def new_subject(provider: str) -> str:
    """Return an id in the provider's shape."""
    if provider == "naver":
        return secrets.token_urlsafe(32)
    if provider == "google":
        return str(10**20 + secrets.randbelow(9 * 10**20))
    return f"{secrets.randbelow(10**6):06}.{secrets.token_hex(16)}.{secrets.randbelow(10**4):04}"


def account_from_form(provider: str, form: Mapping[str, str], people: Collection[Account]) -> Account:
    """:raise FormError: a field is missing or odd."""
    name, email = form.get("nickname", "").strip(), form.get("email", "").strip()
    return account_from_json(provider, {"name": name, "email": email or None}, None, people)


def account_from_json(
    provider: str, given: Mapping[str, Any], before: Account | None, people: Collection[Account]
) -> Account:
    """Build an account, or `before` with changes. :raise FormError: names the odd field."""
    for name, value in given.items():
        if name not in KNOWN[provider] or not _fits(name, value):
            raise FormError("nickname" if name == "name" else name[:40])
    if before is not None:
        person = replace(before, **given, made=True)
    else:
        if sum(one.made for one in people) >= MOST_PEOPLE:
            raise FormError("full")
        fresh = {"key": new_key(), "subject": new_subject(provider), "name": ""} | _names(provider, given)
        person = Account(**(fresh | {**given, "made": True}))
    check_fields({"nickname": person.name, "email": person.email or ""})
    if any(one.subject == person.subject and one.key != person.key for one in people):
        raise FormError("subject")
    return person


def _names(provider: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Cut the name in two, where the provider keeps it so."""
    if provider == "naver":
        return {}
    first, _, last = given.get("name", "").partition(" ")
    return {"given_name": first or None, "family_name": last or None}


def describe_account(person: Account, provider: str) -> dict[str, Any]:
    """Return the account as the control API shows it."""
    return {name: value for name, value in asdict(person).items() if name in KNOWN[provider]} | {"made": person.made}


def _fits(name: str, value: Any) -> bool:
    if name in FLAGS:
        return isinstance(value, bool)
    if name == "key":
        return isinstance(value, str) and KEY.fullmatch(value) is not None
    if name == "subject":
        return isinstance(value, str) and SUBJECT.fullmatch(value) is not None
    if name == "name":
        return isinstance(value, str) and len(value) <= NICKNAME_LENGTH
    return value is None or (isinstance(value, str) and 0 < len(value) <= TEXT_LENGTH)
