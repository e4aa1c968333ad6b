"""The owner's look on the pages: name, logo, colour, links, icons, and what the first page marks."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import FakeKakao, add_second, log_in

MakeApp = Callable[..., Flask]
LOGO = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'
OWN = {
    "KAKAOAUTH_SITE_NAME": "달빛 <책모임>",
    "KAKAOAUTH_SITE_DESCRIPTION": "한 달에 한 권",
    "KAKAOAUTH_SITE_LOGO": "logo.svg",
    "KAKAOAUTH_ACCENT_COLOR": "#3182F6",
    "KAKAOAUTH_TERMS_URL": "https://example.kr/terms",
    "KAKAOAUTH_PRIVACY_URL": "/privacy/",
    "KAKAOAUTH_CONTACT": "help@example.kr",
    "KAKAOAUTH_FOOTER": "달빛상사 | 대표 김달빛\\n사업자등록번호 000-00-00000",
}


@pytest.fixture
def branded(make_app: MakeApp, settings: dict[str, Any]) -> FlaskClient:
    folder = Path(settings["INSTANCE_PATH"])
    folder.mkdir()
    (folder / "logo.svg").write_bytes(LOGO)
    (folder / "icon-192.png").write_bytes(b"own icon")
    return make_app(**OWN).test_client()


def test_pages_are_the_owners(branded: FlaskClient) -> None:
    page = branded.get("/?lang=ko").text
    name = "달빛 &lt;책모임&gt;"
    assert f"<title>로그인 · {name}</title>" in page
    assert f'<meta property="og:site_name" content="{name}">' in page
    assert '<meta name="description" content="한 달에 한 권">' in page
    assert f"<h1>{name} 시작하기</h1>" in page
    assert '<p class="sentence">한 달에 한 권</p>' in page
    for address in ("https://example.kr/terms", "/privacy/"):
        assert page.count(f'href="{address}"') == 2, "on the card and in the footer"
    assert "<p>달빛상사 | 대표 김달빛</p>" in page
    assert "<p>사업자등록번호 000-00-00000</p>" in page
    assert name in branded.get("/nowhere/").text
    assert "mailto:help@example.kr" in branded.get("/nowhere/").text
    assert branded.get("/api/openapi.json").get_json()["info"]["title"] == OWN["KAKAOAUTH_SITE_NAME"]


@pytest.mark.parametrize(
    ("language", "sentence"), [("ko", "한 번만 눌러 바로 시작해요"), ("en", "Sign in with one tap")]
)
def test_site_without_a_sentence_of_its_own_says_one(client: FlaskClient, language: str, sentence: str) -> None:
    page = client.get(f"/?lang={language}").text
    assert f'<meta name="description" content="{sentence}">' in page
    assert f'<meta property="og:description" content="{sentence}">' in page
    assert f'<p class="sentence">{sentence}</p>' in page
    assert "description" not in json.loads(client.get("/kakaoauth/site.webmanifest").text)


def test_colour_and_logo_are_files_that_browsers_keep(branded: FlaskClient) -> None:
    page = branded.get("/").text
    (sheet,) = re.findall(r'href="(/kakaoauth/colours\.[0-9a-f]{8}\.css)"', page)
    answer = branded.get(sheet)
    assert answer.mimetype == "text/css"
    assert "--kakaoauth-site-fill-light: #2c74db" in answer.text
    assert "max-age=31536000" in answer.headers["Cache-Control"]
    logo = re.findall(r'<img src="(/kakaoauth/logo\.[0-9a-f]{8})"', page)[0]
    with branded.get(logo) as answer:
        assert (answer.mimetype, answer.data) == ("image/svg+xml", LOGO)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_icons_are_the_owners_or_ours(branded: FlaskClient) -> None:
    assert branded.get("/kakaoauth/icons/icon-192.png", buffered=True).data == b"own icon"
    assert branded.get("/kakaoauth/icons/icon-512.png", buffered=True).data.startswith(b"\x89PNG")
    assert branded.get("/kakaoauth/icons/logo.svg").status_code == 404
    assert branded.get("/favicon.ico", buffered=True).mimetype == "image/x-icon"
    manifest = branded.get("/kakaoauth/site.webmanifest")
    assert manifest.mimetype == "application/manifest+json"
    said = json.loads(manifest.text)
    assert (said["name"], said["theme_color"]) == (OWN["KAKAOAUTH_SITE_NAME"], "#2c74db")
    assert all(branded.get(one["src"], buffered=True).status_code == 200 for one in said["icons"])


@pytest.mark.parametrize("path", ["/", "/?next=/users/me/", "/?lang=en&utm_source=mail"])
def test_first_page_has_one_address(make_app: MakeApp, path: str) -> None:
    page = (
        make_app(PUBLIC_URL="https://login.example.kr")
        .test_client()
        .get(path, base_url="https://login.example.kr")
        .text
    )
    assert re.findall(r'rel="canonical" href="([^"]+)"', page) == ["https://login.example.kr/"]
    assert '<meta property="og:url" content="https://login.example.kr/">' in page


def test_search_engines_are_kept_from_what_begins_something(client: FlaskClient) -> None:
    lines = client.get("/robots.txt").text.splitlines()
    assert lines[0] == "User-agent: *"
    assert {"Disallow: /*/login/", "Disallow: /api/", "Allow: /api/docs/"} <= set(lines)
    assert not {"Disallow: /", "Disallow:"} & set(lines), "pages that may be found"
    assert not any("/users" in line for line in lines), "no address that is nobody's business"


def test_own_files_are_allowed_by_the_policy_and_nothing_else(make_app: MakeApp) -> None:
    client = make_app(
        KAKAOAUTH_STYLE_SHEETS="https://cdn.example.kr/own.css,/static/own.css",
        KAKAOAUTH_SCRIPTS="https://count.example.kr/c.js",
        KAKAOAUTH_CSP="font-src https://fonts.example.kr; img-src https://count.example.kr",
    ).test_client()
    answer = client.get("/")
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["style-src"] == "'self' https://cdn.example.kr"
    assert policy["script-src"] == "'self' https://count.example.kr"
    assert policy["font-src"] == "https://fonts.example.kr"
    assert policy["default-src"] == "'none'"
    ours, own = answer.text.index("style."), answer.text.index("https://cdn.example.kr/own.css")
    assert ours < own


def test_method_used_last_is_marked_by_a_cookie_that_names_nobody(app: Flask, kakao: FakeKakao) -> None:
    client = add_second(app).test_client()
    assert "최근 로그인" not in client.get("/?lang=ko").text
    log_in(client, kakao)
    found = client.get_cookie("kakaoauth_last")
    assert found is not None
    assert (found.value, found.http_only, found.same_site) == ("kakao", True, "Lax")
    client.delete_cookie("session")
    page = client.get("/?lang=ko").text
    assert page.count("최근 로그인") == 1
    assert re.search(r'class="login kakao" href="[^"]+" aria-describedby="last"', page)
    client.set_cookie("kakaoauth_last", "<nobody>")
    assert "최근 로그인" not in client.get("/?lang=ko").text


def test_owners_own_home_is_where_people_land(make_app: MakeApp, kakao: FakeKakao) -> None:
    client = make_app(KAKAOAUTH_HOME_URL="https://club.example.kr/").test_client()
    assert client.get("/").status_code == 200
    log_in(client, kakao)
    assert client.get("/").location == "https://club.example.kr/"
    assert client.get("/?next=/users/me/").location == "/users/me/"
