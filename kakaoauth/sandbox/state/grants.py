"""Codes, access tokens and refresh tokens: made, found, rotated, ended. Callers hold the state's lock."""

import secrets
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from kakaoauth.sandbox.clock import Clock
from kakaoauth.sandbox.state.model import AccessToken, AuthorizationRequest, Code, Grant

ACCESS_SECONDS = 21599  # six hours, one second short, as real answers show it
REFRESH_SECONDS = 5183999  # sixty days, likewise
ROTATE_BELOW_SECONDS = 30 * 86400  # "less than one month left"
KEEP_EXPIRED_SECONDS = 86400  # so that a stale token is told "already expired", not "does not exist"
SWEEP_EVERY = 128  # a sweep walks over all tokens: not on every login


class Grants:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.codes: dict[str, Code] = {}
        self.grants: dict[str, Grant] = {}
        self.access_tokens: dict[str, AccessToken] = {}

    def add_code(
        self, client_id: str, person: str, request: AuthorizationRequest, *, auth_time: int, seconds: int
    ) -> Code:
        """Make an authorization code that is good for so many seconds."""
        self._drop_old_codes()
        expires_at = self._clock.now() + seconds
        code = Code(secrets.token_urlsafe(48), client_id, person, request, auth_time, expires_at)
        self.codes[code.value] = code
        return code

    def peek_code(self, value: str, client_id: str) -> Code | None:
        """Return a living code of this client without spending it, or None."""
        code = self.codes.get(value)
        if code is None or code.client_id != client_id or code.expires_at <= self._clock.now():
            return None
        return code

    def spend_code(self, code: Code) -> None:
        """Take the code away. :raise KeyError: it is spent."""
        del self.codes[code.value]

    def open(self, code: Code, *, with_id_token: bool) -> tuple[Grant, AccessToken]:
        """Begin a login: a refresh token and the first access token."""
        self._drop_old_tokens()
        grant = Grant(
            secrets.token_hex(12),
            code.person,
            code.auth_time,
            with_id_token,
            secrets.token_urlsafe(40),
            self._clock.now() + REFRESH_SECONDS,
        )
        self.grants[grant.id] = grant
        return grant, self.add_access_token(grant)

    def add_access_token(self, grant: Grant) -> AccessToken:
        """Make one more access token for the login."""
        expires_at = self._clock.now() + ACCESS_SECONDS
        token = AccessToken(secrets.token_urlsafe(40), grant.id, grant.person, expires_at)
        self.access_tokens[token.value] = token
        return token

    def find_by_refresh_token(self, value: str) -> Grant | None:
        """Return the login that a living refresh token belongs to, or None."""
        now = self._clock.now()
        live = (grant for grant in self.grants.values() if grant.refresh_expires_at > now)
        return next(
            (grant for grant in live if secrets.compare_digest(grant.refresh_token.encode(), value.encode())), None
        )

    def rotate_if_old(self, grant: Grant) -> bool:
        """Give the grant a new refresh token when the old one is in its last month; the old one dies."""
        if grant.refresh_expires_at - self._clock.now() >= ROTATE_BELOW_SECONDS:
            return False
        grant.refresh_token = secrets.token_urlsafe(40)
        grant.refresh_expires_at = self._clock.now() + REFRESH_SECONDS
        return True

    def end(self, grant_id: str) -> None:
        """End one login with all its tokens."""
        self.grants.pop(grant_id, None)
        self._keep_tokens(lambda token: token.grant != grant_id)

    def end_all_of(self, person: str) -> None:
        """End every login and code of the person."""
        self.grants = {key: grant for key, grant in self.grants.items() if grant.person != person}
        self.codes = {key: code for key, code in self.codes.items() if code.person != person}
        self._keep_tokens(lambda token: token.person != person)

    def dump(self) -> dict[str, Any]:
        """Return what the state file keeps: codes are not in it."""
        return {
            "grants": [asdict(grant) for grant in self.grants.values()],
            "access_tokens": [asdict(token) for token in self.access_tokens.values()],
        }

    def restore(self, stored: dict[str, Any]) -> None:
        """Take over what `dump` returned."""
        self.grants = {entry["id"]: Grant(**entry) for entry in stored["grants"]}
        self.access_tokens = {entry["value"]: AccessToken(**entry) for entry in stored["access_tokens"]}

    def _drop_old_codes(self) -> None:
        now = self._clock.now()
        self.codes = {key: code for key, code in self.codes.items() if code.expires_at > now}

    def _drop_old_tokens(self) -> None:
        if len(self.access_tokens) % SWEEP_EVERY:
            return
        now = self._clock.now()
        self.grants = {key: grant for key, grant in self.grants.items() if grant.refresh_expires_at > now}
        self._keep_tokens(lambda token: token.expires_at > now - KEEP_EXPIRED_SECONDS)

    def _keep_tokens(self, wanted: Callable[[AccessToken], bool]) -> None:
        self.access_tokens = {key: token for key, token in self.access_tokens.items() if wanted(token)}
