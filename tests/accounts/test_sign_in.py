"""The verbs, on SQLite and on PostgreSQL: whose account a login opens, what it changes, and all of it or nothing."""

import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from sqlalchemy import delete, inspect, select, text, update
from sqlalchemy.exc import IntegrityError
from support import profile
from support.concurrency import at_once
from support.programs import Program

from kakaoauth import create_app
from kakaoauth.accounts import roles, sign_in
from kakaoauth.errors import AccountDisabled, EmailInUse, EmailRequired, LastSuperuser
from kakaoauth.models import Identity, User, find_session_user, find_user_by_email
from kakaoauth.providers.values import EmailState
from kakaoauth.signals import user_logged_in
from kakaoauth.staff.listing.indexes import is_in_models
from kakaoauth.storage import transaction
from kakaoauth.storage.database import db
from kakaoauth.storage.schema import VERSION_TABLE, compare_type, downgrade, upgrade
from kakaoauth.storage.transaction import TRIES

MINJI = "minji@example.kr"


@pytest.fixture
def session(site: Flask) -> Iterator[Any]:
    with site.app_context():
        yield db.session


def enter(subject: str = "1", *, email_required: bool = True, **fields: Any) -> User:
    entry = sign_in.log_in(
        profile(subject, **fields), email_required=email_required, consent_for_email=("account_email",)
    )
    return entry.user


def count(model: Any = User) -> int:
    return db.session.query(model).count()


# Who it is


def test_first_login_makes_an_account_with_what_the_provider_said(session: Any) -> None:
    with time_machine.travel("2026-11-21T10:00:00Z", tick=False):
        user = enter(
            "12345678901234567890",
            email="Minji@example.kr",
            name="김민지",
            nickname="민지",
            profile_image="https://k.kakaocdn.net/p.jpg",
            age=30,
            age_range="30~39",
            gender="female",
        )
    session.expire_all()
    kept = (user.name, user.nickname, user.profile_image, user.age, user.age_range, user.gender)
    assert kept == ("김민지", "민지", "https://k.kakaocdn.net/p.jpg", 30, "30~39", "female")
    assert (user.email, user.provider, user.is_active, user.is_staff) == ("Minji@example.kr", "kakao", True, False)
    assert user.date_joined == user.last_login == datetime(2026, 11, 21, 10, tzinfo=UTC)
    (identity,) = user.identities
    assert (identity.provider, identity.subject) == ("kakao", "12345678901234567890")


def test_same_person_is_known_by_the_provider_and_its_number(session: Any) -> None:
    assert enter(email=MINJI).id == enter(email=MINJI).id
    assert enter("2", email="other@example.kr").id != enter(email=MINJI).id
    assert (count(), count(Identity)) == (2, 2)


def test_every_login_is_noted(session: Any) -> None:
    with time_machine.travel("2026-11-21T10:00:00Z", tick=False) as clock:
        enter(email=MINJI)
        clock.shift(60)
        user = enter(email=MINJI)
    assert user.last_login == datetime(2026, 11, 21, 10, 1, tzinfo=UTC)
    assert user.date_joined == datetime(2026, 11, 21, 10, tzinfo=UTC)


def test_what_is_left_out_is_not_erased(session: Any) -> None:
    enter(
        email=MINJI,
        name="김민지",
        nickname="민지",
        age=30,
        age_range="30~39",
        gender="female",
        profile_image="https://a/",
    )
    user = enter()
    kept = (user.email, user.name, user.nickname, user.age, user.age_range, user.gender, user.profile_image)
    assert kept == (MINJI, "김민지", "민지", 30, "30~39", "female", "https://a/")


def test_what_is_said_anew_is_taken_over(session: Any) -> None:
    enter(email=MINJI, nickname="민지", age=30)
    user = enter(email=MINJI, nickname="민지2", age=31)
    assert (user.nickname, user.age) == ("민지2", 31)


