"""A profile with its tokens as JSON values, to be kept encrypted until the person has agreed."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from kakaoauth.providers.values import EmailState, Profile, TokenSet


def pack(profile: Profile) -> dict[str, Any]:
    """Return JSON values. They hold tokens: encrypt them."""
    packed = asdict(profile) | {
        "fields": {},
        "email_state": profile.email_state.value,
        "confirmed_at": profile.confirmed_at.isoformat(),
    }
    if profile.tokens is not None:
        values = asdict(profile.tokens).items()
        packed["tokens"] = {name: v.isoformat() if isinstance(v, datetime) else v for name, v in values}
    return packed


def unpack(packed: dict[str, Any]) -> Profile:
    """:raises ValueError, KeyError, TypeError: not as `pack` writes it."""
    return Profile(
        **packed
        | {
            "email_state": EmailState(packed["email_state"]),
            "confirmed_at": datetime.fromisoformat(packed["confirmed_at"]),
            "tokens": _tokens(packed["tokens"]) if packed["tokens"] else None,
        }
    )


def _tokens(packed: dict[str, Any]) -> TokenSet:
    ends = packed["refresh_expires_at"]
    return TokenSet(
        packed["access_token"],
        datetime.fromisoformat(packed["expires_at"]),
        packed["refresh_token"],
        datetime.fromisoformat(ends) if ends else None,
    )
