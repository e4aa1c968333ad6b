"""KAKAOAUTH_TERMS: how it is written, and what is refused at start in one line."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from support.terms import TERMS

from kakaoauth.config.checks import ConfigError
from kakaoauth.config.terms import Term, read
from kakaoauth.translation import in_language

GOOD = TERMS[1]


def test_json_and_python_say_the_same(make_app: Callable[..., Flask]) -> None:
    written = make_app(KAKAOAUTH_TERMS=json.dumps(TERMS, indent=2, ensure_ascii=False)).config["KAKAOAUTH_TERMS"]
    assert written == make_app(KAKAOAUTH_TERMS=TERMS).config["KAKAOAUTH_TERMS"] == read(written)


@pytest.mark.parametrize("nothing", ["", " ", "[]", [], ()])
def test_nothing_is_no_step(nothing: Any) -> None:
    assert read(nothing) == ()


def test_what_is_left_out() -> None:
    age, tos, news = read(TERMS)
    assert (age.version, age.required, age.tag, dict(age.urls)) == ("1", True, "", {})
    assert (tos.required, news.required) == (True, False)
    assert read([{**GOOD, "version": 3}])[0].version == "3"
    with in_language("en"):
        assert (age.title, tos.title, tos.url) == (
            "I am 14 or older",
            "Terms of service",
            "https://example.kr/en/terms",
        )
    with in_language("ko"):
        assert (age.title, tos.title, tos.url) == ("만 14세 이상이에요", "이용약관", "https://example.kr/terms")
        assert read([{**GOOD, "title": {"en": "Only English"}}])[0].title == "Only English"


@pytest.mark.parametrize("url", ["https://example.kr/a?b=c", "http://localhost/terms", "/terms/", {"ko": "/ko/terms"}])
def test_addresses_that_are_taken(url: Any) -> None:
    assert isinstance(read([{**GOOD, "url": url}])[0], Term)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("{", "JSON"),
        ("[" * 100_000, "JSON"),
        ('{"id": "tos"}', "a list"),
        ("true", "a list"),
        (5, "a list"),
        ([5], "entry 1: must be an object"),
        ([{5: 6}], "entry 1: must be an object"),
        ([GOOD, {**GOOD, "id": "a b"}], "entry 2: id must"),
        ([{**GOOD, "id": None}], "id must"),
        ([{**GOOD, "id": "가입"}], "id must"),
        ([GOOD, GOOD], "the id tos is there twice"),
        ([GOOD, {**GOOD, "id": "b"}], "the tag service_tos is there twice"),
        ([{**GOOD, "kind": "law"}], "kind must"),
        ([{**GOOD, "kind": ["age"]}], "kind must"),
        ([{**GOOD, "titel": "x"}], "'titel' is none of"),
        ([{**GOOD, "title": ""}], "title is missing"),
        ([{**GOOD, "title": {"fr": "x"}}], "title must"),
        ([{**GOOD, "title": "two\nlines"}], "title must"),
        ([{**GOOD, "title": 5}], "title must"),
        ([{**GOOD, "url": None}], "url is missing"),
        ([{**GOOD, "url": "javascript:alert(1)"}], "url must begin"),
        ([{**GOOD, "url": "//evil.example/"}], "url must begin"),
        ([{**GOOD, "url": "example.kr/terms"}], "url must begin"),
        ([{**GOOD, "url": {"ko": "ftp://example.kr"}}], "url must begin"),
        ([{**GOOD, "url": "https://[::1"}], "url must begin"),
        ([{**GOOD, "version": None}], "version must"),
        ([{**GOOD, "version": ""}], "version must"),
        ([{**GOOD, "version": True}], "version must"),
        ([{**GOOD, "required": "yes"}], "required must"),
        ([{**TERMS[2], "required": True}], "marketing cannot be required"),
        ([{**GOOD, "tag": "a,b"}], "tag must"),
        ([{**GOOD, "id": f"t{n}", "tag": ""} for n in range(21)], "more than 20"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(make_app: Callable[..., Flask], wrong: Any, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(wrong)
    assert said in str(refused.value)
    assert "KAKAOAUTH_TERMS" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_site_refuses_it_at_start(make_app: Callable[..., Flask]) -> None:
    with pytest.raises(ConfigError, match="entry 1"):
        make_app(KAKAOAUTH_TERMS=[{}])
