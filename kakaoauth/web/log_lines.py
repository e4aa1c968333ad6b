"""A log line as a JSON object, for what collects logs."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from flask import has_request_context, request


class JsonFormatter(logging.Formatter):
    """One object a line: `time` (UTC, RFC 3339), `level`, `logger`, `message`; where there is one, `reference` (the
    number on the person's error page), `endpoint` and `traceback`. A line break in a text is escaped.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without its end."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if reference := getattr(record, "reference", ""):
            line["reference"] = reference
        if has_request_context() and request.endpoint:
            line["endpoint"] = request.endpoint
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
