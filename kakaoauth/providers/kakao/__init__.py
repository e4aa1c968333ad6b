"""Kakao Login (https://developers.kakao.com/docs/ko/kakaologin/rest-api)."""

import hmac
import logging
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from authlib.integrations.flask_client import OAuth
from flask.config import Config
from requests import Response

from kakaoauth import days
from kakaoauth.errors import (
    AccountUnusable,
    AppError,
    CodeRefused,
    ContradictoryAnswers,
    InvalidAccessToken,
    Misconfigured,
    ProviderUnavailable,
    TokensNotSetUp,
    UntrustedIdentity,
)
from kakaoauth.providers import oidc
from kakaoauth.providers.answers import BEARER, Json, bearer
from kakaoauth.providers.base import TokenKeeper
from kakaoauth.providers.deadline import deadline
from kakaoauth.providers.kakao import errors as kakao_errors
from kakaoauth.providers.kakao.answers import read_answer, read_token_info, refused_as_token, require_done
from kakaoauth.providers.kakao.events import read_set
from kakaoauth.providers.kakao.profile import SUBJECT, fill_gaps, read_claims, read_profile
from kakaoauth.providers.kakao.service_terms import ServiceTerms
from kakaoauth.providers.oauth import OAuthProvider
from kakaoauth.providers.values import (
    CONSENT_FOR_EMAIL,
    ID_TOKEN_SECONDS,
    AccountEvent,
    EmailState,
    PendingLogin,
    Profile,
    TokenSet,
)
from kakaoauth.text import normal_form

log = logging.getLogger(__name__)

#: Consent items whose values stand in `/v2/user/me` only.
ONLY_IN_USER_ME = frozenset(("name", "gender", "age_range", "birthyear", "birthday"))

#: Where Kakao shows its pages, whatever host a browser was sent to.
ACCOUNTS = "https://accounts.kakao.com"
#: Seconds that fetching the keys for a webhook's message may take. Kakao waits 3 for our answer, and hears a 503 as
#: a failure just as it does silence: so all but what remembering the message needs.
EVENT_SECONDS = 2.0
#: Seconds that asking whether somebody is linked may take: Kakao waits for our answer to its webhook meanwhile.
IS_LINKED_SECONDS = 1.0
#: Kakao's codes for nobody who is linked: unlinked; the Kakao account is gone.
NOT_LINKED = ("-101", "-103")
#: Seconds that telling Kakao of a logout may hold the person up.
LOGOUT_SECONDS = 2.0
#: Seconds that the answer counts whether the console has the e-mail among its consent items.
ITEM_SECONDS = 60.0


