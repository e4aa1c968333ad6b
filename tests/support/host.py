"""A Flask app of somebody else's, with a Flask-SQLAlchemy and a table of its own, that uses the extension."""

from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from kakaoauth import KakaoAuth, User, config


class Host:
    """Its db has a table `books` whose owner is a user; `rule` is the foreign key's `ondelete`."""

    def __init__(self, settings: dict[str, Any], *, rule: str | None = None) -> None:
        self.db = host_db = SQLAlchemy()

        class Book(host_db.Model):  # type: ignore[name-defined,misc]
            __tablename__ = "books"
            id = host_db.Column(host_db.Integer, primary_key=True)
            title = host_db.Column(host_db.String(50))
            owner_id = host_db.Column(host_db.ForeignKey(User.id, ondelete=rule))
            owner = host_db.relationship(User)

        self.Book: Any = Book
        self.app = bare_host(settings)
        self.db.init_app(self.app)

    def add_kakao(self) -> "Host":
        """Bind the extension."""
        KakaoAuth(self.app, db=self.db)
        return self


def bare_host(settings: dict[str, Any]) -> Flask:
    """An app with our settings, and a database address for Flask-SQLAlchemy."""
    app = Flask("host", instance_path=settings["INSTANCE_PATH"])
    app.config.update(config.load(settings))
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {}
    return app
