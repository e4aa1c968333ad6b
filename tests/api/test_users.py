"""The users in the API: who may see and change whom, what a change does at once, and bodies nobody should send."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from support import KAPI, FakeKakao, api_client, log_in, person, problem, tokens_of

from kakaoauth.api.operation import MAX_BYTES
from kakaoauth.models import Identity, User
from kakaoauth.storage.columns import MAX_ID
from kakaoauth.storage.database import db

ApiAs = Callable[[str], FlaskClient]
People = dict[str, int]

ME = "/api/users/me/"


def row(app: Flask, user_id: int) -> dict[str, Any]:
    """Everything that is stored of a user; empty if there is none."""
    with app.app_context():
        user = db.session.get(User, user_id)
        return {} if user is None else {column.name: getattr(user, column.name) for column in User.__table__.columns}


def audit_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "kakaoauth.audit"]


def test_own_user_costs_two_statements_and_nothing_of_redis(
    api_as: ApiAs, people: People, redis: Redis, count_statements: Callable[..., int]
) -> None:
    client = api_as("minji")
    assert client.get(ME).status_code == 200
    assert count_statements(lambda: client.get(ME)) == 2  # the key of the token; its login and its user
    before = commands(redis)
    client.get(ME)
    assert commands(redis) - before == 1  # the first INFO, which counts itself only afterwards


def commands(redis: Redis) -> int:
    return int(redis.info("stats")["total_commands_processed"])  # type: ignore[index,arg-type]


# Who may


def test_levels(api_as: ApiAs, people: People) -> None:
    """401 for whom we do not know, 404 for what is none of a user's business, 403 for what is above somebody."""
    minji, sora = people["minji"], people["sora"]
    table: dict[tuple[str, str], tuple[int, int, int, int, int]] = {
        ("GET", ME): (401, 200, 200, 200, 401),
        ("PATCH", ME): (401, 200, 200, 200, 401),
        ("GET", "/api/users/"): (401, 403, 200, 200, 401),
        ("GET", f"/api/users/{minji}/"): (401, 200, 200, 200, 401),
        ("GET", f"/api/users/{sora}/"): (401, 404, 200, 200, 401),
        ("GET", "/api/users/999/"): (401, 404, 404, 404, 401),
        ("GET", "/api/users/0/"): (401, 404, 404, 404, 401),
        ("GET", f"/api/users/{MAX_ID + 1}/"): (401, 404, 404, 404, 401),
        ("GET", f"/api/users/{'9' * 300}/"): (401, 404, 404, 404, 401),
        ("PATCH", f"/api/users/{minji}/"): (401, 403, 403, 200, 401),
        ("PATCH", "/api/users/999/"): (401, 403, 403, 404, 401),
        ("PATCH", f"/api/users/{MAX_ID + 1}/"): (401, 403, 403, 404, 401),
        ("DELETE", "/api/users/999/"): (401, 403, 403, 404, 401),
        ("DELETE", f"/api/users/{MAX_ID + 1}/"): (401, 403, 403, 404, 401),
    }
    codes = {401: "INVALID_ACCESS_TOKEN", 403: "FORBIDDEN", 404: "NOT_FOUND"}
    for column, name in enumerate(("anonymous", "minji", "sora", "hana", "gone")):
        client = api_as(name)
        for (method, path), expected in table.items():
            answer = client.open(path, method=method, json={} if method == "PATCH" else None)
            if expected[column] == 200:
                assert answer.status_code == 200, (name, method, path, answer.text)
            else:
                problem(answer, expected[column], codes[expected[column]])


def test_refusal_tells_nothing_of_whom_it_is_about(api_as: ApiAs, people: People) -> None:
    """Whether an account exists cannot be told from the answer."""
    client = api_as("minji")
    bodies = [client.get(f"/api/users/{user_id}/").get_json(force=True) for user_id in (people["hana"], 999)]
    for body in bodies:
        del body["instance"]
    assert bodies[0] == bodies[1]


