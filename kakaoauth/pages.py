"""What every template may use: language, labels, dates in the reader's words."""

from datetime import datetime

from flask import Flask
from flask_babel import format_datetime, get_locale

from kakaoauth import edge
from kakaoauth.errors import PROVIDER_LABELS
from kakaoauth.extensions import babel


def init_app(app: Flask) -> None:
    babel.init_app(app, locale_selector=edge.language, timezone_selector=lambda: "Asia/Seoul")
    app.add_template_filter(moment)
    app.add_template_filter(provider_label)
    app.add_template_global(language)


def language() -> str:
    locale = get_locale()
    return locale.language if locale else "ko"


def moment(value: datetime | None) -> str:
    return format_datetime(value, "yyyy-MM-dd HH:mm") if value else ""


def provider_label(name: str | None) -> str:
    return str(PROVIDER_LABELS.get(name or "", name or ""))
