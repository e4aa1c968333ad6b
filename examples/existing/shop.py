"""A tea shop with a cart in the session, error pages of its own, and an admin with a password."""

from flask import Blueprint, Flask, abort, current_app, redirect, render_template, request, session, url_for
from flask_wtf import CSRFProtect
from kakaoauth import KakaoAuth, login_required  # Kakao login
from werkzeug.security import check_password_hash

TEAS = {"green": ("Green tea", 9000), "barley": ("Barley tea", 4000), "citron": ("Citron tea", 7000)}

csrf = CSRFProtect()
pages = Blueprint("shop", __name__)


def create_app(config=None):
    app = Flask(__name__)
    app.config.from_mapping(ADMIN_PASSWORD_HASH="")
    app.config.from_mapping(KAKAOAUTH_SESSION_KEEP="cart")  # Kakao login
    app.config.from_mapping(KAKAOAUTH_LAYOUT="base.html", KAKAOAUTH_LANGUAGE="en")  # Kakao login
    app.config.from_prefixed_env()  # FLASK_SECRET_KEY, FLASK_ADMIN_PASSWORD_HASH, ...
    app.config.from_mapping(config or {})
    csrf.init_app(app)
    app.register_blueprint(pages)
    app.register_error_handler(404, show_not_found)
    app.register_error_handler(500, show_broken)
    KakaoAuth(app, features={"webhooks"})  # Kakao login
    return app


@pages.get("/")
def index():
    return render_template("index.html", teas=TEAS, cart=session.get("cart", {}))


@pages.post("/cart/<tea>/")
def add_to_cart(tea):
    if tea not in TEAS:
        abort(404)
    cart = session.get("cart", {})
    session["cart"] = {**cart, tea: cart.get(tea, 0) + 1}
    return redirect(url_for("shop.index"))


@pages.get("/checkout/")
@login_required  # Kakao login
def checkout():
    cart = session.get("cart", {})
    total = sum(TEAS[tea][1] * number for tea, number in cart.items())
    return render_template("checkout.html", teas=TEAS, cart=cart, total=total)


@pages.route("/admin/", methods=["GET", "POST"])
def admin():
    wrong = False
    if request.method == "POST":
        password_hash = current_app.config["ADMIN_PASSWORD_HASH"]
        session["admin"] = check_password_hash(password_hash, request.form.get("password", ""))
        wrong = not session["admin"]
    return render_template("admin.html", wrong=wrong, teas=TEAS), 403 if wrong else 200


def show_not_found(error):
    return render_template("error.html", message="We have no such page."), 404


def show_broken(error):
    return render_template("error.html", message="Something broke. We have been told."), 500
