"""A password is no provider's to take away, and the last superuser is the last who can come in."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from flask import Flask
from support import FakeKakao, api_client, csrf_token, log_in, person, problem, tokens_of
from support import profile as kakao_profile
from support.concurrency import at_once
from support.facebook import SUBJECT, signed_request
from support.webhooks import a_moment_later, tell, unlink

from kakaoauth.accounts import leaving, linking, password_login, sign_in
from kakaoauth.accounts import profile as profiles
from kakaoauth.accounts import roles as accounts_roles
from kakaoauth.errors import LastSuperuser, LastWayIn
from kakaoauth.models import Identity, User, find_user, find_user_by_email
from kakaoauth.providers.values import AccountEvent
from kakaoauth.storage.database import db
from kakaoauth.webhooks import effects

HANA = "hana@example.kr"
GOOD = "correct horse battery staple"


@pytest.fixture
def site(site_with_facebook: Flask) -> Flask:
    return site_with_facebook


def superuser(site: Flask, name: str = "hana", *, subject: str = "", password: str = "", **fields: Any) -> int:
    """Without a way in, unless one is given."""
    with site.app_context():
        roles = {"is_staff": True, "is_superuser": True, "claimable_until": None, **fields}
        user = User.objects.create_user(f"{name}@example.kr", provider="kakao" if subject else None, **roles)
        if subject:
            db.session.add(Identity(provider="kakao", subject=subject, user=user))
        db.session.commit()
        if password:
            password_login.set_password(user, password)
        return user.id


def status_of_password(site: Flask) -> int:
    answer = site.test_client().post("/api/token/", json={"email": HANA, "password": GOOD})
    return answer.status_code


# The password


MESSAGES: dict[str, Callable[[Flask, FakeKakao], Any]] = {
    "withdrawn e-mail": lambda site, kakao: tell(
        site, kakao, "user-scope-withdraw", "1002", body={"scopes": ["account_email"]}
    ),
    "recycled e-mail": lambda site, kakao: tell(site, kakao, "identifier-recycled", "1002"),
    "purged account": lambda site, kakao: tell(site, kakao, "account-purged", "1002"),
    "unlinked": lambda site, kakao: tell(site, kakao, "user-unlinked", "1002"),
    "unlink webhook": lambda site, kakao: unlink(site, "1002"),
    "withdrawn everything": lambda site, kakao: tell(
        site, kakao, "user-scope-withdraw", "1002", body={"scopes": ["account_email", "profile", "name", "gender"]}
    ),
}


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("is_last", [True, False])
def test_no_message_closes_a_superusers_password_login(
    site: Flask, kakao: FakeKakao, message: str, is_last: bool
) -> None:
    hana = superuser(site, subject="1002", password=GOOD)
    if not is_last:
        superuser(site, "duri", subject="1003")
    assert status_of_password(site) == 200
    assert MESSAGES[message](site, kakao).status_code == (200 if message == "unlink webhook" else 202)
    assert status_of_password(site) == 200
    # A message that is late finds the account all the same, and changes no more about it.
    tell(site, kakao, "identifier-recycled", "1002")
    assert status_of_password(site) == 200
    with site.app_context():
        user = find_user(hana)
        assert (user.email, user.claimable_until) == (HANA, None)


@pytest.mark.parametrize("path", ["deauthorize", "data-deletion"])
def test_neither_does_facebook(site: Flask, path: str) -> None:
    superuser(site, password=GOOD)
    with site.app_context():
        db.session.add(Identity(provider="facebook", subject=SUBJECT, user=find_user_by_email(HANA)))
        db.session.commit()
    with a_moment_later():
        site.test_client().post(f"/webhooks/facebook/{path}/", data={"signed_request": signed_request()})
        assert status_of_password(site) == 200


def test_sessions_end_with_the_consent_only_where_the_address_goes(site: Flask, kakao: FakeKakao) -> None:
    for name, subject, password in (("hana", "1002", GOOD), ("duri", "1003", "")):
        user_id = superuser(site, name, subject=subject, password=password)
        kakao.me = person(int(subject), email=f"{name}@example.kr")
        client = site.test_client()
        log_in(client, kakao)
        tell(site, kakao, "user-scope-withdraw", subject, body={"scopes": ["account_email"]})
        assert client.get("/users/me/").status_code == (200 if password else 302)
        with site.app_context():
            assert find_user(user_id).email == (HANA if password else None)


def test_what_the_person_set_here_outlives_a_withdrawn_consent(site: Flask, kakao: FakeKakao) -> None:
    with site.app_context():
        brought = kakao_profile("5", email="m@example.kr", nickname="민지", name="김민지", gender="female", age=30)
        user = sign_in.log_in(brought, email_required=True).user
        profiles.change_profile(user.id, {"nickname": "나"})
    scopes = ["profile", "profile_nickname", "name", "gender", "birthyear"]
    with a_moment_later():
        tell(site, kakao, "user-scope-withdraw", "5", body={"scopes": scopes})
    with site.app_context():
        user = find_user_by_email("m@example.kr")
        assert (user.nickname, user.name, user.gender, user.age) == ("나", None, None, None)


# The last superuser


def acts(site: Flask, kakao: FakeKakao, user_id: int) -> dict[str, Callable[[], Any]]:
    """Each takes the superuser away; what it says if it may not."""

    def demote_on_the_command_line() -> Any:
        return site.test_cli_runner().invoke(args=["users", "demote", HANA]).exit_code == 1

    def withdraw_by_page() -> Any:
        kakao.me = person(1002, email=HANA)
        client = site.test_client()
        log_in(client, kakao)
        form = {"csrf_token": csrf_token(client, "/users/me/withdraw/")}
        return client.post("/users/me/withdraw/", data=form).status_code == 409

    def decide(decision: str) -> Any:
        kakao.me = person(1002, email=HANA)
        client = site.test_client()
        log_in(client, kakao)
        page = f"/users/{user_id}/{decision}/"
        form = {"csrf_token": csrf_token(client, page), "reason": "tired", "number": str(user_id)}
        return client.post(page, data=form).status_code == 409

    def call(method: str, path: str, **body: Any) -> Any:
        client = api_client(site, tokens_of(site, user_id).access_token)
        return problem(client.open(path, method=method, json=body), 409, "LAST_SUPERUSER")

    return {
        "demote": demote_on_the_command_line,
        "withdraw": withdraw_by_page,
        "suspend by page": lambda: decide("suspend"),
        "demote by page": lambda: decide("demote"),
        "delete by page": lambda: decide("delete"),
        "withdraw by API": lambda: call("DELETE", "/api/users/me/"),
        "delete by API": lambda: call("DELETE", f"/api/users/{user_id}/"),
        "demote by API": lambda: call("PATCH", f"/api/users/{user_id}/", is_superuser=False),
        "suspend by API": lambda: call("PATCH", f"/api/users/{user_id}/", is_active=False),
    }


ACTS = sorted(acts(Flask("x"), FakeKakao.__new__(FakeKakao), 0))


def superusers_who_cannot_come_in(site: Flask) -> None:
    """The time to claim is over; nothing at all; suspended; a password without a login name."""
    superuser(site, "late", claimable_until=datetime.now(UTC) - timedelta(seconds=1))
    superuser(site, "bare")
    superuser(site, "gone", subject="6", is_active=False)
    nameless = superuser(site, "nameless", password=GOOD)
    with site.app_context():
        find_user(nameless).set_email(None)
        db.session.commit()


@pytest.mark.parametrize("act", ACTS)
def test_superuser_who_cannot_come_in_is_no_second_one(site: Flask, kakao: FakeKakao, act: str) -> None:
    user_id = superuser(site, subject="1002")
    superusers_who_cannot_come_in(site)
    assert acts(site, kakao, user_id)[act]()
    with site.app_context():
        user = find_user(user_id)
        assert user is not None
        assert (user.is_superuser, user.is_active) == (True, True)


SECOND: dict[str, dict[str, Any]] = {
    "an identity": {"subject": "8"},
    "a password": {"password": GOOD},
    "time to claim": {"claimable_until": datetime.now(UTC) + timedelta(days=1)},
}


@pytest.mark.parametrize("way", SECOND)
def test_whoever_can_come_in_is_a_second_one(site: Flask, kakao: FakeKakao, way: str) -> None:
    user_id = superuser(site, subject="1002")
    superuser(site, "duri", **SECOND[way])
    with site.app_context():
        leaving.withdraw(user_id)
        assert find_user(user_id) is None


def test_provider_erases_no_superuser_whose_seconds_cannot_come_in(site: Flask, kakao: FakeKakao) -> None:
    user_id = superuser(site, subject="1002")
    superusers_who_cannot_come_in(site)
    unlink(site, "1002")
    with site.app_context():
        assert find_user(user_id) is not None


def test_password_that_is_the_last_way_in_of_the_last_superuser_is_not_removed(site: Flask) -> None:
    superuser(site, password=GOOD)
    superusers_who_cannot_come_in(site)
    result = site.test_cli_runner().invoke(args=["users", "set-password", HANA, "--remove"])
    assert (result.exit_code, "make another one first" in result.output) == (1, True)
    assert status_of_password(site) == 200
    superuser(site, "duri", subject="9")
    assert site.test_cli_runner().invoke(args=["users", "set-password", HANA, "--remove"]).exit_code == 0
    assert status_of_password(site) == 401


def test_password_without_a_login_name_is_no_way_in_to_unlink_for(site: Flask) -> None:
    user_id = superuser(site, subject="1002", password=GOOD)
    with site.app_context():
        user = find_user(user_id)
        user.set_email(None)
        db.session.commit()
        with pytest.raises(LastWayIn):
            linking.unlink(user_id, user.identities[0].id, asked_as=user.get_id())


def gone_at_kakao(subject: str) -> bool:
    return effects.apply_event("kakao", AccountEvent(f"j{subject}", "user-unlinked", subject, datetime.now(UTC)))


def get_user(user_id: int) -> User:
    return db.session.get_one(User, user_id)


#: Of hana and duri, by their numbers and identities.
PAIRS: dict[str, tuple[Callable[[int, str], Any], Callable[[int, str], Any]]] = {
    "unlinked, unlinked": (lambda _, subject: gone_at_kakao(subject), lambda _, subject: gone_at_kakao(subject)),
    "unlinked, demoted": (
        lambda _, subject: gone_at_kakao(subject),
        lambda number, _: accounts_roles.demote(get_user(number)),
    ),
    "unlinked, left": (lambda _, subject: gone_at_kakao(subject), lambda number, _: leaving.withdraw(number)),
    "password removed, demoted": (
        lambda number, _: password_login.remove_password(get_user(number)),
        lambda number, _: accounts_roles.demote(get_user(number)),
    ),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_of_two_superusers_who_go_at_once_one_stays(site: Flask, pair: str) -> None:
    first, second = PAIRS[pair]
    for number in range(4):
        by_password = "password" in pair
        hana = superuser(
            site, f"hana{number}", subject="" if by_password else f"1{number}", password=GOOD * by_password
        )
        duri = superuser(site, f"duri{number}", subject=f"2{number}")
        with site.app_context():
            db.session.execute(db.update(Identity).values(date_linked=datetime(2026, 1, 1, tzinfo=UTC)))
            db.session.commit()
        ended = at_once(site, partial(first, hana, f"1{number}"), partial(second, duri, f"2{number}"))
        assert {type(end) for end in ended if isinstance(end, Exception)} <= {LastSuperuser}, ended
        with site.app_context():
            left = [user for user in db.session.scalars(db.select(User)) if user.is_superuser]
            assert left
            # A message takes the identity of a person who stays, in any case; what people do does not.
            assert not by_password or [user for user in left if user.identities or user.password_hash]
            db.session.execute(db.delete(User))
            db.session.commit()


def test_time_to_claim_ends_as_a_way_in(site: Flask) -> None:
    user_id = superuser(site, subject="1002")
    with site.app_context():
        accounts_roles.create_superuser("duri@example.kr")
    with time_machine.travel(datetime.now(UTC) + timedelta(days=7.01)), site.app_context():
        with pytest.raises(LastSuperuser):
            leaving.withdraw(user_id)
