"""Keyed hashes of identities and addresses, by which a person is known again whose data is erased.

The provider's numbers can be counted through, and addresses guessed, so a plain hash would give them away. These need a
key, made from SECRET_KEY: a copy of the database alone tells nobody's name. After a change of SECRET_KEY the old one
goes into SECRET_KEY_FALLBACKS, or what was kept under it is never found again.
"""

import hmac
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from flask import current_app

from kakaoauth.storage import keys


class Keyed(NamedTuple):
    """A hash as 64 hexadecimal digits, and the name of the key it was made with."""

    hash: str
    key_id: str


def of_identity(provider: str, subject: str) -> list[Keyed]:
    """With each of today's keys, the newest first."""
    return _hashes("identity", provider, subject)


def of_email(email_key: str) -> list[Keyed]:
    """:param email_key: as `text.normal_form` gives it."""
    return _hashes("e-mail", email_key)


def key_ids() -> list[str]:
    """The names of today's keys, the newest first."""
    return [_key_id(key) for key in _keys()]


def _hashes(*parts: str) -> list[Keyed]:
    # The length before each part: no two lists of parts make one text.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return [Keyed(_mac(key, text), _key_id(key)) for key in _keys()]


def _keys() -> list[bytes]:
    config = current_app.config
    secrets = [config["SECRET_KEY"], *(config.get("SECRET_KEY_FALLBACKS") or ())]
    return [_derived(secret) for secret in secrets]


@lru_cache(maxsize=8)
def _derived(secret: str) -> bytes:
    return keys.derive("people known again", secret)


@lru_cache(maxsize=8)
def _key_id(key: bytes) -> str:
    return _mac(key, "key id")[:8]


def _mac(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), sha256).hexdigest()
