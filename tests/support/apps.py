"""The end of an app that a fixture has made."""

import contextlib
import threading

from flask import Flask

from kakaoauth.storage.database import db


def close(app: Flask, seconds: float = 10) -> None:
    """Close its connections, once its jobs, which were told to end, have done so: they would connect anew."""
    for thread in threading.enumerate():
        if thread.name == "retries":
            thread.join(seconds)
    with app.app_context():
        db.engine.dispose()
    with contextlib.suppress(AttributeError):  # a test has put something else there
        app.extensions["kakaoauth_redis"].close()
