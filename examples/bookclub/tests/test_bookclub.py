import pytest
from kakaoauth import User, testing
from sqlalchemy import select

from bookclub import Book, create_app, db


def titles(app, email="haneul@example.kr"):
    with app.app_context():
        return db.session.scalars(select(Book.title).join(User).where(User.email == email).order_by(Book.id)).all()


def test_visitor_sees_the_login_button_and_no_shelf(client):
    assert "카카오 로그인" in client.get("/").text
    answer = client.get("/books/")
    assert (answer.status_code, answer.location) == (302, "/auth/?next=/books/")


def test_new_member_finds_the_welcome_book_on_the_shelf(client):
    answer = testing.log_in(client, next="/books/")
    assert answer.location == "/books/"
    assert "어린 왕자" in client.get("/books/").text


def test_member_who_comes_back_gets_no_second_one(app):
    for _ in range(2):
        testing.log_in(app.test_client())
    assert titles(app) == ["어린 왕자"]


def test_member_adds_a_book_and_takes_it_away(app, client):
    testing.log_in(client)
    client.post("/books/", data={"title": " 토지 <1부> "})
    assert titles(app) == ["어린 왕자", "토지 <1부>"]
    assert "토지 &lt;1부&gt;" in client.get("/books/").text
    client.post("/books/2/delete/")
    assert titles(app) == ["어린 왕자"]


@pytest.mark.parametrize("title", ["", "  ", "가" * 101])
def test_book_needs_a_title_that_fits(app, client, title):
    testing.log_in(client)
    answer = client.post("/books/", data={"title": title}, follow_redirects=True)
    assert "제목은 1자에서 100자까지예요." in answer.text
    assert titles(app) == ["어린 왕자"]


def test_shelf_is_for_its_owner_alone(app, client):
    testing.log_in(client)
    client.post("/books/", data={"title": "토지"})
    other = app.test_client()
    testing.log_in(other, "bigid")
    assert "토지" not in other.get("/books/").text
    assert other.post("/books/2/delete/").status_code == 404
    assert titles(app) == ["어린 왕자", "토지"]


def test_forms_of_other_sites_are_refused(app, client):
    app.config["WTF_CSRF_ENABLED"] = True
    testing.log_in(client)
    assert client.post("/books/", data={"title": "토지"}).status_code == 400
    assert titles(app) == ["어린 왕자"]


def test_only_staff_sees_the_members(app, client):
    testing.log_in(client)
    assert client.get("/members/").status_code == 403
    app.test_cli_runner().invoke(args=["kakaoauth", "users", "promote", "haneul@example.kr", "--staff"])
    page = client.get("/members/").text
    assert "haneul@example.kr" in page
    assert "1권" in page


def test_full_club_takes_nobody_new(app, client):
    testing.log_in(client)
    app.config["BOOKCLUB_SEATS"] = 1
    answer = testing.log_in(app.test_client(), "bigid")
    assert answer.status_code == 403
    assert "자리가 다 찼어요" in answer.text
    assert testing.log_in(app.test_client()).status_code == 302  # a member has a seat already


def test_migrations_make_what_the_models_say():
    with testing.settings() as settings:
        run = create_app(settings).test_cli_runner().invoke
        for command in ("kakaoauth upgrade", "db upgrade", "db check"):
            assert run(args=command.split()).exit_code == 0
