"""The sign-up step after a login with Naver, Google or Apple: site and sandbox together."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from support import is_logged_in
from support.neighbours import Neighbours, neighbours_of
from support.terms import TERMS, agree, cancel, everything_in, rows

from kakaoauth.accounts import leaving
from kakaoauth.storage.database import db
from kakaoauth.terms.consents import Consent

FRONT = "https://front.example"
#: Who comes, what they agree to at the provider, and what Redis may not hold of them.
PEOPLE = {
    "naver": ("boram", ("nickname", "profile_image"), "보람"),
    "google": ("workspace", (), "oh@company.example"),
    "apple": ("haneul", (), "haneul@example.kr"),
}
PROVIDERS = pytest.mark.parametrize("provider", PEOPLE)


def come_to_step(found: Neighbours, **query: str) -> tuple[FlaskClient, str]:
    """A browser, and the path of the step's page."""
    person, items, _ = PEOPLE[found.provider]
    browser = found.visitor()
    answer = found.back(browser, found.walk(found.press(browser, **query), person, *items))
    assert answer.status_code == 302, answer.text
    assert answer.location.startswith("/sign-up/"), answer.location
    return browser, str(answer.location)


def settings(provider: str) -> dict[str, Any]:
    return {
        "KAKAOAUTH_TERMS": TERMS,
        "KAKAOAUTH_FRONTEND_ORIGINS": FRONT,
        "KAKAOAUTH_EMAIL_REQUIRED": provider != "naver",
    }


@PROVIDERS
def test_unfinished_sign_up_leaves_no_row_and_nothing_readable(
    make_app: Callable[..., Flask], redis: Redis, provider: str
) -> None:
    with neighbours_of(provider, make_app, **settings(provider)) as found:
        before = rows(found.app)
        browser, path = come_to_step(found)
        assert browser.get(path).status_code == 200
        assert agree(browser, path, "tos").status_code == 422
        assert not is_logged_in(browser)
        assert rows(found.app) == before
        person, _, secret = PEOPLE[provider]
        kept = everything_in(redis)
        assert secret.encode() not in kept
        assert secret.encode("unicode_escape") not in kept
        assert found.is_linked(person)
        assert cancel(browser, path).status_code == 200
        assert rows(found.app) == before
        assert not found.is_linked(person), "the connection of before the step was ended with the login's token"


@PROVIDERS
def test_who_agrees_is_in_with_what_the_provider_said_and_can_leave(
    make_app: Callable[..., Flask], provider: str
) -> None:
    with neighbours_of(provider, make_app, **settings(provider)) as found:
        browser, path = come_to_step(found, next="/users/me/")
        answer = agree(browser, path, "age", "tos")
        assert (answer.status_code, answer.location) == (303, "/users/me/")
        assert is_logged_in(browser)
        (user,) = found.users()
        names = {"naver": ("윤보람", None), "google": ("오직원", "oh@company.example")}
        assert (user.name, user.email) == names.get(provider, ("김하늘", "haneul@example.kr"))
        with found.app.app_context():
            told = [(row.term, row.version, row.source) for row in db.session.query(Consent).order_by(Consent.id)]
            assert told == [("age", "1", "page"), ("tos", "2026-01", "page")]
            assert leaving.delete_user(user.id)
        assert not found.is_linked(PEOPLE[provider][0]), "the token was kept through the step"
        assert rows(found.app)["user_consents"] == rows(found.app)["unlink_jobs"] == 0


def test_name_that_apple_says_once_survives_a_second_try(make_app: Callable[..., Flask]) -> None:
    with neighbours_of("apple", make_app, **settings("apple")) as found:
        browser, first = come_to_step(found)
        answer = found.back(browser, found.walk(found.press(browser), "haneul"))
        assert answer.location != first
        assert agree(browser, answer.location, "age", "tos").status_code == 303
        assert [user.name for user in found.users()] == ["김하늘"]


@pytest.mark.parametrize("provider", ["google", "apple"])
def test_front_end_gets_its_tokens_after_the_step(make_app: Callable[..., Flask], provider: str) -> None:
    with neighbours_of(provider, make_app, **settings(provider)) as found:
        browser, path = come_to_step(found, mode="jwt", next=f"{FRONT}/in")
        answer = agree(browser, path, "age", "tos")
        assert (answer.status_code, answer.location) == (303, f"{FRONT}/in")
        cookies = "".join(answer.headers.getlist("Set-Cookie"))
        assert "access_token=" in cookies
        assert "refresh_token=" in cookies
        assert not is_logged_in(browser)
        assert len(found.users()) == 1