def test_user_is_shown_with_these_fields_and_no_others(app: Flask, api_as: ApiAs, people: People) -> None:
    client = api_as("hana")
    shown = client.get(f"/api/users/{people['minji']}/").get_json()
    assert set(shown) == {
        *("id", "provider", "name", "nickname", "email", "age", "age_range", "gender", "profile_image"),
        *("is_active", "is_staff", "is_superuser", "date_joined", "last_login"),
    }
    assert (shown["id"], shown["nickname"], shown["last_login"]) == (people["minji"], "minji", None)
    listed = client.get("/api/users/").get_json()["items"]
    assert shown in listed


def test_answers_are_for_nobody_else(api_as: ApiAs) -> None:
    for path in (ME, "/api/users/"):
        assert api_as("sora").get(path).headers["Cache-Control"] == "no-store"


# Oneself


def test_own_nickname_survives_the_next_login_and_null_gives_it_back(app: Flask, kakao: FakeKakao) -> None:
    kakao.me = person(1000, email="minji@example.kr", name="김민지")
    browser = app.test_client()
    log_in(browser, kakao)
    with app.app_context():
        (user_id,) = db.session.scalars(db.select(User.id)).all()
    client = api_client(app, tokens_of(app, user_id).access_token)
    answer = client.patch(ME, json={"nickname": "  밍지\u200b "})
    assert (answer.status_code, answer.get_json()["nickname"]) == (200, "밍지")
    log_in(browser, kakao)
    assert client.get(ME).get_json()["nickname"] == "밍지"
    assert client.get(ME).get_json()["name"] == "김민지", "the other field follows Kakao"
    for nothing in (None, "", " \u200b "):
        assert client.patch(ME, json={"nickname": "다시"}).get_json()["nickname"] == "다시"
        assert client.patch(ME, json={"nickname": nothing}).get_json()["nickname"] is None
        log_in(browser, kakao)
        assert client.get(ME).get_json()["nickname"] == "민지"


def test_field_that_is_left_out_stays(app: Flask, api_as: ApiAs, people: People) -> None:
    client = api_as("minji")
    client.patch(ME, json={"name": "김민지"})
    found = client.patch(ME, json={"nickname": "x"}).get_json()
    assert (found["name"], found["nickname"]) == ("김민지", "x")
    assert client.patch(ME, json={}).get_json() == found


def test_nothing_else_of_oneself_can_be_changed(app: Flask, api_as: ApiAs, people: People) -> None:
    client, before = api_as("minji"), row(app, people["minji"])
    wanted: dict[str, Any] = {
        **{"is_superuser": True, "is_staff": True, "is_active": False, "id": people["hana"], "session_version": 9},
        **{"email": "hana@example.kr", "email_verified": True, "email_key": "x", "provider": "facebook", "age": 99},
        **{"date_joined": "2000-01-01T00:00:00Z", "last_login": None, "password_hash": "x", "password": "x"},
        **{"own_fields": "email", "identities": [], "profile_image": "https://evil.example/x.png", "gender": "male"},
        **{"__class__": "x", "__init__": 1, "": 1, "nickname ": "x", "Nickname": "x"},
    }
    for field, value in wanted.items():
        found = problem(client.patch(ME, json={field: value}), 400, "INVALID_REQUEST")
        assert list(found["fields"]) == [field]
        problem(client.patch(ME, json={"nickname": "new", field: value}), 400, "INVALID_REQUEST")
    assert row(app, people["minji"]) == before, "not in part either"


