"""Our tokens in cookies, for front ends.

No script can read them. A browser sends them with every request, so an unsafe request must carry CSRF_HEADER: only a
script of this site or of KAKAOAUTH_FRONTEND_ORIGINS can set it (the preflight stops others).
"""

from flask import current_app, request
from werkzeug.wrappers import Response

from kakaoauth.config.checks import is_loopback
from kakaoauth.config.mounting import url_prefix
from kakaoauth.errors import InvalidFields
from kakaoauth.tokens.flows import TokenPair

ACCESS = "access_token"
REFRESH = "refresh_token"
#: The one address that gets the refresh token, below our prefix.
REFRESH_PATH = "/api/token/refresh/"
#: Required in every unsafe request that the cookies authenticate, with any value.
CSRF_HEADER = "X-CSRF-Token"

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def put(response: Response, pair: TokenPair) -> None:
    """Set both cookies."""
    # The cookie outlives its token: an expired access token still tells which login a logout ends, and a call with it
    # is answered EXPIRED_TOKEN.
    _set(response, ACCESS, pair.access_token, "/", max(pair.expires_in, pair.refresh_expires_in))
    _set(response, REFRESH, pair.refresh_token, _refresh_path(), pair.refresh_expires_in)


def clear(response: Response) -> None:
    """Delete the cookies, if CSRF_HEADER is there: a form on another site must not log anybody out."""
    if request.headers.get(CSRF_HEADER):
        _set(response, ACCESS, "", "/", 0)
        _set(response, REFRESH, "", _refresh_path(), 0)


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
    if not is_from_own_page(front_ends=True):
        raise InvalidFields({"Origin": "not this site, nor one of its front ends"})


def is_from_own_page(*, front_ends: bool = False) -> bool:
    """Whether a page of ours has made an unsafe request, as far as its browser says (Origin, Sec-Fetch-Site).

    :param front_ends: a script has made it: those of KAKAOAUTH_FRONTEND_ORIGINS are ours as well, and none has the
        origin `null`.
    """
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if front_ends and origin in current_app.config["KAKAOAUTH_FRONTEND_ORIGINS"]:
        return True
    if site not in (None, "same-origin", "none"):
        return False
    if origin == "null" and not front_ends:
        return site is not None  # from a form, after a redirect or under some privacy settings
    # By the cookies' rule and not by the request's scheme, which is the proxy's where TRUSTED_PROXIES is not set.
    return origin in (None, f"{'https' if is_secure() else 'http'}://{request.host}")


def _set(response: Response, name: str, value: str, path: str, seconds: int) -> None:
    response.set_cookie(
        _name(name), value, max_age=seconds, path=path, secure=is_secure(), httponly=True, samesite="Lax"
    )


def is_secure() -> bool:
    """Whether cookies are for https only: always, except http on this machine."""
    asked = request._get_current_object()  # type: ignore[attr-defined]
    return asked.scheme == "https" or not is_loopback(asked.host.rsplit(":", 1)[0])


def _refresh_path() -> str:
    return f"{request.script_root}{url_prefix()}{REFRESH_PATH}"


def _name(name: str) -> str:
    """Return the cookie's name. `__Host-` requires the path `/`, which the refresh token has not."""
    if not is_secure():
        return name
    return f"__Host-{name}" if name == ACCESS else f"__Secure-{name}"
