"""Make up people who do not exist."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

#: Reserved for examples (RFC 2606, section 2 keeps `.example`): no mail ever reaches anybody.
DOMAIN = "seed.example"
#: What a seeded user's subject begins with; Kakao's and Facebook's have digits only.
SUBJECT = "seed-"
YEARS = timedelta(days=6 * 365)

FAMILY = [*"김" * 21, *"이" * 15, *"박" * 8, *"최" * 5, *"정" * 5, *"강조윤장임한오서신권황안송류전홍고문양손배백허"]
FAMILY += ["남궁", "황보"]
GIVEN = "민서지우하윤도현준예은수아채원유진시연재호영성경미정희숙순철동건태승혁빈나라솔별가람율린온결주안규찬석훈상범"
FIRST = (
    "Alex Anna Brian Chloé Daniel Emma Grace Hannah Jack Julia Kevin Laura Mark Mia Noah Olivia Peter Sarah Zoë".split()
)
LAST = "Brown Choi Clark Davis García Jung Kim Lee Martin Müller Park Smith Taylor Walker Wilson Young".split()
SHORT = "ara bin daon eun haru jin juno minji nari sora sumin woori yuna zico".split()
THINGS = "하늘 바다 별빛 토끼 고양이 강아지 다람쥐 커피 라떼 나무 구름 노을 감자 만두".split()
HOSTS = ("daum", "gmail", "kakao", "naver", "naver", "office")
PROVIDERS = ("kakao",) * 17 + ("facebook",) * 3
AGES = ("15~19", "20~29", "20~29", "30~39", "30~39", "40~49", "50~59")
GENDERS = ("female", "male")

#: The columns of `make_up`, in order.
COLUMNS = (
    *("id", "name", "nickname", "age_range", "gender", "provider", "email", "email_key"),
    *("is_active", "is_staff", "is_superuser", "date_joined", "last_login"),
)


def make_up(first: int, number: int, *, until: datetime, random_seed: int) -> Iterator[tuple[Any, ...]]:
    """So many users with ids from `first`, who joined one after the other in the years before `until`."""
    chance = Random(random_seed).random  # noqa: S311
    step = YEARS // number
    for count in range(number):
        yield _person(first + count, until - YEARS + step * count, until, chance)


def _person(user_id: int, joined: datetime, until: datetime, chance: Callable[[], float]) -> tuple[Any, ...]:
    def pick(among: Sequence[str]) -> str:
        return among[int(chance() * len(among))]

    korean = chance() < 0.7
    name = pick(FAMILY) + pick(GIVEN) + pick(GIVEN) if korean else f"{pick(FIRST)} {pick(LAST)}"
    wish = chance()
    alias = f"{pick(THINGS if korean else SHORT)}{int(chance() * 1000)}"
    nickname = alias if wish < 0.6 else name if wish < 0.9 else None
    email = f"{pick(SHORT)}{user_id}@{pick(HOSTS)}.{DOMAIN}" if chance() < 0.95 else None
    # Those made on the command line have an e-mail address and no provider.
    provider = pick(PROVIDERS) if email is None or chance() < 0.998 else None
    role = chance()
    is_superuser, is_staff = role < 0.00002, role < 0.0005
    is_active = is_staff or chance() < 0.99
    last_login = joined + (until - joined) // 1000 * int(chance() * 1000) if chance() < 0.9 else None
    values = (user_id, name, nickname, pick(AGES), pick(GENDERS), provider, email, email)
    return (*values, is_active, is_staff, is_superuser, joined, last_login)
