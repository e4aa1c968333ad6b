"""Somebody's own app under the supervisor, which is `kakaoauth dev`: Werkzeug's reloader and debugger serve it.

The supervisor forks for each start of the app, and so does a reload: a changed file ends the server with RELOAD, and
the next one is forked. What the app does not change, kakaoauth and its libraries, is imported once.
"""

import json
import os
import socket
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import flask_migrate
from flask import Flask
from flask.cli import NoAppException
from werkzeug.debug import DebuggedApplication
from werkzeug.serving import WSGIRequestHandler, run_simple

from kakaoauth.config.checks import ConfigError, is_loopback
from kakaoauth.config.embedded import secret_of_this_machine
from kakaoauth.config.host import DEV_FOLDER
from kakaoauth.config.loopback import is_of_a_proxy
from kakaoauth.devserver.processes import Refused, start
from kakaoauth.devserver.site import Site, first_line

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: Werkzeug's exit status for "a file has changed".
RELOAD = 3
#: What apps read from the environment in production. Empty, it counts as not given.
EMPTY = ("REDIS_URL", "KAKAO_CLIENT_ID", "KAKAO_CLIENT_SECRET", "KAKAO_ADMIN_KEY", "KAKAO_APP_ID")
#: Whose lines in a traceback do not help the app's author.
NOT_THEIRS = ("/flask/", "/click/", "/kakaoauth/", "<frozen importlib")


class HostApp(Site):
    """An app that uses the extension. :param name: as `flask --app` reads it."""

    probe = None  # the socket listens before the server is there: requests wait
    again = RELOAD

    def __init__(self, name: str) -> None:
        self.name = name
        self._listener: socket.socket | None = None

    def load(self) -> Flask:
        """:raises Refused: it has no kakaoauth."""
        app = super().load()
        if "kakaoauth" not in app.extensions:
            raise Refused(f"{self.name} has no kakaoauth: call KakaoAuth(app, ...) or auth.init_app(app, ...) in it")
        return app

    def listen(self, port: int) -> None:
        """Take the port, for all the servers that follow each other. On this machine only, whatever the app says."""
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)

    def upgrade_own(self, app: Flask) -> None:
        """Run the app's own `flask db upgrade`, where it has Flask-Migrate and migrations."""
        if not _migrations(app):
            return
        try:
            flask_migrate.upgrade()
        except Exception as error:
            traceback.print_exc()
            sys.exit(f"kakaoauth: flask db upgrade of {self.name} failed ({first_line(error)}): correct the migration")

    def serve(self) -> None:
        """Serve until a file changes, which ends this process with RELOAD."""
        assert self._listener
        os.environ.update(WERKZEUG_RUN_MAIN="true", WERKZEUG_SERVER_FD=str(self._listener.fileno()))
        application = self._load_for_serving()
        run_simple(
            *("127.0.0.1", self._listener.getsockname()[1], DebuggerHere(application)),
            threaded=True,
            use_reloader=True,
            request_handler=Handler,
        )

    def _load_for_serving(self) -> "WSGIApplication":
        """A mistake in the app is shown, here and in the browser, and the next change of a file is waited for."""
        try:
            app = self.load()
        except (Exception, SystemExit) as error:
            say_failure(self.name, error)
            failure = error if isinstance(error, Exception) else RuntimeError(f"{self.name} ends by itself: {error}")
        else:
            app.extensions["kakaoauth"].start_jobs(app)
            return app

        def broken(_environ: "WSGIEnvironment", _start: "StartResponse") -> Iterable[bytes]:
            raise failure from None

        return broken

    def describe(self, settings: dict[str, Any]) -> dict[str, str]:
        """What is said of it once it serves."""
        own = settings["MIGRATIONS"]
        return {
            "Database": settings["DATABASE"],
            "Schema": f"kakaoauth's, then yours in {own}: up to date" if own else "kakaoauth's: up to date",
            "Reload": f"{self.name} is loaded anew when a file of yours changes",
            "Commands": f"kakaoauth dev {self.name} -- WORDS is flask WORDS with all this",
        }


def set_environment(folder: Path, port: int, sandbox_port: int) -> None:
    """Say to every process that loads the app where the embedded parts are."""
    os.environ.update({DEV_FOLDER: str(folder), "INSTANCE_PATH": str(folder)})
    os.environ.update({"PORT": str(port), "SANDBOX_PORT": str(sandbox_port), "FLASK_DEBUG": "1"})


