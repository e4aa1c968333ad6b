"""Naver, Google and Apple beside Kakao: linked, used and taken away again."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from support import csrf_token
from support.neighbours import Neighbours, neighbours_of

from kakaoauth.models import find_identity

PROVIDERS = ("naver", "google", "apple")


@pytest.fixture(params=PROVIDERS)
def found(request: pytest.FixtureRequest, make_app: Callable[..., Flask]) -> Any:
    with neighbours_of(request.param, make_app) as neighbours:
        yield neighbours


def link(found: Neighbours, browser: Any, person: str) -> Any:
    begun = browser.post(f"/users/me/link/{found.provider}/", data={"csrf_token": csrf_token(browser)})
    assert begun.status_code == 302, begun.text
    return found.back(browser, found.walk(found.follow(begun.location), person))


def test_login_is_linked_used_and_taken_away(found: Neighbours) -> None:
    browser = found.enter_by_kakao("haneul")
    assert link(found, browser, "html").location == "/users/me/"
    (user,) = found.users()
    subject = found.state.accounts[found.provider].people["html"].subject
    assert (user.provider, user.email, user.nickname) == ("kakao", "haneul@example.kr", "하늘다람쥐")
    other, answer = found.enter("html")
    assert answer.status_code == 302
    assert "하늘다람쥐" in other.get("/users/me/").text
    assert len(found.users()) == 1
    with found.app.app_context():
        identity = find_identity(found.provider, subject)
        assert identity is not None
    data = {"csrf_token": csrf_token(browser), "reason": ""}
    assert browser.post(f"/users/me/unlink/{identity.id}/", data=data).status_code == 302
    with found.app.app_context():
        assert find_identity(found.provider, subject) is None
    assert not found.is_linked("html")
    assert len(found.users()) == 1


def test_login_of_another_account_is_not_linked(found: Neighbours) -> None:
    link(found, found.enter_by_kakao("haneul"), "html")
    found.pages = found.pages.application.test_client()
    answer = link(found, found.enter_by_kakao("bigid"), "html")
    assert (answer.status_code, 'data-code="IDENTITY_IN_USE"' in answer.text) == (409, True)


def test_person_who_leaves_there_keeps_the_account_here(found: Neighbours) -> None:
    browser = found.enter_by_kakao("haneul")
    link(found, browser, "html")
    [sent] = found.own("people/html/remove", wait=True)
    assert sent["status"] in (200, 202, 204)
    assert browser.get("/users/me/").status_code == 302
    assert len(found.users()) == 1