def test_login_gives_no_role_and_takes_none(session: Any) -> None:
    user = enter(email=MINJI)
    roles.promote(user, superuser=True)
    again = enter(email=MINJI)
    assert (again.is_staff, again.is_superuser) == (True, True)
    assert enter("2", email="other@example.kr").is_staff is False


def test_deleted_person_comes_back_as_somebody_new(session: Any) -> None:
    old = enter(email=MINJI, nickname="민지")
    roles.promote(old, superuser=False)
    number, session_user_id = old.id, old.get_id()
    session.execute(delete(User).where(User.id == number))
    session.commit()
    session.expunge_all()
    user = enter(email=MINJI)
    assert (user.id != number, user.nickname, user.is_staff, count()) == (True, None, False, 1)
    assert find_session_user(session_user_id) is None


def test_suspended_person_stays_out_and_nothing_changes(session: Any) -> None:
    user = enter(email=MINJI, nickname="민지")
    user.is_active = False
    session.commit()
    before = user.last_login
    with pytest.raises(AccountDisabled):
        enter(email="new@example.kr", nickname="neu")
    session.expire_all()
    assert (user.nickname, user.email, user.last_login) == ("민지", MINJI, before)


# E-mail


@pytest.mark.parametrize("state", [state for state in EmailState if state is not EmailState.TRUSTED])
def test_required_email_that_is_missing_stores_nothing(app: Flask, state: EmailState) -> None:
    with app.app_context():
        with pytest.raises(EmailRequired) as refused:
            enter(email_state=state, nickname="민지")
        assert refused.value.case == state.value
        asks = state in (EmailState.NOT_AGREED, EmailState.NOT_SAID)
        assert refused.value.consent == (("account_email",) if asks else ())
        assert (count(), count(Identity)) == (0, 0)


def test_email_that_is_not_required_stays_empty(session: Any) -> None:
    first, second = enter(email_required=False), enter("2", email_required=False)
    assert (first.email, second.email, count()) == (None, None, 2)


def test_known_person_without_email_is_asked_once_it_is_required(session: Any) -> None:
    user = enter(email_required=False)
    with pytest.raises(EmailRequired):
        enter()
    assert enter(email=MINJI).id == user.id
    assert enter().email == MINJI, "stored before: not asked again"


def test_unverified_email_joins_nobody(session: Any) -> None:
    enter(email=MINJI)
    roles.create_superuser("hana@example.kr")
    stranger = enter("2", email_required=False, email_state=EmailState.UNVERIFIED)
    assert (stranger.email, stranger.is_superuser, count()) == (None, False, 3)


@pytest.mark.parametrize("required", [True, False])
def test_email_of_another_account_is_refused_by_its_provider(session: Any, required: bool) -> None:
    enter(email=MINJI)
    for spelling in (MINJI, "MINJI@example.kr", "minji@example.kr."):
        with pytest.raises(EmailInUse) as refused:
            enter("2", email=spelling, email_required=required)
        assert refused.value.other == "kakao"
    assert (count(), count(Identity)) == (1, 1)


def test_email_of_a_suspended_account_does_not_open_it(session: Any) -> None:
    user = enter(email=MINJI)
    user.is_active = False
    session.commit()
    with pytest.raises((EmailInUse, AccountDisabled)):
        enter("2", email=MINJI)
    assert count(Identity) == 1


def test_new_email_follows_if_it_is_free(session: Any) -> None:
    user = enter(email=MINJI)
    assert enter(email="neu@example.kr").id == user.id
    assert find_user_by_email("neu@example.kr") is user
    assert find_user_by_email(MINJI) is None
    assert enter(email="NEU@example.kr").email == "NEU@example.kr", "as its owner writes it now"


def test_new_email_of_somebody_else_does_not_follow(session: Any) -> None:
    enter("2", email="taken@example.kr")
    user = enter(email=MINJI)
    assert enter(email="Taken@example.kr").id == user.id
    assert user.email == MINJI


# The account made on the command line


