"""The security event tokens (RFC 8417) with which Kakao tells that an account has changed."""

import secrets
from collections.abc import Collection, Sequence
from typing import Any

OPENID = "https://schemas.openid.net/secevent"
# Kakao's event types: name -> URI
EVENTS: dict[str, str] = {
    **{
        name: f"{OPENID}/oauth/event-type/{name}"
        for name in (
            *("user-linked", "user-unlinked", "user-scope-consent", "user-scope-withdraw"),
            *("token-issued", "token-revoked", "tokens-revoked"),
        )
    },
    **{
        name: f"{OPENID}/risc/event-type/{name}"
        for name in (
            *("account-credential-change-required", "account-disabled", "account-enabled", "account-purged"),
            *("credential-compromise", "identifier-changed", "identifier-recycled", "sessions-revoked"),
        )
    },
    **{name: f"{OPENID}/caep/event-type/{name}" for name in ("assurance-level-change", "credential-change")},
    "user-profile-changed": "https://schemas.kakao.com/platevent/kakao/event-type/user-profile-changed",
}
SCOPE_EVENTS = frozenset({"user-scope-consent", "user-scope-withdraw"})
REFERRERS = (
    *("UNLINK_FROM_APPS", "UNLINK_FROM_ADMIN", "ACCOUNT_DELETE", "FORCED_ACCOUNT_DELETE", "INCOMPLETE_SIGN_UP"),
    *("REVOKE_ACCOUNT_SERVICE_TERMS", "UNLINK_FROM_SERVICE"),
)
NOBODY = "1"  # no user of the sandbox has this id

# Made in the claims; the others of EVENT_FLAWS are made by signing/tokens.py, `duplicate` by sending twice
EVENT_FLAWS = (
    *("duplicate", "bad_signature", "alg_none", "hs256", "unknown_key", "wrong_typ", "wrong_audience", "wrong_issuer"),
    *("iat_past", "iat_future", "unknown_event", "unknown_user", "no_events", "events_list", "two_events"),
)
UNLINK_FLAWS = ("duplicate", "no_key", "wrong_key", "wrong_app", "unknown_user", "unknown_referrer", "no_user")


def event_claims(
    *,
    issuer: str,
    audience: str,
    app_id: int,
    now: int,
    name: str,
    user_id: str,
    reason: str,
    scopes: Sequence[str],
    flaws: Collection[str] = (),
) -> dict[str, Any]:
    """Return the claims of one event. There is no `exp`: an event does not stop being true."""
    subject = NOBODY if "unknown_user" in flaws else user_id
    event: dict[str, Any] = {"subject": {"subject_type": "iss-sub", "iss": issuer, "sub": subject}}
    if name == "user-unlinked":
        event["reason"] = reason
    if name in SCOPE_EVENTS:
        event["scopes"] = list(scopes)
    uri = f"{OPENID}/oauth/event-type/never-heard-of" if "unknown_event" in flaws else EVENTS[name]
    events: Any = {uri: event}
    if "two_events" in flaws:
        events[EVENTS["tokens-revoked"]] = {"subject": event["subject"]}
    if "events_list" in flaws:
        events = [uri]
    claims = {
        **{"iss": issuer, "aud": audience, "sub": subject, "app_id": str(app_id), "iat": now, "toe": now},
        **{"txm": secrets.token_hex(6), "jti": secrets.token_hex(16), "events": events},
    }
    if "no_events" in flaws:
        del claims["events"]
    return claims
