"""Where Google sends its security events: registered once, with a service account's key.

https://developers.google.com/identity/protocols/risc#configure_the_event_stream
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

SERVICE = "https://risc.googleapis.com"
ADDRESS = f"{SERVICE}/v1beta/stream:update"
AUDIENCE = f"{SERVICE}/google.identity.risc.v1beta.RiscManagementService"
PUSH = "https://schemas.openid.net/secevent/risc/delivery-method/push"
TYPES = "https://schemas.openid.net/secevent"
#: What has an effect here, or is written down: webhooks.effects.
EVENTS = (
    f"{TYPES}/risc/event-type/sessions-revoked",
    f"{TYPES}/oauth/event-type/tokens-revoked",
    f"{TYPES}/oauth/event-type/token-revoked",
    f"{TYPES}/risc/event-type/account-disabled",
    f"{TYPES}/risc/event-type/account-enabled",
    f"{TYPES}/risc/event-type/account-credential-change-required",
    f"{TYPES}/risc/event-type/verification",
)
#: Google wants exactly an hour.
SECONDS = 3600


@dataclass(frozen=True)
class ServiceAccount:
    """Of the same Google Cloud project as the login, with the role `roles/riscconfigs.admin`."""

    email: str
    key_id: str
    key: RSAKey = field(repr=False)

    @classmethod
    def read(cls, text: str) -> "ServiceAccount":
        """:param text: the JSON file's content. :raises ValueError: it is no service account's key."""
        try:
            found = json.loads(text)
            key = RSAKey.import_key(found["private_key"])
            email, key_id = str(found["client_email"]), str(found["private_key_id"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, JoseError):
            raise ValueError("not the JSON file of a service account's key") from None
        return cls(email, key_id, key)

    def token(self) -> str:
        """Return a token for the RISC API."""
        now = int(time.time())
        claims = {"iss": self.email, "sub": self.email, "aud": AUDIENCE, "iat": now, "exp": now + SECONDS}
        return jwt.encode({"alg": "RS256", "kid": self.key_id, "typ": "JWT"}, claims, self.key, algorithms=["RS256"])


def stream(receiver: str) -> Mapping[str, Any]:
    """Return what is registered. :param receiver: the address that takes the events."""
    return {"delivery": {"delivery_method": PUSH, "url": receiver}, "events_requested": list(EVENTS)}
