"""The numbers of the overview page, added up from the daily counters.

They cost one statement over a few thousand small rows at most, and a handful of Redis commands. It never counts the
`users` table.
"""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from flask import current_app

from kakaoauth import days as korean_days
from kakaoauth.counting import active_users, counters
from kakaoauth.sessions import index as session_index
from kakaoauth.storage.redis import REDIS_ERRORS, get_redis

log = logging.getLogger("kakaoauth.overview")

#: Refusals that are told apart, the most frequent first; the rest is one number.
MOST_REASONS = 10
#: What a login began with the button is counted under. Apps and passwords begin elsewhere.
BY_BUTTON = ("page", "front-end")


@dataclass(frozen=True)
class Day:
    day: date
    sign_ups: int = 0
    logins: int = 0
    people: int = 0


@dataclass(frozen=True)
class Reason:
    """Why so many were refused: our code, and the provider's own where it gave one."""

    provider: str
    code: str
    provider_code: str
    number: int


@dataclass(frozen=True)
class Now:
    """What only Redis knows. People: different ones, on so many days with today."""

    open_sessions: int
    people_today: int
    people_7: int
    people_30: int


@dataclass(frozen=True)
class Totals:
    """Of several days together. `people` counts somebody once for each day on which they were here."""

    sign_ups: int = 0
    logins: int = 0
    refused: int = 0
    people: int = 0


@dataclass(frozen=True)
class Overview:
    #: Without a gap, today last.
    days: list[Day]
    #: Logins by the button: begun, back from the provider, in.
    begun: int = 0
    returned: int = 0
    came_in: int = 0
    #: Sign-up steps that were shown, and finished.
    terms_asked: int = 0
    terms_agreed: int = 0
    refused: int = 0
    reasons: list[Reason] = field(default_factory=list)
    #: None while Redis is away; then today's numbers may lack the last half minute.
    now: Now | None = None
    #: As many days as in `days`, all of them over: up to yesterday, and those before them.
    finished: Totals = Totals()
    before: Totals = Totals()

    @property
    def other_reasons(self) -> int:
        """Refusals whose reason is not in `reasons`."""
        return self.refused - sum(reason.number for reason in self.reasons)

    @property
    def logins(self) -> int:
        """Logins that succeeded, of all days together."""
        return sum(day.logins for day in self.days)

    @property
    def sign_ups(self) -> int:
        """Accounts made by a first login, of all days together."""
        return sum(day.sign_ups for day in self.days)

    @property
    def people(self) -> int:
        """The sum of the days' active users: a person who was active on two days counts twice."""
        return sum(day.people for day in self.days)


def read(days: int) -> Overview:
    """:param days: so many, today included."""
    today = korean_days.today()
    first = today - timedelta(days=days - 1)
    found = counters.per_day(today - timedelta(days=2 * days))
    now = _now()
    here = now.people_today if now else 0
    listed = [_day(day, found.get(day, Counter())) for day in (first + timedelta(days=n) for n in range(days))]
    listed[-1] = Day(today, listed[-1].sign_ups, listed[-1].logins, max(listed[-1].people, here))
    numbers = _sum(found, first, days)
    finished, before = (_of_period(_sum(found, today - timedelta(days=back), days)) for back in (days, 2 * days))
    return replace(_with_funnel(listed, numbers, now), finished=finished, before=before)


def _sum(found: Mapping[date, Counter[counters.Key]], first: date, days: int) -> Counter[counters.Key]:
    return sum((found.get(first + timedelta(days=n), Counter()) for n in range(days)), Counter())


def _of_period(numbers: Counter[counters.Key]) -> Totals:
    total = _totals(numbers)
    return Totals(total["sign_up"], total["login_in"], total["login_refused"], total[active_users.NAME])


def _now() -> Now | None:
    try:
        return Now(
            session_index.number_open(get_redis(current_app)),
            active_users.active_in_last(1),
            active_users.active_in_last(7),
            active_users.active_in_last(30),
        )
    except REDIS_ERRORS as error:
        log.warning("the overview lacks what Redis knows: %s", type(error).__name__)
        return None


def _day(day: date, numbers: Counter[counters.Key]) -> Day:
    total = _totals(numbers)
    return Day(day, sign_ups=total["sign_up"], logins=total["login_in"], people=total[active_users.NAME])


def _with_funnel(days: list[Day], numbers: Counter[counters.Key], now: Now | None) -> Overview:
    total = _totals(numbers)
    came_in = sum(number for (name, label), number in numbers.items() if name == "login_in" and _by_button(label))
    reasons = [_reason(label, number) for (name, label), number in numbers.items() if name == "login_refused"]
    reasons.sort(key=lambda reason: (-reason.number, reason.code, reason.provider_code, reason.provider))
    return Overview(
        days,
        begun=total["login_begun"],
        returned=total["login_returned"],
        came_in=came_in,
        terms_asked=total["terms_asked"],
        terms_agreed=total["terms_agreed"],
        refused=total["login_refused"],
        reasons=reasons[:MOST_REASONS],
        now=now,
    )


def _reason(label: str, number: int) -> Reason:
    provider, code, provider_code, *_ = [*label.split(" "), "", "", ""]
    return Reason(provider, code, provider_code, number)


def _totals(numbers: Counter[counters.Key]) -> Counter[str]:
    """Whatever the labels are."""
    total: Counter[str] = Counter()
    for (name, _label), number in numbers.items():
        total[name] += number
    return total


def _by_button(label: str) -> bool:
    provider, _, channel = label.partition(" ")
    return channel in BY_BUTTON and provider != "password"
