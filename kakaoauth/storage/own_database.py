"""The database of an app that gives us none."""

import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from flask import Flask
from flask.globals import app_ctx
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.orm import scoped_session, sessionmaker
from sqlalchemy.pool import StaticPool

from kakaoauth.config import libraries

log = logging.getLogger("kakaoauth.database")


class OwnDatabase(SQLAlchemy):
    """The app's Flask-SQLAlchemy, at DATABASE_URL."""

    def __init__(self, app: Flask) -> None:
        super().__init__()
        address = libraries.database_url(app.config["DATABASE_URL"])
        app.config["SQLALCHEMY_DATABASE_URI"] = address
        app.config["SQLALCHEMY_ENGINE_OPTIONS"] = libraries.engine_options(address)
        self.init_app(app)

    def _teardown_session(self, exc: BaseException | None) -> None:
        _give_back(self.session)


class SeparateDatabase:
    """A second one, beside a Flask-SQLAlchemy that the app keeps for itself: of that there can be one only."""

    def __init__(self, app: Flask) -> None:
        # Not SQLALCHEMY_DATABASE_URI, which is the Flask-SQLAlchemy's.
        address = libraries.database_url(app.config["DATABASE_URL"])
        url, options = make_url(address), libraries.engine_options(address)
        if url.get_backend_name() == "sqlite":
            url = _in_instance(url, app)
            if url.database in (None, "", ":memory:"):  # there is one for each connection, so all share one
                options["poolclass"] = StaticPool
                options["connect_args"] = {**options.get("connect_args", {}), "check_same_thread": False}
        self.engine: Engine = create_engine(url, **options)
        self.session: scoped_session[Any] = scoped_session(sessionmaker(self.engine), scopefunc=_context)
        app.teardown_appcontext(lambda _error: _give_back(self.session))


def _give_back(session: scoped_session[Any]) -> None:
    """Give the connection back, or, if it does not answer any more, up.

    A rollback that fails here would replace the answer, or the page that says the database is away, by the server's own
    bare 500. What was to be stored is committed by now.
    """
    try:
        session.remove()
    except Exception as error:
        log.warning("a connection is given up after the answer: %s", type(error).__name__)
        with suppress(Exception):
            session().invalidate()
        session.registry.clear()


def _context() -> int:
    return id(app_ctx._get_current_object())  # type: ignore[attr-defined]


def _in_instance(url: URL, app: Flask) -> URL:
    """A relative path begins in the instance folder, as Flask-SQLAlchemy has it."""
    name = url.database or ""
    if not name or name.startswith((":", "file:")) or Path(name).is_absolute():
        return url
    Path(app.instance_path).mkdir(parents=True, exist_ok=True)
    return url.set(database=str(Path(app.instance_path) / name))
