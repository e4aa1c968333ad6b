"""The staff's pages: the list with its search, filters, sorts and pages, one user; and one's own page."""

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient

from kakaoauth.models import Identity, User
from kakaoauth.staff import user_list
from kakaoauth.staff.listing import Filter, Page
from kakaoauth.staff.listing.ordering import SORTS
from kakaoauth.staff.user_list import PAGE
from kakaoauth.storage.database import db

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def names_on(text: str) -> list[str]:
    """The nicknames in the list, from top to bottom."""
    return [part.split("<", 1)[0] for part in text.split('/">')[1:] if part.split("<", 1)[0].startswith("n")]


def link(text: str, rel: str) -> str | None:
    found = re.search(rf'rel="{rel}" href="([^"]*)"', text)
    return unescape(found[1]) if found else None


@pytest.fixture
def crowd(app: Flask) -> None:
    """130 users, each a minute younger than the one before; every third one joined in the same moment as the next."""
    with app.app_context():
        for number in range(130):
            joined = BEGINNING + timedelta(minutes=number - number % 3)
            db.session.add(
                User(
                    email=f"n{number}@example.kr",
                    email_key=f"n{number}@example.kr",
                    nickname=f"n{number:03}",
                    provider="facebook" if number % 10 == 0 else "kakao",
                    is_active=number % 50 != 7,
                    date_joined=joined,
                )
            )
        db.session.commit()


@pytest.fixture
def sora(crowd: None, sora: FlaskClient) -> FlaskClient:
    """Who looks at the crowd."""
    return sora


def test_pages_go_from_newest_to_oldest_and_back_without_gap_or_repetition(sora: FlaskClient) -> None:
    seen: list[list[str]] = []
    address: str | None = "/users/?q=n"
    text = ""
    while address:
        text = sora.get(address).text
        seen.append([name for name in names_on(text) if name[1:].isdigit()])
        address = link(text, "next")
    assert [name for names in seen for name in names] == [f"n{number:03}" for number in reversed(range(130))]
    back = []
    while address := link(text, "prev"):
        text = sora.get(address).text
        back.insert(0, [name for name in names_on(text) if name[1:].isdigit()])
    assert back == seen[:-1]


def test_first_page_is_full_and_costs_six_statements_whoever_is_shown(
    sora: FlaskClient, count_statements: Callable[[Callable[[], object]], int]
) -> None:
    assert sora.get("/users/").text.count("<tr") == PAGE + 1
    # Who asks, the page, how many there are, the unlinks that wait, the page's tags, one's saved filters.
    assert count_statements(lambda: sora.get("/users/")) == 6
    assert count_statements(lambda: sora.get("/users/?state=suspended")) == 5  # all on one page: nothing to count
    assert count_statements(lambda: sora.get("/users/?q=n")) < 12


@pytest.mark.parametrize("cursor", ["", "x", "-1", "W10", "%00", "null", "١", "x" * 5000])
def test_odd_cursor_is_the_first_page(sora: FlaskClient, cursor: str) -> None:
    response = sora.get("/users/", query_string={"cursor": cursor})
    assert response.status_code == 200
    assert "n129" in response.text


def test_address_that_is_no_text_is_no_error(sora: FlaskClient) -> None:
    for query in ("q=%00", "q=n07%007", "q=%ff", "q=%ED%A0%80", "cursor=%ff", "from=%ff", "sort=%00"):
        assert sora.get(f"/users/?{query}").status_code == 200, query


def test_cursor_of_another_sort_is_the_first_page(sora: FlaskClient) -> None:
    cursor = link(sora.get("/users/").text, "next")
    assert names_on(sora.get(f"{cursor}&sort=-email").text) == names_on(sora.get("/users/?sort=-email").text)


def test_filters_go_together_and_stay_with_the_pages(sora: FlaskClient) -> None:
    text = sora.get("/users/?provider=kakao&state=active&role=user&from=2026-01-01&until=2026-01-01&q=n1").text
    shown = [name for name in names_on(text) if name[1:].isdigit()]
    wanted = [n for n in reversed(range(130)) if str(n).startswith("1") or 100 <= n]
    assert shown == [f"n{n:03}" for n in wanted if n % 10 and n % 50 != 7]
    following = link(sora.get("/users/?provider=kakao&sort=nickname").text, "next")
    assert following is not None
    assert "provider=kakao" in following
    assert "sort=nickname" in following
    for chosen in ('value="kakao" selected', 'value="active" selected', 'value="2026-01-01"', 'value="n1"'):
        assert chosen in text
    assert 'href="/users/"' in text, "a way back to everybody"


def test_what_is_not_understood_counts_as_not_said(sora: FlaskClient) -> None:
    plain = sora.get("/users/").text
    odd = "provider=myspace&role=boss&state=%00&from=yesterday&until=2026-02-30&sort=password_hash&lang=ko&x=1"
    assert names_on(sora.get(f"/users/?{odd}").text) == names_on(plain)
    assert sora.get("/users/?from=0001-01-01&until=9999-12-31").status_code == 200
    assert sora.get("/users/?q=a&q=b&role=user&role=staff").status_code == 200


