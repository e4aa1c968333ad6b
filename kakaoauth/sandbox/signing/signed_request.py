"""The signed_request that Facebook sends to an app: made as it should be, or with deliberate flaws."""

import hashlib
import hmac
import json
from collections.abc import Collection
from typing import Any

from itsdangerous import base64_encode

from kakaoauth.sandbox.signing.tokens import LONG_AGO, SOON

NOBODY = "1"  # no user of the sandbox has this id
# `duplicate` is made by sending twice, `no_field` by not sending it
FLAWS = (
    *("duplicate", "bad_signature", "other_secret", "other_algorithm", "no_dot", "broken_base64", "no_json"),
    *("issued_past", "issued_future", "no_issued_at", "unknown_user", "no_user", "no_field"),
)


def make_signed_request(secret: str, user_id: str, now: int, flaws: Collection[str] = ()) -> str:
    """Return signature, dot, payload: both in base64url without padding, the HMAC over the payload as it is sent."""
    payload = _encode(json.dumps(_content(user_id, now, flaws), separators=(",", ":")).encode())
    if "no_json" in flaws:
        payload = _encode(b"user_id=" + user_id.encode())
    if "broken_base64" in flaws:
        payload = f"{payload[:-1]}*%"
    key = "0" * 32 if "other_secret" in flaws else secret
    signature = _encode(hmac.digest(key.encode(), payload.encode(), hashlib.sha256))
    if "bad_signature" in flaws:
        signature = f"{'B' if signature[0] != 'B' else 'C'}{signature[1:]}"
    return f"{signature}{'' if 'no_dot' in flaws else '.'}{payload}"


def _content(user_id: str, now: int, flaws: Collection[str]) -> dict[str, Any]:
    content: dict[str, Any] = {"algorithm": "HMAC-SHA256", "issued_at": now, "user_id": user_id}
    if "other_algorithm" in flaws:
        content["algorithm"] = "HMAC-SHA1"
    if "issued_past" in flaws:
        content["issued_at"] -= LONG_AGO
    if "issued_future" in flaws:
        content["issued_at"] += SOON
    if "no_issued_at" in flaws:
        del content["issued_at"]
    if "unknown_user" in flaws:
        content["user_id"] = NOBODY
    if "no_user" in flaws:
        del content["user_id"]
    return content


def _encode(content: bytes) -> str:
    return base64_encode(content).decode()
