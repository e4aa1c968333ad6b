"""What a person does at Naver, Google or Apple: take the app away, delete the account; the messages that follow."""

from collections.abc import Callable, Sequence

from kakaoauth.sandbox.apple import notifications
from kakaoauth.sandbox.apple.oidc import shown_email
from kakaoauth.sandbox.delivery.outbox import Delivery
from kakaoauth.sandbox.google import events
from kakaoauth.sandbox.naver import messages
from kakaoauth.sandbox.state.state import State

Sender = Callable[[State, str, str, Sequence[str]], list[Delivery]]

SENDERS: dict[str, Sender] = {"naver": messages.send, "google": events.send, "apple": notifications.send}
EVENTS = {"naver": messages.EVENTS, "google": tuple(events.EVENTS), "apple": notifications.EVENTS}
FLAWS = {"naver": messages.FLAWS, "google": events.FLAWS, "apple": notifications.FLAWS}
#: The setting with the address, and what a removed app and a deleted account are told as.
ADDRESSES = {"naver": "disconnect_url", "google": "events_url", "apple": "notification_url"}
ON_REMOVAL = {"naver": "disconnect", "google": "tokens-revoked", "apple": "consent-revoked"}
ON_DELETION = {"naver": "disconnect", "google": "account-purged", "apple": "account-deleted"}


def person_removes_app(state: State, provider: str, person_key: str, *, delete: bool = False) -> list[Delivery]:
    """Take the app away, with `delete` by ending the account; the message follows when it is done."""
    store = state.accounts[provider]
    with state.changing():
        consent = store.delete_person(person_key) if delete else store.remove(person_key)
    if consent is None or not has_address(state, provider):
        return []
    event = (ON_DELETION if delete else ON_REMOVAL)[provider]
    return SENDERS[provider](state, event, consent.subject, ())


def person_forwards(state: State, person_key: str, forwards: bool) -> list[Delivery]:
    """Switch the relay of an Apple Account off or on."""
    store = state.accounts["apple"]
    with state.changing():
        consent = store.consents.get(person_key)
        if consent is None or not consent.relay or consent.forwards == forwards:
            return []
        consent.forwards = forwards
    if not has_address(state, "apple"):
        return []
    email = shown_email(store.people[person_key], consent)
    return notifications.send(state, "email-enabled" if forwards else "email-disabled", consent.subject, email=email)


def has_address(state: State, provider: str) -> bool:
    """Whether the site has said where messages go."""
    return getattr(getattr(state.settings, provider), ADDRESSES[provider]) is not None
