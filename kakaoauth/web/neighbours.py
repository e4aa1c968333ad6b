"""What an app may have beside us: a LoginManager, a session store, CSRF protection of its own."""

from flask import Flask, current_app
from flask.sessions import SecureCookieSessionInterface
from flask_login import LoginManager
from flask_wtf import CSRFProtect

from kakaoauth.config.checks import ConfigError
from kakaoauth.config.mounting import BLUEPRINT


def check(app: Flask) -> None:
    """:raises ConfigError: the app has something that cannot live together with us."""
    if app.url_map.host_matching:
        raise ConfigError(
            "the app chooses its pages by host (host_matching=True), and kakaoauth's would be on none: use"
            " subdomain_matching, or give kakaoauth an app of its own"
        )
    if type(app.session_interface) is not SecureCookieSessionInterface:
        raise ConfigError(
            f"the app keeps its sessions by {type(app.session_interface).__name__}: remove that; with kakaoauth"
            " flask.session is in Redis, also for the app's own pages"
        )
    manager: LoginManager | None = getattr(app, "login_manager", None)
    if manager is not None and getattr(manager, "_user_callback", None) is not None:
        raise ConfigError(
            "the app has a LoginManager with a user_loader: remove it; flask_login.current_user is kakaoauth's User"
        )


def init_app(app: Flask) -> None:
    """Have the app's CSRFProtect, if it has one, leave our forms and API alone: we check them ourselves."""
    _leave_ours_alone(app)
    app.before_request(leave_ours_alone)


def leave_ours_alone() -> None:
    """Look again: the app may set it up after us. Its check runs after this, in the order of set-up."""
    _leave_ours_alone(current_app)


def _leave_ours_alone(app: Flask) -> None:
    csrf = app.extensions.get("csrf")
    if csrf is app.extensions.get("kakaoauth_csrf") or not isinstance(csrf, CSRFProtect):
        return
    app.extensions["kakaoauth_csrf"] = csrf
    for endpoint, view in app.view_functions.items():
        if endpoint.startswith(f"{BLUEPRINT}."):
            csrf.exempt(view)
