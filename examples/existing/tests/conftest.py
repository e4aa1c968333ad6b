import pytest
from kakaoauth import testing
from werkzeug.security import generate_password_hash

from shop import create_app


@pytest.fixture
def app():
    password_hash = generate_password_hash("only for tests")
    with testing.settings() as settings:
        app = create_app({**settings, "ADMIN_PASSWORD_HASH": password_hash, "WTF_CSRF_ENABLED": False})
        with app.app_context():
            testing.create_tables()
        yield app


@pytest.fixture
def client(app):
    return app.test_client()
