"""The session's CSRF token, as Flask-WTF makes it, and checked by its function.

Not by its CSRFProtect, which checks every form of an app: a host may have that for its own pages.
"""

import hashlib
import json
from functools import lru_cache

from flask import current_app, g, request, session
from flask_wtf.csrf import CSRFError, generate_csrf, validate_csrf
from itsdangerous import TimestampSigner
from itsdangerous.encoding import base64_encode

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
    """Return this session's token.

    Flask-WTF makes a serializer each time, and tries to compress what does not get much shorter: 5 % of the first page.
    """
    token: str | None = g.get(FIELD)  # where Flask-WTF keeps it for the page's other forms
    if token is None:
        secret = session.get(FIELD)
        if not isinstance(secret, str):
            return str(generate_csrf(token_key=FIELD))  # which makes one
        app = current_app._get_current_object()  # type: ignore[attr-defined]
        signer = _signer(app.config.get("WTF_CSRF_SECRET_KEY", app.secret_key))
        token = g.csrf_token = signer.sign(base64_encode(json.dumps(secret))).decode()
    return token


@lru_cache(maxsize=10)  # of each app
def _signer(secret_key: str | bytes) -> TimestampSigner:
    """As Flask-WTF's, with the key derived once, and a hash that Python hands to OpenSSL with it."""
    key = TimestampSigner(secret_key, salt="wtf-csrf-token").derive_key()
    return TimestampSigner(key, key_derivation="none", digest_method=hashlib.sha1)


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
