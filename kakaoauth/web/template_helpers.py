"""What our templates call. In a host's Jinja environment all of it has our name: the global `kakaoauth`, the function
`kakaoauth_` for texts, and filters that begin with `kakaoauth_`."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import flask_login
from flask import Blueprint, Flask, current_app, g, request, url_for
from flask.globals import request_ctx
from markupsafe import Markup, escape

from kakaoauth import errors, providers, translation
from kakaoauth.days import SEOUL
from kakaoauth.models import User
from kakaoauth.providers.base import Provider
from kakaoauth.sessions.csrf_tokens import csrf_token
from kakaoauth.storage.columns import MAX_ID, now
from kakaoauth.web import addresses, brand, guards, messages, mounting, parts, static_files
from kakaoauth.web.redirects import ANONYMOUS_LENGTH

PACKAGE = Path(__file__).resolve().parents[1]
#: In a checkout beside the package, in a wheel inside it.
TEMPLATE_FOLDER = next(
    (folder for folder in (PACKAGE / "templates", PACKAGE.parent / "templates") if (folder / "kakaoauth").is_dir()),
    PACKAGE / "templates",
)
LAYOUT = "kakaoauth/layout.html"
JUST_NOW, MONTH = timedelta(minutes=1), timedelta(days=30)
#: More than all pages have, in both languages.
TEXTS = 4_000
#: Endpoints whose URLs begin or end something, or hold a value that works once.
NOT_AGAIN = ("kakaoauth.auth.login", "kakaoauth.auth.callback", "kakaoauth.auth.logout_callback")

#: Carries the templates, which a file of the same name in the app's own folder overrides, and serves the static files.
bp = Blueprint("files", __name__, url_prefix="/kakaoauth", template_folder=str(TEMPLATE_FOLDER))
bp.before_request(guards.anyone)
bp.add_url_rule("/<path:name>", "static", static_files.serve)
brand.init_blueprint(bp)


def init_app(app: Flask) -> None:
    """Add our names to the app's Jinja environment."""
    app.jinja_env.globals.update(kakaoauth=Helpers(), kakaoauth_=text)
    names = (network, provider_label, account_label, decimal, way_out, initial)
    for helper in (moment, last_day, second, day, ago, utc, *names):
        app.add_template_filter(helper, f"kakaoauth_{helper.__name__}")


class Helpers:
    """The global `kakaoauth`. A global is known to macros too, which a host's page imports without its context."""

    #: The owner's name, logo, links.
    site = brand.Site()

    @property
    def layout(self) -> str:
        """The template that all pages extend: KAKAOAUTH_LAYOUT, or ours where g.plain_layout says so."""
        chosen: str = current_app.config.get("KAKAOAUTH_LAYOUT") or LAYOUT
        return LAYOUT if g.get("plain_layout") else chosen

    @property
    def current_user(self) -> Any:
        """Who is logged in: the user themselves, because each look at Flask-Login's proxy costs as much again."""
        return g.get("_login_user") or flask_login.current_user._get_current_object()

    @staticmethod
    def language() -> str:
        """Return the page's language, `ko` or `en`."""
        return translation.language()

    @staticmethod
    def in_language(name: str) -> str:
        """Return the current page's URL in another language."""
        return in_language(name)

    @staticmethod
    def pages(endpoint: str, name: str) -> Callable[[Any], Markup]:
        """Return what gives the URL of a page for each value of `name`, a number or what needs no quoting: worked out
        once for many."""
        before, _, after = str(escape(addresses.path_to(endpoint, **{name: MAX_ID}))).rpartition(str(MAX_ID))
        return lambda value: Markup(f"{before}{escape(value)}{after}")  # noqa: S704

    @staticmethod
    def home() -> str:
        """Return the path of the app's first page."""
        return mounting.home()

    @staticmethod
    def has(feature: str) -> bool:
        """Whether an optional part is served, such as "staff"."""
        return feature in current_app.config["KAKAOAUTH_FEATURES"]

    @staticmethod
    def parts() -> parts.Parts:
        """Return the parts of our pages that are the same for everybody, by name."""
        return parts.parts()

    @staticmethod
    def path_to(endpoint: str, **values: str) -> str:
        """As `url_for`, for values that are few and are not of one person."""
        return addresses.path_to(endpoint, **values)

    @staticmethod
    def static(name: str) -> str:
        """Return the URL of one of our static files."""
        return static_files.static_url(name)

    @staticmethod
    def csrf_token() -> str:
        """Return the session's CSRF token."""
        return csrf_token()

    @staticmethod
    def providers() -> list[Provider]:
        """Return what the visitor can log in with."""
        return list(providers.all_providers())

    @staticmethod
    def here() -> str | None:
        """Return the current page as a `next`, None if there is no such page to return to. The login decides whether it
        returns there (`redirects.safe_next`): asking here would read the session of every visitor of a host's page.
        """
        path = mounting.here()
        is_page = request.method == "GET" and request.endpoint not in (None, *NOT_AGAIN)
        return path if is_page and len(path) <= ANONYMOUS_LENGTH else None

    @staticmethod
    def has_messages() -> bool:
        """Whether there is something to tell: most pages need not load the template that tells it."""
        return not g.get("bare_page") and messages.are_waiting()

    @staticmethod
    def messages() -> list[messages.Message]:
        """Return what the last actions did, once. None on a page whose session may be what failed."""
        return [] if g.get("bare_page") else messages.take()

    @staticmethod
    def links() -> Markup:
        """Return the <link> and <script> tags that our pages need."""
        return links()

    def head(self) -> Markup:
        """Return `links` where the layout is the host's; ours has them."""
        return Markup() if self.layout == LAYOUT else links()


