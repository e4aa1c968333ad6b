"""The nouns and their queries, on SQLite and on PostgreSQL: what the database itself keeps true, and what it finds."""

import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, event, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from kakaoauth.models import Identity, User, find_identity, find_session_user, find_user, find_user_by_email
from kakaoauth.storage.columns import MAX_ID
from kakaoauth.storage.database import db


@pytest.fixture
def session(site: Flask) -> Iterator[Any]:
    with site.app_context():
        yield db.session


def add(email: str | None = None, **fields: Any) -> User:
    user = User.objects.create_user(email, **fields)
    db.session.commit()
    return user


def statements(act: Callable[[], Any]) -> list[str]:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    return seen


# How users are made


def test_user_has_no_role_and_is_active(session: Any) -> None:
    user = add("minji@example.kr")
    assert (user.is_active, user.is_staff, user.is_superuser, user.provider) == (True, False, False, None)
    assert user.last_login is None


def test_superuser_is_staff_whatever_is_said(session: Any) -> None:
    user = User.objects.create_superuser("hana@example.kr", is_staff=False, is_superuser=False)
    assert (user.is_staff, user.is_superuser, user.is_active) == (True, True, True)


def test_database_refuses_a_superuser_who_is_not_staff(session: Any) -> None:
    user = add("hana@example.kr")
    with pytest.raises(IntegrityError):
        session.execute(update(User).where(User.id == user.id).values(is_superuser=True))


def test_user_with_an_address_that_is_none_is_not_made(session: Any) -> None:
    for odd in ("minji", "minji@", "@example.kr", "a b@example.kr", "a\0@b.kr", "\ud800@b.kr", "."):
        with pytest.raises(ValueError, match="not an e-mail address"):
            User.objects.create_user(odd)
    assert session.query(User).count() == 0


def test_many_users_may_have_no_address(session: Any) -> None:
    users = [add(None), add(None), add("")]
    assert [(user.email, user.email_key) for user in users] == [(None, None)] * 3


def test_display_name_is_the_best_that_is_known(session: Any) -> None:
    assert User(nickname="민지", name="김민지", email="m@example.kr").display_name == "민지"
    assert User(name="김민지", email="m@example.kr").display_name == "김민지"
    assert User(email="m@example.kr").display_name == "m"
    assert User().display_name == ""


def test_repr_tells_nothing_but_the_number(session: Any) -> None:
    assert repr(add("minji@example.kr", nickname="민지")) == "<User 1>"


# E-mail


def nfd(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text)
    assert decomposed != unicodedata.normalize("NFC", text)
    return decomposed


SPELLINGS = [
    ("Minji@example.kr", ["minji@example.kr", "MINJI@Example.KR", "  minji@example.kr\n", "minji@example.kr."]),
    (nfd("박민지@example.kr"), ["박민지@example.kr", nfd("박민지@EXAMPLE.kr")]),
    (nfd("café@example.kr"), ["café@example.kr", "CAFÉ@example.kr"]),
    ("minji@한글.kr", [nfd("minji@한글.kr"), "minji@xn--bj0bj06e.kr"]),
]


def test_one_address_has_one_user_in_every_spelling(session: Any) -> None:
    for address, spellings in SPELLINGS:
        number = add(address).id
        for spelling in spellings:
            assert find_user_by_email(spelling).id == number  # type: ignore[union-attr]
            with pytest.raises(IntegrityError):
                User.objects.create_user(spelling)
            session.rollback()


DIFFERENT = [
    ("minji+a@example.kr", "minji@example.kr"),
    ("so.ra@example.kr", "sora@example.kr"),
    ("a@weiß.example.kr", "a@weiss.example.kr"),  # two domains, maybe two owners
    ("weiß@example.kr", "weiss@example.kr"),
    ("а@example.kr", "a@example.kr"),  # a Cyrillic letter that looks like a
    ("hana@example.kr", "hana@example.co.kr"),
]


def test_different_addresses_are_different_users(session: Any) -> None:
    for one, other in DIFFERENT:
        first, second = add(one), add(other)
        assert (find_user_by_email(one), find_user_by_email(other)) == (first, second)


def test_address_is_shown_as_its_owner_writes_it(session: Any) -> None:
    assert add(" Minji@Example.kr ").email == "Minji@Example.kr"


def test_what_is_no_address_finds_nobody(session: Any) -> None:
    add("minji@example.kr")
    add("a@b.kr")
    for odd in ("", "minji", "minji@localhost", "m**@example.kr", "a@b.kr..", "x" * 300 + "@b.kr"):
        assert find_user_by_email(odd) is None, odd


# Identities


def test_subject_is_kept_to_the_last_digit(session: Any) -> None:
    for subject in ("1234567890123456789", str(2**63), str(2**64 + 1), "9" * 30, "007", "7"):
        user = add()
        session.add(Identity(provider="kakao", subject=subject, user=user))
        session.commit()
        session.expire_all()
        found = find_identity("kakao", subject)
        assert found is not None
        assert (found.subject, found.user_id) == (subject, user.id)
    assert find_identity("kakao", "1234567890123456788") is None


