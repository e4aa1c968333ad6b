"""Facebook Login
(https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow)."""

import hmac
import logging
import re
from hashlib import sha256
from typing import Any

from authlib.integrations.flask_client import OAuth
from flask.config import Config
from requests import Response

from kakaoauth.errors import (
    AppError,
    CodeRefused,
    ContradictoryAnswers,
    ExpiredToken,
    InvalidAccessToken,
    Misconfigured,
)
from kakaoauth.providers import answers
from kakaoauth.providers.answers import BEARER, Json, bearer, refused_as_token
from kakaoauth.providers.base import TokenKeeper
from kakaoauth.providers.facebook import errors as facebook_errors
from kakaoauth.providers.facebook.errors import APP, DEBUG, EXPIRED, GRAPH, NOT_LINKED, TOKEN, Table
from kakaoauth.providers.facebook.profile import FIELDS, read_profile, read_token_info
from kakaoauth.providers.facebook.signed_request import read_signed_request
from kakaoauth.providers.http import Session
from kakaoauth.providers.oauth import OAuthProvider
from kakaoauth.providers.values import AccountEvent, PendingLogin, Profile, TokenSet

log = logging.getLogger(__name__)

#: Where phones are sent on to from www.facebook.com.
MOBILE = "https://m.facebook.com"
VERSION = re.compile(r"v[0-9]{1,3}\.[0-9]{1,2}")


def _proof(secret: str, access_token: str) -> str:
    return hmac.new(secret.encode(), access_token.encode(), sha256).hexdigest()


class FacebookSession(Session):
    """Proves with each call made as a person that it comes from the app secret's owner: a stolen token is not enough
    (https://developers.facebook.com/docs/graph-api/guides/secure-requests)."""

    def request(self, method: str, url: str, withhold_token: bool = False, auth: Any = None, **kwargs: Any) -> Response:
        """Add `appsecret_proof` to a call made with a person's token."""
        if not withhold_token and auth is None and self.token:
            proof = _proof(self.client_secret, self.token["access_token"])
            kwargs["params"] = {**(kwargs.get("params") or {}), "appsecret_proof": proof}
        response: Response = super().request(method, url, withhold_token=withhold_token, auth=auth, **kwargs)
        return response


