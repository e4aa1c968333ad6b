"""Read the query of GET /oauth/authorize and decide whether it is acceptable."""

import re

from flask import Request
from werkzeug.datastructures import MultiDict

from kakaoauth.sandbox.errors import PageError
from kakaoauth.sandbox.pages.responses import raw_state
from kakaoauth.sandbox.state.model import AuthorizationRequest
from kakaoauth.sandbox.state.settings import SandboxSettings

PROMPTS = frozenset({"login", "none", "create", "select_account"})
# RFC 7636: a SHA-256 in base64url without padding is 43 characters
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def single_values(query: MultiDict[str, str]) -> dict[str, str]:
    """Return the parameters as a dict. :raise PageError: KOE001 when one was sent twice (RFC 6749, 3.1)."""
    for name, values in query.lists():
        if len(values) > 1:
            raise PageError("KOE001", f"{name} × {len(values)}")
    return query.to_dict()


def require(query: dict[str, str], *names: str) -> None:
    """Pass a query that has all of them. :raise PageError: KOE207."""
    missing = [name for name in names if not query.get(name)]
    if missing:
        raise PageError("KOE207", ", ".join(missing))


def split_list(text: str) -> list[str]:
    """Split at commas (Kakao's documents) or spaces (its SDKs and every generic library)."""
    return [part for part in re.split(r"[,\s]+", text) if part]


def read(request: Request, settings: SandboxSettings) -> AuthorizationRequest:
    """Check everything a console or a developer can get wrong. :raise PageError: never a redirect."""
    query = single_values(request.args)
    require(query, "client_id", "redirect_uri", "response_type")
    check_client(query["client_id"], settings)
    if not settings.login_enabled:
        raise PageError("KOE004")
    if query["redirect_uri"] not in settings.redirect_uris:
        raise PageError("KOE006", query["redirect_uri"])
    _check_response_type(query["response_type"])
    if query.get("channel_public_id"):
        raise PageError("KOE102", "Required PLUS_FRIENDS_ON_AGREEMENT_SUPPORTED permission")
    names = split_list(query.get("scope", ""))
    return AuthorizationRequest(
        redirect_uri=query["redirect_uri"],
        items=_read_items(names, settings) if names else None,
        openid="openid" in names,
        prompts=_read_prompts(query.get("prompt", "")),
        state=raw_state(request.query_string),
        nonce=query.get("nonce"),
        code_challenge=_read_challenge(query),
        login_hint=query.get("login_hint"),
        terms=tuple(split_list(query["service_terms"])) if query.get("service_terms") else None,
    )


def check_client(client_id: str, settings: SandboxSettings) -> None:
    """Pass the app's REST API key. :raise PageError: KOE101."""
    if client_id != settings.client_id:
        raise PageError("KOE101", f"client_id: {client_id}")


def _check_response_type(value: str) -> None:
    if value == "token":
        raise PageError("KOE202", "response_type: token")
    if value != "code":
        raise PageError("KOE201", f"Unsupported response type: {value}")


def _read_items(names: list[str], settings: SandboxSettings) -> tuple[str, ...]:
    known = {item.id for item in settings.consent_items} | ({"openid"} if settings.oidc else set())
    unknown = [name for name in names if name not in known]
    if unknown:
        raise PageError("KOE205", f"설정하지 않은 동의 항목: {', '.join(unknown)}")
    return tuple(dict.fromkeys(name for name in names if name != "openid"))


def _read_prompts(text: str) -> frozenset[str]:
    prompts = frozenset(split_list(text))
    # "none" forbids every page, the others ask for one: OpenID Connect 3.1.2.1 calls the mixture an error
    if prompts - PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise PageError("KOE204", f"prompt: {text}")
    return prompts


def _read_challenge(query: dict[str, str]) -> str | None:
    challenge, method = query.get("code_challenge"), query.get("code_challenge_method")
    if challenge is None and method is None:
        return None
    # "plain" (also the default when no method is sent) would show the verifier to everybody who sees this address
    if method != "S256":
        raise PageError("KOE204", f"code_challenge_method: {method or 'plain'}")
    if challenge is None or not CHALLENGE.fullmatch(challenge):
        raise PageError("KOE204", "code_challenge")
    return challenge
