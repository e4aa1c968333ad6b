"""Signed tokens with one deliberate flaw or more: what a receiver has to refuse."""

import hashlib
import hmac
import json
from collections.abc import Collection
from typing import Any

from itsdangerous import BadData, base64_decode, base64_encode
from joserfc import jwt
from joserfc.jwk import RSAKey

from kakaoauth.sandbox.signing.keys import KeyRing, make_key

LONG_AGO = 30 * 86400
SOON = 86400
SIGNATURE_FLAWS = frozenset({"bad_signature", "alg_none", "hs256", "unknown_key"})


def alter_claims(claims: dict[str, Any], flaws: Collection[str]) -> dict[str, Any]:
    """Return the claims with the flaws that can be seen in them."""
    altered = dict(claims)
    if "wrong_audience" in flaws:
        altered["aud"] = "somebody-elses-key"
    if "wrong_issuer" in flaws:
        altered["iss"] = "https://issuer.invalid"
    if "iat_past" in flaws:
        altered["iat"] -= LONG_AGO
    if "iat_future" in flaws:
        altered["iat"] += SOON
    if "expired" in flaws:
        altered["exp"] = altered["iat"] - 1
    if "wrong_nonce" in flaws:
        altered["nonce"] = "nobody-sent-this"
    if "no_nonce" in flaws:
        altered.pop("nonce", None)
    if "other_subject" in flaws:
        subject = altered["sub"]
        altered["sub"] = str(int(subject) + 1) if subject.isdecimal() else another_text(subject)
    return altered


def another_text(text: str) -> str:
    """Return a text of the same shape that is another person's."""
    return f"{text[:-1]}{'1' if text[-1] == '0' else '0'}"


def sign(keys: KeyRing, typ: str, claims: dict[str, Any], flaws: Collection[str] = ()) -> str:
    """Sign with the ring's key, or in the way that the flaws ask for."""
    key: RSAKey = make_key() if "unknown_key" in flaws else keys.signing_key()
    header = {"alg": "RS256", "kid": key.kid, "typ": "something-else" if "wrong_typ" in flaws else typ}
    if "alg_none" in flaws:
        return f"{_encode(header | {'alg': 'none'})}.{_encode(claims)}."
    if "hs256" in flaws:
        # The public key taken for a shared secret: verifies wherever the algorithm is read from the token
        content = f"{_encode(header | {'alg': 'HS256'})}.{_encode(claims)}"
        signature = base64_encode(hmac.digest(key.as_pem(private=False), content.encode(), hashlib.sha256)).decode()
        return f"{content}.{signature}"
    text = jwt.encode(header, claims, key, algorithms=["RS256"])
    if "bad_signature" in flaws:
        content, _, signature = text.rpartition(".")
        return f"{content}.{'B' if signature[0] != 'B' else 'C'}{signature[1:]}"
    return text


def payload_of(token: str) -> dict[str, Any]:
    """Read the claims without checking anything. :raise ValueError: this is no token."""
    _, payload, _ = token.split(".")
    try:
        claims = json.loads(base64_decode(payload))
    except BadData:
        raise ValueError("not base64url") from None
    if not isinstance(claims, dict):
        raise ValueError("no JSON object")
    return claims


def _encode(part: dict[str, Any]) -> str:
    return base64_encode(json.dumps(part, separators=(",", ":")).encode()).decode()
