"""Site and sandbox together: the site's Facebook is the one that the sandbox speaks."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from support.neighbours import Neighbours, side_by_side
from support.sandbox import page_of, request_id

from kakaoauth.accounts import leaving
from kakaoauth.config.embedded import SANDBOX_FACEBOOK_CLIENT_ID
from kakaoauth.sandbox.state.facebook_settings import FacebookSettings


def enter(neighbours: Neighbours, person: str, *items: str) -> tuple[FlaskClient, Any]:
    """Log that person in, who agrees to `items`; the browser and the callback's answer."""
    browser = neighbours.app.test_client()
    step = neighbours.press(browser)
    if page_of(step) == "facebook_chooser":
        chosen = {"request": request_id(step), "person": person}
        step = neighbours.pages.get(neighbours.pages.post("/dialog/oauth/person", data=chosen).location)
    if page_of(step) == "facebook_consent":
        agreed = {"request": request_id(step), "item": list(items), "decision": "agree"}
        step = neighbours.pages.post("/dialog/oauth/consent", data=agreed)
    assert urlsplit(step.location).fragment == "_=_"
    return browser, neighbours.back(browser, step)


@pytest.fixture
def neighbours(make_app: Callable[..., Flask]) -> Iterator[Neighbours]:
    def console(site: str) -> dict[str, Any]:
        facebook = FacebookSettings(
            redirect_uris=("http://localhost/facebook/login/callback/",),
            deauthorize_url=f"{site}/webhooks/facebook/deauthorize/",
            data_deletion_url=f"{site}/webhooks/facebook/data-deletion/",
        )
        return {"facebook": facebook}

    with side_by_side("facebook", make_app, console, FACEBOOK_CLIENT_ID=SANDBOX_FACEBOOK_CLIENT_ID) as found:
        yield found


def test_person_comes_in_and_takes_the_app_away_again(neighbours: Neighbours) -> None:
    browser, answer = enter(neighbours, "sameid", "email")
    assert (answer.status_code, answer.location) == (302, "/")
    (user,) = neighbours.users()
    assert (user.provider, user.email) == ("facebook", "same.number@example.com")
    (sent,) = neighbours.own("callbacks/send", kind="deauthorize", person="sameid", flaws=["bad_signature"], wait=True)
    assert sent["status"] == 400
    assert browser.get("/users/me/").status_code == 200
    assert neighbours.own("people/sameid/remove", wait=True)[0]["status"] == 200
    assert browser.get("/users/me/").status_code == 302
    assert neighbours.users() == []


def test_without_the_email_nobody_comes_in(neighbours: Neighbours) -> None:
    _, answer = enter(neighbours, "sameid")
    assert answer.status_code == 403
    assert 'data-code="EMAIL_REQUIRED"' in answer.text


def test_data_deletion_is_confirmed(neighbours: Neighbours) -> None:
    enter(neighbours, "sameid", "email")
    statuses = {sent["status"] for sent in neighbours.own("people/sameid/delete-data", wait=True)}
    assert statuses == {200}
    assert neighbours.users() == []


def test_withdrawal_ends_at_facebook(neighbours: Neighbours) -> None:
    enter(neighbours, "sameid", "email")
    (user,) = neighbours.users()
    with neighbours.app.app_context():
        (job,) = leaving.withdraw(user.id)
        assert leaving.try_unlink(job)
    url = f"http://127.0.0.1:{neighbours.port}/sandbox/api/facebook"
    people = requests.get(url, headers={"X-Sandbox": "1"}, timeout=10).json()["people"]
    (sameid,) = [person for person in people if person["key"] == "sameid"]
    assert not sameid.get("installed")


@pytest.mark.parametrize(
    ("made", "status", "code"),
    [
        ({}, 201, None),
        ({"app_id": "999"}, 401, "FOREIGN_ACCESS_TOKEN"),
        ({"type": "PAGE"}, 401, "INVALID_ACCESS_TOKEN"),
        ({"type": "APP"}, 401, "INVALID_ACCESS_TOKEN"),
    ],
)
def test_apps_token_is_a_persons_and_ours(
    neighbours: Neighbours, made: dict[str, str], status: int, code: str | None
) -> None:
    token = neighbours.own("tokens", person="sameid", **made)["access_token"]
    answer = neighbours.app.test_client().post("/api/auth/facebook/", json={"access_token": token})
    assert (answer.status_code, answer.get_json(force=True).get("code")) == (status, code)
