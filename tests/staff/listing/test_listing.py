"""The list of users on both databases: every order, filter and search, page after page, while people come and go."""

import json
import random
import sqlite3
import unicodedata
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, delete, event, insert, select, update

from kakaoauth.models import Identity, User
from kakaoauth.staff.listing import counted, estimate, page
from kakaoauth.staff.listing.filters import Filter
from kakaoauth.staff.listing.ordering import SORTS
from kakaoauth.staff.listing.planner import Budget
from kakaoauth.storage import cursors
from kakaoauth.storage.columns import MAX_ID
from kakaoauth.storage.database import db

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
EVERYBODY = Filter()
#: So small that sixty users are too many: every way of searching is gone.
TIGHT = Budget(short=4, long=12, most=3)


@pytest.fixture
def site(kept_app: Flask) -> Iterator[Flask]:
    with kept_app.app_context():
        yield kept_app
        db.session.rollback()
        db.session.execute(delete(User))
        db.session.commit()


def add(email: str | None = None, *, subject: str | None = None, **fields: Any) -> User:
    user = User.objects.create_user(email, **fields)
    if subject:
        db.session.add(Identity(provider=user.provider or "kakao", subject=subject, user=user))
    return user


def crowd(count: int, seed: int = 1) -> None:
    """So many users, with few different values, so that many are equal, and many empty ones."""
    chance = random.Random(seed)
    for number in range(count):
        add(
            f"{chance.choice('abc')}{seed}n{number}@example.kr" if chance.random() < 0.7 else None,
            nickname=chance.choice([None, "", "가", "나", "a", "B", "ß", "😀"]),
            provider=chance.choice(["kakao", "kakao", "facebook"]),
            is_active=chance.random() < 0.9,
            is_staff=chance.random() < 0.2,
            date_joined=BEGINNING + timedelta(days=chance.randrange(9)),
            last_login=chance.choice([None, BEGINNING, BEGINNING + timedelta(microseconds=1)]),
        )
    db.session.commit()


def pages(chosen: Filter = EVERYBODY, sort: str = "-date_joined", limit: int = 7) -> Iterator[Any]:
    found = page(chosen, sort=sort, limit=limit)
    yield found
    while found.next:
        found = page(chosen, sort=sort, cursor=found.next, limit=limit)
        yield found


def ids(found: Any) -> list[int]:
    return [user.id for user in found.users]


def names(search: str = "", **chosen: Any) -> set[str | None]:
    return {user.nickname for user in page(Filter(search=search, **chosen), limit=100).users}


def in_order(sort: str, wanted: Callable[[User], bool] = lambda _: True) -> list[int]:
    """What the list has to be, by Python."""
    order = SORTS[sort]
    users = [user for user in db.session.scalars(select(User)) if wanted(user)]
    valued = [user for user in users if order.of(user) is not None]
    empty = [user for user in users if order.of(user) is None]
    valued.sort(key=lambda user: (order.of(user), user.id), reverse=order.descending)
    empty.sort(key=lambda user: user.id, reverse=order.descending)
    return [user.id for user in valued + empty]


# Orders and pages


def test_pages_go_through_everybody_and_back(site: Flask) -> None:
    crowd(45)
    for sort in SORTS:
        there = list(pages(sort=sort))
        assert [number for found in there for number in ids(found)] == in_order(sort)
        assert [bool(found.previous) for found in there] == [False] + [True] * 6
        back, found = [ids(there[-1])], there[-1]
        while found.previous:
            found = page(EVERYBODY, sort=sort, cursor=found.previous, limit=7)
            back.insert(0, ids(found))
        assert back == [ids(found) for found in there]


def test_filtered_pages_go_through_all_who_match(site: Flask) -> None:
    crowd(45)
    for sort in SORTS:
        seen = [number for found in pages(Filter(search="n"), sort, limit=9) for number in ids(found)]
        assert seen == in_order(sort, lambda user: "n" in user.search_text)
        seen = [number for found in pages(Filter(state="suspended"), sort, limit=2) for number in ids(found)]
        assert seen == in_order(sort, lambda user: not user.is_active)
        chosen = Filter(role="staff", provider="kakao")
        seen = [number for found in pages(chosen, sort, limit=4) for number in ids(found)]
        assert seen == in_order(sort, lambda user: user.is_staff and user.provider == "kakao")


