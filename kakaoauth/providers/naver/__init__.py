"""Naver Login (https://developers.naver.com/docs/login/devguide/devguide.md).

By its OAuth 2.0 addresses: their profile is the one place where Naver says who somebody is, and the id in it is what
its message of a disconnect names. The id_token of its OpenID Connect addresses has an id and nothing else.
"""

import logging
from typing import Any

from authlib.integrations.flask_client import OAuth
from flask.config import Config
from requests import Response

from kakaoauth.errors import AppError, CodeRefused, InvalidFields, Misconfigured
from kakaoauth.providers import answers
from kakaoauth.providers.answers import Json
from kakaoauth.providers.base import TokenKeeper
from kakaoauth.providers.naver import errors as naver_errors
from kakaoauth.providers.naver.message import read_message
from kakaoauth.providers.naver.profile import read_profile
from kakaoauth.providers.oauth import OAuthProvider
from kakaoauth.providers.values import AccountEvent, PendingLogin, Profile, TokenSet

log = logging.getLogger(__name__)

#: A year, as far as is known; the document says nothing.
REFRESH_SECONDS = 365 * 86400


class Naver(OAuthProvider):
    """Naver as a `Provider`. What is asked for is set in its console, so there is no scope."""

    name = "naver"
    #: Id and password again, whatever the session there.
    prompts = ("login",)
    #: Naver vouches for no address: there is nothing to ask for.
    email_scopes = ()
    unsaid_seconds = 3600
    refresh_unsaid_seconds = REFRESH_SECONDS
    error_codes = naver_errors.CODES

    def __init__(self, oauth: OAuth, config: Config, keeper: TokenKeeper) -> None:
        self._nid: str = config["NAVER_NID_URL"]
        self._secret: str = config["NAVER_CLIENT_SECRET"]
        self.authorize_url = f"{self._nid}/oauth2.0/authorize"
        self.token_url = f"{self._nid}/oauth2.0/token"
        self.api_url = f"{config['NAVER_OPENAPI_URL']}/"
        self.profile_url = f"{self.api_url}v1/nid/me"
        super().__init__(oauth, config, keeper)

    def request_parameters(self, prompt: str | None, consent: tuple[str, ...], nonce: str) -> dict[str, str | None]:
        """Items that were refused are asked for again only on demand."""
        if consent:
            return {"auth_type": "reprompt"}
        return {"auth_type": "reauthenticate" if prompt == "login" else None}

    def token_parameters(self, pending: PendingLogin) -> dict[str, str]:
        """Naver keeps code and state together, and wants both. :raises InvalidFields: an app did not name its state."""
        if not pending.state:
            raise InvalidFields({"state": "Naver wants the state of the authorization request beside its code"})
        return {"state": pending.state}

    def read_answer(self, response: Response) -> dict[str, Any]:
        """Errors of the token address come with status 200. :raises AppError:"""
        return answers.read_answer(response, naver_errors.is_error, naver_errors.from_answer)

    def read_profile(self, body: Json) -> Profile:
        """:raises ProviderUnavailable: no usable id."""
        return read_profile(body)

    def fetch_profile(self, pending: PendingLogin, code: str) -> Profile:
        """As Provider; tells a bad code from a wrong client secret."""
        with self.transport.conversation():
            try:
                return super().fetch_profile(pending, code)
            except Misconfigured as error:
                # One name for both. Nobody who sends a made-up code shall raise the operator's alarm.
                if error.provider_code != "unauthorized_client" or not self._is_secret_right():
                    raise
                raise CodeRefused("naver: the code is not for this app", provider_code=error.provider_code) from None

    def unlink(self, subject: str, tokens: TokenSet | None) -> None:
        """The pair of tokens dies, and Naver takes the site from the person's list. Without a token only the person can
        do it, at nid.naver.com under 연결된 서비스."""
        if tokens is None:
            log.info("Naver is not told that somebody has left: no token of theirs is kept")
            return
        kind = "refresh_token" if tokens.refresh_token else "access_token"
        with self.transport.conversation():
            self._revoke(tokens.refresh_token or tokens.access_token, kind)

    def read_event(self, raw: str) -> AccountEvent:
        """The message of a disconnect (연결 끊기 알림). :param raw: its fields as a form."""
        return read_message(raw, self._app.client_id, self._secret)

    def _revoke(self, token: str, kind: str) -> None:
        form = {"client_id": self._app.client_id, "client_secret": self._secret, "token": token}
        form["token_type_hint"] = kind
        answer = self._app.post(f"{self._nid}/oauth2.0/revoke", withhold_token=True, data=form)
        if answer.status_code != 200 or answer.content:  # a good answer has no body
            self.read_answer(answer)

    def _is_secret_right(self) -> bool:
        """By ending a token that never was, which Naver does without a word if it knows the client."""
        try:
            self._revoke("no-such-token", "access_token")
        except Misconfigured:
            return False
        except AppError:
            return True  # not known now: no alarm without a reason
        return True
