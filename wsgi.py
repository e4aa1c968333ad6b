"""The server's handle: `gunicorn wsgi:app`, `flask --app wsgi ...`."""

import sys

from kakaoauth import create_app
from kakaoauth.config import ConfigError

try:
    app = create_app()
except ConfigError as error:
    print(f"kakaoauth: {error}", file=sys.stderr)
    # 3 tells gunicorn that starting another worker will not help.
    raise SystemExit(3) from None
