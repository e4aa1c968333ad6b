"""Texts, dates and numbers in the visitor's language."""

from datetime import UTC, date, datetime

import pytest
from flask import Flask

from kakaoauth import translation
from kakaoauth.translation import gettext, in_language, lazy_gettext

KOREAN = "로그인"


def test_korean_outside_a_request_and_what_a_block_says_inside_one() -> None:
    assert translation.language() == "ko"
    with in_language("en"):
        assert gettext("Log in") == "Log in"
        with in_language("ko"):
            assert gettext("Log in") == KOREAN
        assert translation.language() == "en"
    assert gettext("Log in") == KOREAN


def test_block_outranks_the_request() -> None:
    with Flask("host").test_request_context("/?lang=en"), in_language("ko"):
        assert gettext("Log in") == KOREAN


@pytest.mark.parametrize(
    ("address", "environ", "expected"),
    [
        ("/?lang=en", {"HTTP_COOKIE": "lang=ko"}, "en"),
        ("/?lang=xx", {"HTTP_COOKIE": "lang=en"}, "en"),
        ("/", {"HTTP_COOKIE": "lang=en", "HTTP_ACCEPT_LANGUAGE": "ko"}, "en"),
        ("/", {"HTTP_ACCEPT_LANGUAGE": "en"}, "en"),
        ("/", {"HTTP_ACCEPT_LANGUAGE": "fr"}, "ko"),
    ],
)
def test_query_then_cookie_then_browser(address: str, environ: dict[str, str], expected: str) -> None:
    with Flask("host").test_request_context(address, environ_overrides=environ):
        assert translation.language() == expected


def test_requests_inside_one_app_context_have_each_their_language() -> None:
    app = Flask("host")
    with app.app_context():
        for name in ("en", "ko", "en"):
            with app.test_request_context(f"/?lang={name}"):
                assert translation.language() == name


def test_lazy_text_is_looked_up_when_it_is_shown() -> None:
    text = lazy_gettext("Log in with %(provider)s", provider="Facebook")
    with in_language("en"):
        assert f"{text}" == "Log in with Facebook"
    with in_language("ko"):
        assert str(text).startswith("Facebook")


def test_plural_has_its_number() -> None:
    with in_language("en"):
        assert translation.ngettext("%(num)s book", "%(num)s books", 1) == "1 book"
        assert translation.ngettext("%(num)s book of %(who)s", "%(num)s books of %(who)s", 2, who="A") == "2 books of A"


def test_dates_and_numbers() -> None:
    at = datetime(2026, 11, 28, 15, 30, tzinfo=UTC)
    with in_language("en"):
        assert translation.format_moment(at) == "Nov 29, 2026 00:30".replace(" ", "\N{NO-BREAK SPACE}")
        assert translation.format_date(date(2026, 1, 2), "MMMM d") == "January 2"
        assert translation.format_decimal(1234567) == "1,234,567"
        assert translation.format_percent(0.1234, "#,##0.#%") == "12.3%"
    with in_language("ko"):
        assert translation.format_date(date(2026, 1, 2), "MMMM d") == "1월 2"
