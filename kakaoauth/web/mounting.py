"""The request's path and the first page, as seen from the browser and from our blueprint."""

from collections.abc import Iterable
from urllib.parse import quote, urlencode

from flask import request

from kakaoauth.config.mounting import url_prefix


def own_path() -> str:
    """Return the request's path below our prefix; empty for a page of the host's."""
    prefix = url_prefix()
    is_ours = request.path.startswith(f"{prefix}/")
    return request.path[len(prefix) :] if is_ours else ""


def here() -> str:
    """Return the request's path and query as the browser has them, a script name included."""
    return f"{request.script_root}{request.full_path}".rstrip("?")


def here_with(query: Iterable[tuple[str, str]]) -> str:
    """Return the request's path with another query, for a link. It is always a path of this site: a page may have been
    requested as `//evil.example`."""
    path = "/" + quote(f"{request.script_root}{request.path}".lstrip("/"))
    text = urlencode(list(query))
    return f"{path}?{text}" if text else path


def home() -> str:
    """Return the path of the app's first page, which is a host's own."""
    return f"{request.script_root}/"
