"""Browsers inside other apps: which they are, and how a page leads out of them into a browser of its own.

Their names are those that login providers' forums and support pages list. A way out opens the page that begins the
login: the other browser has cookies of its own, so the login has to begin there.
"""

import re
from collections.abc import Callable
from urllib.parse import quote, urlsplit

from flask import request

from kakaoauth.errors import EmbeddedBrowser
from kakaoauth.providers.base import Provider
from kakaoauth.translation import gettext

EMBEDDED = re.compile(r"KAKAOTALK|NAVER\(inapp|Instagram|FBAN|FBAV|\bLine/|DaumApps|; wv\)", re.IGNORECASE)


def lead_outside(provider: Provider, address: Callable[[], str]) -> None:
    """Let a login begin in this browser, unless it is inside an app and the provider refuses such browsers.

    :param address: returns the address of the page that begins the login, with scheme and host.
    :raises EmbeddedBrowser: with a button that leads out, where the app has one.
    """
    agent = request.headers.get("User-Agent", "")
    if not (provider.refuses_embedded_browsers and EMBEDDED.search(agent)):
        return
    error = EmbeddedBrowser("the browser inside an app")
    error.provider = provider.name
    if way := way_out(agent, address()):
        error.actions.append((gettext("Open in your browser"), way))
    raise error


def way_out(agent: str, address: str) -> str | None:
    """Return the address that makes this app open `address` in the phone's own browser; None if there is none."""
    if "KAKAOTALK" in agent.upper():
        return f"kakaotalk://web/openExternal?url={quote(address, safe='')}"
    if re.search(r"\bLine/", agent):
        return f"{address}{'&' if '?' in address else '?'}openExternalBrowser=1"
    if "Android" in agent:
        parts = urlsplit(address)
        bare = address.partition("://")[2].partition("#")[0]
        # Without this browser the phone opens the fallback, which is the same page.
        return (
            f"intent://{bare}#Intent;scheme={parts.scheme};package=com.android.chrome;"
            f"S.browser_fallback_url={quote(address, safe='')};end"
        )
    return None
