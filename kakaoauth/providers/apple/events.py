"""Read Apple's server-to-server notifications.

What the documents show and what real messages hold differ: `events` is an object with seconds, or a text that holds
JSON with milliseconds; `exp` is there or not. Both are taken.
"""

import json
from datetime import UTC, datetime
from typing import Any

from kakaoauth.providers.base import SetRefused
from kakaoauth.providers.oidc import LEEWAY, SUBJECT, KeyStore
from kakaoauth.providers.signed_events import check_parties, last_part, message_id, moment, read_signed
from kakaoauth.providers.values import AccountEvent

#: Apple's name -> what it is called here. The second name of a deleted account is the older document's.
KINDS = {
    "consent-revoked": "user-unlinked",
    "account-deleted": "account-purged",
    "account-delete": "account-purged",
}
#: Larger numbers are milliseconds: as seconds they are beyond the year 5000.
MILLISECONDS = 10**11
#: Characters of an e-mail address (RFC 5321, section 4.5.3.1).
LONGEST_EMAIL = 254


def read_notification(raw: str, keys: KeyStore, *, issuer: str, audiences: tuple[str, ...]) -> AccountEvent:
    """:param raw: the JWT in `payload`.

    :raises SetRefused: not a message for us. :raises ProviderUnavailable: the signing keys cannot be had.
    """
    claims = read_signed(raw, keys).claims
    check_parties(claims, (issuer,), audiences)
    issued = moment(claims)
    exp = claims.get("exp")
    if exp is not None and (type(exp) is not int or exp <= datetime.now(UTC).timestamp() - LEEWAY):
        raise SetRefused("invalid_request", "exp is over")
    event = _event(claims.get("events"))
    kind, subject = event.get("type"), event.get("sub")
    if not isinstance(kind, str) or not isinstance(subject, str) or not SUBJECT.fullmatch(subject):
        raise SetRefused("invalid_request", "the event has no type or no user id")
    kind = last_part(kind)
    email = event.get("email")
    return AccountEvent(
        message_id(claims),
        KINDS.get(kind, kind),
        subject,
        _happened_at(event, issued),
        email=email if isinstance(email, str) and len(email) <= LONGEST_EMAIL else "",
    )


def _event(events: object) -> dict[str, Any]:
    if isinstance(events, str):
        try:
            events = json.loads(events)
        except (ValueError, RecursionError):
            events = None
    if not isinstance(events, dict):
        raise SetRefused("invalid_request", "events is no object")
    return events


def _happened_at(event: dict[str, Any], issued: datetime) -> datetime:
    told = event.get("event_time")
    if type(told) is not int or told <= 0:
        return issued
    seconds = told / 1000 if told > MILLISECONDS else told
    return datetime.fromtimestamp(seconds, UTC) if seconds <= issued.timestamp() + LEEWAY else issued
