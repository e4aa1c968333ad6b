"""Who an account waits for, how long, and what opens it: commands for seven days, a provider's message never."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import time_machine
from flask import Flask
from sqlalchemy import text
from support import FakeKakao, log_in, person, problem
from support import profile as kakao_profile
from support.concurrency import at_once, until
from support.facebook import SUBJECT, signed_request
from support.webhooks import APP_ID, a_moment_later, tell, unlink

from kakaoauth import create_app
from kakaoauth.accounts import linking, password_login, roles, sign_in, ways_in
from kakaoauth.errors import EmailInUse, NotClaimable
from kakaoauth.models import CLAIMABLE, Identity, User, find_identity, find_user, find_user_by_email
from kakaoauth.providers.values import Profile
from kakaoauth.storage.database import db
from kakaoauth.storage.schema import upgrade

HANA = "hana@example.kr"
GOOD = "correct horse battery staple"


@pytest.fixture
def site(site_with_facebook: Flask) -> Flask:
    return site_with_facebook


def run(site: Flask, *arguments: str, stdin: str | None = None) -> str:
    result = site.test_cli_runner().invoke(args=["users", *arguments], input=stdin)
    assert result.exit_code == 0, result.output
    return str(result.output)


def in_days(days: float) -> Any:
    return time_machine.travel(datetime.now(UTC) + timedelta(days=days))


def come(site: Flask, kakao: FakeKakao, subject: int = 7, email: str = HANA) -> Any:
    kakao.me = person(subject, email=email)
    return log_in(site.test_client(), kakao)


def hana_by_kakao(site: Flask) -> int:
    """The only superuser, who has come in by Kakao."""
    with site.app_context():
        hana = User.objects.create_user(HANA, provider="kakao", is_staff=True, is_superuser=True)
        db.session.add(Identity(provider="kakao", subject="1002", user=hana))
        db.session.commit()
        return hana.id


def is_superuser(site: Flask, subject: int = 7) -> bool:
    with site.app_context():
        identity = find_identity("kakao", str(subject))
        return identity is not None and identity.user.is_superuser


# Seven days


@pytest.mark.parametrize("password", [None, GOOD])
def test_account_of_the_command_line_waits_seven_days(site: Flask, kakao: FakeKakao, password: str | None) -> None:
    arguments = ["--password-stdin"] if password else []
    said = run(site, "create-superuser", "--email", HANA, *arguments, stdin=password)
    with site.app_context():
        until = find_user_by_email(HANA).claimable_until
    assert abs(until - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=1)
    assert f"within 7 days, until {until:%Y-%m-%d %H:%M} UTC" in said
    with in_days(7.01):
        answer = come(site, kakao)
    assert answer.status_code == 409
    assert "로그인 방법이 없어요" in answer.text
    assert not is_superuser(site)
    with in_days(6.99):
        assert come(site, kakao).status_code == 302
    assert is_superuser(site)


def test_api_says_so_as_well(site: Flask, kakao: FakeKakao) -> None:
    run(site, "create-superuser", "--email", HANA)
    kakao.me = person(7, email=HANA)
    kakao.mock.get("https://kapi.kakao.com/v1/user/access_token_info", json={"id": 7, "app_id": APP_ID})
    with in_days(8):
        answer = site.test_client().post("/api/auth/kakao/", json={"access_token": "a"})
    assert "provider" not in problem(answer, 409, "EMAIL_IN_USE")


def test_time_is_looked_at_in_the_statement_that_takes_the_account_over(site: Flask) -> None:
    with site.app_context():
        user = roles.create_superuser(HANA)
        with in_days(8):
            assert not ways_in.claim(user, "kakao")
        assert ways_in.claim(user, "kakao")
        assert not ways_in.claim(user, "facebook")
        db.session.rollback()


def test_of_two_who_claim_it_at_once_one_gets_it(site: Flask) -> None:
    for number in range(4):
        with site.app_context():
            roles.create_superuser(f"boss{number}@example.kr")

        def come_as(subject: str, number: int = number) -> int:
            brought = kakao_profile(f"{number}{subject}", email=f"boss{number}@example.kr")
            return sign_in.log_in(brought, email_required=True).user.id

        ended = at_once(site, lambda come_as=come_as: come_as("1"), lambda come_as=come_as: come_as("2"))
        assert sorted(type(end).__name__ for end in ended) == ["EmailInUse", "int"], ended


@pytest.mark.parametrize(("subject", "told"), [("1", EmailInUse), ("2", int)], ids=["another", "the same person"])
def test_account_that_is_claimed_between_look_up_and_claim_is_looked_up_again(
    make_app: Callable[..., Flask], postgres_url: str, subject: str, told: type
) -> None:
    site = make_app(DATABASE_URL=postgres_url)
    with site.app_context():
        hana = roles.create_superuser(HANA).id
    with psycopg.connect(postgres_url) as faster:
        faster.execute("UPDATE users SET provider = 'kakao', claimable_until = NULL WHERE id = %s", [hana])
        faster.execute(
            "INSERT INTO identities (provider, subject, user_id, date_linked) VALUES ('kakao', %s, %s, now())",
            [subject, hana],
        )
        ended = at_once(
            site,
            lambda: sign_in.log_in(kakao_profile("2", email=HANA), email_required=True).user.id,
            lambda: until(waits_for_a_lock) and faster.commit(),
        )
    assert type(ended[0]) is told, ended
    with site.app_context():
        assert [one.subject for one in find_user(hana).identities] == [subject]


def waits_for_a_lock() -> bool:
    """Whether another connection waits for what a third has changed."""
    db.session.rollback()
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return db.session.scalar(text(waiting)) > 0


def test_claimed_account_waits_no_more_when_its_identity_goes(site: Flask) -> None:
    with site.app_context():
        roles.create_superuser(HANA, GOOD)
        user = sign_in.log_in(kakao_profile("7", email=HANA), email_required=True).user
        assert user.claimable_until is None
        linking.unlink(user.id, user.identities[0].id, asked_as=user.get_id())
        with pytest.raises(EmailInUse):
            sign_in.log_in(kakao_profile("8", email=HANA), email_required=True)


def test_account_that_was_linked_waits_no_more_when_the_link_goes(site: Flask) -> None:
    """Its superuser came in by password, linked a provider, and took it away again."""
    with site.app_context():
        user = roles.create_superuser(HANA, GOOD)
        linking.link(user.id, Profile(provider="facebook", subject="9"), asked_as=user.get_id())
        linking.unlink(user.id, user.identities[0].id, asked_as=user.get_id())
        with pytest.raises(EmailInUse):
            sign_in.log_in(kakao_profile("8", email=HANA), email_required=True)


# A provider's message


@pytest.mark.parametrize("kind", ["user-unlinked", "account-purged", "unlink webhook"])
def test_a_message_opens_the_last_superusers_account_to_nobody(site: Flask, kakao: FakeKakao, kind: str) -> None:
    user_id = hana_by_kakao(site)
    if kind == "unlink webhook":
        assert unlink(site, "1002").status_code == 200
    else:
        assert tell(site, kakao, kind, "1002").status_code == 202
    with site.app_context():
        user = find_user(user_id)
        assert user is not None
        assert (user.identities, user.claimable_until) == ([], None)
    with a_moment_later():
        assert come(site, kakao).status_code == 409
        assert come(site, kakao, 1002).status_code == 409
    said = run(site, "promote", HANA, "--superuser")
    assert "hana@example.kr is a superuser now. They come in" in said
    assert "within 7 days, until" in said
    with in_days(7.01):
        assert come(site, kakao, 8).status_code == 409
    with a_moment_later():
        assert come(site, kakao, 1002).status_code == 302
    assert is_superuser(site, 1002)


@pytest.mark.parametrize("path", ["deauthorize", "data-deletion"])
def test_facebooks_callbacks_open_it_to_nobody(site: Flask, kakao: FakeKakao, path: str) -> None:
    user_id = hana_by_kakao(site)
    with site.app_context():
        db.session.execute(db.update(Identity).values(provider="facebook", subject=SUBJECT))
        db.session.execute(db.update(User).values(provider="facebook"))
        db.session.commit()
    with a_moment_later():
        answer = site.test_client().post(f"/webhooks/facebook/{path}/", data={"signed_request": signed_request()})
    assert answer.status_code == 200
    with site.app_context():
        user = find_user(user_id)
        assert (user.email, user.identities, user.claimable_until) == (HANA, [], None)
    assert come(site, kakao).status_code == 409


@pytest.mark.parametrize("reopened", [False, True])
def test_recycled_address_is_found_though_the_identity_is_gone(site: Flask, kakao: FakeKakao, reopened: bool) -> None:
    """The person who has the address by now is not who had the account."""
    user_id = hana_by_kakao(site)
    tell(site, kakao, "account-purged", "1002")
    if reopened:
        run(site, "promote", HANA, "--superuser")
    assert tell(site, kakao, "identifier-recycled", "1002").status_code == 202
    with site.app_context():
        user = find_user(user_id)
        assert (user.email, user.claimable_until, user.is_superuser) == (None, None, True)
    with a_moment_later():
        assert come(site, kakao).status_code == 302
    assert not is_superuser(site)


def test_recycled_address_of_any_former_identity_is_found(site: Flask, kakao: FakeKakao) -> None:
    user_id = hana_by_kakao(site)
    with site.app_context():
        user = find_user(user_id)
        linking.link(user_id, Profile(provider="facebook", subject=SUBJECT), asked_as=user.get_id())
    unlink(site, "1002")
    with a_moment_later():
        site.test_client().post("/webhooks/facebook/deauthorize/", data={"signed_request": signed_request()})
    run(site, "promote", HANA, "--superuser")
    tell(site, kakao, "identifier-recycled", "1002")
    with site.app_context():
        user = find_user(user_id)
        assert (user.identities, user.email) == ([], None)


def test_recycled_address_that_the_account_has_no_more_changes_nothing(site: Flask, kakao: FakeKakao) -> None:
    user_id = hana_by_kakao(site)
    unlink(site, "1002")
    with site.app_context():
        find_user(user_id).set_email("new@example.kr")
        db.session.commit()
    tell(site, kakao, "identifier-recycled", "1002")
    tell(site, kakao, "identifier-recycled", "4711")
    with site.app_context():
        assert find_user(user_id).email == "new@example.kr"


def test_overtaken_message_about_an_address_changes_nothing_after_linking_anew(site: Flask, kakao: FakeKakao) -> None:
    """The link was cut and made again, and the message tells of a time before."""
    with site.app_context():
        user = roles.create_superuser(HANA, GOOD)
        for _ in range(2):
            linking.link(user.id, kakao_profile("7"), asked_as=user.get_id())
            (identity,) = user.identities
            linking.unlink(user.id, identity.id, asked_as=user.get_id())
        linking.link(user.id, kakao_profile("7"), asked_as=user.get_id())
        password_login.remove_password(user)
    past = int((datetime.now(UTC) - timedelta(hours=1)).timestamp())
    assert tell(site, kakao, "identifier-recycled", "7", toe=past).status_code == 202
    with site.app_context():
        assert find_user_by_email(HANA) is not None


# Opening again


def test_promotion_opens_no_account_that_an_identity_opens(site: Flask, kakao: FakeKakao) -> None:
    hana_by_kakao(site)
    assert run(site, "promote", HANA, "--superuser") == "hana@example.kr is a superuser now.\n"
    with site.app_context():
        assert find_user_by_email(HANA).claimable_until is None
    assert come(site, kakao).status_code == 409


def test_reopen_opens_an_account_without_giving_a_role(site: Flask, kakao: FakeKakao, tmp_path: Any) -> None:
    file = tmp_path / "users.csv"
    file.write_text("email,identities\nimported@example.kr,\nb@example.kr,kakao:99\n")
    said = run(site, "import", str(file))
    assert "1 of them have no identity" in said
    assert "within 7 days, until" in said
    with in_days(8):
        assert come(site, kakao, 5, "imported@example.kr").status_code == 409
        said = run(site, "reopen", "imported@example.kr")
        assert "within 7 days, until" in said
    with in_days(14):
        assert come(site, kakao, 5, "imported@example.kr").status_code == 302
    with site.app_context():
        user = find_identity("kakao", "5").user
        assert (user.email, user.is_staff) == ("imported@example.kr", False)
    again = site.test_cli_runner().invoke(args=["users", "reopen", "imported@example.kr"])
    assert again.exit_code == 1


def test_promotion_and_claim_at_once_leave_no_claimed_account_open(site: Flask) -> None:
    for number in range(4):
        email = f"boss{number}@example.kr"
        brought = kakao_profile(str(number), email=email)
        with site.app_context():
            roles.create_superuser(email)
        ended = at_once(
            site,
            lambda email=email: roles.promote(find_user_by_email(email), superuser=True),
            lambda brought=brought: sign_in.log_in(brought, email_required=True),
        )
        assert not [end for end in ended if isinstance(end, Exception)], ended
        with site.app_context():
            assert not ways_in.can_be_claimed(find_identity("kakao", str(number)).user)
            with pytest.raises(EmailInUse):
                sign_in.log_in(kakao_profile(f"{number}9", email=email), email_required=True)


def test_staff_sees_until_when_it_waits(site: Flask, kakao: FakeKakao) -> None:
    hana_by_kakao(site)
    with site.app_context():
        waiting = roles.create_superuser("boss@example.kr").id
    for days, said in ((0, "it waits until"), (7.01, "users reopen")):
        with in_days(days):
            kakao.me = person(1002, email=HANA)
            client = site.test_client()
            assert log_in(client, kakao).status_code == 302
            assert said in client.get(f"/users/{waiting}/?lang=en").text


def test_refusal_is_remembered_with_its_words() -> None:
    error = NotClaimable("user 1 waits for nobody", user_id=1)
    assert (error.status, error.code, error.other) == (409, "EMAIL_IN_USE", "")
    assert CLAIMABLE == timedelta(days=7)


# The migration


@pytest.fixture
def old(settings: dict[str, Any], bare_database_url: str) -> Iterator[Flask]:
    """A site as it was before, with accounts that wait."""
    app = create_app({**settings, "DATABASE_URL": bare_database_url})
    with app.app_context():
        upgrade(revision="0005")
        insert = (
            "INSERT INTO users (id, email, email_key, provider, is_active, is_staff, is_superuser, date_joined,"
            " last_login, own_fields, session_version, search_text)"
            " VALUES (:id, :email, :email, :provider, true, :role, :role, '2026-01-01', :seen, '', 0, '')"
        )
        nobody = {"provider": None, "role": False, "seen": None, "email": None}
        for row in (
            {"id": 1, "email": "waiting@example.kr", "role": True},
            {"id": 2, "email": "imported@example.kr", "seen": "2026-01-02"},
            {"id": 3, "email": "kakao@example.kr", "provider": "kakao"},
            {"id": 4, "email": "left@example.kr", "role": True, "seen": "2026-01-02"},
            {"id": 5, "email": "cut@example.kr"},
            {"id": 6, "email": "linked@example.kr"},
            {"id": 7},
        ):
            db.session.execute(text(insert), {**nobody, **row})
        for sql in (
            "INSERT INTO identities (provider, subject, user_id, date_linked)"
            " VALUES ('kakao', '1', 3, '2026-01-01'), ('kakao', '2', 6, '2026-01-01')",
            "INSERT INTO audit_events (at, action, result, reason, target_id, provider, source, agent, details)"
            " VALUES ('2026-01-01', 'unlinked by provider', 'done', '', 5, 'kakao', '', '', '{}')",
        ):
            db.session.execute(text(sql))
        db.session.commit()
        db.session.remove()
        yield app
        db.session.remove()
        db.engine.dispose()
    app.extensions["kakaoauth_redis"].close()


def test_accounts_that_wait_get_seven_days_and_those_that_a_message_left_none(old: Flask) -> None:
    upgrade(revision="0006")
    db.session.remove()
    users = dict(db.session.execute(db.select(User.id, User.claimable_until)).all())
    assert {number for number, until in users.items() if until} == {1, 2}
    for number in (1, 2):
        assert abs(users[number] - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=1)
