"""The reference site: a small host of the extension that also takes charge of the whole Flask app."""

from collections.abc import Mapping
from typing import Any

from flask import Flask

from kakaoauth import config
from kakaoauth.core import KakaoAuth
from kakaoauth.monitoring import logs
from kakaoauth.web import cors, edge, error_pages

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

    # What holds for every address of an app is its own choice, so the extension does not make it.
    logs.init_app(app)
    error_pages.init_app(app)
    edge.init_app(app)
    cors.init_app(app)
    KakaoAuth(app)
    return app
