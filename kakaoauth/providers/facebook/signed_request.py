"""Read Facebook's `signed_request`, which it sends to the deauthorize and the data deletion callback.

Two parts in base64url, joined by a dot: an HMAC-SHA256 of the second with the app secret, and JSON
(https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow#deauth-callback,
https://developers.facebook.com/docs/development/create-an-app/app-dashboard/data-deletion-callback).
"""

import hmac
import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from itsdangerous import BadData
from itsdangerous.encoding import base64_decode, base64_encode

from kakaoauth.providers.base import SetRefused
from kakaoauth.providers.facebook.profile import SUBJECT
from kakaoauth.providers.values import AccountEvent

#: Seconds: older messages are refused. The signature never expires, so anybody who once saw a message could send it
#: for ever; a day leaves Facebook room to come again after an outage of ours, and is shorter than messages are
#: remembered (provider_events.REMEMBERED_DAYS), so none is acted upon twice.
MAX_AGE = 86400
#: Seconds Facebook's clock may be ahead of ours.
LEEWAY = 60

#: What only those for a page carry (https://developers.facebook.com/docs/reference/login/signed-request).
SPENT_BY_PAGES = frozenset(("code", "oauth_token"))

_PART = re.compile(r"[A-Za-z0-9_-]+={0,2}")


def read_signed_request(raw: str, secret: str) -> AccountEvent:
    """Read one that says: this person has taken the app away.

    :raises SetRefused: not signed with `secret`, too old, or about nobody.
    """
    signature, dot, payload = raw.partition(".")
    if not dot or not _PART.fullmatch(signature) or not _PART.fullmatch(payload):
        raise SetRefused("invalid_request", "not two parts in base64url")
    expected = base64_encode(hmac.digest(secret.encode(), payload.encode(), "sha256"))
    # As text: decoding drops some bits of the last character, so one signature could be written in four ways.
    if not hmac.compare_digest(signature.encode().rstrip(b"="), expected):
        raise SetRefused("authentication_failed", "the signature is wrong")
    content = _content(_decoded(payload))
    # It is in the signed part, so it cannot have been changed; but a receiver that takes any name asks for trouble.
    if content.get("algorithm") != "HMAC-SHA256":
        raise SetRefused("invalid_request", "algorithm is not HMAC-SHA256")
    # Facebook's scripts give a page one for each login, signed with the same secret: any script in the page,
    # and any reader of its cookies, has it. It carries what the page may spend; a message carries nothing of the kind.
    if not SPENT_BY_PAGES.isdisjoint(content):
        raise SetRefused("invalid_request", "it is made for a page, not a message")
    subject = content.get("user_id")
    subject = str(subject) if type(subject) is int else subject
    if not isinstance(subject, str) or not SUBJECT.fullmatch(subject):
        raise SetRefused("invalid_request", "user_id is no user id")
    issued_at, now = content.get("issued_at"), time.time()
    if type(issued_at) is not int or not now - MAX_AGE <= issued_at <= now + LEEWAY:
        raise SetRefused("invalid_request", "issued_at is missing, too old or in the future")
    # Facebook gives its messages no id. A repetition has the same moment, another unlink after a new login has not.
    jti = sha256(f"{subject}|{issued_at}".encode()).hexdigest()
    return AccountEvent(jti, "user-unlinked", subject, datetime.fromtimestamp(issued_at, UTC))


def _decoded(part: str) -> bytes:
    try:
        return base64_decode(part.rstrip("="))
    except BadData:
        raise SetRefused("invalid_request", "not base64url") from None


def _content(payload: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(payload.decode())
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise SetRefused("invalid_request", "the content is no JSON object")
    return content
