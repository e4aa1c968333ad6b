"""A book club: anybody sees the newest books, members keep a shelf, the staff sees who has how many books."""

from flask import Blueprint, Flask, current_app, flash, redirect, render_template, request, url_for
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from kakaoauth import KakaoAuth, Refused, User, current_user, login_required, staff_required, user_signed_up
from sqlalchemy import ForeignKey, String, func, select
from sqlalchemy.orm import Mapped, mapped_column

TITLE_LENGTH = 100

db = SQLAlchemy()
migrate = Migrate()
csrf = CSRFProtect()
auth = KakaoAuth()
pages = Blueprint("club", __name__)


class Book(db.Model):
    __tablename__ = "books"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    owner_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)


def create_app(config=None):
    app = Flask(__name__)
    app.config.from_mapping(
        SQLALCHEMY_DATABASE_URI="sqlite:///bookclub.db",
        KAKAOAUTH_LAYOUT="base.html",
        KAKAOAUTH_LANGUAGE="ko",
        BOOKCLUB_SEATS=30,
        BOOKCLUB_WELCOME_BOOK="어린 왕자",
    )
    app.config.from_prefixed_env()  # FLASK_SECRET_KEY, FLASK_KAKAO_CLIENT_ID, FLASK_BOOKCLUB_SEATS, ...
    app.config.from_mapping(config or {})

    db.init_app(app)
    migrate.init_app(app, db)
    csrf.init_app(app)
    auth.init_app(app, db=db, features={"staff", "webhooks"})
    user_signed_up.connect(give_welcome_book, app)
    app.register_blueprint(pages)
    return app


@auth.before_sign_up
def keep_to_the_seats(profile):
    members = db.session.scalar(select(func.count(User.id)).where(User.erased_at.is_(None)))
    if members >= current_app.config["BOOKCLUB_SEATS"]:
        raise Refused("지금은 자리가 다 찼어요. 자리가 나면 다시 와 주세요.")


def give_welcome_book(app, user_id, **_):
    db.session.add(Book(title=app.config["BOOKCLUB_WELCOME_BOOK"], owner_id=user_id))
    db.session.commit()


@pages.get("/")
def home():
    newest = db.session.scalars(select(Book.title).order_by(Book.id.desc()).limit(10)).all()
    return render_template("home.html", newest=newest)


@pages.get("/books/")
@login_required
def shelf():
    books = db.session.scalars(select(Book).filter_by(owner_id=current_user.id).order_by(Book.title)).all()
    return render_template("shelf.html", books=books, title_length=TITLE_LENGTH)


@pages.post("/books/")
@login_required
def add_book():
    title = request.form.get("title", "").strip()
    if 0 < len(title) <= TITLE_LENGTH:
        db.session.add(Book(title=title, owner_id=current_user.id))
        db.session.commit()
    else:
        flash(f"제목은 1자에서 {TITLE_LENGTH}자까지예요.")
    return redirect(url_for("club.shelf"))


@pages.post("/books/<int:book_id>/delete/")
@login_required
def delete_book(book_id):
    # Found among one's own only: somebody else's book is a 404.
    book = db.one_or_404(select(Book).filter_by(id=book_id, owner_id=current_user.id))
    db.session.delete(book)
    db.session.commit()
    return redirect(url_for("club.shelf"))


@pages.get("/members/")
@staff_required
def members():
    query = select(User, func.count(Book.id)).outerjoin(Book, Book.owner_id == User.id).group_by(User.id)
    rows = db.session.execute(query.where(User.erased_at.is_(None)).order_by(User.date_joined)).all()
    return render_template("members.html", rows=rows)
