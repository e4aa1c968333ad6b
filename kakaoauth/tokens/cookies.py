"""Our tokens in cookies, for front ends.

No script can read them. A browser sends them with every request, so an unsafe request must carry CSRF_HEADER: only a
script of this site or of KAKAOAUTH_FRONTEND_ORIGINS can set it (the preflight stops others).
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
#: Required in every unsafe request that the cookies authenticate, with any value.
CSRF_HEADER = "X-CSRF-Token"

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def put(response: Response, pair: TokenPair) -> None:
    """Set both cookies."""
    # The cookie outlives its token: an expired access token still tells which login a logout ends, and a call with it
    # is answered EXPIRED_TOKEN.
    _set(response, ACCESS, pair.access_token, "/", max(pair.expires_in, pair.refresh_expires_in))
    _set(response, REFRESH, pair.refresh_token, REFRESH_PATH, pair.refresh_expires_in)


def clear(response: Response) -> None:
    """Delete the cookies, if CSRF_HEADER is there: a form on another site must not log anybody out."""
    if request.headers.get(CSRF_HEADER):
        _set(response, ACCESS, "", "/", 0)
        _set(response, REFRESH, "", REFRESH_PATH, 0)


def find_access_token() -> str | None:
    """Return the access token cookie. :raises InvalidFields: an unsafe request that no script of ours made."""
    return _find(_name(ACCESS))


def find_refresh_token() -> str | None:
    """Return the refresh token cookie. :raises InvalidFields: as `find_access_token`."""
    return _find(_name(REFRESH))


def _find(name: str) -> str | None:
    tokens = request.cookies.getlist(name)
    if len(tokens) != 1 or not tokens[0]:
        return None  # of two cookies, a sibling sub-domain may have planted one
    if request.method not in SAFE_METHODS:
        _require_own_script()
    return tokens[0]


def _require_own_script() -> None:
    """The header is the protection, Origin and Sec-Fetch-Site are a second one.

    :raises InvalidFields: no script of ours has made this request.
    """
    if not request.headers.get(CSRF_HEADER):
        raise InvalidFields({CSRF_HEADER: "this header is needed beside the cookie, with any value"})
    origin = request.headers.get("Origin")
    if origin is not None and not is_own_origin(origin):
        raise InvalidFields({"Origin": "not this site, nor one of its front ends"})
    if origin is None and request.headers.get("Sec-Fetch-Site") not in (None, "same-origin", "none"):
        raise InvalidFields({"Origin": "missing"})


def is_own_origin(origin: str) -> bool:
    """Whether an origin is this site or one of KAKAOAUTH_FRONTEND_ORIGINS."""
    return origin == request.host_url.rstrip("/") or origin in current_app.config["KAKAOAUTH_FRONTEND_ORIGINS"]


def _set(response: Response, name: str, value: str, path: str, seconds: int) -> None:
    response.set_cookie(
        _name(name), value, max_age=seconds, path=path, secure=is_secure(), httponly=True, samesite="Lax"
    )


def is_secure() -> bool:
    """Whether cookies are for https only: always, except http on this machine."""
    return request.scheme == "https" or not is_loopback(request.host.rsplit(":", 1)[0])


def _name(name: str) -> str:
    """Return the cookie's name. `__Host-` requires the path `/`, which the refresh token has not."""
    if not is_secure():
        return name
    return f"__Host-{name}" if name == ACCESS else f"__Secure-{name}"
