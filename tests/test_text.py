"""Cleaning what providers say about a person."""

import pytest

from kakaoauth.text import MAX_ADDRESS, MAX_TEXT, clean_image, clean_text


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("미나", "미나"),
        ("  미나  리  ", "미나 리"),
        ("a\tb\r\nc\u3000d\u00a0e", "a b c d e"),
        ("\u1106\u1175\u1102\u1161", "\ubbf8\ub098"),
        ("admin\x00\x07\x1b[0m", "admin[0m"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("\u2066a\u2069\u200e\u200f\ufeff\u00ad", "a"),
        ("a\u200bb\u200cc\u2060d", "abcd"),
        ("a \u200b b", "a b"),
        ("x\ud800y\udfff", "xy"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("👩🏽\u200d🚀 ❤️\u200d🔥", "👩🏽\u200d🚀 ❤️\u200d🔥"),
        ("a\u200db", "ab"),
        ("\u200d👩\u200d", "👩"),
        ("<b>별</b> & 'co'", "<b>별</b> & 'co'"),
        ("0", "0"),
    ],
)
def test_visible_text_is_kept(given: str, kept: str) -> None:
    assert clean_text(given) == kept


@pytest.mark.parametrize(
    "given", [None, "", " ", "\t\n", "\u200b\u200d", "\u3164\u3164", "\u2800", "\ud800", 7, True, 1.5, ["a"], {"a": 1}]
)
def test_nothing_visible_is_nothing(given: object) -> None:
    assert clean_text(given) is None


def test_long_text_is_cut() -> None:
    assert clean_text("가" * 10_000) == "가" * MAX_TEXT
    assert clean_text("x" * (MAX_TEXT - 1) + " tail") == "x" * (MAX_TEXT - 1)
    assert clean_text("👩\u200d" * 200) == ("👩\u200d" * 200)[: MAX_TEXT - 1]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://k.kakaocdn.net/dn/a/b/img_640x640.jpg", "https://k.kakaocdn.net/dn/a/b/img_640x640.jpg"),
        ("http://k.kakaocdn.net/dn/a.jpg", "https://k.kakaocdn.net/dn/a.jpg"),
        ("HTTP://K.KakaoCDN.net:80/dn/a.jpg?x=1&y=2#z", "https://k.kakaocdn.net/dn/a.jpg?x=1&y=2#z"),
        ("http://kakaocdn.net/a", "https://kakaocdn.net/a"),
        ("https://elsewhere.test/a.png", "https://elsewhere.test/a.png"),
    ],
)
def test_pictures_are_https(given: str, kept: str) -> None:
    assert clean_image(given, "kakaocdn.net") == kept


@pytest.mark.parametrize(
    "given",
    [
        None,
        7,
        "",
        "a.jpg",
        "//k.kakaocdn.net/a",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
        "ftp://k.kakaocdn.net/a",
        "http://elsewhere.test/a.png",
        "http://evilkakaocdn.net/a.png",
        "http://kakaocdn.net.evil.test/a",
        "http://k.kakaocdn.net@evil.test/a",
        "https://user:pass@k.kakaocdn.net/a",
        "https://@k.kakaocdn.net/a",
        "https://k.kakaocdn.net:8443/a",
        "http://k.kakaocdn.net:443/a",
        "https://k.kakaocdn.net:x/a",
        "https://[::1/a",
        "https://localhost/a",
        "https:///a",
        "https://k.kakaocdn.net/a b",
        'https://k.kakaocdn.net/"onload="x',
        "https://k.kakaocdn.net/'x",
        "https://k.kakaocdn.net/(x)",
        "https://k.kakaocdn.net/<x>",
        "https://k.kakaocdn.net/a\\b",
        "https://k.kakaocdn.net/a\r\nSet-Cookie: a=b",
        "https://k.kakaocdn.net/a\n",
        " https://k.kakaocdn.net/a",
        "https://k.kakaocdn.net/가",
        "https://k.kakaocdn.net/" + "a" * MAX_ADDRESS,
    ],
)
def test_odd_addresses_are_no_picture(given: object) -> None:
    assert clean_image(given, "kakaocdn.net") is None
