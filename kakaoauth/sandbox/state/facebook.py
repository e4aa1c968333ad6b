"""What is remembered as Facebook: who uses the app, codes, tokens. Callers hold the state's lock."""

import secrets
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from kakaoauth.sandbox.clock import Clock
from kakaoauth.sandbox.people.facebook import SAMPLE_PEOPLE, FacebookPerson
from kakaoauth.sandbox.state.facebook_model import Code, DialogRequest, Installation, PendingDialog, Token
from kakaoauth.sandbox.state.pending import Waiting

DEAUTHORIZED = 458
KEEP_SECONDS = 3600  # a spent code is told apart from an unknown one for so long
MOST_TOKENS = 5000


class FacebookStore:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.pending: Waiting[PendingDialog] = Waiting(clock)
        self.clear()

    def clear(self) -> None:
        """Start again with the sample people."""
        self.people: dict[str, FacebookPerson] = {person.key: person for person in SAMPLE_PEOPLE}
        self.installed: dict[str, Installation] = {}
        self.codes: dict[str, Code] = {}
        self.tokens: dict[str, Token] = {}
        self.pending.clear()

    def find_person(self, user_id: str) -> FacebookPerson | None:
        """Return the person with this Facebook id, or None."""
        return next((person for person in self.people.values() if person.user_id == user_id), None)

    def install(self, person: FacebookPerson, answers: Mapping[str, bool]) -> Installation:
        """Let the person use the app if need be, and note what they granted and declined."""
        installation = self.installed.setdefault(
            person.key, Installation(person.key, person.user_id, self._clock.now())
        )
        installation.permissions |= answers
        return installation

    def remove(self, person_key: str) -> Installation | None:
        """Take the app away from the person: every permission, code and token of theirs ends."""
        self.codes = {key: code for key, code in self.codes.items() if code.person != person_key}
        self.end_tokens(person_key, DEAUTHORIZED)
        return self.installed.pop(person_key, None)

    def end_tokens(self, person_key: str, subcode: int) -> int:
        """End the person's tokens, those of pages and other apps too; return how many."""
        ending = [token for token in self.tokens.values() if token.person == person_key and not token.ended]
        for token in ending:
            token.ended = subcode
        return len(ending)

    def add_code(self, person_key: str, request: DialogRequest, seconds: int) -> Code:
        """Make an authorization code that is good for so many seconds."""
        now = self._clock.now()
        self.codes = {key: code for key, code in self.codes.items() if code.expires_at + KEEP_SECONDS > now}
        code = Code(f"AQ{secrets.token_urlsafe(150)}", person_key, request, now + seconds)
        self.codes[code.value] = code
        return code

    def add_token(
        self, type: str, app_id: str, user_id: str, person_key: str | None, scopes: list[str], seconds: int
    ) -> Token:
        """Make an access token; 0 seconds: it never ends."""
        while len(self.tokens) >= MOST_TOKENS:
            del self.tokens[next(iter(self.tokens))]
        issued_at = int(self._clock.now())
        value = "EAA" + secrets.token_hex(88)
        token = Token(
            value, type, app_id, user_id, person_key, scopes, issued_at, issued_at + seconds if seconds else 0
        )
        self.tokens[value] = token
        return token

    def dump(self) -> dict[str, Any]:
        """Return what the state file keeps: codes are not in it."""
        return {
            "people": [asdict(person) for person in self.people.values() if person.made],
            "installed": [asdict(installation) for installation in self.installed.values()],
            "tokens": [asdict(token) for token in self.tokens.values()],
        }

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Take over what `dump` returned."""
        self.people |= {entry["key"]: FacebookPerson(**entry) for entry in stored["people"]}
        installed = [Installation(**entry) for entry in stored["installed"]]
        self.installed = {entry.person: entry for entry in installed if entry.person in self.people}
        self.tokens = {entry["value"]: Token(**entry) for entry in stored["tokens"]}
