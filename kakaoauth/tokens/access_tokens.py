"""Our access tokens: JWTs (RFC 7519, 8725, 9068).

Other services may verify them by themselves. Here user and rights are read from the database at each request
(`refresh_tokens.find_bearer`), so that a suspension works at once.
"""

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol
from joserfc.jws import JWSRegistry

from kakaoauth.errors import ExpiredToken, InvalidAccessToken
from kakaoauth.storage.columns import MAX_ID
from kakaoauth.tokens import signing_keys
from kakaoauth.tokens.signing_keys import Key, SigningKey

#: `typ` in the header, so that no other JWT, ours or a provider's, is accepted (RFC 9068, section 2.1).
TYPE = "at+jwt"
#: The same in the claims.
USE = "access"
#: Seconds another machine's clock may be ahead. Nothing is added to a token's life.
LEEWAY = 30
#: A JWS in its compact form; ours have about 700 characters with RS256.
FORM = re.compile(r"[A-Za-z0-9_-]{1,1000}\.[A-Za-z0-9_-]{1,2000}\.[A-Za-z0-9_-]{1,1000}")
_KID = re.compile(r"[A-Za-z0-9_-]{1,43}")
_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_HOSTILE = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Claims:
    """The claims of a genuine access token: `user_id` from `sub`, `family_id` from `sid`."""

    user_id: int
    family_id: int
    #: All claims, unchanged.
    all: Mapping[str, Any]


def audience(issuer: str) -> str:
    """Return the `aud` claim."""
    return f"{issuer}/api/"


def issue(key: SigningKey, *, issuer: str, user_id: int, family_id: int, seconds: int) -> str:
    """Return a new access token that lives `seconds`."""
    secret = signing_keys.key_of(key)
    if secret is None:
        raise ValueError("the signing key cannot be read")
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": audience(issuer),
        "sub": str(user_id),
        "iat": now,
        "exp": now + seconds,
        "jti": secrets.token_urlsafe(16),
        "sid": str(family_id),
        "token_use": USE,
    }
    header = {"alg": key.algorithm, "kid": key.kid, "typ": TYPE}
    return jwt.encode(header, claims, secret, registry=_registry(key.algorithm))


def verify(text: str, *, issuer: str, also_expired: bool = False) -> Claims:
    """Return the claims of a genuine access token.

    :param also_expired: accept one that has expired, which is enough to end its login.
    :raises ExpiredToken: it has expired. :raises InvalidAccessToken: anything else.
    """
    if not FORM.fullmatch(text):
        raise InvalidAccessToken("not a JWT")
    try:
        claims = _decode(text)
        _check(claims, issuer)
    except _HOSTILE as error:
        raise InvalidAccessToken(type(error).__name__) from None
    if claims["exp"] <= time.time() and not also_expired:
        raise ExpiredToken("access token")
    return Claims(int(claims["sub"]), int(claims["sid"]), claims)


def _decode(text: str) -> dict[str, Any]:
    def key_of(token: GuestProtocol) -> Key:
        """Return the key of the header's `kid`. :raises ValueError: none of ours."""
        headers = token.headers()
        kid = headers.get("kid")
        row = signing_keys.find(kid) if isinstance(kid, str) and _KID.fullmatch(kid) else None
        key = signing_keys.key_of(row) if row else None
        # The algorithm must be the key's: an attacker chooses the header (RFC 8725, section 3.1).
        if row is None or key is None or headers.get("typ") != TYPE or headers.get("alg") != row.algorithm:
            raise ValueError("no key of ours, or not of this use")
        return key

    registry = JWSRegistry(algorithms=["HS256", "RS256", "ES256"], strict_check_header=False)
    return jwt.decode(text, key_of, registry=registry).claims


def _check(claims: Mapping[str, Any], issuer: str) -> None:
    """:raises ValueError: a claim that is missing, of another type, or not ours."""
    expected = {"iss": issuer, "aud": audience(issuer), "token_use": USE}
    wrong = [name for name, value in expected.items() if claims.get(name) != value]
    for name in ("exp", "iat"):
        if type(claims.get(name)) is not int:
            wrong.append(name)
    for name in ("sub", "sid"):
        text = claims.get(name)
        if not isinstance(text, str) or not _NUMBER.fullmatch(text) or int(text) > MAX_ID:
            wrong.append(name)
    if not isinstance(claims.get("jti"), str) or not claims["jti"]:
        wrong.append("jti")
    if wrong or claims["iat"] > time.time() + LEEWAY or claims.get("nbf", 0) > time.time() + LEEWAY:
        raise ValueError("claims: " + " ".join(wrong or ["not yet valid"]))


def _registry(algorithm: str) -> JWSRegistry:
    return JWSRegistry(algorithms=[algorithm])
