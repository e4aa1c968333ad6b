"""Cross-Account Protection (RISC): the security events that Google sends, and where their keys are."""

import secrets
from collections.abc import Collection, Sequence
from typing import Any

from flask import Blueprint, Response

from kakaoauth.sandbox.accounts.messages import MessageError, check_flaws
from kakaoauth.sandbox.delivery.outbox import Delivery, Message
from kakaoauth.sandbox.pages.responses import json_answer
from kakaoauth.sandbox.signing.tokens import alter_claims, sign
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.state.state import State

bp = Blueprint("google_events", __name__, url_prefix="/google")

TYPES = "https://schemas.openid.net/secevent"
EVENTS: dict[str, str] = {
    **{
        name: f"{TYPES}/risc/event-type/{name}"
        for name in (
            *("sessions-revoked", "account-disabled", "account-enabled", "account-credential-change-required"),
            *("account-purged", "verification"),
        )
    },
    **{name: f"{TYPES}/oauth/event-type/{name}" for name in ("tokens-revoked", "token-revoked")},
}
REASONS = ("hijacking", "bulk-account")
FLAWS = (
    *("duplicate", "bad_signature", "alg_none", "hs256", "unknown_key", "wrong_audience", "wrong_issuer", "iat_past"),
    *("iat_future", "old_exp", "unknown_event", "unknown_user", "no_events", "events_list", "two_events", "no_reason"),
    *("bulk_account", "other_subject_issuer", "id_token_claims"),
)
NOBODY = "1"  # no user of the sandbox has this id


@bp.get("/.well-known/risc-configuration")
def configuration() -> Response:
    """The issuer, with a slash at its end, and the keys."""
    base = f"{current_state().settings.issuer}/google"
    return json_answer(
        {
            "issuer": f"{base}/",
            "jwks_uri": f"{base}/oauth2/v3/certs",
            "delivery_methods_supported": ["https://schemas.openid.net/secevent/risc/delivery-method/push"],
        }
    )


def send(state: State, event: str, subject: str, flaws: Sequence[str] = ()) -> list[Delivery]:
    """Send a security event token. :raise MessageError: no address, or an unknown word."""
    settings = state.settings.google
    if settings.events_url is None:
        raise MessageError("events_url is not set")
    if event not in EVENTS:
        raise MessageError(f"unknown event: {event[:40]}; known: {', '.join(EVENTS)}")
    check_flaws(flaws, FLAWS)
    claims = _claims(state, event, subject, flaws)
    message = Message(
        *("google", event, subject, "POST", settings.events_url, tuple(flaws)),
        jti=claims["jti"],
        headers={"Content-Type": "application/secevent+jwt", "Accept": "application/json"},
        body=sign(state.keys("google"), "secevent+jwt", alter_claims(claims, flaws), flaws).encode(),
    )
    return [state.outbox.send(message) for _ in range(2 if "duplicate" in flaws else 1)]


def _claims(state: State, event: str, subject: str, flaws: Collection[str]) -> dict[str, Any]:
    issuer, now = f"{state.settings.issuer}/google/", int(state.clock.now())
    about = _subject(state, event, issuer, NOBODY if "unknown_user" in flaws else subject, flaws)
    content: dict[str, Any] = {"state": "sandbox"} if event == "verification" else {"subject": about}
    if event == "account-disabled" and "no_reason" not in flaws:
        content["reason"] = REASONS["bulk_account" in flaws]
    uri = f"{TYPES}/risc/event-type/never-heard-of" if "unknown_event" in flaws else EVENTS[event]
    events: Any = {uri: content}
    if "two_events" in flaws:
        events[EVENTS["tokens-revoked" if event == "sessions-revoked" else "sessions-revoked"]] = {"subject": about}
    if "events_list" in flaws:
        events = [uri]
    claims = {
        **{"iss": issuer, "aud": state.settings.google.client_id, "iat": now},
        **{"jti": secrets.token_hex(16), "events": events},
    }
    if "old_exp" in flaws:  # an event does not stop being true: a receiver must not look at this
        claims["exp"] = now - 86400
    if "no_events" in flaws:
        del claims["events"]
    return claims


def _subject(state: State, event: str, issuer: str, subject: str, flaws: Collection[str]) -> dict[str, Any]:
    if event == "token-revoked":
        return _token_subject(state, subject)
    about: dict[str, Any] = {"subject_type": "iss-sub", "iss": issuer, "sub": subject}
    if "other_subject_issuer" in flaws:
        about["iss"] = "https://issuer.invalid/"
    if "id_token_claims" in flaws:
        about = {"subject_type": "id_token_claims", "iss": issuer.rstrip("/"), "sub": subject, "email": "x@example.com"}
    return about


def _token_subject(state: State, subject: str) -> dict[str, Any]:
    """Name a refresh token by its first characters: whose it is, is not said."""
    tokens = state.accounts["google"].tokens.values()
    found = next((one.value for one in tokens if one.kind == "refresh" and one.subject == subject), "1//0unknown-token")
    return {
        **{"subject_type": "oauth_token", "token_type": "refresh_token"},
        **{"token_identifier_alg": "prefix", "token": found[:16]},
    }
