"""Apple's discovery, keys and id_tokens. There is no userinfo."""

import hashlib
from typing import Any

from flask import Blueprint, Response

from kakaoauth.sandbox.accounts.proofs import half_hash
from kakaoauth.sandbox.pages.responses import json_answer
from kakaoauth.sandbox.people.accounts import Account
from kakaoauth.sandbox.signing.tokens import sign
from kakaoauth.sandbox.state.account_model import Consent, LoginRequest
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.state.state import State

bp = Blueprint("apple_oidc", __name__, url_prefix="/apple")

RELAY = "privaterelay.appleid.com"


@bp.get("/.well-known/openid-configuration")
def discovery() -> Response:
    """What OpenID Connect clients read first. On 2025-06-11 the real one named another issuer than its tokens."""
    base = f"{current_state().settings.issuer}/apple"
    return json_answer(
        {
            "issuer": base,
            "authorization_endpoint": f"{base}/auth/authorize",
            "token_endpoint": f"{base}/auth/token",
            "revocation_endpoint": f"{base}/auth/revoke",
            "jwks_uri": f"{base}/auth/keys",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "name"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "claims_supported": [
                *("aud", "email", "email_verified", "exp", "iat", "is_private_email", "iss", "nonce"),
                *("nonce_supported", "real_user_status", "sub", "transfer_sub"),
            ],
        }
    )


@bp.get("/auth/keys")
def keys() -> Response:
    """The public signing keys, several at once."""
    return json_answer({"keys": current_state().keys("apple").public()})


def make_id_token(
    state: State,
    person: Account,
    consent: Consent,
    asked: LoginRequest,
    auth_time: int,
    *,
    access_token: str | None = None,
    first: bool = False,
) -> str:
    """Sign an id_token; the e-mail is in every one of them, if it was given."""
    settings, now = state.settings.apple, int(state.clock.now())
    claims: dict[str, Any] = {
        **{"iss": f"{state.settings.issuer}/apple", "aud": asked.client_id, "sub": consent.subject},
        **{"iat": now, "exp": now + settings.id_token_seconds, "auth_time": auth_time, "nonce_supported": True},
    }
    if access_token is not None:
        claims["at_hash"] = half_hash(access_token)
    if asked.nonce is not None:
        claims["nonce"] = asked.nonce
    email = shown_email(person, consent)
    if email and consent.items.get("email"):
        claims |= {"email": email, "email_verified": _flag(state, consent.relay or person.email_verified)}
        if consent.relay:
            claims["is_private_email"] = _flag(state, True)
    if first and asked.client_id in settings.app_ids:
        claims["real_user_status"] = 2
    return sign(state.keys("apple"), "JWT", claims)


def shown_email(person: Account, consent: Consent) -> str | None:
    """Return the address that the site gets: the person's own, or one that leads to it."""
    if person.email is None or not consent.relay:
        return person.email
    return f"{hashlib.sha256(person.subject.encode()).hexdigest()[:10]}@{RELAY}"


def _flag(state: State, value: bool) -> bool | str:
    return str(value).lower() if state.settings.apple.texts_for_flags else value
