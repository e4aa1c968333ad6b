"""The sandbox put together."""

from collections.abc import Mapping

from flask import Flask
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException

from kakaoauth.sandbox.accounts.errors import LoginPageError, NaverApiError, OAuthError
from kakaoauth.sandbox.apple import login as apple_login
from kakaoauth.sandbox.apple import oidc as apple_oidc
from kakaoauth.sandbox.apple import token as apple_token
from kakaoauth.sandbox.clock import Clock
from kakaoauth.sandbox.control import (
    api,
    api_accounts,
    api_facebook,
    api_logins,
    api_people,
    page_accounts,
    page_console,
    page_facebook,
    page_faults,
    page_home,
    page_pictures,
    page_tools,
    page_webhooks,
)
from kakaoauth.sandbox.errors import KapiError, KauthError, PageError
from kakaoauth.sandbox.facebook import dialog, exchange, graph
from kakaoauth.sandbox.facebook.errors import DialogError, GraphError
from kakaoauth.sandbox.facebook.routing import add_converters
from kakaoauth.sandbox.faults import hooks
from kakaoauth.sandbox.google import events as google_events
from kakaoauth.sandbox.google import login as google_login
from kakaoauth.sandbox.google import oidc as google_oidc
from kakaoauth.sandbox.google import token as google_token
from kakaoauth.sandbox.kakao import authorize, logout, oidc, scopes, service_terms, token, user_api
from kakaoauth.sandbox.kakao.authentication import check_address
from kakaoauth.sandbox.loopback import refuse_strangers
from kakaoauth.sandbox.naver import api as naver_api
from kakaoauth.sandbox.naver import login as naver_login
from kakaoauth.sandbox.naver import token as naver_token
from kakaoauth.sandbox.pages import responses
from kakaoauth.sandbox.people.pictures import DEFAULT, picture_of
from kakaoauth.sandbox.signing.keys import KeyRing
from kakaoauth.sandbox.state.context import EXTENSION
from kakaoauth.sandbox.state.settings import CATALOGUE, SandboxSettings
from kakaoauth.sandbox.state.state import State

LARGEST_BODY = 64 * 1024


def create_sandbox(
    settings: SandboxSettings,
    *,
    clock: Clock | None = None,
    keyring: KeyRing | None = None,
    keyrings: Mapping[str, KeyRing] | None = None,
) -> Flask:
    """Return the sandbox as a Flask app; its State is `app.extensions["kakaoauth_sandbox"]`.

    `keyring` holds Kakao's keys, `keyrings` those of naver, google and apple; what is not given is made.
    """
    state = State(settings, clock or Clock(), keyring or KeyRing(), keyrings)
    app = Flask(__package__ or __name__)
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
    app.jinja_env.globals.update(catalogue=CATALOGUE, picture_of=picture_of, no_picture=DEFAULT)
    app.before_request(refuse_strangers)
    app.before_request(hooks.before)
    app.before_request(check_address)
    # Flask calls these from the last to the first: a fault's answer gets headers, too, and the log sees the end
    app.after_request(hooks.write_to_log)
    app.after_request(responses.add_headers)
    app.after_request(hooks.after)
    add_converters(app)
    _register_blueprints(app)
    _register_errors(app)
    return app


def _register_blueprints(app: Flask) -> None:
    for module in (authorize, token, oidc, user_api, scopes, service_terms, logout):
        app.register_blueprint(module.bp)
    for module in (dialog, exchange, graph):
        app.register_blueprint(module.bp)
    for module in (naver_login, naver_token, naver_api, google_login, google_token, google_oidc, google_events):
        app.register_blueprint(module.bp)
    for module in (apple_login, apple_token, apple_oidc):
        app.register_blueprint(module.bp)
    for module in (page_home, page_console, page_faults, page_webhooks, page_tools, page_facebook, page_accounts):
        app.register_blueprint(module.bp)
    for module in (page_pictures, api, api_people, api_logins, api_facebook, api_accounts, hooks):
        app.register_blueprint(module.bp)


def _register_errors(app: Flask) -> None:
    app.register_error_handler(PageError, responses.show_page_error)
    app.register_error_handler(KauthError, responses.show_kauth_error)
    app.register_error_handler(KapiError, responses.show_kapi_error)
    app.register_error_handler(GraphError, responses.show_graph_error)
    app.register_error_handler(DialogError, responses.show_dialog_error)
    app.register_error_handler(HTTPException, responses.show_http_error)
    app.register_error_handler(LoginPageError, responses.show_login_page_error)
    app.register_error_handler(OAuthError, responses.show_json_error)
    app.register_error_handler(NaverApiError, responses.show_json_error)
