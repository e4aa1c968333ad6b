"""The owner's settings of the site's look: what is refused at start, and one colour for light and dark."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from kakaoauth.config import ConfigError, brand, colours, load
from kakaoauth.web.brand import contact_address


def loaded(settings: dict[str, Any], **given: Any) -> dict[str, Any]:
    return load({**settings, **given})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAKAOAUTH_SITE_NAME", "x" * 41),
        ("KAKAOAUTH_SITE_DESCRIPTION", "x" * 201),
        ("KAKAOAUTH_ACCENT_COLOR", "blue"),
        ("KAKAOAUTH_ACCENT_COLOR", "#12345"),
        ("KAKAOAUTH_ACCENT_COLOR", "#fff;}body{display:none"),
        ("KAKAOAUTH_ACCENT_COLOR", "#fefefe"),
        ("KAKAOAUTH_TERMS_URL", "http://example.kr/terms"),
        ("KAKAOAUTH_PRIVACY_URL", "javascript:alert(1)"),
        ("KAKAOAUTH_PRIVACY_URL", "//evil.example"),
        ("KAKAOAUTH_HOME_URL", "example.kr"),
        ("KAKAOAUTH_FOOTER", "\\n".join("x" * 9)),
        ("KAKAOAUTH_SITE_LOGO", "nothing.png"),
        ("KAKAOAUTH_SITE_LOGO", "../test.db"),
        ("KAKAOAUTH_SITE_LOGO", "로고" * 200),
        ("KAKAOAUTH_SITE_LOGO", "http://example.kr/logo.png"),
        ("KAKAOAUTH_STYLE_SHEETS", "http://cdn.example.kr/a.css"),
        ("KAKAOAUTH_SCRIPTS", "ftp://cdn.example.kr/a.js"),
        ("KAKAOAUTH_CSP", "default-src *"),
        ("KAKAOAUTH_CSP", "script-src 'unsafe-inline'"),
        ("KAKAOAUTH_CSP", "script-src data:"),
        ("KAKAOAUTH_CSP", "font-src http://fonts.example.kr"),
        ("KAKAOAUTH_CSP", "font-src"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(settings: dict[str, Any], name: str, value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(settings, **{name: value})
    assert name in refused.value.message
    assert "\n" not in refused.value.message


def test_logo_that_is_no_picture_or_too_large_is_refused(settings: dict[str, Any]) -> None:
    folder = Path(settings["INSTANCE_PATH"])
    folder.mkdir()
    (folder / "logo.html").write_text("x")
    (folder / "logo.png").write_bytes(b"x" * (brand.LARGEST_PICTURE + 1))
    for name in ("logo.html", "logo.png"):
        with pytest.raises(ConfigError, match="KAKAOAUTH_SITE_LOGO"):
            loaded(settings, KAKAOAUTH_SITE_LOGO=name)


def test_every_colour_can_be_read_in_light_and_dark() -> None:
    for parts in itertools.product(range(0, 256, 51), repeat=3):
        colour = colours.read("#" + "".join(f"{part:02x}" for part in parts))
        if colours.contrast(colour, "#ffffff") < colours.SEEN:
            continue
        for accent, grounds in (
            (colours.light(colour), colours.LIGHT_GROUNDS),
            (colours.dark(colour), colours.DARK_GROUNDS),
        ):
            assert colours.contrast(accent.on_fill, accent.fill) >= 4.5, colour
            assert min(colours.contrast(accent.accent, ground) for ground in grounds) >= 4.5, colour


def test_colour_that_a_white_label_suits_keeps_it() -> None:
    assert colours.light("#2f54d0") == ("#2f54d0", "#2f54d0", "#ffffff")
    assert colours.light(colours.read("#FEE500")).fill == "#fee500"
    assert colours.light(colours.read("#FEE500")).on_fill == "#000000"


def test_grounds_are_those_of_the_style_sheet() -> None:
    style = (Path(brand.__file__).parents[1] / "static" / "style.css").read_text()
    for light, dark in (("#fff", "#1b1e23"), ("#f2f4f6", "#101215"), ("#f2f4f6", "#292d34")):
        assert f"light-dark({light}, {dark})" in style
        assert colours.read(light) in colours.LIGHT_GROUNDS
        assert dark in colours.DARK_GROUNDS


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("help@example.kr", "mailto:help@example.kr"),
        ("02-1234-5678", "tel:0212345678"),
        ("+82 2 1234 5678", "tel:+82212345678"),
        ("https://example.kr/help", "https://example.kr/help"),
        ("Room 3, second floor", ""),
    ],
)
def test_contact_is_a_link_where_it_is_an_address(text: str, address: str) -> None:
    assert contact_address(text) == address
