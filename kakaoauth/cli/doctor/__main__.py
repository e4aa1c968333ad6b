"""`python -m kakaoauth.cli.doctor`: the doctor for a configuration that is refused at start as well."""

import contextlib
import io
import sys

import click
from flask import Flask
from flask.cli import ScriptInfo

from kakaoauth.cli.doctor import examine, examine_refused, options
from kakaoauth.config.checks import ConfigError
from kakaoauth.config.settings import ROOT


def load() -> Flask:
    """Make the site the way `flask --app wsgi` does.

    :raises ConfigError: instead of the exit that wsgi makes of it.
    """
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            handle = ROOT / "wsgi.py"
            path = str(handle) if handle.exists() else "kakaoauth:create_app"
            return ScriptInfo(app_import_path=path).load_app()
    except SystemExit as ended:
        if isinstance(ended.__context__, ConfigError):
            raise ended.__context__ from None
        raise


@click.command()
@options
def main(lang: str | None, json: bool) -> None:
    """Check the whole configuration and say what is wrong."""
    try:
        app = load()
    except ConfigError as error:
        healthy = examine_refused(error, lang=lang, json=json)
    else:
        healthy = examine(app, lang=lang, json=json)
    sys.exit(0 if healthy else 1)


main(prog_name="python -m kakaoauth.cli.doctor")
