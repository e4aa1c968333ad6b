"""Rate limits that are used up already."""

from flask import Flask

from kakaoauth.web import rate_limits

#: A limit's number in LIMITS.
AMOUNT = {name: item.amount for name, item in rate_limits.ITEMS.items()}


def fill(app: Flask, name: str, key: str, times: int | None = None) -> None:
    """As if so many had come already: all that are allowed, if not told."""
    app.extensions["kakaoauth_rate_limits"].hit(
        rate_limits.ITEMS[name], name, key, cost=AMOUNT[name] if times is None else times
    )
