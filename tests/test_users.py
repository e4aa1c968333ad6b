"""The staff's pages: the list, its search and pages, one user; and one's own page."""

import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from kakaoauth.extensions import db
from kakaoauth.models import Identity, User
from kakaoauth.users import PAGE

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def names_on(text: str) -> list[str]:
    """The nicknames in the list, from top to bottom."""
    return [part.split("<", 1)[0] for part in text.split('/">')[1:] if part.split("<", 1)[0].startswith("n")]


@pytest.fixture
def crowd(app: Flask) -> None:
    """130 users, each a minute younger than the one before; every third one joined in the same moment as the next."""
    with app.app_context():
        for number in range(130):
            joined = BEGINNING + timedelta(minutes=number - number % 3)
            User.objects.create_user(f"n{number}@example.kr", nickname=f"n{number:03}", date_joined=joined)
        db.session.commit()


@pytest.fixture
def sora(crowd: None, client_as: Callable[[str], FlaskClient]) -> FlaskClient:
    return client_as("sora")


def test_pages_go_from_newest_to_oldest_without_gap_or_repetition(sora: FlaskClient) -> None:
    seen: list[str] = []
    address = "/users/?q=n"
    while True:
        text = sora.get(address).text
        seen += [name for name in names_on(text) if name[1:].isdigit()]
        if 'rel="next"' not in text:
            break
        address = text.split('rel="next" href="', 1)[1].split('"', 1)[0].replace("&amp;", "&")
    assert seen == [f"n{number:03}" for number in reversed(range(130))]


def test_first_page_is_full_and_costs_three_statements(
    sora: FlaskClient, count_statements: Callable[[Callable[[], object]], int]
) -> None:
    assert sora.get("/users/").text.count("<tr") == PAGE + 1
    assert count_statements(lambda: sora.get("/users/")) == 3  # who asks, the page, the unlinks that wait


@pytest.mark.parametrize(
    "before",
    ["", "x", "-1", "1-", "0-0", "99999999999999999-1", "1-9999999999999999999", "1-99999999999999999999", "١-١"],
)
def test_odd_cursor_is_no_error(sora: FlaskClient, before: str) -> None:
    assert sora.get("/users/", query_string={"before": before}).status_code == 200


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("n007", ["n007"]),
        ("N007", ["n007"]),
        ("n7@example", ["n007"]),
        ("%", []),
        ("_", []),
        ("'", []),
        ('"><script>', []),
        ("\0", None),
        ("n" * 10_000, []),
        ("  n007  ", ["n007"]),
        ("9" * 400, []),
    ],
)
def test_search_is_literal(sora: FlaskClient, search: str, found: list[str] | None) -> None:
    response = sora.get("/users/", query_string={"q": search})
    assert response.status_code == 200
    assert "<script" not in response.text
    if found is not None:
        assert names_on(response.text.split("<tbody>")[-1] if found else "") == found
        assert ("찾는 사용자가 없어요" in response.text) == (not found)


def test_kakao_number_finds_its_user(app: Flask, sora: FlaskClient) -> None:
    with app.app_context():
        user = db.session.query(User).filter_by(nickname="n050").one()
        db.session.add(Identity(provider="kakao", subject="1376016924429759228", user=user))
        db.session.commit()
    assert names_on(sora.get("/users/?q=1376016924429759228").text) == ["n050"]


def test_hangul_is_found_however_it_was_typed(app: Flask, sora: FlaskClient) -> None:
    with app.app_context():
        User.objects.create_user("han@example.kr", nickname="하늘다람쥐")
        db.session.commit()
    for search in ("하늘", unicodedata.normalize("NFD", "다람쥐")):
        assert "하늘다람쥐" in sora.get("/users/", query_string={"q": search}).text


def test_one_user_is_shown_with_identities(sora: FlaskClient, people: dict[str, int]) -> None:
    text = sora.get(f"/users/{people['minji']}/").text
    assert "minji@example.kr" in text
    assert "<code>1000</code>" in text


@pytest.mark.parametrize("number", ["0", "999999", str(2**63), "9" * 40])
def test_user_that_is_not_there_is_404(sora: FlaskClient, number: str) -> None:
    response = sora.get(f"/users/{number}/")
    assert response.status_code == 404
    assert "찾는 페이지가 없어요" in response.text


def test_own_page_shows_ones_data_and_way_in(client_as: Callable[[str], FlaskClient]) -> None:
    text = client_as("minji").get("/users/me/").text
    assert "minji@example.kr" in text
    assert "카카오" in text
    assert "/users/" not in text.replace("/users/me/", "")


def test_nickname_is_escaped_wherever_it_stands(
    app: Flask, client_as: Callable[[str], FlaskClient], people: dict[str, int]
) -> None:
    sora = client_as("sora")
    with app.app_context():
        user = db.session.get(User, people["sora"])
        user.nickname = '"><script>alert(1)</script>'
        user.profile_image = 'https://k.kakaocdn.net/"><script>'
        db.session.commit()
    for page in ("/", "/users/me/", "/users/", f"/users/{people['sora']}/"):
        text = sora.get(page).text
        assert "<script" not in text
        assert "&lt;script&gt;" in text
