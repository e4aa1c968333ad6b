import pytest
from kakaoauth import testing

from bookclub import create_app, db


@pytest.fixture
def app():
    with testing.settings() as settings:
        app = create_app({**settings, "WTF_CSRF_ENABLED": False})
        with app.app_context():
            testing.create_tables()
            db.create_all()
        yield app


@pytest.fixture
def client(app):
    return app.test_client()