def test_first_login_takes_over_the_account_of_the_command_line(session: Any) -> None:
    made = roles.create_superuser("Hana@example.kr")
    user = enter(email="hana@example.kr", nickname="하나")
    assert (user.id, user.is_superuser, user.provider, user.nickname) == (made.id, True, "kakao", "하나")
    assert count() == 1


def test_account_is_taken_over_once(session: Any) -> None:
    roles.create_superuser("hana@example.kr")
    enter(email="hana@example.kr")
    with pytest.raises(EmailInUse):
        enter("2", email="hana@example.kr")
    assert count(Identity) == 1


def test_account_with_a_provider_is_not_taken_over_even_without_an_identity(session: Any) -> None:
    User.objects.create_user(MINJI, provider="facebook")
    session.commit()
    with pytest.raises(EmailInUse) as refused:
        enter(email=MINJI)
    assert refused.value.other == "facebook"


def test_account_with_an_identity_is_not_taken_over_even_without_a_provider(session: Any) -> None:
    owner = User.objects.create_user(MINJI)
    session.add(Identity(provider="facebook", subject="1", user=owner))
    session.commit()
    with pytest.raises(EmailInUse) as refused:
        enter(email=MINJI)
    assert refused.value.other == "facebook"


def test_person_with_an_account_does_not_take_over_a_second(session: Any) -> None:
    user = enter(email=MINJI)
    made = roles.create_superuser("hana@example.kr")
    assert enter(email="hana@example.kr").id == user.id
    assert (user.email, user.is_superuser, made.provider) == (MINJI, False, None)


def test_suspended_account_of_the_command_line_is_not_taken_over(session: Any) -> None:
    made = roles.create_superuser("hana@example.kr")
    made.is_active = False
    session.commit()
    with pytest.raises(AccountDisabled):
        enter(email="hana@example.kr")
    session.expire_all()
    assert (made.provider, count(Identity)) == (None, 0)


def test_superuser_is_made_once_and_with_an_address(session: Any) -> None:
    roles.create_superuser("hana@example.kr")
    for address in ("Hana@example.kr", "hana", ""):
        with pytest.raises(ValueError, match=r"e-mail|account"):
            roles.create_superuser(address)
    assert count() == 1


# Roles


def test_promotion_and_demotion(session: Any) -> None:
    roles.create_superuser("hana@example.kr")
    user = enter(email=MINJI)
    roles.promote(user, superuser=False)
    assert (user.is_staff, user.is_superuser) == (True, False)
    roles.promote(user, superuser=True)
    roles.promote(user, superuser=False)
    assert (user.is_staff, user.is_superuser) == (True, True), "promotion takes nothing away"
    roles.demote(user)
    session.expire_all()
    assert (user.is_staff, user.is_superuser) == (False, False)


def test_last_superuser_stays(session: Any) -> None:
    hana = roles.create_superuser("hana@example.kr")
    suspended = roles.create_superuser("old@example.kr")
    suspended.is_active = False
    session.commit()
    with pytest.raises(LastSuperuser):
        roles.demote(hana)
    session.expire_all()
    assert (hana.is_superuser, hana.is_staff) == (True, True)
    roles.demote(suspended)
    assert suspended.is_superuser is False


def test_two_superusers_who_demote_each_other_at_once_leave_one(site: Flask) -> None:
    for _ in range(5):
        with site.app_context():
            db.session.execute(delete(User))
            db.session.commit()
            numbers = [roles.create_superuser(f"{name}@example.kr").id for name in ("hana", "duri")]

        def demote(number: int) -> None:
            roles.demote(db.session.get_one(User, number))

        ended = at_once(site, *(lambda number=number: demote(number) for number in numbers))
        assert sorted(type(end) for end in ended if end) == [LastSuperuser], ended
        with site.app_context():
            assert db.session.query(User).filter_by(is_superuser=True).count() == 1


