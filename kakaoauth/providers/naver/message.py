"""Read Naver's message of a disconnect (연결 끊기 알림): somebody has taken the site from their list, or has no Naver
account any more (https://developers.naver.com/docs/login/devguide/devguide.md).

It is signed and encrypted with a key that is made from the client secret. Naver sends it once and never again.
"""

import base64
import binascii
import hashlib
import hmac
import re
import time
from datetime import UTC, datetime
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from kakaoauth.providers.base import SetRefused
from kakaoauth.providers.naver.profile import SUBJECT
from kakaoauth.providers.oidc import LEEWAY
from kakaoauth.providers.values import AccountEvent

FIELDS = ("clientId", "encryptUniqueId", "timestamp", "signature")
#: In the order in which they are signed.
SIGNED = FIELDS[:3]
#: Seconds: a message that is not repeated does not come later, except in a stranger's hand.
MAX_AGE = 3600
BLOCK = 16
_SECONDS = re.compile(r"[0-9]{1,12}")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]{1,400}=*")


def read_message(raw: str, client_id: str, secret: str) -> AccountEvent:
    """:param raw: the fields, as a form. :raises SetRefused: not genuine, or not for us."""
    sent = {name: values[0] for name, values in parse_qs(raw, keep_blank_values=True).items() if len(values) == 1}
    if not all(sent.get(name) for name in FIELDS):
        raise SetRefused("invalid_request", "a field is missing or doubled")
    # MD5 is Naver's choice: it makes a key of 16 bytes from a secret that is random.
    key = hashlib.md5(secret.encode(), usedforsecurity=False).digest()
    signed = "&".join(f"{name}={sent[name]}" for name in SIGNED)
    expected = base64.urlsafe_b64encode(hmac.digest(key, signed.encode(), hashlib.sha256)).rstrip(b"=")
    if not hmac.compare_digest(sent["signature"].rstrip("=").encode(), expected):
        raise SetRefused("authentication_failed", "the signature is not Naver's")
    if sent["clientId"] != client_id:
        raise SetRefused("invalid_audience", "clientId is another app")
    happened_at = _moment(sent["timestamp"])
    subject = _decrypt(key, sent["encryptUniqueId"])
    # It has no id of its own. Sent twice, it is the same to the byte
    jti = f"disconnect-{hashlib.sha256(signed.encode()).hexdigest()}"
    return AccountEvent(jti, "user-unlinked", subject, happened_at)


def _moment(text: str) -> datetime:
    if not _SECONDS.fullmatch(text) or not -MAX_AGE <= int(text) - time.time() <= LEEWAY:
        raise SetRefused("invalid_request", "timestamp is too long ago or in the future")
    return datetime.fromtimestamp(int(text), UTC)


def _decrypt(key: bytes, text: str) -> str:
    """AES-128-CBC with PKCS #7, the IV in front. The signature was checked before: nobody can try paddings."""
    try:
        if not _BASE64URL.fullmatch(text):
            raise ValueError("no base64url")
        content = base64.urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
        decryptor = Cipher(algorithms.AES(key), modes.CBC(content[:BLOCK])).decryptor()
        unpadder = padding.PKCS7(BLOCK * 8).unpadder()
        padded = decryptor.update(content[BLOCK:]) + decryptor.finalize()
        subject = (unpadder.update(padded) + unpadder.finalize()).decode("ascii")
    except (ValueError, binascii.Error):
        raise SetRefused("invalid_request", "encryptUniqueId cannot be decrypted") from None
    if not SUBJECT.fullmatch(subject):
        raise SetRefused("invalid_request", "encryptUniqueId holds no user id")
    return subject
