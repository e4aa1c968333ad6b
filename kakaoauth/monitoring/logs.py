"""The format of a log line; no query of an address is written into one."""

import logging
import time

from flask import Flask

from kakaoauth.web.log_lines import JsonFormatter

#: The name of our handler of the log.
HANDLER = "kakaoauth"


class UtcFormatter(logging.Formatter):
    converter = staticmethod(time.gmtime)


def formatter(kind: str) -> logging.Formatter:
    """Return what makes the lines. :param kind: LOG_FORMAT."""
    if kind == "json":
        return JsonFormatter()
    return UtcFormatter("%(asctime)sZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")


class WithoutQuery(logging.Filter):
    """Werkzeug's own server logs whole request lines, and a callback's query holds the authorization code."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Cut the query off every argument of a record; keep the record."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                arg.split("?", 1)[0] + " ..." if isinstance(arg, str) and "?" in arg else arg for arg in record.args
            )
        return True


def init_app(app: Flask) -> None:
    """Log in UTC to standard error, unless the host has set up a handler of its own."""
    root = logging.getLogger("kakaoauth")
    root.setLevel(app.config["LOG_LEVEL"].upper())
    if not root.handlers:
        ours = logging.StreamHandler()
        ours.set_name(HANDLER)
        root.addHandler(ours)
    for handler in root.handlers:
        if handler.get_name() == HANDLER:
            handler.setFormatter(formatter(app.config["LOG_FORMAT"]))
    werkzeug = logging.getLogger("werkzeug")
    if not any(isinstance(known, WithoutQuery) for known in werkzeug.filters):
        werkzeug.addFilter(WithoutQuery())
