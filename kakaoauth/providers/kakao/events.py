"""Read Kakao's account-status webhook: a Security Event Token (RFC 8417), pushed as in RFC 8935.

Which claims Kakao sends is known in part from receivers only, so what is optional here is what they disagree about:
`aud` may be the REST API key or the app id, both are ours alone; `app_id` counts where it
is present; there is no `exp`.
"""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import DecodeError, JoseError
from joserfc.jwk import GuestProtocol, RSAKey
from joserfc.jws import JWSRegistry

from kakaoauth.errors import ProviderUnavailable, UntrustedIdentity
from kakaoauth.providers.base import SetRefused
from kakaoauth.providers.kakao.profile import SUBJECT
from kakaoauth.providers.oidc import LEEWAY, KeyStore, UnknownForNow
from kakaoauth.providers.values import AccountEvent

#: Seconds: older messages are refused. Longer than an outage of ours, shorter than their ids are remembered.
MAX_AGE = 30 * 86400

_ODD = re.compile(r"[^A-Za-z0-9._-]")
_HOSTILE = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


def read_set(raw: str, keys: KeyStore, *, issuer: str, client_id: str, app_id: int) -> AccountEvent:
    """:raises SetRefused: not a message for us. :raises ProviderUnavailable: the signing keys cannot be had."""
    claims = _verified_claims(raw, keys)
    if claims.get("iss") != issuer:
        raise SetRefused("invalid_issuer", "iss is not the issuer")
    ours = [client_id, [client_id]] + ([str(app_id), [str(app_id)]] if app_id else [])
    if claims.get("aud") not in ours:
        raise SetRefused("invalid_audience", "aud is another app")
    if app_id and str(claims.get("app_id", app_id)) != str(app_id):
        raise SetRefused("invalid_audience", "app_id is another app")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= 255 or not jti.isprintable():
        raise SetRefused("invalid_request", "jti is missing or no printable text of up to 255 characters")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not SUBJECT.fullmatch(subject):
        raise SetRefused("invalid_request", "sub is no user id")
    kind, body = _only_event(claims.get("events"), subject)
    return AccountEvent(jti, kind, subject, _moment(claims), _scopes(body))


def _verified_claims(raw: str, keys: KeyStore) -> dict[str, Any]:
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
    kind = token.header.get("typ")
    # An id_token of the same app is signed with the same key: only typ and events tell them apart.
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") != "secevent+jwt":
        raise SetRefused("invalid_request", "typ is not secevent+jwt")
    return token.claims


def _only_event(events: object, subject: str) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(events, dict) or len(events) != 1:
        raise SetRefused("invalid_request", "events must name one event")
    ((uri, body),) = events.items()
    if not isinstance(body, dict):
        raise SetRefused("invalid_request", "the event is not an object")
    about = body.get("subject")
    if isinstance(about, dict) and about.get("sub", subject) != subject:
        raise SetRefused("invalid_request", "the event is about somebody else")
    # Ends in logs and in the database: PostgreSQL takes no NUL, a log no line break.
    return _ODD.sub("?", uri.rstrip("/").rsplit("/", 1)[-1])[:100], body


def _moment(claims: Mapping[str, Any]) -> datetime:
    iat, toe, now = claims.get("iat"), claims.get("toe"), time.time()
    if type(iat) is not int or iat > now + LEEWAY:
        raise SetRefused("invalid_request", "iat is missing or in the future")
    if iat < now - MAX_AGE:
        raise SetRefused("invalid_request", "iat is too long ago")
    return datetime.fromtimestamp(toe if type(toe) is int and 0 < toe <= iat + LEEWAY else iat, UTC)


def _scopes(body: Mapping[str, Any]) -> tuple[str, ...]:
    scopes = body.get("scopes")
    return tuple(scope for scope in scopes if isinstance(scope, str)) if isinstance(scopes, list) else ()
