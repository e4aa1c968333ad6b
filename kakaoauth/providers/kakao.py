"""The only file that knows how Kakao Login goes (https://developers.kakao.com/docs/ko/kakaologin/rest-api)."""

import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from authlib.integrations.base_client import InvalidTokenError, MissingTokenError
from authlib.integrations.flask_client import FlaskOAuth2App, OAuth
from flask.config import Config
from requests import Response

from kakaoauth.emails import normal_form
from kakaoauth.errors import (
    PROVIDER_LABELS,
    AppError,
    CodeRefused,
    Misconfigured,
    UntrustedIdentity,
)
from kakaoauth.providers import kakao_errors, oidc
from kakaoauth.providers.base import AccountEvent, PendingLogin, Profile, TokenKeeper, TokenSet
from kakaoauth.providers.deadline import deadline
from kakaoauth.providers.http import Line, Session, line_for
from kakaoauth.providers.kakao_answers import read_answer, read_token, require_done, today_in_korea
from kakaoauth.providers.kakao_events import read_set
from kakaoauth.providers.kakao_profile import fill_gaps, read_claims, read_profile
from kakaoauth.providers.pending import StateData

#: Consent items whose values stand in `/v2/user/me` only.
ONLY_IN_USER_ME = frozenset(("name", "gender", "age_range", "birthyear", "birthday"))


#: Seconds that fetching the keys for a webhook's message may take.
EVENT_SECONDS = 1.0
#: Seconds that telling Kakao of a logout may hold the person up.
LOGOUT_SECONDS = 2.0


class KakaoSession(Session):
    """Reads Kakao's answers instead of Authlib, which would drop `error_code` and crash on an odd `expires_in`."""

    #: Holds back other workers while one renews the token, and gives the token as it stands by then.
    renewing: Callable[[], AbstractContextManager[dict[str, Any] | None]] | None = None

    def parse_response_token(self, resp: Response) -> dict[str, Any]:
        token = read_token(resp)
        self.token = token
        return dict(self.token)

    def ensure_active_token(self, token: Any = None) -> Any:
        """Renew the token near its end; of many workers exactly one does, the others use what it got."""
        token = token or self.token
        if self.renewing is None or not token.is_expired(leeway=self.leeway):
            return super().ensure_active_token(token)
        with self.renewing() as current:
            if current is None:
                raise MissingTokenError  # another worker has just learnt that Kakao does not know it any more
            self.token = current
            return super().ensure_active_token(self.token)


