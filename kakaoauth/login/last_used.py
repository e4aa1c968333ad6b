"""The sign-in method that a browser used last, which the first page marks.

A cookie of its own, which names the provider and nobody, and outlives the login.
"""

from flask import request
from werkzeug.wrappers import Response

from kakaoauth import providers

COOKIE = "kakaoauth_last"
YEAR = 365 * 86400


def remember(response: Response, provider: str) -> None:
    """Note with this response how the person has come in."""
    is_secure = request.scheme == "https"
    response.set_cookie(COOKIE, provider, max_age=YEAR, secure=is_secure, httponly=True, samesite="Lax")


def find() -> str:
    """Return the provider's name; empty if there is none, or it is not offered any more."""
    cookies = request.cookies
    provider = providers.find_provider(cookies[COOKIE]) if COOKIE in cookies else None
    return provider.name if provider else ""
