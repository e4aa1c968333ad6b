"""A host's app: its own Flask-SQLAlchemy, the extension below /auth, and one page of its own for those who are logged
in. Settings come from the environment, as FLASK_..."""

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from kakaoauth import KakaoAuth, current_user, login_required

db = SQLAlchemy()
auth = KakaoAuth()


def create_app() -> Flask:
    app = Flask(__name__)
    app.config.from_prefixed_env()
    db.init_app(app)
    auth.init_app(app, db=db)

    @app.get("/")
    def first_page() -> str:
        return "<p>hello</p>"

    @app.get("/me/")
    @login_required
    def me() -> str:
        return f"<p>{current_user.email}</p>"

    return app
