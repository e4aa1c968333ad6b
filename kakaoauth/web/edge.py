"""What holds for every request: for those to our pages everywhere, and for those to the whole reference site."""

import logging
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, abort, current_app, g, has_request_context, request
from sqlalchemy import inspect
from werkzeug.middleware.proxy_fix import ProxyFix

from kakaoauth import audit, providers
from kakaoauth.audit.visitors import plain_address, visitor
from kakaoauth.config.checks import is_loopback
from kakaoauth.config.embedded import sandbox_origin
from kakaoauth.config.libraries import MAX_BODY
from kakaoauth.config.loopback import is_of_a_proxy
from kakaoauth.config.mounting import BLUEPRINT
from kakaoauth.errors import Tunnelled
from kakaoauth.models import User
from kakaoauth.translation import chosen_in
from kakaoauth.web import brand, cors

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("kakaoauth.edge")
#: Endpoints whose response is the same for everybody.
CACHEABLE = (
    *("kakaoauth.files.static", "kakaoauth.files.colours", "kakaoauth.files.logo", "kakaoauth.files.icon"),
    *("kakaoauth.api.tokens.jwks", "favicon", "robots"),
)
#: Its address holds the code, which stays out of the Referer header.
CALLBACK = "kakaoauth.auth.callback"
#: Headers of every response of ours, unless its view has set them.
ALWAYS = (
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)


class PublicUrl:
    """WSGI middleware: with PUBLIC_URL every request counts as one to that address, whatever its Host says."""

    def __init__(self, app: "WSGIApplication", url: str) -> None:
        self.app = app
        parts = urlsplit(url)
        self.scheme, self.host = parts.scheme, parts.netloc

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> object:
        environ["HTTP_HOST"] = self.host
        environ["wsgi.url_scheme"] = self.scheme
        return self.app(environ, start_response)


class PlainAddress:
    """WSGI middleware: make REMOTE_ADDR a plain IP address.

    Some proxies add a port (Azure's), some pass on what a visitor has written. Rate limits would count each such text
    as a visitor of its own.
    """

    def __init__(self, app: "WSGIApplication") -> None:
        self.app = app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> object:
        if environ.get("REMOTE_ADDR"):  # a unix socket has none
            environ["REMOTE_ADDR"] = plain_address(environ["REMOTE_ADDR"])
        return self.app(environ, start_response)


def init_blueprint(bp: Blueprint) -> None:
    """Add what our own pages need in any app: the audit log's source, a limit, headers."""
    bp.before_request(begin)
    bp.after_request(add_headers)


def keep_on_this_machine(app: Flask) -> None:
    """With embedded parts, have the whole of the app for this machine: its own pages know who is logged in, too."""
    if app.config["KAKAOAUTH_EMBEDDED"]:
        app.before_request(refuse_foreign_hosts)


def init_app(app: Flask) -> None:
    """Add what belongs to a whole site: proxies, host names, and the same headers on every response."""
    if app.config["PUBLIC_URL"]:
        app.wsgi_app = PublicUrl(app.wsgi_app, app.config["PUBLIC_URL"])  # type: ignore[assignment, method-assign]
    if proxies := app.config["TRUSTED_PROXIES"]:
        # What PUBLIC_URL says counts, so that nothing else is read.
        of_address = 0 if app.config["PUBLIC_URL"] else proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            PlainAddress(app.wsgi_app),  # type: ignore[arg-type]
            x_for=proxies,
            x_proto=of_address,
            x_host=of_address,
            x_port=0,
            x_prefix=0,
        )
    app.before_request(begin_anywhere)
    app.after_request(add_headers_elsewhere)


def begin_anywhere() -> Response | None:
    """Begin a request to the site, whatever its address."""
    refuse_foreign_hosts()
    return cors.answer_preflight()


def begin() -> None:
    """Begin a request to one of our own pages. One function, because Flask takes a while to call each."""
    # Who makes it: the user that a guard has loaded, if any.
    audit.acts_from(_source)
    # No larger body than ours are, whatever the host allows its own forms.
    asked = request._get_current_object()  # type: ignore[attr-defined]
    asked.max_content_length = MAX_BODY
    # No page has such an address, and PostgreSQL's driver takes no such text: it would be a 500.
    if "\0" in asked.path:
        abort(404)


def _source() -> audit.Source:
    if not has_request_context():  # called after the request
        return audit.Source()
    person = g.get("bearer") or g.get("_login_user")
    # By identity, not by attribute: a user who has deleted their account has no attributes any more.
    identity = inspect(person).identity if isinstance(person, User) else None
    return audit.Source(identity[0] if identity else None, request.remote_addr or "", visitor().agent)


