"""Site and sandbox together: the site's Naver, Google or Apple is the one that the sandbox speaks."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from kakaoauth.config import embedded
from kakaoauth.config import providers as provider_settings
from kakaoauth.models import User
from kakaoauth.sandbox import SandboxSettings, bind, create_sandbox
from kakaoauth.storage.database import db
from support.accounts import RINGS, posted
from support.ports import free_port
from support.sandbox import page_of, request_id, running

#: What each is told where messages go, and where they go.
MESSAGES = {
    "naver": ("disconnect_url", "disconnect"),
    "google": ("events_url", "events"),
    "apple": ("notification_url", "notifications"),
}


class Neighbours:
    """The site, the sandbox behind a port, and a person's browser between them."""

    def __init__(self, provider: str, app: Flask, sandbox: Flask, port: int, site_port: int) -> None:
        self.provider, self.app, self.port, self.site_port = provider, app, port, site_port
        self.state = sandbox.extensions["kakaoauth_sandbox"]
        self.pages = sandbox.test_client()

    @property
    def callback(self) -> str:
        return f"http://localhost/{self.provider}/login/callback/"

    def visitor(self) -> FlaskClient:
        """A browser that reads English."""
        browser = self.app.test_client()
        browser.get("/?lang=en")
        return browser

    def press(self, browser: FlaskClient, path: str = "", **query: str) -> Any:
        """Press the site's button; the provider's first page."""
        begun = browser.get(path or f"/{self.provider}/login/", query_string=query)
        assert begun.status_code == 302, begun.text
        return self.follow(begun.location)

    def follow(self, location: str) -> Any:
        address = urlsplit(location)
        assert address.netloc == f"127.0.0.1:{self.port}", location
        return self.pages.get(f"{address.path}?{address.query}")

    def walk(self, step: Any, person: str, *items: str, decision: str = "agree", **form: str) -> Any:
        """Walk through the provider's pages; the last one leads back to the site."""
        prefix = f"/{self.provider}/login"
        if page_of(step) == "account_chooser":
            chosen = {"request": request_id(step), "person": person}
            step = self.pages.get(self.pages.post(f"{prefix}/person", data=chosen).location)
        if page_of(step) == "account_consent":
            agreed = {"request": request_id(step), "item": list(items), "decision": decision, **form}
            step = self.pages.post(f"{prefix}/consent", data=agreed)
        return step

    def back(self, browser: FlaskClient, step: Any) -> Any:
        """Return to the site as the provider sends the browser: by a redirect, or by a form."""
        if page_of(step) == "account_form_post":
            fields = posted(step, self.callback)
            stranger = self.app.test_client()  # from another site a POST brings no Lax cookie
            answer = stranger.post(urlsplit(self.callback).path, data=fields)
            assert answer.status_code == 303, answer.text
            assert "Set-Cookie" not in answer.headers
            return browser.get(answer.location)
        assert step.status_code == 302, step.text
        address = urlsplit(step.location)
        return browser.get(f"{address.path}?{address.query}")

    def enter(self, person: str, *items: str, **form: str) -> tuple[FlaskClient, Any]:
        """Log that person in; the browser and the callback's answer."""
        browser = self.visitor()
        return browser, self.back(browser, self.walk(self.press(browser), person, *items, **form))

    def enter_by_kakao(self, person: str) -> FlaskClient:
        """Log that person in by Kakao, who agrees to everything."""
        browser = self.visitor()
        step = self.follow(browser.get("/kakao/login/").location)
        if page_of(step) == "chooser":
            chosen = {"request": request_id(step), "person": person}
            step = self.pages.get(self.pages.post("/oauth/authorize/person", data=chosen).location)
        if page_of(step) == "consent":
            agreed = {"request": request_id(step), "item": ["account_email"], "decision": "agree"}
            step = self.pages.post("/oauth/authorize/consent", data=agreed)
        address = urlsplit(step.location)
        assert browser.get(f"{address.path}?{address.query}").status_code == 302
        return browser

    def order(self, path: str, method: str = "POST", **body: Any) -> Any:
        url = f"http://127.0.0.1:{self.port}/sandbox/api/{path}"
        answer = requests.request(method, url, json=body, headers={"X-Sandbox": "1"}, timeout=10)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def own(self, path: str, method: str = "POST", **body: Any) -> Any:
        """An order about this provider."""
        return self.order(f"{self.provider}/{path}".rstrip("/"), method, **body)

    def users(self) -> list[User]:
        with self.app.app_context():
            return list(db.session.scalars(db.select(User)))

    def is_linked(self, person: str) -> bool:
        return person in self.state.accounts[self.provider].consents

    def api(self, **body: Any) -> Any:
        return self.app.test_client().post(f"/api/auth/{self.provider}/", json=body, headers={"Accept-Language": "en"})


@contextmanager
def neighbours_of(provider: str, make_app: Callable[..., Flask], **settings: Any) -> Iterator[Neighbours]:
    """Serve both for real, for one of the three providers."""
    own_id = {f"{provider.upper()}_CLIENT_ID": provider_settings.SANDBOX[provider.upper()]["CLIENT_ID"]}
    with side_by_side(provider, make_app, lambda _: {}, **own_id, **settings) as found:
        name, path = MESSAGES[provider]
        address = f"http://localhost:{found.site_port}/webhooks/{provider}/{path}/"
        found.state.change_account_settings(
            provider, redirect_uris=(found.callback, "http://localhost:8002/oauth"), **{name: address}
        )
        yield found


@contextmanager
def side_by_side(
    provider: str, make_app: Callable[..., Flask], console: Callable[[str], dict[str, Any]], **settings: Any
) -> Iterator[Neighbours]:
    """Serve both for real. :param console: further settings of the sandbox, by the address of the site."""
    port = free_port()
    app = make_app(KAKAO_CLIENT_ID="", KAKAO_CLIENT_SECRET="", SANDBOX_PORT=port, **settings)
    with ExitStack() as stack:
        site = make_server("127.0.0.1", 0, app, threaded=True)
        stack.callback(site.server_close)
        sandbox = create_sandbox(
            SandboxSettings(
                client_id=embedded.SANDBOX_CLIENT_ID,
                client_secret=embedded.SANDBOX_CLIENT_SECRET,
                admin_key=embedded.SANDBOX_ADMIN_KEY,
                app_id=embedded.SANDBOX_APP_ID,
                redirect_uris=("http://localhost/kakao/login/callback/",),
                issuer=f"http://127.0.0.1:{port}",
                **console(f"http://localhost:{site.server_port}"),
            ),
            keyrings=RINGS,
        )
        stack.enter_context(running(site))  # type: ignore[arg-type]
        stack.enter_context(running(stack.enter_context(bind(sandbox, port))))
        yield Neighbours(provider, app, sandbox, port, site.server_port)
