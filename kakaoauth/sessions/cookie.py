"""The session's cookie: its name and attributes."""

from typing import Any

from flask import Flask, Request, Response
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.sansio.http import parse_cookie

from kakaoauth.tokens import cookies


class SessionCookie:
    """The cookie depends on the request: one process may serve https through a proxy and http on this machine."""

    def get_cookie_secure(self, app: Flask) -> bool:
        """Whether the cookie is for https only: always, except http on this machine."""
        return cookies.is_secure()

    def get_cookie_name(self, app: Flask) -> str:
        """`__Host-` makes browsers enforce Secure, path `/` and no domain. The rest is SESSION_COOKIE_NAME, by which
        two apps of one host name differ."""
        name = app.config["SESSION_COOKIE_NAME"].removeprefix("__Host-")
        return f"__Host-{name}" if self.get_cookie_secure(app) else name

    def get_cookie_httponly(self, app: Flask) -> bool:
        """Keep the cookie from scripts."""
        return True

    def get_cookie_samesite(self, app: Flask) -> str:
        """Lax: the provider's redirect, a navigation by GET, brings the cookie."""
        return "Lax"

    def get_cookie_path(self, app: Flask) -> str:
        """`__Host-` requires this path."""
        return "/"

    def get_cookie_domain(self, app: Flask) -> str | None:
        """`__Host-` allows no domain."""
        return None

    def send_cookie(self, app: Flask, response: Response, value: str, max_age: int | None) -> None:
        """Send it. :param max_age: in seconds; None: until the browser is closed."""
        response.set_cookie(
            self.get_cookie_name(app),
            value,
            max_age=max_age,
            path="/",
            secure=self.get_cookie_secure(app),
            httponly=True,
            samesite="Lax",
        )


def cookies_of(request: Request) -> ImmutableMultiDict[str, str]:
    """Return the request's cookies, and keep them as `request.cookies`.

    Werkzeug's own way to their header makes a title of each header's name, a twentieth of a page's work.
    """
    if type(request).cookies is not Request.cookies:  # an app's own class may have other ones
        return request.cookies
    found: Any = parse_cookie(request.environ.get("HTTP_COOKIE"), cls=request.dict_storage_class)
    request.cookies = found
    return found  # type: ignore[no-any-return]


def vary_by_cookie(response: Response) -> None:
    """Keep shared caches from giving one visitor's page to another."""
    varies = response.headers.getlist("Vary")  # `get` would raise and catch an exception for almost every response
    if not varies:
        response.headers.add("Vary", "Cookie")
    elif varies != ["Cookie, Accept-Language"]:  # as our own pages have it
        response.vary.add("Cookie")
