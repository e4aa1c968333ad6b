"""Where this site is, as far as the settings say without a request."""

import re
from urllib.parse import urljoin

from flask import Flask


def split_items(scope: str) -> list[str]:
    """Return the items of KAKAO_SCOPE, which blanks or commas separate."""
    return [item for item in re.split(r"[,\s]+", scope) if item]


def path_of(app: Flask, endpoint: str, **values: str) -> str:
    """Build an endpoint's path without a request."""
    return app.url_map.bind("localhost").build(endpoint, values)


def callback_path(app: Flask, provider: str = "kakao") -> str:
    """Return the path of a provider's callback."""
    return path_of(app, "kakaoauth.auth.callback", provider=provider)


def redirect_uri(app: Flask, provider: str = "kakao") -> str | None:
    """What a login sends as `redirect_uri`; None if only the proxy's headers will tell."""
    config = app.config
    if config[f"{provider.upper()}_REDIRECT_URI"]:
        return str(config[f"{provider.upper()}_REDIRECT_URI"])
    if not config["PUBLIC_URL"] and config["TRUSTED_PROXIES"]:
        return None
    site = config["PUBLIC_URL"] or f"http://localhost:{config['PORT']}"
    return urljoin(site, callback_path(app, provider))


def logout_uri(app: Flask) -> str | None:
    """Return where Kakao's logout page returns to; None as in `redirect_uri`."""
    address = redirect_uri(app)
    return address and urljoin(address, path_of(app, "kakaoauth.auth.logout_callback", provider="kakao"))
