"""OpenID Connect: discovery, keys, id_tokens and the two addresses that read them back."""

from typing import Any

from flask import Blueprint, Response, request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from kakaoauth.sandbox.errors import KapiError, KauthError
from kakaoauth.sandbox.kakao.authentication import find_caller
from kakaoauth.sandbox.kakao.profile import picture_urls
from kakaoauth.sandbox.pages.responses import json_answer
from kakaoauth.sandbox.people.kakao import Person
from kakaoauth.sandbox.signing.tokens import payload_of
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.state.grants import ACCESS_SECONDS
from kakaoauth.sandbox.state.model import Grant, Link
from kakaoauth.sandbox.state.state import State

bp = Blueprint("oidc", __name__)


@bp.get("/.well-known/openid-configuration")
def discovery() -> Response:
    """What OpenID Connect clients read first."""
    issuer = current_state().settings.issuer
    return json_answer(
        {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/oauth/authorize",
            "token_endpoint": f"{issuer}/oauth/token",
            "userinfo_endpoint": f"{issuer}/v1/oidc/userinfo",
            "jwks_uri": f"{issuer}/.well-known/jwks.json",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "request_uri_parameter_supported": False,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "claims_supported": [
                "iss",
                "aud",
                "sub",
                "auth_time",
                "exp",
                "iat",
                "nonce",
                "nickname",
                "picture",
                "email",
            ],
        }
    )


@bp.get("/.well-known/ssf-configuration")
@bp.get("/.well-known/sse-configuration")
def events_discovery() -> Response:
    """Where the keys for the account-status webhooks are; both the newer and the older name."""
    issuer = current_state().settings.issuer
    push = "http://schemas.openid.net/secevent/risc/delivery-method/push"
    return json_answer(
        {"issuer": issuer, "jwks_uri": f"{issuer}/.well-known/jwks.json", "delivery_methods_supported": push}
    )


@bp.get("/.well-known/jwks.json")
def jwks() -> Response:
    """The public signing keys; none while they are hidden."""
    return json_answer({"keys": current_state().keys().public()})


def make_id_token(state: State, grant: Grant, *, nonce: str | None) -> str:
    """Sign an id_token for the grant's person. The e-mail is in it only when it can be trusted."""
    now = int(state.clock.now())
    person, link = state.people[grant.person], state.links[grant.person]
    claims: dict[str, Any] = {
        "aud": state.settings.client_id,
        "sub": str(link.user_id),
        "auth_time": grant.auth_time,
        "iss": state.settings.issuer,
        "exp": now + ACCESS_SECONDS,
        "iat": now,
    }
    if nonce is not None:
        claims["nonce"] = nonce
    claims |= _names(link, state, nickname=person.nickname, picture=person.picture)
    if _trusted_email(person, link, state):
        claims["email"] = person.email
    key = state.keys().signing_key()
    return jwt.encode({"alg": "RS256", "kid": key.kid, "typ": "JWT"}, claims, key, algorithms=["RS256"])


@bp.get("/v1/oidc/userinfo")
def userinfo() -> Response:
    """The claims about the bearer's user. :raise KapiError:"""
    state = current_state()
    if not state.settings.oidc:
        raise KapiError(-3, "OpenID Connect is not switched on for this app", status=403)
    caller = find_caller(admin_allowed=False)
    person, link = caller.person, caller.link
    # Nickname and picture as they were stored when the person linked, unlike user/me
    body: dict[str, Any] = {"sub": str(link.user_id)}
    body |= _names(link, state, nickname=link.nickname, picture=link.picture)
    given = {item.id for item in state.settings.consent_items} & set(link.agreed)
    if "name" in given and person.name:
        body["name"] = person.name
    if "account_email" in given and person.email:
        body["email"] = person.email
        body["email_verified"] = person.email_valid and person.email_verified
    if "gender" in given and person.gender:
        body["gender"] = person.gender
    if "phone_number" in given and person.phone_number:
        body |= {"phone_number": person.phone_number, "phone_number_verified": True}
    birthdate = _birthdate(person, given)
    return json_answer(body | ({"birthdate": birthdate} if birthdate else {}))


@bp.post("/oauth/tokeninfo")
def tokeninfo() -> Response:
    """Return the payload of an id_token that this sandbox signed and that is still valid."""
    state = current_state()
    text = request.form.get("id_token", "")
    claims = _unverified_claims(text)
    if claims.get("iss") != state.settings.issuer:
        raise KauthError("invalid_token", "issuer mismatch", "KOE401")
    try:
        jwt.decode(text, KeySet(list(state.keys().all())), algorithms=["RS256"])
    except (JoseError, ValueError) as error:
        raise KauthError("invalid_token", "invalid signature", "KOE402") from error
    if not isinstance(claims.get("exp"), int) or claims["exp"] <= state.clock.now():
        raise KauthError("invalid_token", "expired id_token", "KOE403")
    return json_answer(claims)


def _unverified_claims(text: str) -> dict[str, Any]:
    try:
        return payload_of(text)
    except ValueError as error:
        raise KauthError("invalid_token", "id_token is missing or malformed", "KOE400") from error


def _names(link: Link, state: State, *, nickname: str, picture: bool) -> dict[str, str]:
    """Return nickname and picture as far as agreed; the old combined item brings both."""
    given = {item.id for item in state.settings.consent_items} & set(link.agreed)
    names: dict[str, str] = {}
    if given & {"profile_nickname", "profile"}:
        names["nickname"] = nickname
    if given & {"profile_image", "profile"}:
        names["picture"] = picture_urls(link.person, picture, state.settings)[0]
    return names


def _trusted_email(person: Person, link: Link, state: State) -> bool:
    configured = state.settings.find_item("account_email") is not None
    return bool(
        configured and "account_email" in link.agreed and person.email and person.email_valid and person.email_verified
    )


def _birthdate(person: Person, given: set[str]) -> str | None:
    year = person.birthyear if "birthyear" in given else None
    day = person.birthday if "birthday" in given else None
    if day:
        return f"{year or '0000'}-{day[:2]}-{day[2:]}"
    return year