class KakaoApp(FlaskOAuth2App):
    """Authlib's app for Kakao."""

    client_cls = KakaoSession
    framework: StateData
    renewing: Callable[[], AbstractContextManager[dict[str, Any] | None]] | None = None

    def _get_oauth_client(self, **metadata: Any) -> KakaoSession:
        client: KakaoSession = super()._get_oauth_client(**metadata)
        client.renewing = self.renewing
        return client

    def refresh(self, refresh_token: str) -> dict[str, Any]:
        """https://developers.kakao.com/docs/ko/kakaologin/rest-api#refresh-token"""
        with self._get_oauth_client() as client:
            return read_token(
                client.post(
                    self.access_token_url,
                    withhold_token=True,
                    data={"grant_type": "refresh_token", "refresh_token": refresh_token},
                    auth=client.client_auth(client.token_endpoint_auth_method),
                )
            )

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

    def __init__(self, oauth: OAuth, config: Config, keeper: TokenKeeper) -> None:
        self.line: Line = line_for(config, "KAKAO")
        self._kauth: str = config["KAKAO_KAUTH_URL"]
        self._scope = re.split(r"[,\s]+", config["KAKAO_SCOPE"].strip(", \t\r\n")) if config["KAKAO_SCOPE"] else []
        self._app_id: int = config["KAKAO_APP_ID"]
        self._admin_key: str = config["KAKAO_ADMIN_KEY"]
        #: Known once an id_token has come: the switch stands in Kakao's console.
        self._openid_is_on = False
        self._email_required: bool = config["EMAIL_REQUIRED"]
        # Kakao knows no other way than the secret in the form, and no way to say that there is none but leaving it out.
        method = "client_secret_post" if config["KAKAO_CLIENT_SECRET"] else "none"
        self._app: KakaoApp = oauth.register(
            self.name,
            client_cls=KakaoApp,
            client_kwargs={"line": self.line, "code_challenge_method": "S256", "token_endpoint_auth_method": method},
        )
        self._app.renewing = partial(keeper.renewing, self.name)
        self._forget_token = partial(keeper.forget_token, self.name)
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
            tokens = TokenSet.from_authlib(token)
            if claims is not None and self._is_enough(claims, token):
                return replace(read_claims(claims), tokens=tokens)
            profile = replace(read_profile(self._user_me(token), today_in_korea()), tokens=tokens)
        if claims is None:
            return profile
        if not hmac.compare_digest(profile.subject, claims["sub"]):
            # An access token that was slipped in beside somebody's id_token (RFC 9700, section 4.6).
            raise UntrustedIdentity("user/me and id_token are about different people")
        return fill_gaps(profile, read_claims(claims))

    def get(self, path: str, **arguments: Any) -> Response:
        """https://developers.kakao.com/docs/ko/kakaologin/rest-api: any GET of kapi, `path` like `/v2/user/me`."""
        try:
            answer: Response = self._app.get(path.lstrip("/"), **arguments)
        except MissingTokenError:
            raise CodeRefused("no token of this login is kept") from None
        except InvalidTokenError:
            raise CodeRefused("the access token is over and there is no refresh token") from None
        if answer.status_code >= 400:
            try:
                read_answer(answer)
            except CodeRefused:
                self._forget_token()
                raise
        return answer

    def end_token(self, access_token: str) -> None:
        """https://developers.kakao.com/docs/ko/kakaologin/rest-api#logout"""
        with deadline(LOGOUT_SECONDS):
            self._post_as("v1/user/logout", access_token)

    def unlink(self, subject: str, tokens: TokenSet | None) -> None:
        """https://developers.kakao.com/docs/ko/kakaologin/rest-api#unlink"""
        with self.line.conversation():
            if tokens is not None and self._unlinked_as(tokens):
                return
            if not self._admin_key:
                raise Misconfigured("unlink: no usable token of the person and no KAKAO_ADMIN_KEY")
            answer = self._app.post(
                "v1/user/unlink",
                withhold_token=True,
                headers={"Authorization": f"KakaoAK {self._admin_key}"},
                data={"target_id_type": "user_id", "target_id": subject},
            )
            require_done(answer)

    def _unlinked_as(self, tokens: TokenSet) -> bool:
        """With the person's token, renewed if it is over; False if Kakao knows neither."""
        access_token = tokens.access_token
        try:
            if tokens.expires_at <= datetime.now(UTC) and tokens.refresh_token:
                access_token = self._app.refresh(tokens.refresh_token)["access_token"]
            self._post_as("v1/user/unlink", access_token)
        except CodeRefused:
            return False
        return True

    def _post_as(self, path: str, access_token: str) -> None:
        require_done(self._app.post(path, token={"access_token": access_token, "token_type": "bearer"}))

    def read_event(self, raw: str) -> AccountEvent:
        """https://developers.kakao.com/docs/ko/kakaologin/callback: Kakao waits 3 seconds for our answer."""
        with deadline(EVENT_SECONDS):
            return read_set(raw, self._keys, issuer=self._kauth, client_id=self._app.client_id, app_id=self._app_id)

    def account_logout_url(self, return_to: str, state: str) -> str:
        """https://developers.kakao.com/docs/ko/kakaologin/rest-api#logout-of-service-and-kakaoaccount"""
        query = {"client_id": self._app.client_id, "logout_redirect_uri": return_to, "state": state}
        return f"{self._kauth}/oauth/logout?{urlencode(query)}"

    def _items(self, consent: tuple[str, ...]) -> list[str]:
        """Without `openid` in it, an additional request would bring no new id_token; where OpenID Connect is off in the
        console, with it Kakao would refuse the request (KOE205)."""
        if not consent:
            return self._scope
        return ["openid", *consent] if "openid" in self._scope or self._openid_is_on else list(consent)

    def _claims(self, token: Mapping[str, Any], pending: PendingLogin) -> dict[str, Any] | None:
        if token.get("id_token") is None:
            return None
        claims = oidc.validate(
            token["id_token"], self._keys, issuer=self._kauth, client_id=pending.client_id, nonce=pending.nonce
        )
        self._openid_is_on = True
        return claims

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
