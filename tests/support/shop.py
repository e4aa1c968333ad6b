"""A shop: somebody else's app with pages, a session and error pages of its own, and what its visitors do."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Flask, flash, session
from flask.testing import FlaskClient

from kakaoauth import User, current_user
from kakaoauth.storage.database import db
from support import CLIENT_ID, CLIENT_SECRET, FakeKakao

SECRET = "a host's secret, of more than 32 characters"


def host_app(folder: Path, redis_url: str, **settings: Any) -> Flask:
    app = Flask("shop", instance_path=str(folder))
    app.config.update(
        SECRET_KEY=SECRET,
        REDIS_URL=redis_url,
        KAKAO_CLIENT_ID=CLIENT_ID,
        KAKAO_CLIENT_SECRET=CLIENT_SECRET,
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder / 'shop.db'}",
    )
    app.config.update(settings)

    @app.get("/")
    def home() -> str:
        return f"shop of {current_user.nickname}" if current_user.is_authenticated else "shop"

    @app.get("/cart/")
    def cart() -> dict[str, Any]:
        return {"cart": session.get("cart"), "kinds": [type(item).__name__ for item in session.get("cart", ())]}

    @app.post("/cart/")
    def fill() -> str:
        session["cart"] = ("apple", b"pear", {"n": 2})
        session["coupon"] = "SPRING"
        flash("filled")
        return "ok"

    @app.errorhandler(403)
    @app.errorhandler(404)
    def refused(error: Any) -> tuple[str, int]:
        return f"shop's own {error.code}", error.code

    return app


def begin(client: FlaskClient, prefix: str = "/auth", **query: str) -> dict[str, str]:
    answer = client.get(f"{prefix}/kakao/login/", query_string=query)
    assert answer.status_code == 302, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.location).query).items()}


def log_in(client: FlaskClient, kakao: FakeKakao, prefix: str = "/auth", **query: str) -> Any:
    sent = begin(client, prefix, **query)
    assert sent["redirect_uri"] == f"http://localhost{prefix}/kakao/login/callback/"
    kakao.nonce = sent["nonce"]
    return client.get(f"{prefix}/kakao/login/callback/", query_string={"state": sent["state"], "code": "canary-code"})


def csrf_of(client: FlaskClient, page: str) -> str:
    return client.get(page).text.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]


def make_staff(app: Flask, *, superuser: bool = False) -> None:
    with app.app_context():
        user = db.session.query(User).one()
        user.is_staff, user.is_superuser = True, superuser
        db.session.commit()
