"""What of Flask-Login is left out."""

from typing import Any

from flask import current_app
from flask_login import LoginManager as FlaskLoginManager


class LoginManager(FlaskLoginManager):
    """Flask-Login without the remember-me cookie, which would read the session for every response, and without a hash
    of the visitor's address for a protection that is off."""

    def _update_remember_cookie(self, response: Any) -> Any:
        return response

    def _session_protection_failed(self) -> bool:
        return bool(current_app.config.get("SESSION_PROTECTION")) and super()._session_protection_failed()
