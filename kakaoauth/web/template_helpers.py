"""What every template may use: language, labels, dates in the reader's words."""

from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from flask import Flask, request, url_for
from flask.globals import request_ctx
from flask_babel import format_datetime, get_locale

from kakaoauth import errors, providers
from kakaoauth.models import User
from kakaoauth.web import language as web_language
from kakaoauth.web.language import babel

#: Addresses that begin or end something, or hold what works once.
NOT_AGAIN = ("auth.login", "auth.callback", "auth.logout_callback")


def init_app(app: Flask) -> None:
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
    locale = get_locale()
    return locale.language if locale else "ko"


def in_language(name: str) -> str:
    """The address of the page that is shown, with its filter, in another language.

    Built as a path of this site, whatever was asked for: a page that is not found may have been asked for as
    `//evil.example`. A form that was refused is shown anew; what begins or ends something is not done again.
    """
    adapter = request_ctx.url_adapter
    is_read = request.method in ("GET", "HEAD") or (adapter is not None and adapter.test(request.path, method="GET"))
    if not is_read or request.endpoint in NOT_AGAIN:
        return url_for("auth.index", lang=name)
    kept = [(key, value) for key, value in request.args.items(multi=True) if key != "lang"]
    path = quote(f"{request.script_root}{request.path}".lstrip("/"))
    return f"/{path}?{urlencode([*kept, ('lang', name)])}"


def moment(value: datetime | None) -> str:
    return format_datetime(value, "yyyy-MM-dd HH:mm") if value else ""


def second(value: datetime) -> str:
    return str(format_datetime(value, "yyyy-MM-dd HH:mm:ss"))


def utc(value: datetime) -> str:
    """For machines: the `datetime` of a <time>."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def provider_label(name: str | None) -> str:
    return errors.provider_label(name or "")


def way_out(user: User) -> str:
    """The provider whose logout serves this user: the one they came by, while the site still offers it."""
    return user.provider if user.provider and providers.find_provider(user.provider) else "kakao"


def account_label(name: str | None) -> str:
    return errors.account_label(name or "")
