"""What apps' logins may cost at a provider: one address, one token, one person cannot use up the quota there."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests_mock
from flask import Flask
from joserfc.jwk import RSAKey
from redis import Redis
from support import KAPI, FakeKakao, begin_login, come_back, log_in, person, problem
from support.facebook import SETTINGS, FakeFacebook
from support.redis_server import RedisServer

from kakaoauth.accounts import leaving, linking, roles
from kakaoauth.config.checks import ConfigError
from kakaoauth.counting import counters
from kakaoauth.models import Identity, User
from kakaoauth.providers.values import AccountEvent
from kakaoauth.storage.database import db
from kakaoauth.storage.redis import get_redis
from kakaoauth.web import rate_limits
from kakaoauth.webhooks import effects

APP_ID = 654321
INFO = f"{KAPI}/v1/user/access_token_info"
#: A limit's number.
MOST = {name: item.amount for name, item in rate_limits.ITEMS.items()}
UNKNOWN = {"status_code": 401, "json": {"msg": "this access token does not exist", "code": -401}}

MakeApp = Callable[..., Flask]


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app(KAKAO_APP_ID=APP_ID)


@pytest.fixture
def kakao(kakao_key: RSAKey) -> Iterator[FakeKakao]:
    with requests_mock.Mocker() as mock:
        fake = FakeKakao(mock, kakao_key)
        mock.get(INFO, json=lambda *_: {"id": fake.me["id"], "expires_in": 20874, "app_id": APP_ID})
        yield fake


def bring(app: Flask, token: str = "canary-access-token", address: str = "203.0.113.7", **more: Any) -> Any:
    body = {"access_token": token, **more} if token else more
    return app.test_client().post("/api/auth/kakao/", json=body, environ_base={"REMOTE_ADDR": address})


def statuses(answers: list[Any]) -> list[int]:
    return [answer.status_code for answer in answers]


def counted(app: Flask, name: str) -> int:
    with app.app_context():
        return sum(number for (found, _), number in counters.totals().items() if found == name)


# One token


def test_same_token_is_asked_about_once_a_minute(app: Flask, kakao: FakeKakao) -> None:
    answers = [bring(app, address=f"203.0.113.{number % 50}") for number in range(60)]
    assert statuses(answers[: MOST["api_person"]]) == [201] + [200] * (MOST["api_person"] - 1)
    assert len(kakao.calls) == 2
    assert set(statuses(answers[MOST["api_person"] :])) == {429}
    assert problem(answers[-1], 429, "RATE_LIMITED")
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60


def test_crowd_of_equal_requests_costs_few_calls(app: Flask, kakao: FakeKakao) -> None:
    """Each begins before the one before it has ended: what that will have found out is not known yet."""
    found: list[int] = []

    def another_one(_request: Any, _context: Any) -> dict[str, Any]:
        found.append(bring(app).status_code)
        return {"id": kakao.me["id"], "expires_in": 20874, "app_id": APP_ID}

    kakao.mock.get(INFO, json=another_one)
    found.append(bring(app).status_code)
    assert found == [429, 201] + [200] * (MOST["token_asked"] - 1)
    assert len(kakao.calls) == 2 * MOST["token_asked"]


def test_memory_ends_after_a_minute_however_often_it_is_used(app: Flask, kakao: FakeKakao, redis: Redis) -> None:
    for status in (201, 200, 200):
        assert bring(app).status_code == status
        (key,) = redis.keys("token-verdict:*")
        assert 0 < redis.ttl(key) <= 60
    redis.expire(key, 7)
    assert bring(app).status_code == 200
    assert redis.ttl(key) <= 7
    redis.delete(key)
    kakao.me = person(3902187744, profile={"nickname": "새 이름"})
    assert bring(app).get_json()["user"]["nickname"] == "새 이름"


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (UNKNOWN, 401, "INVALID_ACCESS_TOKEN"),
        ({"json": {"id": 7, "expires_in": 9, "app_id": 1}}, 401, "FOREIGN_ACCESS_TOKEN"),
        ({"json": {"id": 7, "expires_in": 0, "app_id": APP_ID}}, 401, "EXPIRED_TOKEN"),
        ({"status_code": 400, "json": {"msg": "not linked", "code": -101}}, 403, "ACCOUNT_UNUSABLE"),
    ],
)
def test_refused_token_is_refused_for_a_minute_without_a_call(
    app: Flask, kakao: FakeKakao, answer: dict[str, Any], status: int, code: str
) -> None:
    kakao.mock.get(INFO, **answer)
    for _ in range(40):
        problem(bring(app), status, code)
    assert len(kakao.calls) == 1


def test_that_kakao_could_not_be_asked_is_never_remembered(app: Flask, kakao: FakeKakao) -> None:
    for answer in ({"status_code": 500}, {"status_code": 400, "json": {"code": -1, "msg": "x"}}, {"text": "<html>"}):
        kakao.mock.get(INFO, **answer)
        problem(bring(app), 503, "PROVIDER_UNAVAILABLE")
    kakao.mock.get(INFO, json={"id": kakao.me["id"], "expires_in": 9, "app_id": APP_ID})
    assert bring(app).status_code == 201


def test_person_who_shares_their_address_gets_in_with_the_same_token(app: Flask, kakao: FakeKakao) -> None:
    kakao.me = person(7, email=None, email_needs_agreement=True)
    problem(bring(app), 403, "EMAIL_REQUIRED")
    kakao.me = person(7)
    assert bring(app).status_code == 201


def test_person_who_is_refused_again_and_again_costs_few_calls(app: Flask, kakao: FakeKakao) -> None:
    kakao.me = person(7, email=None, email_needs_agreement=True)
    answers = [bring(app, address=f"203.0.113.{number}") for number in range(60)]
    assert statuses(answers)[:5] == [403] * 5
    assert statuses(answers)[-1] == 429
    assert len(kakao.calls) <= 2 * MOST["token_asked"]


def test_redis_holds_neither_token_nor_person(app: Flask, kakao: FakeKakao, redis: Redis) -> None:
    kakao.me = person(3902187744, email="canary@example.kr", profile={"nickname": "canary-name"})
    bring(app)
    kept = b" ".join(key + (redis.get(key) or b"") for key in redis.keys("*verdict*"))
    assert kept
    assert b"canary" not in kept


# What ends something here ends the memory


def member(app: Flask) -> User:
    user: User = db.session.scalars(db.select(User)).one()
    return user


def unlinked_by_kakao(app: Flask) -> None:
    effects.apply_event("kakao", AccountEvent("jti", "user-unlinked", "3902187744", datetime.now(UTC)))


def tokens_revoked(app: Flask) -> None:
    effects.apply_event("kakao", AccountEvent("jti", "tokens-revoked", "3902187744", datetime.now(UTC)))


def token_revoked(app: Flask) -> None:
    effects.apply_event("kakao", AccountEvent("jti", "token-revoked", "3902187744", datetime.now(UTC)))


def old_message(app: Flask) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=3)
    effects.apply_event("kakao", AccountEvent("jti", "user-scope-withdraw", "3902187744", long_ago, ("profile",)))


def left(app: Flask) -> None:
    leaving.withdraw(member(app).id)


def suspended_and_let_in(app: Flask) -> None:
    roles.change_user(member(app).id, is_active=False)
    roles.change_user(member(app).id, is_active=True)


def unlinked_here(app: Flask) -> None:
    user = member(app)
    db.session.add(Identity(provider="facebook", subject="7", user_id=user.id))
    db.session.commit()
    identity = db.session.scalars(db.select(Identity).where(Identity.provider == "kakao")).one()
    linking.unlink(user.id, identity.id, asked_as=user.get_id())


@pytest.mark.parametrize(
    "ends",
    [unlinked_by_kakao, tokens_revoked, token_revoked, old_message, left, suspended_and_let_in, unlinked_here],
)
def test_memory_does_not_outlive_what_ended_here(
    make_app: MakeApp, database_url: str, kakao: FakeKakao, ends: Callable[[Flask], None]
) -> None:
    app = make_app(DATABASE_URL=database_url, KAKAO_APP_ID=APP_ID)
    assert bring(app).status_code == 201
    assert bring(app).status_code == 200
    assert len(kakao.calls) == 2
    with app.app_context():
        ends(app)
    kakao.mock.get(INFO, **UNKNOWN)
    problem(bring(app), 401, "INVALID_ACCESS_TOKEN")


def test_suspended_person_is_refused_whatever_is_remembered(app: Flask, kakao: FakeKakao) -> None:
    bring(app)
    with app.app_context():
        roles.change_user(member(app).id, is_active=False)
    problem(bring(app), 403, "ACCOUNT_DISABLED")


def test_memory_that_cannot_be_opened_is_none(make_app: MakeApp, kakao: FakeKakao, redis: Redis) -> None:
    app = make_app(KAKAO_APP_ID=APP_ID)
    bring(app)
    (key,) = redis.keys("token-verdict:*")
    redis.set(key, "another key's", keepttl=True)
    assert bring(app).status_code == 200
    assert len(kakao.calls) == 4


# One address


def test_made_up_tokens_of_one_address_cost_few_calls(app: Flask, kakao: FakeKakao) -> None:
    kakao.mock.get(INFO, **UNKNOWN)
    answers = [bring(app, f"made-up-{number}") for number in range(100)]
    assert statuses(answers) == [401] * MOST["provider_refused"] + [429] * (100 - MOST["provider_refused"])
    assert len(kakao.calls) == MOST["provider_refused"]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert bring(app, "made-up", "198.51.100.1").status_code == 401, "another address"


def test_made_up_codes_count_with_the_tokens(app: Flask, kakao: FakeKakao) -> None:
    kakao.fails(token={"status_code": 400, "json": {"error": "invalid_grant", "error_code": "KOE320"}})
    kakao.mock.get(INFO, **UNKNOWN)
    for number in range(MOST["provider_refused"]):
        if number % 2:
            bring(app, f"made-up-{number}")
        else:
            bring(app, "", code=f"made-up-{number}", redirect_uri="https://app.example.kr/oauth")
    assert bring(app, "", code="one-more", redirect_uri="https://app.example.kr/oauth").status_code == 429
    assert bring(app, "one-more").status_code == 429
    assert len(kakao.calls) == MOST["provider_refused"]


def test_many_people_of_one_address_log_in(app: Flask, kakao: FakeKakao) -> None:
    for number in range(1, 61):
        kakao.me = person(number)
        assert bring(app, f"token-{number}").status_code == 201


def test_made_up_codes_on_pages_are_bounded_by_address(app: Flask, kakao: FakeKakao) -> None:
    kakao.fails(token={"status_code": 400, "json": {"error": "invalid_grant", "error_code": "KOE320"}})
    visitor = app.test_client()
    visitor.environ_base["REMOTE_ADDR"] = "203.0.113.7"
    found = [come_back(visitor, begin_login(visitor)["state"], code=f"made-up-{n}") for n in range(80)]
    assert statuses(found) == [400] * MOST["callback_refused"] + [429] * (80 - MOST["callback_refused"])
    assert len(kakao.calls) == MOST["callback_refused"]
    assert 'data-code="RATE_LIMITED"' in found[-1].text
    elsewhere = app.test_client()
    elsewhere.environ_base["REMOTE_ADDR"] = "198.51.100.1"
    assert come_back(elsewhere, begin_login(elsewhere)["state"]).status_code == 400


# The whole site


def test_budget_of_the_site_is_told_once_and_spares_pages(
    make_app: MakeApp, kakao: FakeKakao, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(KAKAO_APP_ID=APP_ID, PROVIDER_CALLS_PER_MINUTE=10)
    for number in range(1, 15):
        kakao.me = person(number)
        answer = bring(app, f"token-{number}", f"203.0.113.{number}")
        assert answer.status_code == (201 if number <= 5 else 429)
    assert problem(answer, 429, "RATE_LIMITED")
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert len(kakao.calls) == 10
    assert len([one for one in caplog.messages if one.startswith("limit reached name=provider_calls")]) == 1
    assert bring(app, "token-1").status_code == 200, "what is remembered costs no call"
    kakao.me = person(3)
    assert log_in(app.test_client(), kakao).status_code == 302, "pages are not the apps' matter"
    text = app.test_client().get("/metrics").text
    assert 'kakaoauth_provider_asked_total{provider="kakao"} 5.0' in text
    assert 'kakaoauth_provider_budget_spent_total{provider="kakao"} 9.0' in text


@pytest.mark.parametrize("number", [0, 1, -5, 1_000_001])
def test_budget_that_lets_nobody_in_is_refused_at_start(make_app: MakeApp, number: int) -> None:
    with pytest.raises(ConfigError, match="PROVIDER_CALLS_PER_MINUTE"):
        make_app(PROVIDER_CALLS_PER_MINUTE=number)


def test_without_limits_nothing_is_refused(make_app: MakeApp, kakao: FakeKakao) -> None:
    app = make_app(KAKAO_APP_ID=APP_ID, KAKAOAUTH_RATE_LIMITS="false", PROVIDER_CALLS_PER_MINUTE=2)
    for number in range(1, 6):
        kakao.me = person(number)
        assert bring(app, f"token-{number}").status_code == 201


def test_frozen_redis_is_waited_for_once_in_a_request(
    make_app: MakeApp, kakao: FakeKakao, start_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, tries = start_redis(), []
    app = make_app(REDIS_URL=server.url, KAKAO_APP_ID=APP_ID, KAKAOAUTH_RATE_LIMITS=False)
    pool: Any = get_redis(app).connection_pool
    connect = pool.get_connection
    monkeypatch.setattr(pool, "get_connection", lambda *args: tries.append(1) or connect(*args))
    server.freeze()
    for number in (1, 2):
        assert bring(app).status_code == (201 if number == 1 else 200)
        assert len(tries) == number, "each request waits anew, so that the end is seen"
    server.thaw()
    assert bring(app).status_code == 200
    assert counted(app, "login_in") == 1


# The other kinds, and the other provider


def test_person_is_counted_whatever_the_app_brings(app: Flask, kakao: FakeKakao) -> None:
    code = {"code": "canary-code", "redirect_uri": "https://app.example.kr/oauth"}
    for number in range(MOST["api_person"]):
        answer = bring(app, f"token-{number}") if number % 2 else bring(app, "", **{**code, "code": f"code-{number}"})
        assert answer.status_code == (200 if number else 201), answer.text
    assert bring(app, "", **code).status_code == 429
    kakao.me = person(8)
    assert bring(app, "another-persons").status_code == 201


def test_facebook_is_bounded_alike(make_app: MakeApp) -> None:
    app = make_app(**SETTINGS)
    with requests_mock.Mocker() as mock:
        facebook = FakeFacebook(mock)

        def post(token: str) -> Any:
            return app.test_client().post("/api/auth/facebook/", json={"access_token": token})

        assert statuses([post("EAAgood") for _ in range(10)]) == [201] + [200] * 9
        assert len(facebook.calls()) == 2
        facebook.debug = {"error": {"code": 190, "message": "no"}, "is_valid": False}
        answers = [post(f"EAAmadeup{number}") for number in range(50)]
        assert statuses(answers)[:3] == [401] * 3
        assert statuses(answers)[-1] == 429
        assert len(facebook.calls()) == 2 + MOST["provider_refused"]
