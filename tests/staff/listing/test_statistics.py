"""PostgreSQL's statistics choose how users are looked for, and never who is found."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from sqlalchemy import text, update
from support.plans import statements

from kakaoauth.models import User
from kakaoauth.staff.listing import counted, estimate, page
from kakaoauth.staff.listing.filters import Condition, Filter, conditions
from kakaoauth.staff.listing.planner import Budget
from kakaoauth.staff.listing.statistics import statistics
from kakaoauth.storage.database import db

TIGHT = Budget(short=4, long=12, most=3)
SEARCHES: dict[Filter, Callable[[User], bool]] = {
    Filter(search="sun"): lambda user: "sun" in user.search_text,
    Filter(search="n5"): lambda user: "n5" in user.search_text,
    Filter(search="nobody"): lambda user: False,
    Filter(search="sun", state="suspended"): lambda user: not user.is_active and "sun" in user.search_text,
    Filter(role="user", provider="facebook"): lambda user: not user.is_staff and user.provider == "facebook",
    Filter(role="staff", state="active"): lambda user: user.is_staff and user.is_active,
}


@pytest.fixture
def analyzed(make_app: Callable[..., Flask], postgres_url: str) -> Iterator[Flask]:
    """Sixty people whom PostgreSQL has counted."""
    app = make_app(DATABASE_URL=postgres_url)
    with app.app_context():
        for number in range(60):
            User.objects.create_user(
                f"{'sun' if number % 3 else 'moon'}{number:02}@example.kr",
                nickname=f"n{number}",
                provider="facebook" if number % 7 == 0 else "kakao",
                is_staff=number % 20 == 0,
                is_active=number % 9 != 0,
            )
        db.session.commit()
        db.session.execute(text("ANALYZE users"))
        db.session.commit()
        yield app


def meeting(meets: Callable[[User], bool]) -> list[int]:
    return [user.id for user in db.session.query(User).order_by(User.email_key) if meets(user)]


def followed(chosen: Filter, budget: Budget) -> list[int]:
    found, there = page(chosen, sort="email", limit=5, budget=budget), []
    while True:
        there += [user.id for user in found.users]
        if found.next is None:
            return there
        found = page(chosen, sort="email", limit=5, budget=budget, cursor=found.next)


@pytest.mark.parametrize("budget", [TIGHT, Budget()], ids=["tight", "usual"])
def test_every_page_is_right_whatever_the_statistics_say(analyzed: Flask, budget: Budget) -> None:
    for _ in range(2):
        for chosen, meets in SEARCHES.items():
            assert followed(chosen, budget) == meeting(meets), chosen
            number, whole = counted(chosen)
            assert (number, whole) in ((len(meeting(meets)), True), (0, False)), chosen
        assert statistics() is not None
        # Everything that was rare is common now, and PostgreSQL does not know it yet.
        everybody = {"is_active": False, "is_staff": True, "search_text": "sun n5", "provider": "facebook"}
        db.session.execute(update(User).values(**everybody))
        db.session.commit()


def test_statistics_know_the_share_of_filters_and_trigrams(analyzed: Flask) -> None:
    known = statistics()
    assert known is not None
    assert known.rows == 60
    (search,) = conditions(Filter(search="sun"))
    assert known.share(search).likely == pytest.approx(40 / 60, abs=0.01)
    (state,) = conditions(Filter(state="suspended"))
    assert known.share(state).likely == pytest.approx(7 / 60, abs=0.05)
    several = Condition(lambda u: u.provider.in_(["facebook", "100%"]), key=("provider", "several"))
    assert known.share(several).likely == pytest.approx(9 / 60, abs=0.05)
    (short,) = conditions(Filter(search="su"))
    assert not known.knows(short)


def test_rare_search_is_two_statements_and_its_total_none_more(analyzed: Flask) -> None:
    page(Filter(search="n57"))  # the statistics are read once
    asked = statements(lambda: page(Filter(search="n57")))
    assert len(asked) <= 2
    assert page(Filter(search="sun0", provider="kakao"), limit=2).number is not None
    assert estimate(Filter()) == (60, True)


def test_without_an_analyze_nothing_is_known(make_app: Callable[..., Flask], postgres_url: str) -> None:
    app = make_app(DATABASE_URL=postgres_url)
    with app.app_context():
        db.session.execute(text("UPDATE pg_class SET reltuples = -1 WHERE oid = 'users'::regclass"))
        db.session.commit()
        assert statistics() is None
