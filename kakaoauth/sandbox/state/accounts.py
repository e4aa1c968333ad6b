"""What is remembered as Naver, Google or Apple: who uses the app, codes, tokens. Callers hold the state's lock."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from kakaoauth.sandbox.clock import Clock
from kakaoauth.sandbox.people.accounts import Account
from kakaoauth.sandbox.state.account_model import AccountCode, AccountToken, Consent, LoginRequest, PendingLogin
from kakaoauth.sandbox.state.pending import Waiting

KEEP_SECONDS = 3600  # a spent code is told apart from an unknown one for so long
MOST_TOKENS = 5000


class AccountStore:
    """One provider's memory. Codes begin with `code_prefix`, as the real ones do."""

    def __init__(self, clock: Clock, samples: Sequence[Account], code_prefix: str = "") -> None:
        self._clock = clock
        self._samples = samples
        self._code_prefix = code_prefix
        self.pending: Waiting[PendingLogin] = Waiting(clock)
        self.clear()

    def clear(self) -> None:
        """Start again with the sample people."""
        self.people: dict[str, Account] = {person.key: person for person in self._samples}
        self.consents: dict[str, Consent] = {}
        self.codes: dict[str, AccountCode] = {}
        self.tokens: dict[str, AccountToken] = {}
        self._deleted: set[str] = set()  # sample people who left for good
        self.pending.clear()

    def find_person(self, subject: str) -> Account | None:
        """Return the person with this id, or None."""
        return next((person for person in self.people.values() if person.subject == subject), None)

    def agree(self, person: Account, answers: Mapping[str, bool]) -> Consent:
        """Let the person use the app if need be, and note what they gave and kept."""
        new = Consent(person.key, person.subject, self._clock.now())
        consent = self.consents.setdefault(person.key, new)
        consent.items |= answers
        return consent

    def remove(self, person_key: str) -> Consent | None:
        """Take the app away from the person: every code and token of theirs ends."""
        self.codes = {key: code for key, code in self.codes.items() if code.person != person_key}
        self.tokens = {key: token for key, token in self.tokens.items() if token.person != person_key}
        return self.consents.pop(person_key, None)

    def delete_person(self, person_key: str) -> Consent | None:
        """End the account itself."""
        person = self.people.pop(person_key, None)
        if person is not None and not person.made:
            self._deleted.add(person_key)
        return self.remove(person_key)

    def add_code(
        self, person_key: str, request: LoginRequest, *, auth_time: int, seconds: int, first: bool
    ) -> AccountCode:
        """Make an authorization code that is good for so many seconds."""
        now = self._clock.now()
        self.codes = {key: code for key, code in self.codes.items() if code.expires_at + KEEP_SECONDS > now}
        value = self._code_prefix + secrets.token_urlsafe(32)
        code = AccountCode(value, person_key, request, auth_time, now + seconds, first)
        self.codes[value] = code
        return code

    def add_token(self, kind: str, value: str, like: Mapping[str, Any], seconds: int) -> AccountToken:
        """Keep a token; 0 seconds: it never ends. `like` holds the fields that a login's tokens share."""
        while len(self.tokens) >= MOST_TOKENS:
            del self.tokens[next(iter(self.tokens))]
        issued_at = int(self._clock.now())
        token = AccountToken(
            value=value, kind=kind, issued_at=issued_at, expires_at=issued_at + seconds if seconds else 0, **like
        )
        self.tokens[value] = token
        return token

    def find_token(self, value: str, kind: str) -> AccountToken | None:
        """Return a living token of that kind."""
        token = self.tokens.get(value)
        if token is None or token.kind != kind:
            return None
        return token if not token.expires_at or token.expires_at > self._clock.now() else None

    def end_login(self, login: str) -> None:
        """End one login with all its tokens."""
        self.tokens = {key: token for key, token in self.tokens.items() if token.login != login}

    def dump(self) -> dict[str, Any]:
        """Return what the state file keeps: codes are not in it."""
        return {
            "people": [asdict(person) for person in self.people.values() if person.made],
            "deleted": sorted(self._deleted),
            "consents": [asdict(consent) for consent in self.consents.values()],
            "tokens": [asdict(token) for token in self.tokens.values()],
        }

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Take over what `dump` returned."""
        self._deleted = set(stored["deleted"])
        self.people = {key: person for key, person in self.people.items() if key not in self._deleted}
        self.people |= {entry["key"]: Account(**entry) for entry in stored["people"]}
        consents = [Consent(**entry) for entry in stored["consents"]]
        self.consents = {entry.person: entry for entry in consents if entry.person in self.people}
        self.tokens = {entry["value"]: AccountToken(**entry) for entry in stored["tokens"]}
