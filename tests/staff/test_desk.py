"""What all pages of the desk share: one navigation, relative times, avatars and chips."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from kakaoauth.models import User
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db

ClientAs = Callable[[str], FlaskClient]
ENGLISH = {"Accept-Language": "en"}


def navigation(page: str) -> dict[str, bool]:
    """The desk's links by address, and whether each is marked as the current one; empty if there is none."""
    found = re.search(r'<nav class="desk-nav".*?</nav>', page, re.DOTALL)
    links = re.findall(r'<a href="([^"]+)"([^>]*)>', found[0]) if found else []
    return {address: "aria-current" in rest for address, rest in links}


@pytest.mark.parametrize(
    ("address", "current"),
    [
        ("/users/", "/users/"),
        ("/users/1/", "/users/"),
        ("/users/1/suspend/", "/users/"),
        ("/users/overview/", "/users/overview/"),
        ("/users/audit/", "/users/audit/"),
        ("/users/suspended/", "/users/suspended/"),
        ("/users/999999/", "/users/"),
        ("/users/suspended/999999/lift/", "/users/suspended/"),
    ],
)
def test_one_navigation_marks_the_current_page_and_stays_on_error_pages(
    client_as: ClientAs, address: str, current: str
) -> None:
    marked = navigation(client_as("hana").get(address).text)
    assert [link for link, is_current in marked.items() if is_current] == [current]
    assert {"/users/", "/users/overview/", "/users/audit/", "/users/suspended/"} <= marked.keys()


def test_navigation_shows_what_one_may_see(client_as: ClientAs) -> None:
    sora, minji = client_as("sora"), client_as("minji")
    assert navigation(sora.get("/users/").text).keys() == {"/users/", "/users/overview/"}
    refused = sora.get("/users/audit/")
    assert refused.status_code == 403
    assert navigation(refused.text).keys() == {"/users/", "/users/overview/"}
    assert navigation(minji.get("/users/").text) == {}
    assert navigation(minji.get("/users/me/").text) == {}


def test_times_are_relative_and_tell_the_exact_one(app: Flask, client_as: ClientAs, people: dict[str, int]) -> None:
    with app.app_context():
        user = db.session.get(User, people["minji"])
        assert user
        user.last_login = now() - timedelta(days=3, minutes=1)
        db.session.commit()
    sora = client_as("sora")
    for language, text in (("en", "3 days ago"), ("ko", "3일 전")):
        page = sora.get("/users/?q=minji", headers={"Accept-Language": language}).text
        assert re.search(rf'<time datetime="[^"]+Z" title="[^"]*2\d{{3}}[^"]*\xa0\d\d:\d\d">{text}</time>', page)


def test_rows_show_an_initial_under_the_picture_and_role_and_state_as_chips(
    app: Flask, client_as: ClientAs, people: dict[str, int]
) -> None:
    with app.app_context():
        user = db.session.get(User, people["minji"])
        assert user
        user.nickname, user.profile_image, user.is_active = "민지", "https://k.kakaocdn.net/a.jpg", False
        db.session.commit()
    page = client_as("sora").get("/users/", headers=ENGLISH).text
    assert re.search(r'<span class="avatar [^>]*>민<img src="https://k.kakaocdn.net/a.jpg" alt=""', page)
    assert page.count(">suspended</span>") == 1
    assert page.count(">superuser</span>") == 1
