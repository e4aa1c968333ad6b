"""Authlib's client for a provider: the authorization request, and the token calls by code and by refresh token."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin

from authlib.integrations.flask_client import FlaskOAuth2App
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from requests import Response

from kakaoauth.providers.adapter import Adapter
from kakaoauth.providers.http import NONE, Session, Texts
from kakaoauth.providers.login_state import StateData
from kakaoauth.providers.values import PendingLogin

#: As Kakao's documentation writes it.
FORM = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}


class OAuthApp(FlaskOAuth2App):
    """Authlib's app for one provider. The token calls are not Authlib's: it would drop a provider's error codes, and
    crash on an odd `expires_in`."""

    framework: StateData
    read_token: Callable[[Response], dict[str, Any]]
    #: Makes the client secret, from the client id, where it is no fixed text.
    make_secret: Callable[[str], str] | None = None
    _kept: tuple[Adapter, Session] | None = None

    def _get_oauth_client(self, **metadata: Any) -> Session:
        client: Session = super()._get_oauth_client(**metadata)
        # Some answer with a form, or a script, unless asked; and compress an answer of a kilobyte, if that is accepted.
        client.headers = {"User-Agent": client.headers["User-Agent"], "Accept": "application/json"}
        return client

    def authorization_address(self, redirect_uri: str, state: str, verifier: str, **more: str | None) -> str:
        """Return the authorization request as an address (RFC 6749, section 4.1.1), with PKCE.

        :param verifier: 43 to 128 characters (RFC 7636, section 4.1).
        """
        address: str = prepare_grant_uri(
            self.authorize_url,
            self.client_id,
            "code",
            redirect_uri=redirect_uri,
            state=state,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
            **more,
        )
        return address.replace("+", "%20")  # a plus sign is a blank in forms only, and not for Apple

    def refresh(self, refresh_token: str) -> dict[str, Any]:
        """RFC 6749, section 6."""
        return self._ask_for_token(self.client_id, {"grant_type": "refresh_token", "refresh_token": refresh_token})

    def exchange(self, pending: PendingLogin, code: str, **more: str) -> dict[str, Any]:
        """Call the token endpoint with the values this login was begun with, which the settings may not be any more."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": pending.redirect_uri, **more}
        if pending.code_verifier:
            form["code_verifier"] = pending.code_verifier
        return self._ask_for_token(pending.client_id, form)

    def get_as(self, access_token: str, address: str, params: Texts = NONE) -> Response:
        """GET with the token of somebody whose tokens are not kept yet. :param address: or a path below the API's."""
        headers = {"Authorization": f"Bearer {access_token}"}
        return self._client().ask("GET", _joined(self.api_base_url or "", address), headers, params=params)

    def _ask_for_token(self, client_id: str, form: dict[str, str]) -> dict[str, Any]:
        # In the form, where no proxy writes it into a log; and no parameter at all where there is no secret.
        form["client_id"] = client_id
        if secret := self.make_secret(client_id) if self.make_secret else self.client_secret:
            form["client_secret"] = secret
        return self.read_token(self._client().ask("POST", self.access_token_url, FORM, form=form))

    def _client(self) -> Session:
        """Return one client for all threads, because making one costs half of a call: it holds nothing of anybody, so
        all that a call needs is said."""
        adapter = self.client_kwargs["transport"].adapter
        if self._kept is None or self._kept[0] is not adapter:  # kakaoauth.testing puts another one there
            self._kept = adapter, self._get_oauth_client()
        return self._kept[1]


_joined = lru_cache(maxsize=64)(urljoin)
