"""The interfaces `Provider` and `TokenKeeper`. They know no single provider, no request and no database."""

from contextlib import AbstractContextManager
from typing import Any, Protocol

from requests import Response

from kakaoauth.errors import AppError
from kakaoauth.providers.values import AccountEvent, AgreedTerms, PendingLogin, Profile, TokenSet


class SetRefused(Exception):
    """A message that is not acted upon. `err` is a code of RFC 8935, section 2.4."""

    def __init__(self, err: str, description: str) -> None:
        super().__init__(f"{err}: {description}")
        self.err = err
        self.description = description


class TokenKeeper(Protocol):
    """Where the current user's tokens come from and go to; each call names the provider."""

    def fetch_token(self, provider: str) -> TokenSet | None:
        """Return the tokens; None if none are stored."""

    def update_token(self, provider: str, tokens: TokenSet) -> None:
        """Store renewed tokens. Without a refresh token among them the old one stays."""

    def forget_token(self, provider: str) -> None:
        """Delete tokens that the provider does not know any more."""

    def renewing(self, provider: str) -> AbstractContextManager[TokenSet | None]:
        """Keep other workers from renewing meanwhile; gives the tokens as they stand then, None if they are gone.

        A CodeRefused raised inside says that they are dead: they are deleted before another worker looks.
        """


class Provider(Protocol):
    """One way to log in."""

    #: In addresses and in `Identity.provider`.
    name: str

    @property
    def error_codes(self) -> frozenset[str]:
        """Its codes for errors that have a meaning here. Others are not counted by name: a visitor can make them up."""

    @property
    def label(self) -> str:
        """What people call it, in the request's language."""

    @property
    def prompts(self) -> tuple[str, ...]:
        """The `prompt` values (OpenID Connect Core, section 3.1.2.1) that an address may ask for. Never `none`: that is
        for `web.silent_login` to decide."""

    @property
    def page_origins(self) -> tuple[str, ...]:
        """Where a browser passes on its way through a login or logout: a form of ours must be allowed to lead there."""

    @property
    def email_scopes(self) -> tuple[str, ...]:
        """What an app has to ask the provider for where the e-mail is missing, in the provider's own words."""

    @property
    def answers_by_post(self) -> bool:
        """Its answer to an authorization request is a form that the browser posts from the provider's page."""

    @property
    def refuses_embedded_browsers(self) -> bool:
        """Browsers inside other apps see an error page of the provider's, from which nobody comes back."""

    @property
    def leaves_fragment(self) -> bool:
        """It appends a fragment to the callback's address, which a browser carries on to where we send it."""

    @property
    def issuers(self) -> tuple[str, ...]:
        """One of these is an answer's `iss` (RFC 9207), if it has any. Empty: that is not looked at."""

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
        """Keep a PendingLogin in the session and return the authorization request's address.

        :param prompt: one of the provider's `prompt` values, or `none`.
        :param consent: consent items to ask for in addition.
        :param mode: and `link_to`, `confirms`: see PendingLogin.
        """

    def can_ask_for(self, consent: tuple[str, ...]) -> bool:
        """False where asking for these items would end on an error page of the provider's, as far as can be known."""

    def find_pending(self, state: str) -> PendingLogin | None:
        """The pending login of this browser with that state, also one that is late; None if there is none."""

    def forget_pending(self, state: str) -> None:
        """A state works once: drop it, whatever became of it."""

    def refusal(self, error: str, description: str) -> AppError:
        """Say in our words why the authorization endpoint sent the person back with `error`."""

    def fetch_profile(self, pending: PendingLogin, code: str) -> Profile:
        """Exchange the code and find out who it is, with the values that wait in `pending`.

        :raises CodeRefused, Misconfigured, ProviderUnavailable, UntrustedIdentity, AccountUnusable, UnderAge:
        """

    def profile_of_access_token(self, access_token: str) -> Profile:
        """Find out whose access token an app has brought, and that it was made for us.

        :raises InvalidAccessToken: the provider does not know it. :raises ForeignAccessToken: made for another app.
        :raises Forbidden: the settings lack what tells our app from others. :raises AppError: as fetch_profile.
        """

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
        """Exchange a code that an app has got by itself, with the values of its authorization request.

        :raises InvalidAccessToken: the code is used, expired or unknown, or its id_token carries another nonce than the
        one named here. :raises InvalidFields: another redirect_uri than the request's. :raises AppError: as
        fetch_profile.
        """

    def profile_of_id_token(self, id_token: str, *, nonce: str | None = None) -> Profile:
        """Find out whose id_token an app has brought.

        :raises InvalidAccessToken: not genuine, of another nonce, or of a provider that knows no id_tokens.
        :raises ExpiredToken: :raises ForeignAccessToken: another audience. :raises AppError: as fetch_profile.
        """

    def agreed_terms(self, subject: str, access_token: str) -> AgreedTerms:
        """Return the site's terms that the person has agreed to on the provider's own page. Empty where it has none.

        :raises AppError: it cannot be known now.
        """

    def get(self, path: str, **arguments: Any) -> Response:
        """Call the provider's API as the current user, whose stored tokens are renewed as needed.

        :raises AppError: no token, or the provider's refusal.
        """

    def post(self, path: str, **arguments: Any) -> Response:
        """As `get`, by POST; `data` and `json` as in requests."""

    def end_token(self, access_token: str) -> None:
        """End the tokens of one login at the provider.

        :raises AppError: the provider did not do it.
        """

    def unlink(self, subject: str, tokens: TokenSet | None) -> None:
        """Withdraw the person's consent, with the person's own tokens or, failing that, the site's admin key. A person
        who is not linked any more counts as unlinked.

        :raises AppError: the provider did not do it.
        """

    def is_linked(self, subject: str) -> bool | None:
        """Whether the person has linked the site at present, as the site itself may ask; None: it may not.

        :raises ProviderUnavailable: no answer now.
        """

    def read_event(self, raw: str) -> AccountEvent:
        """Read a signed message about an account.

        :param raw: in the provider's own form: a Security Event Token, a `signed_request`.
        :raises SetRefused: not genuine, or not for us. :raises ProviderUnavailable: cannot be verified now.
        """

    def account_logout_url(self, return_to: str, state: str) -> str | None:
        """Where to send a browser that also leaves the provider's own account; None if there is no such page."""
