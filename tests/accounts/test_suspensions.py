"""A suspension outlives the account, whatever erased it: the person is known again and refused until it is lifted."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from support import (
    FakeKakao,
    api_client,
    begin_login,
    come_back,
    csrf_token,
    log_in,
    person,
    problem,
    readable_tables,
    tokens_of,
)
from support import profile as kakao_profile
from support.concurrency import at_once
from support.facebook import SETTINGS, SUBJECT, FakeFacebook, signed_request
from support.facebook import log_in as log_in_by_facebook
from support.facebook import person as facebook_person
from support.webhooks import ADMIN_KEY, APP_ID, tell, unlink

from kakaoauth import jobs
from kakaoauth.accounts import leaving, lifting, linking, roles, sign_in, suspensions
from kakaoauth.accounts.suspensions import Suspension
from kakaoauth.audit import AuditEvent
from kakaoauth.errors import AccountDisabled, Forbidden
from kakaoauth.models import Identity, User, find_identity
from kakaoauth.providers.values import AccountEvent
from kakaoauth.storage import keyed_hashes
from kakaoauth.storage.database import db
from kakaoauth.webhooks import deferred, effects

GONE = 3902187744
EMAIL = f"p{GONE}@example.kr"


@pytest.fixture
def facebook(kakao: FakeKakao) -> FakeFacebook:
    return FakeFacebook(kakao.mock)


@pytest.fixture
def site(make_app: Callable[..., Flask], database_url: str, facebook: FakeFacebook) -> Flask:
    """On both databases."""
    return make_app(DATABASE_URL=database_url, KAKAO_ADMIN_KEY=ADMIN_KEY, KAKAO_APP_ID=APP_ID, **SETTINGS)


def suspended(site: Flask, *others: tuple[str, str], **fields: Any) -> int:
    """Somebody who is suspended, with a Kakao identity and further ones."""
    with site.app_context():
        user = User.objects.create_user(EMAIL, provider="kakao", **fields)
        for provider, subject in [("kakao", str(GONE)), *others]:
            db.session.add(Identity(provider=provider, subject=subject, user=user))
        db.session.commit()
        roles.change_user(user.id, is_active=False)
        return user.id


def superuser(site: Flask) -> int:
    with site.app_context():
        hana = User.objects.create_superuser("hana@example.kr", provider="kakao")
        db.session.add(Identity(provider="kakao", subject="1002", user=hana))
        db.session.commit()
        return hana.id


def browser_of_hana(site: Flask, kakao: FakeKakao) -> FlaskClient:
    superuser(site)
    kakao.me = person(1002, email="hana@example.kr")
    client = site.test_client()
    assert log_in(client, kakao).status_code == 302
    return client


def refused(site: Flask, kakao: FakeKakao, subject: int = GONE, **account: Any) -> None:
    """The next login by Kakao makes nobody."""
    before = users(site)
    kakao.me = person(subject, **account)
    with a_moment_later():
        answer = log_in(site.test_client(), kakao)
    assert answer.status_code == 403, answer.text
    assert 'data-code="ACCOUNT_DISABLED"' in answer.text
    assert users(site) == before


def users(site: Flask) -> set[int]:
    with site.app_context():
        return set(db.session.scalars(db.select(User.id)))


def a_moment_later() -> Any:
    """What comes in the second of a message is refused for another reason."""
    return time_machine.travel(datetime.now(UTC) + timedelta(seconds=2))


# Whatever erases


def by_unlink_webhook(site: Flask, _kakao: FakeKakao, _user_id: int) -> None:
    assert unlink(site, str(GONE)).status_code == 200


def by_message(kind: str) -> Callable[[Flask, FakeKakao, int], None]:
    def erase(site: Flask, kakao: FakeKakao, _user_id: int) -> None:
        assert tell(site, kakao, kind, str(GONE)).status_code == 202

    return erase


def by_facebook(path: str) -> Callable[[Flask, FakeKakao, int], None]:
    """The Facebook identity is the only one left when the callback comes."""

    def erase(site: Flask, _kakao: FakeKakao, _user_id: int) -> None:
        with site.app_context():
            db.session.add(Identity(provider="facebook", subject=SUBJECT, user=find_identity("kakao", str(GONE)).user))
            db.session.commit()
        assert unlink(site, str(GONE)).status_code == 200
        sent = {"signed_request": signed_request()}
        assert site.test_client().post(f"/webhooks/facebook/{path}/", data=sent).status_code == 200

    return erase


def by_withdrawal(site: Flask, _kakao: FakeKakao, user_id: int) -> None:
    """The button was pressed just before the suspension, and its request comes after it."""
    with site.app_context():
        leaving.withdraw(user_id)


def by_page(site: Flask, kakao: FakeKakao, user_id: int) -> None:
    hana, page = browser_of_hana(site, kakao), f"/users/{user_id}/delete/"
    form = {"csrf_token": csrf_token(hana, page), "reason": "spam", "number": str(user_id)}
    assert hana.post(page, data=form).status_code == 302


def by_api(site: Flask, _kakao: FakeKakao, user_id: int) -> None:
    hana = api_client(site, tokens_of(site, superuser(site)).access_token)
    assert hana.delete(f"/api/users/{user_id}/", json={}).status_code == 204


def by_what_waited(site: Flask, _kakao: FakeKakao, _user_id: int) -> None:
    with site.app_context():
        event = AccountEvent("late", "user-unlinked", str(GONE), datetime.now(UTC))
        deferred.keep("kakao", event)
        assert jobs.run_once()[0] == 1


ERASURES: dict[str, Callable[[Flask, FakeKakao, int], None]] = {
    "unlink webhook": by_unlink_webhook,
    "user-unlinked": by_message("user-unlinked"),
    "account-purged": by_message("account-purged"),
    "deauthorize": by_facebook("deauthorize"),
    "data deletion": by_facebook("data-deletion"),
    "withdrawal": by_withdrawal,
    "a superuser's page": by_page,
    "API": by_api,
    "a message that waited": by_what_waited,
}


@pytest.mark.parametrize("way", ERASURES)
def test_a_suspension_outlives_erasure(site: Flask, kakao: FakeKakao, way: str) -> None:
    user_id = suspended(site)
    ERASURES[way](site, kakao, user_id)
    assert user_id not in users(site)
    refused(site, kakao)
    refused(site, kakao, email="another@example.kr")
    refused(site, kakao, 5, email=EMAIL.upper())


def test_who_was_not_suspended_comes_back_as_somebody_new(site: Flask, kakao: FakeKakao) -> None:
    user_id = suspended(site)
    with site.app_context():
        roles.change_user(user_id, is_active=True)
    unlink(site, str(GONE))
    kakao.me = person(GONE)
    with a_moment_later():
        assert log_in(site.test_client(), kakao).status_code == 302
    assert len(users(site) - {user_id}) == 1


def test_nothing_of_the_person_is_kept_but_the_number_and_keyed_hashes(site: Flask, kakao: FakeKakao) -> None:
    user_id = suspended(site, nickname="민지민지")
    with site.app_context():
        (job,) = leaving.withdraw(user_id)
        kakao.mock.post("https://kapi.kakao.com/v1/user/unlink", json={"id": GONE})
        assert leaving.try_unlink(job)
        everything = {name: repr(db.session.execute(text(f"SELECT * FROM {name}")).all()) for name in readable_tables()}
        kept = db.session.scalars(db.select(Suspension).order_by(Suspension.kind)).all()
        assert [(row.user_id, row.kind, len(row.key_hash)) for row in kept] == [
            (user_id, "email", 64),
            (user_id, "kakao", 64),
        ]
    for name, rows in everything.items():
        assert not [word for word in (str(GONE), EMAIL, "민지민지") if word in rows], name


def test_hash_is_not_that_of_the_number_alone(make_app: Callable[..., Flask]) -> None:
    one, other = make_app(), make_app(SECRET_KEY="another secret of more than 32 characters")
    made = []
    for app in (one, other):
        with app.app_context():
            made.append(keyed_hashes.of_identity("kakao", "1")[0].hash)
    assert made[0] != made[1]
    with one.app_context():
        assert keyed_hashes.of_identity("kakao", "1") != keyed_hashes.of_identity("facebook", "1")
        assert keyed_hashes.of_identity("kakao", "12") != keyed_hashes.of_identity("kakao1", "2")


# Whatever they come by


def test_every_login_of_theirs_counts(site: Flask, kakao: FakeKakao, facebook: FakeFacebook) -> None:
    user_id = suspended(site, ("facebook", SUBJECT))
    with site.app_context():
        leaving.delete_user(user_id, by=superuser(site), reason="spam")
    facebook.me = facebook_person(email="another@example.kr")
    answer = log_in_by_facebook(site.test_client())
    assert (answer.status_code, 'data-code="ACCOUNT_DISABLED"' in answer.text) == (403, True)
    refused(site, kakao)


def test_api_refuses_them_and_makes_nobody(site: Flask, kakao: FakeKakao, facebook: FakeFacebook) -> None:
    user_id = suspended(site, ("facebook", SUBJECT))
    with site.app_context():
        leaving.delete_user(user_id, by=superuser(site), reason="spam")
    before = users(site)
    kakao.me = person(GONE)
    kakao.mock.get("https://kapi.kakao.com/v1/user/access_token_info", json={"id": GONE, "app_id": APP_ID})
    app = site.test_client()
    for path in ("kakao", "facebook"):
        answer = app.post(f"/api/auth/{path}/", json={"access_token": "canary-access-token"})
        problem(answer, 403, "ACCOUNT_DISABLED")
    assert users(site) == before


def test_linking_to_another_account_is_refused(site: Flask, kakao: FakeKakao) -> None:
    with site.app_context():
        leaving.withdraw(suspended(site))
        friend = User.objects.create_user("friend@example.kr", provider="facebook")
        db.session.add(Identity(provider="facebook", subject="7", user=friend))
        db.session.commit()
        for brought in (kakao_profile(str(GONE)), kakao_profile("5", email=EMAIL)):
            with pytest.raises(AccountDisabled):
                linking.link(friend.id, brought, asked_as=friend.get_id())
        assert [one.provider for one in friend.identities] == ["facebook"]


def test_address_of_theirs_opens_no_waiting_account_and_makes_no_superuser(site: Flask) -> None:
    with site.app_context():
        leaving.withdraw(suspended(site))
    result = site.test_cli_runner().invoke(args=["users", "create-superuser", "--email", EMAIL])
    assert result.exit_code == 1
    assert "suspended" in result.output
    assert users(site) == set()


def test_identity_of_theirs_takes_no_waiting_account_over(site: Flask, kakao: FakeKakao) -> None:
    with site.app_context():
        leaving.withdraw(suspended(site))
        roles.create_superuser("boss@example.kr")
    refused(site, kakao, email="boss@example.kr")
    with site.app_context():
        assert db.session.query(Identity).count() == 0


def test_import_makes_nobody_of_them(site: Flask, tmp_path: Any) -> None:
    with site.app_context():
        leaving.withdraw(suspended(site))
    file = tmp_path / "users.csv"
    file.write_text(f"email,identities\n{EMAIL},\na@example.kr,kakao:{GONE}\nb@example.kr,kakao:8\n")
    result = site.test_cli_runner().invoke(args=["users", "import", str(file)])
    assert "line 2, email: a suspended person's" in result.output
    assert "line 3, identities: a suspended person's" in result.output
    assert len(users(site)) == 1


def test_known_person_whose_address_becomes_theirs_comes_in_without_it(site: Flask) -> None:
    with site.app_context():
        sign_in.log_in(kakao_profile("8", email="b@example.kr"), email_required=True)
        leaving.withdraw(suspended(site))
        entry = sign_in.log_in(kakao_profile("8", email=EMAIL), email_required=True)
        assert entry.user.email == "b@example.kr"


def test_account_that_is_erased_while_its_address_is_looked_for_keeps_its_person_out(
    site: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id, look = suspended(site), sign_in.find_user_by_email

    def erased_before(email: str) -> User | None:
        at_once(site, lambda: leaving.withdraw(user_id))
        return look(email)

    monkeypatch.setattr(sign_in, "find_user_by_email", erased_before)
    with site.app_context(), pytest.raises(AccountDisabled):
        sign_in.log_in(kakao_profile("8", email=EMAIL), email_required=True)
    assert users(site) == set()


# While the account is still here


def test_login_that_was_cut_from_a_suspended_account_makes_no_other(site: Flask, kakao: FakeKakao) -> None:
    user_id = suspended(site, ("facebook", SUBJECT))
    unlink(site, str(GONE))
    assert user_id in users(site)
    refused(site, kakao, email="another@example.kr")
    with site.app_context():
        roles.change_user(user_id, is_active=True)
        assert suspensions.number() == 0
    kakao.me = person(GONE, email="another@example.kr")
    with a_moment_later():
        assert log_in(site.test_client(), kakao).status_code == 302


@pytest.mark.parametrize("kind", ["identifier-recycled", "user-scope-withdraw"])
def test_address_that_a_message_takes_from_a_suspended_account_makes_no_other(
    site: Flask, kakao: FakeKakao, kind: str
) -> None:
    suspended(site)
    assert tell(site, kakao, kind, str(GONE), body={"scopes": ["account_email"]}).status_code == 202
    with site.app_context():
        assert find_identity("kakao", str(GONE)).user.email is None
    refused(site, kakao, 5, email=EMAIL)


def test_superuser_who_unlinks_a_suspended_persons_login_keeps_it_out(site: Flask, kakao: FakeKakao) -> None:
    user_id = suspended(site, ("facebook", SUBJECT))
    with site.app_context():
        identity = find_identity("kakao", str(GONE))
        assert linking.unlink_for(user_id, identity.id, by=superuser(site), reason="spam")
    refused(site, kakao, email="another@example.kr")


def test_suspension_and_unlink_at_once_let_nobody_back_in(site: Flask) -> None:
    """Either the suspension came first and is kept, or there was nobody left to suspend."""
    for number in range(6):
        with site.app_context():
            user = sign_in.log_in(kakao_profile(str(number), email=f"{number}@example.kr"), email_required=True).user
            user_id, event = user.id, AccountEvent(f"j{number}", "user-unlinked", str(number), datetime.now(UTC))
            db.session.execute(db.update(Identity).values(date_linked=datetime(2026, 1, 1, tzinfo=UTC)))
            db.session.commit()
        ended = at_once(
            site,
            lambda user_id=user_id: roles.change_user(user_id, is_active=False),
            lambda event=event: effects.apply_event("kakao", event),
        )
        assert not [end for end in ended if isinstance(end, Exception)], ended
        with site.app_context():
            assert db.session.get(User, user_id) is None
            assert (ended[0] is None) == (suspensions.find(user_id) is None)


# SECRET_KEY


def test_former_secret_key_finds_them_while_it_is_a_fallback(
    make_app: Callable[..., Flask], database_url: str, kakao: FakeKakao
) -> None:
    old, new = "a former secret of more than 32 characters", "a new secret of more than thirty-two characters"
    first = make_app(DATABASE_URL=database_url, SECRET_KEY=old)
    with first.app_context():
        leaving.withdraw(suspended(first))
        db.engine.dispose()
    refused(make_app(DATABASE_URL=database_url, SECRET_KEY=new, SECRET_KEY_FALLBACKS=(old,)), kakao)
    lost = make_app(DATABASE_URL=database_url, SECRET_KEY=new)
    assert "without effect" in lost.test_cli_runner().invoke(args=["users", "suspensions"]).output


# Superusers see them and lift one


def lift(client: FlaskClient, user_id: int, reason: str = "it was a mistake") -> Any:
    token = csrf_token(client)
    return client.post(f"/users/suspended/{user_id}/lift/", data={"csrf_token": token, "reason": reason})


def test_superuser_sees_them_and_lifts_one(site: Flask, kakao: FakeKakao) -> None:
    user_id = suspended(site, ("facebook", SUBJECT), nickname="민지민지")
    hana = browser_of_hana(site, kakao)
    with site.app_context():
        leaving.delete_user(user_id, by=1 + user_id, reason="spam")
    assert 'href="/users/suspended/"' in hana.get("/users/").text
    page = hana.get("/users/suspended/?lang=en").text
    for said in ("People: 1", "Kakao", "Facebook", "E-mail", f">{user_id}</a>"):
        assert said in page
    assert not [word for word in (str(GONE), EMAIL, "민지민지", SUBJECT) if word in page]
    assert hana.get(f"/users/suspended/{user_id}/lift/").status_code == 200
    refused(site, kakao)
    assert lift(hana, user_id).status_code == 302
    assert lift(hana, user_id).status_code == 404
    assert hana.get(f"/users/suspended/{user_id}/lift/").status_code == 404
    with site.app_context():
        event = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "suspension lifted")).one()
        assert (event.target_id, event.actor_id, event.reason) == (user_id, user_id + 1, "it was a mistake")
        assert json.loads(event.details) == {"kept": "email,facebook,kakao"}
        assert db.session.query(Suspension).count() == 0
    kakao.me = person(GONE)
    assert log_in(site.test_client(), kakao).status_code == 302


def test_two_characters_are_a_reason(site: Flask, kakao: FakeKakao) -> None:
    user_id = suspended(site)
    hana = browser_of_hana(site, kakao)
    with site.app_context():
        leaving.withdraw(user_id)
    assert lift(hana, user_id, "오해").status_code == 302


@pytest.mark.parametrize("reason", ["", " ", "x", "y" * 201])
def test_without_a_reason_nothing_is_lifted(site: Flask, kakao: FakeKakao, reason: str) -> None:
    user_id = suspended(site)
    hana = browser_of_hana(site, kakao)
    with site.app_context():
        leaving.withdraw(user_id)
    assert lift(hana, user_id, reason).status_code == 400
    refused(site, kakao)


def test_whoever_is_no_superuser_any_more_lifts_nothing(site: Flask, kakao: FakeKakao) -> None:
    user_id = suspended(site)
    with site.app_context():
        leaving.withdraw(user_id)
        minji = sign_in.log_in(kakao_profile("8", email="b@example.kr"), email_required=True).user
        with pytest.raises(Forbidden):
            lifting.lift_suspension(user_id, by=minji.id, reason="please")
        assert suspensions.find(user_id) is not None


def test_long_list_is_turned_over(site: Flask, kakao: FakeKakao) -> None:
    hana = browser_of_hana(site, kakao)
    with site.app_context():
        for number in range(100, 153):
            suspensions.keep_identity(User(id=number), "kakao", str(number))
        db.session.commit()
    first = hana.get("/users/suspended/?lang=en").text
    assert "People: 53" in first
    assert ">152</a>" in first
    assert ">102</a>" not in first
    second = hana.get("/users/suspended/?before=103").text
    assert ">102</a>" in second
    assert ">100</a>" in second
    assert ">103</a>" not in second
    for odd in ("x", "-1", "9" * 30, "²"):
        assert ">152</a>" in hana.get("/users/suspended/", query_string={"before": odd}).text


def test_command_line_lists_and_lifts(site: Flask, kakao: FakeKakao) -> None:
    user_id = suspended(site)
    with site.app_context():
        leaving.withdraw(user_id)
    run = site.test_cli_runner().invoke
    listed = run(args=["users", "suspensions"]).output
    assert listed == f"{user_id}\t{datetime.now(UTC):%Y-%m-%d}\tkakao,email\n"
    done = run(args=["users", "lift-suspension", str(user_id), "--reason", "a mistake"])
    assert (done.exit_code, done.output) == (0, f"The person who was user {user_id} can sign up again.\n")
    again = run(args=["users", "lift-suspension", str(user_id)])
    assert again.exit_code == 1
    assert run(args=["users", "suspensions"]).output == ""
    kakao.me = person(GONE)
    assert log_in(site.test_client(), kakao).status_code == 302


def test_login_under_way_while_a_suspended_account_is_erased_makes_nobody(site: Flask, kakao: FakeKakao) -> None:
    """The page was asked for before the erasure, and the answer of Kakao comes after it."""
    user_id = suspended(site)
    client = site.test_client()
    sent = begin_login(client)
    kakao.me, kakao.nonce = person(GONE), sent["nonce"]
    with site.app_context():
        leaving.withdraw(user_id)
    assert come_back(client, sent["state"]).status_code == 403
    assert users(site) == set()
