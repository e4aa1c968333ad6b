"""Google's login (https://developers.google.com/identity/openid-connect/openid-connect)."""

import logging
from collections.abc import Mapping
from typing import Any

from authlib.integrations.flask_client import OAuth
from flask.config import Config

from kakaoauth.errors import (
    AccountUnusable,
    AppError,
    CodeRefused,
    ContradictoryAnswers,
    ForeignAccessToken,
    InvalidAccessToken,
    ProviderUnavailable,
)
from kakaoauth.providers import answers, oidc
from kakaoauth.providers.answers import BEARER, Json, operator, person, refused_as_token
from kakaoauth.providers.base import TokenKeeper
from kakaoauth.providers.deadline import deadline
from kakaoauth.providers.google.events import read_event
from kakaoauth.providers.google.stream import ADDRESS, ServiceAccount, stream
from kakaoauth.providers.http import read_json
from kakaoauth.providers.openid import OpenIdProvider
from kakaoauth.providers.values import AccountEvent, Profile, TokenSet

log = logging.getLogger(__name__)

#: Seconds that fetching the keys for a message may take: Google sends it again if it is not answered in time.
EVENT_SECONDS = 2.0
#: Refresh tokens live until they are withdrawn, or unused for six months.
REFRESH_SECONDS = 180 * 86400
#: Status of tokeninfo's answer about a token that is over, withdrawn or made up.
TOKEN_REFUSED = 400


class Google(OpenIdProvider):
    """Google as a `Provider`. It has no page to log out, and asks nobody for a password again: no `login` prompt."""

    name = "google"
    prompts = ("select_account",)
    vouches_for_email = True
    #: A phone's own client asks for a token that is made for the site's server.
    any_party = True
    refuses_embedded_browsers = True
    refresh_unsaid_seconds = REFRESH_SECONDS
    redirect_uri_codes = frozenset(("redirect_uri_mismatch",))
    faults: Mapping[str, answers.Fault] = {
        **answers.OAUTH,
        "redirect_uri_mismatch": operator("the redirect URI is not registered: check GOOGLE_REDIRECT_URI"),
        "deleted_client": operator("the OAuth client was deleted: check GOOGLE_CLIENT_ID"),
        "org_internal": person(AccountUnusable, "the app is for one organisation only"),
    }
    error_codes = frozenset(faults)
    refusals: Mapping[str, type[AppError]] = {
        **answers.REFUSALS,
        **dict.fromkeys(("admin_policy_enforced", "org_internal"), AccountUnusable),
    }

    def __init__(self, oauth: OAuth, config: Config, keeper: TokenKeeper) -> None:
        self.issuer = config["GOOGLE_ACCOUNTS_URL"]
        # Old tokens name it without the scheme.
        self.other_issuers = (self.issuer.partition("://")[2],)
        self.authorize_url = f"{self.issuer}/o/oauth2/v2/auth"
        self._oauth2: str = config["GOOGLE_OAUTH_URL"]
        self.token_url = f"{self._oauth2}/token"
        self.jwks_url = f"{config['GOOGLE_APIS_URL']}/oauth2/v3/certs"
        self.api_url = f"{config['GOOGLE_APIS_URL']}/"
        self.profile_url = f"{config['GOOGLE_OPENID_URL']}/v1/userinfo"
        #: What security events name as their issuer; its document has the last word.
        self._event_issuers: tuple[str, ...] = (self.issuer, f"{self.issuer}/")
        super().__init__(oauth, config, keeper)
        self._event_keys = oidc.KeyStore(self._fetch_event_keys)

    def request_parameters(self, prompt: str | None, consent: tuple[str, ...], nonce: str) -> dict[str, str | None]:
        """`access_type=offline` brings a refresh token at the first consent; what was refused is asked for again only
        with `prompt=consent`."""
        asked = super().request_parameters("consent" if consent else prompt, consent, nonce)
        return {**asked, "access_type": "offline"}

    def profile_of_access_token(self, access_token: str) -> Profile:
        """https://developers.google.com/identity/sign-in/web/backend-auth: for which app, then whose."""
        if not BEARER.fullmatch(access_token):
            raise InvalidAccessToken("odd characters or length")
        with self.transport.conversation(), refused_as_token():
            # In the form: what stands in an address ends in logs on the way.
            form = {"access_token": access_token}
            answer = self._app.post(f"{self._oauth2}/tokeninfo", withhold_token=True, data=form)
            if answer.status_code == TOKEN_REFUSED and read_json(answer):  # by some name, or by a description alone
                raise InvalidAccessToken("tokeninfo: the token is expired or unknown")
            owner = self._owner(self.read_answer(answer))
            body = self.read_answer(self._app.get_as(access_token, self.profile_url))
        if body.get("sub") != owner:
            raise ContradictoryAnswers("tokeninfo and userinfo are about different people")
        return self.read_profile(body)

    def unlink(self, subject: str, tokens: TokenSet | None) -> None:
        """https://developers.google.com/identity/protocols/oauth2/web-server#tokenrevoke: every scope, of every client
        of the project. Without a token only the person can do it, at myaccount.google.com/permissions."""
        if tokens is None:
            log.info("Google is not told that somebody has left: no token of theirs is kept")
            return
        with self.transport.conversation():
            form = {"token": tokens.refresh_token or tokens.access_token}
            answer = self._app.post(f"{self._oauth2}/revoke", withhold_token=True, data=form)
            if answer.status_code == 200 and not answer.content:
                return
            try:
                self.read_answer(answer)
            except CodeRefused:
                return  # the token is dead, and with it the consent it stood for

    def read_event(self, raw: str) -> AccountEvent:
        """https://developers.google.com/identity/protocols/risc"""
        with deadline(EVENT_SECONDS), self.transport.conversation():
            audiences = (self._app.client_id, *self._audiences)
            return read_event(raw, self._event_keys, issuers=lambda: self._event_issuers, audiences=audiences)

    def register_events(self, account: ServiceAccount, receiver: str) -> int:
        """Have security events sent to `receiver`. Return the status of Google's answer: 200 if it will.

        :raises ProviderUnavailable: no answer.
        """
        headers = {"Authorization": f"Bearer {account.token()}"}
        with self.transport.conversation():
            sent = {"json": stream(receiver), "headers": headers}
            answer = self._app.post(ADDRESS, withhold_token=True, **sent)
        return int(answer.status_code)

    def _owner(self, info: Json) -> str:
        """Return whose token it is. :raises ForeignAccessToken: made for another app."""
        ours = (self._app.client_id, *self._audiences)
        if info.get("aud") not in ours and info.get("azp") not in ours:
            raise ForeignAccessToken("tokeninfo: another client")
        owner = info.get("sub")
        if not isinstance(owner, str) or not self.subjects.fullmatch(owner):
            raise ProviderUnavailable("tokeninfo: no usable sub")
        return owner

    def _fetch_event_keys(self) -> dict[str, Any]:
        """Issuer and keys of the security events stand in a document of their own."""
        address = f"{self.issuer}/.well-known/risc-configuration"
        body = self.read_answer(self._app.get(address, withhold_token=True))
        issuer = body.get("issuer")
        if isinstance(issuer, str) and issuer.rstrip("/") == self.issuer:
            self._event_issuers = (issuer,)
        return self.read_answer(self._app.get(self._address(body, "jwks_uri"), withhold_token=True))