def test_ended_sessions_are_over_everywhere(session: Any) -> None:
    user, other = enter(email=MINJI), enter("2", email="other@example.kr")
    old, untouched = user.get_id(), other.get_id()
    roles.end_all_sessions(user.id)
    roles.end_all_sessions(user.id)
    session.expire_all()
    assert find_session_user(old) is None
    assert find_session_user(untouched) is other
    assert user.session_version == 2


def test_sessions_ended_twice_at_once_are_counted_twice(site: Flask) -> None:
    with site.app_context():
        number = enter(email=MINJI).id

    def end() -> None:
        roles.end_all_sessions(number)

    assert at_once(site, end, end) == [None, None]
    with site.app_context():
        assert db.session.get_one(User, number).session_version == 2


# All or nothing


def test_verb_that_fails_leaves_nothing(session: Any) -> None:
    @transaction.transaction
    def verb() -> None:
        User.objects.create_user(MINJI)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        verb()
    assert count() == 0


def test_verb_is_committed_when_it_returns(site: Flask) -> None:
    with site.app_context():
        assert transaction.transaction(User.objects.create_user)(MINJI).email == MINJI
        db.session.rollback()
    with site.app_context():
        assert count() == 1


def test_lost_race_is_run_again_from_the_start(session: Any) -> None:
    User.objects.create_user(MINJI)
    session.commit()
    tries: list[int] = []

    @transaction.transaction
    def verb() -> User:
        tries.append(count())
        db.session.add(User(nickname="half a step"))
        return User.objects.create_user(MINJI if len(tries) < 3 else "free@example.kr")

    assert verb().email == "free@example.kr"
    assert tries == [1, 1, 1], "each try began with nothing of the one before"
    assert count() == 3


def test_race_that_is_always_lost_ends(session: Any) -> None:
    User.objects.create_user(MINJI)
    session.commit()
    tries: list[int] = []

    @transaction.transaction
    def verb() -> None:
        tries.append(1)
        User.objects.create_user(MINJI)

    with pytest.raises(IntegrityError):
        verb()
    assert len(tries) == TRIES
    assert count() == 1


def test_what_is_kept_as_stored_is_not_read_again_and_nothing_of_it_is_lost(session: Any) -> None:
    seen: list[User] = []

    @transaction.transaction
    def verb(nickname: str, fails: bool = False) -> User:
        user = User.objects.create_user(f"{nickname}@example.kr")
        transaction.keep_as_stored(user)
        user.nickname = nickname
        transaction.after_commit(user_logged_in, user_id=user.id)
        if fails:
            raise RuntimeError
        return user

    def hear(_sender: Flask, user_id: int) -> None:
        seen.append(db.session.get_one(User, user_id))

    with pytest.raises(RuntimeError):
        verb("half", fails=True)
    with user_logged_in.connected_to(hear):
        user = verb("minji")
    assert seen == [user], "one object, for receivers as well"
    other = verb("hana")
    assert not inspect(other).expired_attributes
    other.name = "Hana"
    session.commit()
    assert session.scalars(select(User.name).order_by(User.id)).all() == [None, "Hana"]
    assert (user.nickname, other.nickname, count()) == ("minji", "hana", 2)


def test_victim_of_a_deadlock_is_run_again(make_app: Callable[..., Flask], postgres_url: str) -> None:
    site = make_app(DATABASE_URL=postgres_url)
    with site.app_context():
        numbers = [enter(str(n), email=f"{n}@example.kr").id for n in (1, 2)]
    both_hold_one, is_done = threading.Barrier(2), threading.Event()
    tries: list[int] = []

    @transaction.transaction
    def rename(first: int, second: int) -> None:
        tries.append(first)
        if len(tries) > 2:  # else the one that was refused might lock again before the other has woken
            assert is_done.wait(10)
        db.session.execute(update(User).where(User.id == first).values(nickname=f"{first}"))
        if len(tries) <= 2:
            both_hold_one.wait(10)
        db.session.execute(update(User).where(User.id == second).values(nickname=f"{second}"))

    def act(*order: int) -> None:
        rename(*order)
        is_done.set()

    assert at_once(site, lambda: act(*numbers), lambda: act(*reversed(numbers))) == [None, None]
    assert len(tries) == 3


