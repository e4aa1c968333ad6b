"""The client secret of Sign in with Apple: a short JWT, made anew for each call.

https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret
"""

import time

from joserfc import jwt
from joserfc.jwk import ECKey

#: Apple allows six months. A secret that is made when it is needed cannot run out.
SECONDS = 300
#: Whom every secret is for, wherever APPLE_URL leads.
AUDIENCE = "https://appleid.apple.com"


class SigningKey:
    """The team's key."""

    def __init__(self, pem: str, key_id: str, team_id: str) -> None:
        """:param pem: the .p8 file's content."""
        self._key = ECKey.import_key(pem)
        self._key_id = key_id
        self._team_id = team_id

    def secret_for(self, client_id: str) -> str:
        """:param client_id: the one that the call names: a secret is good for no other."""
        now = int(time.time())
        claims = {"iss": self._team_id, "iat": now, "exp": now + SECONDS, "aud": AUDIENCE, "sub": client_id}
        return jwt.encode({"alg": "ES256", "kid": self._key_id}, claims, self._key, algorithms=["ES256"])
