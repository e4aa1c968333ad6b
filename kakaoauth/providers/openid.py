"""A login by OpenID Connect (OpenID Connect Core, section 3.1), the same for every provider that speaks it.

A provider is its name, its issuer and what it vouches for: docs/adding-a-provider.md. Its addresses are fixed by the
subclass, or read from its discovery document (OpenID Connect Discovery, section 4).
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from authlib.integrations.flask_client import OAuth
from flask.config import Config
from requests import Response

from kakaoauth.errors import (
    ContradictoryAnswers,
    ExpiredToken,
    ForeignAccessToken,
    InvalidAccessToken,
    ProviderUnavailable,
    UntrustedIdentity,
)
from kakaoauth.providers import oidc
from kakaoauth.providers.answers import Json
from kakaoauth.providers.base import TokenKeeper
from kakaoauth.providers.oauth import OAuthProvider
from kakaoauth.providers.pictures import own_picture
from kakaoauth.providers.values import ID_TOKEN_SECONDS, EmailState, PendingLogin, Profile, TokenSet
from kakaoauth.text import clean_text, normal_form

#: Seconds the discovery document counts.
FRESH = 24 * 3600


class OpenIdProvider(OAuthProvider):
    """A `Provider` of OpenID Connect. The least a subclass says is `name` and `issuer`."""

    #: As id_tokens name it.
    issuer: str
    #: Other spellings of it.
    other_issuers: tuple[str, ...] = ()
    #: Where a subclass names them itself; without `authorize_url` all of them are discovered.
    authorize_url = ""
    token_url = ""
    jwks_url = ""
    profile_url = ""
    scope = "openid email profile"
    #: What its ids for people look like.
    subjects: re.Pattern[str] = oidc.SUBJECT
    #: Whether an address that it calls verified is trusted: anybody who controls it owns the account here.
    vouches_for_email = False
    #: Whether other clients may ask for a token that is made for this site: see oidc.validate.
    any_party = False

    def __init__(self, oauth: OAuth, config: Config, keeper: TokenKeeper) -> None:
        self._is_discovered = not self.authorize_url
        self._discovered_at = 0.0
        self._audiences: tuple[str, ...] = config.get(f"{self.name.upper()}_ID_TOKEN_AUDIENCES") or ()
        self.issuers = (self.issuer, *self.other_issuers)
        super().__init__(oauth, config, keeper)
        self._keys = oidc.KeyStore(self._fetch_keys)

    @property
    def page_origins(self) -> tuple[str, ...]:
        """The origin of `authorize_url`, or of the issuer until that is known."""
        return (_origin(self.authorize_url or self.issuer),)

    def request_parameters(self, prompt: str | None, consent: tuple[str, ...], nonce: str) -> dict[str, str | None]:
        """The nonce always goes along, and must come back in the id_token."""
        return {"scope": self.scope, "nonce": nonce, "prompt": prompt}

    def read_claims(self, claims: Json) -> Profile:
        """Read who it is from an id_token's claims (OpenID Connect Core, section 5.1)."""
        email, state = self.read_email(claims)
        return Profile(
            provider=self.name,
            subject=str(claims["sub"]),
            email=email,
            email_state=state,
            name=clean_text(claims.get("name")),
            nickname=clean_text(claims.get("nickname")),
            profile_image=own_picture(claims.get("picture")),
            # Its word is enough for an account of one's own. One that was made on the command line may have rights.
            email_opens_waiting_account=False,
            auth_time=auth_time if type(auth_time := claims.get("auth_time")) is int else None,
        )

    def read_email(self, claims: Json) -> tuple[str | None, EmailState]:
        """Return an address only if the provider vouches for it. Its flag is a boolean, or at some a text."""
        email = claims.get("email")
        text = email.strip() if isinstance(email, str) else ""
        if not text:
            return None, EmailState.NOT_AGREED
        if normal_form(text) is None:
            return None, EmailState.UNUSABLE
        verified = claims.get("email_verified")
        if not self.vouches_for_email or not (verified is True or verified == "true"):
            return None, EmailState.UNVERIFIED
        return text, EmailState.TRUSTED

    def read_profile(self, body: Json) -> Profile:
        """The same of the answer of userinfo. :raises ProviderUnavailable: no usable id."""
        subject = body.get("sub")
        if not isinstance(subject, str) or not self.subjects.fullmatch(subject):
            raise ProviderUnavailable(f"{self.name}: no usable id")
        return self.read_claims(body)

    # The login

    def begin(self, *args: Any, **more: Any) -> str:
        """As Provider.begin, at the address that is discovered."""
        self.discover()
        return super().begin(*args, **more)

    def fetch_profile(self, pending: PendingLogin, code: str) -> Profile:
        """One call where the id_token says all that is needed or new, two otherwise; one deadline for both."""
        with self.transport.conversation():
            self.discover()
            token = self._app.exchange(pending, code, **self.token_parameters(pending))
            claims = self.claims_of_login(token, pending)
            is_brief = False
            if self.profile_url and not self.is_enough(claims):
                is_brief = bool(pending.is_enough_of(self.profile_of_login(claims, pending)))
                claims = claims if is_brief else self._with_userinfo(claims, token)
        profile = self.profile_of_login(claims, pending)
        return replace(profile, tokens=TokenSet.from_authlib(token), is_brief=is_brief)

    def profile_of_login(self, claims: Json, pending: PendingLogin) -> Profile:
        """Read who it is, for a provider that says more beside the id_token."""
        return self.read_claims(claims)

    def is_enough(self, claims: Json) -> bool:
        """Whether userinfo could add anything that an account has room for."""
        return "email" in claims and "name" in claims

    def profile_of_id_token(self, id_token: str, *, nonce: str | None = None) -> Profile:
        """Audiences: the client id, and whatever else `<NAME>_ID_TOKEN_AUDIENCES` counts."""
        with self.transport.conversation():
            self.discover()
        with refused_as_id_token():
            claims = self._validate(
                id_token,
                audiences=(self._app.client_id, *self._audiences),
                nonce=nonce,
                max_age=ID_TOKEN_SECONDS,
                any_party=self.any_party,
            )
        # It says what was so when it was issued, which may be minutes ago.
        return replace(self.read_claims(claims), confirmed_at=datetime.fromtimestamp(claims["iat"], UTC))

    def _ask(self, send: Callable[..., Response]) -> Response:
        """Tokens are renewed at the address that is discovered."""
        self.discover()
        return super()._ask(send)

    # Addresses and keys

    def discover(self) -> None:
        """Read the discovery document, where it is needed. :raises ProviderUnavailable: it cannot be had, or is odd."""
        if not self._is_discovered or 0 <= time.time() - self._discovered_at < FRESH:
            return
        address = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        body = self.read_answer(self._app.get(address, withhold_token=True))
        if body.get("issuer") != self.issuer:
            raise ProviderUnavailable(f"{self.name}: discovery names another issuer")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        authorize, token, jwks = (self._address(body, name) for name in names)
        self.profile_url = self._address(body, "userinfo_endpoint") if "userinfo_endpoint" in body else ""
        self.authorize_url, self.token_url, self.jwks_url = authorize, token, jwks
        self._app.authorize_url, self._app.access_token_url = authorize, token
        self._discovered_at = time.time()

    def _address(self, body: Json, name: str) -> str:
        """Return an address of the document. Secrets go there: https, or where the issuer itself is."""
        address = body.get(name)
        if not isinstance(address, str) or not (
            address.startswith("https://") or _origin(address) == _origin(self.issuer)
        ):
            raise ProviderUnavailable(f"{self.name}: discovery has no usable {name}")
        return address

    def _fetch_keys(self) -> dict[str, Any]:
        self.discover()
        return self.read_answer(self._app.get(self.jwks_url, withhold_token=True))

    def _validate(self, id_token: object, **how: Any) -> dict[str, Any]:
        issuers = (self.issuer, *self.other_issuers)
        return oidc.validate(id_token, self._keys, issuer=issuers, subjects=self.subjects, **how)

    def claims_of_login(self, token: Json, pending: PendingLogin) -> dict[str, Any]:
        """Validate the id_token of a token answer. :raises UntrustedIdentity: :raises ProviderUnavailable: no keys."""
        claims = self._validate(token.get("id_token"), audiences=(pending.client_id,), nonce=pending.nonce)
        if pending.nonce is None and claims.get("nonce"):
            # A code of a login that somebody else has begun: with our own pages, where the nonce stays here.
            raise UntrustedIdentity("id_token: it carries a nonce that the caller does not name")
        return claims

    def _with_userinfo(self, claims: dict[str, Any], token: Json) -> dict[str, Any]:
        body = self.read_answer(self._app.get_as(token["access_token"], self.profile_url))
        if body.get("sub") != claims["sub"]:
            # Another's access token, slipped in beside somebody's id_token (OpenID Connect Core, section 5.3.2).
            raise ContradictoryAnswers("userinfo and id_token are about different people")
        return {**body, **claims}


@contextmanager
def refused_as_id_token() -> Iterator[None]:
    """Turn refusals inside into those of a caller who brought an id_token.

    :raises InvalidAccessToken, ExpiredToken, ForeignAccessToken:
    """
    try:
        yield
    except oidc.OtherAudience as error:
        raise ForeignAccessToken(error.reason) from None
    except oidc.TooOld as error:
        raise ExpiredToken(error.reason) from None
    except UntrustedIdentity as error:
        raise InvalidAccessToken(error.reason) from None


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
