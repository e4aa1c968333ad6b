"""Static files: a fingerprint in each name, and a year in the browser's cache."""

import gzip
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from kakaoauth.web.static_files import static_url
from kakaoauth.web.template_helpers import TEMPLATE_FOLDER

STATIC = Path(__file__).resolve().parents[2] / "kakaoauth" / "static"
FILES = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file())


@pytest.fixture
def address_of(app: Flask) -> Callable[[str], str]:
    def address(name: str) -> str:
        with app.test_request_context():
            return static_url(name)

    return address


@pytest.mark.parametrize("name", FILES)
def test_file_is_kept_for_a_year_under_the_fingerprint_of_its_content(
    client: FlaskClient, address_of: Callable[[str], str], name: str
) -> None:
    address = address_of(name)
    content = (STATIC / name).read_bytes()
    stem, _, suffix = name.rpartition(".")
    assert address == f"/kakaoauth/{stem}.{sha256(content).hexdigest()[:8]}.{suffix}"
    answer = client.get(address, buffered=True)
    assert (answer.status_code, answer.data) == (200, content)
    said = dict(part.strip().partition("=")[::2] for part in answer.headers["Cache-Control"].split(","))
    assert said == {"public": "", "max-age": "31536000", "immutable": ""}
    assert "Set-Cookie" not in answer.headers
    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "md": "text/markdown"}
    kinds |= {"png": "image/png", "ico": "image/vnd.microsoft.icon"}
    assert answer.mimetype == kinds[suffix]


@pytest.mark.parametrize("name", ["style.00000000.css", "style.css", "vendor/chart.js-4.6.1/chart.umd.min.0123abcd.js"])
def test_another_fingerprint_or_none_is_todays_file_for_a_minute(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/kakaoauth/{name}", buffered=True)
    assert answer.status_code == 200
    assert "max-age=60" in answer.headers["Cache-Control"]
    assert "immutable" not in answer.headers["Cache-Control"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nothing.css",
        "nothing.00000000.css",
        "style.0000000.css",
        "style.XXXXXXXX.css",
        "../core.py",
        "%2e%2e/core.py",
        "vendor/",
        "vendor",
    ],
)
def test_what_is_not_in_the_folder_is_not_there(client: FlaskClient, name: str) -> None:
    assert client.get(f"/kakaoauth/{name}", buffered=True).status_code == 404


def test_browser_that_has_the_file_is_told_so(client: FlaskClient, address_of: Callable[[str], str]) -> None:
    address = address_of("style.css")
    tag = client.get(address, buffered=True).headers["ETag"]
    assert client.get(address, headers={"If-None-Match": tag}, buffered=True).status_code == 304


def test_templates_name_files_that_are_there() -> None:
    named = {
        name
        for path in TEMPLATE_FOLDER.rglob("*.html")
        for name in re.findall(r"kakaoauth\.static\('([^']+)'\)", path.read_text())
    }
    assert len(named) > 4, "the pattern finds nothing any more"
    assert named <= set(FILES)
    assert not any("url(" in (STATIC / name).read_text() for name in FILES if name.endswith(".css")), (
        "a style sheet that names another file needs its fingerprint"
    )


@pytest.mark.parametrize("name", ["style.css", "vendor/chart.js-4.6.1/chart.umd.min.js"])
def test_text_is_sent_compressed_to_browsers_that_take_it(
    client: FlaskClient, address_of: Callable[[str], str], name: str
) -> None:
    address = address_of(name)
    plain = client.get(address, buffered=True)
    small = client.get(address, headers={"Accept-Encoding": "br;q=0, gzip"}, buffered=True)
    assert (plain.headers.get("Content-Encoding"), small.headers["Content-Encoding"]) == (None, "gzip")
    assert gzip.decompress(small.data) == plain.data
    assert len(small.data) < len(plain.data) / 2
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert "Accept-Encoding" in small.headers["Vary"]
    assert small.headers["Cache-Control"] == plain.headers["Cache-Control"]
    assert small.headers["ETag"] != plain.headers["ETag"]
    again = {"Accept-Encoding": "gzip", "If-None-Match": small.headers["ETag"]}
    assert client.get(address, headers=again, buffered=True).status_code == 304
    refused = client.get(address, headers={"Accept-Encoding": "gzip;q=0"}, buffered=True)
    assert refused.data == plain.data


def test_page_is_not_compressed(client: FlaskClient) -> None:
    """Its length would tell of the CSRF token in it, beside what a link has put there (BREACH)."""
    answer = client.get("/?next=/users/me/", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers
