"""Flask-WTF's CSRF tokens for forms. They are checked by `web.guards.form`, not for every request of a host."""

from flask_wtf.csrf import CSRFProtect

csrf = CSRFProtect()
