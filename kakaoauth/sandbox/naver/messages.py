"""The message of a disconnect (연결 끊기 알림): encrypted and signed with a key made from the client secret."""

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence
from urllib.parse import urlencode

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from kakaoauth.sandbox.accounts.messages import MessageError, check_flaws
from kakaoauth.sandbox.delivery.outbox import Delivery, Message
from kakaoauth.sandbox.signing.tokens import LONG_AGO, SOON
from kakaoauth.sandbox.state.state import State

EVENTS = ("disconnect",)
FLAWS = (
    *("duplicate", "in_query", "bad_signature", "other_secret", "wrong_app", "broken_base64", "not_decryptable"),
    *("iat_past", "iat_future", "unknown_user", "no_user", "no_signature"),
)
NOBODY = "nobody-of-the-sandbox"


def send(state: State, event: str, subject: str, flaws: Sequence[str] = ()) -> list[Delivery]:
    """Send the message. :raise MessageError: no address, or an unknown word."""
    settings = state.settings.naver
    if settings.disconnect_url is None:
        raise MessageError("disconnect_url is not set")
    if event not in EVENTS:
        raise MessageError(f"unknown event: {event[:40]}; known: {', '.join(EVENTS)}")
    check_flaws(flaws, FLAWS)
    fields = _fields(settings.client_id, settings.client_secret, subject, int(state.clock.now()), flaws)
    body = urlencode(fields)
    url = settings.disconnect_url
    if "in_query" in flaws:  # as Naver's own sample has it, with the form's content type
        url, body = f"{url}{'&' if '?' in url else '?'}{body}", ""
    message = Message(
        *("naver", event, subject, "POST", url, tuple(flaws)),
        headers={"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"},
        body=body.encode(),
    )
    return [state.outbox.send(message) for _ in range(2 if "duplicate" in flaws else 1)]


def _fields(client_id: str, secret: str, subject: str, now: int, flaws: Sequence[str]) -> dict[str, str]:
    key = hashlib.md5((secret + "x" if "other_secret" in flaws else secret).encode()).digest()  # noqa: S324
    if "iat_past" in flaws:
        now -= LONG_AGO
    if "iat_future" in flaws:
        now += SOON
    fields = {
        "clientId": "SomebodyElsesClient" if "wrong_app" in flaws else client_id,
        "encryptUniqueId": _encrypt(key, NOBODY if "unknown_user" in flaws else subject, flaws),
        "timestamp": str(now),
    }
    text = "&".join(f"{name}={value}" for name, value in fields.items())
    signature = _base64(hmac.digest(key, text.encode(), hashlib.sha256))
    if "bad_signature" in flaws:
        signature = f"{'B' if signature[0] != 'B' else 'C'}{signature[1:]}"
    if "no_user" in flaws:
        del fields["encryptUniqueId"]
    return fields | ({} if "no_signature" in flaws else {"signature": signature})


def _encrypt(key: bytes, subject: str, flaws: Sequence[str]) -> str:
    """Return IV and AES-128-CBC in base64url. The signature is over what is returned, flaws included."""
    iv = os.urandom(16)
    padder = padding.PKCS7(128).padder()
    content = padder.update(subject.encode()) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    encrypted = encryptor.update(content) + encryptor.finalize()
    if "not_decryptable" in flaws:
        encrypted = encrypted[:-1]
    text = _base64(iv + encrypted)
    return f"{text[:-1]}*%" if "broken_base64" in flaws else text


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
