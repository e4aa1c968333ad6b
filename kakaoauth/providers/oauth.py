"""A login by authorization code, the same for every provider.

RFC 6749, section 4.1, with PKCE (RFC 7636) and one callback address for each provider (RFC 9700, section 4.4). A new
provider is a subclass that says what is its own: docs/adding-a-provider.md.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from authlib.integrations.flask_client import OAuth
from flask.config import Config
from requests import Response

from kakaoauth.errors import AppError, CodeRefused, InvalidAccessToken, TokensNotTaken, provider_label
from kakaoauth.providers import answers
from kakaoauth.providers.answers import Json, bearer, refused_as_code
from kakaoauth.providers.base import SetRefused, TokenKeeper
from kakaoauth.providers.http import Session, Transport, transport_for
from kakaoauth.providers.oauth_client import OAuthApp
from kakaoauth.providers.values import AccountEvent, AgreedTerms, PendingLogin, Profile, TokenSet


class OAuthProvider:
    """A `Provider` of plain OAuth 2.0. The least a subclass says is `name`, three addresses and `read_profile`."""

    name: str
    authorize_url: str
    token_url: str
    profile_url: str
    #: What `get` and short paths are relative to; what is asked for, as it goes into the authorization request.
    api_url: str = ""
    scope: str = ""
    #: See Provider.
    prompts: tuple[str, ...] = ()
    email_scopes: tuple[str, ...] = ("email",)
    leaves_fragment = False
    issuers: tuple[str, ...] = ()
    answers_by_post = False
    refuses_embedded_browsers = False
    #: Seconds an access token and a refresh token live where the answer does not say.
    unsaid_seconds = 0
    refresh_unsaid_seconds = answers.REFRESH_SECONDS
    #: See Provider.
    error_codes: frozenset[str] = frozenset()
    #: The provider's codes for a redirect_uri that does not fit.
    redirect_uri_codes: frozenset[str] = frozenset()
    session_class: type[Session] = Session
    #: What the error names of its token endpoint, and those of its authorization endpoint, mean.
    faults: Mapping[str, answers.Fault] = answers.OAUTH
    refusals: Mapping[str, type[AppError]] = answers.REFUSALS
    #: Client ids of apps whose codes are exchanged as theirs.
    native_clients: tuple[str, ...] = ()

    def __init__(self, oauth: OAuth, config: Config, keeper: TokenKeeper) -> None:
        # The site decides how long a person waits and how many threads may wait: one set of limits for all
        # providers. Each has a transport of its own, so one that is slow does not hold up the others.
        self.transport: Transport = transport_for(config)
        self._app: OAuthApp = oauth.register(
            self.name,
            client_cls=OAuthApp,
            authorize_url=self.authorize_url,
            access_token_url=self.token_url,
            api_base_url=self.api_url,
            client_kwargs={"transport": self.transport},
        )
        self._app.client_cls = self.session_class
        self._app.read_token = self.read_token
        self._keeper = keeper

    @property
    def label(self) -> str:
        """As Provider: the name on the button."""
        return provider_label(self.name)

    @property
    def page_origins(self) -> tuple[str, ...]:
        """The origin of `authorize_url`."""
        parts = urlsplit(self.authorize_url)
        return (f"{parts.scheme}://{parts.netloc}",)

    # What a subclass may say in its own words

    def request_parameters(self, prompt: str | None, consent: tuple[str, ...], nonce: str) -> dict[str, str | None]:
        """The authorization request's parameters besides those of RFC 6749 and 7636; None leaves one out."""
        return {"scope": self.scope or None}

    def token_parameters(self, pending: PendingLogin) -> dict[str, str]:
        """The token call's parameters by code besides those of RFC 6749 and 7636."""
        return {}

    def read_answer(self, response: Response) -> dict[str, Any]:
        """Return a successful answer's JSON object. :raises AppError: what any other answer means."""
        return answers.read_answer(response, lambda body: "error" in body, self._error_of)

    def read_token(self, response: Response) -> dict[str, Any]:
        """Read the token endpoint's answer. :raises AppError:"""
        return answers.read_token(self.read_answer(response), self.unsaid_seconds, self.refresh_unsaid_seconds)

    def ask_profile(self, token: Json) -> dict[str, Any]:
        """GET `profile_url` with a token in Authlib's form. :raises AppError:"""
        return self.read_answer(self._app.get_as(token["access_token"], self.profile_url))

    def read_profile(self, body: Json) -> Profile:
        """Read the answer of `profile_url`. :raises ProviderUnavailable: no usable id."""
        raise NotImplementedError

    # The login

    def begin(
        self,
        redirect_uri: str,
        next_url: str,
        *,
        prompt: str | None = None,
        consent: tuple[str, ...] = (),
        mode: str = "",
        link_to: str = "",
        confirms: str = "",
    ) -> str:
        """As Provider.begin, with fresh state, nonce and PKCE verifier (RFC 7636)."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        self._app.save_authorize_data(
            state=state,
            client_id=self._app.client_id,
            redirect_uri=redirect_uri,
            nonce=nonce,
            code_verifier=verifier,
            next=next_url,
            **{"mode": mode, "link_to": link_to, "confirms": confirms, "consent": ",".join(consent)},
            silent="1" if prompt == "none" else "",
        )
        more = self.request_parameters(prompt, consent, nonce)
        return self._app.authorization_address(redirect_uri, state, verifier, **more)

    def can_ask_for(self, consent: tuple[str, ...]) -> bool:
        """Plain OAuth 2.0 does not tell: True."""
        return True

    def find_pending(self, state: str) -> PendingLogin | None:
        """As Provider.find_pending."""
        return self._app.framework.find_pending(state)

    def forget_pending(self, state: str) -> None:
        """As Provider.forget_pending."""
        self._app.framework.forget_pending(state)

    def refusal(self, error: str, description: str) -> AppError:
        """By the error names of RFC 6749, section 4.1.2.1."""
        return answers.refusal(error, self.refusals)

    def fetch_profile(self, pending: PendingLogin, code: str) -> Profile:
        """Two calls under one deadline."""
        with self.transport.conversation():
            token = self._app.exchange(pending, code, **self.token_parameters(pending))
            profile = self.read_profile(self.ask_profile(token))
        return replace(profile, tokens=TokenSet.from_authlib(token))

    def profile_of_access_token(self, access_token: str) -> Profile:
        """:raises TokensNotTaken: always; a subclass that can tell whose app a token is for overrides it."""
        raise TokensNotTaken(f"{self.name} does not say for which app an access token was made")

    def profile_of_code(
        self,
        code: str,
        redirect_uri: str,
        *,
        code_verifier: str | None = None,
        nonce: str | None = None,
        state: str = "",
        client_id: str = "",
    ) -> Profile:
        """As Provider.profile_of_code."""
        if client_id and client_id not in self.native_clients:
            raise InvalidAccessToken("the code's client is not one of this site's apps")
        login = PendingLogin(
            provider=self.name,
            state=state,
            client_id=client_id or self._app.client_id,
            redirect_uri=redirect_uri,
            nonce=nonce,
            code_verifier=code_verifier,
            next="",
            expires_at=0,
            by_app=True,
        )
        with refused_as_code(self.redirect_uri_codes):
            return self.fetch_profile(login, code)

    def profile_of_id_token(self, id_token: str, *, nonce: str | None = None) -> Profile:
        """:raises InvalidAccessToken: always; plain OAuth 2.0 has no id_tokens."""
        raise InvalidAccessToken(f"{self.name}: no id_tokens")

    def agreed_terms(self, subject: str, access_token: str) -> AgreedTerms:
        """As Provider.agreed_terms: there is no such page."""
        return {}

    # Afterwards

    def get(self, path: str, **arguments: Any) -> Response:
        """As Provider.get; a refused token is renewed once."""
        return self._call("GET", path, arguments)

    def post(self, path: str, **arguments: Any) -> Response:
        """As Provider.post; a refused token is renewed once."""
        return self._call("POST", path, arguments)

    def _call(self, method: str, path: str, arguments: dict[str, Any]) -> Response:
        try:
            return self._ask(partial(self._app.request, method, path.lstrip("/"), **arguments))
        except AppError as error:
            error.provider = self.name  # it may end on a page of the host's
            raise

    def _ask(self, send: Callable[..., Response]) -> Response:
        """Send with this login's token, renewed near its end, and again with another one if it is refused."""
        tokens = self._keeper.fetch_token(self.name)
        if tokens is not None and tokens.is_ending():
            tokens = self._renewed(tokens)
        if tokens is None:
            raise CodeRefused("no token of this login is kept, or it is over and there is no refresh token")
        answer = send(token=bearer(tokens.access_token))
        # The provider does not know the token any more, but may still know the one that renews it.
        if self._is_refused(answer) and (renewed := self._renewed(tokens)):
            answer = send(token=bearer(renewed.access_token))
        if self._is_refused(answer):
            self._keeper.forget_token(self.name)
            self.read_answer(answer)
        return answer

    def _is_refused(self, answer: Response) -> bool:
        """:raises AppError: any other failure."""
        if answer.status_code < 400:
            return False
        try:
            self.read_answer(answer)
        except CodeRefused:
            return True
        return False

    def _renewed(self, old: TokenSet) -> TokenSet | None:
        """Return newer tokens than `old`; None if they are gone, or there is nothing to renew them with.

        :raises CodeRefused: the provider does not know the refresh token either; the tokens are dropped.
        :raises ProviderUnavailable: it cannot be known now; nothing is dropped.
        """
        with self._keeper.renewing(self.name) as current:
            if current is None or (current.access_token, current.expires_at) != (old.access_token, old.expires_at):
                return current  # as another worker has left them
            if not current.refresh_token:
                return None
            renewed = TokenSet.from_authlib(self._app.refresh(current.refresh_token))
            self._keeper.update_token(self.name, renewed)
            return renewed

    def end_token(self, access_token: str) -> None:
        """Plain OAuth 2.0 has no such call: the token ends by itself."""

    def unlink(self, subject: str, tokens: TokenSet | None) -> None:
        """Plain OAuth 2.0 has no such call: the person does it at the provider."""

    def is_linked(self, subject: str) -> bool | None:
        """Plain OAuth 2.0 has no such call."""
        return None

    def read_event(self, raw: str) -> AccountEvent:
        """:raises SetRefused: always; plain OAuth 2.0 has no messages."""
        raise SetRefused("invalid_request", f"{self.name} sends no messages")

    def account_logout_url(self, return_to: str, state: str) -> str | None:
        """Plain OAuth 2.0 has no such page."""
        return None

    def _error_of(self, status: int, body: Json, retry_after: str) -> AppError:
        name = body.get("error")
        fault = self.faults.get(name) if isinstance(name, str) else None
        # A name that no table has is the answer's own text, and stays out of pages and logs.
        code = str(name) if fault is not None and name in self.error_codes else ""
        return answers.error_of(self.name, fault, status, code=code, retry_after=retry_after)
