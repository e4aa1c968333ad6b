"""What of Flask-Login is left out."""

from flask import current_app
from flask_login import LoginManager as FlaskLoginManager


class LoginManager(FlaskLoginManager):
    """Flask-Login without a hash of the visitor's address for a protection that is off."""

    def _session_protection_failed(self) -> bool:
        return bool(current_app.config.get("SESSION_PROTECTION")) and super()._session_protection_failed()
