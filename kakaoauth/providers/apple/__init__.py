"""Sign in with Apple (https://developer.apple.com/documentation/signinwithapplerestapi)."""

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from authlib.integrations.flask_client import OAuth
from flask.config import Config

from kakaoauth.errors import AppError, CodeRefused, InvalidAccessToken, LoginCancelled, UntrustedIdentity
from kakaoauth.providers import answers
from kakaoauth.providers.answers import Json
from kakaoauth.providers.apple.client_secret import SigningKey
from kakaoauth.providers.apple.events import read_notification
from kakaoauth.providers.base import TokenKeeper
from kakaoauth.providers.deadline import deadline
from kakaoauth.providers.openid import OpenIdProvider
from kakaoauth.providers.values import AccountEvent, PendingLogin, Profile, TokenSet
from kakaoauth.text import clean_text

log = logging.getLogger(__name__)

#: Seconds that fetching the keys for a notification may take: Apple sends it again if it is not answered in time.
EVENT_SECONDS = 2.0
#: Refresh tokens live until they are withdrawn. Kept for that alone: Apple has no API to call.
REFRESH_SECONDS = 5 * 365 * 86400


class Apple(OpenIdProvider):
    """Apple as a `Provider`. It has no page to log out, and asks nobody for a password again: no `login` prompt."""

    name = "apple"
    scope = "name email"
    vouches_for_email = True
    answers_by_post = True
    refresh_unsaid_seconds = REFRESH_SECONDS
    faults: Mapping[str, answers.Fault] = {
        **answers.OAUTH,
        "invalid_client": answers.operator(
            "check the client, team and key ids, APPLE_PRIVATE_KEY, the redirect URI and this machine's clock"
        ),
    }
    error_codes = frozenset(faults)
    refusals: Mapping[str, type[AppError]] = {**answers.REFUSALS, "user_cancelled_authorize": LoginCancelled}

    def __init__(self, oauth: OAuth, config: Config, keeper: TokenKeeper) -> None:
        # Never from the discovery document: on 2025-06-11 that named another issuer than the tokens did.
        self.issuer = config["APPLE_URL"]
        self.authorize_url = f"{self.issuer}/auth/authorize"
        self.token_url = f"{self.issuer}/auth/token"
        self.jwks_url = f"{self.issuer}/auth/keys"
        self._key = SigningKey(config["APPLE_PRIVATE_KEY"], config["APPLE_KEY_ID"], config["APPLE_TEAM_ID"])
        super().__init__(oauth, config, keeper)
        self._app.make_secret = self._key.secret_for
        #: A phone's code is exchanged as the phone's app: so there is a token to revoke when its owner leaves.
        self.native_clients = self._audiences

    def request_parameters(self, prompt: str | None, consent: tuple[str, ...], nonce: str) -> dict[str, str | None]:
        """With name or e-mail in the scope Apple answers by a form only."""
        return {"scope": self.scope, "response_mode": "form_post", "nonce": nonce}

    def is_enough(self, claims: Json) -> bool:
        """There is no userinfo."""
        return True

    def read_claims(self, claims: Json) -> Profile:
        """The name is in no token, and a name that is here already is not replaced by what a browser brings."""
        return replace(super().read_claims(claims), name=None, nickname=None, profile_image=None, name_fills_gap=True)

    def profile_of_login(self, claims: Json, pending: PendingLogin) -> Profile:
        """The name comes once, at the first login, unsigned and by way of the browser."""
        return replace(self.read_claims(claims), name=read_name(pending.said))

    def profile_of_id_token(self, id_token: str, *, nonce: str | None = None) -> Profile:
        """As OpenIdProvider. Apps often send Apple the SHA-256 of their nonce, which comes back in its place."""
        if nonce is None:
            return super().profile_of_id_token(id_token)
        try:
            return super().profile_of_id_token(id_token, nonce=nonce)
        except InvalidAccessToken:
            return super().profile_of_id_token(id_token, nonce=_hashed(nonce))

    def claims_of_login(self, token: Json, pending: PendingLogin) -> dict[str, Any]:
        """The same of an app's code."""
        if not pending.by_app or pending.nonce is None:
            return super().claims_of_login(token, pending)
        try:
            return super().claims_of_login(token, pending)
        except UntrustedIdentity:
            return super().claims_of_login(token, replace(pending, nonce=_hashed(pending.nonce)))

    def unlink(self, subject: str, tokens: TokenSet | None) -> None:
        """https://developer.apple.com/documentation/signinwithapplerestapi/revoke-tokens: Apple's rule for whoever
        deletes an account. Without a token only the person can do it, in the settings of their device."""
        if tokens is None:
            log.info("Apple is not told that somebody has left: no token of theirs is kept")
            return
        kind = "refresh_token" if tokens.refresh_token else "access_token"
        with self.transport.conversation():
            # A token is ended as the client that it was made for, which may be an app: another's call has no effect.
            for client_id in (self._app.client_id, *self._audiences):
                self._revoke(client_id, tokens.refresh_token or tokens.access_token, kind)

    def read_event(self, raw: str) -> AccountEvent:
        """https://developer.apple.com/documentation/signinwithapple/processing-changes-for-sign-in-with-apple-accounts"""
        with deadline(EVENT_SECONDS), self.transport.conversation():
            audiences = (self._app.client_id, *self._audiences)
            return read_notification(raw, self._keys, issuer=self.issuer, audiences=audiences)

    def _revoke(self, client_id: str, token: str, kind: str) -> None:
        form = {"client_id": client_id, "client_secret": self._key.secret_for(client_id), "token": token}
        form["token_type_hint"] = kind
        answer = self._app.post(f"{self.issuer}/auth/revoke", withhold_token=True, data=form)
        if answer.status_code != 200:  # a good answer has no body
            try:
                self.read_answer(answer)
            except CodeRefused:
                return  # dead already


def _hashed(nonce: str) -> str:
    return sha256(nonce.encode()).hexdigest()


def read_name(said: str) -> str | None:
    """Read the `user` field of Apple's form: JSON that anybody could have sent. Of it the name only, as text."""
    try:
        name = json.loads(said).get("name") if said else None
    except (ValueError, AttributeError, RecursionError):
        return None
    if not isinstance(name, dict):
        return None
    first, last = clean_text(name.get("firstName")), clean_text(name.get("lastName"))
    parts = [part for part in (first, last) if part]
    # Written together, the family name first, where either is Hangul: 김하늘
    if any("\uac00" <= char <= "\ud7a3" for part in parts for char in part):
        return clean_text("".join(reversed(parts)))
    return clean_text(" ".join(parts))
