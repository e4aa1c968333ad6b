"""Apple's server-to-server notifications."""

import json
import secrets
from collections.abc import Collection, Sequence
from typing import Any

from kakaoauth.sandbox.accounts.messages import MessageError, check_flaws
from kakaoauth.sandbox.delivery.outbox import Delivery, Message
from kakaoauth.sandbox.signing.tokens import alter_claims, sign
from kakaoauth.sandbox.state.state import State

# The last one is the name in Apple's older document
EVENTS = ("email-disabled", "email-enabled", "consent-revoked", "account-deleted", "account-delete")
# `events_object` and `in_form`: both forms are seen, so they are no flaws in truth
FLAWS = (
    *("duplicate", "events_object", "in_form", "with_exp", "bad_signature", "alg_none", "hs256", "unknown_key"),
    *("wrong_audience", "wrong_issuer", "iat_past", "iat_future", "expired", "unknown_event", "unknown_user"),
    *("no_events", "no_payload"),
)
NOBODY = "000000.00000000000000000000000000000000.0000"


def send(
    state: State, event: str, subject: str, flaws: Sequence[str] = (), *, email: str | None = None, relay: bool = True
) -> list[Delivery]:
    """Send a notification. :raise MessageError: no address, or an unknown word."""
    settings = state.settings.apple
    if settings.notification_url is None:
        raise MessageError("notification_url is not set")
    if event not in EVENTS:
        raise MessageError(f"unknown event: {event[:40]}; known: {', '.join(EVENTS)}")
    check_flaws(flaws, FLAWS)
    claims = _claims(state, event, NOBODY if "unknown_user" in flaws else subject, email, relay, flaws)
    text = sign(state.keys("apple"), "JWT", alter_claims(claims, flaws), flaws)
    body, kind = json.dumps({} if "no_payload" in flaws else {"payload": text}), "application/json"
    if "in_form" in flaws:
        body, kind = f"payload={text}", "application/x-www-form-urlencoded"
    message = Message(
        *("apple", event, subject, "POST", settings.notification_url, tuple(flaws)),
        jti=claims["jti"],
        headers={"Content-Type": kind},
        body=body.encode(),
    )
    return [state.outbox.send(message) for _ in range(2 if "duplicate" in flaws else 1)]


def _claims(
    state: State, event: str, subject: str, email: str | None, relay: bool, flaws: Collection[str]
) -> dict[str, Any]:
    now = int(state.clock.now())
    name = "never-heard-of" if "unknown_event" in flaws else event
    content: dict[str, Any] = {"type": name, "sub": subject, "event_time": now * 1000}
    if event.startswith("email-"):
        content |= {"email": email or "gone@privaterelay.appleid.com", "is_private_email": str(relay).lower()}
    claims: dict[str, Any] = {
        **{"iss": f"{state.settings.issuer}/apple", "aud": state.settings.apple.client_id, "iat": now},
        **{"jti": secrets.token_urlsafe(16), "events": json.dumps(content)},
    }
    if "events_object" in flaws:  # as the document has it, the time in seconds
        claims["events"] = content | {"event_time": now}
    if "with_exp" in flaws:
        claims["exp"] = now + 86400
    if "no_events" in flaws:
        del claims["events"]
    return claims
