"""What an app may have beside us: a LoginManager, a session store, CSRF protection of its own."""

from typing import Any

from flask import Flask, current_app
from flask.sessions import SecureCookieSessionInterface
from flask_login import LoginManager
from flask_wtf import CSRFProtect

from kakaoauth.config.checks import ConfigError
from kakaoauth.config.mounting import BLUEPRINT
from kakaoauth.sessions import login_manager
from kakaoauth.sessions.store import RedisSessionInterface
from kakaoauth.storage import host_migrations


def check(app: Flask) -> None:
    """:raises ConfigError: the app has something that cannot live together with us."""
    if app.url_map.host_matching:
        raise ConfigError(
            "the app chooses its pages by host (host_matching=True), and kakaoauth's would be on none: use"
            " subdomain_matching, or give kakaoauth an app of its own"
        )
    _check_session_store(app, type(app.session_interface) is SecureCookieSessionInterface)
    _check_login_manager(app)


def init_app(app: Flask) -> None:
    """Have the app's CSRFProtect, if it has one, leave our forms and API alone: we check them ourselves."""
    _leave_ours_alone(app)
    app.before_request(look_again)


def look_again() -> None:
    """The app may set up all of that after us. CSRFProtect's check runs after this, in the order of set-up.

    :raises ConfigError:
    """
    app: Any = current_app._get_current_object()  # type: ignore[attr-defined]
    host_migrations.stop_looking(app)
    _leave_ours_alone(app)
    _check_session_store(app, isinstance(app.session_interface, RedisSessionInterface))
    if app.login_manager is not login_manager:
        _check_login_manager(app)
        app.login_manager = login_manager


def _check_session_store(app: Flask, is_allowed: bool) -> None:
    if not is_allowed:
        raise ConfigError(
            f"the app keeps its sessions by {type(app.session_interface).__name__}: remove that; with kakaoauth"
            " flask.session is in Redis, also for the app's own pages"
        )


def _check_login_manager(app: Flask) -> None:
    manager: LoginManager | None = getattr(app, "login_manager", None)
    if manager is not None and getattr(manager, "_user_callback", None) is not None:
        raise ConfigError(
            "the app has a LoginManager with a user_loader: remove it; flask_login.current_user is kakaoauth's User"
        )


def _leave_ours_alone(app: Flask) -> None:
    csrf = app.extensions.get("csrf")
    if csrf is app.extensions.get("kakaoauth_csrf") or not isinstance(csrf, CSRFProtect):
        return
    app.extensions["kakaoauth_csrf"] = csrf
    for endpoint, view in app.view_functions.items():
        if endpoint.startswith(f"{BLUEPRINT}."):
            csrf.exempt(view)
