"""Parts of pages that are the same for everybody, rendered once for each language and place of the site; and whole
pages of that kind.

Such a part is a template in `kakaoauth/parts/`, which reads the owner's settings and no more of a request than its
language, host and script name. Whoever changes a template so that it shows something of one person loses the speed, and
shows it to nobody else: see OF_ONE.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Flask, Request, Response, current_app, g, render_template, request
from flask_login import current_user
from jinja2 import Environment
from markupsafe import Markup
from werkzeug.datastructures import Headers

from kakaoauth import translation

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Made = TypeVar("Made")

#: Where an app keeps them, by what they depend on.
KEPT, KEPT_PAGES = "kakaoauth_parts", "kakaoauth_pages"
#: What of `g` says that a text is rendered to be kept.
IS_KEPT = "kakaoauth_is_kept"
#: Of each app: two languages, on the few hosts and script names that it has. Beyond, somebody is making hosts up.
MOST = 50
#: Bytes of a query in a page that is kept.
MOST_OF_QUERY = 500
#: Settings that the parts and the kept pages show. They may change while the app runs, as they do in a host's tests.
SHOWN = itemgetter(
    *("KAKAOAUTH_SITE_NAME", "KAKAOAUTH_SITE_DESCRIPTION", "KAKAOAUTH_SITE_LOGO", "KAKAOAUTH_ACCENT_COLOR"),
    *("KAKAOAUTH_TERMS_URL", "KAKAOAUTH_PRIVACY_URL", "KAKAOAUTH_CONTACT", "KAKAOAUTH_FOOTER"),
    *("KAKAOAUTH_STYLE_SHEETS", "KAKAOAUTH_SCRIPTS", "KAKAOAUTH_LANGUAGE", "KAKAOAUTH_LAYOUT", "KAKAOAUTH_EMBEDDED"),
)


class ShowsMore(Exception):
    """A template shows more of a person than is kept, because somebody has changed it."""


class OfOne:
    """What may be of one person, for a template whose text is kept: whatever it asks of it, the text is not kept."""

    def __init__(self, shown: object = None, *names: str) -> None:
        """:param names: attributes that are `shown` all the same, since they are the same for everybody."""
        self.__shown, self.__names = shown, names

    def __getattr__(self, name: str) -> Any:
        """:raises ShowsMore:"""
        if name in self.__names:
            return getattr(self.__shown, name, None)
        raise ShowsMore(name)

    def _refuse(self, *_: Any) -> Any:
        raise ShowsMore

    __getitem__ = __contains__ = __iter__ = __len__ = __bool__ = __str__ = __call__ = __eq__ = __hash__ = _refuse


#: Stands for a person, or their CSRF token.
SOMEBODY = OfOne()
#: What Flask gives every template, for what is kept by `kept`, and for what is kept by `kept_page`.
OF_ONE: Mapping[str, Any] = {
    "session": SOMEBODY,
    "get_flashed_messages": SOMEBODY,
    "g": OfOne(g, "bare_page", "desk"),
    "request": OfOne(request, "scheme", "host", "script_root"),
}
OF_ONE_PAGE: Mapping[str, Any] = {
    **OF_ONE,
    "request": OfOne(
        request, *("scheme", "host", "script_root", "endpoint", "blueprint", "path", "args", "query_string", "url")
    ),
}


class Parts(dict[str, Markup]):
    """Parts by name, each rendered when it is first asked for."""

    def __init__(self, environment: Environment) -> None:
        super().__init__()
        self._environment = environment

    def __missing__(self, name: str) -> Markup:
        """Render a part. :raises TemplateNotFound: there is none of that name."""
        template = self._environment.get_template(f"kakaoauth/parts/{name}.html")
        try:
            with shown_to(SOMEBODY, SOMEBODY):
                found = self[name] = Markup(template.render(OF_ONE))  # noqa: S704
        except ShowsMore:
            if g.get(IS_KEPT):
                raise  # nor is that kept on which it stands
            found = Markup(template.render())  # noqa: S704
        return found


@contextmanager
def shown_to(user: object, csrf_token: object) -> Iterator[None]:
    """Let templates whose text is kept see these in place of whoever is logged in and their token."""
    shown = {"_login_user": user, "csrf_token": csrf_token, IS_KEPT: True}
    before = {name: g.get(name) for name in shown}
    for name, value in shown.items():
        setattr(g, name, value)
    try:
        yield
    finally:
        for name, former in before.items():
            g.pop(name, None) if former is None else setattr(g, name, former)


class Page(Response):
    """A whole page, whose headers Werkzeug need not copy one by one: 200, of a known length, without a Location."""

    def get_wsgi_headers(self, environ: "WSGIEnvironment") -> Headers:
        """Return the headers themselves."""
        return self.headers


def init_app(app: Flask) -> None:
    """Let the site keep whole pages. A host's templates and rules for addresses may show something of one person."""
    app.extensions[KEPT_PAGES] = {}


def parts() -> Parts:
    """Return the parts for this request."""
    return kept(KEPT, (), lambda: Parts(current_app.jinja_env))


def page(template: str, *depends_on: object, **shown: Any) -> str | Response:
    """Return a page that shows no more of a request than its query and what the parts show of it.

    :param depends_on: what else it shows. :param shown: the template's variables.
    """
    if not may_keep_page():
        return render_template(template, **shown)

    def make() -> bytes:
        with shown_to(current_user._get_current_object(), SOMEBODY):
            return render_template(template, **shown, **OF_ONE_PAGE).encode()

    try:
        return Page(kept_page(KEPT_PAGES, make, *depends_on))
    except ShowsMore:
        return render_template(template, **shown)


def may_keep_page() -> bool:
    """Whether this page may be kept, if it shows nothing of one person."""
    app, asked = _app_and_request()
    return KEPT_PAGES in app.extensions and app.jinja_loader is None and len(asked.query_string) <= MOST_OF_QUERY


def kept_page(where: str, make: Callable[[], Made], *depends_on: object) -> Made:
    """Return what is kept of this page. :param where: the name under which the app keeps such."""
    asked = request._get_current_object()  # type: ignore[attr-defined]
    return kept(where, (asked.path, asked.query_string, *depends_on), make)


def _app_and_request() -> tuple[Flask, Request]:
    """Return them themselves: each look at something of theirs would go through a proxy."""
    return current_app._get_current_object(), request._get_current_object()  # type: ignore[attr-defined]


def kept(where: str, depends_on: tuple[object, ...], make: Callable[[], Made]) -> Made:
    """Return what is kept for this request's language and place. :param where: as for `kept_page`."""
    app, asked = _app_and_request()
    if app.jinja_env.auto_reload:  # somebody is at work on the templates
        return make()
    environ, config = asked.environ, app.config
    logo = config.get("KAKAOAUTH_LOGO_FILE")
    key = (
        translation.language(),
        *(environ["wsgi.url_scheme"], environ.get("HTTP_HOST"), environ.get("SERVER_NAME"), environ.get("SCRIPT_NAME")),
        bool(g.get("bare_page")),
        *SHOWN(config),
        logo and Path(logo).stat().st_mtime_ns,
        config.get("FACEBOOK_CLIENT_ID"),
        *depends_on,
    )
    all_kept: dict[tuple[object, ...], Any] = app.extensions.setdefault(where, {})
    found: Made | None = all_kept.get(key)
    if found is None:
        if len(all_kept) >= MOST:
            all_kept.clear()
        found = all_kept[key] = make()
    return found
