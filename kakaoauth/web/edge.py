"""The only file that knows what stands between us and the browser: proxies, host names, response headers, language."""

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, g, has_request_context, request
from sqlalchemy import inspect
from werkzeug.middleware.proxy_fix import ProxyFix

from kakaoauth import audit, providers
from kakaoauth.audit.visitors import plain_address, visitor
from kakaoauth.config.checks import is_loopback
from kakaoauth.errors import Tunnelled
from kakaoauth.models import User
from kakaoauth.web.language import remember_language_choice

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("kakaoauth.edge")
#: What proxies and tunnels add to a request, besides X-Forwarded-... and Cloudflare's CF-...
PROXY_HEADERS = frozenset(
    f"HTTP_{name}"
    for name in (
        *("FORWARDED", "VIA", "X_REAL_IP", "X_CLIENT_IP", "X_CLUSTER_CLIENT_IP", "X_ENVOY_EXTERNAL_ADDRESS"),
        *("TRUE_CLIENT_IP", "FASTLY_CLIENT_IP", "FLY_CLIENT_IP", "CDN_LOOP", "X_AZURE_CLIENTIP", "X_APPENGINE_USER_IP"),
    )
)
#: The same for everybody.
CACHEABLE = ("static", "api.tokens.jwks", "api.docs.asset")


class PublicUrl:
    """With PUBLIC_URL the Host header decides nothing: every request is one to that address."""

    def __init__(self, app: "WSGIApplication", url: str) -> None:
        self.app = app
        parts = urlsplit(url)
        self.scheme, self.host = parts.scheme, parts.netloc

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> object:
        environ["HTTP_HOST"] = self.host
        environ["wsgi.url_scheme"] = self.scheme
        return self.app(environ, start_response)


class PlainAddress:
    """Some proxies write a port beside an address (Azure's does), and some pass on whatever a visitor has written: each
    would be a visitor of its own for the limits, and no address for everything else."""

    def __init__(self, app: "WSGIApplication") -> None:
        self.app = app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> object:
        if environ.get("REMOTE_ADDR"):  # a unix socket has none
            environ["REMOTE_ADDR"] = plain_address(environ["REMOTE_ADDR"])
        return self.app(environ, start_response)


def init_app(app: Flask) -> None:
    if app.config["PUBLIC_URL"]:
        app.wsgi_app = PublicUrl(app.wsgi_app, app.config["PUBLIC_URL"])  # type: ignore[assignment, method-assign]
    if proxies := app.config["TRUSTED_PROXIES"]:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            PlainAddress(app.wsgi_app),  # type: ignore[arg-type]
            x_for=proxies,
            x_proto=proxies,
            x_host=proxies,
            x_port=0,
            x_prefix=0,
        )
    app.before_request(name_the_source)
    app.before_request(refuse_strangers)
    app.before_request(remember_language_choice)
    app.after_request(add_headers)


def name_the_source() -> None:
    """For the audit trail: whom a guard has let in, without asking for anybody it has not looked for."""
    audit.acts_from(_source)


def _source() -> audit.Source:
    if not has_request_context():  # a request that this thread has answered before
        return audit.Source()
    person = g.get("bearer") or g.get("_login_user")
    # Not by their attributes, which may be gone or not true any more: people suspend and delete themselves.
    identity = inspect(person).identity if isinstance(person, User) else None
    return audit.Source(identity[0] if identity else None, request.remote_addr or "", visitor().agent)


def hostname() -> str:
    return urlsplit(f"//{request.host}").hostname or ""


def is_of_a_proxy(name: str) -> bool:
    """Whether a request header, by its name in a WSGI environ, is one that a proxy or a tunnel adds."""
    return name in PROXY_HEADERS or name.startswith(("HTTP_X_FORWARDED", "HTTP_X_ORIGINAL_", "HTTP_CF_"))


def refuse_strangers() -> None:
    """A foreign Host is not ours to build addresses on, and the embedded parts are for this machine alone.

    :raises Tunnelled: through a tunnel everybody would be on this machine, with a Host of their choice.
    """
    config = current_app.config
    if config["EMBEDDED"] and any(is_of_a_proxy(name) for name in request.environ):
        raise Tunnelled("a proxy or a tunnel has forwarded it; see docs/operations.md, What `make run` does")
    if config["EMBEDDED"] and request.remote_addr and not is_loopback(request.remote_addr):
        log.warning("refused a request from outside: embedded parts are for this machine; see docs/production.md")
        abort(403)
    if config["PUBLIC_URL"] or request.endpoint in ("ops.healthz", "ops.readyz"):
        return
    try:
        host = hostname()
    except ValueError:
        host = ""
    if is_loopback(host):
        return
    redirect_uris = [config.get(f"{provider.name.upper()}_REDIRECT_URI") for provider in providers.all_providers()]
    ours = {urlsplit(redirect_uri).hostname for redirect_uri in redirect_uris if redirect_uri}
    if host in ours or (config["TRUSTED_PROXIES"] and not ours):
        return
    log.warning("refused a request for a foreign host: set PUBLIC_URL to the address of this site")
    abort(400)


def add_headers(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", content_security_policy())
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
    if request.scheme == "https":
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if request.endpoint not in CACHEABLE:
        headers["Cache-Control"] = "no-store"
        response.vary.update(("Cookie", "Accept-Language"))
    if choice := g.get("language_choice"):
        response.set_cookie(
            "lang", choice, max_age=31536000, secure=request.scheme == "https", httponly=True, samesite="Lax"
        )
    return response


def content_security_policy(*, images: str = "https:") -> str:
    """:param images: from where pictures may come, besides this site."""
    # form-action: browsers hold each redirect after a form to it as well, and linking and one logout end elsewhere.
    theirs = dict.fromkeys(origin for provider in providers.all_providers() for origin in provider.page_origins)
    return (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
        f"img-src 'self' {images}; base-uri 'none'; frame-ancestors 'none'; form-action 'self' {' '.join(theirs)}"
    )
