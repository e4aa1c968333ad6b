"""Which webhook is sent when, and what stands in it."""

from collections.abc import Sequence
from urllib.parse import urlencode

from kakaoauth.sandbox.delivery.outbox import Delivery, Message
from kakaoauth.sandbox.kakao.security_events import EVENT_FLAWS, EVENTS, NOBODY, REFERRERS, UNLINK_FLAWS, event_claims
from kakaoauth.sandbox.signing.tokens import alter_claims, sign
from kakaoauth.sandbox.state.model import Link
from kakaoauth.sandbox.state.state import State

FORM_TYPE = "application/x-www-form-urlencoded;charset=utf-8"
EVENT_TYPE = "application/secevent+jwt"


class WebhookError(ValueError):
    """This webhook can't be sent."""


def person_leaves(state: State, person_key: str, referrer: str, *, delete: bool = False) -> None:
    """Unlink as the person does on the account page; the webhooks follow when it is done.

    The app's own call of the unlink API sends none: that is why it does not come through here.
    """
    with state.changing():
        link = state.links.get(person_key)
        if delete:
            state.delete_person(person_key)
        else:
            state.unlink(person_key)
    if link is None:
        return
    if state.settings.unlink_webhook_url:
        send_unlink(state, str(link.user_id), referrer)
    if state.settings.account_status_webhook_url:
        send_event(state, "user-unlinked", str(link.user_id), reason=referrer)


def person_consented(state: State, link: Link, items: Sequence[str], *, first: bool) -> None:
    """Tell about a first link and about what was agreed to."""
    if not state.settings.account_status_webhook_url:
        return
    if first:
        send_event(state, "user-linked", str(link.user_id))
    if items:
        send_event(state, "user-scope-consent", str(link.user_id), scopes=items)


def send_unlink(state: State, user_id: str, referrer: str, flaws: Sequence[str] = ()) -> list[Delivery]:
    """Send the unlink webhook. :raise WebhookError: no address, or an unknown word."""
    settings = state.settings
    url = settings.unlink_webhook_url
    if url is None:
        raise WebhookError("unlink_webhook_url is not set")
    _check(referrer, REFERRERS, "referrer_type")
    _check_flaws(flaws, UNLINK_FLAWS)
    fields = {
        "app_id": str(settings.app_id + 1 if "wrong_app" in flaws else settings.app_id),
        "user_id": NOBODY if "unknown_user" in flaws else user_id,
        "referrer_type": "NEVER_HEARD_OF" if "unknown_referrer" in flaws else referrer,
    }
    if "no_user" in flaws:
        del fields["user_id"]
    key = "0" * 32 if "wrong_key" in flaws else settings.admin_key
    headers = {} if "no_key" in flaws else {"Authorization": f"KakaoAK {key}"}
    body = urlencode(fields)
    if settings.unlink_webhook_method == "GET":
        url, body = f"{url}{'&' if '?' in url else '?'}{body}", ""
    else:
        headers["Content-Type"] = FORM_TYPE
    method = settings.unlink_webhook_method
    message = Message("unlink", referrer, user_id, method, url, tuple(flaws), None, headers, body.encode())
    return _send(state, message)


def send_event(
    state: State,
    name: str,
    user_id: str,
    *,
    reason: str = REFERRERS[0],
    scopes: Sequence[str] = (),
    flaws: Sequence[str] = (),
) -> list[Delivery]:
    """Send an account-status webhook. :raise WebhookError: no address, or an unknown word."""
    settings = state.settings
    if settings.account_status_webhook_url is None:
        raise WebhookError("account_status_webhook_url is not set")
    _check(name, EVENTS, "event")
    _check(reason, REFERRERS, "reason")
    _check_flaws(flaws, EVENT_FLAWS)
    claims = event_claims(
        issuer=settings.issuer,
        audience=settings.client_id,
        app_id=settings.app_id,
        now=int(state.clock.now()),
        name=name,
        user_id=user_id,
        reason=reason,
        scopes=scopes,
        flaws=flaws,
    )
    token = sign(state.keys(), "secevent+jwt", alter_claims(claims, flaws), flaws)
    message = Message(
        *("account-status", name, user_id, "POST", settings.account_status_webhook_url, tuple(flaws)),
        jti=claims["jti"],
        headers={"Content-Type": EVENT_TYPE, "Accept": "application/json"},
        body=token.encode(),
    )
    return _send(state, message)


def _send(state: State, message: Message) -> list[Delivery]:
    return [state.outbox.send(message) for _ in range(2 if "duplicate" in message.flaws else 1)]


def _check(value: str, known: Sequence[str] | dict[str, str], name: str) -> None:
    if value not in known:
        raise WebhookError(f"unknown {name}: {value}")


def _check_flaws(flaws: Sequence[str], known: Sequence[str]) -> None:
    unknown = [flaw for flaw in flaws if flaw not in known]
    if unknown:
        raise WebhookError(f"unknown flaw: {', '.join(unknown)}")