@pytest.mark.parametrize("sort", ["-date_joined", "-nickname"])
def test_nobody_is_skipped_or_repeated_while_people_come_and_go(site: Flask, sort: str) -> None:
    crowd(50)
    before = in_order(sort)
    chance = random.Random(sort)
    gone: set[int] = set()
    seen: list[int] = []
    for turn, found in enumerate(pages(sort=sort)):
        seen += ids(found)
        crowd(4, seed=turn + 2)
        leaver = chance.choice([number for number in before if number not in gone])
        db.session.execute(delete(User).where(User.id == leaver))
        db.session.commit()
        gone.add(leaver)
    assert len(seen) == len(set(seen))
    stayed = [number for number in seen if number in before and number not in gone]
    assert stayed == [number for number in before if number not in gone]


def test_page_whose_users_are_gone_leads_back_to_those_before(site: Flask) -> None:
    crowd(10)
    first = page(EVERYBODY, limit=5)
    db.session.execute(delete(User).where(User.id.in_(ids(page(EVERYBODY, cursor=first.next, limit=5)))))
    db.session.commit()
    empty = page(EVERYBODY, cursor=first.next, limit=5)
    assert (ids(empty), empty.next, empty.cut) == ([], None, False)
    assert ids(page(EVERYBODY, cursor=empty.previous, limit=5)) == ids(first)


def test_people_who_joined_since_are_on_the_page_before_the_first(site: Flask) -> None:
    crowd(10)
    second = page(EVERYBODY, cursor=page(EVERYBODY, limit=5).next, limit=5)
    newcomer = add("new@example.kr", date_joined=BEGINNING + timedelta(days=99)).id
    db.session.commit()
    first = page(EVERYBODY, cursor=second.previous, limit=5)
    assert newcomer not in ids(first)
    assert ids(page(EVERYBODY, cursor=first.previous, limit=5)) == [newcomer]


def test_sort_that_is_none_is_refused(site: Flask) -> None:
    for sort in ("", "password_hash", "-", "date_joined; --", "id,email"):
        with pytest.raises(ValueError, match="no such sort"):
            page(EVERYBODY, sort=sort)


# Searching with little time


#: A search, filters that have an index, and filters with which none helps.
RARE: dict[Filter, Callable[[User], bool]] = {
    Filter(search="n5"): lambda user: "n5" in user.search_text,
    Filter(search="n", state="suspended"): lambda user: not user.is_active and "n" in user.search_text,
    Filter(role="user", provider="facebook"): lambda user: not user.is_staff and user.provider == "facebook",
}


def test_pages_that_are_cut_lead_to_all_who_match_nevertheless(site: Flask) -> None:
    crowd(60)
    cuts = 0
    for sort in ("-date_joined", "email", "-last_login", "id"):
        for chosen, meets in RARE.items():
            found = page(chosen, sort=sort, limit=3, budget=TIGHT)
            there = ids(found)
            while found.next:
                found = page(chosen, sort=sort, limit=3, budget=TIGHT, cursor=found.next)
                there += ids(found)
                cuts += found.cut
            assert there == in_order(sort, meets)
            back = ids(found)
            while found.previous:
                found = page(chosen, sort=sort, limit=3, budget=TIGHT, cursor=found.previous)
                back = ids(found) + back
            assert back == there
    assert cuts


def test_people_who_join_between_two_statements_of_a_page_hide_nobody(site: Flask) -> None:
    """They come before everybody who is there, so each pushes one more of these out of what a statement reads."""
    for number in range(30):
        add(f"m{number:02}@example.kr", is_staff=True)
    db.session.commit()
    wanted = in_order("email")
    joined = 0

    def join(connection: Connection, statement: Any, *_rest: Any) -> None:
        nonlocal joined
        if statement.is_select:
            joined += 1
            address = f"a{joined}@example.kr"
            connection.execute(insert(User).values(email=address, email_key=address))

    event.listen(db.engine, "after_execute", join)
    try:
        found = page(Filter(role="staff"), sort="email", limit=50, budget=TIGHT)
        seen = ids(found)
        while found.next:
            found = page(Filter(role="staff"), sort="email", limit=50, budget=TIGHT, cursor=found.next)
            seen += ids(found)
    finally:
        event.remove(db.engine, "after_execute", join)
    assert joined > 5
    assert seen == wanted


