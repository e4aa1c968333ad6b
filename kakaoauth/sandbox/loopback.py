"""Who may talk to the sandbox: this computer, under one of its own names."""

import ipaddress
import re
from urllib.parse import urlsplit

from flask import request

from kakaoauth.sandbox.errors import PageError

#: What proxies and tunnels add to a request, by their names in a WSGI environ; X-Forwarded-... and CF-... besides.
PROXY_HEADERS = frozenset(
    f"HTTP_{name}"
    for name in (
        *("FORWARDED", "VIA", "X_REAL_IP", "X_CLIENT_IP", "X_CLUSTER_CLIENT_IP", "X_ENVOY_EXTERNAL_ADDRESS"),
        *("TRUE_CLIENT_IP", "FASTLY_CLIENT_IP", "FLY_CLIENT_IP", "CDN_LOOP", "X_AZURE_CLIENTIP", "X_APPENGINE_USER_IP"),
    )
)


def refuse_strangers() -> None:
    """Pass requests from this computer only. :raise PageError: 403.

    Keys and tokens lie open here. A page elsewhere could point its own host name at 127.0.0.1 (DNS rebinding)
    and read them from the developer's browser: such a request is local but carries a foreign Host.
    """
    if any(_is_of_a_proxy(name) for name in request.environ):
        raise PageError(
            None,
            "loopback only: a proxy or a tunnel has forwarded this request. "
            "Open the sandbox on the machine it runs on, or bring its port to yours with ssh -L.",
            status=403,
        )
    if not (is_loopback(request.remote_addr or "") and is_loopback(_host_name())):
        raise PageError(None, "loopback only", status=403)


def _is_of_a_proxy(name: str) -> bool:
    """Through a tunnel everybody is on this computer, and the Host may be any."""
    return name in PROXY_HEADERS or name.startswith(("HTTP_X_FORWARDED", "HTTP_X_ORIGINAL_", "HTTP_CF_"))


def is_loopback(name: str) -> bool:
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_webhook_address(url: str) -> bool:
    """Return True for an address on this computer: the sandbox must not be a tool against others."""
    if not re.fullmatch(r"[!-~]{1,500}", url):
        return False
    try:
        parts = urlsplit(url)
        port_is_odd = parts.port == 0
    except ValueError:
        return False
    odd = port_is_odd or "@" in parts.netloc or "\\" in url or "#" in url
    return parts.scheme in ("http", "https") and not odd and is_loopback(parts.hostname or "")


def _host_name() -> str:
    try:
        return urlsplit(f"//{request.environ.get('HTTP_HOST', '')}").hostname or ""
    except ValueError:
        return ""