def hostname() -> str:
    """Return the request's host without port. :raises ValueError: it is no host name."""
    return urlsplit(f"//{request.host}").hostname or ""


def refuse_foreign_hosts() -> None:
    """Refuse a foreign Host (400), and with embedded parts every client that is not on this machine (403).

    :raises Tunnelled: embedded parts, and a proxy or tunnel has forwarded the request.
    """
    config = current_app.config
    embedded = bool(config["KAKAOAUTH_EMBEDDED"])
    if embedded and any(is_of_a_proxy(name) for name in request.environ):
        raise Tunnelled("a proxy or a tunnel has forwarded it; see docs/operations.md, What `make run` does")
    if embedded and request.remote_addr and not is_loopback(request.remote_addr):
        log.warning("refused a request from outside: embedded parts are for this machine; see docs/production.md")
        abort(403)
    # With embedded parts neither of the next two counts: a host may use these names for something of its own.
    if (config["PUBLIC_URL"] and not embedded) or request.endpoint in ("kakaoauth.ops.healthz", "kakaoauth.ops.readyz"):
        return
    try:
        host = hostname()
    except ValueError:
        host = ""
    if is_loopback(host):
        return
    redirect_uris = [config.get(f"{provider.name.upper()}_REDIRECT_URI") for provider in providers.all_providers()]
    ours = {urlsplit(redirect_uri).hostname for redirect_uri in redirect_uris if redirect_uri}
    if host in ours or (config["TRUSTED_PROXIES"] and not ours and not embedded):
        return
    cure = "embedded parts are for http://localhost" if embedded else "set PUBLIC_URL to the address of this site"
    log.warning("refused a request for a foreign host: %s", cure)
    abort(400)


def add_headers_elsewhere(response: Response) -> Response:
    """The same for a response that is none of our blueprint's: an address that does not exist."""
    return response if BLUEPRINT in request.blueprints else cors.add_headers(add_headers(response))


def add_headers(response: Response) -> Response:
    """Add the security headers, `Cache-Control` and the language cookie."""
    headers = response.headers
    asked = request._get_current_object()  # type: ignore[attr-defined]  # each use of the proxy takes as long as a header
    if asked.endpoint == CALLBACK:
        headers["Referrer-Policy"] = "no-referrer"
    theirs = {name.lower() for name, _ in headers}
    if asked.endpoint not in CACHEABLE:
        headers["Cache-Control"] = "no-store"
        if "vary" in theirs:
            response.vary.update(("Cookie", "Accept-Language"))
        else:
            headers.add("Vary", "Cookie, Accept-Language")
    for name, value in (("Content-Security-Policy", content_security_policy()), *ALWAYS):
        if name.lower() not in theirs:
            headers.add(name, value)
    is_https = asked.scheme == "https"
    if is_https and "strict-transport-security" not in theirs:
        headers.add("Strict-Transport-Security", "max-age=31536000")
    if choice := chosen_in(asked.args):
        response.set_cookie("lang", choice, max_age=31536000, secure=is_https, httponly=True, samesite="Lax")
    return response


def content_security_policy(*, forms: str = "") -> str:
    """Return the Content-Security-Policy.

    :param forms: where a form may lead besides the providers.
    """
    config = current_app.config
    # Browsers apply form-action to redirects after a form as well; linking and logout redirect to the provider.
    theirs = tuple([provider.page_origins for provider in providers.all_providers()])
    return _policy(sandbox_origin(config), theirs, forms, *brand.policy_settings(config))


@lru_cache(maxsize=50)
def _policy(sandbox: str, theirs: tuple[tuple[str, ...], ...], forms: str, *own: Any) -> str:
    allowed = {
        "default-src": ("'none'",),
        "script-src": ("'self'",),
        "connect-src": ("'self'",),
        "style-src": ("'self'",),
        "img-src": ("'self'", "https:", *sandbox.split()),
        "manifest-src": ("'self'",),
        "base-uri": ("'none'",),
        "frame-ancestors": ("'none'",),
        "form-action": ("'self'", *chain(*theirs), *forms.split()),
    }
    for name, sources in brand.policy(*own).items():
        allowed[name] = (*allowed.get(name, ()), *sources)
    return "; ".join(f"{name} {' '.join(dict.fromkeys(sources))}" for name, sources in allowed.items())
