"""The site: `create_app` puts every part together and does nothing else."""

from collections.abc import Mapping
from typing import Any

from flask import Flask

from kakaoauth import (
    account,
    api,
    auth,
    claims,
    cli,
    config,
    confirm,
    cors,
    desk,
    edge,
    error_pages,
    extensions,
    health,
    local_login,
    logs,
    ops,
    overview,
    pages,
    provider_tokens,
    providers,
    rate_limits,
    redis_client,
    sessions,
    suspended,
    trail,
    user_actions,
    users,
    vault,
    webhooks,
)

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
    extensions.init_app(app)
    health.init_app(app)
    sessions.init_app(app)
    claims.init_app(app)
    rate_limits.init_app(app)
    vault.init_app(app)
    providers.init_app(app, provider_tokens)
    pages.init_app(app)

    app.register_blueprint(auth.bp)
    app.register_blueprint(local_login.bp)
    app.register_blueprint(account.bp)
    app.register_blueprint(confirm.bp)
    app.register_blueprint(users.bp)
    app.register_blueprint(desk.bp)
    app.register_blueprint(user_actions.bp)
    app.register_blueprint(suspended.bp)
    app.register_blueprint(trail.bp)
    app.register_blueprint(overview.bp)
    app.register_blueprint(api.bp)
    app.register_blueprint(ops.bp)
    app.register_blueprint(webhooks.bp)
    cli.init_app(app)
    return app
