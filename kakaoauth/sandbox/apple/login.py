"""Apple's authorization: /auth/authorize, which returns by a POST from Apple's page."""

import json
import secrets
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from flask import Request, Response

from kakaoauth.sandbox.accounts.errors import LoginPageError
from kakaoauth.sandbox.accounts.flow import Item, LoginFlow
from kakaoauth.sandbox.accounts.pages import login_blueprint
from kakaoauth.sandbox.accounts.proofs import CHALLENGE
from kakaoauth.sandbox.apple.oidc import make_id_token, shown_email
from kakaoauth.sandbox.pages.responses import page, raw_state, redirect_back
from kakaoauth.sandbox.people.accounts import Account
from kakaoauth.sandbox.state.account_model import Consent, LoginRequest, PendingLogin
from kakaoauth.sandbox.state.apple_settings import AppleSettings
from kakaoauth.sandbox.state.context import current_state

ITEMS = {"name": ("이름", "Name"), "email": ("이메일", "E-mail")}
POST_ONLY = "response_mode must be form_post when name or email scope is requested."


class AppleLogin(LoginFlow):
    provider = "apple"
    authorize_paths = ("/auth/authorize",)

    def app_name(self) -> str:
        return _settings().app_name

    def code_seconds(self) -> int:
        return _settings().code_seconds

    def read(self, request: Request) -> LoginRequest:
        settings = _settings()
        sent = _single_values(request)
        # The id of an app is not a client on the web
        if sent.get("client_id") != settings.client_id:
            raise LoginPageError("apple", "invalid_client", sent.get("client_id", ""))
        if not settings.allows_redirect(sent.get("redirect_uri", "")):
            raise LoginPageError("apple", "invalid_request", "Invalid Web redirect url.")
        kinds = sent.get("response_type", "").split()
        if set(kinds) not in ({"code"}, {"code", "id_token"}):
            raise LoginPageError("apple", "invalid_request", "Invalid response type")
        scopes = _scopes(request, sent.get("scope", ""))
        return LoginRequest(
            client_id=settings.client_id,
            redirect_uri=sent["redirect_uri"],
            scopes=scopes,
            state=raw_state(request.query_string),
            nonce=sent.get("nonce"),
            code_challenge=_challenge(sent),
            mode=_mode(sent.get("response_mode", ""), scopes, with_id_token="id_token" in kinds),
            with_id_token="id_token" in kinds,
        )

    def items_to_ask(self, consent: Consent | None, wanted: LoginRequest) -> list[Item]:
        """Name and e-mail are asked for at the first login alone, whatever a later one wants."""
        if consent is not None:
            return []
        return [Item(name, *ITEMS[name]) for name in wanted.scopes if name in ITEMS]

    def agreed(self, person: Account, consent: Consent, wanted: LoginRequest, form: Mapping[str, str]) -> None:
        if "email" in wanted.scopes:
            consent.relay = person.email is not None and "hide_email" in form

    def extra_answer(self, person: Account, consent: Consent, pending: PendingLogin, first: bool) -> dict[str, str]:
        values: dict[str, str] = {}
        if pending.request.with_id_token:
            values["id_token"] = make_id_token(current_state(), person, consent, pending.request, pending.auth_time)
        if first and set(pending.request.scopes) & set(ITEMS):
            values["user"] = _user(person, consent, pending.request)
        return values

    def denied(self) -> dict[str, str]:
        return {"error": "user_cancelled_authorize"}

    def answer(self, wanted: LoginRequest, values: Mapping[str, str]) -> Response:
        if wanted.mode == "query":
            return redirect_back(wanted.redirect_uri, **values, **{"state": wanted.state})
        fields = dict(values) | ({} if wanted.state is None else {"state": wanted.state})
        if wanted.mode == "fragment":
            fragment = urlencode(fields, quote_via=quote, errors="surrogateescape")
            return Response(status=302, headers={"Location": f"{wanted.redirect_uri}#{fragment}"})
        return form_post(wanted.redirect_uri, fields)


def form_post(uri: str, fields: Mapping[str, str]) -> Response:
    """Let the browser send a form to the site by itself: a POST from another site, without its Lax cookies."""
    nonce = secrets.token_urlsafe(16)
    answer = page("account_form_post", provider="apple", uri=uri, fields=fields, nonce=nonce)
    answer.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self'; img-src 'self'; script-src 'nonce-{nonce}'; frame-ancestors 'none'"
    )
    # As with Apple, the site sees where the form comes from
    answer.headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
    return answer


def _settings() -> AppleSettings:
    return current_state().settings.apple


def _single_values(request: Request) -> dict[str, str]:
    for name, values in request.args.lists():
        if len(values) > 1:
            raise LoginPageError("apple", "invalid_request", name)
    return request.args.to_dict()


def _scopes(request: Request, text: str) -> tuple[str, ...]:
    raw = [part for part in request.query_string.decode("latin-1").split("&") if part.startswith("scope=")]
    names = text.split(" ")
    # Apple wants %20 between scopes and takes a plus sign for a part of the name
    if any("+" in part for part in raw) or (text and set(names) - {*ITEMS, "openid"}):
        raise LoginPageError("apple", "invalid_scope", raw[0] if raw else "")
    return tuple(dict.fromkeys(name for name in names if name))


def _mode(text: str, scopes: tuple[str, ...], *, with_id_token: bool) -> str:
    if text not in ("", "query", "fragment", "form_post"):
        raise LoginPageError("apple", "invalid_request", "Invalid response mode")
    mode = text or ("fragment" if with_id_token else "query")
    if scopes and mode != "form_post":
        raise LoginPageError("apple", "invalid_request", POST_ONLY)
    if with_id_token and mode == "query":
        raise LoginPageError("apple", "invalid_request", "Invalid response mode")
    return mode


def _challenge(sent: dict[str, str]) -> str | None:
    challenge = sent.get("code_challenge")
    if challenge is None:
        return None
    if sent.get("code_challenge_method") != "S256" or not CHALLENGE.fullmatch(challenge):
        raise LoginPageError("apple", "invalid_request", "code_challenge")
    return challenge


def _user(person: Account, consent: Consent, wanted: LoginRequest) -> str:
    """Return what comes at the first login only: unsigned, by way of the browser."""
    content: dict[str, object] = {}
    if "name" in wanted.scopes:
        content["name"] = {"firstName": person.given_name or "", "lastName": person.family_name or ""}
    email = shown_email(person, consent)
    if "email" in wanted.scopes and email:
        content["email"] = email
    return json.dumps(content, ensure_ascii=False)


bp = login_blueprint(AppleLogin())
