"""A provider's message that comes late erases nobody who has agreed again since, and nobody stays who has not."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
import requests
import time_machine
from flask import Flask
from joserfc import jwt
from redis import Redis
from support import CLIENT_ID, KAPI, KAUTH, FakeKakao, api_client, log_in, person, run_jobs, tokens_of
from support.facebook import SETTINGS, SUBJECT, FakeFacebook, signed_request
from support.facebook import log_in as log_in_by_facebook

from kakaoauth.models import Identity, User, find_identity
from kakaoauth.providers.values import AccountEvent
from kakaoauth.staff.csv import import_users
from kakaoauth.staff.csv.reading import batches
from kakaoauth.storage.database import db
from kakaoauth.tokens.provider_tokens import ProviderToken
from kakaoauth.webhooks import deferred, effects

ADMIN_KEY = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
MINJI = "3902187744"
BEGUN = datetime(2026, 11, 1, 3, 0, 0, 500_000, tzinfo=UTC)
SET = "https://schemas.openid.net/secevent/oauth/event-type/"
RISC = "https://schemas.openid.net/secevent/risc/event-type/"


@pytest.fixture
def site(make_app: Callable[..., Flask], database_url: str, kakao: FakeKakao) -> Flask:
    FakeFacebook(kakao.mock)
    return make_app(DATABASE_URL=database_url, KAKAO_ADMIN_KEY=ADMIN_KEY, **SETTINGS)


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(BEGUN, tick=False) as clock:
        yield clock


def enter(app: Flask, kakao: FakeKakao) -> Any:
    kakao.me = person(int(MINJI))
    client = app.test_client()
    assert log_in(client, kakao).status_code == 302
    return client


def unlink(app: Flask) -> int:
    form = {"user_id": MINJI, "referrer_type": "UNLINK_FROM_APPS"}
    headers = {"Authorization": f"KakaoAK {ADMIN_KEY}"}
    return app.test_client().post("/webhooks/kakao/unlink/", data=form, headers=headers).status_code


def tell(app: Flask, kakao: FakeKakao, at: datetime, uri: str, **changes: Any) -> int:
    moment = int(at.timestamp())
    claims = {"iss": KAUTH, "aud": CLIENT_ID, "sub": MINJI, "iat": int(time.time()), "toe": moment, "jti": f"j{moment}"}
    claims |= {"events": {uri: {"subject": {"sub": MINJI}}}, **changes}
    head = {"alg": "RS256", "kid": "test-key-1", "typ": "secevent+jwt"}
    token = jwt.encode(head, {key: value for key, value in claims.items() if value is not None}, kakao.key)
    return app.test_client().post("/webhooks/kakao/account-status/", data=token).status_code


def is_there(app: Flask, provider: str = "kakao", subject: str = MINJI) -> bool:
    with app.app_context():
        return find_identity(provider, subject) is not None


def asked(kakao: FakeKakao) -> int:
    calls = [call for call in kakao.mock.request_history if call.url.startswith(f"{KAPI}/v2/user/me")]
    return sum(call.headers["Authorization"] == f"KakaoAK {ADMIN_KEY}" for call in calls)


# With a time


@pytest.mark.parametrize("uri", [f"{SET}user-unlinked", f"{RISC}account-purged"])
def test_unlink_from_before_the_last_login_erases_nobody(
    site: Flask, kakao: FakeKakao, clock: Any, uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    enter(site, kakao)
    clock.shift(86400)
    happened = datetime.now(UTC)
    clock.shift(60)
    minji = enter(site, kakao)
    clock.shift(60)
    assert tell(site, kakao, happened, uri) == 202
    assert is_there(site)
    assert minji.get("/users/me/").status_code == 200
    assert "effect=overtaken" in caplog.text
    assert tell(site, kakao, datetime.now(UTC), uri) == 202
    assert not is_there(site)


def test_message_without_the_time_of_the_event_counts_from_its_own(site: Flask, kakao: FakeKakao, clock: Any) -> None:
    enter(site, kakao)
    clock.shift(86400)
    sent = int(time.time())
    clock.shift(60)
    enter(site, kakao)
    assert tell(site, kakao, datetime.now(UTC), f"{SET}user-unlinked", toe=None, iat=sent) == 202
    assert is_there(site)


def test_late_end_of_sessions_ends_those_of_a_thief_all_the_same(site: Flask, kakao: FakeKakao, clock: Any) -> None:
    """A thief of the password was in before; that the owner has come back since must not keep them."""
    thief = enter(site, kakao)
    clock.shift(600)
    happened = datetime.now(UTC)
    clock.shift(60)
    enter(site, kakao)
    assert tell(site, kakao, happened, f"{RISC}sessions-revoked") == 202
    assert thief.get("/users/me/").status_code == 302


@pytest.mark.parametrize("path", ["deauthorize", "data-deletion"])
def test_facebooks_message_from_before_the_last_login_erases_nobody(site: Flask, clock: Any, path: str) -> None:
    assert log_in_by_facebook(site.test_client()).status_code == 302
    clock.shift(86400)
    raw = signed_request()
    clock.shift(60)
    assert log_in_by_facebook(site.test_client()).status_code == 302
    assert site.test_client().post(f"/webhooks/facebook/{path}/", data={"signed_request": raw}).status_code == 200
    assert is_there(site, "facebook", SUBJECT)
    raw = signed_request()
    assert site.test_client().post(f"/webhooks/facebook/{path}/", data={"signed_request": raw}).status_code == 200
    assert not is_there(site, "facebook", SUBJECT)


def test_id_token_confirms_the_moment_it_was_issued_and_no_later(site: Flask, kakao: FakeKakao, clock: Any) -> None:
    enter(site, kakao)
    clock.shift(86400)
    issued = int(time.time())
    claims = {"iss": KAUTH, "aud": CLIENT_ID, "sub": MINJI, "iat": issued, "exp": issued + 3600, "auth_time": issued}
    token = jwt.encode({"alg": "RS256", "kid": "test-key-1"}, {**claims, "email": f"p{MINJI}@example.kr"}, kakao.key)
    clock.shift(120)
    happened = datetime.now(UTC)
    clock.shift(120)
    assert site.test_client().post("/api/auth/kakao/", json={"id_token": token}).status_code == 200
    assert tell(site, kakao, happened, f"{SET}user-unlinked") == 202
    assert not is_there(site)


# Without


def test_unlink_webhook_long_after_the_last_login_is_applied_without_asking(
    site: Flask, kakao: FakeKakao, clock: Any
) -> None:
    enter(site, kakao)
    clock.shift(61)
    kakao.is_linked = True
    assert unlink(site) == 200
    assert not is_there(site)
    assert asked(kakao) == 0


@pytest.mark.parametrize("seconds", [0, 1, 59])
@pytest.mark.parametrize("is_linked", [True, False])
def test_unlink_webhook_soon_after_a_login_ends_sessions_and_erases_as_kakao_says_now(
    site: Flask, kakao: FakeKakao, clock: Any, seconds: int, is_linked: bool
) -> None:
    minji = enter(site, kakao)
    app_of_hers = api_client(site, tokens_of(site, 1).access_token)
    clock.shift(seconds)
    kakao.is_linked = is_linked
    assert unlink(site) == 200
    assert asked(kakao) == 1
    assert is_there(site) == is_linked
    assert minji.get("/users/me/").status_code == 302
    assert app_of_hers.get("/api/users/me/").status_code == 401
    with site.app_context():
        assert db.session.query(ProviderToken).count() == 0


AWAY: dict[str, dict[str, Any]] = {
    "no connection": {"exc": requests.exceptions.ConnectionError},
    "-1": {"status_code": 400, "json": {"msg": "?", "code": -1}},
    "500": {"status_code": 500, "text": ""},
    "somebody else": {"json": {"id": 5}},
}


@pytest.mark.parametrize("case", AWAY)
def test_unlink_webhook_waits_while_kakao_cannot_be_asked(
    site: Flask, kakao: FakeKakao, clock: Any, redis: Redis, case: str
) -> None:
    minji = enter(site, kakao)
    clock.shift(10)
    kakao.fails(me=AWAY[case])
    assert unlink(site) == 200
    assert is_there(site)
    assert minji.get("/users/me/").status_code == 302
    assert redis.llen(deferred.KEY) == 1
    assert run_jobs(site) == (0, 1)
    kakao.fails(me={"json": kakao._me})
    assert run_jobs(site) == (1, 0)
    assert not is_there(site)
    assert redis.llen(deferred.KEY) == 0


def test_waiting_unlink_is_overtaken_by_a_login_after_it_came(
    site: Flask, kakao: FakeKakao, clock: Any, redis: Redis
) -> None:
    enter(site, kakao)
    clock.shift(10)
    kakao.fails(me=AWAY["500"])
    assert unlink(site) == 200
    clock.shift(3600)
    kakao.fails(me={"json": kakao._me})
    minji = enter(site, kakao)
    before = asked(kakao)
    assert run_jobs(site) == (1, 0)
    assert is_there(site)
    assert asked(kakao) == before
    assert minji.get("/users/me/").status_code == 200


def test_kakao_that_is_silent_is_asked_once_a_round(site: Flask, kakao: FakeKakao, clock: Any, redis: Redis) -> None:
    enter(site, kakao)
    kakao.fails(me=AWAY["no connection"])
    for _ in range(5):
        clock.shift(1)
        assert unlink(site) == 200
    before = asked(kakao)
    assert run_jobs(site) == (0, 5)
    assert asked(kakao) == before + 1


def test_admin_key_that_may_not_ask_leaves_the_message_its_word(site: Flask, kakao: FakeKakao, clock: Any) -> None:
    enter(site, kakao)
    kakao.fails(me={"status_code": 403, "json": {"msg": "not allowed", "code": -3}})
    assert unlink(site) == 200
    assert not is_there(site)


def test_old_version_of_the_site_reads_what_waits_and_is_read(site: Flask) -> None:
    with site.app_context():
        event = AccountEvent("unlink-1-1.5", "user-unlinked", "1", datetime.now(UTC))
        deferred.keep("kakao", event)
        raw = deferred.first()
        assert raw is not None
        assert deferred.read(raw) == ("kakao", event)
        assert b"timed" not in raw, "fields that the old version does not know would make it drop the message"
        assert not event.is_timed


# Imported dates


def test_future_date_from_a_file_is_taken_for_today(site: Flask, kakao: FakeKakao) -> None:
    ahead = (datetime.now(UTC) + timedelta(hours=12)).isoformat()
    text = f"email,identities,date_joined\nminji@example.kr,kakao:{MINJI},{ahead}\n"
    with site.app_context():
        people = [person for batch in batches(BytesIO(text.encode()), with_roles=False) for person in batch.good]
        assert import_users.import_users(people, skip_known=False).new == 1
        identity = find_identity("kakao", MINJI)
        assert identity is not None
        assert identity.date_linked <= datetime.now(UTC)
        assert identity.user.date_joined <= datetime.now(UTC)
    assert unlink(site) == 200
    assert not is_there(site)


@pytest.mark.parametrize("how", ["webhook", "SET"])
def test_future_date_that_is_there_already_hides_no_unlink(site: Flask, kakao: FakeKakao, clock: Any, how: str) -> None:
    enter(site, kakao)
    clock.shift(3600)
    with site.app_context():
        ahead = datetime.now(UTC) + timedelta(days=300)
        db.session.execute(db.update(Identity).values(date_linked=ahead, confirmed_at=None))
        db.session.commit()
    assert (unlink(site) if how == "webhook" else tell(site, kakao, datetime.now(UTC), f"{SET}user-unlinked")) < 300
    assert not is_there(site)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_later_word_on_forwarding_counts_whatever_comes_first(
    make_app: Callable[..., Flask], order: tuple[int, int]
) -> None:
    app = make_app()
    began = datetime.now(UTC)
    kinds = {1: "email-disabled", 2: "email-enabled"}
    with app.app_context():
        user = User.objects.create_user("relay@privaterelay.appleid.com", provider="apple")
        db.session.add(Identity(provider="apple", subject="000123.a", user=user, date_linked=began - timedelta(days=1)))
        db.session.commit()
        for number in order:
            moment = began - timedelta(hours=3 - number)
            effects.apply_event("apple", AccountEvent(f"jti-{number}", kinds[number], "000123.a", moment))
            if number == 1 and order[0] == 1:
                assert db.session.get_one(User, user.id).email_undeliverable_at == moment
        assert db.session.get_one(User, user.id).email_undeliverable_at is None
        user = db.session.get_one(User, user.id)
        effects.apply_event("apple", AccountEvent("jti-3", "email-disabled", "000123.a", began))
        assert db.session.get_one(User, user.id).email_undeliverable_at
        user.set_email("other@example.kr")
        assert user.email_undeliverable_at is None
        db.session.commit()
        about = "relay@privaterelay.appleid.com"
        effects.apply_event("apple", AccountEvent("jti-4", "email-disabled", "000123.a", began, email=about))
        assert db.session.get_one(User, user.id).email_undeliverable_at is None
