"""The only file that knows how Kakao Login goes (https://developers.kakao.com/docs/ko/kakaologin/rest-api)."""

import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from authlib.integrations.flask_client import FlaskOAuth2App, OAuth
from flask.config import Config
from requests import Response

from kakaoauth.emails import normal_form
from kakaoauth.errors import PROVIDER_LABELS, AppError, ProviderUnavailable, UntrustedIdentity
from kakaoauth.providers import kakao_errors, oidc
from kakaoauth.providers.base import PendingLogin, Profile
from kakaoauth.providers.http import Line, Session, line_for, read_json
from kakaoauth.providers.kakao_profile import fill_gaps, read_claims, read_profile
from kakaoauth.providers.pending import StateData

#: Consent items whose values stand in `/v2/user/me` only.
ONLY_IN_USER_ME = frozenset(("name", "gender", "age_range", "birthyear", "birthday"))
#: Korea has had no summer time since 1988, and the zone database may be missing on a bare machine.
KOREA = timedelta(hours=9)


class KakaoSession(Session):
    """Reads Kakao's answers instead of Authlib, which would drop `error_code` and crash on an odd `expires_in`."""

    def parse_response_token(self, resp: Response) -> dict[str, Any]:
        token = read_token(resp)
        self.token = token
        return token


class KakaoApp(FlaskOAuth2App):
    """Authlib's app for Kakao."""

    client_cls = KakaoSession
    framework: StateData

    def exchange(self, pending: PendingLogin, code: str) -> dict[str, Any]:
        """Call the token endpoint with the values this login was begun with, which the settings may not be any more."""
        with self._get_oauth_client() as client:
            client.client_id = pending.client_id
            client.redirect_uri = pending.redirect_uri
            token: dict[str, Any] = client.fetch_token(
                self.access_token_url, grant_type="authorization_code", code=code, code_verifier=pending.code_verifier
            )
            return token


