"""Naver's authorization: /oauth2.0/authorize (OAuth 2.0) and /oauth2/authorize (OpenID Connect)."""

from flask import Request, request

from kakaoauth.sandbox.accounts.errors import LoginPageError
from kakaoauth.sandbox.accounts.flow import Item, LoginFlow
from kakaoauth.sandbox.accounts.pages import login_blueprint
from kakaoauth.sandbox.accounts.proofs import CHALLENGE
from kakaoauth.sandbox.kakao.authorization_request import split_list
from kakaoauth.sandbox.people.accounts import Account
from kakaoauth.sandbox.state.account_model import Consent, LoginRequest
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.state.naver_settings import ITEMS, NaverSettings

AUTH_TYPES = frozenset({"reprompt", "reauthenticate", "autologin"})
IN_APP = "NAVER(inapp; search;"


class NaverLogin(LoginFlow):
    provider = "naver"
    authorize_paths = ("/oauth2.0/authorize", "/oauth2/authorize")
    authorize_methods = ("GET", "POST")

    def app_name(self) -> str:
        return _settings().app_name

    def code_seconds(self) -> int:
        return _settings().code_seconds

    def read(self, request: Request) -> LoginRequest:
        settings, oidc = _settings(), request.path.endswith("/oauth2/authorize")
        sent = {name: values[-1] for name, values in request.values.lists()}
        if sent.get("client_id") != settings.client_id:
            raise LoginPageError("naver", "naver_client", sent.get("client_id", ""))
        if sent.get("redirect_uri", "") not in settings.redirect_uris:
            raise LoginPageError("naver", "naver_redirect", sent.get("redirect_uri", ""))
        if sent.get("response_type") != "code":
            raise LoginPageError("naver", "invalid_request", "response_type")
        if not sent.get("state"):
            raise LoginPageError("naver", "invalid_request", "state")
        if oidc and "openid" not in sent.get("scope", "").split():
            raise LoginPageError("naver", "invalid_scope", sent.get("scope", ""))
        return LoginRequest(
            client_id=settings.client_id,
            redirect_uri=sent["redirect_uri"],
            scopes=tuple(sent.get("scope", "").split()) if oidc else (),
            state=sent["state"],
            nonce=sent.get("nonce") if oidc else None,
            # The older addresses do not know PKCE: what is sent there has no effect
            code_challenge=_challenge(sent) if oidc else None,
            oidc=oidc,
            prompts=frozenset(split_list(sent.get("auth_type", ""))) & AUTH_TYPES,
        )

    def shows_chooser(self, wanted: LoginRequest) -> bool:
        return "reauthenticate" in wanted.prompts

    def refusal_in_advance(self, wanted: LoginRequest, person: Account | None, asked: bool) -> dict[str, str] | None:
        """`autologin` shows no page, and works inside Naver's own app only."""
        if "autologin" not in wanted.prompts:
            return None
        if IN_APP not in request.headers.get("User-Agent", ""):
            return {"error": "access_denied", "error_description": "unsupported browser environment."}
        if person is None:
            return {"error": "access_denied", "error_description": "user not logged in."}
        return {"error": "access_denied", "error_description": "need user consent."} if asked else None

    def check_person(self, person: Account) -> None:
        settings = _settings()
        if not settings.reviewed and person.key not in settings.testers:
            raise LoginPageError("naver", "naver_tester", person.key)

    def items_to_ask(self, consent: Consent | None, wanted: LoginRequest) -> list[Item]:
        had = consent.items if consent else {}
        again = "reprompt" in wanted.prompts
        return [
            Item(name, *ITEMS[name], required=level == "required")
            for name, level in _settings().items.items()
            if name not in had or (again and not had[name])
        ]

    def denied(self) -> dict[str, str]:
        return {"error": "access_denied", "error_description": "Canceled By User"}


def _settings() -> NaverSettings:
    return current_state().settings.naver


def _challenge(sent: dict[str, str]) -> str | None:
    challenge = sent.get("code_challenge")
    if challenge is None:
        return None
    if sent.get("code_challenge_method") != "S256" or not CHALLENGE.fullmatch(challenge):
        raise LoginPageError("naver", "invalid_request", "code_challenge")
    return challenge


bp = login_blueprint(NaverLogin())