class Kakao(ServiceTerms, OAuthProvider):
    """Kakao as a `Provider`."""

    name = "kakao"
    prompts = ("login", "select_account", "create")
    error_codes = kakao_errors.CODES
    email_scopes = CONSENT_FOR_EMAIL
    #: Not registered at all; not the one of the authorization request.
    redirect_uri_codes = frozenset(("KOE006", "KOE303", "KOE310"))

    def __init__(self, oauth: OAuth, config: Config, keeper: TokenKeeper) -> None:
        self._kauth: str = config["KAKAO_KAUTH_URL"]
        self.authorize_url = config["KAKAO_AUTHORIZE_URL"]
        self.token_url = config["KAKAO_ACCESS_TOKEN_URL"]
        self.api_url = config["KAKAO_API_BASE_URL"]
        self._scope = re.split(r"[,\s]+", config["KAKAO_SCOPE"].strip(", \t\r\n")) if config["KAKAO_SCOPE"] else []
        self._app_id: int = config["KAKAO_APP_ID"]
        self._admin_key: str = config["KAKAO_ADMIN_KEY"]
        self._audiences: tuple[str, ...] = config["KAKAO_ID_TOKEN_AUDIENCES"]
        #: Known once an id_token has come: the switch stands in Kakao's console.
        self._openid_is_on = False
        #: Whether the console has the e-mail among its consent items, and when we asked (monotonic seconds).
        self._email_item: tuple[bool, float] | None = None
        self._email_required: bool = config["KAKAOAUTH_EMAIL_REQUIRED"]
        self.terms = config["KAKAOAUTH_TERMS"]
        super().__init__(oauth, config, keeper)
        self._keys = oidc.KeyStore(self._fetch_keys)
        self._validate = partial(oidc.validate, keys=self._keys, issuer=self._kauth, subjects=SUBJECT)

    @property
    def page_origins(self) -> tuple[str, ...]:
        """The OAuth host's origin and that of Kakao's own login pages."""
        return (self._kauth, ACCOUNTS)

    def request_parameters(self, prompt: str | None, consent: tuple[str, ...], nonce: str) -> dict[str, str | None]:
        """Scope and prompt are comma lists at Kakao. The nonce always goes along: it costs nothing where no id_token
        comes, and whether one comes is set in the console."""
        scope = ",".join(self._items(consent)) or None
        return {"scope": scope, "prompt": prompt, "nonce": nonce, "service_terms": self.terms_to_show()}

    def read_answer(self, response: Response) -> dict[str, Any]:
        """As OAuthProvider, with Kakao's error codes."""
        return read_answer(response)

    def refusal(self, error: str, description: str) -> AppError:
        """As Provider; the description tells only whether the person is under 14."""
        return kakao_errors.refusal(error, description)

    def fetch_profile(self, pending: PendingLogin, code: str) -> Profile:
        """One call where the id_token says all that is needed or new, two otherwise; one deadline for both."""
        with self.transport.conversation():
            token = self._app.exchange(pending, code)
            claims = self._claims(token, pending)
            tokens = TokenSet.from_authlib(token)
            if claims is not None:
                brief = _profile_of(claims)
                is_known = pending.is_enough_of(brief)
                if is_known or (is_known is None and self._is_enough(claims, token)):
                    return replace(brief, tokens=tokens, is_brief=bool(is_known))
            profile = self._read_profile(self._user_me(tokens.access_token), tokens)
        if claims is None:
            return profile
        if not hmac.compare_digest(profile.subject, claims["sub"]):
            # An access token that was slipped in beside somebody's id_token (RFC 9700, section 4.6).
            raise ContradictoryAnswers("user/me and id_token are about different people")
        return fill_gaps(profile, read_claims(claims))

    def profile_of_access_token(self, access_token: str) -> Profile:
        """https://developers.kakao.com/docs/ko/kakaologin/rest-api#get-token-info: whose token, and for which app."""
        if not self._app_id:
            log.warning("access tokens are refused: set KAKAO_APP_ID, without it other apps' tokens cannot be told")
            raise TokensNotSetUp("KAKAO_APP_ID is not set")
        if not BEARER.fullmatch(access_token):
            raise InvalidAccessToken("odd characters or length")
        with self.transport.conversation(), refused_as_token():
            owner = read_token_info(self._app.get_as(access_token, "v1/user/access_token_info"), self._app_id)
            profile = self._read_profile(self._user_me(access_token))
        if profile.subject != owner:
            raise ContradictoryAnswers("access_token_info and user/me are about different people")
        return profile

    def profile_of_id_token(self, id_token: str, *, nonce: str | None = None) -> Profile:
        """Audiences: the REST API key, and whatever else KAKAO_ID_TOKEN_AUDIENCES counts (the native app key)."""
        with refused_as_token():
            claims = self._validate(
                id_token,
                audiences=[self._app.client_id, *self._audiences],
                nonce=nonce,
                max_age=ID_TOKEN_SECONDS,
            )
        # It says what was so when it was issued, which may be minutes ago.
        return replace(_profile_of(claims), confirmed_at=datetime.fromtimestamp(claims["iat"], UTC))

    def end_token(self, access_token: str) -> None:
        """https://developers.kakao.com/docs/ko/kakaologin/rest-api#logout"""
        with deadline(LOGOUT_SECONDS):
            self._post_as("v1/user/logout", access_token)

    def unlink(self, subject: str, tokens: TokenSet | None) -> None:
        """https://developers.kakao.com/docs/ko/kakaologin/rest-api#unlink"""
        with self.transport.conversation():
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

    def is_linked(self, subject: str) -> bool | None:
        """https://developers.kakao.com/docs/ko/kakaologin/rest-api#req-user-info, with the admin key."""
        if not self._admin_key:
            return None
        target = {"target_id_type": "user_id", "target_id": subject}
        headers = {"Authorization": f"KakaoAK {self._admin_key}"}
        try:
            with deadline(IS_LINKED_SECONDS), self.transport.conversation():
                body = read_answer(self._app.get("v2/user/me", withhold_token=True, headers=headers, params=target))
        except AccountUnusable as error:
            if error.provider_code in NOT_LINKED:
                return False
            raise
        if str(body.get("id")) != subject:
            raise ProviderUnavailable("user/me is about somebody else")
        return True

    def _unlinked_as(self, tokens: TokenSet) -> bool:
        """With the person's token, renewed if it is over; False if Kakao knows neither.

        One that Kakao does not know before its time is renewed as well, unless the admin key does without.
        """
        is_over = tokens.expires_at <= datetime.now(UTC)
        if not (is_over and tokens.refresh_token):
            if self._is_unlinked_by(tokens.access_token):
                return True
            if self._admin_key or not tokens.refresh_token:
                return False
        try:
            renewed = self._app.refresh(tokens.refresh_token)["access_token"]
        except CodeRefused:
            return False
        return self._is_unlinked_by(renewed)

    def _is_unlinked_by(self, access_token: str) -> bool:
        try:
            self._post_as("v1/user/unlink", access_token)
        except CodeRefused:
            return False
        return True

    def _post_as(self, path: str, access_token: str) -> None:
        require_done(self._app.post(path, token=bearer(access_token)))

    def read_event(self, raw: str) -> AccountEvent:
        """https://developers.kakao.com/docs/ko/kakaologin/callback: Kakao waits 3 seconds for our answer."""
        with deadline(EVENT_SECONDS):
            return read_set(raw, self._keys, issuer=self._kauth, client_id=self._app.client_id, app_id=self._app_id)

    def account_logout_url(self, return_to: str, state: str) -> str:
        """https://developers.kakao.com/docs/ko/kakaologin/rest-api#logout-of-service-and-kakaoaccount"""
        query = {"client_id": self._app.client_id, "logout_redirect_uri": return_to, "state": state}
        return f"{self._kauth}/oauth/logout?{urlencode(query)}"

    def can_ask_for(self, consent: tuple[str, ...]) -> bool:
        """An item that the console lacks ends on a page of Kakao's (KOE205), from which nobody comes back. What the
        console has, `/v2/user/me` tells; where nobody's token can be used for it, what it told last."""
        if "account_email" not in consent:
            return True
        if self._email_item is None or time.monotonic() - self._email_item[1] > ITEM_SECONDS:
            with suppress(AppError), self.transport.conversation():
                self._read_profile(read_answer(self.get("v2/user/me")))
        return self._email_item is None or self._email_item[0]

    def _read_profile(self, body: Json, tokens: TokenSet | None = None) -> Profile:
        profile = read_profile(body, days.today(), tokens)
        self._email_item = (profile.email_state is not EmailState.NOT_CONFIGURED, time.monotonic())
        return profile

    def _items(self, consent: tuple[str, ...]) -> list[str]:
        """Without `openid` in it, an additional request would bring no new id_token; where OpenID Connect is off in the
        console, with it Kakao would refuse the request (KOE205)."""
        if not consent:
            return self._scope
        return ["openid", *consent] if "openid" in self._scope or self._openid_is_on else list(consent)

    def _claims(self, token: Mapping[str, Any], pending: PendingLogin) -> dict[str, Any] | None:
        if token.get("id_token") is None:
            if pending.confirms and ("openid" in self._scope or self._openid_is_on):
                # A request that somebody has changed on the way brings none, and with it nothing that shows when the
                # person logged in.
                raise UntrustedIdentity("no id_token to confirm by: if OpenID Connect was switched off, restart")
            if pending.by_app and pending.nonce is not None:
                raise UntrustedIdentity("no id_token came to compare the named nonce with")
            return None
        claims = self._validate(token["id_token"], audiences=[pending.client_id], nonce=pending.nonce)
        if pending.nonce is None and claims.get("nonce"):
            # A code of a login that somebody else has begun: with our own pages, where the nonce stays here.
            raise UntrustedIdentity("id_token: it carries a nonce that the caller does not name")
        self._openid_is_on = True
        return claims

    def _is_enough(self, claims: Mapping[str, Any], token: Mapping[str, Any]) -> bool:
        """Whether user/me could add anything that an account has room for."""
        granted = set(re.split(r"[,\s]+", token["scope"]))
        if granted & ONLY_IN_USER_ME:
            return False
        email = claims.get("email")
        return not self._email_required or (isinstance(email, str) and normal_form(email) is not None)

    def _user_me(self, access_token: str) -> dict[str, Any]:
        return read_answer(self._app.get_as(access_token, "v2/user/me", params={"secure_resource": "true"}))

    def _fetch_keys(self) -> dict[str, Any]:
        return read_answer(self._app.get(f"{self._kauth}/.well-known/jwks.json", withhold_token=True))


def _profile_of(claims: Json) -> Profile:
    """All that an id_token says; why it has no e-mail it does not."""
    profile = read_claims(claims)
    return profile if profile.email else replace(profile, email_state=EmailState.NOT_SAID)
