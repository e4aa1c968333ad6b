"""The CSRF token: Flask-WTF reads ours, and we read Flask-WTF's."""

from collections.abc import Callable

import pytest
from flask import Flask, g, session
from flask_wtf.csrf import CSRFError, ValidationError, generate_csrf, validate_csrf
from itsdangerous import URLSafeTimedSerializer

from kakaoauth.sessions.csrf_tokens import ALWAYS, FIELD, check_csrf_token, csrf_token

#: As `csrf_secret` makes them, as Flask-WTF does, and what nobody does.
SECRETS = ("ab" * 32, "0" * 40, 'a "quote" \\')


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("config", [{}, {"WTF_CSRF_SECRET_KEY": "another key for forms"}])
def test_flask_wtf_reads_our_token(app: Flask, secret: str, config: dict[str, str]) -> None:
    app.config.update(config)
    with app.test_request_context():
        session[FIELD] = secret
        token = csrf_token()
        assert csrf_token() == token == generate_csrf(token_key=FIELD), "one for all forms of a page"
        validate_csrf(token, time_limit=ALWAYS, token_key=FIELD)
        key = config.get("WTF_CSRF_SECRET_KEY", app.secret_key)
        assert URLSafeTimedSerializer(key, salt="wtf-csrf-token").loads(token, max_age=60) == secret
        for other in ("another", SECRETS[SECRETS.index(secret) - 1]):
            session[FIELD] = other
            with pytest.raises(ValidationError):
                validate_csrf(token, time_limit=ALWAYS, token_key=FIELD)


@pytest.mark.parametrize("make", [csrf_token, lambda: generate_csrf(token_key=FIELD)])
def test_token_of_either_is_taken(app: Flask, make: Callable[[], str]) -> None:
    with app.test_request_context():
        session[FIELD] = SECRETS[0]
        token = make()
    with app.test_request_context(method="POST", data={FIELD: token}):
        session[FIELD] = SECRETS[0]
        check_csrf_token()
        session[FIELD] = SECRETS[1]
        with pytest.raises(CSRFError):
            check_csrf_token()


def test_session_without_a_secret_gets_one(app: Flask) -> None:
    with app.test_request_context():
        token = csrf_token()
        assert len(session[FIELD]) == 40
        assert g.csrf_token == token
        validate_csrf(token, time_limit=ALWAYS, token_key=FIELD)
