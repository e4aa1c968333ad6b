"""openapi.naver.com: the profile and a look at a token; and what OpenID Connect clients read first."""

import hashlib
from typing import Any

from flask import Blueprint, Response, request

from kakaoauth.sandbox.accounts.errors import NaverApiError
from kakaoauth.sandbox.clock import utc_text
from kakaoauth.sandbox.pages.responses import json_answer
from kakaoauth.sandbox.people.accounts import Account
from kakaoauth.sandbox.people.pictures import picture_of
from kakaoauth.sandbox.state.account_model import AccountToken
from kakaoauth.sandbox.state.context import current_state

bp = Blueprint("naver_api", __name__, url_prefix="/naver")

FAILED = "Authentication failed (인증 실패하였습니다.)"
FIELDS = ("nickname", "name", "email", "gender", "age", "birthday", "birthyear", "mobile")


@bp.get("/v1/nid/me")
def me() -> Response:
    """The profile, wrapped in `response`: what the person gave, as far as there is any. :raise NaverApiError:"""
    token = _bearer()
    person = current_state().accounts["naver"].people[token.person]
    profile = {"id": token.subject} | _profile(person, token)
    return json_answer({"resultcode": "00", "message": "success", "response": profile})


@bp.get("/v1/nid/verify")
def verify() -> Response:
    """Whether a token is good. It does not say for which app. :raise NaverApiError: 024, 028."""
    token = _bearer()
    body: dict[str, Any] = {"resultcode": "00", "message": "success"}
    if request.args.get("info") == "true":
        allowed = ",".join(_given(token))
        expires = utc_text(token.expires_at)
        body["response"] = {"token": token.value, "expire_date": expires, "allowed_profile": allowed}
    return json_answer(body)


@bp.get("/.well-known/openid-configuration")
def discovery() -> Response:
    """As it was seen on 2026-09-08; no revocation address and no end of a session in it."""
    base = f"{current_state().settings.issuer}/naver"
    return json_answer(
        {
            "issuer": base,
            "authorization_endpoint": f"{base}/oauth2/authorize",
            "token_endpoint": f"{base}/oauth2/token",
            "jwks_uri": f"{base}/oauth2/jwks",
            "userinfo_endpoint": f"{base}/v1/nid/me",
            "scopes_supported": ["openid", "profile"],
            "grant_types_supported": ["authorization_code"],
            "response_types_supported": ["code"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "none"],
            "code_challenge_methods_supported": ["S256"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "subject_types_supported": ["pairwise"],
        }
    )


@bp.get("/oauth2/jwks")
def jwks() -> Response:
    """The public signing keys."""
    return json_answer({"keys": current_state().keys("naver").public()})


def _bearer() -> AccountToken:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if not scheme:
        raise NaverApiError("028", "Authentication header not exists (인증헤더가 존재하지 않습니다.)", status=401)
    state = current_state()
    if not state.settings.naver.login_enabled:
        raise NaverApiError("403", "Forbidden (권한이 없습니다.)", status=403)
    with state.reading():
        token = state.accounts["naver"].find_token(value.strip(), "access")
    if scheme.lower() != "bearer" or token is None:
        raise NaverApiError("024", FAILED, status=401)
    return token


def _given(token: AccountToken) -> list[str]:
    """What the person gives this app today; another app's token says what was written into it."""
    state = current_state()
    consent = state.accounts["naver"].consents.get(token.person)
    ours = token.client_id == state.settings.naver.client_id
    return consent.given if ours and consent else token.scopes


def _profile(person: Account, token: AccountToken) -> dict[str, str]:
    values = {name: getattr(person, name) for name in FIELDS if name in _given(token)}
    profile = {name: value for name, value in values.items() if value is not None}
    if "profile_image" in _given(token) and person.picture:
        profile["profile_image"] = _picture(person.key)
    if "mobile" in profile:
        profile["mobile_e164"] = "+82" + profile["mobile"].replace("-", "")[1:]
    return profile


def _picture(key: str) -> str:
    own = current_state().settings.own_pictures
    digest = hashlib.sha256(key.encode()).hexdigest()[:24]
    return f"{own}/{picture_of(key)}" if own else f"https://phinf.pstatic.net/contact/sandbox/{digest}.png"
