"""What every template may use: language, labels, dates in the reader's words."""

from datetime import UTC, datetime

from flask import Flask
from flask_babel import format_datetime, get_locale

from kakaoauth import edge, errors, providers
from kakaoauth.extensions import babel
from kakaoauth.models import User


def init_app(app: Flask) -> None:
    babel.init_app(app, locale_selector=edge.language, timezone_selector=lambda: "Asia/Seoul")
    app.add_template_filter(moment)
    app.add_template_filter(second)
    app.add_template_filter(utc)
    app.add_template_filter(provider_label)
    app.add_template_filter(account_label)
    app.add_template_filter(way_out)
    app.add_template_global(language)


def language() -> str:
    locale = get_locale()
    return locale.language if locale else "ko"


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
