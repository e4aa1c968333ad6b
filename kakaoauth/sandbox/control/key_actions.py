"""What can be done to the signing keys while the sandbox runs."""

from collections.abc import Callable
from typing import Any

from kakaoauth.sandbox.signing.keys import KeyRing
from kakaoauth.sandbox.state.state import State


def _publish(ring: KeyRing, published: bool) -> None:
    ring.published = published


ACTIONS: dict[str, Callable[[KeyRing], None]] = {
    "rotate": lambda ring: ring.rotate(),
    "drop-old": lambda ring: ring.drop_old(),
    "unpublish": lambda ring: _publish(ring, False),
    "publish": lambda ring: _publish(ring, True),
}


def change_keys(state: State, action: str, provider: str = "kakao") -> None:
    """Do one of `ACTIONS`, and save."""
    with state.changing():
        ACTIONS[action](state.keys(provider))


def describe_keys(state: State, provider: str = "kakao") -> dict[str, Any]:
    """Return {"signing": key id, "kids": ids, the signing one first, "published": whether JWKS shows them}."""
    ring = state.keys(provider)
    with state.reading():
        kids = [key.kid for key in ring.all()]
    return {"signing": kids[0], "kids": kids, "published": ring.published}
