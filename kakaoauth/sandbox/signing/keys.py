"""The RSA keys behind the sandbox's id_tokens and security event tokens."""

import secrets
from typing import Any

from joserfc.jwk import RSAKey

KEY_COUNT = 2  # as many as Kakao publishes; the first signs
MOST_KEYS = 6  # however often the keys are rotated


class KeyRing:
    """Keys made on first use: two RSA-2048 keys take long enough to slow every start down."""

    def __init__(self) -> None:
        self._keys: list[RSAKey] = []
        self.published = True

    def ensure(self) -> bool:
        """Return True when the keys had to be made just now."""
        if self._keys:
            return False
        self._keys = [make_key() for _ in range(KEY_COUNT)]
        return True

    def rotate(self) -> None:
        """Sign with a new key from now on; the older ones stay published."""
        self._keys = [make_key(), *self._keys][:MOST_KEYS]

    def drop_old(self) -> None:
        """Keep the signing key alone: what the others have signed can't be checked any more."""
        self._keys = self._keys[:1]

    def signing_key(self) -> RSAKey:
        """Return the private key that signs now."""
        return self._keys[0]

    def all(self) -> list[RSAKey]:
        """Return every key, the signing one first."""
        return list(self._keys)

    def public(self) -> list[dict[str, Any]]:
        """Return the keys as JWKS has them, none while they are hidden."""
        return [dict(key.as_dict(private=False)) for key in self._keys] if self.published else []

    def dump(self) -> list[dict[str, Any]]:
        """Return the private keys as JWKs, for the state file."""
        return [dict(key.as_dict(private=True)) for key in self._keys]

    def restore(self, stored: list[dict[str, Any]]) -> None:
        """Take over what `dump` returned."""
        self._keys = [RSAKey.import_key(entry) for entry in stored]


def make_key() -> RSAKey:
    """Return a new RSA key of 2048 bits."""
    # Kakao's key ids are 30 hex characters
    return RSAKey.generate_key(2048, {"kid": secrets.token_hex(15), "alg": "RS256", "use": "sig"})