def test_page_says_that_it_was_cut(site: Flask) -> None:
    crowd(20)
    for _ in range(4):
        add(provider="facebook", date_joined=BEGINNING - timedelta(days=1))
    db.session.execute(update(User).where(User.date_joined >= BEGINNING).values(provider="kakao"))
    db.session.commit()
    found = page(Filter(provider="facebook"), sort="-last_login", budget=TIGHT)
    assert (ids(found), found.cut, found.next is None) == ([], True, False)
    found = page(Filter(provider="facebook"), sort="-last_login")
    assert (len(found.users), found.cut, found.next) == (4, False, None)


def test_search_is_right_without_its_index(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    """As on an SQLite that was built without FTS5."""
    app = make_app(DATABASE_URL=f"sqlite:///{tmp_path / 'made.db'}")
    with app.app_context():
        db.drop_all()
        with db.engine.connect() as connection:
            connection.connection.set_authorizer(refuse_virtual_tables)
            db.metadata.create_all(connection)
            connection.commit()
            connection.connection.set_authorizer(None)
        crowd(30)
        assert ids(page(Filter(search="n1"))) == in_order("-date_joined", lambda user: "n1" in user.search_text)
        assert page(Filter(search="nobody"), budget=TIGHT).cut


def refuse_virtual_tables(action: int, *_: Any) -> int:
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_CREATE_VTABLE else sqlite3.SQLITE_OK


# Cursors


def test_cursor_is_short_and_fits_into_a_url(site: Flask) -> None:
    add("x" * 64 + "@" + ".".join(["y" * 60] * 3) + ".kr", nickname="\U0001f469" * 100)
    add()
    db.session.commit()
    for sort in SORTS:
        cursor = page(EVERYBODY, sort=sort, limit=1).next
        assert cursor is not None
        assert len(cursor) <= cursors.MAX_LENGTH
        assert cursor.replace("-", "").replace("_", "").isalnum()


def forged(*parts: Any) -> str:
    return urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


ODD = [
    *(" ", "x", "=", "null", "%00", "\0", "가", "e30", "W10", "A" * 1000, "A" * 1001, "W" * 999),
    forged("-date_joined", 0, 1),
    forged("-date_joined", 0, 1, 1, 1),
    forged("-date_joined", 2, 1, 1),
    forged("-date_joined", [], 1, 1),
    forged("-date_joined", 0, None, 1),
    forged("-date_joined", 0, "2026-01-01", 1),
    forged("-date_joined", 0, 1.5, 1),
    forged("-date_joined", 0, True, 1),
    forged("-date_joined", 0, 10**30, 1),
    forged("-date_joined", 0, -(10**18), 1),
    forged("-date_joined", 0, 1, MAX_ID + 1),
    forged("-date_joined", 0, 1, "1"),
    forged("-date_joined", 0, 1, None),
    forged("-date_joined", 0, 1, 1.0),
    forged("-date_joined", 0, [1], 1),
    forged("-date_joined", 0, {"a": 1}, 1),
    forged("id", 0, 1, 1),
    forged("date_joined", 0, 1, 1),
    forged(*[[]] * 4),
]


@pytest.mark.parametrize("cursor", ODD, ids=range(len(ODD)))
def test_odd_cursor_is_refused(site: Flask, cursor: str) -> None:
    with pytest.raises(ValueError, match="no cursor"):
        page(EVERYBODY, cursor=cursor)


@pytest.mark.parametrize("value", ["a\0", "\ud800", "x" * 255, 1, ["a"], {}])
def test_odd_text_in_a_cursor_is_refused(site: Flask, value: Any) -> None:
    for sort in ("email", "-nickname"):
        with pytest.raises(ValueError, match="no cursor"):
            page(EVERYBODY, sort=sort, cursor=forged(sort, 0, value, 1))


def test_changed_cursor_is_another_page_and_no_error(site: Flask) -> None:
    crowd(12)
    for sort, order in SORTS.items():
        values = {int: (-1, 0, MAX_ID), datetime: (0, -62135596800000000, 253402300799999999)}.get(
            order.kind, ("", "'; DROP TABLE users", "%", "\U0010ffff", "\u200d")
        )
        for value in (*values, *([None] if order.nullable else [])):
            for number, direction in ((-MAX_ID, 0), (5, 1), (MAX_ID, 0)):
                page(EVERYBODY, sort=sort, cursor=forged(sort, direction, value, number))
                page(Filter(joined_from=date(2026, 1, 3)), sort=sort, cursor=forged(sort, direction, value, number))


# Filters


def test_filters_show_whom_they_name(site: Flask) -> None:
    add(nickname="user")
    add(nickname="staff", is_staff=True, provider="facebook")
    add(nickname="superuser", is_staff=True, is_superuser=True)
    add(nickname="gone", is_active=False, provider="kakao")
    db.session.commit()
    assert names(role="user") == {"user", "gone"}
    assert names(role="staff") == {"staff"}
    assert names(role="superuser") == {"superuser"}
    assert names(state="active") == {"user", "staff", "superuser"}
    assert names(state="suspended") == {"gone"}
    assert names(provider="facebook") == {"staff"}
    assert names(provider="myspace") == set()
    assert names(role="user", state="suspended", provider="kakao", search="on") == {"gone"}
    assert names(role="staff", state="suspended") == set()


def test_role_or_state_that_is_none_is_refused() -> None:
    for odd in ({"role": "admin"}, {"state": "asleep"}):
        with pytest.raises(ValueError, match="no such role or state"):
            Filter(**odd)


def test_days_are_days_in_seoul(site: Flask) -> None:
    add(nickname="last of the 1st", date_joined=datetime(2026, 3, 1, 14, 59, 59, 999999, UTC))
    add(nickname="first of the 2nd", date_joined=datetime(2026, 3, 1, 15, tzinfo=UTC))
    add(nickname="last of the 2nd", date_joined=datetime(2026, 3, 2, 14, 59, 59, 999999, UTC))
    add(nickname="first of the 3rd", date_joined=datetime(2026, 3, 2, 15, tzinfo=UTC))
    db.session.commit()
    second = date(2026, 3, 2)
    for sort in SORTS:
        found = page(Filter(joined_from=second, joined_until=second), sort=sort)
        assert {user.nickname for user in found.users} == {"first of the 2nd", "last of the 2nd"}
    assert names(joined_from=second) == {"first of the 2nd", "last of the 2nd", "first of the 3rd"}
    assert names(joined_until=second) == {"last of the 1st", "first of the 2nd", "last of the 2nd"}
    assert names(joined_from=second, joined_until=date(2026, 3, 1)) == set()
    assert len(names(joined_from=date.min, joined_until=date.max)) == 4
    assert names(joined_from=date.max) == names(joined_until=date.min) == set()


@pytest.mark.parametrize("sort", ["date_joined", "-date_joined"])
def test_pages_stay_within_the_days(site: Flask, sort: str) -> None:
    crowd(60)
    low, high = BEGINNING + timedelta(days=2, hours=-9), BEGINNING + timedelta(days=6, hours=-9)
    chosen = Filter(joined_from=date(2026, 1, 3), joined_until=date(2026, 1, 6))
    wanted = in_order(sort, lambda user: low <= user.date_joined < high)
    there = list(pages(chosen, sort))
    assert [number for found in there for number in ids(found)] == wanted
    before_all = page(chosen, sort=sort, cursor=there[-1].previous, limit=100)
    assert ids(before_all) == [number for found in there[:-1] for number in ids(found)]
    elsewhere = forged(sort, 0, 0 if sort == "date_joined" else 2**52, 1)
    assert ids(page(chosen, sort=sort, cursor=elsewhere, limit=100)) == wanted


# Search


def test_search_takes_every_character_as_itself(site: Flask) -> None:
    add("minji@example.kr", nickname="100 percent underscore backslash obrien hi semicolon emoji ab")
    found = {"%": "100%", "_": "under_score", "\\": "back\\slash", "'": "o'brien", '"': 'say "hi"', "글 ": "한글 이름"}
    found |= {";": "semi;colon--", "😀": "😀 emoji", "{": "{x}", "/": "a/b", "민": "민지"}
    found |= {odd: odd for odd in ("x:*y", "you & me", "(both", "no!", "q\\'q", 'w""w', "👩🏽‍🚀 mae", "a  b\tc")}
    for nickname in found.values():
        add(nickname=nickname)
    db.session.commit()
    for search, nickname in found.items():
        assert names(search) >= {nickname}, search
        assert names(nickname) == {nickname}
        # However little may be looked at, the index has to be used.
        tight = page(Filter(search=nickname), budget=Budget(short=1, long=1, most=1))
        assert [user.nickname for user in tight.users] == [nickname]
    assert names("%") == {"100%"}
    assert names("_") == {"under_score"}
    for search in ("%%", "__", "1_0", "%percent", "' OR '1'='1", '" OR "', "a|b", "\\\\", "NEAR(a b)"):
        assert names(search) == set(), search


@pytest.mark.parametrize(
    "search",
    ["\0", "a\0b", "\ud800", "\n", "\x1f", " ", "é" * 10_000, "n" * 254, "9" * 400, "²", "١", "\u202e", "'" * 300],
)
def test_odd_search_is_no_error(site: Flask, search: str) -> None:
    add("minji@example.kr", nickname="민지")
    db.session.commit()
    assert names(search) in (set(), {"민지"})
    estimate(Filter(search=search))


def test_search_finds_every_part_of_address_nickname_and_name(site: Flask) -> None:
    add("Minji.Kim@Example.kr", nickname="햇살토끼", name="김민지")
    add("sora@example.com", nickname="소라", name="박소라")
    db.session.commit()
    for place in (address := "minji.kim@example.kr", "햇살토끼", "김민지"):
        for start in range(len(place)):
            for end in (*range(start + 1, min(start + 4, len(place))), len(place)):
                assert "햇살토끼" in names(place[start:end]), place[start:end]
    assert names(address.upper()) == names("햇살") == names("살") == names("민") == {"햇살토끼"}
    assert names("지햇") == names("kr햇") == names("끼김") == set(), "no part of any one of them"


def test_case_and_spelling_make_no_difference(site: Flask) -> None:
    add(nickname="Zoë GARCÍA", name=unicodedata.normalize("NFD", "하늘다람쥐"))
    db.session.commit()
    for search in ("zoë", "ZOË", "García", "하늘", "람쥐", "  하늘다람쥐 \n"):
        assert names(search) == names(unicodedata.normalize("NFD", search)) == {"Zoë GARCÍA"}, search
    assert names("zoe") == set()


def test_search_finds_ids_only_whole(site: Flask) -> None:
    user = add(nickname="MinJi", subject="1376016924429759228", provider="kakao", id=7_000_001)
    add(nickname="other", subject="X-9", provider="facebook")
    db.session.commit()
    for search in (str(user.id), "1376016924429759228"):
        assert names(search) == {"MinJi"}
        assert estimate(Filter(search=search)) == (1, True)
    assert names("X-9") == names(" X-9 ") == {"other"}
    assert names("x-9") == set()
    for search in ("137601692442975922", "376016924429759228", "700000", "0", "-1", str(MAX_ID + 1)):
        assert names(search) == set(), search


def test_search_follows_what_people_change(site: Flask) -> None:
    user = add("before@example.kr", nickname="예전이름")
    db.session.commit()
    user.nickname = "새이름"
    user.set_email("after@example.kr")
    db.session.commit()
    assert names("예전") == names("before") == set()
    assert names("새이") == names("after") == names("새") == {"새이름"}
    db.session.execute(delete(User).where(User.id == user.id))
    db.session.commit()
    assert names("새이름") == set()


# Totals


def test_total_is_exact_for_few(site: Flask) -> None:
    crowd(60)
    assert estimate(EVERYBODY) == counted(EVERYBODY) == (60, True)
    for chosen in (Filter(role="staff"), Filter(search="n1"), Filter(state="suspended", provider="kakao")):
        assert estimate(chosen) == counted(chosen) == (len(page(chosen, limit=100).users), True)
