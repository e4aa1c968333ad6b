"""A table of the site's owner refers to `users`: a person can leave all the same, whatever its foreign key says."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from support import FakeKakao, api_client, csrf_token, log_in, person, readable_tables, tokens_of
from support.facebook import SETTINGS, SUBJECT, FakeFacebook, signed_request
from support.facebook import log_in as log_in_by_facebook

from kakaoauth.accounts import leaving, roles, suspensions, ways_in
from kakaoauth.accounts import profile as profiles
from kakaoauth.accounts.former_identities import FormerIdentity
from kakaoauth.errors import InvalidAccessToken
from kakaoauth.models import Identity, User, find_identity, find_user
from kakaoauth.staff.csv.writing import identities_of
from kakaoauth.storage.database import db
from kakaoauth.tokens import flows as token_flows
from kakaoauth.tokens.provider_tokens import ProviderToken

ADMIN_KEY = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
MINJI = 3902187744
#: Every way to say that the row is needed.
KEEPS = ["", "ON DELETE NO ACTION", "ON DELETE RESTRICT", "DEFERRABLE INITIALLY DEFERRED"]
LETS_GO = ["ON DELETE CASCADE", "ON DELETE SET NULL"]


@pytest.fixture
def site(make_app: Callable[..., Flask], database_url: str, kakao: FakeKakao) -> Iterator[Flask]:
    FakeFacebook(kakao.mock)
    app = make_app(DATABASE_URL=database_url, KAKAO_ADMIN_KEY=ADMIN_KEY, **SETTINGS)
    yield app
    with app.app_context():
        db.session.execute(text("DROP TABLE IF EXISTS coupons"))
        db.session.execute(text("DROP TABLE IF EXISTS order_lines"))
        db.session.execute(text("DROP TABLE IF EXISTS orders"))
        db.session.commit()


def make_orders(app: Flask, *user_ids: int, rule: str = "") -> None:
    with app.app_context():
        db.session.execute(
            text(f"CREATE TABLE orders (id INTEGER PRIMARY KEY, buyer BIGINT REFERENCES users (id) {rule})")
        )
        for number, user_id in enumerate(user_ids):
            db.session.execute(text("INSERT INTO orders VALUES (:n, :u)"), {"n": number, "u": user_id})
        db.session.commit()


def enter(app: Flask, kakao: FakeKakao, subject: int = MINJI, **account: Any) -> FlaskClient:
    kakao.me = person(subject, **account)
    client = app.test_client()
    assert log_in(client, kakao).status_code == 302
    return client


def user_of(app: Flask, subject: str = str(MINJI), provider: str = "kakao") -> int:
    with app.app_context():
        identity = find_identity(provider, subject)
        assert identity is not None
        return identity.user_id


def withdraw(client: FlaskClient) -> Any:
    return client.post("/users/me/withdraw/", data={"csrf_token": csrf_token(client, "/users/me/withdraw/")})


def row(app: Flask, user_id: int) -> dict[str, Any] | None:
    with app.app_context():
        user = db.session.get(User, user_id)
        return {c.key: getattr(user, c.key) for c in User.__table__.columns} if user else None


def orders(app: Flask) -> list[Any]:
    with app.app_context():
        return [tuple(found) for found in db.session.execute(text("SELECT id, buyer FROM orders ORDER BY id"))]


def everything(app: Flask) -> str:
    """All that the database holds, but the audit trail, whose rows hold numbers only."""
    with app.app_context():
        tables = [name for name in readable_tables() if name not in ("audit_events", "unlink_jobs")]
        return repr([db.session.execute(text(f'SELECT * FROM "{name}"')).all() for name in tables])


def is_empty(kept: dict[str, Any] | None) -> bool:
    assert kept is not None
    assert kept["erased_at"] is not None
    said = {name: value for name, value in kept.items() if value not in (None, False, "", [])}
    return set(said) <= {"id", "date_joined", "erased_at", "session_version"}


@pytest.mark.parametrize("rule", KEEPS)
def test_whoever_is_referred_to_leaves_and_an_empty_row_stays(
    site: Flask, kakao: FakeKakao, rule: str, caplog: pytest.LogCaptureFixture
) -> None:
    minji, phone = enter(site, kakao, name="김민지", gender="female"), enter(site, kakao)
    number = user_of(site)
    bearer = tokens_of(site, number)
    make_orders(site, number, rule=rule)
    with site.app_context():
        profiles.change_profile(number, {"nickname": "내이름"})
    answer = withdraw(minji)
    assert (answer.status_code, answer.location) == (302, "/users/me/withdrawn/")
    assert is_empty(row(site, number))
    assert orders(site) == [(0, number)]
    assert phone.get("/users/me/").status_code == 302
    assert api_client(site, bearer.access_token).get("/api/users/me/").status_code == 401
    refreshed = site.test_client().post("/api/token/refresh/", json={"refresh_token": bearer.refresh_token})
    assert refreshed.status_code == 401
    left = everything(site)
    for personal in (str(MINJI), "내이름", "김민지", "민지", f"p{MINJI}@example.kr", "canary"):
        assert personal not in left
    assert "orders" in caplog.text
    assert "@example" not in caplog.text


@pytest.mark.parametrize("rule", LETS_GO)
def test_table_that_lets_go_keeps_no_row(site: Flask, kakao: FakeKakao, rule: str) -> None:
    minji = enter(site, kakao)
    number = user_of(site)
    make_orders(site, number, rule=rule)
    assert withdraw(minji).status_code == 302
    assert row(site, number) is None
    assert orders(site) == ([] if "CASCADE" in rule else [(0, None)])


@pytest.mark.parametrize("rule", KEEPS)
def test_whoever_has_no_row_there_goes_whole(site: Flask, kakao: FakeKakao, rule: str) -> None:
    minji = enter(site, kakao)
    number = user_of(site)
    make_orders(site, rule=rule)
    assert withdraw(minji).status_code == 302
    assert row(site, number) is None


@pytest.mark.parametrize("rule", ["", "DEFERRABLE INITIALLY DEFERRED"])
def test_table_that_goes_along_but_is_referred_to_itself(site: Flask, kakao: FakeKakao, rule: str) -> None:
    minji = enter(site, kakao)
    number = user_of(site)
    make_orders(site, number, rule="ON DELETE CASCADE")
    with site.app_context():
        db.session.execute(text(f"CREATE TABLE order_lines (order_id INTEGER REFERENCES orders (id) {rule})"))
        db.session.execute(text("INSERT INTO order_lines VALUES (0)"))
        db.session.commit()
    assert withdraw(minji).status_code == 302
    assert is_empty(row(site, number))
    assert orders(site) == [(0, number)]


@pytest.mark.parametrize(
    ("of_sqlite", "of_postgresql"),
    [("RAISE(ABORT, 'never')", "RAISE EXCEPTION $$no$$;"), ("RAISE(IGNORE)", "RETURN NULL;")],
    ids=["refuses", "says nothing"],
)
def test_trigger_that_forbids_it_is_no_obstacle(
    site: Flask, kakao: FakeKakao, of_sqlite: str, of_postgresql: str
) -> None:
    minji = enter(site, kakao)
    number = user_of(site)
    with site.app_context():
        if db.engine.dialect.name == "sqlite":
            body = f"BEGIN SELECT {of_sqlite}; END"
            db.session.execute(text(f"CREATE TRIGGER stay BEFORE DELETE ON users {body}"))
        else:
            db.session.execute(
                text(f"CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {of_postgresql} END'")
            )
            each = "FOR EACH ROW EXECUTE FUNCTION stay()"
            db.session.execute(text(f"CREATE TRIGGER stay BEFORE DELETE ON users {each}"))
        db.session.commit()
    try:
        assert withdraw(minji).status_code == 302
        assert is_empty(row(site, number))
    finally:
        with site.app_context():
            on = "" if db.engine.dialect.name == "sqlite" else " ON users"
            db.session.execute(text(f"DROP TRIGGER stay{on}"))
            if on:
                db.session.execute(text("DROP FUNCTION stay()"))
            db.session.commit()


def superuser(app: Flask) -> FlaskClient:
    with app.app_context():
        boss = roles.create_superuser("boss@example.kr")
        return api_client(app, token_flows.issue_tokens(boss).access_token)


PATHS = ["own page", "own API", "superuser's API", "command", "unlink webhook"]


@pytest.mark.parametrize("path", PATHS)
def test_every_way_of_leaving_erases(site: Flask, kakao: FakeKakao, path: str) -> None:
    minji = enter(site, kakao)
    number = user_of(site)
    make_orders(site, number)
    boss = superuser(site)
    if path == "own page":
        assert withdraw(minji).status_code == 302
    elif path == "own API":
        api = api_client(site, tokens_of(site, number).access_token)
        assert api.delete("/api/users/me/").status_code == 204
    elif path == "superuser's API":
        assert boss.delete(f"/api/users/{number}/").status_code == 204
    elif path == "command":
        with site.app_context():
            assert leaving.delete_user(number)
    else:
        unlink_by_webhook(site, kakao)
    assert is_empty(row(site, number))
    assert boss.get(f"/api/users/{number}/").status_code == 404
    assert boss.delete(f"/api/users/{number}/").status_code == 404
    assert boss.patch(f"/api/users/{number}/", json={"is_active": True}).status_code == 404


@pytest.mark.parametrize("path", ["/webhooks/facebook/deauthorize/", "/webhooks/facebook/data-deletion/"])
def test_facebooks_messages_erase(site: Flask, path: str) -> None:
    client = site.test_client()
    assert log_in_by_facebook(client).status_code == 302
    number = user_of(site, SUBJECT, "facebook")
    make_orders(site, number)
    assert site.test_client().post(path, data={"signed_request": signed_request()}).status_code == 200
    assert is_empty(row(site, number))
    assert client.get("/users/me/").status_code == 302


def test_person_who_comes_back_is_somebody_new(site: Flask, kakao: FakeKakao) -> None:
    number = None
    for _ in range(2):
        minji = enter(site, kakao)
        assert user_of(site) != number
        number = user_of(site)
        if not _:
            make_orders(site, number)
        assert withdraw(minji).status_code == 302
    with site.app_context():
        assert find_user(number or 0) is None


def test_staff_lists_do_not_show_erased_rows_and_its_page_says_what_it_is(site: Flask, kakao: FakeKakao) -> None:
    minji = enter(site, kakao)
    number = user_of(site)
    make_orders(site, number)
    withdraw(minji)
    sora = enter(site, kakao, 7)
    with site.app_context():
        db.session.get_one(User, user_of(site, "7")).is_staff = True
        db.session.commit()
    for query in ("", "?state=suspended", f"?q={number}", "?sort=id", "?sort=email", "?role=user"):
        assert f'href="/users/{number}/"' not in sora.get(f"/users/{query}").text, query
    assert "1" in sora.get("/users/?lang=en").text.split('class="total">')[1].split("</p>")[0]
    page = sora.get(f"/users/{number}/?lang=en")
    assert page.status_code == 200
    assert "has been erased" in page.text
    assert "삭제된" in sora.get(f"/users/{number}/?lang=ko").text
    api = api_client(site, tokens_of(site, user_of(site, "7")).access_token)
    assert [user["id"] for user in api.get("/api/users/").json["items"]] == [user_of(site, "7")]
    assert api.get(f"/api/users/{number}/").status_code == 404


def test_every_column_of_a_user_is_emptied_also_one_that_is_added_later(site: Flask, kakao: FakeKakao) -> None:
    """From the model, not from a list."""
    minji = enter(site, kakao)
    number = user_of(site)
    make_orders(site, number)
    withdraw(minji)
    kept = row(site, number)
    assert kept is not None
    for column in User.__table__.columns:
        if column.nullable and column.key != "erased_at":
            assert kept[column.key] is None, column.key


def test_nothing_of_a_former_identity_stays_with_an_empty_row(site: Flask, kakao: FakeKakao) -> None:
    enter(site, kakao)
    number = user_of(site)
    make_orders(site, number)
    with site.app_context():
        db.session.add(FormerIdentity(user_id=number, key_hash="k", email_hash="e"))
        db.session.commit()
        leaving.withdraw(number)
        assert db.session.query(FormerIdentity).count() == 0


def test_suspended_person_whose_empty_row_stays_has_no_account(site: Flask, kakao: FakeKakao) -> None:
    enter(site, kakao)
    number = user_of(site)
    make_orders(site, number)
    with site.app_context():
        roles.change_user(number, is_active=False)
        leaving.withdraw(number)
        person_kept = suspensions.find(number)
        assert person_kept is not None
        assert not person_kept.has_account


def test_nothing_is_written_into_an_empty_row(site: Flask, kakao: FakeKakao) -> None:
    """By what was begun before the person left."""
    enter(site, kakao)
    number = user_of(site)
    make_orders(site, number)
    with site.app_context():
        user = db.session.get_one(User, number)
        db.session.expunge(user)
        leaving.withdraw(number)
        with pytest.raises(InvalidAccessToken):
            profiles.change_profile(number, {"nickname": "유령"})
        with pytest.raises(ValueError, match="erased"):
            roles.promote(user, superuser=True)
    assert is_empty(row(site, number))


def make_coupons(app: Flask, user_id: int, rule: str = "") -> None:
    """A table that refers to this user's identities, one row each."""
    with app.app_context():
        db.session.execute(
            text(f"CREATE TABLE coupons (id BIGINT PRIMARY KEY, given_to BIGINT REFERENCES identities (id) {rule})")
        )
        db.session.execute(
            text("INSERT INTO coupons SELECT id, id FROM identities WHERE user_id = :user"), {"user": user_id}
        )
        db.session.commit()


