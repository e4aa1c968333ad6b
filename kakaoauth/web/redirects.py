"""Where we may redirect a browser: the check of `next`, and the callback's address."""

import posixpath
import unicodedata
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote, urlsplit

from flask import Response, current_app, request, url_for
from flask_login import current_user
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect
from werkzeug.utils import redirect

from kakaoauth.config.mounting import BLUEPRINT
from kakaoauth.providers import all_providers
from kakaoauth.web.mounting import home

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: Blueprints of ours without a page to return to: their URLs begin or end something, or are not for people.
NOT_PAGES = ("auth", "local", "confirm", "closed", "sign_up", "api", "webhooks", "ops", "files")

#: More than any page of ours needs, less than a header may hold.
MAX_LENGTH = 2000
#: The same for anonymous visitors. A script can leave many sessions, each with ten waiting logins and their `next`:
#: with 300 characters a session has 12 kB at most, with 2000 it had 63 kB.
ANONYMOUS_LENGTH = 300


class _WithoutFragment(Response):
    """A redirect whose Location ends in `#`. Werkzeug removes an empty fragment, so it is added last."""

    def get_wsgi_headers(self, environ: "WSGIEnvironment") -> Headers:
        """Add an empty fragment to Location."""
        headers = super().get_wsgi_headers(environ)
        if "#" not in headers["Location"]:
            headers["Location"] += "#"
        return headers


def redirect_without_fragment(target: str) -> Response:
    """Return a redirect with an empty fragment, so that the browser does not inherit the current one (RFC 9110, section
    10.2.2)."""
    return cast(Response, redirect(target, Response=_WithoutFragment))


def safe_next(target: str | None, default: str | None = None) -> str:
    """Return `target` if it is a page of this site or a URL on one of KAKAOAUTH_FRONTEND_ORIGINS, else
    `default` or the first page.

    A path must match one of our routes for GET. A list of allowed pages is safer than a list of bad spellings
    (`//evil`, `/\\evil`, `/%09/evil` ...).
    """
    fallback = default if default is not None else home()
    if not target or len(target) > _longest() or not _is_plain(target):
        return fallback
    if target.startswith("/"):
        return target if _is_own_page(target) else fallback
    return target if _is_front_end(target) else fallback


def _longest() -> int:
    return MAX_LENGTH if current_user.is_authenticated else ANONYMOUS_LENGTH


def callback_address(provider: str) -> str:
    """Return the redirect URI for a provider: the setting byte for byte, else the callback's URL on this host."""
    configured: str = current_app.config.get(f"{provider.upper()}_REDIRECT_URI") or ""
    return configured or url_for("kakaoauth.auth.callback", provider=provider, _external=True)


def is_own_callback(address: str) -> bool:
    """Whether `address`, as a redirect_uri, leads to a callback of this site.

    Compares host and path, in any spelling; an address that cannot be parsed counts as ours. Without PUBLIC_URL the
    callback is on whatever host the browser used, so then only the path is compared.
    """
    names = [provider.name for provider in all_providers()]
    configured = [current_app.config.get(f"{name.upper()}_REDIRECT_URI") for name in names]
    own = [callback_address(name) for name in names]
    own += [url_for("kakaoauth.auth.callback", provider=name, _external=True) for name in names]
    try:
        host, path = _host_and_path(address)
        callbacks = [_host_and_path(one) for one in own]
    except ValueError:
        return True
    if address in configured or (host, path) in callbacks:
        return True
    is_web = address.partition(":")[0].lower() in ("http", "https")
    return is_web and not current_app.config["PUBLIC_URL"] and path in {path for _, path in callbacks}


def _host_and_path(address: str) -> tuple[str, str]:
    """Return host and path in one normal spelling. :raises ValueError: not a URL."""
    parts = urlsplit(address)
    path = unquote(unquote(parts.path)).lower()
    return (parts.hostname or "").rstrip("."), posixpath.normpath(path)


def _is_plain(target: str) -> bool:
    """Whether `target` is free of characters that browsers drop or change, plain and percent-encoded."""
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
    root, path = request.script_root, unquote(parts.path)
    return path.startswith(f"{root}/") and _is_route(path[len(root) :])


def _is_route(path: str) -> bool:
    try:
        endpoint, _ = current_app.url_map.bind("localhost").match(path, method="GET")
    except RequestRedirect as moved:
        return _is_route(unquote(urlsplit(moved.new_url).path))
    except HTTPException:
        return False
    blueprint, _, ours = str(endpoint).partition(".")
    if blueprint != BLUEPRINT:
        return str(endpoint) != "static"
    return str(endpoint) == "kakaoauth.auth.index" or ours.split(".")[0] not in NOT_PAGES


def _is_front_end(target: str) -> bool:
    try:
        parts = urlsplit(target)
        origin = f"{parts.scheme}://{parts.netloc}"
    except ValueError:
        return False
    return origin in current_app.config["KAKAOAUTH_FRONTEND_ORIGINS"]
