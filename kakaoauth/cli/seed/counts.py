"""Make up the daily counters for made-up users.

Sign-ups are those of the people who were made. Everything else is made to fit: nobody's last login is missing, more
came back than got in, and who did not get in was refused.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from kakaoauth.cli.seed.people import COLUMNS
from kakaoauth.counting import active_users
from kakaoauth.counting.counters import Key
from kakaoauth.counting.daily_counts import put_counts
from kakaoauth.days import KOREA
from kakaoauth.storage.columns import now
from kakaoauth.storage.redis import REDIS_ERRORS

log = logging.getLogger("kakaoauth.audit")

DAYS = 90
#: Back from today, so many days can be asked for together.
DAYS_OF_PEOPLE = 30
BATCH = 1_000
#: Of all people, who log in once more on a weekday, Monday first.
RETURN = (0.016, 0.015, 0.015, 0.016, 0.018, 0.012, 0.011)
#: Who is here on a day, for each who logs in.
HERE = 1.8
JOINED, LAST, PROVIDER = (COLUMNS.index(name) for name in ("date_joined", "last_login", "provider"))
REASONS = {
    "LOGIN_CANCELLED": 38,
    "EMAIL_REQUIRED": 19,
    "UNKNOWN_STATE": 11,
    "LOGIN_EXPIRED": 9,
    "EMAIL_IN_USE": 7,
    "CODE_REFUSED KOE320": 6,
    "PROVIDER_UNAVAILABLE": 4,
    "COOKIE_LOST": 3,
    "ACCOUNT_DISABLED": 2,
    "UNDER_AGE": 1,
}

#: Day, what happened (sign_up or last login), provider.
Tally = Counter[tuple[date, str, str]]


def tallied(people: Iterable[tuple[Any, ...]], tally: Tally, until: datetime) -> Iterator[tuple[Any, ...]]:
    """Let the people pass, and count when those of the last days joined and were last in."""
    first = until - timedelta(days=DAYS)
    for person in people:
        for what, place in (("sign_up", JOINED), ("last", LAST)):
            moment, provider = person[place], person[PROVIDER]
            if provider and moment and moment >= first:
                tally[((moment + KOREA).date(), what, provider)] += 1
        yield person


def make_counts(tally: Tally, first: int, number: int, *, random_seed: int) -> None:
    """Add the counts of the last days, up to this minute. Inside the running transaction; the people of each day go
    into Redis.

    :param first: the first number of a user who was made.
    """
    random = Random(random_seed)  # noqa: S311
    moment = now() + KOREA
    gone = (moment.hour * 60 + moment.minute) / 1440
    for back in range(DAYS, -1, -1):
        day = moment.date() - timedelta(days=back)
        usual = number * RETURN[day.weekday()] * random.uniform(0.85, 1.15) * (1 if back else gone)
        numbers: Counter[Key] = Counter()
        for provider, share in (("kakao", 0.85), ("facebook", 0.15)):
            numbers.update(_logins(provider, tally, day, usual * share, random))
        came = sum(count for (name, _), count in numbers.items() if name == "login_in")
        here = min(number, round(came * HERE))
        if here:
            numbers[(active_users.NAME, "")] = here
            put_counts(day, numbers)
        if here and back < DAYS_OF_PEOPLE:
            _let_come(day, random.sample(range(first, first + number), here))


def _logins(provider: str, tally: Tally, day: date, usual: float, random: Random) -> Counter[Key]:
    signed_up = tally[(day, "sign_up", provider)]
    came = signed_up + tally[(day, "last", provider)] + round(usual + random.uniform(-0.5, 0.5))
    front_end, api = round(came * 0.12), round(came * 0.08)
    returned = came - api + round(came * random.uniform(0.04, 0.09))
    refused = random.choices(list(REASONS), list(REASONS.values()), k=returned - (came - api))
    numbers: Counter[Key] = Counter(("login_refused", f"{provider} {reason}") for reason in refused)
    numbers[("sign_up", provider)] = signed_up
    numbers[("login_in", f"{provider} page")] = came - front_end - api
    numbers[("login_in", f"{provider} front-end")] = front_end
    numbers[("login_in", f"{provider} api")] = api
    numbers[("login_returned", provider)] = returned
    numbers[("login_begun", provider)] = round(returned * random.uniform(1.05, 1.12))
    return +numbers


def _let_come(day: date, user_ids: list[int]) -> None:
    try:
        for start in range(0, len(user_ids), BATCH):
            active_users.mark_many_active(day, user_ids[start : start + BATCH])
    except REDIS_ERRORS as error:
        log.warning("nobody was here on %s, for Redis: %s", day, type(error).__name__)