def test_identity_belongs_to_one_user(session: Any) -> None:
    session.add(Identity(provider="kakao", subject="1", user=add()))
    session.commit()
    session.add(Identity(provider="kakao", subject="1", user=add()))
    with pytest.raises(IntegrityError):
        session.commit()


def test_same_subject_at_another_provider_is_another_person(session: Any) -> None:
    first, second = add(), add()
    session.add_all(
        [Identity(provider=name, subject="1", user=user) for name, user in (("kakao", first), ("facebook", second))]
    )
    session.commit()
    assert find_identity("facebook", "1").user is second  # type: ignore[union-attr]


def test_identity_without_a_user_cannot_be(session: Any) -> None:
    session.add(Identity(provider="kakao", subject="1", user_id=77))
    with pytest.raises(IntegrityError):
        session.commit()


def test_identities_go_with_their_user(session: Any) -> None:
    user = add()
    session.add(Identity(provider="kakao", subject="1", user=user))
    session.commit()
    session.execute(delete(User).where(User.id == user.id))
    session.commit()
    assert find_identity("kakao", "1") is None


# Numbers and moments


def test_user_number_has_64_bits(session: Any) -> None:
    user = add(id=2**62)
    session.add(Identity(provider="kakao", subject="1", user=user, id=2**62))
    session.commit()
    session.expire_all()
    assert find_user(2**62) is user
    assert find_session_user(f"{2**62}.0") is user
    assert find_identity("kakao", "1").user_id == 2**62  # type: ignore[union-attr]


def test_number_of_nobody_finds_nobody(session: Any) -> None:
    assert [find_user(number) for number in (0, -1, MAX_ID, MAX_ID + 1, 10**30)] == [None] * 5


def test_number_of_a_deleted_user_is_never_given_again(session: Any) -> None:
    """A session of the deleted user, still in some browser, would open the new one's account."""
    old = add()
    number, session_user_id = old.id, old.get_id()
    session.execute(delete(User).where(User.id == number))
    session.commit()
    assert add().id > number
    assert find_session_user(session_user_id) is None


def test_moments_come_back_aware_and_in_utc(session: Any) -> None:
    seoul = timezone(timedelta(hours=9))
    user = add(date_joined=datetime(2026, 1, 1, 8, 59, 59, 123456, seoul))
    session.expire_all()
    assert user.date_joined == datetime(2025, 12, 31, 23, 59, 59, 123456, UTC)
    assert user.date_joined.tzinfo is UTC
    assert add().date_joined.tzinfo is UTC


# The session's user


def test_session_user_costs_one_statement(session: Any) -> None:
    user = add("minji@example.kr")
    session_user_id = user.get_id()
    session.remove()
    assert len(statements(lambda: find_session_user(session_user_id).display_name)) == 1  # type: ignore[union-attr]


def test_session_ends_with_its_version_and_with_its_user(session: Any) -> None:
    user = add()
    session_user_id = user.get_id()
    assert find_session_user(session_user_id) is user
    user.session_version += 1
    session.commit()
    assert find_session_user(session_user_id) is None
    assert find_session_user(user.get_id()) is user
    user.is_active = False
    session.commit()
    assert find_session_user(user.get_id()) is None


def test_odd_session_user_is_nobody(session: Any) -> None:
    assert add().get_id() == "1.0"
    for odd in ("", ".", "1", "1.", ".0", "1.0.0", "a.b", "-1.0", "1.-0", "²." + "0", "1.0 ", "1.0\n", "'.'"):
        assert find_session_user(odd) is None, odd
    for number in (str(2**31), str(MAX_ID), str(MAX_ID + 1), "9" * 30, "9" * 5000):
        assert find_session_user(f"{number}.0") is None, number
        assert find_session_user(f"1.{number}") is None, number


# What listing goes by


def test_keys_of_the_list_follow_what_is_stored(session: Any) -> None:
    user = add("Minji@Example.kr", nickname="  Zoë  PARK ", name=nfd("박조이"))
    assert (user.nickname_key, user.search_text) == ("zoë park", "minji@example.kr\nzoë park\n박조이")
    user.nickname, user.name = "minji@example.kr", None
    session.commit()
    assert (user.nickname_key, user.search_text) == ("minji@example.kr", "minji@example.kr")
    assert (add().nickname_key, add().search_text) == (None, "")
    session.execute(insert(User), [{"nickname": "Ara"}, {"nickname": None, "email_key": "ara@example.kr"}])
    rows = session.execute(select(User.nickname_key, User.search_text).order_by(User.id.desc()).limit(2)).all()
    assert [tuple(row) for row in rows] == [(None, "ara@example.kr"), ("ara", "ara")]
    assert len(add(nickname="İ" * 100).nickname_key or "") == 100


def test_postgresql_session_speaks_utc(make_app: Callable[..., Flask], postgres_url: str) -> None:
    with make_app(DATABASE_URL=postgres_url).app_context():
        assert db.session.scalar(text("SHOW timezone")) == "UTC"
        assert db.session.scalar(text("SHOW statement_timeout")) == "2500ms"
