"""Password hashes: Argon2id with the parameters that RFC 9106 recommends.

Only superusers have a password. The rules follow NIST SP 800-63B: a minimum length, and nothing else.
"""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from kakaoauth.errors import Unavailable
from kakaoauth.models import User

#: 8 would do against guesses through the site, at its rate limits; 12 also hold for a while if the database is stolen.
MIN_LENGTH = 12
MAX_LENGTH = 128
#: Before normalising, which is slow for long texts: a Mac sends a syllable of Hangul in three parts.
MAX_SENT = 3 * MAX_LENGTH
#: Hashes at once in a process: each takes 64 MiB and four threads for about 0.1 s, and a crowd at the login page must
#: not take the machine's memory. Others wait ...
AT_ONCE = 4
#: ... this long (seconds), enough for a dozen attempts; then Unavailable.
PATIENCE = 1.0

#: The hash of 32 random bytes that nobody knows: comparing with it fails and takes as long as any other comparison.
NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$+j7rkr9mP/JZ20t/Dt/Y4A$rtWvxGNNJEVQAgsYmpRj31Hh8TvQuraTFW94p5YRuIw"

_hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
_slots = BoundedSemaphore(AT_ONCE)


def set_password(user: User, text: str) -> None:
    """Set the hash, without committing. :raises ValueError: too short, too long, or no text; the message says which.

    :raises Unavailable: too many at once.
    """
    password = _normal(text)
    if len(password) < MIN_LENGTH:
        raise ValueError(f"the password is too short: use {MIN_LENGTH} characters or more")
    if len(password) > MAX_LENGTH or len(text) > MAX_SENT:
        raise ValueError(f"the password is too long: use {MAX_LENGTH} characters at most")
    try:
        raw = password.encode()
    except UnicodeEncodeError:
        raise ValueError("the password is not UTF-8 text") from None
    with _slot():
        user.password_hash = _hasher.hash(raw)


def matches(stored: str | None, text: str) -> bool:
    """Whether `text` is the password of the hash `stored`. None matches nothing, and takes as long.

    :raises Unavailable: too many at once.
    """
    fits = len(text) <= MAX_SENT
    raw = _normal(text).encode("utf-8", "replace") if fits else b""
    with _slot():
        try:
            _hasher.verify(stored or NOBODYS, raw)
        except (VerificationError, InvalidHashError):
            return False
    return fits and stored is not None


def is_outdated(stored: str) -> bool:
    """Whether it was made with other parameters than are used today."""
    return _hasher.check_needs_rehash(stored)


def _normal(text: str) -> str:
    """Return NFKC: keyboards send different code points for the same characters (NIST SP 800-63B, 5.1.1.2)."""
    return unicodedata.normalize("NFKC", text)


@contextmanager
def _slot() -> Iterator[None]:
    if not _slots.acquire(timeout=PATIENCE):
        raise Unavailable("too many passwords at once")
    try:
        yield
    finally:
        _slots.release()
