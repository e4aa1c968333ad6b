"""Texts, dates and numbers in the visitor's language: Korean or English.

Built on Babel and not on Flask-Babel, which keeps one state for a whole app: a host may have that for itself.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel import Locale, dates, numbers
from babel.support import LazyProxy, NullTranslations, Translations
from flask import Request, current_app, request
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from kakaoauth.days import SEOUL, last_day

LANGUAGES = ("ko", "en")
#: Where neither a request nor `in_language` says which.
DEFAULT = "ko"
#: English has no catalog: it is what the code says.
CATALOGS: dict[str, NullTranslations] = {
    name: Translations.load(Path(__file__).parent / "translations", [name]) for name in LANGUAGES
}
#: Characters of an Accept-Language header that are read: what follows is nobody's language.
MOST_OF_HEADER = 500
LOCALES = {name: Locale(name) for name in LANGUAGES}
#: Seconds of Babel's units, and of the next larger one.
_SECONDS = [size for _, size in dates.TIMEDELTA_UNITS]
UNITS = tuple(zip(_SECONDS, (sys.maxsize, *_SECONDS), strict=False))

#: Where a request's language is kept, in its WSGI environ. Not in `g`, which requests share that are made inside an
#: app context.
_KEPT = "kakaoauth.language"
_chosen: ContextVar[str] = ContextVar("kakaoauth_language", default="")


def language() -> str:
    """Return `ko` or `en`: what `in_language` says, else the request's language; Korean outside a request."""
    if chosen := _chosen.get():
        return chosen
    try:  # asked for some twenty times in a page: quicker than to ask first whether there is a request
        asked = request._get_current_object()  # type: ignore[attr-defined]
    except RuntimeError:
        return DEFAULT
    found: str | None = asked.environ.get(_KEPT)
    if found is None:
        found = asked.environ[_KEPT] = _of_request(asked)
    return found


def _of_request(asked: Request) -> str:
    """KAKAOAUTH_LANGUAGE, the query, the cookie, then Accept-Language; Korean if none of them decides."""
    if only := current_app.config.get("KAKAOAUTH_LANGUAGE"):
        return str(only)
    chosen = chosen_in(asked.args) or chosen_in(asked.cookies)
    return chosen or _preferred(asked.environ.get("HTTP_ACCEPT_LANGUAGE", "")[:MOST_OF_HEADER])


def chosen_in(values: Mapping[str, str]) -> str:
    """Return the language that a query or cookies name as `lang`; empty if none."""
    # Not by `get`: for what is missing werkzeug raises an exception and catches it.
    return choice if "lang" in values and (choice := values["lang"]) in LANGUAGES else ""


@lru_cache(maxsize=1024)  # browsers send few different ones
def _preferred(accepted: str) -> str:
    """:param accepted: an Accept-Language header."""
    return parse_accept_header(accepted, LanguageAccept).best_match(LANGUAGES) or DEFAULT


@contextmanager
def in_language(name: str) -> Iterator[None]:
    """Speak one language inside the block, whatever the request asks for. :param name: one of LANGUAGES."""
    token = _chosen.set(name)
    try:
        yield
    finally:
        _chosen.reset(token)


def gettext(text: str, **values: Any) -> str:
    """Return `text` in the visitor's language, `%(name)s` filled in from `values`."""
    found = CATALOGS[language()].gettext(text)
    return found % values if values else found


def ngettext(singular: str, plural: str, number: int, **values: Any) -> str:
    """As `gettext`, in the form for `number`, which is also `%(num)s`."""
    return CATALOGS[language()].ngettext(singular, plural, number) % {"num": number, **values}


def lazy_gettext(text: str, **values: Any) -> LazyProxy:
    """As `gettext`, looked up each time it is shown: for texts that are made before there is a visitor."""
    return LazyProxy(gettext, text, enable_cache=False, **values)


def pick(texts: Mapping[str, str]) -> str:
    """Return the text in the visitor's language, else any there is; empty if there is none.

    :param texts: by language; under "" what holds for every one.
    """
    return texts.get(language()) or texts.get("") or next(iter(texts.values()), "")


def format_date(day: date, pattern: str, name: str = "") -> str:
    """Format a day. :param pattern: CLDR's. :param name: the language, where it is known."""
    return _day(name or language(), day, pattern)


def format_moment(value: datetime, name: str = "") -> str:
    """Format a moment in Korea to the minute, as people write it; a line does not end within it.

    :param name: the language, where it is known.
    """
    local = value.astimezone(SEOUL)
    return f"{_day(name or language(), local.date(), 'medium')} {local:%H:%M}".replace(" ", "\N{NO-BREAK SPACE}")


def format_end(value: datetime) -> str:
    """Format the end of what ends then: its last day in Korea, or the moment if it ends within a day."""
    day = last_day(value)
    return format_date(day, "medium") if day else format_moment(value)


@lru_cache(maxsize=4096)
def _day(name: str, day: date, pattern: str) -> str:
    return dates.format_date(day, pattern, locale=LOCALES[name])


def format_ago(since: timedelta, name: str = "") -> str:
    """Say how long ago something was, in its largest unit: `3 hours ago`.

    :param name: the language, where it is known.
    """
    seconds = since.days * 86_400 + since.seconds
    distance = abs(seconds)
    unit, larger = next((pair for pair in UNITS if distance >= pair[0]), UNITS[-1])
    # 60 minutes stay so, and are not an hour.
    rounded = min(round(distance / unit) * unit, larger - 1)
    return _ago(name or language(), rounded if seconds > 0 else -rounded)


@lru_cache(maxsize=1024)  # a page has many moments, and few words for them
def _ago(name: str, seconds: int) -> str:
    return dates.format_timedelta(timedelta(seconds=-seconds), add_direction=True, threshold=1, locale=LOCALES[name])


def format_decimal(number: float) -> str:
    """Format a number with its thousands apart."""
    return numbers.format_decimal(number, locale=LOCALES[language()])


def format_percent(number: float, pattern: str) -> str:
    """Format a share of one. :param pattern: CLDR's, such as `#,##0.#%`."""
    return numbers.format_percent(number, pattern, locale=LOCALES[language()])
