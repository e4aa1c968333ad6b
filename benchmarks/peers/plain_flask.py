"""The least that logs a Kakao user in with Flask, Authlib, Flask-Session, Flask-Login and SQLAlchemy, as their
documentation has it. No error is explained, nothing is protected: only what it costs is of interest."""

import os

from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, url_for
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from redis import Redis
from sqlalchemy import BigInteger, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


app = Flask(__name__)
app.config.update(
    SECRET_KEY="benchmark",
    SESSION_TYPE="redis",
    SESSION_REDIS=Redis.from_url(os.environ["PEER_REDIS"]),
    SQLALCHEMY_DATABASE_URI=os.environ["PEER_DATABASE"],
)
Session(app)
db = SQLAlchemy(app, model_class=Base)
logins = LoginManager(app)
kakao = OAuth(app).register(
    "kakao",
    client_id=os.environ["PEER_CLIENT_ID"],
    client_secret=os.environ["PEER_CLIENT_SECRET"],
    authorize_url=os.environ["PEER_PROVIDER"] + "/oauth/authorize",
    access_token_url=os.environ["PEER_PROVIDER"] + "/oauth/token",
    api_base_url=os.environ["PEER_PROVIDER"],
    client_kwargs={"token_endpoint_auth_method": "client_secret_post"},
)


class Member(UserMixin, db.Model):
    __tablename__ = "members"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kakao_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    email: Mapped[str | None] = mapped_column(unique=True)
    nickname: Mapped[str | None]


with app.app_context():
    db.create_all()
    db.engine.dispose()  # the workers are forks: none may share a connection


@logins.user_loader
def load_member(member_id: str) -> Member | None:
    return db.session.get(Member, int(member_id))


@app.get("/")
def first_page() -> str:
    return "<p>hello</p>"


@app.get("/kakao/login/")
def start():
    return kakao.authorize_redirect(url_for("callback", _external=True))


@app.get("/kakao/login/callback/")
def callback():
    kakao.authorize_access_token()
    profile = kakao.get("/v2/user/me").json()
    member = db.session.scalar(select(Member).where(Member.kakao_id == profile["id"]))
    if member is None:
        account = profile["kakao_account"]
        member = Member(kakao_id=profile["id"], email=account["email"], nickname=account["profile"]["nickname"])
        db.session.add(member)
    db.session.commit()
    login_user(member)
    return redirect(url_for("me"))


@app.get("/me/")
@login_required
def me() -> str:
    return f"<p>{current_user.email}</p>"
