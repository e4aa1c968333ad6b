"""Our tokens in a browser's cookies: the only file that sets, reads and clears them, and says when they count.

No script can read them. A browser sends them by itself, so an unsafe request counts only if a script of a front end of
ours has made it: only such a script can set the header (another origin's is stopped by the browser's preflight).
"""

from flask import current_app, request
from werkzeug.wrappers import Response

from kakaoauth.config.checks import is_loopback
from kakaoauth.errors import InvalidFields
from kakaoauth.tokens.flows import TokenPair

ACCESS = "access_token"
REFRESH = "refresh_token"
#: The one address that gets the refresh token.
REFRESH_PATH = "/api/token/refresh/"
#: What a script has to send with every unsafe request that its cookies authenticate; any value but none.
CSRF_HEADER = "X-CSRF-Token"

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def put(response: Response, pair: TokenPair) -> None:
    # It outlives the token in it: an access token that is over still says whose login a logout ends, and a call with
    # it is told EXPIRED_TOKEN.
    _set(response, ACCESS, pair.access_token, "/", max(pair.expires_in, pair.refresh_expires_in))
    _set(response, REFRESH, pair.refresh_token, REFRESH_PATH, pair.refresh_expires_in)


def clear(response: Response) -> None:
    """Only for a script of ours: a form on another site, which brings no header, must not log anybody out."""
    if request.headers.get(CSRF_HEADER):
        _set(response, ACCESS, "", "/", 0)
        _set(response, REFRESH, "", REFRESH_PATH, 0)


def find_access_token() -> str | None:
    """:raises InvalidFields: it came with an unsafe request that nobody can answer for."""
    return _find(_name(ACCESS))


def find_refresh_token() -> str | None:
    """:raises InvalidFields: as find_access_token."""
    return _find(_name(REFRESH))


def _find(name: str) -> str | None:
    tokens = request.cookies.getlist(name)
    if len(tokens) != 1 or not tokens[0]:
        return None  # of two, a sister sub-domain may have planted one
    if request.method not in SAFE_METHODS:
        _require_own_script()
    return tokens[0]


def _require_own_script() -> None:
    """The header is the wall; Origin and Sec-Fetch-Site are a second one.

    :raises InvalidFields:
    """
    if not request.headers.get(CSRF_HEADER):
        raise InvalidFields({CSRF_HEADER: "this header is needed beside the cookie, with any value"})
    origin = request.headers.get("Origin")
    if origin is not None and not is_own_origin(origin):
        raise InvalidFields({"Origin": "not this site, nor one of its front ends"})
    if origin is None and request.headers.get("Sec-Fetch-Site") not in (None, "same-origin", "none"):
        raise InvalidFields({"Origin": "missing"})


def is_own_origin(origin: str) -> bool:
    return origin == request.host_url.rstrip("/") or origin in current_app.config["FRONTEND_ORIGINS"]


def _set(response: Response, name: str, value: str, path: str, seconds: int) -> None:
    response.set_cookie(
        _name(name), value, max_age=seconds, path=path, secure=_is_secure(), httponly=True, samesite="Lax"
    )


def _is_secure() -> bool:
    return request.scheme == "https" or not is_loopback(request.host.rsplit(":", 1)[0])


def _name(name: str) -> str:
    """Browsers hold a name to its promise: `__Host-` is for the path `/` only, which the refresh token's is not."""
    if not _is_secure():
        return name
    return f"__Host-{name}" if name == ACCESS else f"__Secure-{name}"
