"""`users seed`: many made-up users, the same way as if each had logged in, and never among real ones."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from click.testing import Result
from flask import Flask
from sqlalchemy import delete, func, select, text

from kakaoauth.audit import AuditEvent
from kakaoauth.cli import seed as seeding
from kakaoauth.cli.seed.people import DOMAIN
from kakaoauth.counting.daily_counts import put_counts
from kakaoauth.days import today
from kakaoauth.models import Identity, User, list_keys
from kakaoauth.staff.listing import page
from kakaoauth.staff.listing.filters import Filter
from kakaoauth.staff.listing.planner import Budget
from kakaoauth.storage.database import db

NUMBER = 400
#: Too little to find anybody without the index.
INDEX_ONLY = Budget(short=1, long=1, most=NUMBER)


@pytest.fixture
def site(make_app: Callable[..., Flask], database_url: str) -> Any:
    app = make_app(DATABASE_URL=database_url)
    with app.app_context():
        yield app


def seed(number: int = NUMBER, random_seed: int = 1) -> int:
    done: list[int] = []
    seeding.seed(number, random_seed=random_seed, report=done.append)
    return sum(done)


def people() -> list[User]:
    return list(db.session.scalars(select(User).order_by(User.id)))


def definitions() -> set[tuple[Any, ...]]:
    """Of every index and trigger."""
    query = "SELECT name, sql FROM sqlite_master WHERE type IN ('index', 'trigger')"
    if db.engine.dialect.name == "postgresql":
        query = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    return {tuple(row) for row in db.session.execute(text(query))}


def test_seeded_users_are_plausible_and_marked(site: Flask) -> None:
    before = definitions()
    assert seed() == 2 * NUMBER
    assert definitions() == before, "what was put aside is back"
    users = people()
    assert [user.id for user in users] == list(range(1, NUMBER + 1))
    joined = [user.date_joined for user in users]
    assert joined == sorted(joined)
    assert joined[-1] - joined[0] > (joined[-1] - joined[-2]) * (NUMBER - 2)
    for user in users:
        assert user.email is None or user.email.endswith(f".{DOMAIN}")
        assert (user.email_key, user.own_fields, user.session_version) == (user.email, "", 0)
        assert list_keys(user.email_key, user.nickname, user.name) == {
            "nickname_key": user.nickname_key,
            "search_text": user.search_text,
        }
        assert user.last_login is None or user.date_joined <= user.last_login <= datetime.now(UTC)
        assert [one.provider for one in user.identities] == ([user.provider] if user.provider else [])
        assert user.email or user.identities, "else nobody could tell that they are made up"
    for some in (lambda u: u.email, lambda u: u.nickname, lambda u: u.last_login, lambda u: u.provider == "facebook"):
        assert 0 < sum(bool(some(user)) for user in users) < NUMBER


def test_same_random_seed_makes_the_same_people(make_app: Callable[..., Flask], tmp_path: Any) -> None:
    made = []
    for name, random_seed in (("a", 1), ("b", 1), ("c", 2)):
        with make_app(DATABASE_URL=f"sqlite:///{tmp_path / name}.db").app_context(), time_machine.travel("2026-05-05"):
            seed(50, random_seed)
            made.append([(user.name, user.email, user.date_joined, user.last_login) for user in people()])
    assert made[0] == made[1] != made[2]


def test_seeded_users_are_found_sorted_and_changed_like_others(site: Flask) -> None:
    seed()
    user = next(user for user in people() if user.nickname and user.email)
    for search in (user.email, user.name, user.name[0] if user.name else "", user.nickname):
        found = page(Filter(search=search or ""), limit=NUMBER, budget=INDEX_ONLY)
        assert user.id in [one.id for one in found.users]
        assert not found.cut
    user.nickname = "뷁뷁"
    user.name = user.email = user.email_key = None
    db.session.commit()
    assert [one.id for one in page(Filter(search="뷁"), budget=INDEX_ONLY).users] == [user.id]
    db.session.execute(delete(User).where(User.id == user.id))
    db.session.commit()
    assert page(Filter(search="뷁"), budget=INDEX_ONLY).users == []
    newcomer = User.objects.create_user("real@example.kr")
    db.session.commit()
    assert newcomer.id == NUMBER + 1
    if db.engine.dialect.name == "sqlite":
        db.session.execute(text("INSERT INTO user_search(user_search) VALUES ('integrity-check')"))


def test_seeding_that_fails_leaves_everything_as_it_was(site: Flask) -> None:
    before = definitions()

    def fail(_done: int) -> None:
        raise RuntimeError("the operator has changed their mind")

    with pytest.raises(RuntimeError):
        seeding.seed(NUMBER, random_seed=1, report=fail)
    assert (people(), definitions()) == ([], before)
    seed(10)
    assert len(people()) == 10


def test_seeding_again_adds_others(site: Flask) -> None:
    seed(30)
    seed(20, random_seed=2)
    assert len({user.email for user in people() if user.email}) == sum(1 for user in people() if user.email)
    assert db.session.scalar(select(func.count(User.id))) == 50
    assert db.session.scalar(select(func.count(Identity.id).filter(Identity.user_id > 30))) in range(18, 21)


def test_site_is_seeded_beside_superusers_and_looks_alive(site: Flask) -> None:
    boss = User.objects.create_user("boss@example.kr")
    boss.is_superuser = boss.is_staff = True
    db.session.add(Identity(provider="kakao", subject="1", user=boss))
    put_counts(today(), {("sign_up", "kakao"): 1})
    db.session.commit()
    seed(50)
    seed(10, random_seed=2)
    assert [user.id for user in people() if user.is_superuser] == [boss.id]
    assert len(people()) == 61
    events = list(db.session.scalars(select(AuditEvent).order_by(AuditEvent.id)))
    logins = {user.id: user.last_login for user in people() if user.provider and user.last_login and user is not boss}
    assert {event.target_id: event.at for event in events} == logins
    assert {event.action for event in events} == {"login"}
    assert all(event.source and event.agent for event in events)


@pytest.mark.parametrize("email", [None, "minji@example.kr", "minji@seed.example.kr", "minji@seed.example"])
def test_site_with_somebody_real_is_not_seeded(site: Flask, email: str | None) -> None:
    seed(10)
    real = User.objects.create_user(email)
    db.session.add(Identity(provider="kakao", subject="1", user=real))
    db.session.commit()
    with pytest.raises(seeding.NotSeeded):
        seed(10)
    assert db.session.scalar(select(func.count(User.id))) == 11


def test_command_shows_its_progress_and_says_why_it_refuses(app: Flask) -> None:
    def run(*words: str) -> Result:
        return app.test_cli_runner().invoke(args=["users", "seed", *words])

    result = run("60", "--random-seed", "7")
    assert (result.exit_code, "added: 60, " in result.stderr) == (0, True)
    with app.app_context():
        assert len(people()) == 60
        User.objects.create_user("minji@example.kr")
        db.session.commit()
    result = run("60")
    assert result.exit_code == 1
    assert "Error: there are users besides superusers who were not made by this command" in result.output
    for odd in ("0", "-1", "many"):
        assert run(odd).exit_code == 2
