"""Everything the sandbox remembers, behind one lock and, if asked, one file."""

import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

from kakaoauth.sandbox.clock import Clock
from kakaoauth.sandbox.delivery.outbox import Outbox
from kakaoauth.sandbox.faults.active import ActiveFaults
from kakaoauth.sandbox.people import apple, google, naver
from kakaoauth.sandbox.people.kakao import SAMPLE_PEOPLE, Person
from kakaoauth.sandbox.signing.keys import KeyRing
from kakaoauth.sandbox.state import file
from kakaoauth.sandbox.state.accounts import AccountStore
from kakaoauth.sandbox.state.facebook import FacebookStore
from kakaoauth.sandbox.state.grants import Grants
from kakaoauth.sandbox.state.limits import Limiter
from kakaoauth.sandbox.state.model import Link, Pending, PendingLogout
from kakaoauth.sandbox.state.pending import Waiting
from kakaoauth.sandbox.state.request_log import RequestLog
from kakaoauth.sandbox.state.settings import SandboxSettings


class State:
    def __init__(
        self,
        settings: SandboxSettings,
        clock: Clock,
        keyring: KeyRing,
        keyrings: Mapping[str, KeyRing] | None = None,
    ) -> None:
        self.settings = settings
        self._first_settings = settings
        self.clock = clock
        self.faults = ActiveFaults()
        self.log = RequestLog(clock)
        self.outbox = Outbox(clock)
        self._keyring = keyring
        self._lock = threading.RLock()
        self._depth = 0
        self.session_secret = secrets.token_hex(32)
        self.limiter = Limiter(clock)
        self.grants = Grants(clock)
        self.pending: Waiting[Pending] = Waiting(clock)
        self.logouts: Waiting[PendingLogout] = Waiting(clock)
        self.facebook = FacebookStore(clock)
        self.accounts = {
            "naver": AccountStore(clock, naver.SAMPLE_PEOPLE),
            "google": AccountStore(clock, google.SAMPLE_PEOPLE, code_prefix="4/0A"),
            "apple": AccountStore(clock, apple.SAMPLE_PEOPLE, code_prefix="c"),
        }
        self._keyrings = {name: (keyrings or {}).get(name) or KeyRing() for name in self.accounts}
        self._begin()
        self._restore()

    def _begin(self) -> None:
        self.generation = secrets.token_hex(8)
        self.people: dict[str, Person] = {person.key: person for person in SAMPLE_PEOPLE}
        self.links: dict[str, Link] = {}
        self._deleted: set[str] = set()  # sample people who left for good

    def change_settings(self, **changes: Any) -> None:
        """Do what a developer does in the console. :raise ValueError: the new settings make no sense."""
        with self.reading():
            self.settings = replace(self.settings, **changes)

    def change_facebook(self, **changes: Any) -> None:
        """Do what a developer does in the App Dashboard. :raise ValueError: the new settings make no sense."""
        with self.reading():
            self.change_settings(facebook=replace(self.settings.facebook, **changes))

    def change_account_settings(self, provider: str, **changes: Any) -> None:
        """Do what a developer does at Naver, Google or Apple. :raise ValueError: the new settings make no sense."""
        with self.reading():
            self.change_settings(**{provider: replace(getattr(self.settings, provider), **changes)})

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the lock for one change; the outermost change saves."""
        with self._lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if not self._depth:
                    self._save()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold the lock for something that the file need not know."""
        with self._lock:
            yield

    def keys(self, provider: str = "kakao") -> KeyRing:
        """Return a provider's signing keys, made and saved when first asked for."""
        with self._lock:
            ring = self._keyrings.get(provider, self._keyring)
            if ring.ensure():
                self._save()
            return ring

    def add_person(self, person: Person) -> None:
        """Add a person, or put another in the place of the one with this key."""
        with self.changing():
            self.people[person.key] = person

    def find_link(self, user_id: int) -> Link | None:
        """Return the link of this user id, or None."""
        with self._lock:
            return next((link for link in self.links.values() if link.user_id == user_id), None)

    def agree(self, person: Person, items: Iterable[str], terms: Iterable[str] = ()) -> Link:
        """Link the person to the app if need be, and note the consents. :param terms: tags of Kakao Sync."""
        with self.changing():
            now = self.clock.now()
            link = self.links.get(person.key)
            if link is None:
                signed_up = False if person.preregistered else None
                link = Link(person.key, person.user_id, now, person.nickname, person.picture, signed_up)
                self.links[person.key] = link
            for item in items:
                link.agreed.setdefault(item, now)
            for tag in terms:
                link.terms.setdefault(tag, [now, "KAUTH"])
            return link

    def unlink(self, person_key: str) -> None:
        """Withdraw every consent and end every code and token of the person."""
        with self.changing():
            self.links.pop(person_key, None)
            self.grants.end_all_of(person_key)

    def delete_person(self, person_key: str) -> None:
        """End the account itself, not just its link."""
        with self.changing():
            self.unlink(person_key)
            person = self.people.pop(person_key, None)
            if person and not person.made:
                self._deleted.add(person_key)

    def reset(self) -> None:
        """Forget everything and undo every switch, as after a start without a state file; the keys stay."""
        with self.changing():
            self.forget_everything()
            self.settings = self._first_settings
            self.clock.reset()
            self.faults.clear()
            self.log.clear()
            self.outbox.clear()
            for ring in (self._keyring, *self._keyrings.values()):
                ring.published = True

    def forget_everything(self) -> None:
        """Back to the first day, except for the keys: a running site has them cached."""
        with self.changing():
            self._begin()
            self.grants = Grants(self.clock)
            self.limiter.clear()
            self.pending.clear()
            self.logouts.clear()
            self.facebook.clear()
            for store in self.accounts.values():
                store.clear()

    def _save(self) -> None:
        if self.settings.state_file is None:
            return
        made = [asdict(person) for person in self.people.values() if person.made]
        file.save(
            self.settings.state_file,
            {
                "session_secret": self.session_secret,
                "generation": self.generation,
                "people": made,
                "deleted": sorted(self._deleted),
                "links": [asdict(link) for link in self.links.values()],
                "keys": self._keyring.dump(),
                "facebook": self.facebook.dump(),
                "accounts": {name: store.dump() for name, store in self.accounts.items()},
                "keyrings": {name: ring.dump() for name, ring in self._keyrings.items()},
                **self.grants.dump(),
            },
        )

    def _restore(self) -> None:
        path = self.settings.state_file
        stored = file.load(path) if path is not None else None
        if stored is None:
            return
        try:
            self._read(stored)
        except (KeyError, TypeError, ValueError) as error:
            raise file.StateFileError(f"{path} is damaged; delete it to start afresh") from error

    def _read(self, stored: dict[str, Any]) -> None:
        self.session_secret = stored["session_secret"]
        self.generation = stored["generation"]
        self._deleted = set(stored.get("deleted", ()))
        self.people = {key: person for key, person in self.people.items() if key not in self._deleted}
        self.people |= {entry["key"]: Person(**entry) for entry in stored["people"]}
        self.links = {entry["person"]: Link(**entry) for entry in stored["links"] if entry["person"] in self.people}
        self._keyring.restore(stored["keys"])
        self.grants.restore(stored)
        if "facebook" in stored:  # not in files from before there was one
            self.facebook.restore(stored["facebook"])
        for name, store in self.accounts.items():  # not in files from before there were any
            if name in stored.get("accounts", {}):
                store.restore(stored["accounts"][name])
                self._keyrings[name].restore(stored["keyrings"][name])
