"""How rows end: every table has a rule, the documents say it, and the jobs do it batch by batch, by an index."""

import re
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import joinedload
from support import FakeKakao, log_in

from kakaoauth import days as korean_days
from kakaoauth import jobs, retention
from kakaoauth.accounts import provider_events
from kakaoauth.accounts.provider_events import ProviderEvent
from kakaoauth.accounts.suspensions import Suspension
from kakaoauth.accounts.unlink_jobs import UnlinkJob
from kakaoauth.audit import AuditEvent
from kakaoauth.counting import counters, daily_counts
from kakaoauth.counting.counters import DailyCount
from kakaoauth.models import EndedSession, Identity, User
from kakaoauth.retention import BATCH, RULES
from kakaoauth.storage import encryption
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import Base, db
from kakaoauth.tokens import flows as token_flows
from kakaoauth.tokens.provider_tokens import ProviderToken
from kakaoauth.tokens.refresh_tokens import TokenFamily
from kakaoauth.tokens.signing_keys import SigningKey
from kakaoauth.webhooks.deletions import DataDeletion
from kakaoauth.webhooks.failed import FailedEvent

OPERATIONS = Path(__file__).resolve().parent.parent / "docs" / "operations.md"
SECTION = re.compile(r"^## When rows end$(.*?)^## ", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `([a-z_]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)
DAY = timedelta(days=1)

MakeApp = Callable[..., Flask]


@pytest.fixture
def app(make_app: MakeApp, database_url: str) -> Flask:
    return make_app(DATABASE_URL=database_url)


# Rules


def without_a_rule(tables: set[str], rules: set[str]) -> set[str]:
    return tables ^ rules


def test_every_table_has_a_rule() -> None:
    missing = without_a_rule(set(db.metadata.tables), set(RULES))
    assert not missing, f"{missing}: say in kakaoauth/retention.py and docs/operations.md how their rows end"


def test_table_without_a_rule_is_noticed() -> None:
    assert without_a_rule({*db.metadata.tables, "newcomers"}, set(RULES)) == {"newcomers"}


def test_operations_has_every_rule() -> None:
    section = SECTION.search(OPERATIONS.read_text(encoding="utf-8"))
    assert section
    assert ROW.findall(section[1]) == [(name, rule.ends, rule.by) for name, rule in RULES.items()]


def test_every_batch_is_found_by_an_index() -> None:
    for name, rule in RULES.items():
        assert (rule.batch is None) == (rule.found_by is None), name
        if rule.found_by is not None:
            table, column = Base.metadata.tables[name], rule.found_by.key
            first = {next(iter(index.columns)).key for index in table.indexes}
            first.add(next(iter(table.primary_key.columns)).key)
            assert column in first, f"{name}.{column} has no index"


# What ends


def family(user_id: int, expires_at: datetime) -> TokenFamily:
    moments = {"expires_at": expires_at, "ends_at": expires_at}
    return TokenFamily(user_id=user_id, session_version=0, salt="s", token_hash="h", **moments)


def old_and_new(user: User, identity: Identity) -> list[tuple[Any, Any]]:
    """A pair of rows for each table that the jobs look after: one that is over, and one that is not by a little."""
    moment = now()

    def event_of(age: timedelta) -> ProviderEvent:
        words = {"provider": "kakao", "jti": secrets.token_hex(8), "kind": "user-linked", "subject": "7"}
        return ProviderEvent(**words, happened_at=moment - age, received_at=moment - age)

    def token(ends: datetime) -> ProviderToken:
        return ProviderToken(
            identity=identity, access_token=encryption.encrypt("t"), expires_at=ends, refresh_expires_at=ends
        )

    def deletion(age: timedelta) -> DataDeletion:
        return DataDeletion(code=secrets.token_hex(20), provider="facebook", requested_at=moment - age)

    def ended(hours: float) -> EndedSession:
        return EndedSession(name=secrets.token_hex(32), until=moment + timedelta(hours=hours))

    def kept_out(hours: float) -> Suspension:
        words = {"kind": "kakao", "key_hash": secrets.token_hex(32), "key_id": "k"}
        return Suspension(user_id=99, until=moment + timedelta(hours=hours), **words)

    def failed(age: timedelta) -> FailedEvent:
        words = {"provider": "kakao", "jti": secrets.token_hex(8), "kind": "user-unlinked", "subject": "7"}
        return FailedEvent(**words, happened_at=moment - age, failed_at=moment - age, error="IntegrityError")

    def given_up(age: timedelta) -> UnlinkJob:
        return UnlinkJob(provider="kakao", subject="7", given_up_at=moment - age)

    def rejoin_block(days: float) -> Suspension:
        keyed = {"key_hash": secrets.token_hex(32), "key_id": "12345678"}
        return Suspension(user_id=7, kind="kakao", **keyed, ends_at=moment + timedelta(days=days))

    def key(ends: datetime | None) -> SigningKey:
        return SigningKey(kid=secrets.token_hex(6), algorithm="HS256", sealed=encryption.encrypt("s"), retires_at=ends)

    return [
        (event_of(61 * DAY), event_of(59 * DAY)),
        (token(moment - 2 * DAY), token(moment - DAY / 2)),
        (deletion(366 * DAY), deletion(364 * DAY)),
        (ended(-2), ended(1)),
        (kept_out(-1), kept_out(1)),
        (failed(91 * DAY), failed(89 * DAY)),
        (given_up(61 * DAY), given_up(59 * DAY)),
        (rejoin_block(-0.1), rejoin_block(0.1)),
        (key(moment - timedelta(seconds=1)), key(moment + DAY)),
        (key(moment - 100 * DAY), key(None)),
        (family(user.id, moment - 2 * DAY), family(user.id, moment - DAY / 2)),
        (
            AuditEvent(action="login", result="done", at=moment - 366 * DAY),
            AuditEvent(action="login", result="done", at=moment - 364 * DAY),
        ),
    ]


@pytest.fixture
def identity(app: Flask) -> Identity:
    with app.app_context():
        user = User.objects.create_user("minji@example.kr", provider="kakao")
        db.session.add(Identity(provider="kakao", subject="7", user=user))
        db.session.commit()
        return db.session.scalars(db.select(Identity).options(joinedload(Identity.user))).one()


def test_what_is_over_goes_and_what_is_not_stays(app: Flask, identity: Identity) -> None:
    with app.app_context():
        one = db.session.merge(identity)
        user_id = one.user_id
        pairs = old_and_new(one.user, one)
        covered = {old.__tablename__ for old, _ in pairs} | {"daily_counts"}
        assert covered == {name for name, rule in RULES.items() if rule.batch is not None}
        db.session.add_all([row for pair in pairs for row in pair])
        db.session.commit()
        kept = [db.inspect(new).identity_key for _, new in pairs]
        gone = [db.inspect(old).identity_key for old, _ in pairs]
        while retention.forget_old_rows():
            pass
        db.session.expire_all()
        assert [key[:2] for key in kept if db.session.get(key[0], key[1]) is None] == []
        db.session.expunge_all()
        assert [key[:2] for key in gone if db.session.get(key[0], key[1]) is not None] == []
        assert db.session.get(User, user_id)


def test_removal_is_done_in_batches(app: Flask, identity: Identity) -> None:
    old = {"user_id": identity.user_id, "session_version": 0, "salt": "s", "token_hash": "h"}
    old |= {"expires_at": now() - 3 * DAY, "ends_at": now()}
    with app.app_context():
        db.session.execute(db.insert(TokenFamily), [old] * (BATCH + 10))
        db.session.commit()
        assert retention.forget_old_rows()
        assert db.session.query(TokenFamily).count() == 10
        assert not retention.forget_old_rows()
        assert db.session.query(TokenFamily).count() == 0


def test_running_site_does_it(app: Flask, identity: Identity) -> None:
    with app.app_context():
        db.session.add(family(identity.user_id, now() - 3 * DAY))
        db.session.commit()
        assert jobs.tidy(0.0) > 0
        assert db.session.query(TokenFamily).count() == 0


def test_login_and_refresh_that_are_good_are_left_alone(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    log_in(client, kakao)
    with app.app_context():
        pair = token_flows.issue_tokens(db.session.scalars(db.select(User)).one())
        assert not retention.forget_old_rows()
        token_flows.refresh(pair.refresh_token)
        token_flows.authenticate_bearer(pair.access_token)
    assert client.get("/users/me/").status_code == 200


def test_message_takes_a_few_old_ones_along(app: Flask) -> None:
    with app.app_context():
        for number in range(105):
            provider_events.remember(
                "kakao", str(number), kind="k", subject="7", happened_at=now() - 70 * DAY
            ).received_at = now() - 70 * DAY
        provider_events.forget_old()
        db.session.commit()
        assert db.session.query(ProviderEvent).count() == 5


def test_table_that_cannot_be_read_does_not_keep_the_others_rows(app: Flask, identity: Identity) -> None:
    with app.app_context():
        db.session.add(family(identity.user_id, now() - 3 * DAY))
        db.session.execute(db.text("ALTER TABLE provider_events RENAME TO elsewhere"))
        db.session.commit()
        try:
            retention.forget_old_rows()
            assert db.session.query(TokenFamily).count() == 0
        finally:
            db.session.execute(db.text("ALTER TABLE elsewhere RENAME TO provider_events"))
            db.session.commit()


# Daily counts


def test_old_days_are_added_up_and_totals_stay(app: Flask) -> None:
    today = korean_days.today()
    ages = (retention.COUNT_DAYS + 40, retention.COUNT_DAYS + 2, retention.COUNT_DAYS + 1)
    kept = today - timedelta(days=retention.COUNT_DAYS - 1)
    with app.app_context():
        for age in ages:
            numbers = {("sign_up", "kakao"): 2, ("login_refused", f"kakao CODE_REFUSED {age}"): 1, ("people", ""): 9}
            daily_counts.add_counts(today - timedelta(days=age), numbers)
        daily_counts.add_counts(kept, {("sign_up", "kakao"): 5, ("people", ""): 3})
        for _ in ages:
            assert retention.forget_old_rows()
        assert not retention.forget_old_rows()
        assert counters.totals() == {
            ("sign_up", "kakao"): 11,
            ("login_refused", "kakao CODE_REFUSED other"): 3,
            ("people", ""): 3,
        }
        days = set(db.session.scalars(db.select(DailyCount.day)))
        assert days == {counters.EARLIER, kept}
        assert counters.per_day(date(2000, 1, 1)) == {kept: {("sign_up", "kakao"): 5, ("people", ""): 3}}


def test_days_added_up_by_many_workers_at_once_count_once(app: Flask) -> None:
    with app.app_context():
        for age in range(5):
            daily_counts.add_counts(
                korean_days.today() - timedelta(days=retention.COUNT_DAYS + 5 + age), {("sign_up", "kakao"): 4}
            )

    def work(_number: int) -> None:
        with app.app_context():
            while retention.forget_old_rows():
                pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    with app.app_context():
        while retention.forget_old_rows():
            pass
        assert counters.totals() == {("sign_up", "kakao"): 20}
        assert set(db.session.scalars(db.select(DailyCount.day))) == {counters.EARLIER}
