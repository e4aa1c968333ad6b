"""The extension: `KakaoAuth` adds the login and the parts around it to a Flask app."""

import re
import threading
from collections.abc import Callable, Collection
from typing import Any, Literal, TypeVar

from flask import Blueprint, Flask
from wtforms import Form

from kakaoauth import api, cli, jobs, providers, sessions
from kakaoauth.accounts import hooks, token_keeper
from kakaoauth.accounts import routes as account_routes
from kakaoauth.config import host
from kakaoauth.config.checks import ConfigError
from kakaoauth.config.mounting import BLUEPRINT
from kakaoauth.login import callback_lock, closed, confirmation, password, sign_up
from kakaoauth.login import routes as login_routes
from kakaoauth.monitoring import routes as monitoring_routes
from kakaoauth.providers.base import Provider
from kakaoauth.staff import actions, audit_log, bulk_actions, import_page, note_taking, overview, user_list, user_page
from kakaoauth.staff import suspensions as suspension_pages
from kakaoauth.storage import database, encryption, health, host_migrations
from kakaoauth.storage import redis as redis_client
from kakaoauth.storage.host_database import HostDatabase
from kakaoauth.web import edge, error_pages, guards, host_guards, neighbours, rate_limits, template_helpers
from kakaoauth.webhooks import routes as webhook_routes

Hook = TypeVar("Hook", bound=Callable[..., Any])
FormClass = TypeVar("FormClass", bound=type[Form])

#: What stands in a path as it is: a browser reads `//x` as a host, and Flask `<x>` as a value.
PREFIX = re.compile(r"(?:/(?!\.\.?(?:/|$))[^/<>?#%\\\s]+)+")

#: Blueprints that are always registered.
LOGIN: tuple[Blueprint, ...] = (
    *(template_helpers.bp, login_routes.bp, password.bp, account_routes.bp, confirmation.bp),
    *(sign_up.bp, closed.bp),
)
#: Optional parts by name.
FEATURES: dict[str, tuple[Blueprint, ...]] = {
    "staff": (
        user_list.bp,
        user_page.bp,
        actions.bp,
        bulk_actions.bp,
        note_taking.bp,
        import_page.bp,
        suspension_pages.bp,
        audit_log.bp,
        overview.bp,
    ),
    "api": (api.bp,),
    "monitoring": (monitoring_routes.bp,),
    "webhooks": (webhook_routes.bp, webhook_routes.pages),
}


