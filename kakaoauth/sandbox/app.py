"""The sandbox put together."""

from pathlib import Path

from flask import Flask
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException

from kakaoauth.sandbox import (
    api,
    api_logins,
    api_people,
    authorize,
    console_page,
    fault_page,
    faults,
    home,
    kapi,
    logout,
    oidc,
    pages,
    scopes,
    token,
    tools,
    webhook_page,
)
from kakaoauth.sandbox.access import check_address
from kakaoauth.sandbox.clock import Clock
from kakaoauth.sandbox.context import EXTENSION
from kakaoauth.sandbox.errors import KapiError, KauthError, PageError
from kakaoauth.sandbox.facebook import corner
from kakaoauth.sandbox.keys import KeyRing
from kakaoauth.sandbox.loopback import refuse_strangers
from kakaoauth.sandbox.settings import CATALOGUE, SandboxSettings
from kakaoauth.sandbox.state import State

LARGEST_BODY = 64 * 1024
TEMPLATES = Path(__file__).parents[2] / "templates"


def create_sandbox(settings: SandboxSettings, *, clock: Clock | None = None, keyring: KeyRing | None = None) -> Flask:
    """Return the sandbox as a Flask app; its State is `app.extensions["kakaoauth_sandbox"]`."""
    state = State(settings, clock or Clock(), keyring or KeyRing())
    app = Flask("kakaoauth.sandbox", template_folder=str(TEMPLATES))
    app.config.update(
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        # Cookies know no ports: the site on localhost must not find its own name taken
        SESSION_COOKIE_NAME="sandbox_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    app.secret_key = state.session_secret
    app.extensions[EXTENSION] = state
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.globals["catalogue"] = CATALOGUE
    app.before_request(refuse_strangers)
    app.before_request(faults.before)
    app.before_request(check_address)
    # Flask calls these from the last to the first: a fault's answer gets headers, too, and the log sees the end
    app.after_request(faults.note)
    app.after_request(pages.add_headers)
    app.after_request(faults.after)
    for module in (home, authorize, token, oidc, kapi, scopes, logout, faults):
        app.register_blueprint(module.bp)
    for module in (console_page, fault_page, webhook_page, tools, api, api_people, api_logins):
        app.register_blueprint(module.bp)
    corner.add_to(app)
    app.register_error_handler(PageError, pages.show_page_error)
    app.register_error_handler(KauthError, pages.show_kauth_error)
    app.register_error_handler(KapiError, pages.show_kapi_error)
    app.register_error_handler(HTTPException, pages.show_http_error)
    return app