class Facebook(OAuthProvider):
    """Facebook as a `Provider`. It knows no refresh tokens: one of a login lives about 60 days."""

    name = "facebook"
    scope = "email,public_profile"
    prompts = ("login",)
    #: `#_=_`, since 2011.
    leaves_fragment = True
    #: Facebook leaves it out at times; the shortest of its tokens live an hour or two.
    unsaid_seconds = 3600
    error_codes = facebook_errors.CODES
    redirect_uri_codes = facebook_errors.REDIRECT_URI_CODES
    session_class = FacebookSession

    def __init__(self, oauth: OAuth, config: Config, keeper: TokenKeeper) -> None:
        self._version: str = config["FACEBOOK_GRAPH_VERSION"]
        self._secret: str = config["FACEBOOK_CLIENT_SECRET"]
        self._app_token = f"{config['FACEBOOK_CLIENT_ID']}|{self._secret}"
        self._other_version_noted = False
        self.authorize_url = f"{config['FACEBOOK_DIALOG_URL']}/{self._version}/dialog/oauth"
        self.api_url = f"{config['FACEBOOK_GRAPH_URL']}/{self._version}/"
        self.token_url = f"{self.api_url}oauth/access_token"
        self.profile_url = f"{self.api_url}me"
        super().__init__(oauth, config, keeper)

    @property
    def page_origins(self) -> tuple[str, ...]:
        """The login dialog's origin and the mobile site's, which phones are sent to."""
        return (*super().page_origins, MOBILE)

    def request_parameters(self, prompt: str | None, consent: tuple[str, ...], nonce: str) -> dict[str, str | None]:
        """A permission that was declined once is asked for again only on demand, as is the password."""
        if consent:
            return {"scope": "email", "auth_type": "rerequest"}
        return {"scope": self.scope, "auth_type": "reauthenticate" if prompt == "login" else None}

    def read_answer(self, response: Response, table: Table = GRAPH) -> dict[str, Any]:
        """:param table: what the error codes of this call mean. :raises AppError:"""
        self._note_version(response.headers.get("facebook-api-version", ""))

        def error_of(status: int, body: Json, retry_after: str) -> AppError:
            return facebook_errors.from_answer(status, body, retry_after, table=table)

        return answers.read_answer(response, facebook_errors.is_error, error_of)

    def read_token(self, response: Response) -> dict[str, Any]:
        """Read the token endpoint's answer. :raises AppError:"""
        return answers.read_token(self.read_answer(response, TOKEN), self.unsaid_seconds)

    def ask_profile(self, token: Json) -> dict[str, Any]:
        """GET /me with the fields of `profile.FIELDS`. :raises AppError:"""
        access_token = token["access_token"]
        params = {"fields": FIELDS, "appsecret_proof": _proof(self._secret, access_token)}
        return self.read_answer(self._app.get_as(access_token, self.profile_url, params=params))

    def read_profile(self, body: Json) -> Profile:
        """:raises ProviderUnavailable: no usable id."""
        return read_profile(body)

    def refusal(self, error: str, description: str) -> AppError:
        """:param error: the dialog's `error`, or its `error_code`."""
        return facebook_errors.refusal(error)

    def fetch_profile(self, pending: PendingLogin, code: str) -> Profile:
        """As Provider; tells a wrong code verifier from a wrong client secret."""
        with self.transport.conversation():
            try:
                return super().fetch_profile(pending, code)
            except Misconfigured as error:
                # A code verifier that does not fit has the same number, and only a text that tells them apart. Nobody
                # who sends one shall raise the operator's alarm.
                if error.provider_code != "1" or not self._is_secret_right():
                    raise
                raise CodeRefused("Facebook: the code verifier does not fit", provider_code="1") from None

    def profile_of_access_token(self, access_token: str) -> Profile:
        """https://developers.facebook.com/docs/facebook-login/security: whose token, and for which app."""
        if not BEARER.fullmatch(access_token):
            raise InvalidAccessToken("odd characters or length")
        with self.transport.conversation():
            owner = read_token_info(self._debug(access_token), self._app.client_id)
            try:
                with refused_as_token():
                    profile = self.read_profile(self.ask_profile(bearer(access_token)))
            except InvalidAccessToken as error:
                if error.provider_code != EXPIRED:
                    raise
                raise ExpiredToken(error.reason, provider_code=EXPIRED) from None
        if profile.subject != owner:
            raise ContradictoryAnswers("debug_token and me are about different people")
        return profile

    def unlink(self, subject: str, tokens: TokenSet | None) -> None:
        """https://developers.facebook.com/docs/graph-api/reference/user/permissions: all of them at once."""
        with self.transport.conversation():
            if tokens is None or not self._unlinked_as(tokens.access_token, subject):
                self._revoke(subject, APP, withhold_token=True, headers=self._as_app())

    def read_event(self, raw: str) -> AccountEvent:
        """The two callbacks' `signed_request`: the same message, that this person has taken the app away."""
        return read_signed_request(raw, self._secret)

    def _unlinked_as(self, access_token: str, subject: str) -> bool:
        """With the person's token; False if Facebook does not take it any more."""
        try:
            self._revoke(subject, GRAPH, token=bearer(access_token))
        except CodeRefused:
            return False
        return True

    def _revoke(self, subject: str, table: Table, **how: Any) -> None:
        try:
            self.read_answer(self._app.delete(f"{subject}/permissions", **how), table)
        except AppError as error:
            if error.provider_code not in NOT_LINKED:
                raise

    def _is_secret_right(self) -> bool:
        """By asking for a token of the app itself."""
        form = {"client_id": self._app.client_id, "client_secret": self._secret, "grant_type": "client_credentials"}
        try:
            self.read_answer(self._app.post(self.token_url, withhold_token=True, data=form), TOKEN)
        except Misconfigured:
            return False
        return True

    def _debug(self, access_token: str) -> dict[str, Any]:
        # This is the one call that takes a token in the address only. It goes through no log of ours (quiet_loggers).
        query = {"input_token": access_token}
        answer = self._app.get("debug_token", withhold_token=True, headers=self._as_app(), params=query)
        return self.read_answer(answer, DEBUG)

    def _as_app(self) -> dict[str, str]:
        """The app's own token. In a header, where no proxy writes it into a log."""
        return {"Authorization": f"Bearer {self._app_token}"}

    def _note_version(self, answered: str) -> None:
        """Facebook answers for a version it has retired with the oldest it still has, where fields may differ."""
        if answered and answered != self._version and not self._other_version_noted:
            self._other_version_noted = True
            said = answered if VERSION.fullmatch(answered) else "another version"
            log.warning("Facebook answers in %s instead of %s: set FACEBOOK_GRAPH_VERSION", said, self._version)
