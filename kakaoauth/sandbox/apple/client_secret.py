"""The client secret of Sign in with Apple: a JWT that the site signs with its key."""

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from kakaoauth.sandbox.accounts.errors import OAuthError
from kakaoauth.sandbox.signing.tokens import payload_of
from kakaoauth.sandbox.state.state import State

LONGEST_SECONDS = 15_777_000  # six months
#: Apple's own name, also here.
AUDIENCE = "https://appleid.apple.com"


def check_client_secret(state: State, client_id: str, secret: str) -> None:
    """Refuse whatever is wrong with the same word. :raise OAuthError: invalid_client."""
    settings = state.settings.apple
    if client_id not in (settings.client_id, *settings.app_ids) or not _is_good(state, client_id, secret):
        raise OAuthError("invalid_client")


def _is_good(state: State, client_id: str, secret: str) -> bool:
    settings, now = state.settings.apple, state.clock.now()
    key = ECKey.import_key(settings.private_key)
    try:
        signed = jws.deserialize_compact(secret, key, algorithms=["ES256"])
        claims = payload_of(secret)
    except (JoseError, ValueError):
        return False
    if signed.headers().get("kid") != settings.key_id:
        return False
    issued, ends = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int) or not isinstance(ends, int):
        return False
    named = claims.get("iss") == settings.team_id and claims.get("sub") == client_id
    # A list of audiences is refused: a text is what Apple documents
    return named and claims.get("aud") == AUDIENCE and now < ends <= now + LONGEST_SECONDS