def coupons(app: Flask) -> list[Any]:
    with app.app_context():
        return [found for (found,) in db.session.execute(text("SELECT given_to FROM coupons"))]


@pytest.mark.parametrize("path", ["own page", "unlink webhook"])
@pytest.mark.parametrize("rule", [*KEEPS, *LETS_GO])
def test_table_that_refers_to_an_identity_keeps_nobody(
    site: Flask, kakao: FakeKakao, rule: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    minji = enter(site, kakao)
    number = user_of(site)
    make_coupons(site, number, rule)
    if path == "own page":
        assert withdraw(minji).status_code == 302
    else:
        unlink_by_webhook(site, kakao)
    with site.app_context():
        assert (find_user(number), find_identity("kakao", str(MINJI))) == (None, None)
    if rule in LETS_GO:
        assert row(site, number) is None
        return
    assert is_empty(row(site, number))
    assert len(coupons(site)) == 1
    assert "coupons" in caplog.text
    assert minji.get("/users/me/").status_code == 302
    if path == "own page":  # the webhook's message is kept for some time, and no login begun before it counts
        assert str(MINJI) not in everything(site)
        enter(site, kakao)
        assert user_of(site) != number


def unlink_by_webhook(site: Flask, kakao: FakeKakao) -> None:
    kakao.is_linked = False
    form = {"user_id": str(MINJI), "referrer_type": "UNLINK_FROM_APPS"}
    headers = {"Authorization": f"KakaoAK {ADMIN_KEY}"}
    assert site.test_client().post("/webhooks/kakao/unlink/", data=form, headers=headers).status_code == 200


def test_one_of_two_identities_that_is_referred_to_goes_without_its_user(site: Flask, kakao: FakeKakao) -> None:
    enter(site, kakao)
    number = user_of(site)
    with site.app_context():
        db.session.add(Identity(provider="facebook", subject=SUBJECT, user_id=number))
        db.session.commit()
    make_coupons(site, number)
    unlink_by_webhook(site, kakao)
    assert len(coupons(site)) == 2
    with site.app_context():
        user = find_user(number)
        assert user is not None
        assert [one.provider for one in user.identities] == ["facebook"]
        assert [one.provider for one in identities_of([number])[number]] == ["facebook"]
        assert db.session.query(ProviderToken).count() == 0
        assert find_identity("kakao", str(MINJI)) is None


def test_account_whose_only_identity_is_empty_has_no_way_in(site: Flask, kakao: FakeKakao) -> None:
    """The last superuser's, which stays without one."""
    enter(site, kakao)
    number = user_of(site)
    with site.app_context():
        roles.promote(db.session.get_one(User, number), superuser=True)
    make_coupons(site, number)
    unlink_by_webhook(site, kakao)
    with site.app_context():
        user = find_user(number)
        assert user is not None
        assert not ways_in.has_other_way_in(user)
        assert db.session.scalar(db.select(User.id).where(ways_in.has_way_in())) is None
