"""Who may talk to the sandbox: this computer, under one of its own names."""

import ipaddress
import re
from urllib.parse import urlsplit

from flask import request

from kakaoauth.sandbox.errors import PageError


def refuse_strangers() -> None:
    """Pass requests from this computer only. :raise PageError: 403.

    Keys and tokens lie open here. A page elsewhere could point its own host name at 127.0.0.1 (DNS rebinding)
    and read them from the developer's browser: such a request is local but carries a foreign Host.
    """
    if not (is_loopback(request.remote_addr or "") and is_loopback(_host_name())):
        raise PageError(None, "loopback only", status=403)


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
