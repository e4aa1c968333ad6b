"""The extension: `KakaoAuth` adds the login and the parts around it to a Flask app."""

from collections.abc import Collection
from typing import Literal

from flask import Blueprint, Flask

from kakaoauth import api, cli, providers, sessions
from kakaoauth.accounts import routes as account_routes
from kakaoauth.accounts import token_keeper
from kakaoauth.config.checks import ConfigError
from kakaoauth.login import callback_lock, confirmation, password
from kakaoauth.login import routes as login_routes
from kakaoauth.monitoring import routes as monitoring_routes
from kakaoauth.sessions.csrf_tokens import csrf
from kakaoauth.staff import actions, audit_log, overview, user_list, user_page
from kakaoauth.staff import suspensions as suspension_pages
from kakaoauth.storage import database, encryption, health
from kakaoauth.storage import redis as redis_client
from kakaoauth.storage.host_database import HostDatabase
from kakaoauth.web import rate_limits, template_helpers
from kakaoauth.webhooks import routes as webhook_routes

#: Blueprints that are always registered.
LOGIN: tuple[Blueprint, ...] = (template_helpers.bp, login_routes.bp, password.bp, account_routes.bp, confirmation.bp)
#: Optional parts by name.
FEATURES: dict[str, tuple[Blueprint, ...]] = {
    "staff": (user_list.bp, user_page.bp, actions.bp, suspension_pages.bp, audit_log.bp, overview.bp),
    "api": (api.bp,),
    "monitoring": (monitoring_routes.bp,),
    "webhooks": (webhook_routes.bp, webhook_routes.pages),
}


class KakaoAuth:
    """Kakao login for one or several Flask apps.

    Settings come from `app.config`. What belongs to the whole app (error handlers, host names, headers of every
    response, log format) is left to the host, see `kakaoauth.site`.

    :param db: the app's Flask-SQLAlchemy, already set up for it: one pool and one transaction for both. Without it, or
        with False, a database of our own at DATABASE_URL.
    :param features: which optional parts to serve, of FEATURES; all of them if not given.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        db: HostDatabase | Literal[False] | None = None,
        features: Collection[str] = tuple(FEATURES),
    ) -> None:
        self.features = features
        if app is not None:
            self.init_app(app, db=db)

    def init_app(self, app: Flask, *, db: HostDatabase | Literal[False] | None = None) -> None:
        """Set up storage, sessions and providers on `app`, and register the blueprints and commands.

        :raises ConfigError: `features` names a part that does not exist, or `db` cannot be used.
        """
        if unknown := set(self.features) - FEATURES.keys():
            raise ConfigError(f"unknown feature {sorted(unknown)[0]!r}: choose among {', '.join(FEATURES)}")
        redis_client.init_app(app)
        database.init_app(app, db)
        csrf.init_app(app)
        health.init_app(app)
        sessions.init_app(app)
        callback_lock.init_app(app)
        rate_limits.init_app(app)
        encryption.init_app(app)
        providers.init_app(app, token_keeper)
        template_helpers.init_app(app)
        for bp in (*LOGIN, *(bp for name, parts in FEATURES.items() if name in self.features for bp in parts)):
            app.register_blueprint(bp)
        cli.init_app(app)
        app.extensions["kakaoauth"] = self
