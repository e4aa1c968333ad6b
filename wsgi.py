"""The server's handle: `gunicorn wsgi:app`, `flask --app wsgi ...`."""

import sys

from kakaoauth import create_app
from kakaoauth.cli import refused
from kakaoauth.config.checks import ConfigError

try:
    app = create_app()
except ConfigError as error:
    refused.end(error, sys.argv)