class KakaoAuth:
    """Kakao login for one or several Flask apps.

    Settings come from `app.config`. What belongs to the whole app (its first page, error handlers, host names, headers
    of its own responses, log format) is left to the host, see `kakaoauth.site`. `init_app` takes the same arguments
    and, for one app, precedes those given here.

    :param db: the app's Flask-SQLAlchemy, already set up for it: one pool and one transaction for both. Without it, or
        with False, a database of our own at DATABASE_URL.
    :param url_prefix: what our addresses begin with; empty for none.
    :param features: which optional parts to serve, of FEATURES; all of them if not given.
    :param sign_up_form: what a first login asks besides the terms: see the method of that name.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        db: HostDatabase | Literal[False] | None = None,
        url_prefix: str = "/auth",
        features: Collection[str] = tuple(FEATURES),
        sign_up_form: type[Form] | None = None,
    ) -> None:
        self.db = db
        self.url_prefix = url_prefix
        self.features = features
        self.hooks = hooks.Hooks()
        if sign_up_form is not None:
            self.sign_up_form(sign_up_form)
        if app is not None:
            self.init_app(app)

    def init_app(
        self,
        app: Flask,
        *,
        db: HostDatabase | Literal[False] | None = None,
        url_prefix: str | None = None,
        features: Collection[str] | None = None,
    ) -> None:
        """Set up storage, sessions and providers on `app`, and register the blueprints and commands.

        :raises ConfigError: an argument or a setting is wrong, or something of the app cannot live beside us; one line
            that says what to do.
        """
        db = self.db if db is None else db
        _check_once(app)
        app.config["KAKAOAUTH_URL_PREFIX"] = _checked_prefix(self.url_prefix if url_prefix is None else url_prefix)
        app.config["KAKAOAUTH_FEATURES"] = _checked_features(self.features if features is None else features)
        host.complete(app, has_database=bool(db), is_separate=db is False)
        neighbours.check(app)
        app.extensions["kakaoauth"] = self
        app.extensions["kakaoauth_hooks"] = self.hooks
        redis_client.init_app(app)
        database.init_app(app, db)
        host_migrations.init_app(app)
        health.init_app(app)
        sessions.init_app(app, guards.ask_to_log_in)
        callback_lock.init_app(app)
        rate_limits.init_app(app)
        encryption.init_app(app)
        providers.init_app(app, token_keeper)
        template_helpers.init_app(app)
        app.register_blueprint(_blueprint(app))
        neighbours.init_app(app)
        host_guards.init_app(app)
        edge.keep_on_this_machine(app)
        cli.init_app(app)

    def before_sign_up(self, hook: Hook) -> Hook:
        """Decorator: call `hook(profile)` before a first login creates the account, inside its transaction.

        `profile` is what the provider says (`providers.values.Profile`). Raise `Refused` to refuse; any other exception
        leaves the account unmade, too.
        """
        self.hooks.before_sign_up.append(hook)
        return hook

    def sign_up_form(self, form: FormClass) -> FormClass:
        """Decorator: ask the fields of a WTForms class in the sign-up step of a first login, after the terms.

        What it has validated is `profile.fields` in `before_sign_up`, and `fields` in the signal `user_signed_up`.

        :raises ConfigError: not a WTForms class.
        """
        if not (isinstance(form, type) and issubclass(form, Form)):
            raise ConfigError("sign_up_form must be a class made from wtforms.Form")
        self.hooks.sign_up_form = form
        return form

    def before_leave(self, hook: Hook) -> Hook:
        """Decorator: call `hook(user)` before an account is erased, inside its transaction.

        Raise `Refused` to refuse a person or a superuser. A message of the provider that the person has withdrawn their
        consent cannot be refused: then the exception is logged and the account is erased all the same.
        """
        self.hooks.before_leave.append(hook)
        return hook

    def export(self, hook: Hook) -> Hook:
        """Decorator: `hook(user)` returns what the app holds about a person, for the file with everything that is held
        about them: values that JSON has, dates and times. It stands under `site`, by the function's name.
        """
        self.hooks.export.append(hook)
        return hook

    @staticmethod
    def start_jobs(app: Flask) -> threading.Event:
        """Begin, in a thread of this process, what a running app does by itself: retry unlinks, act on messages that
        wait, store counters, remove old rows. Says in the log if the schema is behind.

        Call it in each process of the server, after the fork: gunicorn's `post_worker_init`. Without such a place
        `flask kakaoauth work` does the same. Set the returned event to end it.
        """
        with app.app_context():
            health.schema_is_usable()
        return jobs.start(app)

    @staticmethod
    def api(provider: str) -> Provider:
        """Return a provider whose `get(path)` and `post(path)` call its API as the current user.

        The token of this session's login is used, and refreshed as needed:
        `auth.api("kakao").get("/v2/user/me").json()`. :raises NotFound: no such provider here.
        """
        return providers.get_provider(provider)


def _check_once(app: Flask) -> None:
    if "kakaoauth" in app.extensions:
        raise ConfigError("this app has kakaoauth already: call init_app once, or give the app to KakaoAuth(app)")


def _checked_prefix(prefix: str) -> str:
    prefix = prefix.rstrip("/")
    if prefix and not prefix.startswith("/"):
        raise ConfigError(f"url_prefix must begin with a slash, like /{prefix}")
    if prefix and not PREFIX.fullmatch(prefix):
        raise ConfigError("url_prefix must be a path like /auth: no empty or dotted part, no blank, none of <>?#%\\")
    return prefix


def _checked_features(features: Collection[str]) -> frozenset[str]:
    if isinstance(features, str):
        raise ConfigError(f"features must be a list of names: {{{features!r}}}")
    if unknown := set(features) - FEATURES.keys():
        raise ConfigError(f"unknown feature {sorted(unknown)[0]!r}: choose among {', '.join(FEATURES)}")
    return frozenset(features)


def _blueprint(app: Flask) -> Blueprint:
    """The parent of all of ours: its hooks hold for our own pages, whatever the app does on others."""
    parent = Blueprint(BLUEPRINT, __name__, url_prefix=app.config["KAKAOAUTH_URL_PREFIX"] or None)
    edge.init_blueprint(parent)
    error_pages.init_blueprint(parent)
    chosen = [bp for name, parts in FEATURES.items() if name in app.config["KAKAOAUTH_FEATURES"] for bp in parts]
    for bp in (*LOGIN, *chosen):
        parent.register_blueprint(bp)
    return parent
