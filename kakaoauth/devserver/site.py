"""The reference site under the supervisor, and what every app under it does before it serves: schema, sandbox."""

import os
import sys
from typing import Any

from flask import Flask
from flask.cli import ScriptInfo
from flask.cli import main as flask_main
from gunicorn.app import wsgiapp  # type: ignore[import-untyped]
from redis.exceptions import RedisClusterException, RedisError
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from kakaoauth.storage import schema


class Site:
    """The reference site, by gunicorn. Each method is called in a process of its own."""

    #: As `flask --app` reads it.
    name = "wsgi"
    #: What answers with 200 when the app serves; None if it answers from the beginning.
    probe: str | None = "/healthz"
    #: The exit status of a server that wants to be started anew.
    again: int | None = None

    def load(self) -> Flask:
        """Import and make the app."""
        return ScriptInfo(app_import_path=self.name).load_app()

    def prepare(self) -> None:
        """Bring the schema up to date, and meet a Redis of one's own: by way of the app, which knows how."""
        try:
            app = self.load()
            if "redis" not in app.config["KAKAOAUTH_EMBEDDED"]:
                app.extensions["kakaoauth_redis"].ping()
            with app.app_context():
                schema.upgrade()
                self.upgrade_own(app)
        except (RedisError, RedisClusterException) as error:
            sys.exit(
                f"kakaoauth: REDIS_URL does not answer ({first_line(error)}): start that Redis, correct REDIS_URL,"
                " or remove it to use the embedded one"
            )
        except (SQLAlchemyError, ImportError) as error:
            reason = first_line(getattr(error, "orig", None) or error)
            sys.exit(f"kakaoauth: the database cannot be used ({reason}): start it or correct DATABASE_URL")

    def upgrade_own(self, app: Flask) -> None:
        """Nothing: the site has no tables but kakaoauth's."""

    def serve_sandbox(self) -> None:
        """Run `flask kakaoauth kakao sandbox`: it is told the app's own addresses."""
        self.command("kakaoauth", "kakao", "sandbox")

    def command(self, *words: str) -> None:
        """Run `flask --app ... WORDS`."""
        sys.argv = ["flask", "--app", self.name, *words]
        flask_main()

    def serve(self) -> None:
        """Run gunicorn with one worker."""
        # These two are for production; here they could move the site to another address.
        os.environ.pop("GUNICORN_CMD_ARGS", None)
        os.environ.pop("WEB_CONCURRENCY", None)
        sys.argv = ["gunicorn", "--workers=1", "--graceful-timeout=2", "--log-level=warning", f"{self.name}:app"]
        wsgiapp.run()

    def describe(self, settings: dict[str, Any]) -> dict[str, str]:
        """What is said of it once it serves: label -> text."""
        database = make_url(settings["SQLALCHEMY_DATABASE_URI"]).render_as_string(hide_password=True)
        return {"Database": database}


def first_line(error: BaseException) -> str:
    """Return an error's first line, or its class's name."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".:") if lines else type(error).__name__