class Kakao:
    """Kakao as a `Provider`."""

    name = "kakao"

    def __init__(self, oauth: OAuth, config: Config) -> None:
        self.line: Line = line_for(config, "KAKAO")
        self._kauth: str = config["KAKAO_KAUTH_URL"]
        self._scope = re.split(r"[,\s]+", config["KAKAO_SCOPE"].strip(", \t\r\n")) if config["KAKAO_SCOPE"] else []
        self._email_required: bool = config["EMAIL_REQUIRED"]
        # Kakao knows no other way than the secret in the form, and no way to say that there is none but leaving it out.
        method = "client_secret_post" if config["KAKAO_CLIENT_SECRET"] else "none"
        self._app: KakaoApp = oauth.register(
            self.name,
            client_cls=KakaoApp,
            client_kwargs={"line": self.line, "code_challenge_method": "S256", "token_endpoint_auth_method": method},
        )
        self._keys = oidc.KeyStore(self._fetch_keys)

    @property
    def label(self) -> str:
        return str(PROVIDER_LABELS[self.name])

    def begin(
        self, redirect_uri: str, next_url: str, *, prompt: str | None = None, consent: tuple[str, ...] = ()
    ) -> str:
        """Scope and prompt are comma lists at Kakao. Nonce and S256 challenge always go along: a nonce costs nothing
        where no id_token comes, and whether one comes is set in the console."""
        state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        request = self._app.create_authorization_url(
            redirect_uri,
            state=state,
            nonce=nonce,
            code_verifier=secrets.token_urlsafe(48),  # 64 characters; RFC 7636 wants 43 to 128.
            scope=",".join(self._items(consent)) or None,
            prompt=prompt,
        )
        self._app.save_authorize_data(
            state=state,
            client_id=self._app.client_id,
            redirect_uri=redirect_uri,
            nonce=nonce,
            code_verifier=request["code_verifier"],
            next=next_url,
        )
        return str(request["url"])

    def find_pending(self, state: str) -> PendingLogin | None:
        return self._app.framework.find_pending(state)

    def forget_pending(self, state: str) -> None:
        self._app.framework.forget_pending(state)

    def refusal(self, error: str, description: str) -> AppError:
        return kakao_errors.refusal(error, description)

    def fetch_profile(self, pending: PendingLogin, code: str) -> Profile:
        """One call where the id_token says all that is needed, two otherwise; one deadline for both."""
        with self.line.conversation():
            token = self._app.exchange(pending, code)
            claims = self._claims(token, pending)
            if claims is not None and self._is_enough(claims, token):
                return read_claims(claims)
            profile = read_profile(self._user_me(token), today_in_korea())
        if claims is None:
            return profile
        if not hmac.compare_digest(profile.subject, claims["sub"]):
            # An access token that was slipped in beside somebody's id_token (RFC 9700, section 4.6).
            raise UntrustedIdentity("user/me and id_token are about different people")
        return fill_gaps(profile, read_claims(claims))

    def account_logout_url(self, return_to: str, state: str) -> str:
        """https://developers.kakao.com/docs/ko/kakaologin/rest-api#logout-of-service-and-kakaoaccount"""
        query = {"client_id": self._app.client_id, "logout_redirect_uri": return_to, "state": state}
        return f"{self._kauth}/oauth/logout?{urlencode(query)}"

    def _items(self, consent: tuple[str, ...]) -> list[str]:
        """Without `openid` in it, an additional request would bring no new id_token."""
        if not consent:
            return self._scope
        return ["openid", *consent] if "openid" in self._scope else list(consent)

    def _claims(self, token: Mapping[str, Any], pending: PendingLogin) -> dict[str, Any] | None:
        if token.get("id_token") is None:
            return None
        return oidc.validate(
            token["id_token"], self._keys, issuer=self._kauth, client_id=pending.client_id, nonce=pending.nonce
        )

    def _is_enough(self, claims: Mapping[str, Any], token: Mapping[str, Any]) -> bool:
        """Whether user/me could add anything that an account has room for."""
        granted = set(re.split(r"[,\s]+", token["scope"]))
        if granted & ONLY_IN_USER_ME:
            return False
        email = claims.get("email")
        return not self._email_required or (isinstance(email, str) and normal_form(email) is not None)

    def _user_me(self, token: Mapping[str, Any]) -> dict[str, Any]:
        bearer = {"access_token": token["access_token"], "token_type": "bearer"}
        answer = self._app.get("v2/user/me", token=bearer, params={"secure_resource": "true"})
        return read_answer(answer)

    def _fetch_keys(self) -> dict[str, Any]:
        return read_answer(self._app.get(f"{self._kauth}/.well-known/jwks.json", withhold_token=True))


def read_answer(response: Response) -> dict[str, Any]:
    """Return a successful answer's JSON object.

    :raises AppError: what kakao_errors makes of any other answer.
    """
    if response.status_code >= 400:
        try:
            body = read_json(response)
        except ProviderUnavailable:
            body = {}
        raise kakao_errors.from_answer(response.status_code, body, response.headers.get("Retry-After", ""))
    body = read_json(response)
    if kakao_errors.is_error(body):
        raise kakao_errors.from_answer(response.status_code, body)
    return body


def read_token(response: Response) -> dict[str, Any]:
    """Return the token endpoint's answer, reduced to what we use: nothing of it is kept after the login.

    :raises ProviderUnavailable: a field that no client could use. :raises AppError: an error answer.
    """
    body = read_answer(response)
    access_token, kind = body.get("access_token"), body.get("token_type")
    # Printable ASCII without blanks: it goes into a header (RFC 6750, section 2.1).
    if not isinstance(access_token, str) or not re.fullmatch(r"[\x21-\x7e]+", access_token):
        raise ProviderUnavailable("token answer: no usable access_token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise ProviderUnavailable("token answer: token_type is not bearer")
    scope = body.get("scope")
    return {
        "access_token": access_token,
        "token_type": "bearer",
        "id_token": body.get("id_token"),
        "scope": scope if isinstance(scope, str) else "",
    }


def today_in_korea() -> date:
    return (datetime.now(UTC) + KOREA).date()
