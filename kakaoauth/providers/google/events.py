"""Read Google's security events, Cross-Account Protection (https://developers.google.com/identity/protocols/risc)."""

from collections.abc import Callable, Mapping
from typing import Any

from kakaoauth.providers.base import SetRefused
from kakaoauth.providers.oidc import SUBJECT, KeyStore
from kakaoauth.providers.signed_events import check_parties, last_part, message_id, moment, read_signed
from kakaoauth.providers.values import AccountEvent

TOKEN_REVOKED = "token-revoked"  # noqa: S105
#: Events that name no person: an echo of a test, and a token by its first characters or its hash.
WITHOUT_PERSON = frozenset(("verification", TOKEN_REVOKED))
#: Characters of what names a token.
LONGEST = 512


def read_event(
    raw: str, keys: KeyStore, *, issuers: Callable[[], tuple[str, ...]], audiences: tuple[str, ...]
) -> AccountEvent:
    """:param issuers: as they are known once the keys are. `exp` is not looked at: an event stays true.

    :raises SetRefused: not a message for us. :raises ProviderUnavailable: the signing keys cannot be had.
    """
    claims = read_signed(raw, keys).claims
    check_parties(claims, issuers(), audiences)
    kind, body = _only_event(claims.get("events"))
    about = body.get("subject")
    subject = "" if kind in WITHOUT_PERSON else _subject(about, issuers())
    named = _token(about) if kind == TOKEN_REVOKED else ()
    return AccountEvent(message_id(claims), kind, subject, moment(claims), named)


def _only_event(events: object) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(events, dict) or len(events) != 1:
        raise SetRefused("invalid_request", "events must name one event")
    ((uri, body),) = events.items()
    if not isinstance(body, dict):
        raise SetRefused("invalid_request", "the event is not an object")
    return last_part(uri), body


def _subject(about: object, issuers: tuple[str, ...]) -> str:
    if not isinstance(about, dict):
        raise SetRefused("invalid_request", "the event is about nobody")
    known = {one.rstrip("/") for one in issuers}
    if str(about.get("iss", "")).rstrip("/") not in known:
        raise SetRefused("invalid_request", "the event is about somebody of another issuer")
    subject = about.get("sub")
    if not isinstance(subject, str) or not SUBJECT.fullmatch(subject):
        raise SetRefused("invalid_request", "sub is no user id")
    return subject


def _token(about: object) -> tuple[str, ...]:
    """Return how a refresh token is named, and its name; nothing of other tokens: they are over within the hour."""
    if not isinstance(about, dict) or about.get("token_type") != "refresh_token":
        return ()
    named = (about.get("token_identifier_alg"), about.get("token"))
    return tuple(one for one in named if isinstance(one, str) and one.isascii() and len(one) <= LONGEST)