def links() -> Markup:
    """Return the tags for the style sheets and scripts of our pages."""
    ours = [static_files.static_url(name) for name in ("style.css", "pages.css")]
    scripts = [static_files.static_url("forms.js")]
    if current_app.config.get("FACEBOOK_CLIENT_ID"):
        scripts.append(static_files.static_url("clean-address.js"))
    tags = [Markup('<link rel="stylesheet" href="{}">').format(one) for one in (*ours, brand.Site().colours) if one]
    return Markup("").join([*tags, *(Markup('<script src="{}" defer></script>').format(one) for one in scripts)])


def text(message: str, **values: Any) -> Markup:
    """Return a text in the visitor's language. Its markup is ours; `values` are escaped."""
    language = translation.language()
    if not values:
        return _plain(language, message)
    # As `Markup` does it, which wraps each value first to escape it when it is used.
    return Markup(_pattern(language, message) % {name: escape(value) for name, value in values.items()})  # noqa: S704


@lru_cache(maxsize=TEXTS)
def _pattern(language: str, message: str) -> str:
    return translation.CATALOGS[language].gettext(message)


@lru_cache(maxsize=TEXTS)
def _plain(language: str, message: str) -> Markup:
    return Markup(_pattern(language, message) % {})  # noqa: S704


def in_language(name: str) -> str:
    """Return the URL of the current page, query included, in another language; of the first page where a URL begins
    or ends something (NOT_AGAIN)."""
    adapter = request_ctx.url_adapter
    is_read = request.method in ("GET", "HEAD") or (adapter is not None and adapter.test(request.path, method="GET"))
    if not is_read or request.endpoint in NOT_AGAIN:
        return url_for("kakaoauth.auth.index", lang=name)
    kept = [(key, value) for key, value in request.args.items(multi=True) if key != "lang"]
    return mounting.here_with([*kept, ("lang", name)])


def moment(value: datetime | None) -> str:
    """Format a time to the minute, in Korea's time zone; empty for None."""
    return translation.format_moment(value) if value else ""


def last_day(end: datetime) -> str:
    """Format the last day of what is over at `end`, or that moment if it is within a day."""
    return translation.format_end(end)


def second(value: datetime) -> str:
    """Format a time to the second, in Korea's time zone."""
    return f"{value.astimezone(SEOUL):%Y-%m-%d %H:%M:%S}"


def day(value: datetime | None) -> str:
    """Format a day in Korea as people write it; empty for None."""
    return translation.format_date(value.astimezone(SEOUL).date(), "medium") if value else ""


def ago(value: datetime | None, *, seconds: bool = False) -> Markup:
    """Return how long ago that was, or on which day if that was more than a month ago, as a <time> that shows the exact
    time on hover; empty for None."""
    if value is None:
        return Markup()
    language, since = translation.language(), now() - value
    distance = abs(since)
    if distance < JUST_NOW:
        words = translation.gettext("just now")
    elif distance < MONTH:
        words = translation.format_ago(since, language)
    else:
        words = translation.format_date(value.astimezone(SEOUL).date(), "medium", language)
    exact = second(value) if seconds else translation.format_moment(value, language)
    # Put together by hand: a page has a hundred of them, and few words for them. All else is digits.
    return Markup(f'<time datetime="{utc(value)}" title="{exact}">{_escaped(words)}</time>')  # noqa: S704


_escaped = lru_cache(maxsize=TEXTS)(escape)


def initial(name: str) -> str:
    """Return what stands in a picture's place. :param name: may be empty."""
    return (name or "?")[0].upper()


def network(address: str) -> str:
    """A shortened address in words: this machine has one that means nothing to people."""
    return translation.gettext("this network") if address in ("127.0.0.x", "::x") else address


def utc(value: datetime) -> str:
    """Format a time for the `datetime` attribute of <time>."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def decimal(number: int) -> str:
    """Format a number with its thousands apart."""
    return translation.format_decimal(number)


def provider_label(name: str | None) -> str:
    """Return a provider's name for people."""
    return errors.provider_label(name or "")


def way_out(user: User) -> str:
    """The provider whose logout serves this user: the one they came by if the site still offers it,
    else the first that it offers."""
    if own := providers.find_provider(user.provider or ""):
        return own.name
    return next((provider.name for provider in providers.all_providers()), providers.KNOWN[0].name)


def account_label(name: str | None) -> str:
    """Return the name of an account at a provider, for people."""
    return errors.account_label(name or "")
