"""Google's authorization: /o/oauth2/v2/auth."""

import re

from flask import Request

from kakaoauth.sandbox.accounts.errors import LoginPageError
from kakaoauth.sandbox.accounts.flow import Item, LoginFlow
from kakaoauth.sandbox.accounts.pages import login_blueprint
from kakaoauth.sandbox.accounts.proofs import CHALLENGE
from kakaoauth.sandbox.pages.responses import raw_state
from kakaoauth.sandbox.people.accounts import Account
from kakaoauth.sandbox.state.account_model import Consent, LoginRequest, PendingLogin
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.state.google_settings import GoogleSettings

# Scope -> (long name, Korean, English)
SCOPES: dict[str, tuple[str, str, str]] = {
    "openid": ("openid", "Google 계정으로 본인 확인", "Confirm who you are on Google"),
    "email": ("https://www.googleapis.com/auth/userinfo.email", "이메일 주소", "E-mail address"),
    "profile": ("https://www.googleapis.com/auth/userinfo.profile", "이름 및 프로필 사진", "Name and profile picture"),
}
PROMPTS = frozenset({"none", "consent", "select_account"})
# Browsers inside other apps, which Google refuses: no person can see whose page they type a password into
EMBEDDED = re.compile(r"KAKAOTALK|NAVER\(inapp|Instagram|FBAN|FBAV|Line/|DaumApps|; wv\)", re.IGNORECASE)


class GoogleLogin(LoginFlow):
    provider = "google"
    authorize_paths = ("/o/oauth2/v2/auth",)

    def app_name(self) -> str:
        return _settings().app_name

    def code_seconds(self) -> int:
        return _settings().code_seconds

    def read(self, request: Request) -> LoginRequest:
        settings = _settings()
        if EMBEDDED.search(request.headers.get("User-Agent", "")):
            raise LoginPageError("google", "disallowed_useragent", status=403)
        sent = _single_values(request)
        if sent.get("client_id") != settings.client_id:
            raise LoginPageError("google", "invalid_client", "The OAuth client was not found.", status=401)
        for name in ("redirect_uri", "response_type", "scope"):
            if not sent.get(name):
                raise LoginPageError("google", "invalid_request", f"Required parameter is missing: {name}")
        if sent["redirect_uri"] not in settings.redirect_uris:
            raise LoginPageError("google", "redirect_uri_mismatch", sent["redirect_uri"])
        if sent["response_type"] != "code" or sent.get("response_mode", "query") != "query":
            raise LoginPageError("google", "unsupported_response_type", "the sandbox knows code and query only")
        return LoginRequest(
            client_id=settings.client_id,
            redirect_uri=sent["redirect_uri"],
            scopes=_scopes(sent["scope"]),
            state=raw_state(request.query_string),
            nonce=sent.get("nonce"),
            code_challenge=_challenge(sent),
            plain=sent.get("code_challenge_method", "plain") == "plain",
            prompts=_prompts(sent.get("prompt", "")),
            offline=sent.get("access_type") == "offline",
            hint=sent.get("login_hint", ""),
        )

    def shows_chooser(self, wanted: LoginRequest) -> bool:
        return "select_account" in wanted.prompts

    def refusal_in_advance(self, wanted: LoginRequest, person: Account | None, asked: bool) -> dict[str, str] | None:
        if "none" not in wanted.prompts:
            return None
        if person is None:
            return {"error": "login_required"}
        return {"error": "consent_required"} if asked else None

    def check_person(self, person: Account) -> None:
        settings = _settings()
        if settings.internal is not None and person.hd != settings.internal:
            raise LoginPageError("google", "org_internal", person.key, status=403)
        if settings.testing and person.key not in settings.testers:
            raise LoginPageError("google", "access_denied", person.key, status=403)

    def items_to_ask(self, consent: Consent | None, wanted: LoginRequest) -> list[Item]:
        had = consent.given if consent and "consent" not in wanted.prompts else []
        return [Item(name, *SCOPES[name][1:]) for name in wanted.scopes if name not in had]

    def extra_answer(self, person: Account, consent: Consent, pending: PendingLogin, first: bool) -> dict[str, str]:
        granted = [SCOPES[name][0] for name in pending.request.scopes if name in consent.given]
        values = {"scope": " ".join(granted), "authuser": "0"}
        if person.hd:
            values["hd"] = person.hd
        values["prompt"] = "consent" if first or "consent" in pending.request.prompts else "none"
        if _settings().iss_parameter:
            values["iss"] = f"{current_state().settings.issuer}/google"
        return values


def _settings() -> GoogleSettings:
    return current_state().settings.google


def _single_values(request: Request) -> dict[str, str]:
    for name, values in request.args.lists():
        if len(values) > 1:
            raise LoginPageError(
                "google", "invalid_request", f"OAuth 2 parameters can only have a single value: {name}"
            )
    return request.args.to_dict()


def _scopes(text: str) -> tuple[str, ...]:
    short = {long: name for name, (long, _, _) in SCOPES.items()}
    names = [short.get(part, part) for part in text.split(" ") if part]
    unknown = [name for name in names if name not in SCOPES]
    if unknown:
        raise LoginPageError("google", "invalid_scope", " ".join(unknown))
    if "openid" in names and names[0] != "openid":
        raise LoginPageError("google", "invalid_scope", "the scope must begin with openid")
    return tuple(dict.fromkeys(names))


def _prompts(text: str) -> frozenset[str]:
    prompts = frozenset(text.split())
    if prompts - PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise LoginPageError("google", "invalid_request", f"Invalid parameter value for prompt: {text}")
    return prompts


def _challenge(sent: dict[str, str]) -> str | None:
    challenge, method = sent.get("code_challenge"), sent.get("code_challenge_method", "plain")
    if method not in ("plain", "S256") or (challenge is not None and not CHALLENGE.fullmatch(challenge)):
        raise LoginPageError("google", "invalid_request", "code_challenge")
    return challenge


bp = login_blueprint(GoogleLogin())
