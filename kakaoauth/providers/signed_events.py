"""Security Event Tokens (RFC 8417) as several providers send them: the signature, the id, the time."""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from joserfc import jwt
from joserfc.errors import DecodeError, JoseError
from joserfc.jwk import GuestProtocol, RSAKey
from joserfc.jws import JWSRegistry

from kakaoauth.errors import ProviderUnavailable, UntrustedIdentity
from kakaoauth.providers.base import SetRefused
from kakaoauth.providers.oidc import LEEWAY, KeyStore, UnknownForNow

#: Seconds: older messages are refused. Longer than an outage of ours, shorter than their ids are remembered.
MAX_AGE = 30 * 86400

_ODD = re.compile(r"[^A-Za-z0-9._-]")
_HOSTILE = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


class SignedEvent(NamedTuple):
    """A token whose signature is genuine. What it claims is not checked yet."""

    header: Mapping[str, Any]
    claims: dict[str, Any]


def read_signed(raw: str, keys: KeyStore) -> SignedEvent:
    """:raises SetRefused: not genuine. :raises ProviderUnavailable: the signing keys cannot be had."""

    def key_of(token: GuestProtocol) -> RSAKey:
        kid = token.headers().get("kid")
        if not isinstance(kid, str) or not kid:
            raise SetRefused("invalid_key", "no kid")
        return keys.find(kid)

    raw = raw.strip()
    if raw.count(".") != 2:
        raise SetRefused("invalid_request", "the body is no signed token")
    registry = JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    try:
        token = jwt.decode(raw, key_of, registry=registry)
    except UnknownForNow:
        # Made-up messages by anybody hold the brake; a genuine one under a new key must not be refused for it.
        raise ProviderUnavailable("the key may be newer than the ones we have") from None
    except UntrustedIdentity:
        raise SetRefused("invalid_key", "unknown kid") from None
    except DecodeError:
        raise SetRefused("invalid_request", "the body is no signed token") from None
    except _HOSTILE:
        raise SetRefused("authentication_failed", "the signature could not be verified") from None
    return SignedEvent(token.header, token.claims)


def check_parties(claims: Mapping[str, Any], issuers: tuple[str, ...], audiences: tuple[str, ...]) -> None:
    """A list may name more receivers than this one (RFC 7519, section 4.1.3).

    :raises SetRefused: of somebody else, or for somebody else.
    """
    if claims.get("iss") not in issuers:
        raise SetRefused("invalid_issuer", "iss is not the issuer")
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if not any(isinstance(one, str) and one in audiences for one in named):
        raise SetRefused("invalid_audience", "aud is another app")


def message_id(claims: Mapping[str, Any]) -> str:
    """Return `jti`, by which a message is acted upon once. :raises SetRefused: there is none."""
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= 255 or not jti.isprintable():
        raise SetRefused("invalid_request", "jti is missing or no printable text of up to 255 characters")
    return jti


def moment(claims: Mapping[str, Any]) -> datetime:
    """Return when it was issued. :raises SetRefused: in the future, or too long ago."""
    iat, now = claims.get("iat"), time.time()
    if type(iat) is not int or iat > now + LEEWAY:
        raise SetRefused("invalid_request", "iat is missing or in the future")
    if iat < now - MAX_AGE:
        raise SetRefused("invalid_request", "iat is too long ago")
    return datetime.fromtimestamp(iat, UTC)


def last_part(kind: str) -> str:
    """The last part of an event's URI, fit for logs and the database: PostgreSQL takes no NUL, a log no line break."""
    return _ODD.sub("?", kind.rstrip("/").rsplit("/", 1)[-1])[:100]
