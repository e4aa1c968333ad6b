"""Filters and globals of the templates: language, labels, dates."""

from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from flask import Flask, request, url_for
from flask.globals import request_ctx
from flask_babel import format_datetime, get_locale

from kakaoauth import errors, providers
from kakaoauth.models import User
from kakaoauth.web import language as web_language
from kakaoauth.web.language import babel

#: Endpoints whose URLs begin or end something, or hold a value that works once.
NOT_AGAIN = ("auth.login", "auth.callback", "auth.logout_callback")


def init_app(app: Flask) -> None:
    """Add the filters and globals, and Babel."""
    babel.init_app(app, locale_selector=web_language.language, timezone_selector=lambda: "Asia/Seoul")
    app.add_template_filter(moment)
    app.add_template_filter(second)
    app.add_template_filter(utc)
    app.add_template_filter(provider_label)
    app.add_template_filter(account_label)
    app.add_template_filter(way_out)
    app.add_template_global(language)
    app.add_template_global(in_language)


def language() -> str:
    """Return the page's language, `ko` or `en`."""
    locale = get_locale()
    return locale.language if locale else "ko"


def in_language(name: str) -> str:
    """Return the URL of the current page, query included, in another language.

    It is always a path of this site: a page that is not found may have been requested as `//evil.example`. A URL that
    begins or ends something (NOT_AGAIN) is replaced by the first page.
    """
    adapter = request_ctx.url_adapter
    is_read = request.method in ("GET", "HEAD") or (adapter is not None and adapter.test(request.path, method="GET"))
    if not is_read or request.endpoint in NOT_AGAIN:
        return url_for("auth.index", lang=name)
    kept = [(key, value) for key, value in request.args.items(multi=True) if key != "lang"]
    path = quote(f"{request.script_root}{request.path}".lstrip("/"))
    return f"/{path}?{urlencode([*kept, ('lang', name)])}"


def moment(value: datetime | None) -> str:
    """Format a time to the minute, in Korea's time zone; empty for None."""
    return format_datetime(value, "yyyy-MM-dd HH:mm") if value else ""


def second(value: datetime) -> str:
    """Format a time to the second, in Korea's time zone."""
    return str(format_datetime(value, "yyyy-MM-dd HH:mm:ss"))


def utc(value: datetime) -> str:
    """Format a time for the `datetime` attribute of <time>."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def provider_label(name: str | None) -> str:
    """Return a provider's name for people."""
    return errors.provider_label(name or "")


def way_out(user: User) -> str:
    """The provider whose logout serves this user: the one they came by if the site still offers it,
    else the first that it offers."""
    offered = [provider.name for provider in providers.all_providers()] or [providers.KNOWN[0].name]
    return user.provider if user.provider in offered else offered[0]


def account_label(name: str | None) -> str:
    """Return the name of an account at a provider, for people."""
    return errors.account_label(name or "")
