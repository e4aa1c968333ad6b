"""PKCE (RFC 7636), and the hashes that tie an id_token to a code or token (OpenID Connect 3.1.3.6)."""

import base64
import hashlib
import hmac
import re

CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def verifier_fits(verifier: str | None, challenge: str | None, *, plain: bool = False) -> bool:
    """Whether the verifier is the challenge's. One without the other does not fit (RFC 9700, 4.8.2)."""
    if challenge is None or verifier is None:
        return challenge is None and verifier is None
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return equal(verifier if plain else digest, challenge)


def half_hash(text: str) -> str:
    """Return at_hash or c_hash for RS256."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).rstrip(b"=").decode()


def equal(sent: str, expected: str) -> bool:
    """Compare secrets in constant time."""
    return hmac.compare_digest(sent.encode(), expected.encode())
