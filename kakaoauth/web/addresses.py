"""Addresses of our own pages and files, worked out once: a page has a dozen of them."""

from typing import Any

from flask import current_app, url_for
from flask.globals import request_ctx

#: Where an app keeps them: (script name, endpoint, values) -> path.
KEPT = "kakaoauth_addresses"
#: Of each app. There are a few dozen, for each script name that the server is told of.
MOST = 500


def path_to(endpoint: str, **values: Any) -> str:
    """As `url_for`, for a path within this site whose values are few and are not of one person."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    adapter = request_ctx.url_adapter
    # A host's own rules may put something of this request into an address.
    if adapter is None or app.url_default_functions or app.subdomain_matching:
        return url_for(endpoint, **values)
    key = (adapter.script_name, endpoint, *values.items())
    kept: dict[tuple[object, ...], str] = app.extensions.setdefault(KEPT, {})
    found = kept.get(key)
    if found is None:
        if len(kept) >= MOST:
            kept.clear()
        found = kept[key] = url_for(endpoint, **values)
    return found
