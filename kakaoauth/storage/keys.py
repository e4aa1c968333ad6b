"""Keys and keyed hashes made from SECRET_KEY, one for each purpose.

The bytes must never change: stored tokens and hashes, cookies and refresh tokens depend on them.
"""

import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import current_app


def derive(purpose: str, secret: str) -> bytes:
    """Return 32 bytes derived from `secret` for one purpose (HKDF, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"kakaoauth {purpose}".encode()).derive(secret.encode())


def mac(purpose: str, text: str) -> bytes:
    """Return the HMAC-SHA256 of a text for one purpose, under the app's SECRET_KEY."""
    secret = str(current_app.config["SECRET_KEY"]).encode()
    return hmac.digest(secret, f"{purpose}|{text}".encode("utf-8", "replace"), "sha256")
