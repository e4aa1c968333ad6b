"""Find people by what stands beside their names."""

import unicodedata
from collections.abc import Iterable
from typing import TypeVar

FIELDS = ("key", "nickname", "name", "email", "user_id", "subject", "note_ko", "note_en")

Someone = TypeVar("Someone")


def search(people: Iterable[Someone], wanted: str) -> list[Someone]:
    """Return those of whom something holds every word; all of them for no words."""
    words = _plain(wanted).split()
    return [person for person in people if all(word in _text_of(person) for word in words)]


def _text_of(person: object) -> str:
    return _plain("\n".join(str(getattr(person, name, None) or "") for name in FIELDS))


def _plain(text: str) -> str:
    """macOS types Hangul in parts, other systems in whole syllables."""
    return unicodedata.normalize("NFKC", text).casefold()
