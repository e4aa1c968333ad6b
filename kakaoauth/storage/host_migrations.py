"""The app's own migrations: Flask-Migrate compares its models with the whole database, and would drop our tables."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask, appcontext_pushed

from kakaoauth.storage import host_database, schema
from kakaoauth.storage.database import Base
from kakaoauth.storage.host_database import HostDatabase
from kakaoauth.storage.own_database import OwnDatabase, SeparateDatabase

log = logging.getLogger("kakaoauth.database")


def init_app(app: Flask) -> None:
    """Hide our tables from the app's Flask-Migrate, which may be set up later than we are: at each app context it is
    looked for, and each of its commands begins with one.
    """
    database = app.extensions["kakaoauth_database"]
    if isinstance(database, OwnDatabase | SeparateDatabase):
        return

    def look(sender: Flask, **_: Any) -> None:
        migrate = sender.extensions.get("migrate")
        if migrate is not None and migrate is not sender.extensions.get("kakaoauth_hidden_from"):
            _hide_tables(migrate, database)
            sender.extensions["kakaoauth_hidden_from"] = migrate

    appcontext_pushed.connect(look, app)
    app.extensions["kakaoauth_look_for_migrate"] = look  # the signal itself does not keep it


def stop_looking(app: Flask) -> None:
    """End that. An app that answers requests is set up, and each of them has a context, too."""
    if look := app.extensions.pop("kakaoauth_look_for_migrate", None):
        appcontext_pushed.disconnect(look, app)


def _hide_tables(migrate: Any, database: HostDatabase) -> None:
    """Have env.py pass on our `include_object`, beside one that was given to Migrate."""
    if _names_its_own(Path(migrate.directory) / "env.py"):
        return
    theirs = migrate.configure_args.get("include_object")
    migrate.configure_args["include_object"] = _both(theirs, database)


def _names_its_own(env: Path) -> bool:
    """To env.py that passes on an `include_object` of its own, a second one would be an error."""
    try:
        source = env.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    if "include_object" in source and "kakaoauth" not in source:
        log.warning(
            "%s has an include_object of its own: let it ask kakaoauth.storage.schema.include_object as well, or"
            " `flask db migrate` proposes to drop kakaoauth's tables",
            env,
        )
    return "include_object" in source


def _both(theirs: Callable[..., bool] | None, database: HostDatabase) -> Callable[..., bool]:
    def include_object(*thing: Any) -> bool:
        # All models are there by now. One with the name of ours would go unseen.
        host_database.check_tables(database, Base.metadata)
        return schema.include_object(*thing) and (theirs is None or theirs(*thing))

    return include_object