def set_defaults(folder: Path) -> None:
    """Give an app that cannot be loaded without them a database and a secret, by the names that apps use."""
    database = next(
        (os.environ[name] for name in ("DATABASE_URL", "FLASK_SQLALCHEMY_DATABASE_URI") if os.environ.get(name)),
        f"sqlite:///{quote(str(folder / 'app.db'))}",
    )
    secret = secret_of_this_machine(folder)
    given = {"DATABASE_URL": database, "SQLALCHEMY_DATABASE_URI": database, "SECRET_KEY": secret}
    for name, value in given.items():
        os.environ.setdefault(name, value)
        os.environ.setdefault(f"FLASK_{name}", os.environ[name])
    for name in EMPTY:
        os.environ.setdefault(name, "")


def complete_environment(app: HostApp, folder: Path) -> dict[str, Any]:
    """Load the app as it is, or with `set_defaults` if it cannot be loaded so; return what `inspect` does.

    :raises Refused: it cannot be loaded at all.
    """
    run_folder = folder / "run"
    run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return inspect(app, run_folder, quiet=True)
    except Refused:
        set_defaults(folder)
        return inspect(app, run_folder, quiet=False)


def inspect(app: HostApp, run_folder: Path, *, quiet: bool) -> dict[str, Any]:
    """Load the app in a process of its own and return its settings, as far as the supervisor needs them.

    :param quiet: say nothing of a failure.
    :raises Refused: it cannot be loaded; why, is said already.
    """
    read, write = os.pipe()
    part = start("inspection", lambda: _report(app, write, quiet=quiet), run_folder, patience=1)
    os.close(write)
    try:
        with os.fdopen(read) as pipe:
            text = pipe.read()
    finally:
        part.end()
    if not text:
        raise Refused
    settings: dict[str, Any] = json.loads(text)
    return settings


def _report(app: HostApp, pipe: int, *, quiet: bool) -> None:
    if quiet:
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    try:
        loaded = app.load()
    except (Exception, SystemExit) as error:
        say_failure(app.name, error)
        sys.exit(1)
    names = ("PORT", "SANDBOX_PORT", "FRONTEND_PORT", "INSTANCE_PATH", "KAKAO_KAUTH_URL")
    with loaded.app_context():
        database = loaded.extensions["kakaoauth_database"].engine.url.render_as_string(hide_password=True)
    settings = {name: loaded.config[name] for name in names} | {
        "KAKAOAUTH_EMBEDDED": sorted(loaded.config["KAKAOAUTH_EMBEDDED"]),
        "KAKAOAUTH_FRONTEND_ORIGINS": [],  # the example of a front end is the reference site's
        "DATABASE": database,
        "MIGRATIONS": _migrations(loaded),
    }
    os.write(pipe, json.dumps(settings).encode())


def _migrations(app: Flask) -> str:
    """The folder of the app's own migrations; "" where it has none."""
    migrate = app.extensions.get("migrate")
    folder = str(migrate.directory) if migrate is not None else ""
    return folder if folder and (Path(folder) / "env.py").exists() else ""


def say_failure(name: str, error: BaseException) -> None:
    """One line with the cure; before it, for a mistake in the app's own code, where that is."""
    if isinstance(error, ConfigError | Refused):
        line = str(error)
    elif isinstance(error, NoAppException) and "Could not import" in error.message:
        line = f"no module {name.partition(':')[0]} in {Path.cwd()}: run this in the folder of your app's module"
    elif isinstance(error, NoAppException):
        # An error while importing, or Flask's own words for no app and for two.
        told = error.message.strip().splitlines()
        line = f"{name} cannot be imported: {told[-1]}"
        if len(told) == 1:
            line = f"{told[0].rstrip('.')}: kakaoauth dev MODULE:APP names it"
    else:
        traceback.print_exception(error.with_traceback(_theirs(error.__traceback__)))
        line = f"{name} cannot be loaded: correct what is shown above"
    print(f"kakaoauth: {line}", file=sys.stderr, flush=True)


def _theirs(tb: TracebackType | None) -> TracebackType | None:
    while tb and any(part in tb.tb_frame.f_code.co_filename for part in NOT_THEIRS):
        tb = tb.tb_next
    return tb


class DebuggerHere:
    """WSGI middleware: Werkzeug's debugger, for requests that nobody has forwarded. Others meet the app alone, which
    refuses them while anything is embedded."""

    def __init__(self, app: "WSGIApplication") -> None:
        self.app = app
        self.debugger = DebuggedApplication(app, evalex=True)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        app: Callable[..., Iterable[bytes]] = self.debugger if _is_local(environ) else self.app
        return app(environ, start_response)


def _is_local(environ: "WSGIEnvironment") -> bool:
    try:
        host = urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname
    except ValueError:
        return False
    return is_loopback(host) and not any(map(is_of_a_proxy, environ))


class Handler(WSGIRequestHandler):
    """Codes and states come in query strings: none of them may stand in a log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log method, path and status."""
        path = getattr(self, "path", "-").partition("?")[0].encode("unicode_escape").decode()
        self.log("info", "%s %s %s", self.command or "-", path, int(code) if isinstance(code, int) else code)