def test_two_first_logins_with_one_email_at_once_are_one_account_and_one_refusal(site: Flask) -> None:
    ended = at_once(site, *(lambda subject=str(n): enter(subject, email=MINJI).id for n in range(4)))
    assert sorted(type(end).__name__ for end in ended) == ["EmailInUse"] * 3 + ["int"]
    with site.app_context():
        assert (count(), count(Identity)) == (1, 1)


# The schema


@pytest.fixture
def bare(settings: dict[str, Any], bare_database_url: str) -> Iterator[Flask]:
    """A site whose database holds nothing yet."""
    app = create_app({**settings, "DATABASE_URL": bare_database_url})
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()
    app.extensions["kakaoauth_redis"].close()


def tables() -> set[str]:
    return set(inspect(db.engine).get_table_names())


def differences() -> Any:
    with db.engine.connect() as connection:
        opts = {"compare_type": compare_type, "include_object": is_in_models, "version_table": VERSION_TABLE}
        context = MigrationContext.configure(connection, opts=opts)
        return compare_metadata(context, db.metadata)


def test_upgrade_makes_the_models_schema_and_downgrade_unmakes_it(bare: Flask) -> None:
    assert bare.test_client().get("/readyz").json["database"] == "wrong schema"
    upgrade()
    assert differences() == []
    assert bare.test_client().get("/readyz").json["database"] == "ok"
    user = enter(email=MINJI)
    upgrade()
    db.session.expire_all()
    assert (user.email, differences()) == (MINJI, []), "a second upgrade changes nothing"
    db.session.remove()
    downgrade(revision="base")
    assert tables() == {"kakaoauth_version"}
    upgrade()
    assert differences() == []


def test_upgraded_schema_keeps_what_the_models_promise(bare: Flask) -> None:
    upgrade()
    user = enter(email=MINJI)
    with pytest.raises(IntegrityError):
        db.session.execute(update(User).values(is_superuser=True))
    db.session.rollback()
    number = user.id
    db.session.execute(delete(User))
    db.session.commit()
    db.session.expunge_all()
    assert (count(Identity), enter(email=MINJI).id > number) == (0, True)


def test_schema_of_another_release_is_not_ready(bare: Flask) -> None:
    upgrade()
    db.session.execute(text("UPDATE kakaoauth_version SET version_num = 'of the future'"))
    db.session.commit()
    answer = bare.test_client().get("/readyz")
    assert (answer.status_code, answer.json) == (
        503,
        {"status": "unavailable", "redis": "ok", "database": "wrong schema"},
    )


@pytest.mark.parametrize("bare_database_url", ["postgresql"], indirect=True)
def test_deployment_waits_for_the_one_before(bare: Flask) -> None:
    """Longer than a page's statement may wait for a lock."""
    with db.engine.connect() as ahead:
        ahead.exec_driver_sql("SELECT pg_advisory_lock(7091311)")
        ended: list[Any] = []

        def deploy() -> None:
            with bare.app_context():
                upgrade()
            ended.append("well")

        waiting = threading.Thread(target=deploy)
        waiting.start()
        waiting.join(2.2)
        assert waiting.is_alive(), ended
        ahead.exec_driver_sql("SELECT pg_advisory_unlock_all()")
    waiting.join(20)
    assert ended == ["well"]


def test_two_deployments_at_once_both_end_well(
    settings: dict[str, Any], bare_postgres_url: str, tmp_path: Path
) -> None:
    ours = {name: str(value) for name, value in settings.items() if name != "TESTING"}
    environ = {**os.environ, **ours, "DATABASE_URL": bare_postgres_url}
    said = [tmp_path / name for name in ("one", "other")]
    command = ("flask", "--app", "wsgi", "db", "upgrade")
    deployments = [Program(*command, env=environ, stdout=file) for file in said]
    assert [deployment.wait(60) for deployment in deployments] == [0, 0], [file.read_text() for file in said]
