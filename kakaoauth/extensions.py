"""The libraries the whole house shares: created here, unbound; `create_app` binds them to one app."""

import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from flask import Flask
from flask_babel import Babel
from flask_login import LoginManager as FlaskLoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import CSRFProtect
from redis import Redis
from redis.exceptions import RedisClusterException, RedisError
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from kakaoauth import database

log = logging.getLogger("kakaoauth.database")


class Base(DeclarativeBase):
    #: Named constraints: SQLite cannot drop an unnamed one in a migration.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class LoginManager(FlaskLoginManager):
    """Flask-Login without the remember-me cookie, which would read the session on every answer, health checks too."""

    def _update_remember_cookie(self, response: Any) -> Any:
        return response


class Database(SQLAlchemy):
    """Flask-SQLAlchemy, whose last word on a request is not an error: the answer is made by then."""

    def _teardown_session(self, exc: BaseException | None) -> None:
        """Give the connection back, or, if it does not answer any more, up.

        A rollback that fails here would replace the answer, or the page that says the database is away, by the server's
        own bare 500. What was to be stored is committed by now.
        """
        try:
            super()._teardown_session(exc)
        except Exception as error:
            log.warning("a connection is given up after the answer: %s", type(error).__name__)
            with suppress(Exception):
                self.session().invalidate()
            self.session.registry.clear()


#: How redis-py says that Redis is away. The cluster's errors are a family of their own.
REDIS_ERRORS = (RedisError, RedisClusterException)

db = Database(model_class=Base)
migrate = Migrate()
login_manager = LoginManager()
babel = Babel()
csrf = CSRFProtect()


def init_app(app: Flask) -> None:
    db.init_app(app)
    with app.app_context():
        database.prepare(db.engine, Path(app.config["INSTANCE_PATH"]))
    migrate.init_app(app, db, directory=str(Path(__file__).parent / "migrations"))
    csrf.init_app(app)


def is_full(error: Exception) -> bool:
    """Whether Redis has refused a write because it is at `maxmemory`: it still reads and deletes. A script or a Cluster
    puts the words into an error of another class."""
    return isinstance(error, REDIS_ERRORS) and "command not allowed when used memory > 'maxmemory'" in str(error)


def redis_of(app: Flask) -> Redis:
    """The app's Redis client. Sentinel and Cluster clients answer to the same commands."""
    client: Redis = app.extensions["redis"]
    return client
