"""Site and sandbox together: the site's Facebook is the one that the sandbox speaks."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from support.ports import free_port
from support.sandbox import page_of, request_id, running
from werkzeug.serving import make_server

from kakaoauth.accounts import leaving
from kakaoauth.config import embedded
from kakaoauth.config.embedded import SANDBOX_FACEBOOK_CLIENT_ID
from kakaoauth.models import User
from kakaoauth.sandbox import SandboxSettings, bind, create_sandbox
from kakaoauth.sandbox.state.facebook_settings import FacebookSettings
from kakaoauth.storage.database import db


class Neighbours:
    """The site, the sandbox behind a port, and a person's browser between them."""

    def __init__(self, app: Flask, sandbox: Flask, port: int) -> None:
        self.app, self.port = app, port
        self.pages = sandbox.test_client()

    def enter(self, person: str, *items: str) -> tuple[FlaskClient, Any]:
        """Log that person in, who agrees to `items`; the browser and the callback's answer."""
        browser = self.app.test_client()
        address = urlsplit(browser.get("/facebook/login/").location)
        assert address.netloc == f"127.0.0.1:{self.port}"
        step = self.pages.get(f"{address.path}?{address.query}")
        if page_of(step) == "facebook_chooser":
            chosen = {"request": request_id(step), "person": person}
            step = self.pages.get(self.pages.post("/dialog/oauth/person", data=chosen).location)
        if page_of(step) == "facebook_consent":
            agreed = {"request": request_id(step), "item": list(items), "decision": "agree"}
            step = self.pages.post("/dialog/oauth/consent", data=agreed)
        assert step.status_code == 302, step.text
        back = urlsplit(step.location)
        assert back.fragment == "_=_"
        return browser, browser.get(f"{back.path}?{back.query}")

    def order(self, path: str, **body: Any) -> Any:
        url = f"http://127.0.0.1:{self.port}/sandbox/api/facebook/{path}"
        answer = requests.post(url, json=body, headers={"X-Sandbox": "1"}, timeout=10)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def users(self) -> list[User]:
        with self.app.app_context():
            return list(db.session.scalars(db.select(User)))


@pytest.fixture
def neighbours(make_app: Callable[..., Flask]) -> Iterator[Neighbours]:
    port = free_port()
    app = make_app(
        KAKAO_CLIENT_ID="",
        KAKAO_CLIENT_SECRET="",
        SANDBOX_PORT=port,
        FACEBOOK_CLIENT_ID=SANDBOX_FACEBOOK_CLIENT_ID,
    )
    with ExitStack() as stack:
        site = make_server("127.0.0.1", 0, app, threaded=True)
        stack.callback(site.server_close)
        callbacks = f"http://localhost:{site.server_port}/webhooks/facebook"
        facebook = FacebookSettings(
            redirect_uris=("http://localhost/facebook/login/callback/",),
            deauthorize_url=f"{callbacks}/deauthorize/",
            data_deletion_url=f"{callbacks}/data-deletion/",
        )
        sandbox = create_sandbox(
            SandboxSettings(
                client_id=embedded.SANDBOX_CLIENT_ID,
                client_secret=embedded.SANDBOX_CLIENT_SECRET,
                admin_key=embedded.SANDBOX_ADMIN_KEY,
                app_id=embedded.SANDBOX_APP_ID,
                redirect_uris=(),
                facebook=facebook,
            )
        )
        stack.enter_context(running(site))  # type: ignore[arg-type]
        stack.enter_context(running(stack.enter_context(bind(sandbox, port))))
        yield Neighbours(app, sandbox, port)


def test_person_comes_in_and_takes_the_app_away_again(neighbours: Neighbours) -> None:
    browser, answer = neighbours.enter("sameid", "email")
    assert (answer.status_code, answer.location) == (302, "/")
    (user,) = neighbours.users()
    assert (user.provider, user.email) == ("facebook", "same.number@example.com")
    (sent,) = neighbours.order(
        "callbacks/send", kind="deauthorize", person="sameid", flaws=["bad_signature"], wait=True
    )
    assert sent["status"] == 400
    assert browser.get("/users/me/").status_code == 200
    assert neighbours.order("people/sameid/remove", wait=True)[0]["status"] == 200
    assert browser.get("/users/me/").status_code == 302
    assert neighbours.users() == []


def test_without_the_email_nobody_comes_in(neighbours: Neighbours) -> None:
    _, answer = neighbours.enter("sameid")
    assert answer.status_code == 403
    assert 'data-code="EMAIL_REQUIRED"' in answer.text


def test_data_deletion_is_confirmed(neighbours: Neighbours) -> None:
    neighbours.enter("sameid", "email")
    statuses = {sent["status"] for sent in neighbours.order("people/sameid/delete-data", wait=True)}
    assert statuses == {200}
    assert neighbours.users() == []


def test_withdrawal_ends_at_facebook(neighbours: Neighbours) -> None:
    neighbours.enter("sameid", "email")
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
    token = neighbours.order("tokens", person="sameid", **made)["access_token"]
    answer = neighbours.app.test_client().post("/api/auth/facebook/", json={"access_token": token})
    assert (answer.status_code, answer.get_json(force=True).get("code")) == (status, code)
