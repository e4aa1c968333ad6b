"""A login without pages: what an app gets from Naver's, Google's or Apple's SDK."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from kakaoauth.sandbox.apple.token import answer_exchange as apple_answer
from kakaoauth.sandbox.google.oidc import make_id_token as google_id_token
from kakaoauth.sandbox.google.token import answer_exchange as google_answer
from kakaoauth.sandbox.naver.token import answer_exchange as naver_answer
from kakaoauth.sandbox.people.accounts import Account
from kakaoauth.sandbox.state.account_model import AccountCode, LoginRequest
from kakaoauth.sandbox.state.state import State

ANSWERS: dict[str, Callable[[AccountCode, State], dict[str, Any]]] = {
    "naver": naver_answer,
    "google": google_answer,
    "apple": apple_answer,
}
ITEMS = {"google": ("openid", "email", "profile"), "apple": ("name", "email")}


class AppLoginError(ValueError):
    """Nobody can log in like this."""


@dataclass(frozen=True)
class AppLogin:
    """What the app asked its SDK for. `client_id`: the app's own, where it has one."""

    client_id: str = ""
    redirect_uri: str = ""
    nonce: str | None = None
    state: str | None = None
    code_challenge: str | None = None
    without: Collection[str] = ()
    oidc: bool = False  # Naver: by the newer addresses
    hide: bool | None = None  # Apple: hide the address


def log_in(state: State, provider: str, person: Account, asked: AppLogin, *, as_code: bool) -> dict[str, Any]:
    """Agree to everything but `without`; return a code, or the token endpoint's answer.

    :raise AppLoginError: the app or its address is unknown. The caller holds the lock.
    """
    settings, store = getattr(state.settings, provider), state.accounts[provider]
    client_id = asked.client_id or settings.client_id
    if client_id not in known_clients(state, provider):
        raise AppLoginError("client_id: not one of this app's")
    if asked.redirect_uri and asked.redirect_uri not in settings.redirect_uris:
        raise AppLoginError("redirect_uri: not registered in the console")
    items = ITEMS.get(provider) or tuple(state.settings.naver.items)
    first = person.key not in store.consents
    consent = store.agree(person, {item: item not in asked.without for item in items})
    if provider == "apple" and first:
        consent.relay = person.hides_email if asked.hide is None else asked.hide
    # To a native app Google gives an id_token for the site's server: its audience is the site
    audience = settings.client_id if provider == "google" else client_id
    wanted = LoginRequest(
        client_id=audience,
        redirect_uri=asked.redirect_uri,
        scopes=items if provider != "naver" else ("openid",) if asked.oidc else (),
        state=asked.state,
        nonce=asked.nonce,
        code_challenge=asked.code_challenge,
        oidc=asked.oidc or provider != "naver",
    )
    now = int(state.clock.now())
    code = store.add_code(person.key, wanted, auth_time=now, seconds=settings.code_seconds, first=first)
    if as_code:
        return {"code": code.value}
    code.used = True
    body = ANSWERS[provider](code, state)
    if provider == "google" and client_id != audience:
        access = store.tokens[body["access_token"]]
        access.client_id = client_id
        body["id_token"] = google_id_token(state, access, nonce=asked.nonce, audience=audience)
    return body


def foreign_tokens(state: State, provider: str, person: Account, client_id: str, nonce: str | None) -> dict[str, Any]:
    """Return what another developer's app gets for the same person: at Naver another id, at Google the same.

    The caller holds the lock.
    """
    store = state.accounts[provider]
    if person.key not in store.consents:
        store.agree(person, {})
    items = ITEMS.get(provider) or ("name", "email", "nickname", "profile_image")
    subject = person.subject if provider == "google" else f"other-{person.subject}"[:64]
    wanted = LoginRequest(client_id=client_id, redirect_uri="", scopes=items, nonce=nonce)
    code = AccountCode("", person.key, wanted, int(state.clock.now()), 0)
    consent = store.consents[person.key]
    ours = consent.subject, dict(consent.items)
    consent.subject, consent.items = subject, dict.fromkeys(items, True)
    try:
        body = ANSWERS[provider](code, state)
    finally:
        consent.subject, consent.items = ours
    for token in store.tokens.values():
        if token.value in (body["access_token"], body.get("refresh_token")):
            token.client_id = client_id
    if provider == "naver":
        body.pop("id_token")
    return body


def known_clients(state: State, provider: str) -> tuple[str, ...]:
    """Return the client ids that belong to the one app."""
    if provider == "google":
        return (state.settings.google.client_id, *state.settings.google.app_client_ids)
    if provider == "apple":
        return (state.settings.apple.client_id, *state.settings.apple.app_ids)
    return (state.settings.naver.client_id,)