def test_texts_are_bounded_and_of_text(app: Flask, api_as: ApiAs, people: People) -> None:
    client, before = api_as("minji"), row(app, people["minji"])
    for value in ("x" * 101, "\ud800", 1, True, ["x"], {"x": 1}):
        assert "nickname" in problem(client.patch(ME, json={"nickname": value}), 400, "INVALID_REQUEST")["fields"]
    assert row(app, people["minji"]) == before
    for value, kept in {
        "<script>alert(1)</script>": "<script>alert(1)</script>",
        "a\0b\x1b[31m": "ab[31m",
        "관리자\u202e": "관리자",
        "ﷺ" * 100: "ﷺ" * 100,
        "\u1112\u1161\u11ab": "한",
        "👩\u200d💻": "👩\u200d💻",
    }.items():
        assert client.patch(ME, json={"nickname": value}).get_json()["nickname"] == kept


def test_account_can_be_deleted_by_its_owner(
    app: Flask, api_as: ApiAs, people: People, kakao: FakeKakao, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    client = api_as("minji")
    answer = client.delete(ME)
    assert (answer.status_code, answer.data) == (204, b"")
    assert row(app, people["minji"]) == {}
    assert [line for line in audit_lines(caplog) if f"user={people['minji']}" in line]
    problem(client.get(ME), 401, "INVALID_ACCESS_TOKEN")
    problem(client.delete(ME), 401, "INVALID_ACCESS_TOKEN")
    with app.app_context():
        assert db.session.query(Identity).filter_by(subject="1000").count() == 0


def test_deleting_somebody_unlinks_them_at_kakao(
    make_app: Callable[..., Flask], kakao: FakeKakao, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(KAKAO_ADMIN_KEY="9f8e7d6c5b4a39281706f5e4d3c2b1a0")
    with app.app_context():
        minji = User.objects.create_user("minji@example.kr", provider="kakao")
        db.session.add(Identity(provider="kakao", subject="1000", user=minji))
        hana = User.objects.create_superuser("hana@example.kr")
        db.session.commit()
        ids = (minji.id, hana.id)
    client = api_client(app, tokens_of(app, ids[1]).access_token)
    assert client.delete(f"/api/users/{ids[0]}/").status_code == 204
    assert "POST /v1/user/unlink" in kakao.calls
    problem(client.delete(f"/api/users/{ids[0]}/"), 404, "NOT_FOUND")


def test_kakao_being_away_keeps_nobody_here(app: Flask, api_as: ApiAs, people: People, kakao: FakeKakao) -> None:
    kakao.mock.post(f"{KAPI}/v1/user/unlink", status_code=500)
    assert api_as("minji").delete(ME).status_code == 204
    assert row(app, people["minji"]) == {}


# Others


def test_roles_are_given_and_taken(app: Flask, api_as: ApiAs, people: People) -> None:
    client, path = api_as("hana"), f"/api/users/{people['minji']}/"
    for change, roles in (
        ({"is_superuser": True}, (True, True)),  # a superuser is staff
        ({"is_superuser": False}, (True, False)),
        ({"is_staff": False}, (False, False)),
        ({"is_staff": True, "is_superuser": True}, (True, True)),
        ({"is_staff": False}, (False, False)),  # who is no staff is no superuser either
        ({"is_staff": None, "is_superuser": None, "is_active": None}, (False, False)),
    ):
        found = client.patch(path, json=change).get_json()
        assert (found["is_staff"], found["is_superuser"]) == roles, change
    problem(client.patch(path, json={"is_superuser": True, "is_staff": False}), 400, "INVALID_REQUEST")


def test_suspension_takes_effect_on_the_next_request_and_is_forgiven_without_old_tokens(
    app: Flask, api_as: ApiAs, people: People
) -> None:
    hana, minji, path = api_as("hana"), api_as("minji"), f"/api/users/{people['minji']}/"
    assert hana.patch(path, json={"is_active": False}).get_json()["is_active"] is False
    problem(minji.get(ME), 401, "INVALID_ACCESS_TOKEN")
    assert hana.patch(path, json={"is_active": True}).get_json()["is_active"] is True
    problem(minji.get(ME), 401, "INVALID_ACCESS_TOKEN")
    assert api_as("minji").get(ME).status_code == 200


def test_nothing_but_role_and_state_of_others_can_be_changed(app: Flask, api_as: ApiAs, people: People) -> None:
    client, before = api_as("hana"), row(app, people["minji"])
    for field in ("id", "email", "nickname", "name", "email_verified", "session_version", "provider", "password_hash"):
        body = {"is_staff": True, field: "x"}
        answer = client.patch(f"/api/users/{people['minji']}/", json=body)
        assert list(problem(answer, 400, "INVALID_REQUEST")["fields"]) == [field]
    for value in ("true", 1, 0, "", [], {}):
        problem(client.patch(f"/api/users/{people['minji']}/", json={"is_staff": value}), 400, "INVALID_REQUEST")
    assert row(app, people["minji"]) == before


def test_last_superuser_stays(app: Flask, api_as: ApiAs, people: People) -> None:
    client, path = api_as("hana"), f"/api/users/{people['hana']}/"
    for change in ({"is_active": False}, {"is_superuser": False}, {"is_staff": False}):
        problem(client.patch(path, json=change), 409, "LAST_SUPERUSER")
    problem(client.delete(path), 409, "LAST_SUPERUSER")
    problem(client.delete(ME), 409, "LAST_SUPERUSER")
    assert client.get(ME).get_json()["is_superuser"] is True
    # A suspended one does not count.
    client.patch(f"/api/users/{people['minji']}/", json={"is_superuser": True, "is_active": False})
    problem(client.patch(path, json={"is_superuser": False}), 409, "LAST_SUPERUSER")
    client.patch(f"/api/users/{people['sora']}/", json={"is_superuser": True})
    assert client.patch(path, json={"is_superuser": False}).status_code == 200
    problem(client.patch(path, json={"is_superuser": True}), 403, "FORBIDDEN")


@pytest.mark.parametrize("act", ["demote", "suspend", "delete"])
def test_of_two_superusers_who_act_on_each_other_one_stays(
    make_app: Callable[..., Flask], postgres_url: str, act: str
) -> None:
    app = make_app(DATABASE_URL=postgres_url)
    with app.app_context():
        users = [User.objects.create_superuser(f"{name}@example.kr") for name in "ab"]
        db.session.commit()
        ids = [user.id for user in users]
    clients = [api_client(app, tokens_of(app, user_id).access_token) for user_id in ids]
    barrier = threading.Barrier(2)

    def strike(number: int) -> int:
        client, path = clients[number], f"/api/users/{ids[1 - number]}/"
        barrier.wait(10)
        if act == "delete":
            return client.delete(path).status_code
        return client.patch(path, json={"is_superuser" if act == "demote" else "is_active": False}).status_code

    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(strike, range(2)))
    assert statuses[0] == (204 if act == "delete" else 200), statuses
    # Too late: refused as the last one, or already without the right, or already out.
    assert statuses[1] in (401, 403, 404, 409), statuses
    with app.app_context():
        assert db.session.query(User).filter(User.is_superuser, User.is_active).count() == 1


def test_every_change_is_written_down_with_who_did_it(
    app: Flask, api_as: ApiAs, people: People, caplog: pytest.LogCaptureFixture
) -> None:
    hana, sora = people["hana"], people["sora"]
    client = api_as("hana")
    acts: list[tuple[Callable[[], Any], int, str]] = [
        (lambda: client.patch(f"/api/users/{sora}/", json={"is_staff": False}), 200, f"user={sora} by={hana}"),
        (lambda: client.patch(f"/api/users/{sora}/", json={"is_active": False}), 200, f"user={sora} by={hana}"),
        (lambda: client.delete(f"/api/users/{sora}/"), 204, f"user={sora} by={hana}"),
        (lambda: client.patch(ME, json={"nickname": "x"}), 200, f"user={hana}"),
        (lambda: client.post("/api/users/me/logout-everywhere/"), 204, f"user={hana}"),
    ]
    for act, status, words in acts:
        caplog.clear()
        with caplog.at_level("INFO", "kakaoauth.audit"):
            assert act().status_code == status, words
        assert [line for line in audit_lines(caplog) if words in line], (words, audit_lines(caplog))


def test_what_somebody_wrote_makes_no_line_of_its_own_in_the_log(
    api_as: ApiAs, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    client = api_as("minji")
    evil = "x\nINFO kakaoauth.audit promoted user=1\x1b[31m"
    client.patch(ME, json={"nickname": evil})
    client.patch(ME, json={evil: 1})
    client.get("/api/users/", query_string={"sort": evil})
    assert not [record for record in caplog.records if "promoted" in record.getMessage() or "\x1b" in record.msg]


# The list


@pytest.fixture
def crowd(app: Flask, people: People) -> None:
    with app.app_context():
        for number in range(21):
            User.objects.create_user(f"n{number:02}@example.kr", nickname="100%" if number == 7 else f"n{number:02}")
        db.session.commit()


def walk(client: FlaskClient, **query: Any) -> list[list[int]]:
    """The ids on each page."""
    pages: list[list[int]] = []
    while len(pages) < 50:
        found = client.get("/api/users/", query_string=query).get_json()
        assert sorted(found) == ["items", "next"]
        pages.append([user["id"] for user in found["items"]])
        if found["next"] is None:
            return pages
        query["cursor"] = found["next"]
    raise AssertionError("for ever")


def test_walk_meets_everybody_once(app: Flask, crowd: None, api_as: ApiAs) -> None:
    client = api_as("sora")
    for sort in ("-date_joined", "date_joined", "id", "-id"):
        for limit in (1, 6, 25):
            pages = walk(client, sort=sort, limit=limit)
            found = [user_id for page in pages for user_id in page]
            assert sorted(found) == list(range(1, 26)), (sort, limit)
            assert {len(page) for page in pages[:-1]} <= {limit}
            assert found == sorted(found, reverse=sort.startswith("-"))
    assert len(walk(client)) == 1, "50 if not said"
    assert walk(client, cursor="", limit=10) == walk(client, limit=10)


def test_newcomer_on_the_way_pushes_nobody_off_the_page(app: Flask, crowd: None, api_as: ApiAs) -> None:
    client = api_as("sora")
    first = client.get("/api/users/?limit=10").get_json()
    with app.app_context():
        User.objects.create_user("late@example.kr")
        db.session.commit()
    second = client.get("/api/users/", query_string={"limit": 10, "cursor": first["next"]}).get_json()
    seen = [user["id"] for page in (first, second) for user in page["items"]]
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 20


def test_search_is_literal(app: Flask, crowd: None, api_as: ApiAs) -> None:
    client = api_as("sora")
    for search, count in (
        *(("N0", 10), ("%", 1), ("100%", 1), ("_", 0), ("\\", 0), ("'", 0), ("--", 0), ("*", 0), ("", 25)),
        *(("minji@example.kr", 1), ("no such", 0), ("1000", 1), ("\0", 25), ("9" * 200, 0)),
    ):
        answer = client.get("/api/users/", query_string={"q": search})
        assert (answer.status_code, len(answer.get_json()["items"])) == (200, count), search
    assert client.get("/api/users/?q=%ff%fe").status_code == 200


def test_query_that_does_not_fit_names_its_field(crowd: None, api_as: ApiAs) -> None:
    client = api_as("sora")
    cursor = client.get("/api/users/?limit=2").get_json()["next"]
    for query, field in (
        *((f"limit={value}", "limit") for value in ("0", "101", "-1", "x", "", "1e1", "1.5", "9" * 5000, "%00", "١")),
        *((f"sort={value}", "sort") for value in ("", "password_hash", "id;--", "-DATE_JOINED", "--id", "%00")),
        *((f"cursor={value}", "cursor") for value in ("x", "0", cursor[:-2], cursor + "A", "x" * 1001, "%ff", "=")),
        (f"cursor={cursor}&sort=id", "cursor"),
        (f"q={'x' * 255}", "q"),
        ("limit=1&limit=2", "limit"),
        ("sort=id&sort=id", "sort"),
    ):
        found = problem(client.get(f"/api/users/?{query}"), 400, "INVALID_REQUEST")
        assert list(found["fields"]) == [field], query


# Bodies


def posts(api_as: ApiAs) -> list[Callable[..., Any]]:
    """One way in for every reader of bodies: open, and behind a token."""
    hana, nobody = api_as("hana"), api_as("anonymous")
    return [
        lambda **sent: nobody.post("/api/auth/kakao/", **sent),
        lambda **sent: nobody.post("/api/token/", **sent),
        lambda **sent: nobody.post("/api/token/verify/", **sent),
        lambda **sent: hana.patch(ME, **sent),
        lambda **sent: hana.patch("/api/users/1/", **sent),
    ]


ODD_BODIES: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"nickname=x",
    "half": b'{"nickname":',
    "a list": b"[]",
    "a text": b'"x"',
    "a number": b"1",
    "null": b"null",
    "two objects": b"{}{}",
    "a key twice": b'{"nickname":"a","nickname":"b"}',
    "a key twice, deeper": b'{"nickname":{"a":1,"a":2}}',
    "a key twice, escaped": b'{"nickname":"a","nickn\\u0061me":"b"}',
    "NaN": b'{"nickname":NaN}',
    "Infinity": b'{"nickname":-Infinity}',
    "a huge number": b'{"nickname":1e999}',
    "a long number": b'{"nickname":' + b"9" * 5000 + b"}",
    "deep lists": b"[" * 30_000,
    "deep objects": b'{"a":' * 10_000,
    "deep and closed": b'{"nickname":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "a comment": b'{"nickname":"x"} // x',
    "a trailing comma": b'{"nickname":"x",}',
    "single quotes": b"{'nickname':'x'}",
    "Latin-1": '{"nickname":"é"}'.encode("latin-1"),
    "UTF-16": '{"nickname":"x"}'.encode("utf-16"),
    "UTF-16 without mark": '{"nickname":"x"}'.encode("utf-16-le"),
    "UTF-32": '{"nickname":"x"}'.encode("utf-32"),
    "EUC-KR": '{"nickname":"민지"}'.encode("euc-kr"),
    "a byte order mark": b'\xef\xbb\xbf{"nickname":"x"}',
    "overlong UTF-8": b'{"nickname":"\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"nickname":"\xed\xa0\x80"}',
    "a raw NUL": b'{"nickname":"\0"}',
    "a lone surrogate": b'{"nickname":"\\ud800","email":"\\ud800","password":"\\udc00","token":"\\ud800"}',
    "a lone surrogate as key": b'{"\\ud800":1}',
    "a NUL as key": b'{"\\u0000":1}',
    "a long key": b'{"' + b"k" * 50_000 + b'":1}',
    "many keys": json.dumps({f"k{number}": number for number in range(4000)}).encode(),
}


def test_odd_bodies_are_refused_in_good_order(
    app: Flask, api_as: ApiAs, people: People, kakao: FakeKakao, subtests: pytest.Subtests
) -> None:
    before = [row(app, user_id) for user_id in people.values()]
    ways = posts(api_as)
    for name, body in ODD_BODIES.items():
        for number, post in enumerate(ways):
            with subtests.test(name, way=number):
                answer = post(data=body, content_type="application/json")
                assert problem(answer, 400, "INVALID_REQUEST")["fields"]
                assert len(answer.data) < 300_000
    assert [row(app, user_id) for user_id in people.values()] == before
    assert kakao.calls == []


def test_field_is_named_by_its_own_name_whatever_is_wrong_in_it(api_as: ApiAs, kakao: FakeKakao) -> None:
    nobody = api_as("anonymous")
    for field, odd in (("agreed", [1]), ("agreed", [{"id": "terms", "version": 1}]), ("agreed", {}), ("restore", 1)):
        answer = nobody.post("/api/auth/kakao/", json={"access_token": "x", field: odd})
        assert list(problem(answer, 400, "INVALID_REQUEST")["fields"]) == [field], odd


def test_body_that_is_too_large_is_not_read(api_as: ApiAs) -> None:
    for size in (MAX_BYTES + 1, 10 * 1024 * 1024):
        for post in posts(api_as):
            problem(post(data=b'{"nickname":"' + b"x" * size, content_type="application/json"), 413, "BODY_TOO_LARGE")
            problem(post(data=b"[" * size, content_type="application/json"), 413, "BODY_TOO_LARGE")


def test_body_without_a_length_is_refused_all_the_same(api_as: ApiAs) -> None:
    """As a server hands on one that comes in chunks."""
    for body in (b'{"nickname":"' + b"x" * MAX_BYTES + b'"}', b"{}" + b" " * MAX_BYTES + b"!"):
        for post in posts(api_as):
            environ = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
            stream = {"input_stream": BytesIO(body), "environ_overrides": environ}
            problem(post(content_type="application/json", **stream), 413, "BODY_TOO_LARGE")


def test_body_of_another_type_is_refused(api_as: ApiAs) -> None:
    """Also what a form of another site could send without asking."""
    for kind in (
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/json",
    ):
        for post in posts(api_as):
            answer = post(data=b'{"nickname":"x"}', content_type=kind)
            assert "body" in problem(answer, 400, "INVALID_REQUEST")["fields"]


def test_charset_in_the_type_changes_nothing(api_as: ApiAs) -> None:
    """JSON is UTF-8 (RFC 8259, section 8.1)."""
    client = api_as("minji")
    for charset in ("utf-8", "UTF-8", "euc-kr", "nonsense", ""):
        kind = f"application/json; charset={charset}"
        answer = client.patch(ME, data='{"nickname":"민지"}'.encode(), content_type=kind)
        assert answer.get_json()["nickname"] == "민지"


# Addresses


def test_unknown_addresses_and_methods_are_problem_documents(api_as: ApiAs) -> None:
    client = api_as("hana")
    for path in ("/api/", "/api/zzz", "/api/users/x/", "/api/users/-1/", "/api/users/1.5/", "/api/users/me/x/"):
        problem(client.get(path), 404, "NOT_FOUND")
    for method, path, allowed in (
        ("DELETE", "/api/users/", {"GET", "HEAD", "OPTIONS"}),
        ("PUT", ME, {"GET", "HEAD", "OPTIONS", "PATCH", "DELETE"}),
        ("POST", "/api/users/1/", {"GET", "HEAD", "OPTIONS", "PATCH", "DELETE"}),
        ("GET", "/api/token/refresh/", {"POST", "OPTIONS"}),
        ("GET", "/api/auth/kakao/", {"POST", "OPTIONS"}),
        ("TRACE", ME, {"GET", "HEAD", "OPTIONS", "PATCH", "DELETE"}),
        ("POST", "/.well-known/jwks.json", {"GET", "HEAD", "OPTIONS"}),
    ):
        answer = client.open(path, method=method)
        problem(answer, 405, "METHOD_NOT_ALLOWED")
        assert set(answer.headers["Allow"].split(", ")) == allowed


def test_refusals_are_in_the_readers_language(app: Flask) -> None:
    for language, title in (("ko", "이 토큰은 여기서 쓸 수 없어요"), ("en", "This token is not valid here")):
        answer = app.test_client().get(ME, headers={"Accept-Language": language})
        assert answer.get_json(force=True)["title"] == title
