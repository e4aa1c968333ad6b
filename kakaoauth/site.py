"""The site: `create_app` puts every part together and does nothing else."""

from collections.abc import Mapping
from typing import Any

from flask import Flask

from kakaoauth import api, cli, config, providers, sessions
from kakaoauth.accounts import routes as account_routes
from kakaoauth.accounts import token_keeper
from kakaoauth.login import callback_lock, confirmation, password
from kakaoauth.login import routes as login_routes
from kakaoauth.monitoring import logs
from kakaoauth.monitoring import routes as monitoring_routes
from kakaoauth.staff import actions, audit_log, overview, user_list, user_page
from kakaoauth.staff import suspensions as suspension_pages
from kakaoauth.storage import database, encryption, health
from kakaoauth.storage import redis as redis_client
from kakaoauth.web import cors, edge, error_pages, rate_limits, template_helpers
from kakaoauth.webhooks import routes as webhook_routes

#: Flask looks for `static/` beside it, and names its logger after it.
PACKAGE = "kakaoauth"


def create_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """Make the site.

    :param overrides: settings for tests; with them neither the environment nor a file is read.
    :raises ConfigError: half a configuration.
    """
    settings = config.load(overrides)
    app = Flask(PACKAGE, template_folder="../templates", instance_path=settings["INSTANCE_PATH"])
    app.config.update(settings)

    logs.init_app(app)
    error_pages.init_app(app)
    edge.init_app(app)
    cors.init_app(app)
    redis_client.init_app(app)
    database.init_app(app)
    health.init_app(app)
    sessions.init_app(app)
    callback_lock.init_app(app)
    rate_limits.init_app(app)
    encryption.init_app(app)
    providers.init_app(app, token_keeper)
    template_helpers.init_app(app)

    app.register_blueprint(login_routes.bp)
    app.register_blueprint(password.bp)
    app.register_blueprint(account_routes.bp)
    app.register_blueprint(confirmation.bp)
    app.register_blueprint(user_list.bp)
    app.register_blueprint(user_page.bp)
    app.register_blueprint(actions.bp)
    app.register_blueprint(suspension_pages.bp)
    app.register_blueprint(audit_log.bp)
    app.register_blueprint(overview.bp)
    app.register_blueprint(api.bp)
    app.register_blueprint(monitoring_routes.bp)
    app.register_blueprint(webhook_routes.bp)
    cli.init_app(app)
    return app
