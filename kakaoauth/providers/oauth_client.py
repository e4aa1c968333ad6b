"""Authlib's client for a provider: the token calls by authorization code and by refresh token (RFC 6749)."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlencode

from authlib.integrations.base_client import MissingTokenError
from authlib.integrations.flask_client import FlaskOAuth2App
from requests import Response

from kakaoauth.providers.http import Session
from kakaoauth.providers.login_state import StateData
from kakaoauth.providers.values import PendingLogin

Renewing = Callable[[], AbstractContextManager[dict[str, Any] | None]]


class OAuthSession(Session):
    """Leaves reading the token answer to the provider: Authlib would drop its error codes, and crash on an odd
    `expires_in`."""

    read_token: Callable[[Response], dict[str, Any]]
    #: Holds back other workers while one renews the token, and gives the token as it stands by then.
    renewing: Renewing

    def parse_response_token(self, resp: Response) -> dict[str, Any]:
        """Called by Authlib with the token endpoint's answer. :raises AppError:"""
        self.token = self.read_token(resp)
        return dict(self.token)

    def ensure_active_token(self, token: Any = None) -> Any:
        """Renew the token near its end; of many workers exactly one does, the others use what it got."""
        token = token or self.token
        if not token.is_expired(leeway=self.leeway):
            return super().ensure_active_token(token)
        with self.renewing() as current:
            if current is None:
                raise MissingTokenError  # another worker has just learnt that the provider does not know it any more
            self.token = current
            return super().ensure_active_token(self.token)


class OAuthApp(FlaskOAuth2App):
    """Authlib's app for one provider."""

    framework: StateData
    read_token: Callable[[Response], dict[str, Any]]
    renewing: Renewing
    #: Makes the client secret, from the client id, where it is no fixed text.
    make_secret: Callable[[str], str] | None = None

    def _get_oauth_client(self, **metadata: Any) -> OAuthSession:
        client: OAuthSession = super()._get_oauth_client(**metadata)
        client.read_token, client.renewing = self.read_token, self.renewing
        if self.make_secret is not None:
            client.client_secret = self.make_secret(client.client_id)
        client.headers["Accept"] = "application/json"  # some answer with a form, or a script, unless asked
        return client

    def refresh(self, refresh_token: str) -> dict[str, Any]:
        """RFC 6749, section 6."""
        with self._get_oauth_client() as client:
            answer = client.post(
                self.access_token_url,
                withhold_token=True,
                data={"grant_type": "refresh_token", "refresh_token": refresh_token},
                auth=client.client_auth(client.token_endpoint_auth_method),
            )
        return self.read_token(answer)

    def exchange(self, pending: PendingLogin, code: str, **more: str) -> dict[str, Any]:
        """Call the token endpoint with the values this login was begun with, which the settings may not be any more."""
        with self._get_oauth_client() as client:
            client.client_id = pending.client_id
            client.redirect_uri = pending.redirect_uri
            if self.make_secret is not None:
                client.client_secret = self.make_secret(pending.client_id)
            token: dict[str, Any] = client.fetch_token(
                self.access_token_url,
                grant_type="authorization_code",
                code=code,
                code_verifier=pending.code_verifier,
                body=urlencode(more),  # by name Authlib would keep `state` for itself
            )
            return token
