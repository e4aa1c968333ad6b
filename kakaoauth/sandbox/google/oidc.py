"""Google's discovery, keys, id_tokens, userinfo and tokeninfo."""

import hashlib
from typing import Any

from flask import Blueprint, Response, request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from kakaoauth.sandbox.accounts.errors import OAuthError
from kakaoauth.sandbox.accounts.proofs import half_hash
from kakaoauth.sandbox.pages.responses import json_answer
from kakaoauth.sandbox.people.accounts import Account
from kakaoauth.sandbox.people.pictures import picture_of
from kakaoauth.sandbox.signing.tokens import payload_of, sign
from kakaoauth.sandbox.state.account_model import AccountToken
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.state.state import State

bp = Blueprint("google_oidc", __name__, url_prefix="/google")

ID_TOKEN_SECONDS = 3600


@bp.get("/.well-known/openid-configuration")
def discovery() -> Response:
    """What OpenID Connect clients read first. There is no end_session_endpoint."""
    base = f"{current_state().settings.issuer}/google"
    return json_answer(
        {
            "issuer": base,
            "authorization_endpoint": f"{base}/o/oauth2/v2/auth",
            "token_endpoint": f"{base}/token",
            "userinfo_endpoint": f"{base}/v1/userinfo",
            "revocation_endpoint": f"{base}/revoke",
            "jwks_uri": f"{base}/oauth2/v3/certs",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "profile"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "claims_supported": [
                *("aud", "email", "email_verified", "exp", "family_name", "given_name", "iat", "iss", "name"),
                *("picture", "sub"),
            ],
            "code_challenge_methods_supported": ["plain", "S256"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "authorization_response_iss_parameter_supported": True,
        }
    )


@bp.get("/oauth2/v3/certs")
def certs() -> Response:
    """The public signing keys, with the time for which they may be kept."""
    keys = {"keys": current_state().keys("google").public()}
    return json_answer(keys, headers={"Cache-Control": "public, max-age=22350, must-revalidate, no-transform"})


def make_id_token(state: State, access: AccountToken, *, nonce: str | None = None, audience: str | None = None) -> str:
    """Sign an id_token. With another `audience` it is a native client's, made for the site's server."""
    now = int(state.clock.now())
    issuer = f"{state.settings.issuer}/google"
    if state.settings.google.short_issuer:
        issuer = issuer.partition("://")[2]
    person = state.accounts["google"].people[access.person]
    claims: dict[str, Any] = {
        **{"iss": issuer, "azp": access.client_id, "aud": audience or access.client_id, "sub": access.subject},
        **_claims(person, access.scopes),
        **{"at_hash": half_hash(access.value), "iat": now, "exp": now + ID_TOKEN_SECONDS},
    }
    if nonce is not None:
        claims["nonce"] = nonce
    return sign(state.keys("google"), "JWT", claims)


@bp.route("/v1/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    """The claims about the bearer. :raise OAuthError: 401."""
    state = current_state()
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    with state.reading():
        token = state.accounts["google"].find_token(value.strip(), "access")
    if scheme.lower() != "bearer" or token is None:
        raise OAuthError("invalid_request", "Invalid Credentials", status=401)
    person = state.accounts["google"].people[token.person]
    claims = {"sub": token.subject} | _claims(person, token.scopes)
    claims.pop("hd", None) if "email" not in token.scopes else None
    return json_answer(claims)


@bp.route("/tokeninfo", methods=["GET", "POST"])
def tokeninfo() -> Response:
    """What a token is: for debugging an id_token, and to see for whom an access token was made. Texts, all of them."""
    sent = request.values
    body = _of_id_token(sent["id_token"]) if sent.get("id_token") else _of_access_token(sent.get("access_token", ""))
    return json_answer({name: _text(value) for name, value in body.items()})


def _of_id_token(text: str) -> dict[str, Any]:
    state = current_state()
    try:
        jwt.decode(text, KeySet(list(state.keys("google").all())), algorithms=["RS256"])
        claims = payload_of(text)
    except (JoseError, ValueError) as error:
        raise OAuthError("invalid_token", "Invalid Value") from error
    if claims["exp"] <= state.clock.now():
        raise OAuthError("invalid_token", "Invalid Value")
    return claims


def _of_access_token(value: str) -> dict[str, Any]:
    state = current_state()
    token = state.accounts["google"].find_token(value, "access")
    if token is None:
        raise OAuthError("invalid_token", "Invalid Value")
    body: dict[str, Any] = {"azp": token.client_id, "aud": token.client_id, "sub": token.subject}
    body["scope"] = " ".join(token.scopes)
    body |= {"exp": token.expires_at, "expires_in": token.expires_at - int(state.clock.now())}
    person = state.accounts["google"].people[token.person]
    if "email" in token.scopes and person.email:
        body |= {"email": person.email, "email_verified": person.email_verified}
    return body | {"access_type": "online"}


def _claims(person: Account, scopes: list[str]) -> dict[str, Any]:
    claims: dict[str, Any] = {}
    if person.hd:
        claims["hd"] = person.hd
    if "email" in scopes and person.email:
        claims |= {"email": person.email, "email_verified": person.email_verified}
    if "profile" in scopes:
        names = {name: getattr(person, name) for name in ("given_name", "family_name")}
        if person.given_name:
            claims |= {"name": person.name} | {name: value for name, value in names.items() if value}
        if person.picture:
            claims["picture"] = _picture(person.key)
    return claims


def _picture(key: str) -> str:
    own = current_state().settings.own_pictures
    digest = hashlib.sha256(key.encode()).hexdigest()[:24]
    return f"{own}/{picture_of(key)}" if own else f"https://lh3.googleusercontent.com/a/sandbox{digest}=s96-c"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
