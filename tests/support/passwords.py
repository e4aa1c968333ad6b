"""Argon2 without its cost, which is what makes it good and tests slow."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from argon2 import PasswordHasher

#: The least that Argon2 takes.
LEAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PARAMETERS = re.compile(r"m=\d+,t=\d+,p=\d+")
_hash, _verify = PasswordHasher.hash, PasswordHasher.verify


@contextmanager
def cheap_passwords() -> Iterator[None]:
    """Hash and check with the least, while the hashes name the parameters that are asked for.

    Hashes made outside are no longer found right.
    """

    def hash_cheaply(self: PasswordHasher, password: str | bytes) -> str:
        asked = f"m={self.memory_cost},t={self.time_cost},p={self.parallelism}"
        return PARAMETERS.sub(asked, _hash(LEAST, password), count=1)

    def verify_cheaply(self: PasswordHasher, stored: str | bytes, password: str | bytes) -> bool:
        text = stored if isinstance(stored, str) else stored.decode()
        return _verify(self, PARAMETERS.sub("m=8,t=1,p=1", text, count=1), password)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PasswordHasher, "hash", hash_cheaply)
        patch.setattr(PasswordHasher, "verify", verify_cheaply)
        yield


@contextmanager
def real_passwords() -> Iterator[None]:
    """As outside of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PasswordHasher, "hash", _hash)
        patch.setattr(PasswordHasher, "verify", _verify)
        yield
