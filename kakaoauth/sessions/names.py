"""What a session is called, made from its id."""

import re
from base64 import urlsafe_b64encode
from hashlib import sha256

#: A session's id: 32 random bytes in base64url.
SID = re.compile(r"[A-Za-z0-9_-]{43}")


def name_of(sid: str) -> str:
    """Return a session's name: a hash of its id, 128 bits of it, which may stand in logs and tables."""
    return urlsafe_b64encode(sha256(sid.encode()).digest()[:16]).decode().rstrip("=")


def former_name_of(sid: str) -> str:
    """Return what an older version calls it. Such a session keeps this name as long as it lasts."""
    return sha256(sid.encode()).hexdigest()
