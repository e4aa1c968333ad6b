"""Faults that change the real answer on its way out."""

import json
from collections.abc import Callable
from typing import Any

from flask import Response

from kakaoauth.sandbox.faults.active import ActiveFault
from kakaoauth.sandbox.signing.tokens import alter_claims, another_text, payload_of, sign
from kakaoauth.sandbox.state.state import State

# What is left out when nothing is named
OMITTED: dict[str, tuple[str, ...]] = {
    "user_me": ("kakao_account", "properties"),  # Kakao under stress: the id alone
    "token": ("access_token",),
    "refresh": ("access_token",),
    "access_token_info": ("app_id",),
    "userinfo": ("sub",),
    "discovery": ("token_endpoint",),
    "jwks": ("keys",),
    "ids": ("elements",),
    "scopes": ("scopes",),
    "revoke_scopes": ("scopes",),
    "tokeninfo": ("sub",),
    "graph_token": ("access_token",),
    "graph_user": ("name", "email", "picture"),
    "graph_debug_token": ("data.user_id",),
    "graph_permissions": ("data",),
    "naver_token": ("access_token",),
    "naver_oidc_token": ("access_token",),
    "naver_me": ("response.name", "response.email", "response.nickname", "response.profile_image"),
    "google_token": ("access_token",),
    "google_userinfo": ("sub",),
    "google_tokeninfo": ("aud", "azp"),
    "apple_token": ("access_token",),
    **dict.fromkeys(("naver_jwks", "google_jwks", "apple_jwks"), ("keys",)),
    **dict.fromkeys(("naver_discovery", "google_discovery", "apple_discovery"), ("token_endpoint",)),
    "google_risc": ("jwks_uri",),
}


def change_answer(active: ActiveFault, response: Response, state: State) -> None:
    """Change the answer in place; refusals stay as they are, except for length and type."""
    if active.fault == "truncated":
        content = response.get_data()
        response.set_data(content[: len(content) // 2])
    elif active.fault == "wrong_content_type":
        response.content_type = "text/plain"
    elif response.status_code == 200 and response.is_json:
        _change_body(active, response, state)


def _change_body(active: ActiveFault, response: Response, state: State) -> None:
    body = response.get_json()
    if active.fault.startswith("id_token_"):
        _change_id_token(body, active.fault.removeprefix("id_token_"), state, active.endpoint.partition("_")[0])
    elif active.fault == "omit_fields":
        for path in active.fields or OMITTED.get(active.endpoint, ("id",)):
            _omit(body, path.split("."))
    elif active.fault in CHANGES:
        body = CHANGES[active.fault](body)
    response.set_data(json.dumps(body, ensure_ascii=False, separators=(",", ":")))


def _change_id_token(body: dict[str, Any], flaw: str, state: State, provider: str) -> None:
    if "id_token" not in body:
        return
    if flaw == "missing":
        del body["id_token"]
    else:
        claims = alter_claims(payload_of(body["id_token"]), {flaw})
        body["id_token"] = sign(state.keys(provider), "JWT", claims, {flaw})


def _omit(body: Any, path: list[str]) -> None:
    for name in path[:-1]:
        body = body.get(name) if isinstance(body, dict) else None
    if isinstance(body, dict):
        body.pop(path[-1], None)


def _other_id(body: dict[str, Any]) -> dict[str, Any]:
    if "data" in body:
        return body | {"data": _next(body["data"], "user_id")}
    if "response" in body:
        return body | {"response": _next(body["response"], "id")}
    return _next(body, "sub" if "sub" in body else "id")


def _other_app(body: dict[str, Any]) -> dict[str, Any]:
    if "data" in body:
        return body | {"data": _next(body["data"], "app_id")}
    if "aud" in body:
        return body | dict.fromkeys(("aud", "azp"), "somebody-elses-client")
    return _next(body, "app_id")


def _next(body: dict[str, Any], name: str) -> dict[str, Any]:
    """Raise a number by one; one that is written as a text stays a text. Other texts are changed at their end."""
    if name not in body:
        return body
    if isinstance(body[name], str) and not body[name].isdecimal():
        return body | {name: another_text(body[name])}
    return body | {name: type(body[name])(int(body[name]) + 1)}


def _wrong_types(value: Any, *, top: bool = True) -> Any:
    """Put another type in every place, one level deep in what stays an object."""
    if isinstance(value, dict):
        return {name: _wrong_types(inner, top=False) for name, inner in value.items()} if top else [value]
    if isinstance(value, bool):
        return "yes"
    if isinstance(value, str):
        return 7
    if isinstance(value, int | float):
        return "seven"
    return {} if isinstance(value, list) else 0


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "wrong_types": _wrong_types,
    "other_id": _other_id,
    "other_app": _other_app,
    "other_issuer": lambda body: body | {"issuer": "https://issuer.invalid"},
}
