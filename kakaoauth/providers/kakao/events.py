"""Read Kakao's account-status webhook: a Security Event Token (RFC 8417), pushed as in RFC 8935.

Which claims Kakao sends is known in part from receivers only, so what is optional here is what they disagree about:
`aud` may be the REST API key or the app id, both are ours alone; `app_id` counts where it
is present; there is no `exp`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kakaoauth.providers.base import SetRefused
from kakaoauth.providers.kakao.profile import SUBJECT
from kakaoauth.providers.oidc import LEEWAY, KeyStore
from kakaoauth.providers.signed_events import last_part, message_id, moment, read_signed
from kakaoauth.providers.values import AccountEvent


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
    jti = message_id(claims)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not SUBJECT.fullmatch(subject):
        raise SetRefused("invalid_request", "sub is no user id")
    kind, body = _only_event(claims.get("events"), subject)
    return AccountEvent(jti, kind, subject, _moment(claims), _scopes(body))


def _verified_claims(raw: str, keys: KeyStore) -> dict[str, Any]:
    token = read_signed(raw, keys)
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
    return last_part(uri), body


def _moment(claims: Mapping[str, Any]) -> datetime:
    issued, toe = moment(claims), claims.get("toe")
    if type(toe) is int and 0 < toe <= claims["iat"] + LEEWAY:
        return datetime.fromtimestamp(toe, UTC)
    return issued


def _scopes(body: Mapping[str, Any]) -> tuple[str, ...]:
    scopes = body.get("scopes")
    return tuple(scope for scope in scopes if isinstance(scope, str)) if isinstance(scopes, list) else ()
