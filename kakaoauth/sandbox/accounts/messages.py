"""What the messages of Naver, Google and Apple to a site have in common."""

from collections.abc import Sequence


class MessageError(ValueError):
    """This message can't be sent."""


def check_flaws(flaws: Sequence[str], known: Sequence[str]) -> None:
    """:raise MessageError: one of them is unknown."""
    unknown = [flaw for flaw in flaws if flaw not in known]
    if unknown:
        raise MessageError(f"unknown flaw: {', '.join(unknown)[:200]}")
