"""KAKAOAUTH_TERMS: what people must or may agree to when they sign up."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from kakaoauth.config.checks import ConfigError
from kakaoauth.translation import LANGUAGES, lazy_gettext, pick

_ = lazy_gettext

NAME = "KAKAOAUTH_TERMS"
#: Of an id: it stands in addresses, in forms and in the column of a file.
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
#: Of a version: a number, a date, whatever a lawyer calls it.
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
#: A tag of Kakao Sync, as the console shows it: no comma, which parts several.
TAG = re.compile(r"[^\s,\x00-\x1f]{1,100}")
MOST = 20
#: Kinds, and whether such a term is required where that is not said.
KINDS = {"terms": True, "age": True, "marketing": False}
#: What a term of a kind is called where no title is given.
TITLES: Mapping[str, Any] = {"age": _("I am 14 or older"), "marketing": _("Marketing messages")}
KEYS = ("id", "kind", "title", "url", "version", "required", "tag")


@dataclass(frozen=True)
class Term:
    """One thing to agree to. `titles` and `urls` by language; there is at most one of each where it holds for both."""

    id: str
    kind: str
    version: str
    required: bool
    titles: Mapping[str, str]
    urls: Mapping[str, str]
    #: Of Kakao Sync: what is agreed there under this tag counts here.
    tag: str = ""

    @property
    def title(self) -> str:
        """In the visitor's language."""
        return pick(self.titles) or str(TITLES.get(self.kind, self.id))

    @property
    def url(self) -> str:
        """In the visitor's language; empty where there is nothing to read."""
        return pick(self.urls)

    def to_dict(self) -> dict[str, Any]:
        """As the API says it."""
        return {
            "id": self.id,
            "title": self.title,
            "url": self.url or None,
            "version": self.version,
            "required": self.required,
        }


def read(raw: Any) -> tuple[Term, ...]:
    """Return the terms of a setting's value: JSON, or the same as Python's lists and dicts.

    :raises ConfigError: one line that says which entry, and what is wrong with it.
    """
    if isinstance(raw, str):
        try:
            raw = json.loads(raw) if raw.strip() else ()
        except (ValueError, RecursionError):
            raise ConfigError(f"{NAME} must be JSON: a list with an object for each term") from None
    if not isinstance(raw, list | tuple):
        raise ConfigError(f"{NAME} must be a list with an object for each term")
    found = tuple(entry if isinstance(entry, Term) else _term(n, entry) for n, entry in enumerate(raw, 1))
    if len(found) > MOST:
        raise ConfigError(f"{NAME} has more than {MOST} entries: nobody would read them")
    for what, values in (("id", [term.id for term in found]), ("tag", [term.tag for term in found if term.tag])):
        if doubled := sorted({value for value in values if values.count(value) > 1}):
            raise ConfigError(f"{NAME}: the {what} {doubled[0]} is there twice")
    return found


def _term(number: int, entry: Any) -> Term:
    if not isinstance(entry, Mapping) or not all(isinstance(key, str) for key in entry):
        raise ConfigError(f"{NAME}, entry {number}: must be an object with {', '.join(KEYS)}")
    where = f"{NAME}, entry {number}"
    if unknown := sorted(set(entry) - set(KEYS)):
        raise ConfigError(f"{where}: {unknown[0][:50]!r} is none of {', '.join(KEYS)}")
    kind = entry.get("kind", "terms")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ConfigError(f"{where}: kind must be one of {', '.join(KINDS)}")
    term = Term(
        id=_matching(where, "id", entry.get("id"), ID),
        kind=kind,
        version=_version(where, kind, entry.get("version")),
        required=_required(where, kind, entry.get("required")),
        titles=_by_language(where, "title", entry.get("title")),
        urls=_by_language(where, "url", entry.get("url")),
        tag=_matching(where, "tag", entry["tag"], TAG) if entry.get("tag") not in (None, "") else "",
    )
    _check(where, term)
    return term


def _check(where: str, term: Term) -> None:
    if term.kind == "terms" and not term.titles:
        raise ConfigError(f'{where}: title is missing: a text, or {{"ko": ..., "en": ...}}')
    if term.kind == "terms" and not term.urls:
        raise ConfigError(f"{where}: url is missing: where people can read it")
    for url in term.urls.values():
        if not _is_address(url):
            raise ConfigError(f"{where}: url must begin with https://, or with / for a page of this site")


def _matching(where: str, key: str, value: Any, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        wanted = "text without blanks and commas" if pattern is TAG else "1 to 50 letters, digits, and . _ -"
        raise ConfigError(f"{where}: {key} must be {wanted}")
    return value


def _version(where: str, kind: str, value: Any) -> str:
    if value is None and kind == "age":
        return "1"
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return _matching(where, "version", value, VERSION)


def _required(where: str, kind: str, value: Any) -> bool:
    value = KINDS[kind] if value is None else value
    if not isinstance(value, bool):
        raise ConfigError(f"{where}: required must be true or false")
    if value and kind == "marketing":
        raise ConfigError(f"{where}: consent to marketing cannot be required: set required to false")
    return value


def _by_language(where: str, key: str, value: Any) -> dict[str, str]:
    """A text holds for every language."""
    if value is None or value == "":
        return {}
    texts = {"": value} if isinstance(value, str) else value
    is_mapping = isinstance(texts, Mapping) and set(texts) <= {"", *LANGUAGES} and texts
    if not is_mapping or not all(isinstance(text, str) and _is_line(text) for text in texts.values()):
        raise ConfigError(f'{where}: {key} must be a line of text, or {{"ko": ..., "en": ...}}')
    return {name: text.strip() for name, text in texts.items()}


def _is_line(text: str) -> bool:
    return 0 < len(text.strip()) <= 500 and text.isprintable()


def _is_address(url: str) -> bool:
    if url.startswith("/"):
        return not url.startswith(("//", "/\\")) and " " not in url
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in url and parts.port != 0
    except ValueError:
        return False
