"""The reference site: a Flask app with the extension, and with what belongs to a whole app."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from flask import Flask

from kakaoauth import cli, config
from kakaoauth.config import Settings
from kakaoauth.core import KakaoAuth
from kakaoauth.monitoring import logs
from kakaoauth.web import brand, edge, error_pages, parts

#: Flask names its logger after it.
PACKAGE = "kakaoauth"


def create_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """Create the site.

    :param overrides: settings for tests; with them neither the environment nor a file is read.
    :raises ConfigError: a setting is missing or wrong.
    """
    settings = config.load(overrides)
    app = Flask(PACKAGE, static_folder=None, template_folder=None, instance_path=settings["INSTANCE_PATH"])
    app.config.update(settings)
    # Flask asks of each hook and view at each request whether it is a coroutine: some ten times for a page.
    app.ensure_sync = lru_cache(maxsize=500)(app.ensure_sync)  # type: ignore[method-assign]
    KakaoAuth(app, url_prefix="")

    # These apply to every URL of the app, so the extension leaves them to the site.
    logs.init_app(app)
    error_pages.init_app(app)
    edge.init_app(app)
    brand.init_app(app)
    parts.init_app(app)
    cli.add_to_site(app)
    _require_layout(app)
    return app


def _require_layout(app: Flask) -> None:
    """:raises ConfigError: no such template, which each page would only find out by failing."""
    name = app.config["KAKAOAUTH_LAYOUT"]
    if name != Settings.KAKAOAUTH_LAYOUT and name not in app.jinja_env.list_templates():
        raise config.ConfigError(
            f"KAKAOAUTH_LAYOUT: the site has no template {name[:60]!r}: remove it, or build on the extension"
        )
