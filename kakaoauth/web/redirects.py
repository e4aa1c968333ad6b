"""The only file that decides where we may send a browser."""

import posixpath
import unicodedata
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote, urlsplit

from flask import Response, current_app, url_for
from flask_login import current_user
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect
from werkzeug.utils import redirect

from kakaoauth.providers import all_providers

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: Doors that have no page to return to: their addresses begin or end something, or are not for people.
NOT_PAGES = ("auth", "local", "confirm", "api", "webhooks", "ops", "static")

#: More than any page of ours needs, less than a header may hold.
MAX_LENGTH = 2000
#: The same for somebody who is not logged in. Ten logins may wait in each of the sessions that a script leaves behind,
#: and each keeps its `next`: with 300 characters a session has 12 kB at most, with 2000 it had 63 kB.
ANONYMOUS_LENGTH = 300


class _WithoutFragment(Response):
    """Werkzeug takes an empty fragment away, so it is put back last."""

    def get_wsgi_headers(self, environ: "WSGIEnvironment") -> Headers:
        headers = super().get_wsgi_headers(environ)
        if "#" not in headers["Location"]:
            headers["Location"] += "#"
        return headers


def redirect_without_fragment(target: str) -> Response:
    """A redirect over which the browser carries no fragment of the address it comes from: an empty one of its own sees
    to that (RFC 9110, section 10.2.2)."""
    return cast(Response, redirect(target, Response=_WithoutFragment))


def safe_next(target: str | None, default: str | None = None) -> str:
    """Return `target` if it is a page of this site or an address on one of FRONTEND_ORIGINS, else the first page. One
    that is too long is ignored as well.

    A path must match one of our routes for GET: a list of pages cannot be tricked the way a list of bad
    spellings can (`//evil`, `/\\evil`, `/%09/evil` ... are all decided by what they are not).
    """
    fallback = default if default is not None else url_for("auth.index")
    if not target or len(target) > _longest() or not _is_plain(target):
        return fallback
    if target.startswith("/"):
        return target if _is_own_page(target) else fallback
    return target if _is_front_end(target) else fallback


def _longest() -> int:
    return MAX_LENGTH if current_user.is_authenticated else ANONYMOUS_LENGTH


def callback_address(provider: str) -> str:
    """The redirect URI of a provider's authorization requests: the setting byte for byte, or the callback's address."""
    configured: str = current_app.config.get(f"{provider.upper()}_REDIRECT_URI") or ""
    return configured or url_for("auth.callback", provider=provider, _external=True)


def is_own_callback(address: str) -> bool:
    """Whether a provider that is given `address` as redirect_uri sends the browser to a callback of this site.

    By host and path only, in any spelling; what cannot be taken apart counts as one. While nothing fixes the host,
    each login's callback is on whatever host the browser used, so then the path alone tells.
    """
    names = [provider.name for provider in all_providers()]
    configured = [current_app.config.get(f"{name.upper()}_REDIRECT_URI") for name in names]
    own = [callback_address(name) for name in names]
    own += [url_for("auth.callback", provider=name, _external=True) for name in names]
    try:
        host, path = _place(address)
        places = [_place(one) for one in own]
    except ValueError:
        return True
    if address in configured or (host, path) in places:
        return True
    is_web = address.partition(":")[0].lower() in ("http", "https")
    return is_web and not current_app.config["PUBLIC_URL"] and path in {path for _, path in places}


def _place(address: str) -> tuple[str, str]:
    """Host and path as one spelling of all that lead there. :raises ValueError: no address."""
    parts = urlsplit(address)
    path = unquote(unquote(parts.path)).lower()
    return (parts.hostname or "").rstrip("."), posixpath.normpath(path)


def _is_plain(target: str) -> bool:
    """No character that browsers drop, fold into another or draw as another, neither as it stands nor encoded."""
    for text in (target, unquote(target), unquote(unquote(target))):
        if "\\" in text or any(unicodedata.category(char)[0] in "CZ" and char != " " for char in text):
            return False
        if unicodedata.normalize("NFKC", text).count("/") != text.count("/"):
            return False
    return not target.startswith(" ")


def _is_own_page(target: str) -> bool:
    # Twice decoded, as the strictest reader between us and the page might: `/%2f/evil` is no path of ours.
    path = target.split("?", 1)[0].split("#", 1)[0]
    if "//" in unquote(unquote(path)) or "/../" in unquote(unquote(path)) + "/":
        return False
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return False
    try:
        endpoint, _ = current_app.url_map.bind("localhost").match(unquote(parts.path), method="GET")
    except RequestRedirect as moved:
        return _is_own_page(urlsplit(moved.new_url).path)
    except HTTPException:
        return False
    return endpoint == "auth.index" or endpoint.split(".")[0] not in NOT_PAGES


def _is_front_end(target: str) -> bool:
    try:
        parts = urlsplit(target)
        origin = f"{parts.scheme}://{parts.netloc}"
    except ValueError:
        return False
    return origin in current_app.config["FRONTEND_ORIGINS"]
