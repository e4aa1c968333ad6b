"""The session's CSRF token, made and checked by Flask-WTF's functions.

Not by its CSRFProtect, which checks every form of an app: a host may have that for its own pages.
"""

from flask import g, request
from flask_wtf.csrf import CSRFError, generate_csrf, validate_csrf

from kakaoauth.storage import keys

#: Of the form's field, and of the session's key.
FIELD = "csrf_token"
HEADERS = ("X-CSRFToken", "X-CSRF-Token")
#: The token lives as long as the session that holds it; Flask-WTF wants a number (ten years, in seconds).
ALWAYS = 315_360_000
#: Stands in a session's data for the secret that is made from its id, until somebody asks for it: few pages have a
#: form, and the hash takes longer than all else that reading a session takes.
FROM_ID = ""


def csrf_token() -> str:
    """Return this session's token."""
    token: str = g.get(FIELD) or generate_csrf(token_key=FIELD)  # which keeps it there for the page's other forms
    return token


def check_csrf_token() -> None:
    """:raises CSRFError: neither the form nor a header holds this session's token."""
    sent = request.form.get(FIELD) or next((request.headers[name] for name in HEADERS if name in request.headers), "")
    try:
        validate_csrf(sent, time_limit=ALWAYS, token_key=FIELD)
    except ValueError as error:  # WTForms' ValidationError
        raise CSRFError(str(error)) from None


def csrf_secret(sid: str) -> str:
    """Return the secret from which Flask-WTF makes a session's CSRF tokens.

    It is derived from the session's id, so that a form can be checked while Redis is away. It does not reveal the id.
    """
    return keys.mac("csrf", sid).hex()