def test_headings_sort_and_turn_the_order_round(sora: FlaskClient) -> None:
    text = sora.get("/users/?q=n").text
    assert text.count("aria-sort") == 1
    assert re.search(r'aria-sort="descending"><a href="/users/\?q=n&amp;sort=date_joined">', text)
    text = sora.get("/users/?q=n&sort=nickname").text
    assert re.search(r'aria-sort="ascending"><a href="/users/\?q=n&amp;sort=-nickname">', text)
    assert next(name for name in names_on(text) if name[1:].isdigit()) == "n000"


def test_every_sort_has_a_page_and_a_name(sora: FlaskClient) -> None:
    for sort in SORTS:
        text = sora.get("/users/", query_string={"sort": sort}).text
        assert f'value="{sort}" selected' in text
        assert text.count("<tr") == PAGE + 1


def test_line_says_how_many_there_are(sora: FlaskClient, app: Flask) -> None:
    assert "사용자 134명" in sora.get("/users/").text
    assert "Users: 134" in sora.get("/users/?lang=en").text
    assert "사용자 13명" in sora.get("/users/?provider=facebook&lang=ko").text
    assert "사용자 1명" in sora.get("/users/?q=n077").text
    assert "사용자 0명" in sora.get("/users/?q=nobody").text


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
        ("n077\0", ["n077"]),
        ("\xff", []),
    ],
)
def test_search_is_literal(sora: FlaskClient, search: str, found: list[str] | None) -> None:
    response = sora.get("/users/", query_string={"q": search})
    assert response.status_code == 200
    assert "<script>" not in response.text
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
        assert "<script>" not in text
        assert "&lt;script&gt;" in text


def test_total_counts_up_to_a_bound_and_then_says_more_than(
    app: Flask, client_as: Callable[[str], FlaskClient]
) -> None:
    sora = client_as("sora")
    with app.app_context():
        db.session.execute(
            db.insert(User),
            [{"email": f"p{n}@example.kr", "email_key": f"p{n}@example.kr", "provider": "naver"} for n in range(2_147)],
        )
        db.session.commit()
    english = {"Accept-Language": "en"}
    assert "Users: 2,151" in sora.get("/users/", headers=english).text
    assert "Users: more than 1,000" in sora.get("/users/?provider=naver&role=user", headers=english).text
    assert "1,000명 이상" in sora.get("/users/?provider=naver&state=active&role=user").text
    assert "about" not in sora.get("/users/?q=example.kr", headers=english).text


def test_total_of_a_search_that_was_stopped_is_at_least_what_is_shown(
    app: Flask, count_statements: Callable[[Callable[[], object]], int]
) -> None:
    """To count them would look at as many rows again."""
    said: list[str] = []
    for number, expected in ((3, "Users: more than 3"), (0, "")):
        cut = Page([None] * number, next="on", previous=None, cut=True)  # type: ignore[list-item]
        with app.test_request_context("/users/?q=a&lang=en"):
            assert count_statements(lambda cut=cut: said.append(user_list._total(Filter(search="a"), cut))) == 0  # type: ignore[misc]
        assert said[-1] == expected


def link_to(language: str, page: str) -> str:
    (link,) = re.findall(rf'<a [^>]*?href="([^"]+)" lang="{language}"', page)
    return unescape(link)


def test_change_of_language_keeps_the_page_and_its_filter(client_as: Callable[[str], FlaskClient]) -> None:
    hana = client_as("hana")
    for address in (
        "/users/?q=민지&provider=kakao&sort=email",
        "/users/?q=%26lang%3Dko%23x&role=staff",
        "/users/audit/?action=login&person=1",
        "/users/overview/?days=7",
        "/users/me/withdraw/",
        "/?a=1",
        "/nothing/here/?q=a&q=b",
        "/users/999999/?a=1",
        "/kakao/logout/",
    ):
        page = hana.get(f"{address}{'&' if '?' in address else '?'}lang=ko")
        there = link_to("en", page.text)
        again = hana.get(there)
        assert (again.status_code, again.request.path) == (page.status_code, page.request.path), address
        asked, kept = (
            [pair for pair in one.request.args.items(multi=True) if pair[0] != "lang"] for one in (page, again)
        )
        assert asked == kept, address
        assert '<html lang="en">' in again.text
        assert link_to("ko", again.text).count("lang=") == 1


def test_change_of_language_leads_to_this_site_and_repeats_nothing(
    app: Flask, client_as: Callable[[str], FlaskClient]
) -> None:
    minji = client_as("minji")
    for address in ("//evil.example/", "///evil.example/%2f..", "/%5Cevil.example/", "/a%0d%0ab"):
        page = minji.get("/x", environ_overrides={"PATH_INFO": address.replace("%5C", "\\"), "RAW_URI": address})
        link = link_to("en", page.text)
        assert re.match(r"/[^/\\]", link), link
    callback = minji.get("/kakao/login/callback/?code=canary-code&state=" + "s" * 43)
    assert callback.status_code == 400
    assert link_to("en", callback.text) == "/?lang=en"
    refused = minji.post("/users/me/withdraw/", data={})
    assert link_to("en", refused.text) == "/users/me/withdraw/?lang=en"
    assert link_to("en", minji.post("/users/export.csv", data={}).text) == "/?lang=en"
