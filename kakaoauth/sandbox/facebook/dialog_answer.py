"""How the dialog sends a person back to the site."""

from collections.abc import Mapping
from urllib.parse import urlencode

DENIED = {
    "error": "access_denied",
    "error_code": "200",
    "error_description": "Permissions error",
    "error_reason": "user_denied",
}


def location_of(uri: str, values: Mapping[str, str], state: str | None) -> str:
    """Write the address as Facebook does: spaces as +, and `#_=_` at the end, lest an old fragment be kept."""
    pairs = {**values} if state is None else {**values, "state": state}
    query = urlencode(pairs, errors="surrogateescape")
    return f"{uri}{'&' if '?' in uri else '?'}{query}#_=_"
