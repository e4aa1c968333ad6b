"""Which callback is sent when: deauthorize, and the data deletion request."""

from collections.abc import Sequence
from urllib.parse import urlencode

from kakaoauth.sandbox.delivery.outbox import Delivery, Message
from kakaoauth.sandbox.signing.signed_request import FLAWS, make_signed_request
from kakaoauth.sandbox.state.state import State

FORM_TYPE = "application/x-www-form-urlencoded"
KINDS = ("deauthorize", "data-deletion")


class CallbackError(ValueError):
    """This callback can't be sent."""


def person_removes_app(state: State, person_key: str) -> None:
    """Remove the app; the callback follows when it is done."""
    with state.changing():
        installation = state.facebook.remove(person_key)
    if installation is not None and state.settings.facebook.deauthorize_url:
        send_callback(state, "deauthorize", installation.user_id)


def person_asks_for_deletion(state: State, person_key: str) -> list[Delivery]:
    """Remove the app if need be, then have its data deleted: Facebook offers the second only after the first.

    :raise CallbackError: no address.
    """
    person = state.facebook.people[person_key]
    if state.settings.facebook.data_deletion_url is None:
        raise CallbackError("the address for data-deletion is not set")
    person_removes_app(state, person_key)
    return send_callback(state, "data-deletion", person.user_id)


def send_callback(state: State, kind: str, user_id: str, flaws: Sequence[str] = ()) -> list[Delivery]:
    """Send a signed request. :raise CallbackError: no address, or an unknown word."""
    app = state.settings.facebook
    if kind not in KINDS:
        raise CallbackError(f"unknown kind: {kind[:40]}; known: {', '.join(KINDS)}")
    url = app.deauthorize_url if kind == "deauthorize" else app.data_deletion_url
    if url is None:
        raise CallbackError(f"the address for {kind} is not set")
    unknown = [flaw for flaw in flaws if flaw not in FLAWS]
    if unknown:
        raise CallbackError(f"unknown flaw: {', '.join(unknown)[:200]}")
    text = make_signed_request(app.client_secret, user_id, int(state.clock.now()), flaws)
    body = urlencode({} if "no_field" in flaws else {"signed_request": text})
    message = Message(
        *("facebook", kind, user_id, "POST", url, tuple(flaws)),
        headers={"Content-Type": FORM_TYPE},
        body=body.encode(),
        reads_answer=kind == "data-deletion",
    )
    return [state.outbox.send(message) for _ in range(2 if "duplicate" in flaws else 1)]
